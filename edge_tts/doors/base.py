"""What the doors share: JSON and plain text → SpeakRequest, and the commands. docs/requests.md is for users."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from edge_tts.doors.fields import FIELDS, SYNONYMS, spoken_text
from edge_tts.errors import BadJsonError, InvalidFieldError, RequestError, SpeechError
from edge_tts.service import Receipt, Service
from edge_tts.speech import SpeakRequest

CHIME_FIELDS = ("volume", "priority", "id", "replace", "ttl_s", "at", "repeat")
"""Fields of a request that have a meaning for a sound."""


def json_object(payload: bytes) -> dict[str, Any]:
    """The JSON object in *payload*; raises BadJsonError for anything else."""
    try:
        value = json.loads(
            _decoded(payload), object_pairs_hook=_without_duplicates, parse_constant=_refused_constant
        )
    # "[" 100 000 times is a RecursionError, a number of 5000 digits a ValueError.
    except (ValueError, RecursionError) as error:
        raise BadJsonError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadJsonError(f"expected a JSON object, found {type(value).__name__}")
    return value


def _decoded(payload: bytes) -> str:
    try:
        return payload.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise RequestError(f"not UTF-8: {error.reason} at byte {error.start}") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        # Readers disagree on which one counts: {"volume": 10, "volume": 100} must not surprise anybody.
        raise ValueError(f"given twice: {', '.join(map(repr, twice))}")
    return value


def _refused_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def request_from_json(body: Mapping[str, Any], *, source: str) -> tuple[SpeakRequest, tuple[str, ...]]:
    """The request, and a warning for each field that was not used. Raises RequestError naming the field."""
    values: dict[str, Any] = {}
    warnings = []
    # Names of the contract first: they win over their synonyms.
    for given in sorted(body, key=lambda name: name in SYNONYMS):
        name = SYNONYMS.get(given, given)
        if name not in FIELDS:
            warnings.append(f"unknown_field:{given[:40]}")
        elif name in values:
            warnings.append(f"unused_field:{given[:40]}")
        elif body[given] is not None:
            # A template that has nothing to fill in sends null.
            values[name] = FIELDS[name](given, body[given])
    if "text" not in values:
        raise InvalidFieldError("text", None, "the text to speak")
    return SpeakRequest(**values, source=source), tuple(warnings)


def request_from_text(
    payload: bytes, *, source: str, fields: Mapping[str, Any] | None = None
) -> tuple[SpeakRequest, tuple[str, ...]]:
    """A request to speak *payload* as it is; *fields* are further fields of the JSON form."""
    text = spoken_text("text", _decoded(payload))
    return request_from_json({**(fields or {}), "text": text}, source=source)


def request_from_payload(
    payload: bytes, *, source: str, fields: Mapping[str, Any] | None = None
) -> tuple[SpeakRequest, tuple[str, ...]]:
    """JSON object or plain text, whichever *payload* is; in JSON its own fields win over *fields*.

    What begins with a brace was meant as JSON: broken, it is an error and not read out brace by brace. Any other
    JSON ("42", "true") is text.
    """
    if payload.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return request_from_json({**(fields or {}), **json_object(payload)}, source=source)
    return request_from_text(payload, source=source, fields=fields)


def chime_request(body: Mapping[str, Any], *, source: str) -> tuple[SpeakRequest, tuple[str, ...]]:
    """For `Service.chime`: its `name` ("default"), and CHIME_FIELDS. Raises RequestError naming the field."""
    name = FIELDS["voice"]("name", "default" if body.get("name") is None else body["name"])
    fields = {field: value for field, value in body.items() if field in CHIME_FIELDS}
    unknown = tuple(f"unknown_field:{given[:40]}" for given in body if given not in (*CHIME_FIELDS, "name"))
    return request_from_json({**fields, "text": name}, source=source)[0], unknown


def receipt_json(receipt: Receipt, warnings: tuple[str, ...] = ()) -> dict[str, object]:
    return {"job": receipt.job, "duplicate": receipt.is_duplicate, "warnings": list(warnings)}


def error_json(error: SpeechError) -> dict[str, object]:
    """Code and message of *error*, and in `detail` the field at fault where there is one."""
    detail = {"field": error.field} if isinstance(error, InvalidFieldError) else None
    return {"code": error.code, "message": str(error), "detail": detail}


def which_job(body: Mapping[str, Any]) -> str | None:
    """The "id" of a command: a job or request id."""
    which = body.get("id")
    return None if which is None else str(FIELDS["id"]("id", which))


async def _stop(service: Service, body: Mapping[str, Any]) -> dict[str, object]:
    return {"ended": service.stop(which_job(body))}


async def _skip(service: Service, body: Mapping[str, Any]) -> dict[str, object]:
    which = which_job(body)
    return {"ended": service.skip() if which is None else service.stop(which)}


async def _clear(service: Service, body: Mapping[str, Any]) -> dict[str, object]:
    return {"ended": service.clear()}


async def _pause(service: Service, body: Mapping[str, Any]) -> dict[str, object]:
    service.pause()
    return {}


async def _resume(service: Service, body: Mapping[str, Any]) -> dict[str, object]:
    service.resume()
    return {}


async def _repeat(service: Service, body: Mapping[str, Any]) -> dict[str, object]:
    count = 1 if body.get("count") is None else FIELDS["repeat"]("count", body["count"])
    receipts = await service.repeat(count)
    return receipt_json(receipts[-1]) | {"jobs": [receipt.job for receipt in receipts]}


COMMANDS: dict[str, Callable[[Service, Mapping[str, Any]], Awaitable[dict[str, object]]]] = {
    "stop": _stop,
    "skip": _skip,
    "clear": _clear,
    "pause": _pause,
    "resume": _resume,
    "repeat": _repeat,
}
"""Name of the topic and of the route → what it does with a JSON object, perhaps empty; returns the JSON answer."""
