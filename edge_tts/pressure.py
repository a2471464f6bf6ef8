"""What gives way when time or memory is short: the voice, of what matters least first."""

from __future__ import annotations

from edge_tts.config import PressureConfig
from edge_tts.errors import ConfigError, MemoryBudgetError
from edge_tts.speech import Priority, Sentence
from edge_tts.text.languages import primary
from edge_tts.voices import LoadedVoice, VoiceStore

_ORDER = tuple(Priority)


class Pressure:
    """Chooses the voice of a sentence. On the synth thread."""

    def __init__(self, config: PressureConfig, voices: VoiceStore) -> None:
        """Raises ConfigError for a light voice that is not installed."""
        installed = voices.installed.voices
        if config.light_voice is not None and config.light_voice not in installed:
            names = ", ".join(sorted(installed))
            raise ConfigError(
                f"pressure.light_voice: no voice named {config.light_voice!r}; installed: {names}"
            )
        self._config = config
        self._voices = voices

    def is_minor(self, priority: Priority) -> bool:
        """Whether what is of that priority gives way."""
        return _ORDER.index(priority) >= _ORDER.index(Priority(self._config.priority))

    @property
    def is_above_budget(self) -> bool:
        return self._voices.is_above_budget

    def voice_for(self, sentence: Sentence, wanted: str, *, is_pressed: bool) -> LoadedVoice:
        """*wanted*, or the light voice if *is_pressed* or *wanted* does not fit into memory. Raises VoiceError."""
        light = self._light_for(sentence, wanted)
        if light is None:
            return self._voices.loaded(wanted)
        first, second = (light, wanted) if is_pressed else (wanted, light)
        try:
            return self._voices.loaded(first)
        except MemoryBudgetError:
            return self._voices.loaded(second)

    def _light_for(self, sentence: Sentence, wanted: str) -> str | None:
        """The light voice, if it is another one and speaks the sentence's language."""
        light = self._config.light_voice
        if light is None or light == wanted:
            return None
        languages = {primary(language) for language in self._voices.spec(light).languages}
        return light if primary(sentence.language) in languages else None
