"""What the networks hear: log-mel spectra of 80 bands, as the pack's contract defines them."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_tts.models.source_filter import HOP

SAMPLE_RATE = 22050
N_MELS = 80
N_FFT = 1024
FLOOR = 1e-5

Floats = NDArray[np.float32]


def read_sound(path: Path) -> Floats:
    """[n_samples], as long as a whole number of frames."""
    samples, _ = soundfile.read(path, dtype="float32")
    return np.ascontiguousarray(samples[: len(samples) // HOP * HOP])


@functools.cache
def mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> Floats:
    """[n_mels, n_fft // 2 + 1]: triangles of equal area, evenly spaced on the mel scale of Slaney's Auditory Toolbox
    (1998: linear to 1 kHz, then 27 steps to a factor of 6.4), from 0 to half the sample rate."""
    break_hz, step_hz, ratio = 1000.0, 200 / 3, np.log(6.4) / 27
    break_mel = break_hz / step_hz
    highest = break_mel + np.log(sample_rate / 2 / break_hz) / ratio
    mels = np.linspace(0, highest, n_mels + 2)
    edges = np.where(mels < break_mel, mels * step_hz, break_hz * np.exp((mels - break_mel) * ratio))
    hertz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    rising = (hertz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - hertz) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(triangles * (2 / (edges[2:] - edges[:-2]))[:, None], np.float32)


def magnitudes(samples: Floats, n_fft: int = N_FFT, hop: int = HOP) -> Floats:
    """[n_samples // hop, n_fft // 2 + 1], frame i centred on sample i * hop, the ends continued by reflection."""
    padded = np.pad(samples, n_fft // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop][: len(samples) // hop]
    window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    return np.abs(np.fft.rfft(frames * window, axis=1)).astype(np.float32)


def log_mel(samples: Floats) -> Floats:
    """[n_frames, 80]"""
    mel = magnitudes(samples) @ mel_filters(SAMPLE_RATE, N_FFT, N_MELS).T
    return np.asarray(np.log(np.maximum(mel, FLOOR)), np.float32)
