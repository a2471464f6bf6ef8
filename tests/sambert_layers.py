"""Sizes and layers of the graphs that tests/tiny_sambert.py builds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tests import tiny_emotivoice
from tests.tiny_emotivoice import FLOAT, linear, norm
from tests.tiny_vits import GraphBuilder

MIDDLE = "M"
"""Of a shape: as long as the input."""


@dataclass(frozen=True)
class Sizes:
    embedding: int = 16
    hidden: int = 8
    n_heads: int = 2
    n_layers: int = 2
    inner: int = 12
    units: int = 4
    """Of text, speaker and emotion each."""

    memory: int = 8
    """Units of the FSMN and LSTM layers."""

    n_fsmn: int = 2
    filter_size: int = 41
    n_mels: int = 80
    speaker_units: int = 4
    """192: the speaker is a vector."""

    n_decoder_layers: int = 3
    channels: int = 16
    up_rates: tuple[int, ...] = (10, 5, 2, 2)
    kernels: tuple[int, ...] = (3, 7)
    dilations: tuple[int, ...] = (1, 3)
    max_symbols: int = 60

    @property
    def is_nsf(self) -> bool:
        return self.n_mels == 82

    @property
    def hop(self) -> int:
        return int(np.prod(self.up_rates))


TINY = Sizes()
FULL = Sizes(
    512, 128, 8, 8, 1024, 32, 128, 3, 41, 80, 32, 12, 256, (10, 5, 2, 2), (3, 7, 11), (1, 3, 5, 7), 800
)


def nsf(sizes: Sizes) -> Sizes:
    return replace(sizes, n_mels=82)


def with_vector(sizes: Sizes) -> Sizes:
    return replace(sizes, speaker_units=192)


def save(
    path: Path,
    b: GraphBuilder,
    inputs: Mapping[str, tuple[int, Sequence[int | str]]],
    outputs: Mapping[str, str],
) -> None:
    tiny_emotivoice.save(path, b, inputs, {name: (made, FLOAT) for name, made in outputs.items()})


def turned(b: GraphBuilder, x: str) -> str:
    return b.op("Transpose", x, perm=[0, 2, 1])


def reshape(b: GraphBuilder, x: str, *shape: int) -> str:
    return b.op("Reshape", x, b.constant(shape, np.int64))


def heads(b: GraphBuilder, x: str, s: Sizes) -> str:
    """[1, n, hidden] → [heads, n, units]."""
    return b.op("Transpose", reshape(b, x, -1, s.n_heads, s.hidden // s.n_heads), perm=[1, 0, 2])


def attended(b: GraphBuilder, s: Sizes, mask: str, q: str, k: str, v: str) -> str:
    scores = b.op("MatMul", q, turned(b, k))
    scores = b.op("Div", scores, b.constant((s.hidden // s.n_heads) ** 0.5))
    if mask:
        scores = b.op("Where", mask, scores, b.constant(-1e9))
    mixed = b.op("MatMul", b.op("Softmax", scores, axis=-1), v)
    return reshape(b, b.op("Transpose", mixed, perm=[1, 0, 2]), 1, -1, s.hidden)


def feed_forward(b: GraphBuilder, x: str, s: Sizes, kernel: int) -> str:
    y = turned(b, norm(b, x, s.hidden))
    y = b.conv(b.op("Relu", b.conv(y, s.hidden, s.inner, kernel)), s.inner, s.hidden, 1)
    return b.op("Add", turned(b, y), x)


def fsmn(b: GraphBuilder, x: str, n_in: int, s: Sizes, n_layers: int, shift: int) -> str:
    """[1, T, n_in] → [1, T, memory]; each layer looks 20 + shift back and 20 - shift ahead."""
    half = (s.filter_size - 1) // 2
    for layer in range(n_layers):
        width = s.memory if layer else n_in
        wide = b.op("Relu", linear(b, x, width, 2 * s.memory))
        y = turned(b, b.op("MatMul", wide, b.random_weight(2 * s.memory, s.memory, fan_in=2 * s.memory)))
        weight = b.random_weight(s.memory, 1, s.filter_size, fan_in=s.filter_size)
        pads = [half + shift, half - shift]
        kernel: dict[str, Any] = {"kernel_shape": [s.filter_size], "pads": pads, "group": s.memory}
        y = turned(b, b.op("Add", b.op("Conv", y, weight, **kernel), y))
        x = b.op("Add", y, x) if width == s.memory else y
    return x


def lstm(
    b: GraphBuilder,
    x: str,
    n_in: int,
    s: Sizes,
    direction: str = "forward",
    state: tuple[str, str] | None = None,
) -> list[str]:
    """[1, T, n_in] → [1, T, directions · memory], and the state after it."""
    n = 2 if direction == "bidirectional" else 1
    weights = [b.random_weight(n, 4 * s.memory, width, fan_in=s.memory) for width in (n_in, s.memory)]
    bias = b.weight(np.zeros((n, 8 * s.memory), np.float32))
    inputs = [b.op("Transpose", x, perm=[1, 0, 2]), *weights, bias, *(("", *state) if state else ())]
    y, h, c = b.ops("LSTM", *inputs, n_outputs=3, hidden_size=s.memory, direction=direction)
    return [reshape(b, b.op("Transpose", y, perm=[2, 0, 1, 3]), 1, -1, n * s.memory), h, c]


def flat(b: GraphBuilder, x: str) -> str:
    return b.op("Squeeze", x, b.constant([2], np.int64))
