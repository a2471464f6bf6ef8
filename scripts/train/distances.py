"""How far speech is from a recording of the same text: spectrum and pitch, frame by frame along the best alignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from scripts.train.features import N_MELS, Floats, log_mel

CEPSTRA = slice(1, 14)
"""Without the zeroth, which is the level; up to the thirteenth: the shape of the vocal tract without the pitch."""

MCD_DB = 10 / np.log(10) * np.sqrt(2)
"""Decibels of a distance of 1 between two cepstra (Kubichek 1993)."""


@dataclass(frozen=True)
class Distance:
    mel_cepstral_db: float
    """Mel-cepstral distortion, 10 / ln 10 · √(2 · Σ (Δc)²), c₁ to c₁₃ (Kubichek 1993), mean of the aligned frames. Of
    the 80 bands of the log-mel spectrum by cosine transform, so not comparable with that of other cepstra."""

    pitch_semitones: float
    """Root mean square over aligned frames voiced in both; not a number if there is none."""

    voicing_percent: float
    """Aligned frames voiced in one of the two only."""


def distance(recorded: Floats, recorded_f0_hz: Floats, made: Floats, made_f0_hz: Floats) -> Distance:
    """Of two sounds [n_samples] and their pitches [n_samples // HOP], 0 where unvoiced."""
    return aligned_distance(log_mel(recorded), recorded_f0_hz, log_mel(made), made_f0_hz)


def aligned_distance(
    recorded_mel: Floats, recorded_f0_hz: Floats, made_mel: Floats, made_f0_hz: Floats
) -> Distance:
    """*…_mel* [n_frames, 80] and *…_f0_hz* [n_frames]."""
    recorded, made = mel_cepstra(recorded_mel), mel_cepstra(made_mel)
    cost = decibels(recorded, made)
    rows, columns = best_path(cost)
    recorded_hz, made_hz = recorded_f0_hz[rows], made_f0_hz[columns]
    both = (recorded_hz > 0) & (made_hz > 0)
    semitones = 12 * np.log2(made_hz[both] / recorded_hz[both])
    return Distance(
        mel_cepstral_db=float(cost[rows, columns].mean()),
        pitch_semitones=float(np.sqrt(np.mean(semitones**2))) if both.any() else float("nan"),
        voicing_percent=float(np.mean((recorded_hz > 0) != (made_hz > 0)) * 100),
    )


def mel_cepstra(mel: Floats) -> NDArray[np.float64]:
    """[n_frames, 13] of log-mel [n_frames, 80], scaled so that ln|H| = Σ c cos."""
    transformed = scipy.fft.dct(mel.astype(np.float64), norm="ortho", axis=1)
    return np.asarray(transformed[:, CEPSTRA] * np.sqrt(2 / N_MELS))


def decibels(recorded: NDArray[np.float64], made: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n_recorded, n_made]: mel-cepstral distortion of each frame with each."""
    squares = np.sum((recorded[:, None] - made[None]) ** 2, axis=2)
    return np.asarray(MCD_DB * np.sqrt(squares))


def best_path(cost: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Dynamic time warping: rows and columns of the path of least total *cost* from corner to corner, by steps of one
    in either direction or both."""
    n_rows, n_columns = cost.shape
    total = np.full((n_rows + 1, n_columns + 1), np.inf)
    total[0, 0] = 0
    for antidiagonal in range(2, n_rows + n_columns + 1):
        # All cells of an antidiagonal at once: none depends on another.
        row = np.arange(max(1, antidiagonal - n_columns), min(n_rows, antidiagonal - 1) + 1)
        column = antidiagonal - row
        before = np.minimum(
            np.minimum(total[row - 1, column], total[row, column - 1]), total[row - 1, column - 1]
        )
        total[row, column] = cost[row - 1, column - 1] + before
    path = [(n_rows, n_columns)]
    while path[-1] != (1, 1):
        row_, column_ = path[-1]
        steps = ((row_ - 1, column_ - 1), (row_ - 1, column_), (row_, column_ - 1))
        path.append(min(steps, key=lambda step: total[step]))
    rows, columns = np.array(path[::-1], np.int64).T - 1
    return rows, columns
