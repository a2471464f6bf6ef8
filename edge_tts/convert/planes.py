"""Convolutions over time as convolutions over a plane of height 1, for which ONNX Runtime has quicker kernels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edge_tts.models.planes import POINTWISE
from edge_tts.models.session import fold_constants

HEIGHT = "axis_of_height"


def in_planes(path: Path) -> None:
    """Rewrite the graph in *path*; what it takes and says stays the same."""
    fold_constants(path)
    model = onnx.load(path)
    planes = _Planes(model.graph)
    for node in list(model.graph.node):
        planes.add(node)
    planes.finish()
    onnx.save(model, path)


class _Planes:
    """A graph on its way: [1, channels, T] becomes [1, channels, 1, T] before a convolution and stays it until
    something else wants it."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._weights = {each.name: each for each in graph.initializer}
        self._made: list[onnx.NodeProto] = []
        self._producers = {name: node for node in graph.node for name in node.output}
        self._names_before = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Pad"}
        self._in_plane: dict[str, str] = {}
        self._as_it_was: set[str] = set()

    def add(self, node: onnx.NodeProto) -> None:
        takes = [name for name in node.input if name]
        if node.op_type in ("Conv", "ConvTranspose") and self._rank(node.input[1]) == 3:
            self._convolution(node)
        elif node.op_type == "Slice" and takes[0] in self._in_plane and self._is_along_time(takes):
            node.input[3] = self._constant(np.array([3], np.int64), node)
            self._transform(node, [0])
        elif node.op_type == "Resize" and takes[0] in self._in_plane and self._rank(takes[-1]) == 1:
            node.input[len(node.input) - 1] = self._constant(np.insert(self._value(takes[-1]), 2, 1.0), node)
            self._transform(node, [0])
        elif node.op_type in POINTWISE and all(
            name in self._in_plane or self._is_number(name) for name in takes
        ):
            self._transform(node, [k for k, name in enumerate(node.input) if name in self._in_plane])
        else:
            self._plain(node.input)
            self._made.append(node)

    def _convolution(self, node: onnx.NodeProto) -> None:
        weight = self._weights[node.input[1]]
        weight.CopyFrom(numpy_helper.from_array(self._value(weight.name)[:, :, None], weight.name))
        before, after = self._zeros(node)
        for each in node.attribute:
            if each.name in ("kernel_shape", "dilations", "strides"):
                each.ints[:] = [1, *each.ints]
            elif each.name == "output_padding":
                each.ints[:] = [0, *each.ints]
            elif each.name == "pads":
                each.ints[:] = [0, each.ints[0] + before, 0, each.ints[1] + after]
        self._transform(node, [0])

    def _zeros(self, node: onnx.NodeProto) -> tuple[int, int]:
        """How many a Pad puts before and after what *node* takes, which it then takes without them."""
        pad = self._producers.get(node.input[0])
        if pad is None or pad.op_type != "Pad" or node.op_type != "Conv" or self._rank(pad.input[1]) != 1:
            return 0, 0
        is_zero = not any(pad.input[2:]) or (self._is_number(pad.input[2]) and not self._value(pad.input[2]))
        is_constant = all(each.s == b"constant" for each in pad.attribute if each.name == "mode")
        pads = self._value(pad.input[1]).tolist()
        if not (is_zero and is_constant and len(pads) == 6 and pads[:2] == pads[3:5] == [0, 0]):
            return 0, 0
        node.input[0] = self._names_before[pad.output[0]]
        return pads[2], pads[5]

    def _transform(self, node: onnx.NodeProto, places: list[int]) -> None:
        """*node* takes its inputs at *places* as planes, and makes one."""
        for place in places:
            name = node.input[place]
            if name not in self._in_plane:
                self._plain([name])
                self._in_plane[name] = f"{name}_in_plane"
                self._made.append(helper.make_node("Unsqueeze", [name, HEIGHT], [self._in_plane[name]]))
            node.input[place] = self._in_plane[name]
        name = node.output[0]
        node.output[0] = self._in_plane[name] = f"{name}_in_plane"
        self._as_it_was.add(name)
        self._made.append(node)

    def _plain(self, names: Any) -> None:
        for name in names:
            if name in self._as_it_was:
                self._as_it_was.remove(name)
                self._made.append(helper.make_node("Squeeze", [self._in_plane[name], HEIGHT], [name]))

    def finish(self) -> None:
        self._plain([each.name for each in self._graph.output])
        taken = {each.name for each in self._graph.output}
        kept = []
        for node in reversed(self._made):
            if not taken.isdisjoint(node.output):
                taken.update(node.input)
                kept.append(node)
        del self._graph.node[:], self._graph.value_info[:]
        self._graph.node.extend(reversed(kept))
        weights = [each for each in self._graph.initializer if each.name in taken]
        del self._graph.initializer[:]
        self._graph.initializer.extend(weights)
        self._graph.initializer.append(numpy_helper.from_array(np.array([2], np.int64), HEIGHT))

    def _constant(self, value: NDArray[Any], node: onnx.NodeProto) -> str:
        made = numpy_helper.from_array(value, f"{node.output[0]}_{len(self._graph.initializer)}")
        self._graph.initializer.append(made)
        return made.name

    def _is_along_time(self, takes: Sequence[str]) -> bool:
        return len(takes) >= 4 and self._rank(takes[3]) == 1 and self._value(takes[3]).tolist() in ([2], [-1])

    def _value(self, name: str) -> NDArray[Any]:
        if name in self._weights:
            return np.asarray(numpy_helper.to_array(self._weights[name]))
        (value,) = (each.t for each in self._producers[name].attribute if each.name == "value")
        return np.asarray(numpy_helper.to_array(value))

    def _rank(self, name: str) -> int:
        """Of a constant; -1 of anything else."""
        if name in self._weights:
            return len(self._weights[name].dims)
        node = self._producers.get(name)
        return self._value(name).ndim if node is not None and node.op_type == "Constant" else -1

    def _is_number(self, name: str) -> bool:
        return self._rank(name) >= 0 and self._value(name).size == 1
