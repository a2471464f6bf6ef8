"""The bundled voice's family: encoder → durations, pitch, energy → decoder → vocoder → filters.

Every layer of the graphs is local, so that a part of a sentence, computed with enough frames of context on both sides,
equals the same part of the whole: sound comes in pieces that grow as PIECE_FRAMES says.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.cache import Embedding, digest
from edge_tts.errors import SynthesisError, UnknownSpeakerError, VoiceLoadError
from edge_tts.models import two_stage_frontend as frontend
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.emotion import with_emotion
from edge_tts.models.level import LevelKeeper
from edge_tts.models.opening import Opener
from edge_tts.models.pieces import cuts
from edge_tts.models.session import Session, check_sound
from edge_tts.models.source_filter import HOP, Filters, SourceFilter
from edge_tts.models.two_stage_files import Frontend, PitchRange, read_frontend
from edge_tts.models.two_stage_frontend import Phrase
from edge_tts.speech import Audio, Explanation, Prosody, Sentence, silence

log = logging.getLogger(__name__)

DECODER_MARGIN = 18
"""Frames of context on each side: six layers of kernel 7."""

VOCODER_MARGIN = 20
"""Frames of context on each side: a kernel of 5, then six of 7."""

PIECE_FRAMES = (16, 32, 64, 128)
"""Sizes of the pieces; the last repeats. 16 frames are 186 ms of sound; beyond 128 pieces cost memory and are no
faster (larger temporaries are fresh pages each time)."""

SHORTEST_PIECE = 16

LONGEST_SOUND_S = 20.0
"""No vowel is so long: damaged weights would ask for memory without end."""

NOISE_SEED = 0
"""The same for every sentence: the same text sounds the same, which is what the phrase cache assumes."""

N_MELS = 80
ENCODER_INPUTS = ("tokens", "accents", "speaker")
ENCODER_OUTPUTS = ("hidden", "log_duration", "pitch", "voiced_logit", "energy")
DECODER_INPUTS = ("hidden", "pitch", "voiced", "energy", "speaker", "frame_token", "frame_position")
DECODER_OUTPUTS = ("mel", "f0", "voicing_logit")
VOCODER_INPUTS = ("mel", "f0")
VOCODER_OUTPUTS = ("harmonic_log_magnitude", "phase_offset", "noise_log_magnitude")
HIGHEST_ACCENT = 7


@dataclass(frozen=True)
class Plan:
    """A phrase with everything the decoder needs to know about it."""

    speaker: int
    pitch_range: PitchRange
    tokens: dict[str, NDArray[Any]]
    """Decoder inputs for each token: hidden, pitch, voiced, energy."""

    frames: NDArray[np.int64]
    """Frames of each token."""

    @property
    def n_frames(self) -> int:
        return int(self.frames.sum())


class Track:
    """What the decoder has made of a phrase so far; one generator's own."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.frame_token, self.frame_position = frame_inputs(plan.frames)
        self.mel = np.empty((plan.n_frames, N_MELS), np.float32)
        self.f0_hz = np.empty(plan.n_frames, np.float32)
        """0 where unvoiced."""

        self.n_decoded = 0


@dataclass(frozen=True)
class Graphs:
    encoder: Session
    decoder: Session
    vocoder: Session


class TwoStage:
    """A loaded voice of three graphs."""

    controls = frozenset({"speed", "pitch", "energy", "emotion"})

    def __init__(self, spec: VoiceSpec, tools: ModelTools, table: Frontend, graphs: Graphs) -> None:
        self._spec = spec
        self._tools = tools
        self._table = table
        self._graphs = graphs
        self.sample_rate = spec.sample_rate

    def synthesize(self, sentence: Sentence) -> Iterator[Audio]:
        phrases, warnings = self._phrases(sentence)
        prosody, _ = with_emotion(sentence.prosody, self._spec)
        speaker = self._speaker(sentence)
        for warning in warnings:
            self._tools.warn(warning)
        for phrase in phrases:
            yield from self.say(phrase, speaker, prosody)
            if phrase.pause_s:
                yield silence(phrase.pause_s / prosody.speed, self.sample_rate)

    def explain(self, sentence: Sentence) -> Explanation:
        phrases, warnings = self._phrases(sentence)
        prosody, emotion_warnings = with_emotion(sentence.prosody, self._spec)
        speaker = self._speaker(sentence)
        seconds = sum(
            self._plan(phrase, speaker, prosody).n_frames * HOP / self.sample_rate
            + phrase.pause_s / prosody.speed
            for phrase in phrases
        )
        return Explanation(" | ".join(map(str, phrases)), seconds, (*warnings, *emotion_warnings))

    def _phrases(self, sentence: Sentence) -> tuple[list[Phrase], tuple[str, ...]]:
        with self._tools.timer.stage("phonemes"):
            return frontend.phrases(sentence, self._table.tokens, self._tools.phonemizer)

    def _speaker(self, sentence: Sentence) -> str:
        speakers = self._spec.speakers
        if sentence.speaker is None:
            return self._spec.default_speakers.get(sentence.language, next(iter(speakers)))
        if sentence.speaker in speakers:
            return sentence.speaker
        for name, number in speakers.items():
            if sentence.speaker == str(number):
                return name
        raise UnknownSpeakerError(sentence.speaker, self._spec.name, speakers)

    def _plan(self, phrase: Phrase, speaker: str, prosody: Prosody) -> Plan:
        """Encode *phrase* (once: the result is kept) and lay prosody over it."""
        tokens = [self._table.tokens[symbol] for symbol in phrase.symbols]
        number = self._spec.speakers[speaker]
        key = digest(self._graphs.encoder.sha256, tokens, phrase.accents, number)
        encoded = self._tools.embeddings.get(key, lambda: self._encode(tokens, phrase.accents, number))
        pitch_range = self._table.pitch[speaker]
        raised = prosody.pitch_semitones * np.log(2) / 12 / pitch_range.log_f0_std
        longest_s = float(np.exp(min(encoded["log_duration"].max(), 30))) * HOP / self.sample_rate
        if longest_s > LONGEST_SOUND_S:
            raise SynthesisError(
                f"the encoder yielded a sound of {longest_s:.3g} s: the file is damaged, install it again"
            )
        frames = np.maximum(np.rint(np.exp(encoded["log_duration"][0]) / prosody.speed), 1)
        return Plan(
            speaker=number,
            pitch_range=pitch_range,
            tokens={
                "hidden": encoded["hidden"],
                "pitch": (encoded["pitch"] * prosody.pitch_range + raised).astype(np.float32),
                "voiced": (encoded["voiced_logit"] > 0).astype(np.float32),
                "energy": (encoded["energy"] + prosody.energy).astype(np.float32),
            },
            frames=frames.astype(np.int64),
        )

    def _encode(self, tokens: list[int], accents: tuple[int, ...], speaker: int) -> Embedding:
        with self._tools.timer.stage("encoder"):
            return self._graphs.encoder.run(
                {
                    "tokens": np.array([tokens], np.int64),
                    "accents": np.array([accents], np.int64),
                    "speaker": np.array([speaker], np.int64),
                }
            )

    def say(self, phrase: Phrase, speaker: str, prosody: Prosody) -> Iterator[Audio]:
        """The sound of one phrase, piece by piece; *prosody* with its emotion already in it."""
        plan = self._plan(phrase, speaker, prosody)
        track, n_frames = Track(plan), plan.n_frames
        source = SourceFilter(self.sample_rate, NOISE_SEED)
        keeper = LevelKeeper(self._spec.gain_db, self.sample_rate, n_frames * HOP)
        for start, end in cuts(n_frames, PIECE_FRAMES if self._tools.stream else (n_frames,), SHORTEST_PIECE):
            reach = min(end + VOCODER_MARGIN, n_frames)
            if reach > track.n_decoded:
                with self._tools.timer.stage("decoder"):
                    self._decode(track, reach)
            with self._tools.timer.stage("vocoder"):
                filters = self._filters(track, start, end)
                next_f0_hz = float(track.f0_hz[end]) if end < n_frames else None
                samples = source.feed(track.f0_hz[start:end], filters, next_f0_hz)
                check_sound(samples, self.sample_rate, "the vocoder")
                piece = Audio(keeper.keep(samples), self.sample_rate)
            yield piece

    def _decode(self, track: Track, end: int) -> None:
        """Make the frames of *track* up to *end*."""
        start, plan = track.n_decoded, track.plan
        low, high = max(start - DECODER_MARGIN, 0), end + DECODER_MARGIN
        decoded = self._graphs.decoder.run(
            {
                **plan.tokens,
                "speaker": np.array([plan.speaker], np.int64),
                "frame_token": track.frame_token[None, low:high],
                "frame_position": track.frame_position[None, low:high],
            }
        )
        inner = slice(start - low, end - low)
        hertz = np.exp(plan.pitch_range.log_f0_median + plan.pitch_range.log_f0_std * decoded["f0"][0, inner])
        track.mel[start:end] = decoded["mel"][0, inner]
        track.f0_hz[start:end] = np.where(decoded["voicing_logit"][0, inner] > 0, hertz, 0)
        track.n_decoded = end

    def _filters(self, track: Track, start: int, end: int) -> Filters:
        """Filter frames of the mel frames *start* to *end*, from all that is decoded after them."""
        low, high = max(start - VOCODER_MARGIN, 0), track.n_decoded
        outputs = self._graphs.vocoder.run(
            {"mel": track.mel[None, low:high], "f0": track.f0_hz[None, low:high]}
        )
        inner = slice(2 * (start - low), 2 * (end - low))
        return Filters(*(outputs[name][0, inner] for name in VOCODER_OUTPUTS))

    def pitch_hz(self, sentence: Sentence) -> NDArray[np.float32]:
        """The pitch of each frame of *sentence*, 0 where unvoiced, without making its sound: for measurements."""
        phrases, _ = self._phrases(sentence)
        prosody, _ = with_emotion(sentence.prosody, self._spec)
        tracks = [Track(self._plan(phrase, self._speaker(sentence), prosody)) for phrase in phrases]
        for track in tracks:
            self._decode(track, track.plan.n_frames)
        return np.concatenate([track.f0_hz for track in tracks])

    def warm_up(self) -> None:
        """Run every graph once over the highest ids there are. Raises SynthesisError."""
        token = max(self._table.tokens, key=self._table.tokens.__getitem__)
        speaker = max(self._spec.speakers, key=self._spec.speakers.__getitem__)
        phrase = Phrase((frontend.START, token, frontend.END), (0, HIGHEST_ACCENT, 0))
        for _ in self.say(phrase, speaker, Prosody()):
            pass


def frame_inputs(frames: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For *frames* [n_tokens]: the token of each frame [n_frames], and where the frame lies in it [n_frames, 3]: from
    its start and from its end (0 to 1), and the ln of its length."""
    token = np.repeat(np.arange(len(frames)), frames)
    length = frames[token]
    first = np.cumsum(frames)[token] - length
    x = (np.arange(len(token)) - first + 0.5) / length
    return token, np.stack([x, 1 - x, np.log(length)], axis=1).astype(np.float32)


def load(spec: VoiceSpec, tools: ModelTools) -> TwoStage:
    """Needs the files encoder, decoder, vocoder and frontend. Raises VoiceLoadError."""
    missing = sorted({"encoder", "decoder", "vocoder", "frontend"} - set(spec.files))
    if missing:
        raise VoiceLoadError(spec.folder, f"voice.yaml lists no file for {', '.join(missing)}")
    table = read_frontend(spec)
    opener = Opener(spec, tools.threads)
    graphs = Graphs(*(opener.open(role) for role in ("encoder", "decoder", "vocoder")))
    graphs.encoder.require(ENCODER_INPUTS, ENCODER_OUTPUTS, ("log_duration", "pitch", "energy"))
    graphs.decoder.require(DECODER_INPUTS, DECODER_OUTPUTS, ("mel", "f0"))
    graphs.vocoder.require(VOCODER_INPUTS, VOCODER_OUTPUTS, VOCODER_OUTPUTS)
    model = TwoStage(spec, tools, table, graphs)
    try:
        model.warm_up()
    except SynthesisError as error:
        raise VoiceLoadError(
            spec.folder, f"its graphs do not fit together or to frontend.json: {error}"
        ) from error
    return model
