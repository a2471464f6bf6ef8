"""Loading graphs: what is wrong with a file is said, naming it; what a damaged graph yields is never played."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_tts.errors import SynthesisError, VoiceLoadError
from edge_tts.models.files import MAX_GRAPH_BYTES
from edge_tts.models.session import check_sound, open_session


@pytest.fixture
def doubling(tmp_path: Path) -> Path:
    """A graph y = 2 x."""
    return write_scaling(tmp_path / "doubling.onnx", 2.0)


def write_scaling(path: Path, factor: float) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "factor"], ["y"])],
        "scaling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(np.array(factor, np.float32), "factor")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_graph_runs_and_knows_where_it_came_from(doubling: Path) -> None:
    digest = hashlib.sha256(doubling.read_bytes()).hexdigest()
    session = open_session(doubling, digest.upper(), threads=1)
    assert session.sha256 == digest
    assert session.inputs == {"x"}
    np.testing.assert_array_equal(session.run({"x": np.ones(3, np.float32)})["y"], [2, 2, 2])


def test_a_changed_file_is_refused_before_it_is_run(doubling: Path) -> None:
    digest = hashlib.sha256(doubling.read_bytes()).hexdigest()
    content = bytearray(doubling.read_bytes())
    content[-20] ^= 1
    doubling.write_bytes(content)
    with pytest.raises(
        VoiceLoadError, match=r"doubling.onnx: is damaged or was changed: sha256 is .* expected"
    ):
        open_session(doubling, digest, threads=1)


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 100, b"<html>404</html>", b"version https://git-lfs.github.com/spec"]
)
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(VoiceLoadError, match=r"x.onnx: "):
        open_session(path, None, threads=1)


def test_a_truncated_graph_is_refused(doubling: Path) -> None:
    doubling.write_bytes(doubling.read_bytes()[:-30])
    with pytest.raises(VoiceLoadError, match="is damaged or no ONNX file"):
        open_session(doubling, None, threads=1)


def test_a_missing_file_and_what_is_no_file_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(VoiceLoadError, match="cannot be read: No such file"):
        open_session(tmp_path / "gone.onnx", None, threads=1)
    with pytest.raises(VoiceLoadError, match=r"Is a directory|not a regular file"):
        open_session(tmp_path, None, threads=1)
    # A pipe that nobody writes to would hold the synth thread for ever.
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(VoiceLoadError, match="not a regular file"):
        open_session(tmp_path / "pipe.onnx", None, threads=1)


def test_a_link_is_followed_inside_its_folder_only(doubling: Path, tmp_path: Path) -> None:
    (tmp_path / "link.onnx").symlink_to(doubling)
    assert open_session(tmp_path / "link.onnx", None, threads=1).outputs == ("y",)
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "link.onnx").symlink_to(doubling)
    with pytest.raises(VoiceLoadError, match=r"is a link to .*doubling.onnx, outside of its folder"):
        open_session(tmp_path / "voice" / "link.onnx", None, threads=1)
    # A folder may be a link: who runs the box made that one.
    (tmp_path / "linked").symlink_to(tmp_path)
    assert open_session(tmp_path / "linked" / "doubling.onnx", None, threads=1).outputs == ("y",)


def test_a_file_without_end_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(MAX_GRAPH_BYTES + 1)
    with pytest.raises(VoiceLoadError, match=f"has {MAX_GRAPH_BYTES + 1} bytes; at most"):
        open_session(tmp_path / "large.onnx", None, threads=1)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VoiceLoadError, match=r"its weights 'factor' are not numbers \(NaN\)"):
        open_session(write_scaling(tmp_path / "x.onnx", np.nan), None, threads=1)


def test_damaged_weights_are_an_error_not_a_bang(tmp_path: Path) -> None:
    session = open_session(write_scaling(tmp_path / "x.onnx", np.inf), None, threads=1)
    with pytest.raises(SynthesisError, match="yielded y that is not finite"):
        session.run({"x": np.ones(3, np.float32)})


def test_what_is_heard_has_a_limit_and_what_is_hidden_has_none(tmp_path: Path) -> None:
    session = open_session(write_scaling(tmp_path / "x.onnx", 1e30), None, threads=1)
    session.require(["x"], ["y"])
    assert session.run({"x": np.ones(3, np.float32)})["y"].max() > 1e29
    session.require(["x"], ["y"], bounded=["y"])
    with pytest.raises(SynthesisError, match="yielded y that is beyond 1000"):
        session.run({"x": -np.ones(3, np.float32)})


def test_a_run_that_fails_names_the_graph(doubling: Path) -> None:
    session = open_session(doubling, None, threads=1)
    with pytest.raises(SynthesisError, match=r"doubling.onnx failed"):
        session.run({"x": np.ones(3, np.int64)})


def test_a_graph_of_another_contract_is_refused(doubling: Path) -> None:
    session = open_session(doubling, None, threads=1)
    session.require(["x"], ["y"])
    with pytest.raises(VoiceLoadError, match="takes the inputs x; expected mel"):
        session.require(["mel"], ["y"])
    with pytest.raises(VoiceLoadError, match="has no output mel; it has y"):
        session.require(["x"], ["mel"])


def test_a_stuck_voice_is_an_error_and_silence_is_not() -> None:
    check_sound(np.zeros(50_000, np.float32), 22050, "the voice")
    check_sound(np.sin(np.arange(50_000)).astype(np.float32), 22050, "the voice")
    with pytest.raises(SynthesisError, match="one constant value"):
        check_sound(np.full(50_000, 0.5, np.float32), 22050, "the voice")
    with pytest.raises(SynthesisError, match="not finite"):
        check_sound(np.array([0, np.nan], np.float32), 22050, "the voice")
