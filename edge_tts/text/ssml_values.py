"""What SSML attributes mean in numbers. Every function raises MarkupError naming a value it cannot read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from edge_tts.errors import MarkupError
from edge_tts.speech import Emotion, Prosody
from edge_tts.text.markup import pause

_Value = TypeVar("_Value")

_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.75}
_PITCHES = {"x-low": -4.0, "low": -2.0, "medium": 0.0, "default": 0.0, "high": 2.0, "x-high": 4.0}
_RANGES = {"x-low": 0.4, "low": 0.7, "medium": 1.0, "default": 1.0, "high": 1.4, "x-high": 1.8}
_VOLUMES = {
    "silent": 0.0, "x-soft": 0.25, "soft": 0.5, "medium": 1.0, "default": 1.0, "loud": 1.5, "x-loud": 2.0,
}  # fmt: skip
_BREAKS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.0}
_EMPHASES = {
    "strong": Prosody(speed=0.88, pitch_semitones=1.5, energy=1.0),
    "moderate": Prosody(speed=0.94, pitch_semitones=0.8, energy=0.5),
    "reduced": Prosody(speed=1.1, pitch_semitones=-0.5, energy=-0.7),
    "none": Prosody(),
}
_STYLES = {
    "cheerful": "happy", "excited": "happy", "joyful": "happy", "joy": "happy", "friendly": "happy",
    "sadness": "sad", "depressed": "sad", "anger": "angry", "fear": "fearful", "terrified": "fearful",
    "surprise": "surprised", "gentle": "calm",
}  # fmt: skip
"""Other products' names of emotions; any other name is left to the voice."""

_MAX_FACTOR = 4.0


def break_s(attributes: Mapping[str, str]) -> float:
    """The silence of a break, in seconds."""
    written = attributes.get("time")
    if written is None:
        return _named(_BREAKS, attributes.get("strength", "medium"), "strength")
    match = re.fullmatch(r"\+?(\d*\.?\d+)\s*(ms|s)", written.strip())
    if match is None:
        raise MarkupError(f"break time {written!r} is no duration; expected one such as 500ms or 1.5s")
    return pause(float(match[1]) / (1000 if match[2] == "ms" else 1), written)


def emphasis(level: str) -> Prosody:
    return _named(_EMPHASES, level, "emphasis level")


def emotion(name: str, intensity: str) -> Emotion:
    """*intensity* from 0 to 1; more (a styledegree of 2) counts as 1."""
    lowered = name.strip().lower()
    degree = _number(intensity, "intensity")
    if degree < 0:
        raise MarkupError(f"intensity {intensity!r} must be from 0 to 1")
    return Emotion(_STYLES.get(lowered, lowered), min(degree, 1.0))


def prosody(attributes: Mapping[str, str]) -> Prosody:
    """rate, pitch, range and volume; what is not given is unchanged."""
    said = Prosody()
    if "rate" in attributes:
        said = replace(said, speed=_factor(attributes["rate"], _RATES, "rate"))
    if "pitch" in attributes:
        said = replace(said, pitch_semitones=_semitones(attributes["pitch"]))
    if "range" in attributes:
        said = replace(said, pitch_range=_factor(attributes["range"], _RANGES, "range"))
    if "volume" in attributes:
        said = replace(said, volume=_volume(attributes["volume"]))
    return said


def _factor(written: str, names: Mapping[str, float], attribute: str) -> float:
    """A name, "80%", a relative "+20%", or a factor "1.2"."""
    text = written.strip().lower()
    if text in names:
        return names[text]
    if not text.endswith("%"):
        value = _number(text, attribute, names)
    else:
        percent = _number(text[:-1], attribute, names) / 100
        value = 1 + percent if text[0] in "+-" else percent
    if not 0 < value <= _MAX_FACTOR:
        raise MarkupError(f"{attribute} {written!r} is out of range; expected more than 0% and at most 400%")
    return value


def _semitones(written: str) -> float:
    text = written.strip().lower()
    if text in _PITCHES:
        return _PITCHES[text]
    if text.endswith("st"):
        value = _number(text[:-2], "pitch", _PITCHES)
    elif text.endswith("%"):
        value = 12 * math.log2(_factor(text, {}, "pitch"))
    else:
        raise MarkupError(
            f"pitch {written!r} cannot be applied; expected semitones such as +2st, a percentage such as +10% "
            f"or {', '.join(_PITCHES)}"
        )
    if abs(value) > 24:
        raise MarkupError(f"pitch {written!r} is out of range; expected -24st to +24st")
    return value


def _volume(written: str) -> float:
    """Linear gain: a name, "+6dB", "50%", "+10%", or 0 to 100."""
    text = written.strip().lower()
    if text in _VOLUMES:
        return _VOLUMES[text]
    if text.endswith("db"):
        gain = 10 ** (min(_number(text[:-2], "volume", _VOLUMES), 100.0) / 20)
    elif text.endswith("%"):
        percent = _number(text[:-1], "volume", _VOLUMES) / 100
        gain = 1 + percent if text[0] in "+-" else percent
    else:
        gain = _number(text, "volume", _VOLUMES) / 100 + (text[0] in "+-")
    if not 0 <= gain <= _MAX_FACTOR:
        raise MarkupError(f"volume {written!r} is out of range; expected at most +12dB")
    return gain


def _named(values: Mapping[str, _Value], name: str, attribute: str) -> _Value:
    if name.strip().lower() not in values:
        raise MarkupError(f"{attribute} {name!r} is unknown; expected {', '.join(values)}")
    return values[name.strip().lower()]


def _number(written: str, attribute: str, names: Mapping[str, object] | None = None) -> float:
    if not re.fullmatch(r"[+-]?(\d{1,9}(\.\d{0,9})?|\.\d{1,9})", written.strip()):
        known = f" or {', '.join(names)}" if names else ""
        raise MarkupError(f"{attribute} {written!r} cannot be read; expected a number{known}")
    return float(written)
