"""The fields of a request in JSON: one line each, with the check that turns a value into what the service takes.

A check is called with the field's name as given and the value; it raises InvalidFieldError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from edge_tts.errors import InvalidFieldError, NothingToSayError
from edge_tts.speech import Emotion, Priority

Check = Callable[[str, Any], Any]

MAX_NAME_CHARACTERS = 200
MAX_TTL_S = 10 * 365 * 86400
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")


def spoken_text(name: str, value: Any) -> str:
    text = string(name, value)
    if not text.strip():
        raise NothingToSayError
    return text


def string(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidFieldError(name, value, "text")
    # "\ud800" alone is valid JSON and no character: no UTF-8, so no log, file or library would take it.
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidFieldError(name, value, "text without NUL and lone surrogates")
    return value


def _name(name: str, value: Any) -> str:
    """Text that names something; a number is its digits (`"id": 222`)."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not 1 <= len(string(name, value)) <= MAX_NAME_CHARACTERS:
        raise InvalidFieldError(name, value, f"1 to {MAX_NAME_CHARACTERS} characters")
    return str(value)


def one_of(*allowed: str) -> Check:
    def check(name: str, value: Any) -> str:
        if value not in allowed:
            raise InvalidFieldError(name, value, f"one of {', '.join(allowed)}")
        return str(value)

    return check


def number(least: float, most: float) -> Callable[[str, Any], float]:
    """A check for numbers between *least* and *most*."""

    def check(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            # 1e999 is JSON, and infinite; NaN fails the comparison.
            raise InvalidFieldError(name, value, f"a number from {least:g} to {most:g}")
        return float(value)

    return check


def volume_percent(name: str, value: Any) -> float:
    """0 to 100; a fraction below 1.0 is a scale (0.4 is 40 %), as half of the programs that send it mean it."""
    percent = number(0, 100)(name, value)
    return percent * 100 if isinstance(value, float) and value < 1.0 else percent


def boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidFieldError(name, value, "true or false")
    return value


def _language(name: str, value: Any) -> str:
    language = _name(name, value)
    if not _LANGUAGE.fullmatch(language):
        raise InvalidFieldError(name, value, "a language tag as en, de-DE or zh")
    return language.replace("_", "-")


def _emotion(name: str, value: Any) -> Emotion:
    if isinstance(value, dict) and value.keys() <= {"name", "intensity"} and "name" in value:
        intensity = number(0, 1)(f"{name}.intensity", value.get("intensity", 1.0))
        return Emotion(_name(f"{name}.name", value["name"]).lower(), intensity)
    if not isinstance(value, str):
        raise InvalidFieldError(name, value, 'a name as "happy", or {"name": "happy", "intensity": 0.5}')
    return Emotion(_name(name, value).lower())


def _priority(name: str, value: Any) -> Priority:
    return Priority(one_of(*Priority)(name, value))


def _moment(name: str, value: Any) -> float:
    """RFC 3339 → Unix seconds."""
    try:
        moment = datetime.fromisoformat(string(name, value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        # Without an offset it would mean another moment on each box of a group.
        raise InvalidFieldError(name, value, "a time with offset, as 2026-01-31T07:00:00Z")
    return moment.timestamp()


def _chime(name: str, value: Any) -> str | None:
    """Sound before speech: a name, false for none, true for the configured one or else a bundled one."""
    if isinstance(value, bool):
        return "default" if value else ""
    return string(name, value)


def _repeat(name: str, value: Any) -> int:
    if isinstance(value, float):
        raise InvalidFieldError(name, value, "a whole number from 1 to 10")
    return int(number(1, 10)(name, value))


def from_query(query: Mapping[str, str]) -> dict[str, str | float]:
    """QUERY_FIELDS in `?voice=anna&speed=1.2`, to be checked as those of JSON are."""
    fields: dict[str, str | float] = {}
    for name in QUERY_FIELDS.keys() & query.keys():
        try:
            fields[name] = QUERY_FIELDS[name](query[name])
        except ValueError:
            # The check will say what was expected.
            fields[name] = query[name]
    return fields


FIELDS: dict[str, Check] = {
    "text": spoken_text,
    "format": one_of("text", "ssml"),
    "voice": _name,
    "language": _language,
    "speaker": _name,
    "speed": number(0.25, 4.0),
    "pitch": number(-12, 12),
    "volume": volume_percent,
    "emotion": _emotion,
    "style": string,
    "reference": _name,
    "priority": _priority,
    "id": _name,
    "replace": _name,
    "ttl_s": number(0, MAX_TTL_S),
    "at": _moment,
    "chime": _chime,
    "repeat": _repeat,
}
"""Fields of SpeakRequest by their JSON names."""

QUERY_FIELDS = {
    **dict.fromkeys(("voice", "language", "speaker", "priority"), str),
    **dict.fromkeys(("speed", "pitch", "volume"), float),
}
"""Fields that may stand in the address, beside a text that is nothing else; and what they are there."""

SYNONYMS = {
    **dict.fromkeys(("message", "msg", "payload", "speak", "say", "phrase"), "text"),
    "lang": "language",
    "rate": "speed",
    "sound": "chime",
}
"""What other text-to-speech programs call them."""
