"""An EmotiVoice voice with random weights: a tiny one for tests, and one of the real sizes for the benchmark.

The layers, names, types and shapes of the real ones; what they say is noise.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper

from tests.tiny_vits import GraphBuilder

Inputs = Mapping[str, tuple[int, Sequence[int | str]]]
"""Name → element type and shape."""

INT, FLOAT = TensorProto.INT64, TensorProto.FLOAT
N_MELS = 80
HAN = "普通生气开心惊讶悲伤厌恶恐惧你好世界，。"
LEXICON = "hello HH AH0 L OW1\nread R IY1 D\nworld W ER1 L D\n"


@dataclass(frozen=True)
class Sizes:
    units: int
    layers: int
    heads: int
    variance_layers: int
    bert_units: int
    bert_layers: int
    bert_heads: int
    bert_pieces: int
    channels: int
    n_speakers: int
    up_rates: tuple[int, ...] = (8, 8, 2, 2)
    up_kernels: tuple[int, ...] = (16, 16, 4, 4)
    res_kernels: tuple[int, ...] = (3, 7, 11)


TINY = Sizes(8, 1, 2, 2, 8, 1, 2, 64, 16, 5)
FULL = Sizes(384, 4, 8, 3, 768, 12, 12, 13685, 512, 2013)


def save(
    path: Path, b: GraphBuilder, inputs: Inputs,
    outputs: Mapping[str, tuple[str, int]],
) -> None:  # fmt: skip
    """*outputs*: name → what was made, and its element type."""
    for name, (made, _) in outputs.items():
        b.nodes.append(helper.make_node("Identity", [made], [name]))
    graph = helper.make_graph(
        b.nodes,
        path.stem,
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name, (_, kind) in outputs.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    # Moved, not copied: those of a full-size graph are gigabytes.
    b.weights.reverse()
    while b.weights:
        model.graph.initializer.append(b.weights.pop())
    onnx.save(model, path)


def norm(b: GraphBuilder, x: str, units: int) -> str:
    scale, bias = b.weight(np.ones(units, np.float32)), b.weight(np.zeros(units, np.float32))
    return b.op("LayerNormalization", x, scale, bias, axis=-1)


def linear(b: GraphBuilder, x: str, n_in: int, n_out: int) -> str:
    return b.op(
        "Add",
        b.op("MatMul", x, b.random_weight(n_in, n_out, fan_in=n_in)),
        b.random_weight(n_out, fan_in=100),
    )


def along_time(b: GraphBuilder, x: str, n_in: int, n_out: int, kernel: int) -> str:
    """A convolution of [1, T, n_in]."""
    made = b.conv(b.op("Transpose", x, perm=[0, 2, 1]), n_in, n_out, kernel)
    return b.op("Transpose", made, perm=[0, 2, 1])


def gelu(b: GraphBuilder, x: str) -> str:
    half = b.op("Mul", x, b.constant(0.5))
    return b.op(
        "Mul", half, b.op("Add", b.op("Erf", b.op("Mul", x, b.constant(0.70710678))), b.constant(1.0))
    )


def attention(b: GraphBuilder, x: str, units: int, heads: int) -> str:
    shape = b.constant([0, 0, heads, units // heads], np.int64)
    q, k, v = (b.op("Reshape", linear(b, x, units, units), shape) for _ in range(3))
    q, v = (b.op("Transpose", each, perm=[0, 2, 1, 3]) for each in (q, v))
    scores = b.op("MatMul", q, b.op("Transpose", k, perm=[0, 2, 3, 1]))
    weights = b.op("Softmax", b.op("Mul", scores, b.constant(math.sqrt(heads / units))), axis=-1)
    mixed = b.op("Transpose", b.op("MatMul", weights, v), perm=[0, 2, 1, 3])
    return linear(b, b.op("Reshape", mixed, b.constant([0, 0, units], np.int64)), units, units)


def positions(b: GraphBuilder, x: str, units: int) -> str:
    """Sines of the place, [T, units]."""
    length = b.op("Gather", b.op("Shape", x), b.constant(1, np.int64))
    place = b.op("Cast", b.op("Range", b.constant(0, np.int64), length, b.constant(1, np.int64)), to=FLOAT)
    speed = b.weight(np.exp(-np.arange(units) * math.log(10000) / units).astype(np.float32))
    angle = b.op("Mul", b.op("Unsqueeze", place, b.constant([1], np.int64)), speed)
    return b.op("Sin", angle)


def transformer(b: GraphBuilder, x: str, s: Sizes) -> str:
    x = b.op("Add", x, positions(b, x, s.units))
    for _ in range(s.layers):
        x = b.op("Add", x, attention(b, norm(b, x, s.units), s.units, s.heads))
        wide = gelu(b, along_time(b, norm(b, x, s.units), s.units, 4 * s.units, 3))
        x = b.op("Add", x, along_time(b, wide, 4 * s.units, s.units, 3))
    return norm(b, x, s.units)


def embedding(path: Path, s: Sizes) -> None:
    b = GraphBuilder(1)
    x = b.op("Gather", b.random_weight(s.bert_pieces, s.bert_units, fan_in=1), "input_ids")
    x = norm(b, b.op("Add", x, positions(b, x, s.bert_units)), s.bert_units)
    for _ in range(s.bert_layers):
        x = norm(b, b.op("Add", x, attention(b, x, s.bert_units, s.bert_heads)), s.bert_units)
        wide = gelu(b, linear(b, x, s.bert_units, 4 * s.bert_units))
        x = norm(b, b.op("Add", x, linear(b, wide, 4 * s.bert_units, s.bert_units)), s.bert_units)
    pooled = b.op(
        "Tanh", linear(b, b.op("Gather", x, b.constant(0, np.int64), axis=1), s.bert_units, s.bert_units)
    )
    save(path, b, {"input_ids": (INT, [1, "seq"])}, {"style_embedding": (pooled, FLOAT)})


def predicted(b: GraphBuilder, x: str, s: Sizes) -> str:
    """[1, T, 1]: duration, pitch or energy."""
    for _ in range(s.variance_layers):
        x = norm(b, b.op("Relu", along_time(b, x, s.units, s.units, 3)), s.units)
    return linear(b, x, s.units, 1)


def encoder(path: Path, s: Sizes, n_tokens: int, *, has_prosody: bool, log_frames: float = 1.9) -> None:
    """*log_frames*: the middle of the durations, as ln(frames + 1)."""
    b = GraphBuilder(2)
    x = transformer(b, b.op("Gather", b.random_weight(n_tokens, s.units, fan_in=1), "inputs_ling"), s)
    speaker = b.op("Gather", b.random_weight(s.n_speakers, s.units, fan_in=1), "inputs_speaker")
    around = [speaker, "inputs_style_embedding", "inputs_content_embedding"]
    wide = 0
    for each, units in zip(around, (s.units, s.bert_units, s.bert_units), strict=True):
        here = linear(b, each, units, s.units)
        x = b.op("Add", x, b.op("Unsqueeze", here, b.constant([1], np.int64)))
        wide += units
    x = linear(b, x, s.units, s.units)
    pitch, energy, duration = (b.op("Mul", predicted(b, x, s), b.constant(0.3)) for _ in range(3))
    if has_prosody:
        pitch = b.op("Add", b.op("Mul", pitch, "pitch_scale"), "pitch_shift")
        energy = b.op("Add", energy, "energy_shift")
    frames = b.op("Sub", b.op("Exp", b.op("Add", duration, b.constant(log_frames))), b.constant(1.0))
    frames = b.op("Squeeze", b.op("Max", b.op("Round", frames), b.constant(0.0)), b.constant([2], np.int64))
    for each in (pitch, energy):
        x = b.op("Add", x, along_time(b, each, 1, s.units, 9))
    vector = [1, s.bert_units]
    inputs: dict[str, tuple[int, Sequence[int | str]]] = {
        "inputs_ling": (INT, [1, "T"]), "inputs_speaker": (INT, [1]),
        "inputs_style_embedding": (FLOAT, vector), "inputs_content_embedding": (FLOAT, vector),
    }  # fmt: skip
    if has_prosody:
        inputs |= {name: (FLOAT, [1]) for name in ("pitch_scale", "pitch_shift", "energy_shift")}
    save(path, b, inputs, {"x": (x, FLOAT), "d_outs": (b.op("Cast", frames, to=INT), INT)})


def decoder(path: Path, s: Sizes) -> None:
    b = GraphBuilder(3)
    frames = b.op("Cast", "d_outs", to=FLOAT)
    ends = b.op("CumSum", frames, b.constant(1, np.int64))
    centres = b.op("Sub", ends, b.op("Mul", frames, b.constant(0.5)))
    total = b.op("ReduceSum", "d_outs", keepdims=0)
    place = b.op("Cast", b.op("Range", b.constant(0, np.int64), total, b.constant(1, np.int64)), to=FLOAT)
    apart = b.op(
        "Sub",
        b.op("Unsqueeze", place, b.constant([0, 2], np.int64)),
        b.op("Unsqueeze", centres, b.constant([1], np.int64)),
    )
    near = b.op("Softmax", b.op("Mul", b.op("Mul", apart, apart), b.constant(-0.1)), axis=-1)
    x = transformer(b, b.op("MatMul", near, "x"), s)
    inputs: Inputs = {"x": (FLOAT, [1, "T", s.units]), "d_outs": (INT, [1, "T"])}
    save(path, b, inputs, {"logmel": (linear(b, x, s.units, N_MELS), FLOAT)})


def res_block(b: GraphBuilder, x: str, channels: int, kernel: int) -> str:
    for dilation in (1, 3, 5):
        made = x
        for each in (dilation, 1):
            made = b.conv(b.op("LeakyRelu", made, alpha=0.1), channels, channels, kernel, dilation=each)
        x = b.op("Add", x, made)
    return x


def hifi_gan(
    b: GraphBuilder, x: str, channels: int, up: Sequence[tuple[int, int]], res_kernels: Sequence[int]
) -> str:
    """Samples in [-1, 1] of x [1, channels, F]; *up*: rates and kernels."""
    for rate, kernel in up:
        weight = b.random_weight(channels, channels // 2, kernel, fan_in=channels * kernel // rate)
        pad = (kernel - rate) // 2
        shape: dict[str, Any] = {"kernel_shape": [kernel], "strides": [rate], "pads": [pad, pad]}
        x = b.op("ConvTranspose", b.op("LeakyRelu", x, alpha=0.1), weight, **shape)
        channels //= 2
        blocks = [res_block(b, x, channels, size) for size in res_kernels]
        x = b.op("Mul", b.op("Add", b.op("Add", blocks[0], blocks[1]), blocks[2]), b.constant(1 / 3))
    return b.op("Tanh", b.conv(b.op("LeakyRelu", x, alpha=0.01), channels, 1, 7))


def vocoder(path: Path, s: Sizes) -> None:
    b = GraphBuilder(4)
    x = b.conv(b.op("Transpose", "logmel", perm=[0, 2, 1]), N_MELS, s.channels, 7)
    wave = hifi_gan(b, x, s.channels, list(zip(s.up_rates, s.up_kernels, strict=True)), s.res_kernels)
    save(path, b, {"logmel": (FLOAT, [1, "F", N_MELS])}, {"wav": (wave, FLOAT)})


def build(folder: Path, s: Sizes = TINY, *, has_prosody: bool = True, log_frames: float = 1.9) -> None:
    """A voice in *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = (Path(__file__).parent / "golden" / "emotivoice_tokens.txt").read_text(encoding="utf-8")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *HAN, "happy", "sad", "##ly", "hello"]
    embedding(folder / "embedding.onnx", s)
    encoder(
        folder / "am_encoder.onnx", s, len(tokens.split()), has_prosody=has_prosody, log_frames=log_frames
    )
    decoder(folder / "am_decoder.onnx", s)
    vocoder(folder / "voc.onnx", s)
    (folder / "tokenlist").write_text(tokens, encoding="utf-8")
    filler = [f"[unused{number}]" for number in range(s.bert_pieces - len(pieces))]
    (folder / "vocab.txt").write_text("\n".join([*pieces, *filler]) + "\n", encoding="utf-8")
    (folder / "lexicon.txt").write_text(LEXICON, encoding="utf-8")
    files = {
        **{role: f"{role}.onnx" for role in ("embedding", "am_encoder", "am_decoder", "voc")},
        "tokens": "tokenlist", "vocabulary": "vocab.txt", "lexicon": "lexicon.txt",
    }  # fmt: skip
    document = {
        "name": folder.name, "family": "emotivoice", "languages": ["en-US", "zh-CN"], "sample_rate": 16000,
        "files": files,
        "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files.values()},
        "speakers": {f"s{number}": number for number in range(s.n_speakers)},
        "emotions": {"neutral": {}, "happy": {"prompt": "开心"}, "sad": {"prompt": "悲伤", "speed": 0.9}},
    }  # fmt: skip
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    (folder / "voice.yaml").write_text(text, encoding="utf-8")
