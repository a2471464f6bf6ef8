"""ONNX files as bytes: find nodes, cut a graph in two, without the onnx package.

An ONNX file is a protobuf message (github.com/onnx/onnx, onnx/onnx.proto, whose field numbers stand below). Only the
fields needed are decoded; everything else is passed on as the bytes it is. Views, not copies: the weights are
copied once, into the half that needs them.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

View = memoryview

MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT = 1, 5, 11, 12
GRAPH_REPLACED = frozenset({GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, 13, 14})
"""13 and 14 are value_info and quantization_annotation: notes about tensors that a half may not have."""

NODE_INPUT, NODE_OUTPUT, NODE_OP_TYPE, NODE_ATTRIBUTE = 1, 2, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_INT, ATTRIBUTE_STRING, ATTRIBUTE_TENSOR = 1, 3, 4, 5
ATTRIBUTE_GRAPH, ATTRIBUTE_INTS, ATTRIBUTE_GRAPHS = 6, 8, 11
TENSOR_DIMS, TENSOR_TYPE, TENSOR_INT64S, TENSOR_NAME, TENSOR_RAW = 1, 2, 7, 8, 9
TYPE_INT64 = 7
VALUE_NAME = 1
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


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def header(number: int, size: int) -> bytes:
    return _encode_varint(number << 3 | BYTES) + _encode_varint(size)


def _message(number: int, content: bytes) -> bytes:
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


@dataclass(frozen=True)
class Node:
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    captured: frozenset[str]
    """Names that the subgraphs of an If or Loop mention: what they take from outside is among them."""

    raw: View
    attributes: Mapping[str, View]

    def ints(self, name: str) -> list[int]:
        """An attribute of whole numbers; [] if it is missing."""
        content = self.attributes.get(name)
        if content is None:
            return []
        wanted = (ATTRIBUTE_INT, ATTRIBUTE_INTS)
        return [number for field in fields(content) if field.number in wanted for number in numbers(field)]

    def text(self, name: str) -> str:
        content = self.attributes.get(name)
        strings = (
            [] if content is None else [text(f) for f in fields(content) if f.number == ATTRIBUTE_STRING]
        )
        return strings[0] if strings else ""

    @property
    def needs(self) -> frozenset[str]:
        return self.captured.union(self.inputs) - {""}


def _node(raw: View, content: View) -> Node:
    inputs, outputs, op_type = [], [], ""
    captured: set[str] = set()
    attributes: dict[str, View] = {}
    for field in fields(content):
        if field.number == NODE_INPUT:
            inputs.append(text(field))
        elif field.number == NODE_OUTPUT:
            outputs.append(text(field))
        elif field.number == NODE_OP_TYPE:
            op_type = text(field)
        elif field.number == NODE_ATTRIBUTE:
            attribute = view(field)
            for part in fields(attribute):
                if part.number == ATTRIBUTE_NAME:
                    attributes[text(part)] = attribute
                elif part.number in (ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS):
                    captured |= _mentioned(view(part))
    return Node(op_type, tuple(inputs), tuple(outputs), frozenset(captured), raw, attributes)


def _mentioned(subgraph: View) -> set[str]:
    names: set[str] = set()
    for field in fields(subgraph):
        if field.number == GRAPH_NODE:
            names |= _node(field.raw, view(field)).needs
        elif field.number == GRAPH_OUTPUT:
            # A branch may pass an outer tensor straight on.
            names.add(named(view(field), VALUE_NAME))
    return names


def named(message: View, number: int) -> str:
    return next((text(field) for field in fields(message) if field.number == number), "")


@dataclass(frozen=True)
class Initializer:
    dims: tuple[int, ...]
    content: View
    raw: View


def _int64s(tensor: View) -> list[int]:
    """The values of a small int64 tensor; [] if it is of another type."""
    parts = {field.number: field for field in fields(tensor) if field.number != TENSOR_DIMS}
    if TENSOR_TYPE not in parts or parts[TENSOR_TYPE].value != TYPE_INT64:
        return []
    if TENSOR_RAW in parts:
        raw = view(parts[TENSOR_RAW])
        return [number for (number,) in struct.iter_unpack("<q", raw)]
    # Negative numbers are varints of 64 bits.
    listed = (n for field in fields(tensor) if field.number == TENSOR_INT64S for n in numbers(field))
    return [number - (1 << 64) if number >> 63 else number for number in listed]


class Graph:
    """A parsed ONNX file. Keeps views of *content*: as long as it lives, so do the bytes."""

    def __init__(self, content: bytes) -> None:
        self._around: list[View] = []
        self._rest: list[View] = []
        self.nodes: list[Node] = []
        self.initializers: dict[str, Initializer] = {}
        self.inputs: dict[str, View] = {}
        self.outputs: dict[str, View] = {}
        graph = None
        for field in fields(memoryview(content)):
            if field.number == MODEL_GRAPH:
                graph = view(field)
            else:
                self._around.append(field.raw)
        if graph is None:
            raise GraphError("no ONNX file: it has no graph")
        for field in fields(graph):
            self._add(field)
        self.producers: dict[str, Node] = {name: node for node in self.nodes for name in node.outputs if name}

    def _add(self, field: Field) -> None:
        if field.number == GRAPH_NODE:
            self.nodes.append(_node(field.raw, view(field)))
        elif field.number == GRAPH_INITIALIZER:
            tensor = view(field)
            dims = (n for part in fields(tensor) if part.number == TENSOR_DIMS for n in numbers(part))
            self.initializers[named(tensor, TENSOR_NAME)] = Initializer(tuple(dims), tensor, field.raw)
        elif field.number == GRAPH_INPUT:
            self.inputs[named(view(field), VALUE_NAME)] = field.raw
        elif field.number == GRAPH_OUTPUT:
            self.outputs[named(view(field), VALUE_NAME)] = field.raw
        elif field.number not in GRAPH_REPLACED:
            self._rest.append(field.raw)

    def ancestors(self, outputs: Iterable[str], known: Collection[str]) -> tuple[list[Node], set[str]]:
        """Nodes that compute *outputs* from *known* tensors, in order, and every name they need."""
        needed, names, pending = set(), set(), list(outputs)
        while pending:
            name = pending.pop()
            if name in names:
                continue
            names.add(name)
            producer = None if name in known else self.producers.get(name)
            if producer is not None and id(producer) not in needed:
                needed.add(id(producer))
                pending.extend(producer.needs)
        return [node for node in self.nodes if id(node) in needed], names

    def integers(self, name: str) -> list[int]:
        """The values of a constant int64 tensor; [] if *name* is none."""
        if name in self.initializers:
            return _int64s(self.initializers[name].content)
        node = self.producers.get(name)
        content = node.attributes.get("value") if node and node.op_type == "Constant" else None
        tensors = (
            [] if content is None else [view(f) for f in fields(content) if f.number == ATTRIBUTE_TENSOR]
        )
        return _int64s(tensors[0]) if tensors else []

    def part(self, outputs: Collection[str], known: Collection[str] = ()) -> list[bytes | View]:
        """An ONNX file that computes *outputs* from *known* tensors (float32, new inputs of it) and from whatever
        inputs of this graph they need besides; as parts to be written one after another."""
        nodes, names = self.ancestors(outputs, known)
        body: list[bytes | View] = [*self._rest, *(node.raw for node in nodes)]
        body += [each.raw for name, each in self.initializers.items() if name in names and name not in known]
        body += [raw for name, raw in self.inputs.items() if name in names and name not in self.initializers]
        body += [_message(GRAPH_INPUT, _float_value(name)) for name in known]
        body += [self.outputs.get(name) or _message(GRAPH_OUTPUT, _float_value(name)) for name in outputs]
        size = sum(len(each) for each in body)
        return [*self._around, header(MODEL_GRAPH, size), *body]


def _float_value(name: str) -> bytes:
    """A ValueInfoProto: float32 (1 in TensorProto.DataType) of any shape."""
    element_type = _encode_varint(1 << 3 | VARINT) + _encode_varint(1)
    return _message(VALUE_NAME, name.encode()) + _message(2, _message(1, element_type))


def embedding_rows(graph: Graph, ids: str) -> int | None:
    """Rows of the table that the graph input *ids* looks up; None if it is looked up in none."""
    for node in graph.nodes:
        if node.op_type == "Gather" and len(node.inputs) == 2 and node.inputs[1] == ids:
            table = graph.initializers.get(node.inputs[0])
            if table is not None and table.dims:
                return table.dims[0]
    return None
