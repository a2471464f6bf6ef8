"""A voice that is slower than it is heard on any machine: a real graph with much to compute for little sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_tts.text.phonemes import espeak_voice
from tests.tiny_vits import build_piper

WIDTH = 512
PRODUCTS = 120
"""Matrix products of WIDTH for each sentence: a fifth of a second on a small PC, for a fortieth of sound."""


def build_heavy(path: Path, language: str = "en_US") -> None:
    """Write *path* (x.onnx) and its x.onnx.json, a Piper voice."""
    espeak = {"voice": espeak_voice(language)}
    build_piper(path, "brief", espeak=espeak, language={"code": language})
    model = onnx.load(path)
    weight = (np.random.default_rng(1).standard_normal((WIDTH, WIDTH)) / np.sqrt(WIDTH)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "burden"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(1e-9, np.float32), "next_to_nothing"))
    for node in model.graph.node:
        node.input[:] = ["scales_later" if name == "scales" else name for name in node.input]
    work = [
        helper.make_node("Cast", ["input_lengths"], ["length"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["length", "length"], ["one"]),
        helper.make_node("Mul", ["burden", "one"], ["work0"]),
        *(helper.make_node("MatMul", [f"work{k}", "burden"], [f"work{k + 1}"]) for k in range(PRODUCTS)),
        helper.make_node("Tanh", [f"work{PRODUCTS}"], ["bounded"]),
        helper.make_node("ReduceMean", ["bounded"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "next_to_nothing"], ["nothing"]),
        helper.make_node("Add", ["scales", "nothing"], ["scales_later"]),
    ]
    nodes = [*work, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
