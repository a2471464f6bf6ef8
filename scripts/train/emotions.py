"""Emotions of a voice, as voice.yaml has them and edge_tts/models/emotion.py reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_tts.models.emotion import MAX_SEMITONES, MAX_SPEED, MIN_SPEED

EMOTIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "happy": {"speed": 1.06, "pitch_semitones": 1.5, "pitch_range": 1.4, "energy": 0.15},
    "sad": {"speed": 0.86, "pitch_semitones": -1.5, "pitch_range": 0.6, "energy": -0.25},
    "angry": {"speed": 1.08, "pitch_semitones": 0.8, "pitch_range": 1.3, "energy": 0.35},
    "calm": {"speed": 0.9, "pitch_semitones": -0.7, "pitch_range": 0.8, "energy": -0.15},
    "excited": {"speed": 1.14, "pitch_semitones": 2.5, "pitch_range": 1.5, "energy": 0.3},
    "soft": {"speed": 0.92, "pitch_semitones": -0.6, "pitch_range": 0.7, "energy": -0.45},
}
"""For a recipe without its own. At intensity 1; less is in proportion. speed is a factor of speed, pitch_semitones are
added, pitch_range is a factor of the liveliness of pitch, energy is added in standard deviations of the speaker's own
(one is 10 dB)."""

LIMITS = {
    "speed": (MIN_SPEED, MAX_SPEED),
    "pitch_semitones": (-MAX_SEMITONES, MAX_SEMITONES),
    "pitch_range": (0.0, 3.0),
    "energy": (-3.0, 3.0),
}


def check_emotions(emotions: Mapping[Any, object]) -> None:
    """Raises ValueError for what no voice.yaml may have."""
    for name, preset in emotions.items():
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"emotions: the name {name!r} should be text, in quotes if need be")
        if not isinstance(preset, dict):
            wanted = "{speed: 1.06, pitch_semitones: 1.5}"
            raise ValueError(f"emotions: {name} is {preset!r}; wanted {wanted}")  # noqa: TRY004 as of all settings
        for key, value in preset.items():
            if key not in LIMITS:
                raise ValueError(f"emotions: {name} has the unknown key {key!r}; known: {', '.join(LIMITS)}")
            low, high = LIMITS[key]
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not low <= value <= high:
                raise ValueError(f"emotions: {key} of {name} is {value!r}; wanted {low:g} to {high:g}")
