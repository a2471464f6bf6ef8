"""The weights of a graph that lie in a file beside it, as exporters leave those of large models: put into the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.models.onnx_check import TENSOR_EXTERNAL, TENSOR_LOCATION, External
from edge_tts.models.onnx_graph import GRAPH_INITIALIZER, MODEL_GRAPH, TENSOR_NAME, TENSOR_RAW
from edge_tts.models.protobuf import GraphError, View, fields, header, named, view

TYPES = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8"}
"""TensorProto.DataType → NumPy's name."""

FLOAT = 1
TAIL_BYTES = 1 << 16
"""What may follow the last weight: exporters fill up to whole pages."""


@dataclass(frozen=True)
class Weight:
    values: NDArray[Any]
    """[n], a view of the file."""

    size_bytes: int
    """In the graph: twice that of the values where the file has them as float16."""


def found_in(weights: bytes, external: Sequence[External]) -> dict[str, Weight]:
    """*external* by name; a file of half the size that they need has them as float16. Raises GraphError."""
    places = sorted({each.location for each in external})
    if len(places) > 1:
        names = ", ".join(places[:3])
        raise GraphError(f"its weights lie in {len(places)} other files ({names}); put them into one")
    needed = max(each.start + each.size_bytes for each in external)
    of_halves = 2 * len(weights)
    is_half = needed > len(weights) and needed <= of_halves < needed + TAIL_BYTES
    if is_half and any(each.kind != FLOAT for each in external):
        is_half = False
    return {each.name: _found(memoryview(weights), each, 2 if is_half else 1) for each in external}


def _found(weights: View, each: External, divisor: int) -> Weight:
    start, size_bytes = each.start // divisor, each.size_bytes // divisor
    if each.kind not in TYPES:
        raise GraphError(
            f"its weights {each.name!r} in another file are of type {each.kind}, which is not taken"
        )
    if start + size_bytes > len(weights):
        raise GraphError(
            f"its weights {each.name!r} end at byte {start + size_bytes} of another file, which has {len(weights)}"
        )
    kind = "<f2" if divisor == 2 else TYPES[each.kind]
    values: NDArray[Any] = np.ndarray(size_bytes // np.dtype(kind).itemsize, kind, weights, start)
    if values.dtype.kind == "f" and values.size and np.isnan(values.max()):
        raise GraphError(f"its weights {each.name!r} are not numbers (NaN): their file is damaged")
    return Weight(values, each.size_bytes)


def inlined(content: bytes, weights: Mapping[str, Weight]) -> Iterator[bytes | View]:
    """The ONNX file *content* with *weights* inside, as parts to be written one after another; float16 is
    widened on the way, a tensor at a time."""
    for field in fields(memoryview(content)):
        if field.number == MODEL_GRAPH:
            yield from _graph(view(field), weights)
        else:
            yield field.raw


def _graph(graph: View, weights: Mapping[str, Weight]) -> Iterator[bytes | View]:
    parts = [
        _tensor(view(field), weights) if field.number == GRAPH_INITIALIZER else (field.raw, None)
        for field in fields(graph)
    ]
    size_bytes = sum(len(head) + (0 if weight is None else weight.size_bytes) for head, weight in parts)
    yield header(MODEL_GRAPH, size_bytes)
    for head, weight in parts:
        yield head
        if weight is not None:
            is_half = weight.values.nbytes < weight.size_bytes
            yield (weight.values.astype("<f4") if is_half else weight.values).tobytes()


def _tensor(tensor: View, weights: Mapping[str, Weight]) -> tuple[bytes, Weight | None]:
    """What comes before its weight, or all of it where the weight is inside already."""
    weight = weights.get(named(tensor, TENSOR_NAME))
    if weight is None:
        return header(GRAPH_INITIALIZER, len(tensor)) + tensor, None
    outside = (TENSOR_EXTERNAL, TENSOR_LOCATION, TENSOR_RAW)
    kept = b"".join(field.raw for field in fields(tensor) if field.number not in outside)
    kept += header(TENSOR_RAW, weight.size_bytes)
    return header(GRAPH_INITIALIZER, len(kept) + weight.size_bytes) + kept, weight
