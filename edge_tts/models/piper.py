"""Piper voices (VITS) as downloaded: `x.onnx` with `x.onnx.json`.

The graph is one, phoneme ids in and samples out. It is cut at load where its decoder begins, so that the first sound
needs the encoder and a few frames of the decoder instead of the whole sentence.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.errors import SynthesisError, UnknownSpeakerError, UnsupportedPronunciationError, VoiceLoadError
from edge_tts.models import hifigan, ipa
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.level import LevelKeeper
from edge_tts.models.onnx_graph import Graph, GraphError, embedding_rows
from edge_tts.models.pieces import cuts
from edge_tts.models.piper_config import BOS, EOS, PAD, PiperConfig, parse_config, spec
from edge_tts.models.session import GraphFile, HeldGraph, Session, check_sound, hold, read_graph
from edge_tts.speech import Audio, Explanation, Sentence

log = logging.getLogger(__name__)

__all__ = ["Piper", "load", "spec"]

PIECE_FRAMES = (8, 16, 32, 64, 160)
"""Sizes of the pieces; the last repeats. Memory is that of the largest piece, however long the sentence."""

SHORTEST_PIECE = 8
"""Frames; less left over than this joins the piece before."""

INPUTS = frozenset({"input", "input_lengths", "scales"})


@dataclass(frozen=True)
class Halves:
    """The graph: cut in two, or (decoder None) whole."""

    encoder: Session
    decoder: Session | None
    cut: hifigan.Cut


class Piper:
    """A loaded Piper voice."""

    controls = frozenset({"speed"})

    def __init__(self, voice: VoiceSpec, tools: ModelTools, config: PiperConfig, halves: Halves) -> None:
        self._voice = voice
        self._tools = tools
        self._config = config
        self._halves = halves
        self._languages = {tag.split("-")[0].lower() for tag in voice.languages}
        self.sample_rate = voice.sample_rate

    def synthesize(self, sentence: Sentence) -> Iterator[Audio]:
        symbols, _ = self._symbols(sentence)
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
            latent = self._encode(ids, speed, speaker)
        decoder, cut = self._halves.decoder, self._halves.cut
        if decoder is None:
            keeper = LevelKeeper(self._voice.gain_db, self.sample_rate, latent.size)
            yield self._audio(latent, keeper)
            return
        n_frames = latent.shape[-1]
        keeper = LevelKeeper(self._voice.gain_db, self.sample_rate, n_frames * cut.samples_per_frame)
        sizes = PIECE_FRAMES if self._tools.stream else PIECE_FRAMES[-1:]
        for start, end in cuts(n_frames, sizes, SHORTEST_PIECE):
            low, high = max(start - cut.margin, 0), min(end + cut.margin, n_frames)
            with self._tools.timer.stage("decoder"):
                part = np.ascontiguousarray(latent[..., low:high])
                outputs = decoder.run({cut.latent: part, **self._speaker_input(decoder, speaker)})
                samples = outputs["output"].ravel()[(start - low) * cut.samples_per_frame :]
                piece = self._audio(samples[: (end - start) * cut.samples_per_frame], keeper)
            yield piece

    def _encode(self, ids: Sequence[int], speed: float, speaker: int) -> NDArray[np.float32]:
        """The latent [1, channels, n_frames], or the samples if the graph is whole."""
        encoder, config = self._halves.encoder, self._config
        inputs: dict[str, NDArray[Any]] = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array([config.noise_scale, config.length_scale / speed, config.noise_w], np.float32),
        }
        inputs |= self._speaker_input(encoder, speaker)
        try:
            outputs = encoder.run(inputs)
        except SynthesisError as error:
            # A draw of the stochastic durations can fall just outside the bins of their splines: GatherElements then
            # fails on an index out of range. Without that noise the durations are the likeliest ones.
            log.warning(
                "voice=%s failed once, trying again without duration noise: %s", self._voice.name, error
            )
            inputs["scales"][2] = 0
            outputs = encoder.run(inputs)
        return outputs[self._halves.cut.latent].astype(np.float32, copy=False)

    def _speaker_input(self, session: Session, speaker: int) -> dict[str, NDArray[Any]]:
        """`sid`, for a graph that takes it: a single-speaker graph fails if it is given one."""
        return {"sid": np.array([speaker], np.int64)} if "sid" in session.inputs else {}

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
            text = self._written(sentence) if self._config.phoneme_type == "text" else self._ipa(sentence)
            warnings: dict[str, None] = {}
            symbols: list[str] = []
            for symbol in clustered(unicodedata.normalize("NFD", text), self._config.clusters):
                known = ipa.nearest(symbol, self._config.ids)
                if known is None:
                    warnings[f"unknown_phoneme: this voice has no sound near {symbol!r}"] = None
                    log.debug("voice=%s has no sound near %r", self._voice.name, symbol)
                symbols += known or []
        return symbols, tuple(warnings)

    def _written(self, sentence: Sentence) -> str:
        for span in sentence.spans:
            if span.pronunciation is not None:
                raise UnsupportedPronunciationError(
                    f"voice {self._voice.name!r} reads letters and takes no {span.pronunciation.alphabet} pronunciation"
                )
        return sentence.text

    def _ipa(self, sentence: Sentence) -> str:
        parts: list[str] = []
        for span in sentence.spans:
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
    halves = _open(path, voice.sha256.get(path.name), config, tools.threads)
    model = Piper(voice, tools, config, halves)
    highest = max(number for ids in config.ids.values() for number in ids)
    try:
        for _ in model.speak(
            [*config.ids[BOS], highest, *config.ids[EOS]], 1.0, max(config.n_speakers - 1, 0)
        ):
            pass
    except SynthesisError as error:
        raise VoiceLoadError(path, f"does not speak a test phoneme: {error}") from error
    return model


def _open(path: Path, sha256: str | None, config: PiperConfig, threads: int) -> Halves:
    """The sessions of the graph in *path*. Its bytes are let go of before onnxruntime takes its own."""
    encoder, decoder, cut = _split(read_graph(path, sha256), config)
    return Halves(encoder.open(threads), decoder.open(threads) if decoder else None, cut)


def _split(file: GraphFile, config: PiperConfig) -> tuple[HeldGraph, HeldGraph | None, hifigan.Cut]:
    """Encoder and decoder, or the whole graph and None where it cannot be cut."""
    try:
        graph = Graph(file.content)
    except GraphError as error:
        raise VoiceLoadError(file.path, f"is damaged or no ONNX file: {error}") from error
    _check(file.path, graph, config)
    try:
        cut = hifigan.find_cut(graph, "output", allowed={"sid"})
    except GraphError as error:
        log.warning("%s cannot be streamed inside a sentence: %s", file.path.name, error)
        return hold(file), None, hifigan.Cut("output", 0, 1)
    encoder = HeldGraph(file.path, file.sha256, graph.part([cut.latent]))
    return encoder, HeldGraph(file.path, file.sha256, graph.part(["output"], [cut.latent])), cut


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
