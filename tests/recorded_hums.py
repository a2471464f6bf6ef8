"""What can be told of a recorded loudspeaker that the hum spoke by: one tone after the other, with silence between."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_S = 0.01
LOUD = 0.003
"""Root mean square of a block."""

GAP_S = 0.05
"""Between two announcements, when the device is stopped and started, there is more."""

TOLERANCE_S = 0.04


@dataclass(frozen=True, slots=True)
class Tone:
    start_s: float
    duration_s: float
    pitch_hz: float
    amplitude: float


def tones(samples: NDArray[np.float64], sample_rate: int) -> list[Tone]:
    """In *samples*, [n_samples]."""
    n_block = round(BLOCK_S * sample_rate)
    blocks = samples[: len(samples) // n_block * n_block].reshape(-1, n_block)
    levels = np.sqrt(np.mean(blocks**2, axis=1))
    loud = np.flatnonzero(levels > LOUD)
    if not len(loud):
        return []
    runs = np.split(loud, np.flatnonzero(np.diff(loud) * BLOCK_S > GAP_S) + 1)
    return [_tone(run, blocks[run[0] : run[-1] + 1].ravel(), levels[run], sample_rate) for run in runs]


def _tone(
    run: NDArray[np.intp], samples: NDArray[np.float64], levels: NDArray[np.float64], sample_rate: int
) -> Tone:
    n_fft = 1 << max(18, len(samples).bit_length())
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), n_fft))
    return Tone(
        start_s=float(run[0]) * BLOCK_S,
        duration_s=len(run) * BLOCK_S,
        pitch_hz=float(np.argmax(spectrum)) * sample_rate / n_fft,
        # Of its middle: it may have been faded out, and its ends are no whole blocks.
        amplitude=float(np.median(levels)) * np.sqrt(2),
    )


def taken(heard: deque[Tone], duration_s: float) -> list[Tone]:
    """Take from *heard* what is *duration_s* long together: one tone, or its parts where a busy machine made gaps."""
    parts: list[Tone] = []
    while heard and sum(part.duration_s for part in parts) < duration_s - TOLERANCE_S:
        parts.append(heard.popleft())
    return parts
