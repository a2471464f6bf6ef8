"""Sambert-HifiGAN (KAN-TTS) voices: encoder → pitch and energy → durations → mel, step by step → postnet → vocoder.

The six graphs of `edgetts convert sambert`. The mel of a sentence is made whole, which is a tenth of the work; the
vocoder looks some frames to each side, so sound comes in pieces that equal the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_tts.cache import digest
from edge_tts.errors import SynthesisError, UnknownSpeakerError, VoiceLoadError
from edge_tts.models import sambert_frontend, sambert_steps
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.emotion import with_emotion
from edge_tts.models.level import LevelKeeper
from edge_tts.models.opening import Opener
from edge_tts.models.pieces import cuts, inner
from edge_tts.models.sambert_config import Floats, Host, SambertConfig, read_config, read_host
from edge_tts.models.sambert_source import Source, voiced
from edge_tts.models.session import Session, check_sound
from edge_tts.speech import NEUTRAL, Audio, Emotion, Explanation, Prosody, Sentence
from edge_tts.text import sambert_symbols
from edge_tts.text.sambert_symbols import EMOTIONS, Symbol, Word

PIECE_FRAMES = (32, 64, 128, 192)
"""Sizes of the pieces; the last repeats. The vocoder's context is made again for each: shorter ones cost more."""

SHORTEST_PIECE = 32
NEUTRAL_ID = EMOTIONS.index("neutral")
CONTRACT = {
    "am_enc": (("inputs_ling", "inputs_emo", "inputs_spk", "inputs_len"), ("text_hid", "spk_hid", "emo_hid")),
    "pitch_energy": (("var_in",), ("pitch", "energy")),
    "duration": (("x_prev", "cond", "h", "c"), ("log_dur", "h_next", "c_next")),
    "postnet": (("dec",), ("output",)),
}
"""Role → inputs and outputs; decoder and vocoder depend on the voice."""

DECODER_INPUTS = ("mel_frame", "memory_step", "memory", "x_k", "x_v", "step", "x_band", "h_band", "mem_len")
BOUNDED = ("pitch", "energy", "log_dur", "dec_out", "output", "wav")
STEPS = ("duration", "am_dec")
"""Run for every phone or third frame: too little work at a time to be shared among threads."""

ROLES = (*CONTRACT, "am_dec", "voc")


@dataclass(frozen=True)
class Manners:
    """What the graphs know of speakers and emotions, read from them once."""

    speakers: Floats
    """[n, units]; one row for a voice that has a vector instead."""

    emotions: Floats
    """[n, units]."""

    def emotion(self, number: int, intensity: float) -> Floats:
        neutral = self.emotions[NEUTRAL_ID]
        return np.asarray(neutral + intensity * (self.emotions[number] - neutral), np.float32)


class Sambert:
    """A loaded voice."""

    controls = frozenset({"speed", "pitch", "energy", "emotion"})

    def __init__(
        self,
        spec: VoiceSpec,
        tools: ModelTools,
        config: SambertConfig,
        host: Host,
        graphs: dict[str, Session],
    ) -> None:
        self._spec = spec
        self._tools = tools
        self._config = config
        self._host = host
        self._graphs = graphs
        self._manners = read_manners(spec, graphs["am_enc"], host)
        self.sample_rate = spec.sample_rate

    def synthesize(self, sentence: Sentence) -> Iterator[Audio]:
        pieces, warnings = self._pieces(sentence)
        speaker = self._speaker(sentence)
        for warning in warnings:
            self._tools.warn(warning)
        for words in pieces:
            yield from self.say(words, speaker, sentence.prosody)

    def explain(self, sentence: Sentence) -> Explanation:
        pieces, warnings = self._pieces(sentence)
        speaker = self._speaker(sentence)
        _, emotion_warnings = with_emotion(sentence.prosody, self._spec)
        n_frames = sum(int(self._timed(words, speaker, sentence.prosody)[1].sum()) for words in pieces)
        seconds = n_frames * self._config.hop_samples / self.sample_rate
        phonemes = " ".join(str(word) for words in pieces for word in words)
        return Explanation(phonemes, seconds, (*warnings, *emotion_warnings))

    def _pieces(self, sentence: Sentence) -> tuple[list[list[Word]], tuple[str, ...]]:
        with self._tools.timer.stage("phonemes"):
            words, warnings = sambert_frontend.words(sentence, self._tools.phonemizer)
            return sambert_symbols.pieces(words, self._config.max_symbols), warnings

    def _speaker(self, sentence: Sentence) -> int:
        speakers = self._spec.speakers
        if sentence.speaker is None:
            return next(iter(speakers.values()))
        if sentence.speaker in speakers:
            return speakers[sentence.speaker]
        if sentence.speaker in map(str, speakers.values()):
            return int(sentence.speaker)
        raise UnknownSpeakerError(sentence.speaker, self._spec.name, speakers)

    def say(self, words: Sequence[Word], speaker: int, asked: Prosody) -> Iterator[Audio]:
        """The sound of *words*, piece by piece; at most max_symbols of them."""
        memory, frames, band = self._read(words, speaker, asked)
        mel = self._mel(memory, int(frames.sum()), band)
        yield from self._sound(mel)

    def _read(
        self, words: Sequence[Word], speaker: int, asked: Prosody
    ) -> tuple[Floats, NDArray[np.int64], int]:
        """The decoder's memory, the frames of each phone, and how many steps it looks to each side."""
        text, frames, manner = self._timed(words, speaker, asked)
        per_step = self._config.frames_per_step
        memory = sambert_steps.memory_of(text, manner, frames, self._host.timescales, per_step)
        return memory, frames, int(frames.max() / per_step + 0.5)

    def _timed(
        self, words: Sequence[Word], speaker: int, asked: Prosody
    ) -> tuple[Floats, NDArray[np.int64], Floats]:
        """Text with pitch and energy in it [T, units], frames of each phone [T], and the manner of all of it."""
        prosody, _ = with_emotion(asked, self._spec)
        symbols = sambert_symbols.spelled(words)
        text = self._encoded(symbols)
        manner = np.concatenate([self._manners.speakers[speaker], self._emotion(asked.emotion)])
        around = np.broadcast_to(manner, (len(text), len(manner)))
        with self._tools.timer.stage("prosody"):
            made = self._graphs["pitch_energy"].run({"var_in": np.concatenate([text, around], axis=1)[None]})
            pitch = _moved(made["pitch"][0], prosody, self._config.pitch_mean_over_std)
            text = text + self._host.embedded(pitch, made["energy"][0] + np.float32(prosody.energy))
            condition = np.concatenate([text, around], axis=1)
            natural = sambert_steps.natural_frames(
                self._graphs["duration"], condition, self._config.duration_units
            )
        return text, sambert_steps.whole_frames(natural, symbols, prosody.speed), manner

    def _encoded(self, symbols: Sequence[Symbol]) -> Floats:
        """[T, units], computed once: it depends on the text alone."""
        ids = [symbol.ids for symbol in symbols]
        graph = self._graphs["am_enc"]
        kept = self._tools.embeddings.get(
            digest(graph.sha256, ids), lambda: {"text": self._encode(np.array(ids, np.int64))}
        )
        return kept["text"]

    def _encode(self, ids: NDArray[np.int64]) -> Floats:
        with self._tools.timer.stage("encoder"):
            made = self._graphs["am_enc"].run(encoder_inputs(ids, self._host, np.zeros(len(ids), np.int64)))
        return np.asarray(made["text_hid"][0], np.float32)

    def _emotion(self, emotion: Emotion) -> Floats:
        if emotion.name not in self._spec.emotions:
            emotion = NEUTRAL
        return self._manners.emotion(emotion_id(self._spec, emotion.name), emotion.intensity)

    def _mel(self, memory: Floats, n_frames: int, band: int) -> Floats:
        """[n_frames, n_mels] as the vocoder wants it."""
        with self._tools.timer.stage("decoder"):
            made = sambert_steps.decode(self._graphs["am_dec"], memory, band, self._config)[:n_frames]
            mel = np.asarray(self._graphs["postnet"].run({"dec": made[None]})["output"][0])
        return mel if self._host.f0 is None else voiced(mel, self._host.f0)

    def _sound(self, mel: Floats) -> Iterator[Audio]:
        hop, n_frames = self._config.hop_samples, len(mel)
        keeper = LevelKeeper(self._spec.gain_db, self.sample_rate, n_frames * hop)
        source = Source(mel, self._config, self.sample_rate) if self._host.f0 is not None else None
        for start, end in cuts(n_frames, PIECE_FRAMES if self._tools.stream else (n_frames,), SHORTEST_PIECE):
            low = max(start - self._config.margin_left_frames, 0)
            high = min(end + self._config.margin_right_frames, n_frames)
            with self._tools.timer.stage("vocoder"):
                inputs = {"mel": np.ascontiguousarray(mel[low:high].T)[None]}
                inputs |= source.inputs(low, high) if source else {}
                wave = self._graphs["voc"].run(inputs)["wav"].ravel()
                samples = inner(wave, (low, high), (start, end), hop)
                check_sound(samples, self.sample_rate, "the vocoder")
                piece = Audio(keeper.keep(samples), self.sample_rate)
            yield piece

    def warm_up(self) -> None:
        """Run every graph once over the highest ids there are. Raises SynthesisError."""
        symbols = [Symbol("#4", "tone0", "s_middle", "word_none")] * 2
        text = self._encode(np.array([symbol.ids for symbol in symbols]))
        for speaker in self._spec.speakers.values():
            manner = np.concatenate([self._manners.speakers[speaker], self._emotion(NEUTRAL)])
            condition = np.concatenate([text, np.broadcast_to(manner, (2, len(manner)))], axis=1)
            self._graphs["pitch_energy"].run({"var_in": condition[None]})
            sambert_steps.natural_frames(self._graphs["duration"], condition, self._config.duration_units)
        frames = np.array([2, 3])
        memory = sambert_steps.memory_of(
            text, manner, frames, self._host.timescales, self._config.frames_per_step
        )
        for _ in self._sound(self._mel(memory, 5, 1)):
            pass


def _moved(pitch: Floats, prosody: Prosody, mean_over_std: float) -> Floats:
    """*pitch* in standard deviations of the speaker's, moved as in Hz: (z · std + mean) · factor."""
    factor = 2 ** (prosody.pitch_semitones / 12)
    lively = pitch * prosody.pitch_range
    return np.asarray(lively * factor + mean_over_std * (factor - 1), np.float32)


def emotion_id(spec: VoiceSpec, name: str) -> int:
    """The number of emotion *name*: its `id` in voice.yaml, else by the name that KAN-TTS has for it."""
    preset = spec.emotions.get(name, {})
    if "id" in preset:
        return int(preset["id"])
    if name in EMOTIONS:
        return EMOTIONS.index(name)
    raise VoiceLoadError(
        spec.folder,
        f"voice.yaml: emotions.{name} has no id; without one a name must be of {', '.join(EMOTIONS[:24])}",
    )


def encoder_inputs(
    ids: NDArray[np.int64], host: Host, emotions: NDArray[np.int64]
) -> dict[str, NDArray[np.generic]]:
    """*ids* [T, 4] and *emotions* [T], with speakers of the same numbers."""
    speakers: NDArray[np.generic] = emotions[None]
    if host.se is not None:
        speakers = np.broadcast_to(host.se, (1, len(ids), len(host.se))).astype(np.float32)
    return {
        "inputs_ling": ids[None],
        "inputs_emo": emotions[None],
        "inputs_spk": speakers,
        "inputs_len": np.array([len(ids)]),
    }


def read_manners(spec: VoiceSpec, encoder: Session, host: Host) -> Manners:
    """The rows of *encoder* for the speakers and emotions of *spec*. Raises SynthesisError for a number it lacks."""
    emotions = [NEUTRAL_ID, *(emotion_id(spec, name) for name in spec.emotions)]
    if min(*emotions, *spec.speakers.values()) < 0:
        raise VoiceLoadError(spec.folder, "voice.yaml: the numbers of speakers and emotions begin at 0")
    made = {}
    for name, numbers in (("emo_hid", emotions), ("spk_hid", list(spec.speakers.values()))):
        # Both tables have at least these rows; the other one is asked for what it has.
        asked = encoder_inputs(np.zeros((max(numbers) + 1, 4), np.int64), host, np.arange(max(numbers) + 1))
        other = "inputs_spk" if name == "emo_hid" else "inputs_emo"
        if asked[other].dtype.kind == "i":
            asked[other] = np.zeros_like(asked[other])
        made[name] = np.asarray(encoder.run(asked)[name][0], np.float32)
    return Manners(speakers=made["spk_hid"], emotions=made["emo_hid"])


def load(spec: VoiceSpec, tools: ModelTools) -> Sambert:
    """Needs the graphs of ROLES and the file host. Raises VoiceLoadError."""
    missing = sorted({*ROLES, "host"} - set(spec.files))
    if missing:
        raise VoiceLoadError(spec.folder, f"voice.yaml lists no file for {', '.join(missing)}")
    if not spec.speakers:
        raise VoiceLoadError(spec.folder, "voice.yaml names no speakers")
    config = read_config(spec)
    host = read_host(spec, config)
    letters = [f"{letter}{layer}" for letter in "kv" for layer in range(config.decoder_layers)]
    contract = {
        **CONTRACT,
        "am_dec": (DECODER_INPUTS, ("dec_out", *letters)),
        "voc": (("mel",) if host.f0 is None else ("mel", "phase", "noise"), ("wav",)),
    }
    opener = Opener(spec, tools.threads)
    graphs = {role: opener.open(role, 1 if role in STEPS else None) for role in contract}
    for role, (inputs, outputs) in contract.items():
        graphs[role].require(inputs, outputs, BOUNDED)
    try:
        model = Sambert(spec, tools, config, host, graphs)
        model.warm_up()
    except (SynthesisError, ValueError) as error:
        # numpy's ValueError: arrays of sizes that do not fit.
        raise VoiceLoadError(
            spec.folder, f"its graphs do not fit together or to voice.yaml: {error}"
        ) from error
    return model
