"""What no door may take, and how each refuses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TOO_LONG = "a" * 10_001
TOO_LARGE = "a" * 70_000
"""For a body."""


@dataclass(frozen=True)
class Refusal:
    told: str
    """The code, or words of the message where the protocol has no codes."""

    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)


REFUSALS: dict[str, dict[str, Refusal]] = {}
"""Caller → what is wrong → how that is asked for and refused."""

REFUSALS["say"] = {
    "empty": Refusal("nothing_to_say", " "),
    "unknown": Refusal("unknown_voice", "Hello.", {"voice": "nobody"}),
    "long": Refusal("text_too_long", TOO_LONG),
    "large": Refusal("body_too_large", TOO_LARGE),
}
REFUSALS["tts"] = REFUSALS["mqtt"] = REFUSALS["say"]
REFUSALS["wyoming"] = REFUSALS["say"] | {"large": Refusal("body_too_large", "a" * 200_000)}
REFUSALS["openai"] = REFUSALS["say"] | {
    # For an unknown voice another one speaks, as the clients of OpenAI and MaryTTS want it.
    "unknown": Refusal("unknown_speaker", "Hello.", {"voice": "hum/nobody"}),
    "long": Refusal("text_too_long", "a" * 4097),
}
REFUSALS["marytts"] = REFUSALS["say"] | {
    "unknown": Refusal("unknown_language", "Hello.", {"locale": "lb"}),
}
REFUSALS["hermes"] = {
    "empty": Refusal("nothing to say", " "),
    "unknown": Refusal("does not speak 'xx'", "Hello.", {"lang": "xx"}),
    "long": Refusal("the limit is 10000", TOO_LONG),
    "large": Refusal("mqtt.max_payload_bytes", TOO_LARGE),
}
REFUSALS["satellite"] = {
    "empty": Refusal("bad_sound", ""),
    "unknown": Refusal("bad_sound", "Hello.", {"rate": 10}),
    "long": Refusal("sound_too_long", "a" * 6400),
    "large": Refusal("body_too_large", "a" * 900, {"block_bytes": 2 << 20}),
}
REFUSALS["hermes_sound"] = {
    "empty": Refusal("not a sample", ""),
    "unknown": Refusal("no sound file", "", {"content": b"RIFF nonsense"}),
    "long": Refusal("send it in parts", "a" * 6400, {"format": "FLAC"}),
    "large": Refusal("of a sound", "a" * 3300),
}
