"""ONNX files as bytes: find nodes, cut a graph in two, without the onnx package.

An ONNX file is a protobuf message (github.com/onnx/onnx, onnx/onnx.proto, whose field numbers stand below). Only the
fields needed are decoded; everything else is passed on as the bytes it is. Views, not copies: the weights are
copied once, into the half that needs them.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge_tts.models.protobuf import (
    VARINT,
    Field,
    GraphError,
    View,
    encoded,
    fields,
    header,
    message,
    named,
    numbers,
    text,
    view,
)

MODEL_GRAPH, MODEL_OPSET = 7, 8
OPSET_DOMAIN, OPSET_VERSION = 1, 2
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT = 1, 5, 11, 12
GRAPH_REPLACED = frozenset({GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, 13, 14})
"""13 and 14 are value_info and quantization_annotation: notes about tensors that a half may not have."""

NODE_INPUT, NODE_OUTPUT, NODE_OP_TYPE, NODE_ATTRIBUTE = 1, 2, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_INT, ATTRIBUTE_STRING, ATTRIBUTE_TENSOR = 1, 3, 4, 5
ATTRIBUTE_GRAPH, ATTRIBUTE_INTS, ATTRIBUTE_GRAPHS = 6, 8, 11
TENSOR_DIMS, TENSOR_TYPE, TENSOR_INT64S, TENSOR_NAME, TENSOR_RAW = 1, 2, 7, 8, 9
TYPE_INT64 = 7
VALUE_NAME = 1


@dataclass(frozen=True)
class Node:
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    captured: frozenset[str]
    """Names that the subgraphs of an If or Loop mention: what they take from outside is among them."""

    raw: View
    content: View
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


def node_of(content: bytes) -> Node:
    """Of a NodeProto."""
    return _node(View(message(GRAPH_NODE, content)), View(content))


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
    return Node(op_type, tuple(inputs), tuple(outputs), frozenset(captured), raw, content, attributes)


def _mentioned(subgraph: View) -> set[str]:
    names: set[str] = set()
    for field in fields(subgraph):
        if field.number == GRAPH_NODE:
            names |= _node(field.raw, view(field)).needs
        elif field.number == GRAPH_OUTPUT:
            # A branch may pass an outer tensor straight on.
            names.add(named(view(field), VALUE_NAME))
    return names


@dataclass(frozen=True)
class Initializer:
    dims: tuple[int, ...]
    content: View
    parts: tuple[bytes | View, ...]
    """The field of the graph that it is, to be written one after another."""


def _dims(tensor: View) -> tuple[int, ...]:
    return tuple(number for part in fields(tensor) if part.number == TENSOR_DIMS for number in numbers(part))


def _producers(nodes: Iterable[Node]) -> dict[str, Node]:
    return {name: node for node in nodes for name in node.outputs if name}


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
        self.producers = _producers(self.nodes)

    def _add(self, field: Field) -> None:
        if field.number == GRAPH_NODE:
            self.nodes.append(_node(field.raw, view(field)))
        elif field.number == GRAPH_INITIALIZER:
            tensor = view(field)
            self.initializers[named(tensor, TENSOR_NAME)] = Initializer(_dims(tensor), tensor, (field.raw,))
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
        tensor = self._constant(name)
        return [] if tensor is None else _int64s(tensor)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Of a constant tensor; None if *name* is none."""
        tensor = self._constant(name)
        return None if tensor is None else _dims(tensor)

    def _constant(self, name: str) -> View | None:
        if name in self.initializers:
            return self.initializers[name].content
        node = self.producers.get(name)
        content = node.attributes.get("value") if node and node.op_type == "Constant" else None
        tensors = [view(f) for f in fields(content or View(b"")) if f.number == ATTRIBUTE_TENSOR]
        return tensors[0] if tensors else None

    def opset(self) -> int:
        """The version of ONNX' own operators that it is written in; 0 if it does not say."""
        for raw in self._around:
            for field in fields(raw):
                if field.number == MODEL_OPSET and not named(view(field), OPSET_DOMAIN):
                    versions = (f for f in fields(view(field)) if f.number == OPSET_VERSION)
                    return next((number for f in versions for number in numbers(f)), 0)
        return 0

    def having(self, nodes: Sequence[Node], initializers: Mapping[str, Initializer]) -> Graph:
        """The same with *nodes* for its own, and with *initializers* besides its own or for them."""
        made = copy.copy(self)
        made.nodes, made.initializers = list(nodes), {**self.initializers, **initializers}
        made.producers = _producers(nodes)
        return made

    def part(self, outputs: Collection[str], known: Collection[str] = ()) -> list[bytes | View]:
        """An ONNX file that computes *outputs* from *known* tensors (float32, new inputs of it) and from whatever
        inputs of this graph they need besides; as parts to be written one after another."""
        nodes, names = self.ancestors(outputs, known)
        body: list[bytes | View] = [*self._rest, *(node.raw for node in nodes)]
        weights = (each for name, each in self.initializers.items() if name in names and name not in known)
        body += [part for each in weights for part in each.parts]
        body += [raw for name, raw in self.inputs.items() if name in names and name not in self.initializers]
        body += [message(GRAPH_INPUT, _float_value(name)) for name in known]
        body += [self.outputs.get(name) or message(GRAPH_OUTPUT, _float_value(name)) for name in outputs]
        size = sum(len(each) for each in body)
        return [*self._around, header(MODEL_GRAPH, size), *body]


def _float_value(name: str) -> bytes:
    """A ValueInfoProto: float32 (1 in TensorProto.DataType) of any shape."""
    element_type = encoded(1 << 3 | VARINT) + encoded(1)
    return message(VALUE_NAME, name.encode()) + message(2, message(1, element_type))


def embedding_rows(graph: Graph, ids: str) -> int | None:
    """Rows of the table that the graph input *ids* looks up; None if it is looked up in none."""
    for node in graph.nodes:
        if node.op_type == "Gather" and len(node.inputs) == 2 and node.inputs[1] == ids:
            table = graph.initializers.get(node.inputs[0])
            if table is not None and table.dims:
                return table.dims[0]
    return None
