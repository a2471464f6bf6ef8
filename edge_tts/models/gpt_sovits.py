"""GPT-SoVITS voices (v2, v2ProPlus): a clip of somebody, its words and a text → tokens, one by one → sound like them.

A token is 40 ms. The decoder remembers what it has seen; its memory stays where onnxruntime has it. Graphs that look at
clips are open only while they do, and what they said is kept beside the clip.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.audio import resampled
from edge_tts.cache import Embedding, digest
from edge_tts.errors import BadClipError, InvalidFieldError, SynthesisError, VoiceLoadError
from edge_tts.models import gpt_sovits_files, gpt_sovits_tokens
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.gpt_sovits_files import ENROLMENT, OF_PERSON, SAMPLE_RATE, Graphs, Sizes
from edge_tts.models.gpt_sovits_frontend import Reader
from edge_tts.models.gpt_sovits_sampling import Sampling
from edge_tts.models.gpt_sovits_tokens import Prompt, Warn
from edge_tts.models.level import LevelKeeper
from edge_tts.models.listening import listen
from edge_tts.models.opening import Opener
from edge_tts.models.packs import Packs, recorded
from edge_tts.models.pieces import cuts
from edge_tts.models.session import check_sound
from edge_tts.speech import NEUTRAL, Audio, Explanation, Reference, Sentence
from edge_tts.text import gpt_sovits_symbols
from edge_tts.text.gpt_sovits_symbols import IDS, SYMBOLS, Run
from edge_tts.text.wordpiece import END, START, UNKNOWN

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

BERT_UNITS = 1024
HOP_SAMPLES = 640
FRAMES_PER_TOKEN = 2
PIECE_FRAMES = (16, 32, 64, 128)
"""Sizes of the pieces; the last repeats. 16 frames are 320 ms of sound."""

SHORTEST_PIECE = 8
MAX_SYMBOLS = 120
"""Said in one go: some 40 to 60 syllables; what is longer becomes unsteady."""

CLIP_S = (3.0, 10.0)
"""What the voices were taught to imitate."""

PADDING_S = 0.3
"""Silence after a clip: without it the last sound runs into the new text."""

HUBERT_RATE = 16000
FULL_INTENSITY = 0.5
"""From here on an emotion's clip is imitated; there is nothing between two clips."""


@dataclass(frozen=True)
class Text:
    """What is said, as the graphs take it."""

    ids: Ids
    """[1, n]."""

    bert: Floats
    """[n, BERT_UNITS]."""


class GptSovits:
    """A loaded voice."""

    def __init__(
        self, spec: VoiceSpec, tools: ModelTools, graphs: Graphs, reader: Reader, clips: Mapping[str, Reference],
        vocabulary: Mapping[str, int], settings: tuple[Sizes, Sampling],
    ) -> None:  # fmt: skip
        self._spec = spec
        self._tools = tools
        self._packs = Packs(spec, ENROLMENT, tools.embeddings)
        self._graphs = graphs
        self._reader = reader
        self._clips = clips
        self._vocabulary = vocabulary
        self._sizes, self._sampling = settings
        self.sample_rate = spec.sample_rate
        has_speed = "speed" in graphs.latent.inputs
        self.controls = frozenset({"reference", "emotion"} | ({"speed"} if has_speed else set()))

    def synthesize(self, sentence: Sentence) -> Iterator[Audio]:
        with self._tools.timer.stage("phonemes"):
            runs, warnings = self._reader.runs(sentence)
        if not runs:
            return
        clip = self._clip(sentence)
        for warning in warnings:
            self._tools.warn(warning)
        person = self._packs.of(clip, self._hear)
        said = self._text(self._reader.runs_of(clip))
        for part in gpt_sovits_symbols.parts(runs, MAX_SYMBOLS):
            yield from self._say(self._text(part), said, person, sentence.prosody.speed)

    def explain(self, sentence: Sentence) -> Explanation:
        runs, warnings = self._reader.runs(sentence)
        return Explanation(" ".join(map(str, runs)), None, warnings)

    def _clip(self, sentence: Sentence) -> Reference:
        """Whom to imitate: the person asked for or the voice's own, in the emotion asked for if there is one of it."""
        emotion = sentence.prosody.emotion
        wanted = emotion.name if emotion.intensity >= FULL_INTENSITY else NEUTRAL.name
        if not sentence.references:
            if not self._clips:
                raise InvalidFieldError(
                    "reference", None, f"somebody enrolled: voice {self._spec.name!r} has no clip of its own"
                )
            return self._clips.get(wanted, self._clips[NEUTRAL.name])
        for clip in sentence.references:
            if (clip.emotion or NEUTRAL.name) == wanted:
                return clip
        if wanted != NEUTRAL.name and wanted in self._spec.emotions:
            self._tools.warn(f"unknown_emotion:{wanted}")
        return sentence.references[0]

    def _hear(self, clip: Reference) -> Embedding:
        audio = recorded(clip)
        if not CLIP_S[0] <= audio.duration_s <= CLIP_S[1]:
            self._tools.warn(
                f"clip_length: {clip.name} speaks for {audio.duration_s:.1f} s; this voice imitates 3 to 10 s best"
            )
        return self._features(resampled(audio, SAMPLE_RATE))

    def _features(self, audio: Audio) -> Embedding:
        padding = np.zeros(round(PADDING_S * SAMPLE_RATE), np.float32)
        padded = Audio(np.concatenate([audio.samples, padding]), SAMPLE_RATE)
        # Of the padded track, as the voices were taught.
        wave = resampled(padded, HUBERT_RATE).samples[None]
        found: Embedding = {"ssl_content": self._once("hubert", wave)["ssl_content"]}
        if "speaker_encoder" in self._spec.files:
            found["sv_emb"] = self._once("speaker_encoder", wave)["sv_emb"]
        if "prompt_encoder" in self._spec.files:
            given = {"ref_audio": padded.samples[None], "sv_emb": found.pop("sv_emb")}
            made = Opener(self._spec, self._tools.threads).open("prompt_encoder").run(given)
            return found | {name: made[name] for name in ("ge", "ge_advanced")}
        return found | {"ref_audio": padded.samples[None]}

    def _once(self, role: str, wave: Floats) -> dict[str, Any]:
        """What a graph with one input and one output says of *wave*, under the name of its kind."""
        graph = Opener(self._spec, self._tools.threads).open(role)
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise VoiceLoadError(
                self._spec.files[role], f"expected one input and one output, found {sorted(graph.inputs)}"
            )
        name = {"hubert": "ssl_content", "speaker_encoder": "sv_emb"}[role]
        with self._tools.timer.stage("enrolment"):
            made = graph.run({next(iter(graph.inputs)): wave})
        return {name: made[graph.outputs[0]]}

    def _text(self, runs: Sequence[Run]) -> Text:
        ids = np.array([[IDS[symbol] for run in runs for symbol in run.symbols]], np.int64)
        parts = [
            self._features_of(list(group), is_chinese=is_chinese)
            for is_chinese, group in itertools.groupby(runs, key=lambda run: bool(run.characters))
        ]
        return Text(ids, np.concatenate(parts))

    def _features_of(self, runs: Sequence[Run], *, is_chinese: bool) -> Floats:
        """[n_symbols, BERT_UNITS]: what BERT says of Chinese; nothing of other languages, or without a BERT."""
        n_symbols = sum(len(run.symbols) for run in runs)
        graph = self._graphs.bert
        if graph is None or not is_chinese:
            return np.zeros((n_symbols, BERT_UNITS), np.float32)
        unknown = self._vocabulary[UNKNOWN]
        read = [self._vocabulary.get(character, unknown) for run in runs for character in run.characters]
        ids = [self._vocabulary[START], *read, self._vocabulary[END]]
        repeats = [count for run in runs for count in run.repeats]
        key = digest(graph.sha256, ids, repeats)
        return self._tools.embeddings.get(key, lambda: {"rows": self._understood(ids, repeats)})["rows"]

    def _understood(self, ids: Sequence[int], repeats: Sequence[int]) -> Floats:
        graph = self._graphs.bert
        assert graph is not None
        given = {
            "input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64),
            "token_type_ids": np.zeros((1, len(ids)), np.int64), "repeats": np.array(repeats),
        }  # fmt: skip
        with self._tools.timer.stage("bert"):
            made = graph.run({name: given[name] for name in graph.inputs})
        rows = np.asarray(made[graph.outputs[0]], np.float32).reshape(-1, BERT_UNITS)
        if len(rows) == len(ids):
            rows = rows[1:-1]
        if len(rows) == len(repeats):
            rows = np.repeat(rows, repeats, axis=0)
        if len(rows) != sum(repeats):
            raise SynthesisError(
                f"bert makes {len(rows)} rows for {len(repeats)} characters: another contract"
            )
        return rows

    def _say(self, text: Text, said: Text, person: Embedding, speed: float) -> Iterator[Audio]:
        most = gpt_sovits_tokens.most_tokens(text.ids.shape[1])
        tokens: list[int] = []
        spoken = self._spoken(text, said, person, most, self._tools.warn)
        yield from listen(self._tools, spoken, tokens, None, self.sample_rate)
        if tokens:
            yield from self._sound(text, np.array(tokens, np.int64), person, speed)

    def _spoken(self, text: Text, said: Text, person: Embedding, most: int, warn: Warn) -> Iterator[int]:
        prompt = Prompt(said.ids, text.ids, said.bert, text.bert, person["ssl_content"])
        if self._graphs.leaves_choice:
            return gpt_sovits_tokens.chosen(self._graphs, prompt, self._sampling, most, warn)
        return gpt_sovits_tokens.given(self._graphs, prompt, most, warn)

    def _sound(self, text: Text, tokens: Ids, person: Embedding, speed: float) -> Iterator[Audio]:
        graphs = self._graphs
        # Enough for any speed; the graph takes what it needs.
        n_noise = round(FRAMES_PER_TOKEN * len(tokens) / speed) + 2
        noise = np.random.default_rng(self._sampling.seed).standard_normal(
            (1, self._sizes.latent_channels, n_noise)
        )
        given: dict[str, NDArray[Any]] = {
            "text_seq": text.ids, "pred_semantic": tokens[None, None], "speed": np.array([speed], np.float32),
            "noise": noise.astype(np.float32), **{name: person[name] for name in OF_PERSON & person.keys()},
        }  # fmt: skip
        with self._tools.timer.stage("vits"):
            made = graphs.latent.run({name: given[name] for name in graphs.latent.inputs})
        if graphs.vocoder is None:
            samples = made["audio"].ravel()
            yield self._piece(samples, LevelKeeper(self._spec.gain_db, self.sample_rate, len(samples)))
            return
        z, margin = made["z"], self._sizes.margin_frames
        n_frames = z.shape[2]
        keeper = LevelKeeper(self._spec.gain_db, self.sample_rate, n_frames * HOP_SAMPLES)
        sizes = PIECE_FRAMES if self._tools.stream else (n_frames,)
        for start, end in cuts(n_frames, sizes, SHORTEST_PIECE):
            low, high = max(start - margin, 0), min(end + margin, n_frames)
            with self._tools.timer.stage("vocoder"):
                wave = graphs.vocoder.run({"z": z[:, :, low:high], "g": made["g"]})["audio"].ravel()
            if len(wave) != (high - low) * HOP_SAMPLES:
                raise SynthesisError(
                    f"the vocoder makes {len(wave)} samples of {high - low} frames; expected {HOP_SAMPLES} each"
                )
            yield self._piece(wave[(start - low) * HOP_SAMPLES : (end - low) * HOP_SAMPLES], keeper)

    def _piece(self, wave: Floats, keeper: LevelKeeper) -> Audio:
        samples = np.array(wave, np.float32)
        check_sound(samples, self.sample_rate, "the vocoder")
        return Audio(keeper.keep(samples), self.sample_rate)

    def warm_up(self) -> None:
        """Run every graph once. Raises SynthesisError."""
        if self._clips:
            person = {name: self._packs.of(clip, self._hear) for name, clip in self._clips.items()}[
                NEUTRAL.name
            ]
        else:
            person = self._features(Audio(np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE))
        text = self._text([Run((SYMBOLS[-1],) * 2, ("你",), (2,)), Run((SYMBOLS[0],))])
        # It is not asked to find an end.
        list(self._spoken(text, text, person, 3, lambda warning: None))
        for _ in self._sound(text, np.array([0, 1023]), person, 1.0):
            pass


def load(spec: VoiceSpec, tools: ModelTools) -> GptSovits:
    """Raises VoiceLoadError."""
    if spec.sample_rate != SAMPLE_RATE:
        raise VoiceLoadError(spec.folder, f"sample_rate: these voices make {SAMPLE_RATE} Hz")
    settings = gpt_sovits_files.read_settings(spec)
    clips = gpt_sovits_files.read_clips(spec)
    reader = gpt_sovits_files.read_reader(spec, tools)
    vocabulary = gpt_sovits_files.read_vocabulary(spec)
    graphs = gpt_sovits_files.open_graphs(spec, tools)
    model = GptSovits(spec, tools, graphs, reader, clips, vocabulary, settings)
    try:
        model.warm_up()
    except (SynthesisError, BadClipError, ValueError) as error:
        # numpy's ValueError: arrays of sizes that do not fit.
        raise VoiceLoadError(
            spec.folder, f"its graphs do not fit together or to its clips: {error}"
        ) from error
    return model
