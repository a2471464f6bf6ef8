"""What gives way when time or memory is short: the voice, of what matters least first."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TypeGuard

from edge_tts.config import PressureConfig, VoicesConfig
from edge_tts.errors import ConfigError, MemoryBudgetError, VoiceError
from edge_tts.speech import Priority, Sentence
from edge_tts.text.languages import primary
from edge_tts.voices import LoadedVoice, VoiceStore

log = logging.getLogger(__name__)

_ORDER = tuple(Priority)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who says a sentence, and the warning if that is not the voice that was wanted."""

    voice: LoadedVoice
    warning: str | None = None


class Pressure:
    """Chooses the voice of a sentence. On the synth thread."""

    def __init__(self, config: PressureConfig, speaking: VoicesConfig, voices: VoiceStore) -> None:
        """Raises ConfigError for a light voice that is not installed."""
        installed = voices.installed.voices
        if config.light_voice is not None and config.light_voice not in installed:
            names = ", ".join(sorted(installed))
            raise ConfigError(
                f"pressure.light_voice: no voice named {config.light_voice!r}; installed: {names}"
            )
        self._config = config
        self._speaking = speaking
        self._voices = voices

    def is_minor(self, priority: Priority) -> bool:
        """Whether what is of that priority gives way."""
        return _ORDER.index(priority) >= _ORDER.index(Priority(self._config.priority))

    @property
    def is_above_budget(self) -> bool:
        return self._voices.is_above_budget

    def voice_for(self, sentence: Sentence, wanted: str, *, is_minor: bool, is_pressed: bool) -> Choice:
        """*wanted*; a quick voice if *wanted* is slow and the sentence is minor; the light voice if *is_pressed* or
        *wanted* does not fit into memory. Raises VoiceError."""
        if is_minor and self._speaking.heavy == "fallback" and self._is_slow(wanted):
            quick = self._quick_for(sentence, wanted)
            if quick is not None:
                return Choice(quick, f"fallback_voice:{quick.spec.name}")
        voice = self._fitting(sentence, wanted, is_pressed)
        return Choice(voice, None if voice.spec.name == wanted else f"degraded_voice:{voice.spec.name}")

    def _fitting(self, sentence: Sentence, wanted: str, is_pressed: bool) -> LoadedVoice:
        light = self._config.light_voice
        if not self._can_replace(light, sentence, wanted):
            return self._voices.loaded(wanted)
        first, second = (light, wanted) if is_pressed else (wanted, light)
        try:
            return self._voices.loaded(first)
        except MemoryBudgetError:
            return self._voices.loaded(second)

    def _is_slow(self, name: str) -> bool:
        try:
            return self._voices.is_slow(name)
        except MemoryBudgetError:
            return False

    def _quick_for(self, sentence: Sentence, wanted: str) -> LoadedVoice | None:
        """The light or the default voice, if it can say the sentence as fast as it is heard."""
        for name in (self._config.light_voice, self._speaking.default):
            if not self._can_replace(name, sentence, wanted):
                continue
            try:
                if not self._voices.is_slow(name):
                    return self._voices.loaded(name)
            except VoiceError as error:
                log.warning("voice %s cannot speak for %s: %s", name, wanted, error)
        return None

    def _can_replace(self, name: str | None, sentence: Sentence, wanted: str) -> TypeGuard[str]:
        """Whether *name* is another voice and speaks the sentence's language."""
        if name is None or name == wanted:
            return False
        languages = {primary(language) for language in self._voices.spec(name).languages}
        return primary(sentence.language) in languages
