"""The model families: one file and one line each. The names are those used in voice.yaml."""

from __future__ import annotations

from edge_tts.models import cosyvoice, emotivoice, gpt_sovits, hum, piper, sambert, two_stage
from edge_tts.models.base import Loader

FAMILIES: dict[str, Loader] = {
    "hum": hum.load,
    "two_stage": two_stage.load,
    "piper": piper.load,
    "emotivoice": emotivoice.load,
    "sambert": sambert.load,
    "gpt_sovits": gpt_sovits.load,
    "cosyvoice": cosyvoice.load,
}
