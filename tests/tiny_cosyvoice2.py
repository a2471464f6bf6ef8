"""A CosyVoice 2 voice of small random graphs and tables: names, types, ranks and sizes at the borders as published. It
hums, and ends after `end_after` of all that its language model sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto

from tests import tiny_cosyvoice
from tests.tiny_cosyvoice import END_AFTER, N_TEXT, N_TOKENS, UNITS
from tests.tiny_emotivoice import FLOAT, INT, Inputs, linear, save
from tests.tiny_vits import GraphBuilder

INT32 = TensorProto.INT32
LAYERS, N_SCORES = 24, 6564


def turned_angles(b: GraphBuilder, ids: str, rows: int, units: int) -> str:
    """[1, n, units] of ids [1, n]: a sine instead of a table."""
    whole = b.op("Mod", b.op("Cast", ids, to=INT), b.constant(rows, np.int64))
    place = b.op("Cast", b.op("Unsqueeze", whole, b.constant([2], np.int64)), to=FLOAT)
    return b.op("Sin", b.op("Mul", place, b.random_weight(units, fan_in=1)))


def language_model(folder: Path, end_after: int) -> None:
    b = GraphBuilder(1)
    made = turned_angles(b, "input", N_TEXT, UNITS)
    save(folder / "embed_tokens.onnx", b, {"input": (INT32, [1, "L"])}, {"embeddings": (made, FLOAT)})
    b = GraphBuilder(2)
    inputs: Inputs = {"xs": (FLOAT, [1, "L", UNITS]), "masks": (TensorProto.BOOL, [1, "L", "L"])}
    key = b.op("MatMul", "xs", b.random_weight(UNITS, 128, fan_in=UNITS))
    key = b.op("Reshape", key, b.constant([1, -1, 2, 64], np.int64))
    key = b.op("Transpose", key, perm=[0, 2, 1, 3])
    caches = {}
    for layer in range(LAYERS):
        for kind in ("key", "value"):
            name = f"{kind}_cache{layer}"
            inputs = {**inputs, name: (FLOAT, [1, 2, "S", 64])}
            caches[f"new_{name}"] = (b.op("Concat", name, key, axis=2), FLOAT)
    past = caches["new_value_cache23"][0]
    seen = b.op("ReduceMean", past, axes=[0, 1, 2], keepdims=0)
    seen = b.op("Unsqueeze", seen, b.constant([0], np.int64))
    hidden = b.op("Add", "xs", b.op("MatMul", seen, b.random_weight(64, UNITS, fan_in=8)))
    # The first unit tells the decoder how much was seen: the memory, less one if the mask shows a later token.
    place = b.op("Cast", b.op("Gather", b.op("Shape", past), b.constant(2, np.int64)), to=FLOAT)
    corner = b.op("Slice", b.op("Cast", "masks", to=FLOAT), b.constant([0, 1], np.int64), b.constant([1, 99], np.int64),
                  b.constant([1, 2], np.int64))  # fmt: skip
    place = b.op("Sub", place, b.op("ReduceSum", corner, keepdims=0))
    unit = np.eye(1, UNITS, dtype=np.float32)
    hidden = b.op("Add", b.op("Mul", hidden, b.weight(1 - unit)), b.op("Mul", b.weight(unit), place))
    save(folder / "llm.onnx", b, inputs, {"y_pred": (hidden, FLOAT), **caches})
    random = np.random.default_rng(3)
    weight = random.standard_normal((N_SCORES, UNITS)).astype(np.float32) / 10
    weight[:, 0] = 0
    weight[N_TOKENS:, 0] = 1.0
    bias = np.zeros(N_SCORES, np.float32)
    # What comes after the end is likelier than it, and means nothing.
    bias[N_TOKENS:] = np.array([0, 3, 3]) - end_after
    tables = {
        "speech_embedding": np.sin(np.outer(np.arange(N_SCORES), random.standard_normal(UNITS))),
        "llm_embedding": random.standard_normal((2, UNITS)),
        "llm_decoder_weight": weight,
        "llm_decoder_bias": bias,
    }
    for name, values in tables.items():
        np.save(folder / f"{name}.npy", values.astype(np.float32))


def flow_encoder(folder: Path) -> None:
    b = GraphBuilder(5)
    inputs: Inputs = {
        "token": (INT32, [1, "n"]), "token_len": (INT32, [1]), "prompt_token": (INT32, [1, "p"]),
        "prompt_token_len": (INT32, [1]), "prompt_feat": (FLOAT, [1, "2p", 80]), "embedding": (FLOAT, [1, 192]),
    }  # fmt: skip
    x = turned_angles(b, b.op("Concat", "prompt_token", "token", axis=1), N_TOKENS, 80)
    x = b.op("Transpose", x, perm=[0, 2, 1])
    x = b.op("Resize", x, "", b.weight(np.array([1, 1, 2], np.float32)), mode="nearest")
    mu = b.conv(x, 80, 80, 3)
    # All that it is told must be used: lengths that differ from the tokens would be heard.
    n_frames = b.op("Mul", b.op("Add", "token_len", "prompt_token_len"), b.constant(2, np.int32))
    n_mu = b.op("Gather", b.op("Shape", mu), b.constant([2], np.int64))
    mu = b.op("Add", mu, b.op("Cast", b.op("Sub", n_mu, b.op("Cast", n_frames, to=INT)), to=FLOAT))
    feat = b.op("Transpose", "prompt_feat", perm=[0, 2, 1])
    left = b.op("Sub", n_mu, b.op("Gather", b.op("Shape", feat), b.constant([2], np.int64)))
    cond = b.op("Pad", feat, b.op("Concat", b.constant([0, 0, 0, 0, 0], np.int64), left, axis=0))
    mask = b.op("Expand", b.constant(1.0), b.op("Concat", b.constant([1, 1], np.int64), n_mu, axis=0))
    length = b.op("Sqrt", b.op("ReduceSum", b.op("Mul", "embedding", "embedding"), keepdims=1))
    spks = linear(b, b.op("Div", "embedding", length), 192, 80)
    outputs = {"mu": (mu, FLOAT), "mask": (mask, FLOAT), "spks": (spks, FLOAT), "cond": (cond, FLOAT)}
    save(folder / "flow_encoder.onnx", b, inputs, outputs)


def hift(folder: Path, noise: float) -> None:
    """*noise*: drawn anew for each run, as that of an exported source is."""
    b = GraphBuilder(9)
    up = b.op(
        "Resize",
        b.conv("speech_feat", 80, 9, 7),
        "",
        b.weight(np.array([1, 1, 120], np.float32)),
        mode="nearest",
    )
    up = b.op("Pad", up, b.constant([0, 0, 0, 0, 0, 1], np.int64), mode="edge")
    drawn = b.op("Mul", b.op("RandomNormalLike", up), b.constant(noise))
    x = b.op("Add", b.op("Tanh", up), drawn)
    magnitude = b.op("Exp", b.op("Sub", x, tiny_cosyvoice.loudness(b)))
    # Columns are 4 samples: some 300 Hz and more.
    turns = b.op(
        "CumSum",
        b.op("Add", b.op("Mul", b.op("Abs", up), b.constant(0.02)), b.constant(0.3)),
        b.constant(2, np.int64),
    )
    outputs = {"magnitude": (magnitude, FLOAT), "phase": (turns, FLOAT)}
    save(folder / "hift.onnx", b, {"speech_feat": (FLOAT, [1, 80, "F"])}, outputs)


def build(
    folder: Path, *, end_after: int = END_AFTER, has_clip: bool = True, is_local: bool = False, noise: float = 0.0,
    **settings: Any,
) -> None:  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    language_model(folder, end_after)
    flow_encoder(folder)
    tiny_cosyvoice.estimator(folder, is_local=is_local)
    hift(folder, noise)
    tiny_cosyvoice.enrolment(folder)
    tiny_cosyvoice.describe(folder, has_clip=has_clip, **settings)
