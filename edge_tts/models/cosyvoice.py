"""CosyVoice 3 voices: a clip of somebody, an instruction and a text → tokens, one by one → mel by a flow → sound.

Slower than speech on any processor of today: made for `edgetts prerender` and the phrase cache. Its four stages hold
gigabytes; only one is open at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge_tts.audio import resampled
from edge_tts.cache import Embedding
from edge_tts.errors import BadClipError, InvalidFieldError, SynthesisError, VoiceLoadError
from edge_tts.models import cosyvoice_features, cosyvoice_files, cosyvoice_speech
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.cosyvoice_files import STAGES, Settings, Stages
from edge_tts.models.cosyvoice_frontend import Reader
from edge_tts.models.cosyvoice_speech import Prompt
from edge_tts.models.level import LevelKeeper
from edge_tts.models.packs import Packs, recorded
from edge_tts.models.pieces import cuts
from edge_tts.models.session import Session, check_sound
from edge_tts.speech import NEUTRAL, Audio, Explanation, Reference, Sentence
from edge_tts.text import cosyvoice_tokens
from edge_tts.text.languages import primary

Floats = NDArray[np.float32]

SAMPLE_RATE = 24000
CLIP_RATE = 16000
HOP_SAMPLES = 480
COLUMNS_PER_FRAME = 120
FRAMES_PER_TOKEN = 2
N_MELS = 80
MAX_FRAMES = 15000
CLIP_S = (0.5, 30.0)
GUIDANCE = 0.7
"""How far the flow goes beyond what it would do without the clip and the text."""

PIECE_FRAMES = (25, 50, 100)
SHORTEST_PIECE = 12
MAX_TEXT_TOKENS = 120
"""Said in one go."""

FULL_INTENSITY = 0.5
"""From here on an emotion is said; there is nothing between an instruction and none."""

ASSISTANT = "You are a helpful assistant."


class CosyVoice:
    """A loaded voice."""

    sample_rate = SAMPLE_RATE
    controls = frozenset({"speed", "emotion", "style", "reference", "sounds"})

    def __init__(
        self, spec: VoiceSpec, tools: ModelTools, reader: Reader, clip: Reference | None, settings: Settings
    ) -> None:  # fmt: skip
        self._spec = spec
        self._tools = tools
        self._packs = Packs(spec, STAGES["enrolment"], tools.embeddings)
        self._reader = reader
        self._clip = clip
        self._settings = settings
        self._stages = Stages(spec, tools, keep=settings.keep_stages)

    def synthesize(self, sentence: Sentence) -> Iterator[Audio]:
        text, warnings = self._reader.ids(sentence)
        if not text:
            return
        clip = self._whom(sentence)
        for warning in warnings:
            self._tools.warn(warning)
        person = self._packs.of(clip, self._hear)
        for start in range(0, len(text), MAX_TEXT_TOKENS):
            prompt = self._prompt(sentence, text[start : start + MAX_TEXT_TOKENS], clip, person)
            random = np.random.default_rng(self._settings.seed)
            with self._tools.timer.stage("tokens"):
                said = cosyvoice_speech.spoken(self._stages.stage("llm"), prompt, random, self._tools.warn)
            mel = self._mel(cosyvoice_speech.without_long_silence(said), person, random)
            yield from self._sound(_at_speed(mel, sentence.prosody.speed))

    def explain(self, sentence: Sentence) -> Explanation:
        ids, warnings = self._reader.ids(sentence)
        return Explanation(self._reader.shown(ids), None, warnings)

    def _whom(self, sentence: Sentence) -> Reference:
        """Whom to imitate: the person asked for, in the emotion asked for if there is a clip of it; or the voice."""
        if not sentence.references:
            if self._clip is None:
                raise InvalidFieldError(
                    "reference", None, f"somebody enrolled: voice {self._spec.name!r} has no clip of its own"
                )
            return self._clip
        wanted = _emotion(sentence)
        return next((clip for clip in sentence.references if clip.emotion == wanted), sentence.references[0])

    def _prompt(self, sentence: Sentence, text: list[int], clip: Reference, person: Embedding) -> Prompt:
        end = cosyvoice_tokens.IDS[cosyvoice_tokens.END_OF_PROMPT]
        instruction = cosyvoice_tokens.instruction(sentence.style or "")
        if not instruction and clip.emotion != _emotion(sentence):
            instruction = cosyvoice_tokens.EMOTIONS.get(_emotion(sentence) or "", "")
        if instruction:
            return Prompt((*self._reader.bpe(f"{ASSISTANT} {instruction}"), end), tuple(text), ())
        before = (*self._reader.bpe(ASSISTANT), end)
        if clip.language and primary(clip.language) != sentence.language:
            # The words of another language would be heard in how these are said.
            return Prompt(before, tuple(text), ())
        tokens = tuple(int(token) for token in person["tokens"])
        return Prompt((*before, *self._reader.bpe(clip.text)), tuple(text), tokens)

    def _hear(self, clip: Reference) -> Embedding:
        audio = recorded(clip)
        if not CLIP_S[0] <= audio.duration_s <= CLIP_S[1]:
            raise BadClipError(f"{audio.duration_s:.1f} s long; this voice imitates clips of 0.5 to 30 s")
        low = resampled(audio, CLIP_RATE).samples
        graphs = self._stages.stage("enrolment")
        with self._tools.timer.stage("enrolment"):
            feats = cosyvoice_features.speech_spectrum(low)
            length = np.array([feats.shape[2]], np.int64)
            tokens = _first(graphs["speech_tokenizer"], feats=feats, feats_length=length).ravel()
            speaker = _first(graphs["campplus"], input=cosyvoice_features.speaker_spectrum(low)).ravel()
        mel = cosyvoice_features.mel(resampled(audio, SAMPLE_RATE).samples)[0]
        n_tokens = min(len(tokens), mel.shape[1] // FRAMES_PER_TOKEN)
        return {
            "tokens": tokens[:n_tokens].astype(np.float32),
            "mel": mel[:, : FRAMES_PER_TOKEN * n_tokens],
            "speaker": speaker / np.maximum(np.linalg.norm(speaker), np.float32(1e-12)),
        }

    def _mel(self, said: list[int], person: Embedding, random: np.random.Generator) -> Floats:
        """[80, F] of the speech tokens, without the clip's."""
        graphs = self._stages.stage("flow")
        tokens = np.concatenate([person["tokens"].astype(np.int64), np.array(said, np.int64)])[None]
        n_frames = FRAMES_PER_TOKEN * tokens.shape[1]
        if n_frames > MAX_FRAMES:
            raise SynthesisError(
                f"clip and sentence have {n_frames} frames; at most {MAX_FRAMES} are made at once"
            )
        with self._tools.timer.stage("flow"):
            embedded = _first(graphs["flow_token_embedding"], token=tokens)
            mu = _first(graphs["flow_pre_lookahead"], token_embedded=embedded).transpose(0, 2, 1)
            if mu.shape != (1, N_MELS, n_frames):
                raise SynthesisError(f"the flow is given {mu.shape} for {n_frames} frames: another contract")
            speaker = _first(graphs["flow_speaker_projection"], embedding=person["speaker"][None])
            cond = np.zeros_like(mu)
            cond[:, :, : person["mel"].shape[1]] = person["mel"]
            noise = random.standard_normal(mu.shape).astype(np.float32)
            made = flowed(graphs["flow_estimator"], noise, mu, speaker, cond, self._settings.steps)
        return made[0, :, person["mel"].shape[1] :]

    def _sound(self, mel: Floats) -> Iterator[Audio]:
        n_frames = mel.shape[1]
        if not n_frames:
            return
        graphs = self._stages.stage("hift")
        with self._tools.timer.stage("hift"):
            f0 = _first(graphs["hift_f0_predictor"], mel=mel[None])
            source = _first(graphs["hift_source_generator"], f0=f0.reshape(1, 1, -1)).ravel()
        if len(source) != n_frames * HOP_SAMPLES:
            raise SynthesisError(
                f"the source has {len(source)} samples for {n_frames} frames: another contract"
            )
        spectrum = cosyvoice_features.vocoder_spectrum(source)
        keeper = LevelKeeper(self._spec.gain_db, SAMPLE_RATE, n_frames * HOP_SAMPLES)
        margin = self._settings.margin_frames
        sizes = PIECE_FRAMES if self._tools.stream else (n_frames,)
        for start, end in cuts(n_frames, sizes, SHORTEST_PIECE):
            low, high = max(start - margin, 0), min(end + margin, n_frames)
            columns = slice(low * COLUMNS_PER_FRAME, high * COLUMNS_PER_FRAME + 1)
            with self._tools.timer.stage("hift"):
                wave = decoded(graphs["hift_decoder"], mel[None, :, low:high], spectrum[:, :, columns])
            samples = wave[(start - low) * HOP_SAMPLES : (end - low) * HOP_SAMPLES].copy()
            check_sound(samples, SAMPLE_RATE, "the vocoder")
            yield Audio(keeper.keep(samples), SAMPLE_RATE)


def _emotion(sentence: Sentence) -> str | None:
    emotion = sentence.prosody.emotion
    return None if emotion.name == NEUTRAL.name or emotion.intensity < FULL_INTENSITY else emotion.name


def _first(graph: Session, **inputs: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.asarray(graph.run(inputs)[graph.outputs[0]])


def flowed(
    estimator: Session, noise: Floats, mu: Floats, speaker: Floats, cond: Floats, steps: int
) -> Floats:
    """From *noise* to a mel [1, 80, F] in *steps*; the second of each pair knows neither clip nor text."""
    x = noise
    pairs = {
        name: np.concatenate([value, np.zeros_like(value)])
        for name, value in (("mu", mu), ("spks", speaker), ("cond", cond))
    }
    mask = np.ones((2, 1, mu.shape[2]), np.float32)
    times = 1 - np.cos(np.pi / 2 * np.linspace(0, 1, steps + 1))
    for now, after in itertools.pairwise(times):
        t = np.full(2, now, np.float32)
        with_all, without = _first(estimator, x=np.concatenate([x, x]), mask=mask, t=t, **pairs)
        x = x + np.float32(after - now) * ((1 + GUIDANCE) * with_all - GUIDANCE * without)[None]
        x = x.astype(np.float32)
    return x


def decoded(decoder: Session, mel: Floats, spectrum: Floats) -> Floats:
    made = decoder.run({"mel": mel, "source_stft": spectrum})
    if not {"magnitude", "phase"} <= made.keys() or made["magnitude"].shape[2] != spectrum.shape[2]:
        raise SynthesisError(
            "the vocoder makes no magnitude and phase of its source's length: another contract"
        )
    return cosyvoice_features.vocoder_sound(made["magnitude"][0], made["phase"][0])


def _at_speed(mel: Floats, speed: float) -> Floats:
    """Frames in between, or fewer of them."""
    n_frames = max(round(mel.shape[1] / speed), 1)
    if speed == 1.0 or not mel.shape[1]:
        return mel
    # As the published code: the middles of the frames are what keeps its place.
    places = np.clip((np.arange(n_frames) + 0.5) * mel.shape[1] / n_frames - 0.5, 0, mel.shape[1] - 1)
    low = places.astype(np.int64)
    high = np.minimum(low + 1, mel.shape[1] - 1)
    return np.asarray(mel[:, low] + (mel[:, high] - mel[:, low]) * (places - low), np.float32)


def load(spec: VoiceSpec, tools: ModelTools) -> CosyVoice:
    """Raises VoiceLoadError. The graphs are read when they are needed: all at once would not fit."""
    if spec.sample_rate != SAMPLE_RATE:
        raise VoiceLoadError(spec.folder, f"sample_rate: these voices make {SAMPLE_RATE} Hz")
    unknown = sorted(set(spec.emotions) - {NEUTRAL.name, *cosyvoice_tokens.EMOTIONS})
    if unknown:
        raise VoiceLoadError(
            spec.folder / "voice.yaml",
            f"emotions: {', '.join(unknown)}: these voices know {', '.join(cosyvoice_tokens.EMOTIONS)}",
        )
    settings = cosyvoice_files.read_settings(spec)
    cosyvoice_files.check_files(spec)
    clip = cosyvoice_files.read_clip(spec, settings)
    return CosyVoice(spec, tools, Reader(cosyvoice_files.read_tokenizer(spec)), clip, settings)
