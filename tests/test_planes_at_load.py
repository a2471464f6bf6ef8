"""Piper's decoder with its convolutions over planes, made at load: it says what the decoder says, or is left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edge_tts.models.onnx_graph import Graph
from edge_tts.models.planes import in_planes
from edge_tts.models.session import HeldGraph
from edge_tts.models.vits_cut import Cut, decoder_cut
from tests.tiny_vits import build_piper

N_FRAMES = 20


def parts_of(graph: Graph, cut: Cut) -> list[bytes | memoryview]:
    return graph.part([cut.output], cut.inputs)


def spoken(graph: Graph, cut: Cut) -> NDArray[np.float32]:
    """What the part *cut* of *graph* makes of noise."""
    session = HeldGraph(Path("decoder.onnx"), "", parts_of(graph, cut)).open(threads=1)
    noise = np.random.default_rng(0).standard_normal((1, 16, N_FRAMES)).astype(np.float32)
    inputs: dict[str, NDArray[Any]] = {cut.inputs[0]: noise, "sid": np.array([2])}
    return session.run({name: inputs[name] for name in session.inputs})[cut.output]


def decoder(path: Path, size: str = "tiny", n_speakers: int = 1) -> tuple[onnx.ModelProto, Cut]:
    build_piper(path, size, n_speakers=n_speakers)
    return onnx.load(path), decoder_cut(Graph(path.read_bytes()), "output", "sid")


def nodes_of(graph: Graph, cut: Cut) -> list[onnx.NodeProto]:
    return list(onnx.load_from_string(b"".join(parts_of(graph, cut))).graph.node)


@pytest.mark.parametrize("size", ["tiny", "medium_kernels", "high_kernels"])
@pytest.mark.parametrize("n_speakers", [1, 3])
def test_a_decoder_in_planes_says_the_same(size: str, n_speakers: int, tmp_path: Path) -> None:
    model, cut = decoder(tmp_path / "x.onnx", size, n_speakers)
    graph = Graph(model.SerializeToString())
    made = in_planes(graph, cut)
    expected = spoken(graph, cut)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(spoken(made, cut), expected, atol=1e-5)
    weights = {name: len(each.dims) for name, each in made.initializers.items()}
    nodes = nodes_of(made, cut)
    assert {weights[node.input[1]] for node in nodes if "Conv" in node.op_type} == {4}
    # Turned where it begins and ends, and for the speaker; in between nothing goes back and forth.
    before = nodes_of(graph, cut)
    turns = [sum("nsqueeze" in n.op_type or n.op_type == "Squeeze" for n in each) for each in (before, nodes)]
    assert turns[1] - turns[0] == (2 if n_speakers == 1 else 3)


def test_the_weights_are_not_copied(tmp_path: Path) -> None:
    model, cut = decoder(tmp_path / "x.onnx")
    content = model.SerializeToString()
    parts = parts_of(in_planes(Graph(content), cut), cut)
    views = [part for part in parts if isinstance(part, memoryview) and part.obj is content]
    weights = sum(w.ByteSize() for w in onnx.load_from_string(b"".join(parts)).graph.initializer)
    assert sum(map(len, views)) > 0.9 * weights


def last(model: onnx.ModelProto, operator: str) -> onnx.NodeProto:
    """The decoder's: it comes last."""
    nodes: list[onnx.NodeProto] = [node for node in model.graph.node if node.op_type == operator]
    return nodes[-1]


def weight_of(model: onnx.ModelProto, node: onnx.NodeProto) -> onnx.TensorProto:
    weights: dict[str, onnx.TensorProto] = {each.name: each for each in model.graph.initializer}
    return weights[node.input[1]]


def listed(model: onnx.ModelProto) -> None:
    """Numbers one by one instead of as bytes."""
    weight = weight_of(model, last(model, "Conv"))
    values = numpy_helper.to_array(weight)
    weight.CopyFrom(helper.make_tensor(weight.name, weight.data_type, values.shape, values.ravel()))


def computed(model: onnx.ModelProto) -> None:
    """As int8 weights are, which a DequantizeLinear makes floats."""
    node = last(model, "Conv")
    model.graph.node.insert(0, helper.make_node("Identity", [node.input[1]], ["computed"]))
    node.input[1] = "computed"


def shared(model: onnx.ModelProto) -> None:
    """A weight that something else takes as well."""
    node = last(model, "Conv")
    nodes = [
        helper.make_node("ReduceMax", [node.input[1]], ["loudest"], keepdims=0),
        helper.make_node("Mul", [node.output[0], "loudest"], ["louder"]),
    ]
    position = list(model.graph.node).index(node) + 1
    for later in list(model.graph.node)[position:]:
        later.input[:] = ["louder" if name == node.output[0] else name for name in later.input]
    for made in reversed(nodes):
        model.graph.node.insert(position, made)


def of_an_old_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 12


def of_an_own_attribute(model: onnx.ModelProto) -> None:
    last(model, "Conv").attribute.append(helper.make_attribute("activation", "Relu"))


def over_two_axes(model: onnx.ModelProto) -> None:
    node = last(model, "Conv")
    node.attribute.append(helper.make_attribute("dilations", [1, 1]))


@pytest.mark.parametrize(
    "change", [listed, computed, shared, of_an_old_opset, of_an_own_attribute, over_two_axes]
)
def test_what_is_not_understood_stays_as_it_was(
    change: Callable[[onnx.ModelProto], None], tmp_path: Path
) -> None:
    model, cut = decoder(tmp_path / "x.onnx")
    assert in_planes(whole := Graph(model.SerializeToString()), cut) is not whole
    change(model)
    assert in_planes(changed := Graph(model.SerializeToString()), cut) is changed


def test_other_operators_between_convolutions_get_lines(tmp_path: Path) -> None:
    model, cut = decoder(tmp_path / "x.onnx")
    node = last(model, "ConvTranspose")
    channels = weight_of(model, node).dims[1]
    gains = numpy_helper.from_array(np.linspace(0.5, 2, channels, dtype=np.float32)[:, None], "gains")
    half = numpy_helper.from_array(np.array(0.5, np.float32), "half")
    model.graph.initializer.extend([gains, half])
    made = [
        helper.make_node("Softplus", ["before"], ["soft"]),
        # Of two axes and more than one number: over planes its channels would be taken for the height.
        helper.make_node("Mul", ["soft", "gains"], ["gained"]),
        helper.make_node("Mul", ["gained", "half"], [node.output[0]]),
    ]
    position = list(model.graph.node).index(node) + 1
    node.output[0] = "before"
    for each in reversed(made):
        model.graph.node.insert(position, each)
    graph = Graph(model.SerializeToString())
    in_plane = in_planes(graph, cut)
    assert in_plane is not graph
    np.testing.assert_allclose(spoken(in_plane, cut), spoken(graph, cut), atol=1e-5)
