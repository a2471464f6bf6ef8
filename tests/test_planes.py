"""Vocoders as `edgetts convert` writes them: convolutions over planes, which say what those over time said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_tts.convert.planes import in_planes
from edge_tts.models.onnx_graph import Graph
from edge_tts.models.session import open_session
from edge_tts.models.vits_cut import decoder_cut
from tests import tiny_emotivoice, tiny_gpt_sovits, tiny_sambert
from tests.gpt_sovits_t2s import TINY

N_FRAMES = 30


def vocoder(kind: str, folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    random = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]]
    if kind == "emotivoice":
        tiny_emotivoice.build(folder)
        path, shapes = folder / "voc.onnx", {"logmel": (1, N_FRAMES, 80)}
    elif kind == "gpt_sovits":
        tiny_gpt_sovits.split_vits(folder, TINY)
        path, shapes = folder / "vocoder.onnx", {"z": (1, 6, N_FRAMES), "g": (1, 4, 1)}
    else:
        sizes = tiny_sambert.nsf(tiny_sambert.TINY) if kind == "nsf" else tiny_sambert.TINY
        tiny_sambert.build(folder, sizes)
        path, shapes = folder / "voc.onnx", {"mel": (1, sizes.n_mels, N_FRAMES)}
        if kind == "nsf":
            shapes |= {"phase": (1, 8, N_FRAMES), "noise": (1, 8, N_FRAMES * sizes.hop)}
    return path, {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("kind", ["emotivoice", "gpt_sovits", "sambert", "nsf"])
def test_a_vocoder_in_planes_says_the_same(kind: str, tmp_path: Path) -> None:
    path, given = vocoder(kind, tmp_path)
    (expected,) = open_session(path, None, 1).run(given).values()
    in_planes(path)
    (made,) = open_session(path, None, 1).run(given).values()
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(made, expected, atol=1e-5)
    graph = onnx.load(path).graph
    ranks = {each.name: len(each.dims) for each in graph.initializer}
    assert {ranks[node.input[1]] for node in graph.node if "Conv" in node.op_type} == {4}
    # Between the convolutions nothing goes back and forth.
    n_turns = sum(node.op_type in ("Squeeze", "Unsqueeze") for node in graph.node)
    assert n_turns <= (10 if kind == "nsf" else 3)


def test_its_context_is_read_from_planes_as_well(tmp_path: Path) -> None:
    path, _ = vocoder("emotivoice", tmp_path)
    before = decoder_cut(Graph(path.read_bytes()), "wav", "")
    in_planes(path)
    after = decoder_cut(Graph(path.read_bytes()), "wav", "")
    assert (after.margin, after.per_frame) == (before.margin, before.per_frame)


def test_zeros_around_are_put_into_the_convolution(tmp_path: Path) -> None:
    weight = onnx.numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 1, 3), "w")
    pads = onnx.numpy_helper.from_array(np.array([0, 0, 2, 0, 0, 0]), "pads")
    value = [onnx.helper.make_tensor_value_info(name, 1, [1, None, None]) for name in "xy"]
    nodes = [
        onnx.helper.make_node("Pad", ["x", "pads"], ["padded"]),
        onnx.helper.make_node("Conv", ["padded", "w"], ["y"], kernel_shape=[3]),
    ]
    graph = onnx.helper.make_graph(nodes, "causal", value[:1], value[1:], [weight, pads])
    path = tmp_path / "causal.onnx"
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    given = {"x": np.ones((1, 1, 5), np.float32)}
    expected = open_session(path, None, 1).run(given)["y"]
    in_planes(path)
    assert [node.op_type for node in onnx.load(path).graph.node] == ["Unsqueeze", "Conv", "Squeeze"]
    np.testing.assert_array_equal(open_session(path, None, 1).run(given)["y"], expected)
