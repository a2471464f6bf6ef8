"""EmotiVoice voices: style and content as BERT reads them → encoder → durations → mel → vocoder.

The four graphs of `edgetts convert emotivoice`; those of the community's exports fit as well, without pitch and energy.
The mel of a sentence is made whole; the vocoder looks some frames to each side, so sound comes in pieces that equal the
whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.cache import digest
from edge_tts.errors import SynthesisError, UnknownSpeakerError, VoiceLoadError
from edge_tts.models import emotivoice_files
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.emotion import with_emotion
from edge_tts.models.emotivoice_files import PROSODY_INPUTS, Graphs
from edge_tts.models.emotivoice_frontend import Reader
from edge_tts.models.level import LevelKeeper
from edge_tts.models.pieces import cuts, inner
from edge_tts.models.session import check_sound
from edge_tts.speech import NEUTRAL, Audio, Explanation, Prosody, Sentence
from edge_tts.text import emotivoice_symbols
from edge_tts.text.emotivoice_symbols import EDGE, GAPS
from edge_tts.text.wordpiece import WordPiece

Floats = NDArray[np.float32]
Frames = NDArray[np.int64]

PIECE_FRAMES = (16, 32, 64, 128)
"""Sizes of the pieces; the last repeats. 16 frames are 256 ms of sound. The 14 around a piece are made again for it:
shorter ones would cost more than they bring sound forward."""

SHORTEST_PIECE = 16
MAX_TOKENS = 400
MAX_FRAMES = 1000
"""16 s. The decoder's attention takes memory as the square of it; what is longer is decoded in parts."""

MAX_TOKEN_FRAMES = 300
"""Five seconds: no sound is so long; damaged weights make it thousands."""

MAX_PIECES = 512
"""What BERT has positions for."""

ROLES = frozenset({"embedding", "am_encoder", "am_decoder", "voc", "tokens", "vocabulary"})

PITCH_MEAN_OVER_STD = 225.089 / 53.78
"""Of the pitch that EmotiVoice was taught with: it turns semitones into the units of the graph."""


@dataclass(frozen=True)
class Manner:
    """How a sentence is said, in the terms of the graphs."""

    speaker: int
    style: Floats
    """[1, n]."""

    content: Floats
    prosody: Prosody
    """With its emotion already in it."""


class EmotiVoice:
    """A loaded voice."""

    def __init__(
        self, spec: VoiceSpec, tools: ModelTools, ids: dict[str, int], words: WordPiece, reader: Reader, graphs: Graphs
    ) -> None:  # fmt: skip
        self._spec = spec
        self._tools = tools
        self._ids = ids
        self._words = words
        self._reader = reader
        self._graphs = graphs
        self._has_prosody = graphs.encoder.inputs.issuperset(PROSODY_INPUTS)
        self.sample_rate = spec.sample_rate
        self.controls = frozenset({"speed", "emotion", "style"} | (
            {"pitch", "energy"} if self._has_prosody else set()
        ))  # fmt: skip

    def synthesize(self, sentence: Sentence) -> Iterator[Audio]:
        pieces, warnings = self._pieces(sentence)
        if not pieces:
            return
        manner, style_warnings = self._manner(sentence)
        for warning in (*warnings, *style_warnings):
            self._tools.warn(warning)
        for tokens in pieces:
            yield from self.say(tokens, manner)

    def explain(self, sentence: Sentence) -> Explanation:
        pieces, warnings = self._pieces(sentence)
        manner, style_warnings = self._manner(sentence)
        _, emotion_warnings = with_emotion(sentence.prosody, self._spec)
        n_frames = sum(int(self._encoded(tokens, manner)[1].sum()) for tokens in pieces)
        return Explanation(
            " | ".join(" ".join(tokens[1:-1]) for tokens in pieces),
            n_frames * self._graphs.hop_samples / self.sample_rate,
            (*warnings, *style_warnings, *emotion_warnings),
        )

    def _pieces(self, sentence: Sentence) -> tuple[list[list[str]], tuple[str, ...]]:
        with self._tools.timer.stage("phonemes"):
            words, warnings = self._reader.words(sentence)
            runs = emotivoice_symbols.pieces(words, MAX_TOKENS)
            known = [
                [token for token in emotivoice_symbols.spelled(run) if token in self._ids] for run in runs
            ]
            return known, warnings

    def _speaker(self, sentence: Sentence) -> int:
        speakers = self._spec.speakers
        asked = sentence.speaker or self._spec.default_speakers.get(sentence.language, next(iter(speakers)))
        if asked in speakers:
            return speakers[asked]
        if asked in map(str, speakers.values()):
            return int(asked)
        raise UnknownSpeakerError(asked, self._spec.name, speakers)

    def _manner(self, sentence: Sentence) -> tuple[Manner, tuple[str, ...]]:
        prosody, _ = with_emotion(sentence.prosody, self._spec)
        prompts = self._prompts(sentence)
        plain, felt = (self._embedded(self._words.read(prompt)) for prompt in prompts)
        style = plain + np.float32(sentence.prosody.emotion.intensity) * (felt - plain)
        content = self._embedded(self._words.read(sentence.text))
        warnings: tuple[str, ...] = ()
        if any(len(self._words.read(prompt)) > MAX_PIECES for prompt in prompts):
            warnings = (f"long_style: of a style the first {MAX_PIECES - 2} characters or words are heeded",)
        return Manner(self._speaker(sentence), style, content, prosody), warnings

    def _prompts(self, sentence: Sentence) -> tuple[str, str]:
        """The prompt without the emotion and with it; intensity is the way from the one to the other."""
        asked = emotivoice_files.prompt_of(self._spec, sentence.prosody.emotion.name)
        is_neutral = sentence.prosody.emotion.name == NEUTRAL.name or not asked
        plain = sentence.style or emotivoice_files.prompt_of(self._spec, NEUTRAL.name)
        if is_neutral:
            return plain, plain
        return plain, f"{asked}，{sentence.style}" if sentence.style else asked

    def _embedded(self, ids: list[int]) -> Floats:
        """[1, n]: what the text of *ids* means, computed once."""
        if len(ids) > MAX_PIECES:
            ids = [*ids[: MAX_PIECES - 1], ids[-1]]
        graph = self._graphs.embedding
        kept = self._tools.embeddings.get(digest(graph.sha256, ids), lambda: {"vector": self._embed(ids)})
        return kept["vector"]

    def _embed(self, ids: list[int]) -> Floats:
        with self._tools.timer.stage("style"):
            made = self._graphs.embedding.run({"input_ids": np.array([ids])})
        return np.asarray(made["style_embedding"], np.float32)

    def say(self, tokens: Sequence[str], manner: Manner) -> Iterator[Audio]:
        """The sound of *tokens*, piece by piece; at most MAX_TOKENS of them."""
        yield from self._sound(self._mel(tokens, *self._encoded(tokens, manner)))

    def _encoded(self, tokens: Sequence[str], manner: Manner) -> tuple[Floats, Frames]:
        """[1, T, units], and the frames of each token [T] at the speed asked for."""
        inputs: dict[str, NDArray[np.generic]] = {
            "inputs_ling": np.array([[self._ids[token] for token in tokens]]),
            "inputs_speaker": np.array([manner.speaker]),
            "inputs_style_embedding": manner.style,
            "inputs_content_embedding": manner.content,
        }
        if self._has_prosody:
            inputs |= prosody_inputs(manner.prosody)
        with self._tools.timer.stage("encoder"):
            made = self._graphs.encoder.run(inputs)
        return made["x"], frames_of(made["d_outs"].ravel(), manner.prosody.speed)

    def _mel(self, tokens: Sequence[str], x: Floats, frames: Frames) -> Floats:
        """[F, mels]."""
        made = []
        is_gap = [token in GAPS for token in tokens]
        with self._tools.timer.stage("decoder"):
            for start, end in runs(frames, is_gap, MAX_FRAMES):
                part: dict[str, NDArray[Any]] = {"x": x[:, start:end], "d_outs": frames[None, start:end]}
                made.append(self._graphs.decoder.run(part)["logmel"][0])
        mel = np.concatenate(made)
        if len(mel) != frames.sum():
            raise SynthesisError(
                f"the decoder makes {len(mel)} frames where {frames.sum()} are asked: its file is another voice's"
            )
        return np.asarray(mel, np.float32)

    def _sound(self, mel: Floats) -> Iterator[Audio]:
        graphs, n_frames = self._graphs, len(mel)
        hop, margin = graphs.hop_samples, graphs.margin_frames
        keeper = LevelKeeper(self._spec.gain_db, self.sample_rate, n_frames * hop)
        is_whole = margin is None or not self._tools.stream
        for start, end in cuts(n_frames, (n_frames,) if is_whole else PIECE_FRAMES, SHORTEST_PIECE):
            low, high = max(start - (margin or 0), 0), min(end + (margin or 0), n_frames)
            with self._tools.timer.stage("vocoder"):
                wave = graphs.vocoder.run({"logmel": mel[None, low:high]})["wav"].ravel()
                samples = inner(wave, (low, high), (start, end), hop)
                check_sound(samples, self.sample_rate, "the vocoder")
                piece = Audio(keeper.keep(samples), self.sample_rate)
            yield piece

    def warm_up(self) -> None:
        """Run every graph once over the highest ids there are. Raises SynthesisError."""
        vector = self._embed(self._words.read("")) + self._embed([self._words.highest])
        manner = Manner(max(self._spec.speakers.values()), vector, vector, Prosody())
        highest = max(self._ids, key=self._ids.__getitem__)
        tokens = [EDGE, highest, EDGE]
        x, _ = self._encoded(tokens, manner)
        for _ in self._sound(self._mel(tokens, x, np.array([1, 2, 1]))):
            pass


def prosody_inputs(prosody: Prosody) -> dict[str, NDArray[np.generic]]:
    """What is done to the pitch, in standard deviations, so that it moves as in Hz: (z · std + mean) · factor; and to
    the energy."""
    factor = 2 ** (prosody.pitch_semitones / 12)
    values = (prosody.pitch_range * factor, PITCH_MEAN_OVER_STD * (factor - 1), prosody.energy)
    return {name: np.array([value], np.float32) for name, value in zip(PROSODY_INPUTS, values, strict=True)}


def frames_of(natural: NDArray[np.int64], speed: float) -> Frames:
    """Frames of each token at *speed*. Raises SynthesisError if there are none at all, or too many."""
    if natural.min() < 0 or natural.max() > MAX_TOKEN_FRAMES:
        raise SynthesisError(
            f"the encoder makes a sound {natural.max()} frames long (0 to {MAX_TOKEN_FRAMES} are speech): "
            "the file is damaged, install it again"
        )
    if not natural.any():
        raise SynthesisError("the encoder gives no sound any length: the file is damaged, install it again")
    # Speed swallows no sound; a gap of no length stays none.
    return np.maximum(np.rint(natural / speed), natural > 0).astype(np.int64)


def runs(frames: Frames, is_gap: Sequence[bool], most: int) -> Iterator[tuple[int, int]]:
    """Start and end of stretches of tokens of at most *most* frames, cut behind gaps where there are any."""
    start = 0
    while start < len(frames):
        ends = np.cumsum(frames[start:]) <= most
        end = start + max(int(ends.sum()), 1)
        if end < len(frames):
            gaps = [k for k in range(start + (end - start) // 2, end) if is_gap[k]]
            end = gaps[-1] + 1 if gaps else end
        # Tokens of no length make no frame to decode.
        if frames[start:end].any():
            yield start, end
        start = end


def load(spec: VoiceSpec, tools: ModelTools) -> EmotiVoice:
    """Needs the files of ROLES; `lexicon` if there is one. Raises VoiceLoadError."""
    missing = sorted(ROLES - set(spec.files))
    if missing:
        raise VoiceLoadError(spec.folder, f"voice.yaml lists no file for {', '.join(missing)}")
    if not spec.speakers or min(spec.speakers.values()) < 0:
        raise VoiceLoadError(spec.folder, "voice.yaml: speakers: expected names and their numbers from 0")
    tokens = emotivoice_files.read_tokens(spec)
    words = emotivoice_files.read_words(spec)
    reader = emotivoice_files.read_reader(spec, tools, tokens)
    model = EmotiVoice(spec, tools, tokens, words, reader, emotivoice_files.open_graphs(spec, tools))
    try:
        model.warm_up()
    except (SynthesisError, ValueError) as error:
        # numpy's ValueError: arrays of sizes that do not fit.
        raise VoiceLoadError(
            spec.folder, f"its graphs do not fit together or to its tokens, vocabulary and speakers: {error}"
        ) from error
    return model
