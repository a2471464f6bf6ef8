"""Cutting graphs by hand: the parts in a row are the whole, and the margins are exactly what is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from edge_tts.models.onnx_graph import Graph, embedding_rows
from edge_tts.models.protobuf import GraphError
from edge_tts.models.session import HeldGraph, Session
from edge_tts.models.vits_cut import Cut, decoder_cut, flow_cut
from tests.tiny_vits import SYMBOLS, build_piper


@pytest.fixture
def path(tmp_path: Path) -> Path:
    build_piper(tmp_path / "x.onnx", n_speakers=3)
    return tmp_path / "x.onnx"


def session_of(graph: Graph, outputs: tuple[str, ...], known: tuple[str, ...] = ()) -> Session:
    parts = graph.part(outputs, known)
    return HeldGraph(Path("part.onnx"), "", parts).open(threads=1)


def inputs_of(n_ids: int = 20) -> dict[str, NDArray[np.float32] | NDArray[np.int64]]:
    return {
        "input": np.arange(1, n_ids + 1)[None],
        "input_lengths": np.array([n_ids]),
        # No noise: two sessions never draw the same.
        "scales": np.array([0, 1, 0], np.float32),
        "sid": np.array([2]),
    }


def test_the_parts_one_after_another_are_the_whole(path: Path) -> None:
    graph = Graph(path.read_bytes())
    decoder = decoder_cut(graph, "output", "sid")
    flow = flow_cut(graph, decoder.inputs[0], "sid")
    whole = session_of(graph, ("output",)).run(inputs_of())["output"]
    encoder = session_of(graph, flow.inputs)
    tensors = encoder.run({name: value for name, value in inputs_of().items() if name in encoder.inputs})
    tensors["sid"] = inputs_of()["sid"]
    for cut in (flow, decoder):
        stage = session_of(graph, (cut.output,), cut.inputs)
        tensors |= stage.run({name: tensors[name] for name in stage.inputs})
    np.testing.assert_allclose(tensors["output"], whole, atol=1e-6)
    assert np.abs(whole).max() > 0.01


def test_each_part_has_only_the_weights_it_needs(path: Path) -> None:
    graph = Graph(path.read_bytes())
    cut = decoder_cut(graph, "output", "sid")
    sizes = [sum(map(len, part)) for part in (graph.part(cut.inputs), graph.part(["output"], cut.inputs))]
    assert sum(sizes) < 1.1 * path.stat().st_size
    assert "input" not in session_of(graph, ("output",), cut.inputs).inputs


@pytest.mark.parametrize(("size", "margin"), [("medium_kernels", 12), ("high_kernels", 14)])
def test_the_margin_of_the_decoder_is_read_from_its_kernels(tmp_path: Path, size: str, margin: int) -> None:
    # Piper's configurations by hand: half the receptive field is 11.1 frames (medium) and 13.9 (high).
    build_piper(tmp_path / "x.onnx", size)
    cut = decoder_cut(Graph((tmp_path / "x.onnx").read_bytes()), "output", "sid")
    assert (cut.margin, cut.per_frame) == (margin, 256)


def test_the_margin_of_the_flow_is_read_from_its_kernels(tmp_path: Path) -> None:
    # Four couplings of four layers of kernel 5.
    build_piper(tmp_path / "x.onnx", "medium_kernels")
    graph = Graph((tmp_path / "x.onnx").read_bytes())
    assert flow_cut(graph, decoder_cut(graph, "output", "sid").inputs[0], "sid").margin == 32


@pytest.mark.parametrize("size", ["tiny", "medium_kernels", "high_kernels"])
def test_the_margin_is_enough_and_half_of_it_is_not(tmp_path: Path, size: str) -> None:
    build_piper(tmp_path / "x.onnx", size)
    graph = Graph((tmp_path / "x.onnx").read_bytes())
    cut = decoder_cut(graph, "output", "sid")
    stage = session_of(graph, (cut.output,), cut.inputs)
    latent = np.random.default_rng(1).standard_normal((1, 16, 80)).astype(np.float32)
    whole = run(stage, cut, latent)[30 * 256 : 50 * 256]
    errors = {}
    for margin in (cut.margin, cut.margin // 2):
        part = run(stage, cut, latent[..., 30 - margin : 50 + margin])[margin * 256 : (margin + 20) * 256]
        errors[margin] = np.abs(part - whole).max()
    assert errors[cut.margin] < 1e-6
    assert errors[cut.margin // 2] > 1e-6


def run(stage: Session, cut: Cut, latent: NDArray[np.float32]) -> NDArray[np.float32]:
    return stage.run({cut.inputs[0]: latent})["output"].ravel()


def test_a_decoder_that_looks_back_for_ever_is_not_cut(tmp_path: Path) -> None:
    build_piper(tmp_path / "x.onnx", opaque=True)
    with pytest.raises(GraphError):
        decoder_cut(Graph((tmp_path / "x.onnx").read_bytes()), "output", "sid")


def test_the_rows_of_an_embedding(path: Path) -> None:
    graph = Graph(path.read_bytes())
    assert embedding_rows(graph, "input") == len(SYMBOLS)
    assert embedding_rows(graph, "sid") == 3
    assert embedding_rows(graph, "scales") is None


def test_constants_are_read(path: Path) -> None:
    graph = Graph(path.read_bytes())
    known = {w.name: onnx.numpy_helper.to_array(w) for w in onnx.load(path).graph.initializer}
    integers = {name: value for name, value in known.items() if value.dtype == np.int64}
    assert integers
    assert {name: graph.integers(name) for name in integers} == {
        n: v.ravel().tolist() for n, v in integers.items()
    }


@pytest.mark.parametrize("kept", [0, 1, 7, 100, 5_000, 20_000, -1])
def test_a_truncated_file_is_an_error_of_its_own(path: Path, kept: int) -> None:
    with pytest.raises(GraphError):
        Graph(path.read_bytes()[:kept])


def test_flipped_bytes_never_raise_anything_else(path: Path) -> None:
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for position in random.integers(0, len(content), 200):
        changed = bytearray(content)
        changed[position] ^= 1 << int(random.integers(8))
        try:
            graph = Graph(bytes(changed))
            flow_cut(graph, decoder_cut(graph, "output", "sid").inputs[0], "sid")
        except GraphError:
            continue


def test_whole_numbers_that_are_listed_one_by_one_are_read() -> None:
    # numpy_helper packs them as bytes, helper.make_tensor lists them; reading those was a TypeError once.
    tensor = onnx.helper.make_tensor("pads", onnx.TensorProto.INT64, [2], [3, -4])
    graph = onnx.helper.make_model(onnx.helper.make_graph([], "listed", [], [], [tensor]))
    assert Graph(graph.SerializeToString()).integers("pads") == [3, -4]
