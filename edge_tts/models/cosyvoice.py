"""CosyVoice 2 and 3 voices: a clip of somebody, an instruction and a text → tokens, one by one → mel → sound.

Slower than speech on any processor of today: made for `edgetts prerender` and the phrase cache. Its four stages hold
gigabytes; only one is open at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge_tts.audio import resampled
from edge_tts.cache import Embedding
from edge_tts.errors import BadClipError, InvalidFieldError, VoiceLoadError
from edge_tts.models import cosyvoice_features, cosyvoice_files
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.cosyvoice_files import Settings, Stages
from edge_tts.models.cosyvoice_frontend import Reader
from edge_tts.models.cosyvoice_layout import FRAMES_PER_TOKEN, first
from edge_tts.models.cosyvoice_sound import SAMPLE_RATE, SoundMaker
from edge_tts.models.cosyvoice_speech import Prompt
from edge_tts.models.packs import Packs, recorded
from edge_tts.speech import NEUTRAL, Audio, Explanation, Reference, Sentence
from edge_tts.text import cosyvoice_tokens
from edge_tts.text.languages import primary

CLIP_RATE = 16000
CLIP_S = (0.5, 30.0)
MAX_TEXT_TOKENS = 120
"""Said in one go."""

FULL_INTENSITY = 0.5
"""From here on an emotion is said; there is nothing between an instruction and none."""


class CosyVoice:
    """A loaded voice."""

    sample_rate = SAMPLE_RATE
    controls = frozenset({"speed", "emotion", "style", "reference", "sounds"})

    def __init__(
        self, spec: VoiceSpec, tools: ModelTools, reader: Reader, clip: Reference | None, settings: Settings
    ) -> None:  # fmt: skip
        self._spec = spec
        self._tools = tools
        self._layout = cosyvoice_files.layout_of(spec)
        self._packs = Packs(spec, self._layout.stages["enrolment"], tools.embeddings)
        self._reader = reader
        self._clip = clip
        self._stages = Stages(spec, tools, self._layout, keep=settings.keep_stages)
        self._maker = SoundMaker(tools, self._layout, self._stages, settings, spec.gain_db)

    def synthesize(self, sentence: Sentence) -> Iterator[Audio]:
        text, warnings = self._reader.ids(sentence)
        if not text:
            return
        clip = self._whom(sentence)
        for warning in warnings:
            self._tools.warn(warning)
        person = self._packs.of(clip, self._hear)
        for part in self._reader.parts(text, MAX_TEXT_TOKENS):
            prompt = self._prompt(sentence, part, clip, person)
            yield from self._maker.say(prompt, person, sentence.prosody.speed)

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
        instruction = cosyvoice_tokens.instruction(sentence.style or "")
        emotion = _emotion(sentence)
        # What voice.yaml does not list is told to be unknown, and so must not be done.
        if not instruction and clip.emotion != emotion and emotion in self._spec.emotions:
            instruction = cosyvoice_tokens.EMOTIONS.get(emotion or "", "")
        before = self._reader.instruction(f"{self._layout.assistant} {instruction}".strip())
        is_foreign = clip.language is not None and primary(clip.language) != sentence.language
        # The words of another language would be heard in how these are said.
        if instruction or is_foreign:
            return Prompt(before, tuple(text), ())
        tokens = tuple(int(token) for token in person["tokens"])
        said = self._reader.words(clip.text, clip.language or sentence.language)
        return Prompt((*before, *said), tuple(text), tokens)

    def _hear(self, clip: Reference) -> Embedding:
        audio = recorded(clip)
        if not CLIP_S[0] <= audio.duration_s <= CLIP_S[1]:
            raise BadClipError(f"{audio.duration_s:.1f} s long; this voice imitates clips of 0.5 to 30 s")
        low = resampled(audio, CLIP_RATE).samples
        graphs = self._stages.stage("enrolment")
        with self._tools.timer.stage("enrolment"):
            feats = cosyvoice_features.speech_spectrum(low)
            length = np.array([feats.shape[2]], np.int64)
            tokens = first(graphs["speech_tokenizer"], feats=feats, feats_length=length).ravel()
            speaker = first(graphs["campplus"], input=cosyvoice_features.speaker_spectrum(low)).ravel()
        mel = cosyvoice_features.mel(resampled(audio, SAMPLE_RATE).samples, self._layout.highest_hz)[0]
        n_tokens = min(len(tokens), mel.shape[1] // FRAMES_PER_TOKEN)
        return {
            "tokens": tokens[:n_tokens].astype(np.float32),
            "mel": mel[:, : FRAMES_PER_TOKEN * n_tokens],
            "speaker": speaker / np.maximum(np.linalg.norm(speaker), np.float32(1e-12)),
        }


def _emotion(sentence: Sentence) -> str | None:
    emotion = sentence.prosody.emotion
    return None if emotion.name == NEUTRAL.name or emotion.intensity < FULL_INTENSITY else emotion.name


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
    layout = cosyvoice_files.layout_of(spec)
    cosyvoice_files.check_files(spec, layout)
    clip = cosyvoice_files.read_clip(spec, settings)
    reader = Reader(cosyvoice_files.read_tokenizer(spec), layout.has_pronunciations)
    return CosyVoice(spec, tools, reader, clip, settings)
