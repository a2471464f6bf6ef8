"""Voices for tests: small graphs of each family's contract, built on the spot, and specs by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from edge_tts.cache import EmbeddingCache
from edge_tts.metrics import Metrics
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.text.phonemes import Phonemizer

BUNDLED = Path(__file__).parent.parent / "models_onnx" / "kathleen-kerstin-yuetan"


def make_tools(*, stream: bool = True, threads: int = 1, metrics: Metrics | None = None) -> ModelTools:
    metrics = metrics or Metrics()
    return ModelTools(Phonemizer(), EmbeddingCache(8 << 20, metrics), metrics, threads=threads, stream=stream)


def read_spec(folder: Path, **changes: Any) -> VoiceSpec:
    """The spec of a folder with a voice.yaml, by the shortest way; what can be wrong in it is tested elsewhere."""
    document = yaml.safe_load((folder / "voice.yaml").read_text(encoding="utf-8")) | changes
    return VoiceSpec(
        name=document["name"],
        family=document["family"],
        folder=folder,
        files={role: folder / name for role, name in document.get("files", {}).items()},
        sample_rate=document["sample_rate"],
        languages=tuple(document["languages"]),
        speakers=document.get("speakers", {}),
        default_speakers=document.get("default_speakers", {}),
        emotions=document.get("emotions", {}),
        sha256=document.get("sha256", {}),
        gain_db=document.get("gain_db", 0.0),
    )


def hum_spec(folder: Path) -> VoiceSpec:
    return VoiceSpec("hum", "hum", folder, {}, 22050, ("en-US",))
