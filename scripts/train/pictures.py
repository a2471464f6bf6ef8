"""Pictures of what the stages made, as PNG."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from scripts.train.features import FLOOR, Floats, magnitudes
from scripts.train.stage import whole

mpl.use("Agg")
from matplotlib import pyplot as plt


def _save(path: Path, figure: Any) -> None:
    with warnings.catch_warnings():
        # Recordings may be named in a script that the font does not have.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.tight_layout()
        whole(path, lambda part: figure.savefig(part, dpi=80, format="png"))
    plt.close(figure)


def clean(
    path: Path, examples: Sequence[tuple[str, NDArray[Any], NDArray[Any]]], second: str = "cleaned"
) -> None:
    """Spectrograms before and after; *examples* are name, raw and cleaned samples."""
    figure, axes = plt.subplots(len(examples), 2, figsize=(12, 2.5 * len(examples)), squeeze=False)
    for row, (name, raw, cleaned) in zip(axes, examples, strict=True):
        for axis, samples, title in ((row[0], raw, f"{name}: recorded"), (row[1], cleaned, second)):
            decibel = 20 * np.log10(np.maximum(magnitudes(samples), FLOOR)).T
            axis.imshow(decibel, origin="lower", aspect="auto", vmin=-60, vmax=40)
            axis.set_title(title)
    _save(path, figure)


def counts(path: Path, title: str, of: Mapping[str, int]) -> None:
    ordered = sorted(of.items(), key=lambda each: -each[1])
    figure, axis = plt.subplots(figsize=(14, 3))
    axis.bar([name for name, _ in ordered], [n for _, n in ordered])
    axis.set_yscale("log")
    axis.set_title(title)
    axis.tick_params(axis="x", labelrotation=90, labelsize=6)
    _save(path, figure)


def spectrograms(path: Path, examples: Sequence[tuple[str, Floats]]) -> None:
    """*examples* are name and log-mel [n_frames, 80]."""
    figure, axes = plt.subplots(len(examples), 1, figsize=(12, 2.2 * len(examples)), squeeze=False)
    for axis, (name, mel) in zip(axes[:, 0], examples, strict=True):
        axis.imshow(mel.T, origin="lower", aspect="auto", vmin=-11, vmax=2)
        axis.set_title(name)
    _save(path, figure)


def pitch_ranges(path: Path, hertz: Mapping[str, NDArray[Any]]) -> None:
    figure, axis = plt.subplots(figsize=(8, 3))
    for name, values in hertz.items():
        axis.hist(values, bins=100, range=(50, 450), histtype="step", density=True, label=name)
    axis.set_xlabel("Hz")
    axis.legend()
    _save(path, figure)


def alignments(path: Path, examples: Sequence[tuple[str, Floats, NDArray[np.int64]]]) -> None:
    """*examples* are name, log probability [n_frames, n_tokens] and the frames of each token."""
    figure, axes = plt.subplots(len(examples), 1, figsize=(12, 3 * len(examples)), squeeze=False)
    for axis, (name, likely, frames) in zip(axes[:, 0], examples, strict=True):
        axis.imshow(likely.T, origin="lower", aspect="auto", vmin=-8, vmax=0)
        axis.step(
            np.concatenate([[0], np.cumsum(frames)]), np.arange(len(frames) + 1), where="post", color="red"
        )
        axis.set_title(name)
        axis.set_ylabel("token")
    _save(path, figure)


def durations(path: Path, frames: Mapping[str, NDArray[Any]]) -> None:
    """Frames per token of each speaker."""
    figure, axis = plt.subplots(figsize=(8, 3))
    for name, values in frames.items():
        axis.hist(values, bins=60, range=(0, 60), histtype="step", density=True, label=name)
    axis.set_xlabel("frames per token (11.6 ms)")
    axis.set_yscale("log")
    axis.legend()
    _save(path, figure)


def losses(path: Path, curves: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """One curve over the steps for each loss."""
    n_columns = 4
    n_rows = max(-(-len(curves) // n_columns), 1)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=(16, 2.6 * n_rows), squeeze=False)
    for axis in axes.flat[len(curves) :]:
        axis.axis("off")
    for axis, (name, points) in zip(axes.flat, sorted(curves.items()), strict=False):
        axis.plot([step for step, _ in points], [value for _, value in points])
        axis.set_title(name)
    _save(path, figure)
