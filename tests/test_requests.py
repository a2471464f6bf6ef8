"""JSON and plain text → requests: every field, every way to get one wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from edge_tts.doors.base import (
    COMMANDS,
    json_object,
    request_from_json,
    request_from_payload,
    request_from_text,
)
from edge_tts.doors.fields import FIELDS, SYNONYMS
from edge_tts.errors import (
    BadJsonError,
    ConfigError,
    InvalidFieldError,
    NothingToSayError,
    OthersError,
    RequestError,
    SpeechError,
)
from edge_tts.sound_files import FORMATS
from edge_tts.speech import Emotion, EventType, Priority, SpeakRequest

FULL = {
    "text": "Hello",
    "format": "ssml",
    "voice": "hum",
    "language": "de-DE",
    "speaker": "kerstin",
    "speed": 1.5,
    "pitch": -2,
    "volume": 40,
    "emotion": {"name": "happy", "intensity": 0.5},
    "style": "as a secret",
    "reference": "grandma",
    "priority": "important",
    "id": "a1",
    "replace": "weather",
    "ttl_s": 30,
    "at": "2026-01-31T07:00:00+01:00",
    "chime": "ding",
    "repeat": 2,
}


def parse(**body: Any) -> SpeakRequest:
    return request_from_json({"text": "Hello"} | body, source="test")[0]


def test_every_field_arrives() -> None:
    request, warnings = request_from_json(FULL, source="http")
    assert warnings == ()
    assert request == SpeakRequest(
        text="Hello", format="ssml", voice="hum", language="de-DE", speaker="kerstin", speed=1.5, pitch=-2.0,
        volume=40.0, emotion=Emotion("happy", 0.5), style="as a secret", reference="grandma",
        priority=Priority.IMPORTANT, id="a1", replace="weather", ttl_s=30.0, at=1769839200.0, chime="ding", repeat=2,
        source="http",
    )  # fmt: skip


def test_every_field_of_a_request_has_a_check() -> None:
    # Where it comes from, and what its door wants back, no caller may say.
    assert set(FIELDS) == {field.name for field in fields(SpeakRequest)} - {"source", "context"}
    assert set(FULL) == set(FIELDS)


@pytest.mark.parametrize(("synonym", "name"), SYNONYMS.items())
def test_synonyms(synonym: str, name: str) -> None:
    value = {"text": "Hi", "language": "en", "speed": 2.0, "chime": "ding"}[name]
    body = {synonym: value} if name == "text" else {"text": "Hi", synonym: value}
    request, warnings = request_from_json(body, source="")
    assert getattr(request, name) == value
    assert warnings == ()


def test_the_contracts_name_wins_over_its_synonym_whatever_the_order() -> None:
    request, warnings = request_from_json({"message": "no", "text": "yes"}, source="")
    assert (request.text, warnings) == ("yes", ("unused_field:message",))


def test_unknown_fields_are_warnings() -> None:
    assert request_from_json({"text": "x", "colour": 3}, source="")[1] == ("unknown_field:colour",)


def test_null_is_as_if_absent() -> None:
    assert parse(**dict.fromkeys(set(FIELDS) - {"text"})) == parse()


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("volume", 0, 0.0),
        ("volume", 1, 1.0),
        ("volume", 100, 100.0),
        ("volume", 0.4, 40.0),
        ("volume", 55.5, 55.5),
        ("emotion", "Sad", Emotion("sad")),
        ("emotion", {"name": "sad"}, Emotion("sad", 1.0)),
        ("chime", False, ""),
        ("chime", True, "default"),
        ("chime", "gong", "gong"),
        ("speaker", 3, "3"),
        ("id", 222, "222"),
        ("language", "en_US", "en-US"),
        ("at", "1970-01-01T00:00:10Z", 10.0),
    ],
)
def test_values_that_need_a_reading(field: str, value: object, expected: object) -> None:
    assert getattr(parse(**{field: value}), field) == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", 42),
        ("text", ["a"]),
        ("text", "a\0b"),
        ("text", "\ud800"),
        ("format", "html"),
        ("format", ["ssml"]),
        ("voice", {}),
        ("voice", ""),
        ("voice", "v" * 300),
        ("language", "english please"),
        ("language", "../../etc"),
        ("speed", 0),
        ("speed", 5),
        ("speed", "1.5"),
        ("speed", True),
        ("speed", float("nan")),
        ("speed", float("inf")),
        ("pitch", 13),
        ("volume", -1),
        ("volume", 101),
        ("volume", "loud"),
        ("emotion", 7),
        ("emotion", {"intensity": 1}),
        ("emotion", {"name": "sad", "intensity": 2}),
        ("emotion", {"name": "sad", "colour": 1}),
        ("style", 1),
        ("priority", "high"),
        ("id", True),
        ("id", 1.5),
        ("ttl_s", -1),
        ("ttl_s", 10**400),
        ("at", "tomorrow"),
        ("at", "2026-01-31T07:00:00"),
        ("at", 1769839200),
        ("chime", 1),
        ("repeat", 0),
        ("repeat", 11),
        ("repeat", 1.0),
    ],
)
def test_wrong_values_name_field_and_value(field: str, value: object) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        parse(**{field: value})
    assert caught.value.field.split(".")[0] == field
    assert str(caught.value).startswith(field)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize("text", ["", " \n"])
def test_blank_text_is_nothing_to_say(text: str) -> None:
    with pytest.raises(NothingToSayError):
        parse(text=text)


def test_text_is_required() -> None:
    with pytest.raises(InvalidFieldError, match="text: expected the text to speak"):
        request_from_json({"voice": "hum"}, source="")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b'{"text": "a",}',
        b"[1]",
        b"42",
        b'{"text": "a", "volume": NaN}',
        b'{"text": "a", "volume": -Infinity}',
        b'{"text": "a", "text": "b"}',
        b'{"a": ' + b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_broken_json_is_bad_json(payload: bytes) -> None:
    with pytest.raises(BadJsonError):
        json_object(payload)


def test_invalid_utf8_is_an_error_and_a_byte_order_mark_none() -> None:
    with pytest.raises(RequestError, match="not UTF-8"):
        request_from_payload(b"\xff\xfe", source="")
    assert request_from_payload(b"\xef\xbb\xbfHello", source="")[0].text == "Hello"
    assert request_from_payload(b'\xef\xbb\xbf{"text": "Hello"}', source="")[0].text == "Hello"


@pytest.mark.parametrize("text", ["42", "true", '"quoted"', "[1, 2]", "null", "Hello {name}", "Grüße 你好"])
def test_what_is_no_object_is_spoken(text: str) -> None:
    assert request_from_payload(text.encode(), source="")[0].text == text


@pytest.mark.parametrize("payload", [b'{"text": "a"', b"{{ states('x') }}", b" \n{oops}"])
def test_what_begins_as_an_object_is_never_read_out(payload: bytes) -> None:
    with pytest.raises(BadJsonError):
        request_from_payload(payload, source="")


def test_fields_beside_the_payload() -> None:
    request, _ = request_from_payload(b"Hello", source="", fields={"voice": "hum", "priority": "text"})
    assert (request.voice, request.priority) == ("hum", Priority.TEXT)
    own, _ = request_from_payload(b'{"text": "a", "voice": "own"}', source="", fields={"voice": "hum"})
    assert own.voice == "own"


json_values = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(),
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


# The first draw compiles tables, which takes long on a busy machine.
patient = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@patient
@given(strategies.dictionaries(strategies.sampled_from(sorted({*FIELDS, *SYNONYMS, "x"})), json_values))
def test_any_json_is_a_request_or_a_clear_error(body: dict[str, Any]) -> None:
    check_never_breaks(lambda: request_from_payload(json.dumps(body).encode(), source=""))


@patient
@given(strategies.binary())
def test_any_bytes_are_a_request_or_a_clear_error(payload: bytes) -> None:
    check_never_breaks(lambda: request_from_payload(payload, source=""))
    check_never_breaks(lambda: request_from_text(payload, source=""))


def check_never_breaks(parsed: Callable[[], tuple[SpeakRequest, tuple[str, ...]]]) -> None:
    try:
        request, _ = parsed()
    except RequestError:
        return
    # What is accepted can be written into a log, a file and a message.
    assert request.text.encode()


def documented() -> str:
    return (Path(__file__).parent.parent / "docs" / "requests.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*FIELDS, *SYNONYMS, *COMMANDS, *FORMATS, *EventType, *Priority])
def test_the_document_names_it(name: str) -> None:
    assert re.search(rf"`([^`]*[/ ])?{name}`", documented()), name


NOBODYS_ANSWER = {ConfigError.code, OthersError.code, "conversion_failed"}  # the last is of `edgetts convert`


def every_code(kind: type[SpeechError]) -> set[str]:
    return {kind.code}.union(*(every_code(child) for child in kind.__subclasses__()))


@pytest.mark.parametrize("code", sorted(every_code(SpeechError) - NOBODYS_ANSWER))
def test_the_document_explains_every_code(code: str) -> None:
    assert re.search(rf"^\|.*`{code}`", documented(), re.MULTILINE), code
