"""What must be true of an ONNX file before onnxruntime, which is no sandbox, is shown it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_tts.models.onnx_graph import TENSOR_DIMS, TENSOR_NAME, TENSOR_RAW, TENSOR_TYPE
from edge_tts.models.protobuf import Field, GraphError, View, fields, numbers, text

TENSOR_EXTERNAL, TENSOR_LOCATION = 13, 14
ENTRY_KEY, ENTRY_VALUE = 1, 2
MAX_DEPTH = 16
"""Of graphs in the branches of other graphs."""

_TENSOR = "tensor"
_PARTS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
}
"""Message → its fields that hold, at any depth, a tensor (onnx.proto)."""

_FLOATS: Mapping[int, np.dtype[Any]] = {1: np.dtype("<f4"), 10: np.dtype("<f2"), 11: np.dtype("<f8")}
_ITEM_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
"""TensorProto.DataType → size; those of four bits and less are not in it."""


@dataclass(frozen=True)
class External:
    """A weight that lies in another file."""

    name: str
    kind: int
    """TensorProto.DataType."""

    dims: tuple[int, ...]
    location: str
    """Of the file, as the graph has it."""

    start: int
    """In bytes."""

    size_bytes: int


def check(content: bytes) -> list[External]:
    """The weights of the ONNX file *content* that lie in other files. Raises GraphError if a tensor is not of the size
    it claims, is no weight but lies in another file, or holds a weight that is not a number."""
    found = []
    for tensor, is_weight in _tensors(memoryview(content), "model", 0):
        parts = {field.number: field for field in fields(tensor)}
        is_external = TENSOR_LOCATION in parts and parts[TENSOR_LOCATION].value != 0
        if not is_external and TENSOR_EXTERNAL not in parts:
            _check_tensor(parts, tensor)
        elif is_weight:
            found.append(_external(parts, tensor))
        else:
            raise GraphError(
                f"its constant {_name(parts.get(TENSOR_NAME))!r} lies in another file; only weights may"
            )
    return found


def _tensors(message: View, kind: str, depth: int) -> Iterator[tuple[View, bool]]:
    """Each with whether it is a weight of the graph itself, not of what is inside it."""
    if depth > 4 * MAX_DEPTH:
        raise GraphError(f"graphs inside graphs, more than {MAX_DEPTH} deep")
    parts = _PARTS[kind]
    for field in fields(message):
        part = parts.get(field.number)
        if part is None:
            continue
        if isinstance(field.value, int):
            raise GraphError("no ONNX file: a number where a message belongs")
        if part == _TENSOR:
            yield field.value, depth == 1
        else:
            yield from _tensors(field.value, part, depth + 1)


def _external(parts: Mapping[int, Field], tensor: View) -> External:
    name = _name(parts.get(TENSOR_NAME))
    where: dict[str, str] = {}
    for entry in (field.value for field in fields(tensor) if field.number == TENSOR_EXTERNAL):
        if isinstance(entry, int):
            raise GraphError("no ONNX file: a number where a message belongs")
        pair = {field.number: text(field) for field in fields(entry)}
        where[pair.get(ENTRY_KEY, "")] = pair.get(ENTRY_VALUE, "")
    kind = parts[TENSOR_TYPE].value if TENSOR_TYPE in parts else None
    dims = tuple(_dims(tensor))
    if not isinstance(kind, int) or kind not in _ITEM_BYTES:
        raise GraphError(
            f"its weights {name!r} lie in another file and are of the type {kind!r}, which is not taken"
        )
    size_bytes = math.prod(dims) * _ITEM_BYTES[kind]
    start, length = (
        where.get(key, default) for key, default in (("offset", "0"), ("length", str(size_bytes)))
    )
    if not (start.isascii() and start.isdecimal() and len(start) < 20) or length != str(size_bytes):
        raise GraphError(
            f"its weights {name!r} claim {length} bytes from {start!r} on; expected {size_bytes}"
        )
    return External(name, kind, dims, where.get("location", ""), int(start), size_bytes)


def _check_tensor(parts: Mapping[int, Field], tensor: View) -> None:
    name = _name(parts.get(TENSOR_NAME))
    kind = parts[TENSOR_TYPE].value if TENSOR_TYPE in parts else None
    raw = parts[TENSOR_RAW].value if TENSOR_RAW in parts else None
    if not isinstance(kind, int) or raw is None or isinstance(raw, int):
        return
    if kind in _ITEM_BYTES and math.prod(_dims(tensor)) * _ITEM_BYTES[kind] != len(raw):
        raise GraphError(f"its weights {name!r} claim another size than their {len(raw)} bytes")
    # Infinity may be meant, as in a mask; NaN never is. The largest of an array with a NaN is NaN.
    if kind in _FLOATS and len(raw) and np.isnan(np.frombuffer(raw, _FLOATS[kind]).max()):
        raise GraphError(f"its weights {name!r} are not numbers (NaN): the file is damaged")


def _dims(tensor: View) -> Iterator[int]:
    for field in fields(tensor):
        if field.number == TENSOR_DIMS:
            yield from numbers(field)


def _name(field: Field | None) -> str:
    if field is None or isinstance(field.value, int):
        return "?"
    return bytes(field.value[:100]).decode("utf-8", "replace")
