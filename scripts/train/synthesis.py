"""The last step of a two-stage voice in PyTorch, with gradients: edge_tts/models/source_filter.py, on crops.

And the source that training uses: pulses locked to the recording's own fundamental. With any other phase the network
could not learn phases at all, as those of the recording would be random to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_tts.models.source_filter import (
    HARMONICS_BELOW,
    HOP,
    N_FFT,
    PULSE_HALF_SINE,
    STEADY_POWER,
    STEP,
    UNVOICED_HZ,
)
from scripts.train.distances import MCD_DB, mel_cepstra
from scripts.train.features import N_MELS, SAMPLE_RATE, Floats, mel_filters
from scripts.train.networks import FilterFrames

LOCK_S = 0.03
"""Of low-pass around the fundamental: longer than its jitter, shorter than its changes."""

EDGE = 4
"""Mel frames at each end of a crop over which not all windows lie."""


def fundamental_phase(samples: Floats, f0_hz: Floats) -> NDArray[np.complex64]:
    """[n_frames], of length 1: by how much the recording's fundamental is ahead of the pulses that *f0_hz* alone would
    make, at each frame's centre. Demodulated by the pitch, what is left is slow."""
    cycles = pulse_cycles(f0_hz)
    slow = samples * np.exp(-2j * np.pi * cycles)
    half = round(LOCK_S * SAMPLE_RATE / 2)
    window = np.hanning(2 * half + 1)
    padded = np.pad(slow, half)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)[HOP // 2 :: HOP]
    lead = (around @ window)[: len(f0_hz)]
    size = np.abs(lead)
    return np.where(size > 1e-9, lead / np.maximum(size, 1e-9), 1).astype(np.complex64)


def _between_centres(knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """[..., n_frames] → [..., n_frames * HOP]: straight lines between frame centres, held at the ends."""
    held = np.concatenate([knots[..., :1], knots, knots[..., -1:]], axis=-1)
    share = (np.arange(HOP) + 0.5) / HOP
    lines = held[..., :-1, None] + np.diff(held)[..., None] * share
    return lines.reshape(*knots.shape[:-1], -1)[..., HOP // 2 : -HOP // 2]


def pulse_cycles(f0_hz: Floats) -> NDArray[np.float64]:
    """[n_frames * HOP], the phase of the pulses at each sample, in cycles from the first."""
    hertz = _between_centres(np.where(f0_hz > 0, f0_hz, UNVOICED_HZ).astype(np.float64))
    return np.cumsum(hertz / SAMPLE_RATE)


@dataclass(frozen=True)
class Source:
    """What the pulses of one recording are made from; all [n_frames]."""

    f0_hz: Floats
    phase: NDArray[np.complex64]
    """`fundamental_phase`"""

    cycles_before: NDArray[np.float64]
    """Phase at which each frame starts."""


def source_of(samples: Floats, f0_hz: Floats) -> Source:
    cycles = pulse_cycles(f0_hz)
    before = np.concatenate([[0.0], cycles[HOP - 1 : -1 : HOP]])
    return Source(f0_hz, fundamental_phase(samples, f0_hz), before)


def locked_pulses(source: Source, start: int, end: int) -> Floats:
    """The samples of frames *start* to *end* of a band-limited pulse train of unit power whose fundamental is that of
    the recording."""
    low, high = max(start - 1, 0), min(end + 1, len(source.f0_hz))
    inner = slice((start - low) * HOP, (end - low) * HOP)

    def line(knots: NDArray[Any]) -> NDArray[np.float64]:
        return _between_centres(knots[low:high].astype(np.float64))[inner]

    f0 = source.f0_hz
    hertz = line(np.where(f0 > 0, f0, UNVOICED_HZ))
    cycles = (source.cycles_before[start] + np.cumsum(hertz / SAMPLE_RATE)) % 1.0
    angle = 2 * np.pi * cycles + np.angle(line(source.phase.real) + 1j * line(source.phase.imag))
    n_harmonics = np.floor(SAMPLE_RATE / 2 * HARMONICS_BELOW / hertz)
    half = np.sin(angle / 2)
    at_pulse = np.abs(half) < PULSE_HALF_SINE
    comb = np.where(
        at_pulse, 2 * n_harmonics, np.sin((n_harmonics + 0.5) * angle) / np.where(at_pulse, 1, half) - 1
    )
    return np.asarray(comb / np.sqrt(2 * n_harmonics) * line(f0 > 0), np.float32)


class SourceFilter:
    """Excitation [B, n_frames * HOP] and filters → sound, of a crop."""

    def __init__(self, device: str) -> None:
        self._window = torch.hann_window(N_FFT, device=device)
        fold = torch.zeros(N_FFT, device=device)
        fold[0] = fold[N_FFT // 2] = 1
        fold[1 : N_FFT // 2] = 2
        self._fold = fold

    def __call__(self, pulses: Tensor, noise: Tensor, filters: FilterFrames) -> Tensor:
        """[B, (n_frames - 2 * EDGE) * HOP]: without the ends, over which not all windows lie."""
        harmonic = filters.harmonic_log_magnitude
        minimum = torch.fft.rfft(torch.fft.irfft(harmonic, N_FFT) * self._fold).imag
        angle = minimum + filters.phase_offset
        response = torch.polar(torch.exp(harmonic), angle)
        spectrum = self._spectra(pulses) * response + self._spectra(noise) * torch.exp(
            filters.noise_log_magnitude
        )
        frames = torch.fft.irfft(spectrum, N_FFT) * self._window
        n_batch, n_frames = frames.shape[:2]
        samples = torch.nn.functional.fold(
            frames.transpose(1, 2),
            (1, (n_frames - 1) * STEP + N_FFT),
            (1, N_FFT),
            stride=(1, STEP),
        ).reshape(n_batch, -1)
        # Sample 0 of the crop is N_FFT // 2 after the first window's start.
        start = N_FFT // 2 + EDGE * HOP
        return samples[:, start : start + (n_frames * STEP - 2 * EDGE * HOP)] / STEADY_POWER

    def _spectra(self, samples: Tensor) -> Tensor:
        """[B, 2 * n_frames, 257]"""
        padded = torch.nn.functional.pad(samples, (N_FFT // 2, N_FFT // 2))
        n_frames = samples.shape[1] // STEP
        spectra: Tensor = torch.fft.rfft(padded.unfold(1, N_FFT, STEP)[:, :n_frames] * self._window)
        return spectra


class LogMel:
    """log-mel of samples, with gradients: `features.log_mel`."""

    def __init__(self, device: str) -> None:
        self.n_fft = 1024
        self._filters = torch.from_numpy(mel_filters(SAMPLE_RATE, self.n_fft, N_MELS)).to(device)
        self._window = torch.hann_window(self.n_fft, device=device)

    def __call__(self, samples: Tensor) -> Tensor:
        spectrum = torch.stft(
            samples, self.n_fft, HOP, window=self._window, center=False, return_complex=True
        )
        magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9)
        return torch.log((self._filters @ magnitude).clamp(min=1e-5))


def cepstrum_loss(recorded_mel: Tensor, made_mel: Tensor) -> Tensor:
    """Mel-cepstral distortion in dB (`distances.Distance`) of log-mels [B, 80, n_frames]: the shape of the vocal tract,
    which single bands weigh no more than the noise between them."""
    difference = torch.from_numpy(mel_cepstra(np.eye(N_MELS, dtype=np.float32)).T).to(made_mel)
    squares = (difference @ (recorded_mel - made_mel)).square().sum(dim=1)
    return torch.sqrt(squares + 1e-6).mean() * float(MCD_DB)


def spectrum_loss(recorded: Tensor, made: Tensor) -> Tensor:
    """Spectral convergence and log magnitude at five resolutions (Yamamoto et al. 2020, Parallel WaveGAN)."""
    total = torch.zeros((), device=made.device)
    n_ffts = (2048, 1024, 512, 256, 128)
    for n_fft in n_ffts:
        window = torch.hann_window(n_fft, device=made.device)
        both = torch.stft(torch.cat([recorded, made]), n_fft, n_fft // 4, window=window, return_complex=True)
        magnitude = torch.sqrt(both.real**2 + both.imag**2 + 1e-8)
        r, m = magnitude.chunk(2)
        total = total + torch.linalg.norm(r - m) / torch.linalg.norm(r).clamp(min=1e-3)
        total = total + (torch.log(r.clamp(min=1e-4)) - torch.log(m.clamp(min=1e-4))).abs().mean()
    return total / len(n_ffts)


def phase_loss(recorded: Tensor, made: Tensor, voiced: Tensor) -> Tensor:
    """1 - cos of the angle between the bins of both, weighted by the recording's magnitude, where *voiced* [B, n
    filter frames] is 1."""
    window = torch.hann_window(N_FFT, device=made.device)
    both = torch.stft(
        torch.cat([recorded, made]), N_FFT, STEP, window=window, return_complex=True, center=False
    )
    r, m = both.transpose(1, 2).chunk(2)
    product = (r * m.conj()).real
    sizes = (r.abs() * m.abs()).clamp(min=1e-7)
    weight = r.abs() * voiced[:, : r.shape[1], None]
    return (weight * (1 - product / sizes)).sum() / weight.sum().clamp(min=1e-6)
