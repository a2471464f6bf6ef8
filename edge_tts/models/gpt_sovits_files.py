"""What a GPT-SoVITS voice has on disk: graphs in one of two layouts, clips of its own, and how tokens are chosen.

`t2s_first` with the output `logits` leaves the choice of tokens to the host; the layout of Genie-TTS chooses inside the
graph. `latent` and `vocoder` are `vits` in two parts, which sound while the sentence is still being made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from edge_tts.errors import VoiceLoadError
from edge_tts.models import opening
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.files import read_verified
from edge_tts.models.gpt_sovits_frontend import Reader
from edge_tts.models.gpt_sovits_sampling import Sampling
from edge_tts.models.opening import Opener
from edge_tts.models.session import Session
from edge_tts.speech import NEUTRAL, Reference
from edge_tts.text.pronouncing import PronouncingDictionary
from edge_tts.text.wordpiece import UNKNOWN

SAMPLE_RATE = 32000
CLIP = "clip_"
"""Before an emotion: the role of the voice's own clip of it."""

GENIE_INPUTS = ("ref_seq", "text_seq", "ref_bert", "text_bert", "ssl_content")
OF_PERSON = frozenset({"ref_audio", "sv_emb", "ge", "ge_advanced"})
"""What the last graphs take of the person who is imitated, as they need it."""

OPTIONAL = frozenset({"speed", "noise"})
ENROLMENT = ("hubert", "speaker_encoder", "prompt_encoder")
"""Graphs that only look at clips: open while they do, and no longer."""


@dataclass(frozen=True)
class Sizes:
    """From the mapping `gpt_sovits` of voice.yaml."""

    margin_frames: int = 0
    """What the vocoder looks at on each side."""

    latent_channels: int = 192


@dataclass(frozen=True)
class Graphs:
    encoder: Session
    first: Session
    stage: Session
    latent: Session
    """`vits` if there is no vocoder."""

    vocoder: Session | None
    bert: Session | None
    first_keeps: Mapping[str, str]
    """What it remembers → input of the stage decoder."""

    stage_keeps: Mapping[str, str]

    @property
    def leaves_choice(self) -> bool:
        return "logits" in self.first.outputs


def open_graphs(spec: VoiceSpec, tools: ModelTools) -> Graphs:
    """Raises VoiceLoadError naming the file at fault."""
    is_split = "vocoder" in spec.files
    wanted = {"hubert", "t2s_encoder", "t2s_first", "t2s_stage", *(("latent",) if is_split else ("vits",))}
    missing = sorted(wanted - set(spec.files))
    if missing:
        raise VoiceLoadError(spec.folder, f"voice.yaml lists no file for {', '.join(missing)}")
    opener = Opener(spec, tools.threads)
    encoder, first, stage = (opener.open(role) for role in ("t2s_encoder", "t2s_first", "t2s_stage"))
    keeps = _memory(stage, is_genie="logits" not in first.outputs)
    if "logits" in first.outputs:
        encoder.require(("ssl_content",), ("prompts",))
        first.require(("x", "prompts", "bert"), ("logits", *keeps))
        stage.require(("iy", "y_len", "idx", *keeps.values()), ("logits", *keeps))
    else:
        encoder.require(GENIE_INPUTS, ("x", "prompts"))
        first.require(("x", "prompts"), ("y", *keeps))
        stage.require(("iy", *keeps.values()), ("y", "stop_condition_tensor", *keeps))
    latent = opener.open("latent" if is_split else "vits")
    of_latent = latent.inputs & (OF_PERSON | OPTIONAL)
    made = ("z", "g") if is_split else ("audio",)
    latent.require(("text_seq", "pred_semantic", *of_latent), made, {"audio"})
    vocoder = opener.open("vocoder") if is_split else None
    if vocoder is not None:
        vocoder.require(("z", "g"), ("audio",), {"audio"})
    bert = opener.open("bert") if "bert" in spec.files else None
    if bert is not None:
        bert.require({"input_ids"} | (bert.inputs & {"attention_mask", "token_type_ids", "repeats"}), ())
    return Graphs(encoder, first, stage, latent, vocoder, bert, keeps, keeps)


def _memory(stage: Session, *, is_genie: bool) -> dict[str, str]:
    """Outputs of a decoder that its next step takes → the inputs they become there."""
    # As many layers as the stage decoder has.
    if not is_genie:
        names = sorted(name for name in stage.inputs if name.startswith(("ik_cache_", "iv_cache_")))
        return {name[1:]: name for name in names}
    names = sorted(name for name in stage.inputs if name.startswith("past_"))
    return {"y_emb": "iy_emb"} | {name.replace("past_", "present_", 1): name for name in names}


def open_bytes(spec: VoiceSpec) -> int:
    """Size of the files that are open at once."""
    return opening.open_bytes(spec, [(role,) for role in ENROLMENT])


def read_settings(spec: VoiceSpec) -> tuple[Sizes, Sampling]:
    given = spec.settings.get("gpt_sovits") or {}
    try:
        sizes = Sizes(
            **{field.name: int(given[field.name]) for field in fields(Sizes) if field.name in given}
        )
        sampling = Sampling(
            **{field.name: given[field.name] for field in fields(Sampling) if field.name in given}
        )
        unknown = (
            set(given) - {field.name for kind in (Sizes, Sampling) for field in fields(kind)} - {"clips"}
        )
        if unknown or sizes.margin_frames < 0 or sizes.latent_channels < 1:
            raise ValueError(f"gpt_sovits: unknown or too small: {', '.join(sorted(unknown)) or sizes}")
    except (TypeError, ValueError) as error:
        raise VoiceLoadError(spec.folder / "voice.yaml", str(error)) from error
    return sizes, sampling


def read_clips(spec: VoiceSpec) -> dict[str, Reference]:
    """The voice's own clips by emotion. Raises VoiceLoadError."""
    described = (spec.settings.get("gpt_sovits") or {}).get("clips") or {}
    found = {}
    for emotion, about in described.items():
        path = spec.files.get(f"{CLIP}{emotion}")
        if path is None or not isinstance(about, dict) or not str(about.get("text", "")).strip():
            raise VoiceLoadError(
                spec.folder / "voice.yaml", f"clips: {emotion}: expected its text, and a file {CLIP}{emotion}"
            )
        file = read_verified(path, spec.sha256.get(path.name))
        found[str(emotion)] = Reference(
            spec.name, str(path), str(about["text"]), file.sha256, about.get("language"), str(emotion)
        )
    silent = sorted(set(spec.emotions) - {NEUTRAL.name} - set(found))
    if silent or (found and NEUTRAL.name not in found):
        raise VoiceLoadError(
            spec.folder / "voice.yaml",
            f"no clip for {', '.join(silent) or NEUTRAL.name} under gpt_sovits.clips",
        )
    return found


def read_reader(spec: VoiceSpec, tools: ModelTools) -> Reader:
    path = spec.files.get("lexicon")
    content = read_verified(path, spec.sha256.get(path.name)).content if path else b""
    try:
        return Reader(PronouncingDictionary(content), tools.phonemizer, spec.languages)
    except ValueError as error:
        raise VoiceLoadError(path or spec.folder, f"is no pronouncing dictionary: {error}") from error


def read_vocabulary(spec: VoiceSpec) -> dict[str, int]:
    """Of BERT, piece → id; {} for a voice without it. Raises VoiceLoadError."""
    if "bert" not in spec.files:
        return {}
    path = spec.files.get("vocabulary")
    if path is None:
        raise VoiceLoadError(spec.folder, "voice.yaml lists no file for vocabulary, which bert needs")
    content = read_verified(path, spec.sha256.get(path.name)).content
    lines = content.decode("utf-8", "replace").rstrip("\n").split("\n")
    found = {line.strip(): number for number, line in enumerate(lines)}
    if not {"[CLS]", "[SEP]", UNKNOWN} <= found.keys():
        raise VoiceLoadError(path, "is no vocabulary of a BERT model: it has no [CLS], [SEP] or [UNK]")
    return found
