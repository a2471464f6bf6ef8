"""What a CosyVoice 3 voice has on disk: fourteen graphs in four stages, Qwen2's vocabulary, a clip of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from edge_tts.errors import VoiceLoadError
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.files import read_verified
from edge_tts.models.opening import Opener
from edge_tts.models.session import Session
from edge_tts.speech import Reference

if TYPE_CHECKING:
    from tokenizers import Tokenizer

STAGES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "enrolment": {"campplus": ("input",), "speech_tokenizer": ("feats", "feats_length")},
    "llm": {
        "text_embedding": ("input_ids",),
        "llm_speech_embedding": ("token",),
        "llm_backbone_initial": ("inputs_embeds", "attention_mask"),
        "llm_backbone_decode": ("inputs_embeds", "attention_mask", "past_key_values"),
        "llm_decoder": ("hidden_state",),
    },
    "flow": {
        "flow_token_embedding": ("token",),
        "flow_pre_lookahead": ("token_embedded",),
        "flow_speaker_projection": ("embedding",),
        "flow_estimator": ("x", "mask", "mu", "t", "spks", "cond"),
    },
    "hift": {
        "hift_f0_predictor": ("mel",),
        "hift_source_generator": ("f0",),
        "hift_decoder": ("mel", "source_stft"),
    },
}
"""Stage → role of a graph → its inputs."""

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where Qwen2 cuts before it merges (its tokenizer.json)."""


@dataclass(frozen=True)
class Settings:
    """From the mapping `cosyvoice` of voice.yaml."""

    steps: int = 10
    """Of the flow; fewer are quicker and rougher."""

    seed: int = 0
    """The same sentence is said the same way each time."""

    margin_frames: int = 24
    """What the vocoder is shown on each side of a piece."""

    keep_stages: bool = False
    """True: all graphs stay open. Else those of one stage at a time, read anew for each sentence."""

    clip_text: str = ""
    clip_language: str = ""

    def __post_init__(self) -> None:
        for name, least, most in (("steps", 1, 100), ("seed", 0, 2**32 - 1), ("margin_frames", 1, 1000)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise ValueError(f"cosyvoice.{name}: expected {least} to {most}, found {value!r}")
        if not isinstance(self.keep_stages, bool):
            raise TypeError(f"cosyvoice.keep_stages: expected true or false, found {self.keep_stages!r}")


class Stages:
    """The graphs, open while they are needed."""

    def __init__(self, spec: VoiceSpec, tools: ModelTools, *, keep: bool) -> None:
        self._opener = Opener(spec, tools.threads)
        self._keep = keep
        self._open: dict[str, dict[str, Session]] = {}

    def stage(self, name: str) -> dict[str, Session]:
        """Role → graph. Raises VoiceLoadError naming the file at fault."""
        if name not in self._open:
            # Clips are heard once; what hears them need not stay.
            kept = self._open if self._keep else {}
            self._open = {each: graphs for each, graphs in kept.items() if each != "enrolment"}
            self._open[name] = {role: self._opened(role, inputs) for role, inputs in STAGES[name].items()}
        return self._open[name]

    def _opened(self, role: str, inputs: tuple[str, ...]) -> Session:
        graph = self._opener.open(role)
        graph.require(inputs, ())
        return graph


def check_files(spec: VoiceSpec) -> None:
    wanted = {"vocabulary", "merges", *(role for stage in STAGES.values() for role in stage)}
    missing = sorted(wanted - set(spec.files))
    if missing:
        raise VoiceLoadError(spec.folder, f"voice.yaml lists no file for {', '.join(missing)}")


def read_settings(spec: VoiceSpec) -> Settings:
    given = spec.settings.get("cosyvoice") or {}
    try:
        unknown = set(given) - {field.name for field in fields(Settings)}
        if unknown:
            raise ValueError(f"cosyvoice: unknown: {', '.join(sorted(unknown))}")
        return Settings(**given)
    except (TypeError, ValueError) as error:
        raise VoiceLoadError(spec.folder / "voice.yaml", str(error)) from error


def read_clip(spec: VoiceSpec, settings: Settings) -> Reference | None:
    """The voice's own, if it has one."""
    path = spec.files.get("clip")
    if path is None:
        return None
    if not settings.clip_text.strip():
        raise VoiceLoadError(spec.folder / "voice.yaml", "cosyvoice.clip_text: expected what the clip says")
    sha256 = read_verified(path, spec.sha256.get(path.name)).sha256
    return Reference(spec.name, str(path), settings.clip_text, sha256, settings.clip_language or None)


def read_tokenizer(spec: VoiceSpec) -> Tokenizer:
    """Qwen2's. Raises VoiceLoadError."""
    try:
        from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    except ModuleNotFoundError as error:
        raise VoiceLoadError(
            spec.folder, "needs the library tokenizers: pip install 'edge-tts-appliance[cosyvoice]'"
        ) from error
    contents = {}
    for role in ("vocabulary", "merges"):
        path = spec.files[role]
        contents[role] = read_verified(path, spec.sha256.get(path.name)).content
    try:
        vocabulary = {str(piece): int(number) for piece, number in json.loads(contents["vocabulary"]).items()}
        lines = contents["merges"].decode().splitlines()
        pairs = [
            (left, right)
            for left, _, right in (line.partition(" ") for line in lines if not line.startswith("#version"))
            if right
        ]
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    # The library raises Exception itself for merges of pieces that are not in the vocabulary.
    except Exception as error:
        raise VoiceLoadError(
            spec.files["vocabulary"], f"and merges are no vocabulary of Qwen2: {error}"
        ) from error
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer
