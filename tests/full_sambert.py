"""A KAN-TTS voice of the published sizes (16 kHz) with random weights, for scripts/bench_families."""

from __future__ import annotations

from pathlib import Path

from tests import tiny_sambert


def build(folder: Path) -> None:
    tiny_sambert.build(folder, tiny_sambert.FULL)
