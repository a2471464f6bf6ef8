"""A YAML document as an instance of the dataclass that describes it, with every problem told at once."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from pathlib import Path
from typing import Any

_T = typing.TypeVar("_T")


def at_least(name: str, value: float, least: float) -> None:
    between(name, value, least, math.inf)


def between(name: str, value: float, least: float, most: float) -> None:
    # Written so that NaN, which compares false with everything, is refused.
    if not least <= value <= most or value == math.inf:
        limits = f"at least {least}" if most == math.inf else f"{least} to {most}"
        raise ValueError(f"{name} must be {limits}, not {value}")


def build(kind: type[_T], document: Any, prefix: str, base: Path, problems: list[str]) -> _T | None:
    """An instance of the dataclass *kind*, or None after adding to *problems*."""
    where = prefix.rstrip(".") or "the file"
    if not isinstance(document, dict):
        problems.append(f"{where}: expected keys and values, found {_shown(document)}")
        return None
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    before = len(problems)
    for key, value in document.items():
        if key not in hints:
            close = difflib.get_close_matches(str(key), hints, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(hints)}"
            problems.append(f"{prefix}{key}: unknown key{hint}")
        elif dataclasses.is_dataclass(hints[key]):
            # "http:" with nothing below it is an empty section.
            section = {} if value is None else value
            values[key] = build(typing.cast(type, hints[key]), section, f"{prefix}{key}.", base, problems)
        else:
            try:
                values[key] = _convert(value, hints[key], base)
            except ValueError as error:
                problems.append(f"{prefix}{key}: {error}")
    if len(problems) > before:
        return None
    for each in dataclasses.fields(typing.cast(Any, kind)):
        if isinstance(each.default, Path):  # "wav" is beside the file too when the file does not name it
            values.setdefault(each.name, base / each.default)
    try:
        return kind(**values)
    except ValueError as error:
        problems.append(f"{prefix}{error}")
        return None


def _convert(value: Any, hint: Any, base: Path) -> Any:
    """*value* as the annotated type, or ValueError saying what was expected and found."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType or origin is typing.Union:
        return None if value is None else _convert(value, arguments[0], base)
    if origin is typing.Literal:
        if value is None and "null" in arguments:
            return "null"  # `sink: null` is the natural way to write it, and YAML for None
        if value not in arguments:
            raise ValueError(f"expected one of {', '.join(arguments)}, found {_shown(value)}")
        return value
    if origin is tuple:
        values = value if isinstance(value, list) else [value]
        return tuple(_convert(each, arguments[0], base) for each in values)
    if hint is Path and isinstance(value, str):
        try:
            return base / Path(value).expanduser()
        except RuntimeError as error:
            raise ValueError(f"{value}: this system has no user of that name") from error
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if type(value) is not hint:
        names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}
        raise ValueError(f"expected {names[hint]}, found {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…'"
