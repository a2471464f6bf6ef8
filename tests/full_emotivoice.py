"""An EmotiVoice voice of the published sizes with random weights: what it costs, not what it says."""

from __future__ import annotations

from pathlib import Path

from tests import tiny_emotivoice
from tests.tiny_voices import as_converted

INT8_FILES = ("embedding",)
"""What `edgetts convert --int8` makes smaller."""


def build(folder: Path) -> None:
    """SimBERT-base, four and four layers of 384, HiFi-GAN V1, 2013 speakers; durations as of unhurried speech."""
    tiny_emotivoice.build(folder, tiny_emotivoice.FULL)
    as_converted(folder, "voc")
