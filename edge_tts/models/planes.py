"""Convolutions over time as convolutions over planes of height 1, made of a graph while it is loaded.

ONNX Runtime has a layout (NCHWc) and quicker kernels for convolutions over planes, but not for those over time. So
[N, C, T] becomes [N, C, 1, T] before the first convolution, and stays it until something else wants it. The numbers
of the weights are the same bytes; only their shape is written anew.
"""

from __future__ import annotations

import math
import platform
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from edge_tts.models.onnx_graph import (
    ATTRIBUTE_INTS,
    ATTRIBUTE_NAME,
    GRAPH_INITIALIZER,
    NODE_ATTRIBUTE,
    NODE_INPUT,
    NODE_OP_TYPE,
    NODE_OUTPUT,
    TENSOR_DIMS,
    TENSOR_NAME,
    TENSOR_RAW,
    TENSOR_TYPE,
    TYPE_INT64,
    Graph,
    Initializer,
    Node,
    node_of,
)
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
    view,
)
from edge_tts.models.vits_cut import Cut

_HAVE_KERNELS = platform.machine() in ("x86_64", "AMD64")
"""ONNX Runtime is built without that layout for ARM, because on few threads it was slower there (its pull request
26171); without it planes take as long as lines."""

POINTWISE = frozenset({"LeakyRelu", "Relu", "Tanh", "Sin", "Neg", "Add", "Mul", "Div", "Sub"})
"""Operators to whom it is the same."""

CONVOLUTIONS = ("Conv", "ConvTranspose")
OF_HEIGHT = {
    "kernel_shape": (1,),
    "dilations": (1,),
    "strides": (1,),
    "output_padding": (0,),
    "pads": (0, 0),
}
"""Attribute → what it says of the height; of the width it says as many numbers."""

OPSET = 13
"""The first in which Squeeze and Unsqueeze take their axes as an input."""

AXES = "axes of planes"
"""The name of that input."""


def are_quicker(threads: int) -> bool:
    """On *threads* of this machine: those kernels are hardly shared out among several."""
    return _HAVE_KERNELS and threads == 1


def in_planes(graph: Graph, cut: Cut) -> Graph:
    """*graph* with nothing but the part *cut*, whose convolutions are over planes; *graph* as it is if there are other
    convolutions in it, or anything that is not understood."""
    try:
        nodes, _ = graph.ancestors([cut.output], cut.inputs)
        if graph.opset() < OPSET or not _are_over_time(graph, nodes):
            return graph
        weights = {node.inputs[1]: graph.initializers[node.inputs[1]] for node in nodes if _convolves(node)}
        made = {name: _flattened(weight) for name, weight in weights.items()}
        return graph.having(list(_rewritten(nodes, _turns(graph, nodes, cut.output))), made | {AXES: _axes()})
    except GraphError:
        # Whoever opens the part tells of the damage.
        return graph


def _convolves(node: Node) -> bool:
    return node.op_type in CONVOLUTIONS


def _are_over_time(graph: Graph, nodes: Sequence[Node]) -> bool:
    """Whether *nodes* have convolutions, all over time, whose weights nothing else takes."""
    convolutions = [node for node in nodes if _convolves(node)]
    if not convolutions or not all(_is_over_time(graph, node) for node in convolutions):
        return False
    others = {name for node in nodes for name in node.captured}
    others |= {name for node in nodes for k, name in enumerate(node.inputs) if k != 1 or not _convolves(node)}
    return others.isdisjoint(node.inputs[1] for node in convolutions)


def _is_over_time(graph: Graph, node: Node) -> bool:
    weight = graph.initializers.get(node.inputs[1]) if len(node.inputs) > 1 else None
    if weight is None or len(weight.dims) != 3 or len(node.outputs) != 1:
        return False
    is_plain = node.attributes.keys() <= {"group", "auto_pad", *OF_HEIGHT}
    known = (TENSOR_DIMS, TENSOR_TYPE, TENSOR_NAME, TENSOR_RAW)
    return is_plain and all(field.number in known for field in fields(weight.content))


@dataclass(frozen=True)
class _Turns:
    """Which tensors are planes, and where they are turned; by their names in the graph as it was."""

    planes: set[str]
    unsqueezed: set[str]
    squeezed: set[str]


def _turns(graph: Graph, nodes: Sequence[Node], output: str) -> _Turns:
    planes: set[str] = set()
    taken: set[str] = set()
    lines = {output}
    for node in nodes:
        if _convolves(node):
            taken.add(node.inputs[0])
            lines.update(node.inputs[1:])
            planes.update(node.outputs)
        elif _is_pointwise(graph, node, planes):
            planes.update(node.outputs)
        else:
            lines |= node.needs
    return _Turns(planes, taken - planes, planes & lines)


def _is_pointwise(graph: Graph, node: Node, planes: set[str]) -> bool:
    """Whether *node* makes a plane of planes and of single numbers."""
    others = [name for name in node.inputs if name not in planes]
    shapes = [graph.shape(name) for name in others]
    are_numbers = all(shape is not None and len(shape) <= 3 and math.prod(shape) == 1 for shape in shapes)
    return (
        node.op_type in POINTWISE
        and len(others) < len(node.inputs)
        and len(node.outputs) == 1
        and are_numbers
    )


def _rewritten(nodes: Sequence[Node], turns: _Turns) -> Iterator[Node]:
    own = {name for node in nodes for name in node.outputs}
    for name in sorted(turns.unsqueezed - own):
        yield _turned("Unsqueeze", name, _plane(name))
    for node in nodes:
        yield _over_planes(node, turns) if turns.planes.issuperset(node.outputs) else node
        for name in node.outputs:
            if name in turns.unsqueezed:
                yield _turned("Unsqueeze", name, _plane(name))
            if name in turns.squeezed:
                yield _turned("Squeeze", _plane(name), name)


def _plane(name: str) -> str:
    return f"{name} (plane)"


def _turned(operator: str, name: str, made: str) -> Node:
    parts = ((NODE_INPUT, name), (NODE_INPUT, AXES), (NODE_OUTPUT, made), (NODE_OP_TYPE, operator))
    return node_of(b"".join(message(number, value.encode()) for number, value in parts))


def _over_planes(node: Node, turns: _Turns) -> Node:
    taken = turns.planes | turns.unsqueezed
    n_data = 1 if _convolves(node) else len(node.inputs)
    inputs = [_plane(name) if k < n_data and name in taken else name for k, name in enumerate(node.inputs)]
    parts = [message(NODE_INPUT, name.encode()) for name in inputs]
    parts += [message(NODE_OUTPUT, _plane(name).encode()) for name in node.outputs]
    for field in fields(node.content):
        if field.number == NODE_ATTRIBUTE and _convolves(node):
            parts.append(_attribute(field))
        elif field.number not in (NODE_INPUT, NODE_OUTPUT):
            parts.append(bytes(field.raw))
    return node_of(b"".join(parts))


def _attribute(field: Field) -> bytes:
    content = view(field)
    of_height = OF_HEIGHT.get(named(content, ATTRIBUTE_NAME))
    if of_height is None:
        return bytes(field.raw)
    kept = [bytes(part.raw) for part in fields(content) if part.number != ATTRIBUTE_INTS]
    values = [n for part in fields(content) if part.number == ATTRIBUTE_INTS for n in numbers(part)]
    if len(values) != len(of_height):
        raise GraphError("it has a convolution over more than one axis")
    # The padding before all axes comes before that after them.
    pairs = zip(of_height, values, strict=True)
    kept += [_number(ATTRIBUTE_INTS, number) for pair in pairs for number in pair]
    return message(NODE_ATTRIBUTE, b"".join(kept))


def _number(field: int, value: int) -> bytes:
    return encoded(field << 3 | VARINT) + encoded(value)


def _flattened(weight: Initializer) -> Initializer:
    """*weight* [out, in, width] as [out, in, 1, width]."""
    dims = (*weight.dims[:2], 1, weight.dims[2])
    head = b"".join(_number(TENSOR_DIMS, each) for each in dims)
    rest = [field.raw for field in fields(weight.content) if field.number != TENSOR_DIMS]
    size_bytes = len(head) + sum(map(len, rest))
    return replace(weight, dims=dims, parts=(header(GRAPH_INITIALIZER, size_bytes), head, *rest))


def _axes() -> Initializer:
    content = _number(TENSOR_DIMS, 1) + _number(TENSOR_TYPE, TYPE_INT64)
    content += message(TENSOR_NAME, AXES.encode()) + message(TENSOR_RAW, struct.pack("<q", 2))
    return Initializer((1,), View(content), (message(GRAPH_INITIALIZER, content),))
