"""The model families: one file and one line each. The names are those used in voice.yaml."""

from __future__ import annotations

from edge_tts.models import (
    cosyvoice,
    cosyvoice_files,
    emotivoice,
    gpt_sovits,
    gpt_sovits_files,
    hum,
    piper,
    sambert,
    two_stage,
)
from edge_tts.models.base import Loader, OpenBytes

FAMILIES: dict[str, Loader] = {
    "hum": hum.load,
    "two_stage": two_stage.load,
    "piper": piper.load,
    "emotivoice": emotivoice.load,
    "sambert": sambert.load,
    "gpt_sovits": gpt_sovits.load,
    "cosyvoice": cosyvoice.load,
}

OPEN_BYTES: dict[str, OpenBytes] = {
    "gpt_sovits": gpt_sovits_files.open_bytes,
    "cosyvoice": cosyvoice_files.open_bytes,
}
"""Families that do not hold all of their files at once."""
