"""Protobuf messages as bytes: read field by field, and written. ONNX files consist of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

View = memoryview

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class GraphError(ValueError):
    """Not an ONNX file, or not a graph that can be cut there."""


class Field(NamedTuple):
    number: int
    value: int | View
    """A view of the content for strings, messages and packed numbers."""

    raw: View
    """Key, length and content."""


def fields(message: View) -> Iterator[Field]:
    """The fields of a protobuf message in order. Raises GraphError."""
    position = 0
    while position < len(message):
        start = position
        key, position = _varint(message, position)
        wire_type = key & 7
        if wire_type == VARINT:
            number, position = _varint(message, position)
            yield Field(key >> 3, number, message[start:position])
            continue
        if wire_type == BYTES:
            size, position = _varint(message, position)
        elif wire_type in (FIXED32, FIXED64):
            size = 4 if wire_type == FIXED32 else 8
        else:
            raise GraphError(f"no ONNX file: wire type {wire_type} at byte {start}")
        end = position + size
        if end > len(message):
            raise GraphError(f"no whole ONNX file: a field ends at byte {end} of {len(message)}")
        yield Field(key >> 3, message[position:end], message[start:end])
        position = end


def _varint(message: View, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise GraphError(f"no ONNX file: a broken number at byte {position}")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def encoded(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def header(number: int, size: int) -> bytes:
    return encoded(number << 3 | BYTES) + encoded(size)


def message(number: int, content: bytes) -> bytes:
    return header(number, len(content)) + content


def text(field: Field) -> str:
    if isinstance(field.value, int):
        raise GraphError("no ONNX file: a number where a name belongs")
    return bytes(field.value).decode("utf-8", "replace")


def view(field: Field) -> View:
    if isinstance(field.value, int):
        raise GraphError("no ONNX file: a number where a message belongs")
    return field.value


def numbers(field: Field) -> Iterator[int]:
    """One number, or several packed into one field."""
    if isinstance(field.value, int):
        yield field.value
        return
    position = 0
    while position < len(field.value):
        number, position = _varint(field.value, position)
        yield number


def named(message: View, number: int) -> str:
    return next((text(field) for field in fields(message) if field.number == number), "")
