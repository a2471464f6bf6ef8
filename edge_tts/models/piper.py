"""Piper voices (VITS) as downloaded: `x.onnx` with `x.onnx.json`.

The graph is one, phoneme ids in and samples out. It is cut at load where its decoder begins, so that the first sound
needs the encoder and a few frames of the decoder instead of the whole sentence.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.errors import SynthesisError, UnknownSpeakerError, UnsupportedPronunciationError, VoiceLoadError
from edge_tts.memory import trim
from edge_tts.models import ipa, planes, vits_cut
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.files import GraphFile
from edge_tts.models.level import LevelKeeper
from edge_tts.models.onnx_graph import Graph, embedding_rows
from edge_tts.models.pieces import cuts
from edge_tts.models.piper_config import BOS, EOS, PAD, PiperConfig, parse_config, spec
from edge_tts.models.protobuf import GraphError
from edge_tts.models.session import HeldGraph, Session, check_sound, hold, read_graph
from edge_tts.models.vits_cut import Cut
from edge_tts.speech import Audio, Explanation, Sentence, Span

log = logging.getLogger(__name__)

__all__ = ["Piper", "load", "spec"]

PIECE_FRAMES = (8, 16, 32, 64, 96)
"""Sizes of the decoder's pieces; the last repeats. Memory is that of the largest piece, however long the sentence: 32
at most would save 25 MB and take a quarter longer, which a Raspberry Pi 4 does not have to spare."""

FLOW_FRAMES = 128
"""The flow's steps after the first piece: it looks further than the decoder and needs less memory."""

SHORTEST_PIECE = 8
"""Frames; less left over than this joins the piece before."""

INPUTS = frozenset({"input", "input_lengths", "scales"})


@dataclass(frozen=True)
class Stage:
    """A part of the graph that is computed piece by piece."""

    session: Session
    cut: Cut

    def compute(self, tensors: Mapping[str, NDArray[Any]], start: int, end: int) -> NDArray[Any]:
        """The output for frames *start* to *end* of *tensors*, which hold the inputs over all frames, and `sid`."""
        n_frames = tensors[self.cut.inputs[0]].shape[-1]
        low, high = max(start - self.cut.margin, 0), min(end + self.cut.margin, n_frames)
        inputs = {name: tensors[name] for name in self.session.inputs}
        for name in self.cut.inputs:
            if tensors[name].shape[-1] == n_frames:
                inputs[name] = np.ascontiguousarray(tensors[name][..., low:high])
        output = self.session.run(inputs)[self.cut.output]
        per_frame = self.cut.per_frame
        return output[..., (start - low) * per_frame : (end - low) * per_frame]


@dataclass(frozen=True)
class Parts:
    """The graph: what needs the whole sentence, then flow and decoder; without stages it is whole."""

    encoder: Session
    stages: tuple[Stage, ...]


class Piper:
    """A loaded Piper voice."""

    controls = frozenset({"speed"})

    def __init__(self, voice: VoiceSpec, tools: ModelTools, config: PiperConfig, parts: Parts) -> None:
        self._voice = voice
        self._tools = tools
        self._config = config
        self._parts = parts
        self._sizes = PIECE_FRAMES if tools.stream else PIECE_FRAMES[-1:]
        self._languages = {tag.split("-")[0].lower() for tag in voice.languages}
        self.sample_rate = voice.sample_rate

    def synthesize(self, sentence: Sentence) -> Iterator[Audio]:
        symbols, warnings = self._symbols(sentence)
        for warning in warnings:
            self._tools.warn(warning)
        if not symbols:
            return
        ids = phoneme_ids(symbols, self._config.ids)
        yield from self.speak(ids, sentence.prosody.speed, self._speaker(sentence))

    def explain(self, sentence: Sentence) -> Explanation:
        """Without a duration: the graph draws it anew each time."""
        symbols, warnings = self._symbols(sentence)
        return Explanation(unicodedata.normalize("NFC", "".join(symbols)), None, warnings)

    def speak(self, ids: Sequence[int], speed: float, speaker: int) -> Iterator[Audio]:
        """The sound of phoneme *ids*, in pieces."""
        with self._tools.timer.stage("encoder"):
            tensors = self._encode(ids, speed, speaker)
        if not self._parts.stages:
            samples = tensors["output"].ravel()
            yield self._audio(samples, LevelKeeper(self._voice.gain_db, self.sample_rate, samples.size))
            return
        *flow, decoder = self._parts.stages
        latent = decoder.cut.inputs[0]
        n_frames = tensors[self._parts.stages[0].cut.inputs[0]].shape[-1]
        keeper = LevelKeeper(self._voice.gain_db, self.sample_rate, n_frames * decoder.cut.per_frame)
        n_flowed = 0
        for start, end in cuts(n_frames, self._sizes, SHORTEST_PIECE):
            needed = min(end + decoder.cut.margin, n_frames)
            with self._tools.timer.stage("decoder"):
                if flow and needed > n_flowed:
                    # Once there is sound to listen to, the flow goes ahead in steps worth its wide context.
                    ahead = n_flowed + FLOW_FRAMES if start else needed
                    reach = min(max(needed, ahead), n_frames)
                    made = flow[0].compute(tensors, n_flowed, reach)
                    latents = tensors.setdefault(latent, np.empty((*made.shape[:-1], n_frames), np.float32))
                    latents[..., n_flowed:reach] = made
                    n_flowed = reach
                piece = self._audio(decoder.compute(tensors, start, end).ravel(), keeper)
            yield piece

    def _encode(self, ids: Sequence[int], speed: float, speaker: int) -> dict[str, NDArray[Any]]:
        """What the stages take, by name; or the output if the graph is whole."""
        config = self._config
        inputs: dict[str, NDArray[Any]] = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array([config.noise_scale, config.length_scale / speed, config.noise_w], np.float32),
            "sid": np.array([speaker], np.int64),
        }
        # A single-speaker graph fails if it is given a speaker.
        inputs = {name: inputs[name] for name in self._parts.encoder.inputs}
        try:
            outputs = self._parts.encoder.run(inputs)
        except SynthesisError as error:
            # A draw of the stochastic durations can fall just outside the bins of their splines: GatherElements then
            # fails on an index out of range. Without that noise the durations are the likeliest ones.
            log.warning(
                "voice=%s failed once, trying again without duration noise: %s", self._voice.name, error
            )
            inputs["scales"][2] = 0
            outputs = self._parts.encoder.run(inputs)
        return outputs | {"sid": np.array([speaker], np.int64)}

    def _audio(self, samples: NDArray[np.float32], keeper: LevelKeeper) -> Audio:
        check_sound(samples, self.sample_rate, "the voice")
        return Audio(keeper.keep(np.array(samples, np.float32).ravel()), self.sample_rate)

    def _speaker(self, sentence: Sentence) -> int:
        if sentence.speaker is None:
            return self._config.default_speaker
        if sentence.speaker in self._voice.speakers:
            return self._voice.speakers[sentence.speaker]
        if sentence.speaker.isdecimal() and int(sentence.speaker) < self._config.n_speakers:
            return int(sentence.speaker)
        raise UnknownSpeakerError(sentence.speaker, self._voice.name, self._voice.speakers)

    def _symbols(self, sentence: Sentence) -> tuple[list[str], tuple[str, ...]]:
        """Symbols of the voice's own table, and warnings about what it cannot say."""
        with self._tools.timer.stage("phonemes"):
            warnings: dict[str, None] = {}
            spans = sentence.spans
            text = self._written(spans) if self._config.phoneme_type == "text" else self._ipa(spans)
            symbols: list[str] = []
            for symbol in clustered(unicodedata.normalize("NFD", text), self._config.clusters):
                known = ipa.nearest(symbol, self._config.ids)
                if known is None:
                    warnings[f"unknown_phoneme: this voice has no sound near {symbol!r}"] = None
                symbols += known or []
        return symbols, tuple(warnings)

    def _written(self, spans: Sequence[Span]) -> str:
        for span in spans:
            if span.pronunciation is not None:
                raise UnsupportedPronunciationError(
                    f"voice {self._voice.name!r} reads letters and takes no {span.pronunciation.alphabet} pronunciation"
                )
        return "".join(span.text for span in spans)

    def _ipa(self, spans: Sequence[Span]) -> str:
        parts: list[str] = []
        for span in spans:
            is_own = span.language in self._languages
            voice = self._config.espeak_voice if is_own else None
            for clause in ipa.clauses(span, self._tools.phonemizer, voice):
                parts.append(clause.ipa + clause.terminator)
        return " ".join(parts)


def phoneme_ids(symbols: Sequence[str], ids: Mapping[str, tuple[int, ...]]) -> list[int]:
    """BOS PAD (symbol PAD)* EOS. Without the PAD after BOS the first phoneme is swallowed."""
    sequence = [*ids[BOS], *ids[PAD]]
    for symbol in symbols:
        sequence += [*ids[symbol], *ids[PAD]]
    return [*sequence, *ids[EOS]]


def clustered(text: str, clusters: Sequence[str]) -> Iterator[str]:
    """*text* (NFD) codepoint by codepoint, but each of *clusters* (longest first) as one symbol."""
    position = 0
    while position < len(text):
        found = next((each for each in clusters if text.startswith(each, position)), text[position])
        yield found
        position += len(found)


def load(voice: VoiceSpec, tools: ModelTools) -> Piper:
    """Needs the file model, and its configuration as spec.settings. Raises VoiceLoadError."""
    path = voice.files["model"]
    config = parse_config(voice.settings, voice.files.get("config", path))
    parts = _open(path, voice.sha256.get(path.name), config, tools.threads)
    model = Piper(voice, tools, config, parts)
    highest = max(number for ids in config.ids.values() for number in ids)
    try:
        for _ in model.speak(
            [*config.ids[BOS], highest, *config.ids[EOS]], 1.0, max(config.n_speakers - 1, 0)
        ):
            pass
    except SynthesisError as error:
        raise VoiceLoadError(path, f"does not speak a test phoneme: {error}") from error
    return model


def _open(path: Path, sha256: str | None, config: PiperConfig, threads: int) -> Parts:
    """The sessions of the graph in *path*. Its bytes are let go of before onnxruntime takes its own."""
    encoder, stages = _split(read_graph(path, sha256), config, threads)
    with ExitStack() as leaving:
        for held in (encoder, *(held for held, _ in stages)):
            leaving.callback(held.close)
        # The decoder first: while its weights are laid out anew they are there twice, and the others not yet.
        decoder = [Stage(held.open(threads), cut) for held, cut in stages[-1:]]
        trim()
        session = encoder.open(threads)
        trim()
        return Parts(session, (*(Stage(held.open(threads), cut) for held, cut in stages[:-1]), *decoder))


def _split(
    file: GraphFile, config: PiperConfig, threads: int
) -> tuple[HeldGraph, list[tuple[HeldGraph, Cut]]]:
    """What needs the whole sentence, and the stages after it: flow and decoder, the decoder alone where the flow cannot
    be cut off, or none."""
    try:
        graph = Graph(file.content)
    except GraphError as error:
        raise VoiceLoadError(file.path, f"is damaged or no ONNX file: {error}") from error
    _check(file.path, graph, config)
    cuts: list[Cut] = []
    try:
        cuts.insert(0, vits_cut.decoder_cut(graph, "output", "sid"))
        cuts.insert(0, vits_cut.flow_cut(graph, cuts[0].inputs[0], "sid"))
    except GraphError as error:
        log.warning("%s streams with more delay than others: %s", file.path.name, error)
    if not cuts:
        return hold(file), []

    def held(source: Graph, outputs: Sequence[str], known: Sequence[str]) -> HeldGraph:
        return HeldGraph(file.path, file.sha256, source.part(outputs, known))

    # The flow has too few frames at a time to gain by planes.
    decoder = planes.in_planes(graph, cuts[-1]) if planes.are_quicker(threads) else graph
    sources = (*(graph for _ in cuts[1:]), decoder)
    stages = [(held(each, [cut.output], cut.inputs), cut) for each, cut in zip(sources, cuts, strict=True)]
    return held(graph, cuts[0].inputs, ()), stages


def _check(path: Path, graph: Graph, config: PiperConfig) -> None:
    """Raise VoiceLoadError unless the graph takes what Piper's do, and every id of the configuration."""
    inputs = set(graph.inputs) - set(graph.initializers)
    expected = INPUTS | ({"sid"} if config.n_speakers > 1 else set())
    if inputs != expected or "output" not in graph.outputs:
        reason = (
            f"takes {', '.join(sorted(inputs))} and yields {', '.join(graph.outputs)}; a Piper voice with "
        )
        reason += f"{config.n_speakers} speaker(s) takes {', '.join(sorted(expected))} and yields output"
        raise VoiceLoadError(path, reason)
    rows = embedding_rows(graph, "input")
    highest = max((number for ids in config.ids.values() for number in ids), default=0)
    if rows is not None and highest >= rows:
        reason = f"knows {rows} phonemes, but its configuration has ids up to {highest}: it belongs to another voice"
        raise VoiceLoadError(path, reason)
    speakers = embedding_rows(graph, "sid")
    if speakers is not None and config.n_speakers > speakers:
        raise VoiceLoadError(path, f"knows {speakers} speakers, but its configuration {config.n_speakers}")
