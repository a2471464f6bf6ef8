"""Emotions as prosody, for families that control speed, pitch and energy themselves."""

from __future__ import annotations

from dataclasses import replace

from edge_tts.models.base import VoiceSpec
from edge_tts.speech import NEUTRAL, Prosody

MIN_SPEED, MAX_SPEED = 0.2, 5.0
MAX_SEMITONES = 15.0
"""Request and emotion together; beyond it the decoder's spectra no longer fit the pitch."""


def with_emotion(prosody: Prosody, spec: VoiceSpec) -> tuple[Prosody, tuple[str, ...]]:
    """*prosody* over the preset of its emotion, which grows linearly with the intensity; and warnings."""
    emotion = prosody.emotion
    warnings: tuple[str, ...] = ()
    if emotion.name != NEUTRAL.name and emotion.name not in spec.emotions:
        known = ", ".join(sorted(spec.emotions)) or "none"
        warnings = (f"unknown_emotion: voice {spec.name!r} has no {emotion.name!r}; it has: {known}",)
    preset = spec.emotions.get(emotion.name, {})
    felt = Prosody(
        speed=1 + (preset.get("speed", 1.0) - 1) * emotion.intensity,
        pitch_semitones=preset.get("pitch_semitones", 0.0) * emotion.intensity,
        pitch_range=1 + (preset.get("pitch_range", 1.0) - 1) * emotion.intensity,
        energy=preset.get("energy", 0.0) * emotion.intensity,
    )
    total = replace(prosody, emotion=NEUTRAL).over(felt)
    within = replace(
        total,
        speed=min(max(total.speed, MIN_SPEED), MAX_SPEED),
        pitch_semitones=min(max(total.pitch_semitones, -MAX_SEMITONES), MAX_SEMITONES),
    )
    return within, warnings
