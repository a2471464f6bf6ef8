"""What happens to the files of a voice, and what a stranger may write into them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.tiny_voices import build_piper

GRAPH, CONFIG = "v.onnx", "v.onnx.json"


def piper_voice(folder: Path) -> Path:
    """A Piper pair with the digest of its graph beside it."""
    folder.mkdir()
    build_piper(folder / GRAPH)
    return sign(folder)


def sign(folder: Path) -> Path:
    digest = hashlib.sha256((folder / GRAPH).read_bytes()).hexdigest()
    (folder / f"{GRAPH}.sha256").write_text(f"{digest}  {GRAPH}\n")
    return folder


# What happens to the files


def truncated(folder: Path) -> None:
    (folder / GRAPH).write_bytes((folder / GRAPH).read_bytes()[:-1000])


def one_flipped_bit(folder: Path) -> None:
    content = bytearray((folder / GRAPH).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / GRAPH).write_bytes(content)


def empty(folder: Path) -> None:
    (folder / GRAPH).write_bytes(b"")


def gone(folder: Path) -> None:
    (folder / GRAPH).rename(folder / "elsewhere")
    (folder / GRAPH).symlink_to(folder / "nowhere")


def link_out(folder: Path) -> None:
    outside = folder.parent / "outside"
    (folder / GRAPH).rename(outside)
    (folder / GRAPH).symlink_to(outside)


def link_to_a_secret(folder: Path) -> None:
    (folder / CONFIG).unlink()
    (folder / CONFIG).symlink_to("/etc/passwd")


def pipe(folder: Path) -> None:
    (folder / GRAPH).unlink()
    os.mkfifo(folder / GRAPH)


def pipe_of_configuration(folder: Path) -> None:
    (folder / CONFIG).unlink()
    os.mkfifo(folder / CONFIG)


def wrong_digest_file(folder: Path) -> None:
    (folder / f"{GRAPH}.sha256").write_text("d41d8cd98f00b204e9800998ecf8427e  v.onnx\n")


# What a stranger may write


def changed(change: Callable[[onnx.ModelProto], None]) -> Callable[[Path], None]:
    """The graph written anew, and signed."""

    def damage(folder: Path) -> None:
        model = onnx.load(folder / GRAPH)
        change(model)
        (folder / GRAPH).write_bytes(model.SerializeToString())
        sign(folder)

    damage.__name__ = change.__name__
    return damage


@changed
def external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


@changed
def unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[-1].op_type = "Frobnicate"


@changed
def operator_of_a_stranger(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("evil", 1))
    model.graph.node[-1].domain = "evil"


@changed
def opset_of_the_future(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


@changed
def not_a_number(model: onnx.ModelProto) -> None:
    weight = next(each for each in model.graph.initializer if len(each.dims) == 3)
    value = numpy_helper.to_array(weight).copy()
    value.flat[5] = np.nan
    weight.CopyFrom(numpy_helper.from_array(value, weight.name))


@changed
def infinite(model: onnx.ModelProto) -> None:
    for weight in model.graph.initializer:
        if len(weight.dims) == 3:
            value = np.full(list(weight.dims), np.inf, np.float32)
            weight.CopyFrom(numpy_helper.from_array(value, weight.name))


@changed
def huge_claim(model: onnx.ModelProto) -> None:
    weight = next(each for each in model.graph.initializer if len(each.dims) == 3)
    weight.dims[0] = 1 << 40


@changed
def another_contract(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "words"


def settings(**values: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        document = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps(document | values))

    damage.__name__ = "_".join(values)
    return damage


def graphs_in_graphs(folder: Path) -> None:
    """By hand: the onnx package makes no such thing."""
    inner = b""
    for number in (6, 5, 1) * 40:
        # The graph of a branch, the branch of an If, the If in a graph.
        length = len(inner)
        inner = bytes([number << 3 | 2, length & 0x7F | 0x80, length >> 7]) + inner
    length = len(inner)
    added = bytes([7 << 3 | 2, length & 0x7F | 0x80, length >> 7]) + inner
    (folder / GRAPH).write_bytes((folder / GRAPH).read_bytes() + added)
    sign(folder)


def nested(folder: Path) -> None:
    (folder / CONFIG).write_text("[" * 100_000)


IDS = {"^": [1], "_": [0], "$": [2], "a": [5000]}

DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (truncated, "is damaged or was changed: sha256 is"),
    (one_flipped_bit, "is damaged or was changed: sha256 is"),
    (empty, "is empty; install it again"),
    (gone, "cannot be read: No such file"),
    (link_out, "is a link to .*outside, outside of its folder"),
    (link_to_a_secret, "is a link to /etc/passwd, outside of its folder"),
    (pipe, "is not a regular file"),
    (pipe_of_configuration, "is not a regular file"),
    (wrong_digest_file, "begins with no digest"),
    (external, "lie in another file"),
    (unknown_operator, "Frobnicate"),
    (operator_of_a_stranger, "evil"),
    (opset_of_the_future, "(?i)opset"),
    (not_a_number, r"not numbers \(NaN\)"),
    (infinite, "does not speak a test phoneme"),
    (huge_claim, "claim another size"),
    (graphs_in_graphs, "graphs inside graphs"),
    (another_contract, "takes .*words"),
    (settings(phoneme_id_map=IDS), "knows .* phonemes, but its configuration has ids up to 5000"),
    (settings(num_speakers=3), "a Piper voice with 3 speaker"),
    (settings(phoneme_id_map={"a": [1]}), "lacks"),
    (settings(audio={"sample_rate": 10**12}), "sample_rate: expected 8000 to 96000"),
    (settings(audio={"sample_rate": 1e999}), "is no Piper configuration"),
    (settings(inference={"length_scale": 1e9}), "inference.length_scale: expected 0 to 10, found 1000000000"),
    (settings(inference={"noise_w": float("nan")}), "inference.noise_w: expected 0 to 10, found nan"),
    (nested, "is not JSON"),
]
"""And the reason that is given."""
