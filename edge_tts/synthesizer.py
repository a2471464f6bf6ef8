"""The pipeline: a request becomes a plan (sentences), a plan becomes pieces of sound.

Synchronous, on the synth thread only; knows no sockets and no loudspeaker.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from edge_tts.audio import join
from edge_tts.cache import PhraseCache, digest
from edge_tts.config import VoicesConfig
from edge_tts.errors import NothingToSayError, SpeechError, UnknownLanguageError, UnknownSpeakerError
from edge_tts.metrics import Metrics
from edge_tts.models.base import Told, VoiceSpec
from edge_tts.pressure import Choice, Pressure
from edge_tts.references import References
from edge_tts.speech import Audio, Piece, Sentence, SpeakRequest, silence, with_gain
from edge_tts.text.frontend import Frontend
from edge_tts.text.languages import closest
from edge_tts.voices import SLOW_RTF, LoadedVoice, VoiceStore, as_said


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that can be spoken: checked, normalized, cut into sentences."""

    voice: str
    sentences: tuple[Sentence, ...]
    """Each with its voice and speaker decided."""

    warnings: tuple[str, ...]
    is_minor: bool = False
    """Gives way to others when time or memory is short."""

    is_crowded: bool = False
    """Too many wait behind it."""

    is_announcement: bool = False
    """Heard while it is made: to have no gaps, a slow voice makes it whole first."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A sentence as it is said now."""

    voice: str
    sentence: Sentence
    sample_rate: int
    pieces: Iterable[tuple[Audio, float]]  # with the seconds each took


class Synthesizer:
    def __init__(
        self, config: VoicesConfig, frontend: Frontend, voices: VoiceStore, pressure: Pressure, cache: PhraseCache,
        metrics: Metrics, told: Told, references: References,
    ) -> None:  # fmt: skip
        """*told* is where the models of *voices* put their warnings and their pace."""
        self._config = config
        self.frontend = frontend
        self._pressure = pressure
        self._cache = cache
        self._metrics = metrics
        self._told = told
        self._warned = told.warnings
        self.references = references
        self.voices = voices

    def plan(self, request: SpeakRequest, default_voice: str) -> Plan:
        """Raises RequestError for what cannot be spoken as asked, VoiceLoadError for a voice that is broken."""
        voice = request.voice or default_voice
        spec = self.voices.spec(voice)
        with self._metrics.stage("normalize"):
            sentences, warnings = self.frontend.sentences(
                request, languages=spec.languages, language=self._language(request, spec)
            )
        references = self.references.of(request.reference) if request.reference else ()
        cast = tuple(
            replace(self._cast(sentence, request, voice), references=references) for sentence in sentences
        )
        cast *= request.repeat
        for warning in warnings:
            self._metrics.warnings.labels(warning.split(":")[0]).inc()
        return Plan(voice, cast, tuple(warnings), self._pressure.is_minor(request.priority))

    def _language(self, request: SpeakRequest, spec: VoiceSpec) -> str:
        """The language of text that doesn't show its own: asked for, the speaker's, configured, the voice's."""
        if request.language:
            if closest(request.language, spec.languages) is None:
                raise UnknownLanguageError(request.language, spec.name, spec.languages)
            return request.language
        if request.speaker:
            for language, speaker in spec.default_speakers.items():
                if speaker == request.speaker:
                    return closest(language, spec.languages) or spec.languages[0]
        if self._config.language:
            return closest(self._config.language, spec.languages) or spec.languages[0]
        return spec.languages[0]

    def _cast(self, sentence: Sentence, request: SpeakRequest, voice: str) -> Sentence:
        """*sentence* with the voice and speaker that will say it."""
        spec = self.voices.spec(sentence.voice or voice)
        # A speaker of the request's voice means nothing inside another voice named by markup.
        speaker = sentence.speaker or (request.speaker if spec.name == voice else None)
        if speaker is not None and speaker not in spec.speakers:
            by_id = {str(number): name for name, number in spec.speakers.items()}
            if speaker not in by_id:
                raise UnknownSpeakerError(speaker, spec.name, spec.speakers)
            speaker = by_id[speaker]
        return replace(sentence, voice=spec.name, speaker=speaker)

    def render(self, plan: Plan) -> Generator[Piece, None, None]:
        """The pieces of *plan* in order; raises VoiceError or UnsupportedPronunciationError where it happens, and
        NothingToSayError at the end if not a sound was made."""
        n_sentences = len(plan.sentences)
        is_silent = True
        # What is left is of a plan that failed.
        self._warned.clear()
        ahead: dict[Sentence, _Said] = {}
        if plan.is_announcement and any(self._is_slow(asked, plan) for asked in plan.sentences):
            yield from self._make_ahead(plan, ahead)
        for index, asked in enumerate(plan.sentences):
            said = ahead.get(asked) or self._said(asked, plan)
            sentence, sample_rate = said.sentence, said.sample_rate
            for audio, synthesis_s in said.pieces:
                sound = with_gain(audio, sentence.prosody.volume)
                yield self._piece(sound, index, n_sentences, synthesis_s)
                is_silent = is_silent and not len(sound.samples)
            if sentence.pause_s and (index + 1 < n_sentences or not asked.spans):
                yield self._piece(silence(sentence.pause_s, sample_rate), index, n_sentences)
        if is_silent and any(sentence.spans for sentence in plan.sentences):
            raise NothingToSayError
        if self._warned:
            yield self._piece(silence(0, sample_rate), index, n_sentences)

    def _make_ahead(self, plan: Plan, ahead: dict[Sentence, _Said]) -> Generator[Piece, None, None]:
        """Put all sentences of *plan* into *ahead*, made; pieces without sound tell how far it is."""
        told: set[str] = set()
        for index, asked in enumerate(plan.sentences):
            if asked in ahead:
                continue
            said = self._said(asked, plan)
            reached = Piece(silence(0, said.sample_rate), index, len(plan.sentences))
            made: list[tuple[Audio, float]] = []
            yield replace(reached, warnings=self._slow_voice(said, told))
            for audio, synthesis_s in said.pieces:
                made += [(audio, 0.0)] if len(audio.samples) else []
                yield self._piece(reached.audio, index, len(plan.sentences), synthesis_s)
            # Only now known of a voice that says nothing without a clip.
            yield replace(reached, warnings=self._slow_voice(said, told))
            ahead[asked] = replace(said, pieces=made)

    def _slow_voice(self, said: _Said, told: set[str]) -> tuple[str, ...]:
        """The warning, once for each voice; not with the others, for which a sentence is kept out of the cache."""
        rtf = self.voices.rtf(said.voice)
        if rtf is None or rtf <= SLOW_RTF or said.voice in told:
            return ()
        told.add(said.voice)
        self._metrics.warnings.labels("slow_voice").inc()
        return (f"slow_voice:{said.voice}: {rtf:.1f} s for one second of sound",)

    def _is_slow(self, asked: Sentence, plan: Plan) -> bool:
        """Whether it has to be made, by a voice that is slower than it is heard."""
        wanted = asked.voice or plan.voice
        try:
            rtf = self.voices.rtf(wanted)
            if not asked.spans or (rtf is not None and rtf <= SLOW_RTF) or self._is_cached(asked, plan):
                return False
            voice = self._choose(asked, plan).voice
            key = _cache_key(as_said(asked, voice)[0], voice.identity)
            return self.voices.is_slow(voice.spec.name) and not self._cache.has(key)
        except SpeechError:
            # Told when its turn comes: what is before it is heard.
            return False

    def _said(self, asked: Sentence, plan: Plan) -> _Said:
        wanted = asked.voice or plan.voice
        cached = self._cache.get(self._key_of(asked, wanted)) if self._is_cached(asked, plan) else None
        if cached is not None:
            return _Said(wanted, asked, cached.sample_rate, [(cached, 0.0)])
        choice = self._choose(asked, plan)
        voice = choice.voice
        if choice.warning is not None:
            asked = replace(asked, voice=voice.spec.name, speaker=None)
            self._warned.append(choice.warning)
        sentence, warnings = as_said(asked, voice)
        self._warned.extend(warnings)
        pieces = self._pieces(sentence, voice) if asked.spans else []
        return _Said(voice.spec.name, sentence, voice.model.sample_rate, pieces)

    def _choose(self, asked: Sentence, plan: Plan) -> Choice:
        is_pressed = plan.is_minor and (plan.is_crowded or self._pressure.is_above_budget)
        wanted, n_warned = asked.voice or plan.voice, len(self._warned)
        choice = self._pressure.voice_for(asked, wanted, is_minor=plan.is_minor, is_pressed=is_pressed)
        # A voice that was loaded for it has said a few words: what it was warned of then concerns nobody.
        del self._warned[n_warned:]
        return choice

    def _is_cached(self, asked: Sentence, plan: Plan) -> bool:
        """Whether it was spoken before, and no voice need be loaded or chosen; not what only the voice can key."""
        wanted = asked.voice or plan.voice
        if not asked.spans or asked.style or asked.references:
            return False
        is_spared = plan.is_minor or not self.voices.is_loaded(wanted)
        return is_spared and self._cache.has(self._key_of(asked, wanted))

    def _key_of(self, asked: Sentence, voice: str) -> str:
        return _cache_key(asked, self.voices.identity(voice))

    def _piece(self, audio: Audio, index: int, n_sentences: int, synthesis_s: float = 0.0) -> Piece:
        """What was just made, with what was told about it."""
        pace, self._told.tokens_per_s = self._told.tokens_per_s, None
        return Piece(audio, index, n_sentences, synthesis_s, self._take_warnings(), pace)

    def _take_warnings(self) -> tuple[str, ...]:
        """What the piece just made was warned of; nothing else ran on this thread since."""
        warnings = tuple(dict.fromkeys(self._warned))
        self._warned.clear()
        for warning in warnings:
            self._metrics.warnings.labels(warning.split(":")[0]).inc()
        return warnings

    def _pieces(self, sentence: Sentence, voice: LoadedVoice) -> Generator[tuple[Audio, float], None, None]:
        """The sound of one sentence with the seconds each piece took, from the cache or the model."""
        start_s = time.perf_counter()
        key = _cache_key(sentence, voice.identity)
        cached = self._cache.get(key)
        if cached is not None:
            yield cached, time.perf_counter() - start_s
            return
        made: list[Audio] = []
        total_s = 0.0
        is_as_asked = True
        pieces = voice.model.synthesize(sentence)
        while True:
            start_s = time.perf_counter()
            audio = next(pieces, None)
            took_s = time.perf_counter() - start_s
            total_s += took_s
            if audio is None:
                break
            if len(audio.samples):
                made.append(audio)
            is_as_asked = is_as_asked and not self._warned
            yield audio, took_s
        whole = join(made, voice.model.sample_rate)
        if not len(whole.samples):
            self._warned.append("silent_sentence: it has nothing that this voice can say")
            return
        self._metrics.audio_seconds.inc(whole.duration_s)
        self._metrics.rtf.labels(voice.spec.name).observe(total_s / whole.duration_s)
        self.voices.note_rtf(voice.identity, total_s / whole.duration_s)
        # A sentence that was warned of is made anew each time, to be warned of again.
        if is_as_asked:
            self._cache.put(key, whole)

    def explain(self, request: SpeakRequest, default_voice: str) -> dict[str, Any]:
        """What would be said, as JSON; makes no sound."""
        plan = self.plan(request, default_voice)
        sentences, warnings, duration_s = [], list(plan.warnings), 0.0
        for sentence in plan.sentences:
            voice = self.voices.loaded(sentence.voice or plan.voice)
            shown: dict[str, Any] = {
                "text": sentence.text,
                "language": sentence.language,
                "voice": voice.spec.name,
            }
            if sentence.spans:
                said, unsupported = as_said(sentence, voice)
                explanation = voice.model.explain(said)
                warnings += [*unsupported, *explanation.warnings]
                seconds = explanation.duration_s
                shown |= {
                    "phonemes": explanation.phonemes,
                    "duration_s": None if seconds is None else round(seconds, 3),
                }
                duration_s += seconds or 0.0
            duration_s += sentence.pause_s
            sentences.append(shown | {"pause_s": sentence.pause_s})
        return {
            "voice": plan.voice,
            "normalized": " ".join(sentence.text.strip() for sentence in plan.sentences),
            "sentences": sentences,
            "duration_s": round(duration_s, 3),
            "warnings": list(dict.fromkeys(warnings)),
        }


def _cache_key(sentence: Sentence, identity: str) -> str:
    """Everything that decides the sound; not the volume and the pause, which come after the cache."""
    heard = replace(sentence, pause_s=0.0, prosody=replace(sentence.prosody, volume=1.0))
    return digest(identity, asdict(heard))
