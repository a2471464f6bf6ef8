"""What CosyVoice's graphs are shown of sound: three spectra of a clip, and the vocoder's Fourier transform."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.errors import SynthesisError

Floats = NDArray[np.float32]

VOCODER_FFT, VOCODER_HOP = 16, 4
LOUDEST = 100.0
"""Of a magnitude before it becomes sound."""


def speech_spectrum(samples: Floats) -> Floats:
    """[1, 128, T] of 16 kHz, for the speech tokenizer: Whisper's."""
    padded = np.pad(samples, 200, mode="reflect")
    power = np.abs(_spectra(padded, 400, 160, _hann(400), 400)[:-1]) ** 2
    level = np.log10(np.maximum(power @ slaney(16000, 400, 128, 8000.0), 1e-10))
    level = np.maximum(level, level.max() - 8)
    return np.asarray((level.T[None] + 4) / 4, np.float32)


def speaker_spectrum(samples: Floats) -> Floats:
    """[1, T, 80] of 16 kHz, for the speaker encoder: Kaldi's, without its mean."""
    frames = _frames(samples, 400, 160).astype(np.float64)
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    power = np.abs(np.fft.rfft((frames - 0.97 * before) * window, 512)) ** 2
    level = np.log(np.maximum(power @ _kaldi(16000, 512, 80, 20.0, 8000.0), np.finfo(np.float32).eps))
    return np.asarray((level - level.mean(axis=0))[None], np.float32)


def mel(samples: Floats, highest_hz: float) -> Floats:
    """[1, 80, F] of 24 kHz, from 0 to *highest_hz*: what the voice continues."""
    padded = np.pad(samples, 720, mode="reflect")
    magnitude = np.sqrt(np.abs(_spectra(padded, 1920, 480, _hann(1920), 1920)) ** 2 + 1e-9)
    level = np.log(np.maximum(magnitude @ slaney(24000, 1920, 80, highest_hz), 1e-5))
    return np.asarray(level.T[None], np.float32)


def vocoder_spectrum(samples: Floats) -> Floats:
    """[1, 18, n / 4 + 1]: real parts, then imaginary ones."""
    padded = np.pad(samples, VOCODER_FFT // 2, mode="reflect")
    spectra = _spectra(padded, VOCODER_FFT, VOCODER_HOP, _hann(VOCODER_FFT), VOCODER_FFT)
    return np.concatenate([spectra.real, spectra.imag], axis=1).T[None].astype(np.float32)


def decoded(made: Mapping[str, NDArray[Any]], n_columns: int) -> Floats:
    """The sound of what a vocoder *made*. Raises SynthesisError."""
    if not {"magnitude", "phase"} <= made.keys() or made["magnitude"].shape[2] != n_columns:
        raise SynthesisError(
            "the vocoder makes no magnitude and phase of its source's length: another contract"
        )
    return vocoder_sound(made["magnitude"][0], made["phase"][0])


def vocoder_sound(magnitude: Floats, phase: Floats) -> Floats:
    """The inverse, of [9, columns] each: 4 · (columns - 1) samples."""
    spectra = np.minimum(magnitude, LOUDEST) * np.exp(1j * phase)
    window = _hann(VOCODER_FFT)
    parts = np.fft.irfft(spectra.T, VOCODER_FFT) * window
    n_columns, n_parts = len(parts), VOCODER_FFT // VOCODER_HOP
    made, weight = np.zeros((2, (n_columns + n_parts - 1) * VOCODER_HOP))
    squares = np.broadcast_to(window**2, parts.shape)
    for part in range(n_parts):
        place = slice(part * VOCODER_HOP, (part + n_columns) * VOCODER_HOP)
        of_part = slice(part * VOCODER_HOP, (part + 1) * VOCODER_HOP)
        made[place] += parts[:, of_part].ravel()
        weight[place] += squares[:, of_part].ravel()
    inside = slice(VOCODER_FFT // 2, VOCODER_FFT // 2 + VOCODER_HOP * (n_columns - 1))
    return np.asarray(made[inside] / np.maximum(weight[inside], 1e-11), np.float32)


def _frames(samples: Floats, size: int, hop: int) -> Floats:
    return np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]


def _spectra(
    samples: Floats, size: int, hop: int, window: NDArray[np.float64], n_fft: int
) -> NDArray[np.complex128]:
    return np.asarray(np.fft.rfft(_frames(samples, size, hop) * window, n_fft))


def _hann(size: int) -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


@functools.cache
def slaney(sample_rate: int, n_fft: int, n_mels: int, highest_hz: float) -> NDArray[np.float64]:
    """[n_fft / 2 + 1, n_mels] from 0 Hz: linear to 1 kHz, then logarithmic; each band of equal area."""
    step = np.log(6.4) / 27

    def to_mel(hz: float) -> float:
        return 3 * hz / 200 if hz < 1000 else 15 + float(np.log(hz / 1000)) / step

    mels = np.linspace(0, to_mel(highest_hz), n_mels + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * (mels - 15)))
    bins = np.linspace(0, sample_rate / 2, n_fft // 2 + 1)[:, None]
    up = (bins - edges[:-2]) / np.diff(edges)[:-1]
    down = (edges[2:] - bins) / np.diff(edges)[1:]
    return np.asarray(np.maximum(0, np.minimum(up, down)) * 2 / (edges[2:] - edges[:-2]))


@functools.cache
def _kaldi(
    sample_rate: int, n_fft: int, n_mels: int, lowest_hz: float, highest_hz: float
) -> NDArray[np.float64]:
    """Triangles on the mel axis itself, as HTK's."""
    lowest, highest = (1127 * np.log(1 + hz / 700) for hz in (lowest_hz, highest_hz))
    edges = np.linspace(lowest, highest, n_mels + 2)
    bins = 1127 * np.log(1 + np.linspace(0, sample_rate / 2, n_fft // 2 + 1) / 700)[:, None]
    up = (bins - edges[:-2]) / np.diff(edges)[:-1]
    down = (edges[2:] - bins) / np.diff(edges)[1:]
    return np.asarray(np.maximum(0, np.minimum(up, down)))
