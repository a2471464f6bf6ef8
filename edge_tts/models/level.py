"""The level of a voice: a fixed gain, a soft limit instead of clipping, and ends that do not click."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KNEE = 0.8
"""Above this level the limiter bends; below it samples pass unchanged."""

FADE_S = 0.005
"""Fade at both ends of an utterance's part: a step from silence into noise is a click."""


class LevelKeeper:
    """Applies one gain to sound that comes in pieces; sample by sample, so pieces equal the whole."""

    def __init__(self, gain_db: float, sample_rate: int, n_samples: int | None = None) -> None:
        """*n_samples* in all; None: to be told by `end_at` before the last of them."""
        n_fade = round(FADE_S * sample_rate)
        self._gain = np.float32(10 ** (gain_db / 20))
        self._fade = np.linspace(
            0, 1, n_fade if n_samples is None else min(n_fade, n_samples // 2), dtype=np.float32
        )
        self._n_samples = n_samples
        self._position = 0

    def end_at(self, n_samples: int) -> None:
        self._n_samples = n_samples

    def keep(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next *samples*, changed in place and returned, each in [-1, 1]."""
        samples *= self._gain
        limit(samples)
        n_fade = len(self._fade)
        start, end = self._position, self._position + len(samples)
        if start < n_fade:
            part = self._fade[start:end]
            samples[: len(part)] *= part
        first_faded = end if self._n_samples is None else self._n_samples - n_fade
        if end > first_faded:
            part = self._fade[::-1][max(start - first_faded, 0) : end - first_faded]
            samples[len(samples) - len(part) :] *= part
        self._position = end
        return samples


def limit(samples: NDArray[np.float32]) -> None:
    """Bend what exceeds KNEE towards 1 with tanh, in place; slope and value run on smoothly at the knee."""
    loud = np.flatnonzero(np.abs(samples) > KNEE)
    if not len(loud):
        return
    value = samples[loud]
    excess = (np.abs(value) - KNEE) / (1 - KNEE)
    samples[loud] = np.copysign(KNEE + (1 - KNEE) * np.tanh(excess), value)
