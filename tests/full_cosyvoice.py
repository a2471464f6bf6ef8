"""A CosyVoice 3 voice of the published sizes with random weights, for scripts/bench_families: in float32, and with the
matrix products of language model and flow in int8, as onnxruntime's dynamic quantization writes them.

HiFT is the small one of tests/tiny_cosyvoice: its share of the work (11 of some 400 GMAC for each second of sound) is
left out, and so are the two graphs that hear clips and the table of text tokens (half a gigabyte that costs no time).
Its vocabulary has bytes only: three for a Chinese sign.
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests import tiny_cosyvoice
from tests.tiny_cosyvoice import KEYS, UNITS
from tests.tiny_emotivoice import FLOAT, Inputs, norm, save
from tests.tiny_vits import GraphBuilder

LLM_LAYERS, LLM_HEADS, LLM_WIDE, HEAD = 24, 14, 4864, 64
DIT_LAYERS, DIT_UNITS, DIT_HEADS = 22, 1024, 16
END_AFTER = 200


class Products(GraphBuilder):
    def __init__(self, seed: int, *, is_int8: bool) -> None:
        super().__init__(seed)
        self.is_int8 = is_int8


def product(b: Products, x: str, n_in: int, n_out: int) -> str:
    """x · W."""
    if not b.is_int8:
        drawn = b.random.standard_normal((n_in, n_out), np.float32)
        return b.op("MatMul", x, b.weight(drawn / np.float32(np.sqrt(n_in))))
    small, scale, zero = b.ops("DynamicQuantizeLinear", x, n_outputs=3)
    weight = b.weight(b.random.integers(-127, 128, (n_in, n_out), np.int8))
    made = b.op("Cast", b.op("MatMulInteger", small, weight, zero), to=FLOAT)
    # Random bytes of ±127 have a deviation of 73.
    return b.op("Mul", made, b.op("Mul", scale, b.constant(1 / (73 * np.sqrt(n_in)))))


def heads(b: GraphBuilder, x: str, n: int) -> str:
    shape = b.constant([0, 0, n, HEAD], np.int64)
    return b.op("Transpose", b.op("Reshape", x, shape), perm=[0, 2, 1, 3])


def mixed(b: GraphBuilder, q: str, k: str, v: str, units: int) -> str:
    scores = b.op("Mul", b.op("MatMul", q, b.op("Transpose", k, perm=[0, 1, 3, 2])), b.constant(1 / 8))
    made = b.op("Transpose", b.op("MatMul", b.op("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
    return b.op("Reshape", made, b.constant([0, 0, units], np.int64))


def gated(b: Products, x: str) -> str:
    wide = product(b, x, UNITS, LLM_WIDE)
    wide = b.op("Mul", b.op("Mul", wide, b.op("Sigmoid", wide)), product(b, x, UNITS, LLM_WIDE))
    return product(b, wide, LLM_WIDE, UNITS)


def backbone(path: Path, *, is_first: bool, is_int8: bool) -> None:
    b = Products(3, is_int8=is_int8)
    x, kept = "inputs_embeds", []
    for layer in range(LLM_LAYERS):
        y = norm(b, x, UNITS)
        q = heads(b, product(b, y, UNITS, UNITS), LLM_HEADS)
        pair = []
        for which in range(2):
            new = heads(b, product(b, y, UNITS, 2 * HEAD), 2)
            if not is_first:
                place = b.constant(2 * layer + which, np.int64)
                new = b.op("Concat", b.op("Gather", "past_key_values", place, axis=0), new, axis=2)
            pair.append(new)
        kept += [b.op("Unsqueeze", each, b.constant([0], np.int64)) for each in pair]
        repeat = b.constant(np.repeat([0, 1], LLM_HEADS // 2), np.int64)
        k, v = (b.op("Gather", each, repeat, axis=1) for each in pair)
        x = b.op("Add", x, product(b, mixed(b, q, k, v, UNITS), UNITS, UNITS))
        x = b.op("Add", x, gated(b, norm(b, x, UNITS)))
    past = b.op("Concat", *kept, axis=0)
    assert len(kept) == KEYS
    # As the tiny one: the first unit tells how much was seen, and so when to end.
    place = b.op("ReduceSum", "attention_mask", keepdims=0)
    unit = np.eye(1, UNITS, dtype=np.float32)
    x = b.op("Add", b.op("Mul", norm(b, x, UNITS), b.weight(1 - unit)), b.op("Mul", b.weight(unit), place))
    inputs: Inputs = {
        "inputs_embeds": (FLOAT, [1, "L" if is_first else 1, UNITS]),
        "attention_mask": (FLOAT, [1, "M"]),
    }
    if not is_first:
        inputs = {**inputs, "past_key_values": (FLOAT, [KEYS, 1, 2, "P", HEAD])}
    save(path, b, inputs, {"hidden": (x, FLOAT), "past": (past, FLOAT)})


def estimator(path: Path, *, is_int8: bool) -> None:
    b = Products(8, is_int8=is_int8)
    wide: list[int | str] = [2, 80, "F"]
    time = b.op("Reshape", "t", b.constant([2, 1, 1], np.int64))
    speaker = b.op("Expand", b.op("Unsqueeze", "spks", b.constant([2], np.int64)), b.op("Shape", "x"))
    x = b.op("Concat", "x", "mu", speaker, "cond", axis=1)
    x = b.op("Add", b.op("Transpose", x, perm=[0, 2, 1]), time)
    x = product(b, x, 320, DIT_UNITS)
    for _ in range(DIT_LAYERS):
        y = norm(b, x, DIT_UNITS)
        q, k, v = (heads(b, product(b, y, DIT_UNITS, DIT_UNITS), DIT_HEADS) for _ in range(3))
        x = b.op("Add", x, product(b, mixed(b, q, k, v, DIT_UNITS), DIT_UNITS, DIT_UNITS))
        y = b.op("Tanh", product(b, norm(b, x, DIT_UNITS), DIT_UNITS, 2 * DIT_UNITS))
        x = b.op("Add", x, product(b, y, 2 * DIT_UNITS, DIT_UNITS))
    made = b.op("Transpose", product(b, norm(b, x, DIT_UNITS), DIT_UNITS, 80), perm=[0, 2, 1])
    inputs: Inputs = {
        "x": (FLOAT, wide), "mask": (FLOAT, [2, 1, "F"]), "mu": (FLOAT, wide), "t": (FLOAT, [2]),
        "spks": (FLOAT, [2, 80]), "cond": (FLOAT, wide),
    }  # fmt: skip
    save(path, b, inputs, {"estimator_out": (b.op("Mul", made, "mask"), FLOAT)})


def build(folder: Path, *, is_int8: bool) -> None:
    tiny_cosyvoice.build(folder, end_after=END_AFTER)
    backbone(folder / "llm_backbone_initial.onnx", is_first=True, is_int8=is_int8)
    backbone(folder / "llm_backbone_decode.onnx", is_first=False, is_int8=is_int8)
    estimator(folder / "flow_estimator.onnx", is_int8=is_int8)
    path = folder / "voice.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["sha256"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in document["files"].values()
    }
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")


def set_up(folder: Path, **settings: Any) -> None:
    """The voice in *folder* with other settings."""
    path = folder / "voice.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["cosyvoice"] |= settings
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")


KINDS = {
    "float32": partial(build, is_int8=False),
    "8 bits": partial(build, is_int8=True),
    "8 bits, stages kept": partial(set_up, keep_stages=True),
    "8 bits, by blocks": partial(set_up, keep_stages=True, blocks=True),
}
