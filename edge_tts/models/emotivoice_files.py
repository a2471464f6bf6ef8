"""What an EmotiVoice voice has on disk: four graphs, its tokens, the vocabulary of its BERT, and a dictionary."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from edge_tts.errors import VoiceLoadError
from edge_tts.models import vits_cut
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.emotivoice_frontend import Reader
from edge_tts.models.files import GraphFile, read_verified
from edge_tts.models.onnx_graph import Graph
from edge_tts.models.opening import Opener
from edge_tts.models.protobuf import GraphError
from edge_tts.models.session import Session, hold
from edge_tts.speech import NEUTRAL
from edge_tts.text.emotivoice_symbols import EDGE
from edge_tts.text.pronouncing import PronouncingDictionary
from edge_tts.text.wordpiece import WordPiece

log = logging.getLogger(__name__)

HOP_SAMPLES = 256
ENCODER_INPUTS = ("inputs_ling", "inputs_speaker", "inputs_style_embedding", "inputs_content_embedding")
PROSODY_INPUTS = ("pitch_scale", "pitch_shift", "energy_shift")
"""Of encoders that let pitch and energy be moved, [1] each."""

NEUTRAL_PROMPT = "普通"
"""What the style encoder was taught to call speech without emotion."""


@dataclass(frozen=True)
class Graphs:
    embedding: Session
    encoder: Session
    decoder: Session
    vocoder: Session
    hop_samples: int
    """Samples of one mel frame."""

    margin_frames: int | None
    """What the vocoder looks at on each side; None: unknown, it must be given the whole."""


def open_graphs(spec: VoiceSpec, tools: ModelTools) -> Graphs:
    """Raises VoiceLoadError naming the file at fault."""
    opener = Opener(spec, tools.threads)
    embedding, encoder, decoder = (opener.open(role) for role in ("embedding", "am_encoder", "am_decoder"))
    embedding.require(("input_ids",), ("style_embedding",))
    has_prosody = not encoder.inputs.isdisjoint(PROSODY_INPUTS)
    encoder.require((*ENCODER_INPUTS, *(PROSODY_INPUTS if has_prosody else ())), ("x", "d_outs"))
    decoder.require(("x", "d_outs"), ("logmel",), ("logmel",))
    file = opener.read("voc")
    hop_samples, margin_frames = _window(file)
    vocoder = hold(file).open(tools.threads)
    vocoder.require(("logmel",), ("wav",), ("wav",))
    return Graphs(embedding, encoder, decoder, vocoder, hop_samples, margin_frames)


def _window(file: GraphFile) -> tuple[int, int | None]:
    """Samples of a frame and the context that makes a part of the frames exact."""
    try:
        cut = vits_cut.decoder_cut(Graph(file.content), "wav", "")
    except GraphError as error:
        log.warning("%s makes sentences whole, with more delay and memory: %s", file.path.name, error)
        return HOP_SAMPLES, None
    return cut.per_frame, cut.margin


def read_lines(spec: VoiceSpec, role: str) -> dict[str, int]:
    """The lines of a file, each with its number from 0. Raises VoiceLoadError."""
    path = spec.files[role]
    content = read_verified(path, spec.sha256.get(path.name)).content
    try:
        lines = [line.strip() for line in content.decode("utf-8").rstrip("\n").split("\n")]
    except UnicodeDecodeError as error:
        raise VoiceLoadError(path, f"is no text in UTF-8: {error}") from error
    return {line: number for number, line in enumerate(lines)}


def read_tokens(spec: VoiceSpec) -> dict[str, int]:
    tokens = read_lines(spec, "tokens")
    if EDGE not in tokens:
        raise VoiceLoadError(spec.files["tokens"], f"is no list of EmotiVoice's tokens: it has no {EDGE}")
    return tokens


def read_words(spec: VoiceSpec) -> WordPiece:
    try:
        return WordPiece(read_lines(spec, "vocabulary"))
    except ValueError as error:
        raise VoiceLoadError(
            spec.files["vocabulary"], f"is no vocabulary of a BERT model: {error}"
        ) from error


def read_reader(spec: VoiceSpec, tools: ModelTools, tokens: dict[str, int]) -> Reader:
    path = spec.files.get("lexicon")
    if path is None:
        return Reader(tokens, PronouncingDictionary(b""), tools.phonemizer)
    content = read_verified(path, spec.sha256.get(path.name)).content
    try:
        return Reader(tokens, PronouncingDictionary(content), tools.phonemizer)
    except ValueError as error:
        raise VoiceLoadError(path, f"is no pronouncing dictionary: {error}") from error


def prompt_of(spec: VoiceSpec, emotion: str) -> str:
    """What the style encoder is told for *emotion*; "" if voice.yaml has nothing for it."""
    given = spec.emotions.get(emotion, {}).get("prompt")
    default = NEUTRAL_PROMPT if emotion == NEUTRAL.name else ""
    return default if given is None else str(given)
