"""A KAN-TTS voice of the published sizes (16 kHz) with random weights, for scripts/bench_families."""

from __future__ import annotations

from pathlib import Path

from tests import tiny_sambert
from tests.tiny_voices import as_converted

INT8_FILES = ("am_enc",)
"""What `edgetts convert --int8` makes smaller."""


def build(folder: Path) -> None:
    tiny_sambert.build(folder, tiny_sambert.FULL)
    as_converted(folder, "voc")
