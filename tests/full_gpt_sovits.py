"""A GPT-SoVITS v2 voice of the published sizes with random weights, without the optional BERT, for
scripts/bench_families."""

from __future__ import annotations

from pathlib import Path

from tests import gpt_sovits_t2s, tiny_gpt_sovits
from tests.tiny_voices import as_converted

INT8_FILES = ("t2s_first", "t2s_stage")
"""What `edgetts convert --int8` makes smaller."""


def build(folder: Path) -> None:
    tiny_gpt_sovits.build(folder, gpt_sovits_t2s.FULL, has_bert=False)
    as_converted(folder, "vocoder")
