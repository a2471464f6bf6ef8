"""The last step of a two-stage voice: pulses and noise, each through its own short-time filter.

Per filter frame (STEP samples; two per mel frame) the vocoder gives three spectra: the log magnitude of the harmonic
filter, a correction of its phase, and the log magnitude of the noise filter. The harmonic filter has the minimum
phase of its magnitude (Oppenheim & Schafer, Discrete-Time Signal Processing, section 13.5: fold the cepstrum) plus
the correction. Excitation and filters meet in the spectra of Hann windows, joined by overlap-add.

`SourceFilter` takes a sentence in pieces; what crosses from one to the next (pulse phase, noise generator, excitation
under the next window, unfinished overlap) is its state, so the pieces equal the one-shot result to rounding. All
in float32 but the pulse phase: a float32 phase would be off by 0.01 cycles after ten seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HOP = 256
"""Samples per mel frame."""

STEP = 128
N_FFT = 512
N_BINS = N_FFT // 2 + 1
UNVOICED_HZ = 150.0
"""Runs the pulse phase on through unvoiced frames."""

HARMONICS_BELOW = 0.98
"""Of the Nyquist frequency."""

PULSE_HALF_SINE = 1e-4
"""Below it the pulse train is at its peak and its formula 0/0."""

BLOCK = 96
"""Filter frames computed at once: the temporaries (200 kB each) stay in the second-level cache."""

WINDOW = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
WINDOW_POWER = (WINDOW.astype(np.float64) ** 2).reshape(4, STEP)
STEADY_POWER = 1.5  # sum of the four squared Hann windows over any sample
# At the sentence's ends fewer windows overlap: factors for its first and its last two steps.
START_GAIN = (STEADY_POWER / WINDOW_POWER[:3].sum(axis=0)).astype(np.float32)
END_GAIN = (STEADY_POWER / np.stack([WINDOW_POWER[1:].sum(axis=0), WINDOW_POWER[2:].sum(axis=0)])).astype(
    np.float32
)
SYNTHESIS_WINDOW = (WINDOW / STEADY_POWER).astype(np.float32)
HALFWAY = (np.arange(HOP) + 0.5) / HOP  # of the samples between two frame centres

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Filters:
    """The vocoder's output, each float32 [n_filter_frames, N_BINS]."""

    harmonic_log_magnitude: NDArray[np.float32]
    phase_offset: NDArray[np.float32]
    noise_log_magnitude: NDArray[np.float32]


class SourceFilter:
    """One sentence's way from filters to samples, in pieces."""

    def __init__(self, sample_rate: int, seed: int) -> None:
        self._sample_rate = sample_rate
        self._random = np.random.default_rng(seed)
        self._phase = 0.0
        """Of the pulse train, in cycles, at the last sample made."""

        self._excitation: Samples | None = None
        """[2, 384]: pulses and noise from the start of the next window on; None before the first piece."""

        self._overlap: Samples = np.zeros((3, STEP), np.float32)
        """Steps to which later windows still add."""

    def feed(self, f0_hz: NDArray[np.float32], filters: Filters, next_f0_hz: float | None) -> Samples:
        """The next finished samples. *f0_hz* [n_frames ≥ 2] has the piece's mel frames, 0 where unvoiced, *filters*
        two filter frames for each; *next_f0_hz* is that of the frame after them, None at the sentence's end. Output
        lags by HOP samples, which the last piece adds."""
        is_first, is_last = self._excitation is None, next_f0_hz is None
        excitation = self._excite(f0_hz, next_f0_hz, is_first=is_first)
        n = 2 * len(f0_hz)
        steps = np.empty((n + 3, STEP), np.float32)
        steps[:3] = self._overlap
        steps[3:] = 0
        for start in range(0, n, BLOCK):
            end = min(start + BLOCK, n)
            source = excitation[:, start * STEP : (end - 1) * STEP + N_FFT]
            frames = _filtered(source, filters, start, end).reshape(end - start, 4, STEP)
            for k in range(4):
                steps[start + k : end + k] += frames[:, k]
        self._excitation = excitation[:, n * STEP :].copy()
        self._overlap = steps[n:].copy()
        if is_first:
            steps[2] *= START_GAIN
        if is_last:
            steps[n : n + 2] *= END_GAIN
        return steps[2 if is_first else 0 : n + 2 if is_last else n].ravel()

    def _excite(self, f0_hz: NDArray[np.float32], next_f0_hz: float | None, *, is_first: bool) -> Samples:
        """[2, n]: pulses and noise under the windows of this piece, the sentence's ends continued by reflection."""
        knots = f0_hz if next_f0_hz is None else np.append(f0_hz, np.float32(next_f0_hz))
        lead = HOP // 2 if is_first else 0
        trail = HOP // 2 if next_f0_hz is None else 0
        n_new = lead + (len(knots) - 1) * HOP + trail
        made = np.empty((2, n_new), np.float32)
        made[0] = self._pulses(knots.astype(np.float64), lead, trail)
        # Drawn in float64 and in order: the sequence does not depend on how the sentence is cut.
        made[1] = self._random.standard_normal(n_new)
        if is_first:
            before = made[:, N_FFT // 2 : 0 : -1]
        else:
            assert self._excitation is not None
            before = self._excitation
        parts = [before, made]
        if next_f0_hz is None:
            parts.append(made[:, -2 : -2 - STEP : -1])
        return np.concatenate(parts, axis=1)

    def _pulses(self, f0_hz: NDArray[np.float64], lead: int, trail: int) -> Samples:
        """A band-limited pulse train of unit power; pitch and voicing run straight from frame centre to centre."""
        held = np.concatenate([f0_hz[:1], f0_hz, f0_hz[-1:]])
        voiced = (held > 0).astype(np.float64)
        hertz = _between(np.where(held > 0, held, UNVOICED_HZ), lead, trail)
        cycles = np.cumsum(hertz / self._sample_rate)
        cycles += self._phase
        cycles -= np.rint(cycles)
        self._phase = float(cycles[-1])
        gain = _between(voiced, lead, trail).astype(np.float32)
        sounding = np.flatnonzero(gain)
        pulses = np.zeros(len(gain), np.float32)
        n_harmonics = np.floor(self._sample_rate / 2 * HARMONICS_BELOW / hertz[sounding]).astype(np.float32)
        angle = (cycles[sounding] * (2 * np.pi)).astype(np.float32)
        half = np.sin(angle * np.float32(0.5))
        at_pulse = np.abs(half) < PULSE_HALF_SINE
        half[at_pulse] = 1
        # sum of cos(k·angle), k = 1…n, is (sin((n + ½)·angle) / sin(angle / 2) − 1) / 2
        comb = np.sin((n_harmonics + np.float32(0.5)) * angle) / half - np.float32(1)
        comb[at_pulse] = 2 * n_harmonics[at_pulse]
        pulses[sounding] = comb / np.sqrt(2 * n_harmonics) * gain[sounding]
        return pulses


def _between(knots: NDArray[np.float64], lead: int, trail: int) -> NDArray[np.float64]:
    """Straight lines between frame centres, HOP samples apart; *knots* has its first and last value twice, of which
    the *lead* and *trail* samples before the first and after the last centre are made."""
    lines = knots[:-1, None] + np.diff(knots)[:, None] * HALFWAY
    flat = lines.ravel()
    return flat[HOP - lead : len(flat) - HOP + trail]


def _filtered(source: Samples, filters: Filters, start: int, end: int) -> Samples:
    """Windowed output [end - start, N_FFT] of filter frames start…end, whose windows *source* [2, n] lies under."""
    windows = np.lib.stride_tricks.sliding_window_view(source, N_FFT, axis=1)[:, ::STEP]
    noise = np.fft.rfft(windows[1] * WINDOW, axis=1)
    noise *= np.exp(filters.noise_log_magnitude[start:end])
    # 40 % of a sentence's frames are unvoiced or silent: their pulses are exactly zero.
    voiced = np.flatnonzero(windows[0].any(axis=1))
    if len(voiced):
        harmonic = filters.harmonic_log_magnitude[start:end][voiced]
        angle = _minimum_phase(harmonic)
        angle += filters.phase_offset[start:end][voiced]
        response = np.empty(angle.shape, np.complex64)
        np.exp(harmonic, out=harmonic)
        np.multiply(harmonic, np.cos(angle), out=response.real)
        np.multiply(harmonic, np.sin(angle), out=response.imag)
        response *= np.fft.rfft(windows[0][voiced] * WINDOW, axis=1)
        noise[voiced] += response
    frames = np.fft.irfft(noise, N_FFT, axis=1).astype(np.float32, copy=False)
    frames *= SYNTHESIS_WINDOW
    return frames


def _minimum_phase(log_magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    """Phase [n, N_BINS], radians, of the minimum-phase filters with these log magnitudes [n, N_BINS]."""
    cepstrum = np.fft.irfft(log_magnitude, N_FFT, axis=1)
    cepstrum[:, 1 : N_FFT // 2] *= 2
    cepstrum[:, N_FFT // 2 + 1 :] = 0
    return np.ascontiguousarray(np.fft.rfft(cepstrum, axis=1).imag)
