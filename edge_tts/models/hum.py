"""A sine per character: for tests, and for finding the loudspeaker. Needs no files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.speech import Audio, Explanation, Sentence

CHARACTER_S = 0.06
PITCH_HZ = 220.0
AMPLITUDE = 0.2
PIECE_S = 0.25


class Hum:
    """Deterministic: CHARACTER_S of sound for each character of the sentence, at speed 1."""

    controls = frozenset({"speed", "pitch"})

    def __init__(self, sample_rate: int, tools: ModelTools) -> None:
        self.sample_rate = sample_rate
        self._stream = tools.stream

    def synthesize(self, sentence: Sentence) -> Iterator[Audio]:
        text = _words(sentence)
        n_samples = round(_duration_s(text, sentence) * self.sample_rate)
        piece_samples = round(PIECE_S * self.sample_rate) if self._stream else max(n_samples, 1)
        pitch_hz = PITCH_HZ * 2 ** (sentence.prosody.pitch_semitones / 12)
        for start in range(0, n_samples, piece_samples):
            cycles = np.arange(start, min(start + piece_samples, n_samples)) / self.sample_rate * pitch_hz
            yield Audio((AMPLITUDE * np.sin(2 * np.pi * cycles)).astype(np.float32), self.sample_rate)

    def explain(self, sentence: Sentence) -> Explanation:
        text = _words(sentence)
        return Explanation(text, _duration_s(text, sentence), ())


def _words(sentence: Sentence) -> str:
    return "".join(span.text for span in sentence.spans)


def _duration_s(text: str, sentence: Sentence) -> float:
    return len(text) * CHARACTER_S / sentence.prosody.speed


def load(spec: VoiceSpec, tools: ModelTools) -> Hum:
    return Hum(spec.sample_rate, tools)
