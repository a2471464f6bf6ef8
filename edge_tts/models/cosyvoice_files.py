"""What a CosyVoice voice has on disk: graphs in four stages, Qwen2's vocabulary, a clip of its own."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_tts.errors import VoiceLoadError
from edge_tts.memory import release_memory
from edge_tts.models import cosyvoice2, cosyvoice3, opening
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.cosyvoice_layout import Layout
from edge_tts.models.cosyvoice_speech import N_TOKENS
from edge_tts.models.files import read_verified
from edge_tts.models.opening import Opener
from edge_tts.models.session import Session
from edge_tts.speech import Reference

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Floats = NDArray[np.float32]

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

    blocks: bool = False
    """True: sound begins with the first second of tokens, not with the last; see docs/families.md for what it costs."""

    clip_text: str = ""
    clip_language: str = ""

    def __post_init__(self) -> None:
        for name, least, most in (("steps", 1, 100), ("seed", 0, 2**32 - 1), ("margin_frames", 1, 1000)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise ValueError(f"cosyvoice.{name}: expected {least} to {most}, found {value!r}")
        for name in ("keep_stages", "blocks"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise TypeError(f"cosyvoice.{name}: expected true or false, found {value!r}")
        if self.blocks and not self.keep_stages:
            raise ValueError(
                "cosyvoice.blocks: needs keep_stages: true, else all is read again for each block"
            )


class Stages:
    """The graphs, open while they are needed; of two sentences at once, one closes what the other had open."""

    def __init__(self, spec: VoiceSpec, tools: ModelTools, layout: Layout, *, keep: bool) -> None:
        """Raises VoiceLoadError for tables."""
        self._opener = Opener(spec, tools.threads)
        self._keep = keep
        self._stages = layout.stages
        self._open: dict[str, dict[str, Session]] = {}
        self.tables: Mapping[str, Floats] = _read_tables(spec, layout)

    def stage(self, name: str) -> dict[str, Session]:
        """Role → graph. Raises VoiceLoadError naming the file at fault."""
        if name not in self._open:
            # Clips are heard once; what hears them need not stay.
            kept = self._open if self._keep else {}
            self._open = {each: graphs for each, graphs in kept.items() if each != "enrolment"}
            # Before the next ones take as much: glibc would keep what is free.
            release_memory()
            wanted = self._stages[name].items()
            self._open[name] = {role: self._opened(role, inputs) for role, inputs in wanted}
        return self._open[name]

    def _opened(self, role: str, inputs: tuple[str, ...]) -> Session:
        graph = self._opener.open(role)
        graph.require(inputs, ())
        return graph


def layout_of(spec: VoiceSpec) -> Layout:
    return cosyvoice2.LAYOUT if "flow_encoder" in spec.files else cosyvoice3.LAYOUT


def check_files(spec: VoiceSpec, layout: Layout) -> None:
    graphs = (role for stage in layout.stages.values() for role in stage)
    missing = sorted({"vocabulary", "merges", *layout.tables, *graphs} - set(spec.files))
    if missing:
        raise VoiceLoadError(spec.folder, f"voice.yaml lists no file for {', '.join(missing)}")


def open_bytes(spec: VoiceSpec) -> int:
    """Size of the files that are open at once."""
    # Asked before the settings are checked.
    settings = spec.settings.get("cosyvoice")
    if isinstance(settings, Mapping) and settings.get("keep_stages"):
        return spec.size_bytes
    return opening.open_bytes(spec, layout_of(spec).stages.values())


def _read_tables(spec: VoiceSpec, layout: Layout) -> dict[str, Floats]:
    tables = {role: _read_table(spec, role) for role in layout.tables}
    if not tables:
        return {}
    speech, marks, weight, bias = (tables[role] for role in layout.tables)
    units = speech.shape[-1]
    shapes = [table.shape for table in (speech, marks, weight, bias)]
    wanted = [(len(speech), units), (2, units), (len(bias), units), (len(bias),)]
    if shapes != wanted or min(len(speech), len(bias)) <= N_TOKENS:
        found = ", ".join(f"{role} {shape}" for role, shape in zip(layout.tables, shapes, strict=True))
        raise VoiceLoadError(spec.folder, f"its tables do not fit together: {found}")
    return tables


def _read_table(spec: VoiceSpec, role: str) -> Floats:
    path = spec.files[role]
    content = read_verified(path, spec.sha256.get(path.name)).content
    try:
        return np.asarray(np.load(io.BytesIO(content), allow_pickle=False), np.float32)
    # Of a damaged header numpy makes room for what it promises.
    except (ValueError, EOFError, TypeError, MemoryError) as error:
        raise VoiceLoadError(path, f"is no table of numbers (.npy): {error}") from error


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
