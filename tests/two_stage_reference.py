"""The two-stage voice once more, in float64 and in one shot, straight from its contract: what the product must equal.

Deliberately slow and plain: a loop where the product vectorises, a formula where it takes a shortcut.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SAMPLE_RATE = 22050
HOP = 256
STEP = 128
N_FFT = 512
HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)


def pulse_train(f0_hz: Floats) -> Floats:
    """[n_frames] of pitch (0 unvoiced) → [n_frames * HOP] samples."""
    n_samples = len(f0_hz) * HOP
    centres = HOP * (np.arange(len(f0_hz)) + 0.5)
    times = np.arange(n_samples) + 0.5
    voiced = np.interp(times, centres, np.where(f0_hz > 0, 1.0, 0.0))
    hertz = np.interp(times, centres, np.where(f0_hz > 0, f0_hz, 150.0))
    samples, cycles = np.zeros(n_samples), 0.0
    for n in range(n_samples):
        cycles = (cycles + hertz[n] / SAMPLE_RATE) % 1.0
        n_harmonics = int(SAMPLE_RATE / 2 * 0.98 / hertz[n])
        half = np.sin(np.pi * cycles)
        is_at_pulse = abs(half) < 1e-4
        total = (
            2.0 * n_harmonics if is_at_pulse else np.sin((2 * n_harmonics + 1) * np.pi * cycles) / half - 1
        )
        samples[n] = voiced[n] * total / np.sqrt(2 * n_harmonics)
    return samples


def spectra(samples: Floats) -> NDArray[np.complex128]:
    padded = np.pad(samples, N_FFT // 2, mode="reflect")
    n_frames = len(samples) // STEP
    return np.stack([np.fft.rfft(padded[i * STEP : i * STEP + N_FFT] * HANN) for i in range(n_frames)])


def minimum_phase(log_magnitude: Floats) -> Floats:
    """By folding the real cepstrum of each row [n, 257]: causal part doubled, anti-causal part dropped."""
    cepstrum = np.fft.irfft(log_magnitude, N_FFT)
    folded = np.zeros_like(cepstrum)
    folded[:, 0] = cepstrum[:, 0]
    folded[:, 1 : N_FFT // 2] = 2 * cepstrum[:, 1 : N_FFT // 2]
    folded[:, N_FFT // 2] = cepstrum[:, N_FFT // 2]
    return np.fft.rfft(folded).imag


def waveform(f0_hz: Floats, harmonic: Floats, phase: Floats, noise: Floats, seed: int) -> Floats:
    """f0 [n_frames], filters [2 * n_frames, 257] → samples [n_frames * HOP]."""
    white = np.random.default_rng(seed).standard_normal(len(f0_hz) * HOP)
    voiced = spectra(pulse_train(f0_hz)) * np.exp(harmonic) * np.exp(1j * (minimum_phase(harmonic) + phase))
    total = voiced + spectra(white) * np.exp(noise)
    length = (len(total) - 1) * STEP + N_FFT
    samples, weights = np.zeros(length), np.zeros(length)
    for i, spectrum in enumerate(total):
        samples[i * STEP : i * STEP + N_FFT] += np.fft.irfft(spectrum, N_FFT) * HANN
        weights[i * STEP : i * STEP + N_FFT] += HANN**2
    inner = slice(N_FFT // 2, N_FFT // 2 + len(f0_hz) * HOP)
    return samples[inner] / np.maximum(weights[inner], 1e-6)
