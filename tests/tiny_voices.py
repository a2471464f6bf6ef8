"""Voices for tests: small graphs of each family's contract, built on the spot, and specs by hand."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from edge_tts.cache import EmbeddingCache
from edge_tts.convert.planes import in_planes
from edge_tts.metrics import Metrics
from edge_tts.models import piper
from edge_tts.models.base import ModelTools, SpeechModel, VoiceSpec
from edge_tts.speech import Audio, Prosody, Sentence, Span
from edge_tts.text.phonemes import Phonemizer
from tests import tiny_cosyvoice, tiny_cosyvoice2, tiny_emotivoice, tiny_gpt_sovits, tiny_sambert
from tests.tiny_two_stage import build_two_stage
from tests.tiny_vits import build_piper

__all__ = [
    "BUNDLED",
    "build_piper",
    "heard",
    "make_tools",
    "read_spec",
    "sentence",
    "sound",
    "tiny_spec",
    "tiny_two_stage_spec",
]

Samples = NDArray[np.float32]

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


def sentence(
    text: str, language: str = "en", prosody: Prosody | None = None, speaker: str | None = None
) -> Sentence:
    return Sentence((Span(text, language),), language, prosody or Prosody(), speaker=speaker)


def heard(model: SpeechModel, said: Sentence) -> list[Audio]:
    """The pieces that are not only a sign of work."""
    return [piece for piece in model.synthesize(said) if len(piece.samples)]


def sound(model: SpeechModel, said: Sentence) -> Samples:
    pieces = list(model.synthesize(said))
    return np.concatenate([np.zeros(0, np.float32), *(piece.samples for piece in pieces)])


def as_converted(folder: Path, role: str) -> None:
    """Make the vocoder of the voice in *folder* what `edgetts convert` makes of one."""
    path = folder / "voice.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    graph = folder / document["files"][role]
    in_planes(graph)
    document["sha256"][graph.name] = hashlib.sha256(graph.read_bytes()).hexdigest()
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")


def tiny_spec(family: str, folder: Path) -> VoiceSpec:
    """A voice of *family* built in *folder*."""
    if family == "hum":
        return VoiceSpec("hum", "hum", folder, {}, 22050, ("en-US",))
    if family == "piper":
        build_piper(folder / "tiny.onnx", n_speakers=2)
        return piper.spec(folder / "tiny.onnx")
    if family == "sambert":
        return tiny_sambert_spec(folder)
    if family == "gpt_sovits":
        return tiny_gpt_sovits_spec(folder)
    if family == "cosyvoice":
        return tiny_cosyvoice_spec(folder)
    if family == "emotivoice":
        tiny_emotivoice.build(folder)
        return read_spec(folder)
    return tiny_two_stage_spec(folder)


def tiny_sambert_spec(folder: Path, sizes: tiny_sambert.Sizes = tiny_sambert.TINY) -> VoiceSpec:
    tiny_sambert.build(folder, sizes)
    document = yaml.safe_load((folder / "voice.yaml").read_text(encoding="utf-8"))
    return replace(read_spec(folder), settings={"sambert": document["sambert"]})


def tiny_gpt_sovits_spec(folder: Path, **how: Any) -> VoiceSpec:
    tiny_gpt_sovits.build(folder, **how)
    document = yaml.safe_load((folder / "voice.yaml").read_text(encoding="utf-8"))
    return replace(read_spec(folder), settings={"gpt_sovits": document["gpt_sovits"]})


def tiny_cosyvoice_spec(folder: Path, *, generation: int = 3, **how: Any) -> VoiceSpec:
    {2: tiny_cosyvoice2, 3: tiny_cosyvoice}[generation].build(folder, **how)
    document = yaml.safe_load((folder / "voice.yaml").read_text(encoding="utf-8"))
    return replace(read_spec(folder), settings={"cosyvoice": document["cosyvoice"]})


def tiny_two_stage_spec(folder: Path) -> VoiceSpec:
    """The bundled voice's front end over small float32 graphs."""
    build_two_stage(folder, BUNDLED / "frontend.json", n_tokens=133, n_speakers=3)
    names = {role: f"{role}.onnx" for role in ("encoder", "decoder", "vocoder")} | {
        "frontend": "frontend.json"
    }
    return replace(
        read_spec(BUNDLED), folder=folder, files={k: folder / v for k, v in names.items()}, sha256={}
    )
