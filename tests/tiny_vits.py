"""A VITS graph of Piper's contract with random weights: a tiny one for tests, and one of Piper medium's layer sizes for
the benchmark. It hums and hisses; what matters is that it has every part a real one has, at its cost."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SYMBOLS = (
    "_^$ !'(),-.:;?abcdefhijklmnopqrstuvwxyzæçðøħŋœɐɑɒɓɔɕɖɗɘəɚɛɜɞɟɡɢɣɤɥɦɧɨɪɫɬɭɮɯɰɱɲɳɴɵɶɸɹɺɻɽɾʀʁʂʃʄʈʉʊʋʌʍʎʏʐʑʒʔʕʘʙʛʜʝʟʡʢ"
    "ʲˈˌːˑ˞βθχᵻⱱ\u0303\u0327\u0329\u032a\u032f"
)


@dataclass(frozen=True)
class Sizes:
    hidden: int
    filters: int
    n_heads: int
    n_layers: int
    n_flows: int
    n_flow_layers: int
    n_duration_layers: int
    decoder_channels: int
    up_rates: tuple[int, ...]
    up_kernels: tuple[int, ...]
    res_kernels: tuple[int, ...]
    res_dilations: tuple[tuple[int, ...], ...]
    speaker_channels: int
    frames_per_id: float = 4.0


SIZES = {
    "tiny": Sizes(16, 24, 2, 1, 2, 1, 1, 16, (8, 8, 4), (16, 16, 8), (3, 5), ((1, 2), (2, 6)), 8),
    # A few milliseconds of sound for a sentence.
    "brief": Sizes(
        16, 24, 2, 1, 2, 1, 1, 16, (2, 2, 2), (4, 4, 4), (3, 5), ((1, 2), (2, 6)), 8, frames_per_id=1.0
    ),
    # Kernels of Piper's medium and high quality, few channels.
    "medium_kernels": Sizes(
        16, 24, 2, 1, 4, 4, 1, 16, (8, 8, 4), (16, 16, 8), (3, 5, 7), ((1, 2), (2, 6), (3, 12)), 8
    ),
    "high_kernels": Sizes(
        16, 24, 2, 1, 4, 4, 1, 16, (8, 8, 2, 2), (16, 16, 4, 4), (3, 7, 11), ((1, 1, 3, 1, 5, 1),) * 3, 8
    ),
    # piper_train's medium quality: resblock 2, everything else as in VITS.
    "medium": Sizes(
        192, 768, 2, 6, 4, 4, 12, 256, (8, 8, 4), (16, 16, 8), (3, 5, 7), ((1, 2), (2, 6), (3, 12)), 512
    ),
}


class GraphBuilder:
    """Nodes and weights under construction; every method returns the name of what it made."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def op(self, op_type: str, *inputs: str, n_outputs: int = 1, **attributes: Any) -> str:
        return self.ops(op_type, *inputs, n_outputs=n_outputs, **attributes)[0]

    def ops(self, op_type: str, *inputs: str, n_outputs: int, **attributes: Any) -> list[str]:
        names = [f"{op_type}_{len(self.nodes)}_{k}" for k in range(n_outputs)]
        self.nodes.append(helper.make_node(op_type, list(inputs), names, name=names[0], **attributes))
        return names

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        return self.weight(np.array(value, dtype))

    def weight(self, value: NDArray[Any]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def random_weight(self, *shape: int, fan_in: int) -> str:
        return self.weight((self.random.standard_normal(shape) / math.sqrt(fan_in)).astype(np.float32))

    def conv(self, x: str, n_in: int, n_out: int, kernel: int, *, dilation: int = 1, groups: int = 1) -> str:
        pad = dilation * (kernel - 1) // 2
        weight = self.random_weight(n_out, n_in // groups, kernel, fan_in=n_in // groups * kernel)
        bias = self.random_weight(n_out, fan_in=100)
        shape: dict[str, Any] = {"kernel_shape": [kernel], "dilations": [dilation], "pads": [pad, pad]}
        return self.op("Conv", x, weight, bias, strides=[1], group=groups, **shape)

    def norm(self, x: str, channels: int) -> str:
        """Over the channels of [1, channels, time]."""
        scale, shift = self.weight(np.ones(channels, np.float32)), self.weight(np.zeros(channels, np.float32))
        turned = self.op("Transpose", x, perm=[0, 2, 1])
        return self.op(
            "Transpose", self.op("LayerNormalization", turned, scale, shift, axis=-1), perm=[0, 2, 1]
        )


def _attention(b: GraphBuilder, x: str, s: Sizes) -> str:
    shape = b.constant([1, s.n_heads, s.hidden // s.n_heads, -1], np.int64)
    q, k, v = (b.op("Reshape", b.conv(x, s.hidden, s.hidden, 1), shape) for _ in range(3))
    scores = b.op("MatMul", b.op("Transpose", q, perm=[0, 1, 3, 2]), k)
    scores = b.op("Mul", scores, b.constant(1 / math.sqrt(s.hidden // s.n_heads)))
    mixed = b.op("MatMul", v, b.op("Transpose", b.op("Softmax", scores, axis=-1), perm=[0, 1, 3, 2]))
    return b.conv(b.op("Reshape", mixed, b.constant([1, s.hidden, -1], np.int64)), s.hidden, s.hidden, 1)


def _text_encoder(b: GraphBuilder, s: Sizes, n_symbols: int) -> str:
    x = b.op("Gather", b.random_weight(n_symbols, s.hidden, fan_in=1), "input")
    x = b.op("Transpose", x, perm=[0, 2, 1])
    for _ in range(s.n_layers):
        x = b.norm(b.op("Add", x, _attention(b, x, s)), s.hidden)
        wide = b.op("Relu", b.conv(x, s.hidden, s.filters, 3))
        x = b.norm(b.op("Add", x, b.conv(wide, s.filters, s.hidden, 3)), s.hidden)
    return x


def _durations(b: GraphBuilder, x: str, scales: Sequence[str], s: Sizes, *, fragile: bool) -> str:
    """Whole frames of each id, float [1, 1, n_ids]; random in proportion to noise_w."""
    _, length_scale, noise_w = scales
    for k in range(s.n_duration_layers):
        y = b.op(
            "Relu", b.norm(b.conv(x, s.hidden, s.hidden, 3, dilation=3 ** (k % 3), groups=s.hidden), s.hidden)
        )
        x = b.op("Add", x, b.norm(b.conv(y, s.hidden, s.hidden, 1), s.hidden))
    mean = b.op("Tanh", b.conv(x, s.hidden, 1, 1))
    noise = b.op("Mul", b.op("RandomNormalLike", mean, seed=3.0), noise_w)
    log_frames = b.op("Mul", b.op("Add", mean, noise), b.constant(0.3))
    frames = b.op("Mul", b.op("Exp", log_frames), b.constant(s.frames_per_id))
    if fragile:
        # As in Piper's splines: an index that some draws push out of range. Here every draw with noise does.
        index = b.op("Cast", b.op("Mul", noise_w, b.constant(100.0)), to=TensorProto.INT64)
        frames = b.op("Add", frames, b.op("GatherElements", b.constant([0.0]), index, axis=0))
    return b.op("Ceil", b.op("Mul", frames, length_scale))


def _expand(b: GraphBuilder, frames: str, *tensors: str) -> list[str]:
    """Each [1, channels, n_ids] of *tensors* repeated to [1, channels, n_frames]; and the mask [1, 1, n_frames]."""
    ends = b.op("CumSum", frames, b.constant(2, np.int64))
    total = b.op("Squeeze", b.op("ReduceMax", ends, axes=[1, 2], keepdims=0), b.constant([0], np.int64))
    times = b.op(
        "Unsqueeze", b.op("Range", b.constant(0.0), total, b.constant(1.0)), b.constant([0, 2], np.int64)
    )
    is_before_end = b.op("Cast", b.op("Less", times, ends), to=TensorProto.FLOAT)
    is_before_start = b.op("Cast", b.op("Less", times, b.op("Sub", ends, frames)), to=TensorProto.FLOAT)
    path = b.op("Transpose", b.op("Sub", is_before_end, is_before_start), perm=[0, 2, 1])
    mask = b.op("ReduceSum", path, b.constant([1], np.int64), keepdims=1)
    return [*(b.op("MatMul", tensor, path) for tensor in tensors), mask]


def _flow(b: GraphBuilder, z: str, mask: str, speaker: str | None, s: Sizes) -> str:
    half = s.hidden // 2
    backwards = b.constant(list(range(s.hidden))[::-1], np.int64)
    for _ in range(s.n_flows):
        z = b.op("Gather", z, backwards, axis=1)
        first, second = b.ops("Split", z, b.constant([half, half], np.int64), n_outputs=2, axis=1)
        x = b.op("Mul", b.conv(first, half, s.hidden, 1), mask)
        if speaker:
            x = b.op("Add", x, b.conv(speaker, s.speaker_channels, s.hidden, 1))
        for _ in range(s.n_flow_layers):
            wide = b.conv(x, s.hidden, 2 * s.hidden, 5)
            gate, value = b.ops(
                "Split", wide, b.constant([s.hidden, s.hidden], np.int64), n_outputs=2, axis=1
            )
            acts = b.op("Mul", b.op("Tanh", value), b.op("Sigmoid", gate))
            x = b.op("Mul", b.op("Add", x, b.conv(acts, s.hidden, s.hidden, 1)), mask)
        second = b.op("Sub", second, b.op("Mul", b.conv(x, s.hidden, half, 1), mask))
        z = b.op("Concat", first, second, axis=1)
    return z


def _decoder(b: GraphBuilder, z: str, speaker: str | None, s: Sizes, *, opaque: bool) -> str:
    channels = s.decoder_channels
    x = b.conv(z, s.hidden, channels, 7)
    if opaque:
        # Every value depends on all before it: no piece can be exact.
        x = b.op("CumSum", x, b.constant(2, np.int64))
    if speaker:
        x = b.op("Add", x, b.conv(speaker, s.speaker_channels, channels, 1))
    for rate, kernel in zip(s.up_rates, s.up_kernels, strict=True):
        weight = b.random_weight(channels, channels // 2, kernel, fan_in=channels * kernel // rate)
        pad = (kernel - rate) // 2
        x = b.op("LeakyRelu", x, alpha=0.1)
        x = b.op("ConvTranspose", x, weight, kernel_shape=[kernel], strides=[rate], pads=[pad, pad])
        channels //= 2
        branches = [
            _residual(b, x, channels, k, d) for k, d in zip(s.res_kernels, s.res_dilations, strict=True)
        ]
        total = branches[0]
        for branch in branches[1:]:
            total = b.op("Add", total, branch)
        x = b.op("Div", total, b.constant(float(len(branches))))
    x = b.op("LeakyRelu", x, alpha=0.01)
    return b.op("Tanh", b.op("Mul", b.conv(x, channels, 1, 7), b.constant(0.3)))


def _residual(b: GraphBuilder, x: str, channels: int, kernel: int, dilations: Sequence[int]) -> str:
    for dilation in dilations:
        x = b.op(
            "Add", x, b.conv(b.op("LeakyRelu", x, alpha=0.1), channels, channels, kernel, dilation=dilation)
        )
    return x


def _branch(b: GraphBuilder, x: str) -> str:
    """*x* through an If whose branches capture it and a weight from outside, as exported traces have."""
    condition = b.op("Less", b.constant(0.0), b.constant(1.0))
    one = b.constant(1.0)

    def graph(name: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node("Mul", [x, one], [f"{name}_out"])], name, [], [out])

    return b.op("If", condition, then_branch=graph("then"), else_branch=graph("otherwise"))


def build_piper(
    path: Path,
    size: str = "tiny",
    *,
    n_speakers: int = 1,
    fragile: bool = False,
    opaque: bool = False,
    seed: int = 1,
    **changes: Any,
) -> None:
    """Write *path* (x.onnx) and its x.onnx.json. *fragile*: fails with any duration noise. *opaque*: its decoder cannot
    be cut off. *changes* replace keys of the configuration."""
    s, b = SIZES[size], GraphBuilder(seed)
    scales = b.ops("Split", "scales", b.constant([1, 1, 1], np.int64), n_outputs=3, axis=0)
    speaker = None
    if n_speakers > 1:
        table = b.random_weight(n_speakers, s.speaker_channels, fan_in=1)
        speaker = b.op("Unsqueeze", b.op("Gather", table, "sid"), b.constant([2], np.int64))
    x = _branch(b, _text_encoder(b, s, len(SYMBOLS)))
    # input_lengths is read as real graphs read it: into a mask that is all ones for one sentence.
    length = b.op(
        "Cast", b.op("Unsqueeze", "input_lengths", b.constant([1, 2], np.int64)), to=TensorProto.FLOAT
    )
    x = b.op("Mul", x, b.op("Cast", b.op("Less", b.constant(0.0), length), to=TensorProto.FLOAT))
    frames = _durations(b, x, scales, s, fragile=fragile)
    stats = b.conv(x, s.hidden, 2 * s.hidden, 1)
    m, logs = b.ops("Split", stats, b.constant([s.hidden, s.hidden], np.int64), n_outputs=2, axis=1)
    m, logs, mask = _expand(b, frames, m, logs)
    noise = b.op("Mul", b.op("RandomNormalLike", m, seed=5.0), b.op("Exp", b.op("Tanh", logs)))
    z = _flow(b, b.op("Add", m, b.op("Mul", noise, scales[0])), mask, speaker, s)
    sound = _decoder(b, b.op("Mul", z, mask), speaker, s, opaque=opaque)
    b.nodes.append(helper.make_node("Unsqueeze", [sound, b.constant([1], np.int64)], ["output"]))
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    if n_speakers > 1:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
    # What the last Unsqueeze makes of [1, 1, n]: piper-tts squeezes whatever it gets.
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, None)
    graph = helper.make_graph(b.nodes, "vits", inputs, [output], b.weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    config: dict[str, Any] = {
        "audio": {"sample_rate": 22050, "quality": size},
        "espeak": {"voice": "en-us"},
        "language": {"code": "en_US"},
        "phoneme_type": "espeak",
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "num_symbols": len(SYMBOLS),
        "num_speakers": n_speakers,
        "speaker_id_map": {f"speaker{k}": k for k in range(n_speakers)} if n_speakers > 1 else {},
        "phoneme_id_map": {symbol: [number] for number, symbol in enumerate(SYMBOLS)},
    }
    path.with_name(path.name + ".json").write_text(json.dumps(config | changes), encoding="utf-8")
