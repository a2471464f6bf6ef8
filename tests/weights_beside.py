"""Weights of graphs put into a file beside them, as exporters leave those of large models."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_tts.models.base import VoiceSpec

ALIGNMENT = 64


def scaling(path: Path, factors: Sequence[float]) -> Path:
    """A graph y = factors · x."""
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "factors"], ["y"])],
        "scaling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [len(factors)])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [len(factors)])],
        [numpy_helper.from_array(np.array(factors, np.float32), "factors")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def put_beside(graphs: Sequence[Path], weights: Path, kind: str = "<f4") -> None:
    """Move the float weights of *graphs* into *weights*, those that they share once. Places are as in a file of
    float32, whatever *kind* is written: so are those of Genie-TTS."""
    places: dict[bytes, int] = {}
    content = bytearray()
    for path in graphs:
        model = onnx.load(path)
        for tensor in model.graph.initializer:
            if tensor.data_type != TensorProto.FLOAT or not tensor.dims:
                continue
            values = numpy_helper.to_array(tensor)
            if values.tobytes() not in places:
                content += b"\0" * (-len(content) % ALIGNMENT)
                places[values.tobytes()] = len(content)
                content += values.tobytes()
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
            tensor.data_location = TensorProto.EXTERNAL
            where = {
                "location": "weights_fp32.bin",
                "offset": places[values.tobytes()],
                "length": values.nbytes,
            }
            for key, value in where.items():
                tensor.external_data.add(key=key, value=str(value))
        path.write_bytes(model.SerializeToString())
    weights.write_bytes(np.frombuffer(bytes(content), "<f4").astype(kind).tobytes())


def beside(spec: VoiceSpec, files: Mapping[str, Sequence[str]], kind: str = "<f2") -> VoiceSpec:
    """*spec* with the weights of its graphs in *files*: name → roles of the graphs."""
    added: dict[str, Path] = {}
    for name, roles in files.items():
        put_beside([spec.files[role] for role in roles], spec.folder / name, kind)
        added |= {f"{role}_weights": spec.folder / name for role in roles}
    return signed(replace(spec, files={**spec.files, **added}))


def signed(spec: VoiceSpec) -> VoiceSpec:
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in spec.files.values()}
    return replace(spec, sha256=digests)
