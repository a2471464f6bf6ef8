"""The five graphs of a KAN-TTS voice that make its mel, with random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from edge_tts.text.sambert_symbols import EMOTIONS, PHONES, SYLLABLE_FLAGS, TONES, WORD_FLAGS
from tests.sambert_layers import (
    MIDDLE,
    Sizes,
    attended,
    feed_forward,
    flat,
    fsmn,
    heads,
    lstm,
    reshape,
    save,
)
from tests.tiny_emotivoice import FLOAT, INT, linear, norm
from tests.tiny_vits import GraphBuilder


def encoder(path: Path, s: Sizes, n_speakers: int) -> None:
    b = GraphBuilder(1)
    tables = [len(PHONES), len(TONES), len(SYLLABLE_FLAGS), len(WORD_FLAGS)]
    x = ""
    for index, rows in enumerate(tables):
        ids = b.op("Gather", "inputs_ling", b.constant(index, np.int64), axis=2)
        row = b.op("Gather", b.random_weight(rows, s.embedding, fan_in=16), ids)
        x = b.op("Add", x, row) if x else row
    # The length is read as real graphs read it: into a mask that is all true for one sentence.
    length = b.op("Cast", b.op("Less", b.constant(0, np.int64), "inputs_len"), to=FLOAT)
    n = b.op("Shape", "inputs_emo", start=1, end=2)
    positions = b.op("Slice", b.random_weight(1, s.max_symbols, s.embedding, fan_in=16), b.constant([0], np.int64), n,
                     b.constant([1], np.int64))  # fmt: skip
    x = b.op("Mul", b.op("Add", x, positions), length)
    for layer in range(s.n_layers):
        width = s.hidden if layer else s.embedding
        qkv = linear(b, norm(b, x, width), width, 3 * s.hidden)
        q, k, v = (
            heads(b, each, s)
            for each in b.ops("Split", qkv, b.constant([s.hidden] * 3, np.int64), n_outputs=3, axis=2)
        )
        mixed = linear(b, attended(b, s, "", q, k, v), s.hidden, s.hidden)
        x = feed_forward(b, b.op("Add", mixed, x) if layer else mixed, s, 3)
    text = b.op("MatMul", norm(b, x, s.hidden), b.random_weight(s.hidden, s.units, fan_in=s.hidden))
    emotion = b.op("Gather", b.random_weight(len(EMOTIONS) + 3, s.units, fan_in=4), "inputs_emo")
    is_vector = s.speaker_units == 192
    speaker = (
        "inputs_spk"
        if is_vector
        else b.op("Gather", b.random_weight(n_speakers + 3, s.units, fan_in=4), "inputs_spk")
    )
    inputs: dict[str, Any] = {
        "inputs_ling": (INT, [1, "T", 4]),
        "inputs_emo": (INT, [1, "T"]),
        "inputs_spk": (FLOAT, [1, "T", 192]) if is_vector else (INT, [1, "T"]),
        "inputs_len": (INT, [1]),
    }
    save(path, b, inputs, {"text_hid": text, "spk_hid": speaker, "emo_hid": emotion})


def pitch_energy(path: Path, s: Sizes) -> None:
    b = GraphBuilder(2)
    width = 2 * s.units + s.speaker_units
    made = []
    for _ in range(2):
        x = fsmn(b, "var_in", width, s, s.n_fsmn, 0)
        made.append(flat(b, linear(b, lstm(b, x, s.memory, s, "bidirectional")[0], 2 * s.memory, 1)))
    save(path, b, {"var_in": (FLOAT, [1, "T", width])}, dict(zip(("pitch", "energy"), made, strict=True)))


def duration(path: Path, s: Sizes) -> None:
    """ln of about seven frames and one more, give or take a factor of two."""
    b = GraphBuilder(3)
    width = 2 * s.units + s.speaker_units
    x = b.op("Relu", linear(b, b.op("Relu", linear(b, "x_prev", 1, s.memory)), s.memory, s.memory))
    x = b.op("Concat", x, "cond", axis=2)
    states = [b.ops("Split", name, b.constant([1, 1], np.int64), n_outputs=2, axis=0) for name in ("h", "c")]
    after: list[list[str]] = []
    for layer in range(2):
        x, *state = lstm(
            b, x, s.memory if layer else s.memory + width, s, state=(states[0][layer], states[1][layer])
        )
        after.append(state)
    spread = b.op("Mul", b.op("Tanh", flat(b, linear(b, x, s.memory, 1))), b.constant(0.7))
    outputs = {
        "log_dur": b.op("Relu", b.op("Add", spread, b.constant(2.1))),
        "h_next": b.op("Concat", after[0][0], after[1][0], axis=0),
        "c_next": b.op("Concat", after[0][1], after[1][1], axis=0),
    }
    state_shape = (FLOAT, [2, 1, s.memory])
    inputs = {
        "x_prev": (FLOAT, [1, 1, 1]),
        "cond": (FLOAT, [1, 1, width]),
        "h": state_shape,
        "c": state_shape,
    }
    save(path, b, inputs, outputs)


def _within(b: GraphBuilder, number: str, low: str, high: str) -> str:
    """Whether *low* ≤ *number* ≤ *high*, [1, 1, M]."""
    return b.op("And", b.op("GreaterOrEqual", number, low), b.op("LessOrEqual", number, high))


def decoder(path: Path, s: Sizes) -> None:
    b = GraphBuilder(4)
    d_memory, unit = 4 * s.units + s.speaker_units, s.hidden // s.n_heads
    wide = 2 * s.hidden
    x = b.op("Relu", linear(b, b.op("Relu", linear(b, "mel_frame", s.n_mels, wide)), wide, wide))
    x = b.op("Concat", "memory_step", linear(b, x, wide, s.hidden), axis=2)
    x = linear(b, x, s.hidden + d_memory, s.hidden)
    one = b.constant(1, np.int64)
    n = b.op("Squeeze", b.op("Shape", "memory", start=1, end=2))
    number = reshape(b, b.op("Range", b.constant(0, np.int64), n, one), 1, 1, -1)
    is_own = b.op("Equal", number, "step")
    seen = _within(b, number, b.op("Sub", "step", "x_band"), "step")
    last = b.op("Min", b.op("Add", "step", "h_band"), b.op("Sub", "mem_len", one))
    ahead = _within(b, number, "step", last)
    kept: dict[str, str] = {}
    for layer in range(s.n_decoder_layers):
        y = linear(b, norm(b, x, s.hidden), s.hidden, 3 * s.hidden)
        q, k, v = (
            heads(b, each, s)
            for each in b.ops("Split", y, b.constant([s.hidden] * 3, np.int64), n_outputs=3, axis=2)
        )
        own = reshape(b, is_own, 1, -1, 1)
        index = b.constant(layer, np.int64)
        before = [
            b.op("Squeeze", b.op("Gather", name, index, axis=1), b.constant([0], np.int64))
            for name in ("x_k", "x_v")
        ]
        past = [b.op("Where", own, new, old) for new, old in zip((k, v), before, strict=True)]
        memory = linear(b, "memory", d_memory, wide)
        halves = b.ops("Split", memory, b.constant([s.hidden] * 2, np.int64), n_outputs=2, axis=2)
        of_x = linear(b, attended(b, s, seen, q, *past), s.hidden, s.hidden)
        of_memory = linear(
            b, attended(b, s, ahead, q, *(heads(b, each, s) for each in halves)), s.hidden, s.hidden
        )
        x = feed_forward(b, b.op("Add", b.op("Add", of_x, of_memory), x), s, 1)
        kept |= {
            f"{letter}{layer}": reshape(b, made, 1, s.n_heads, 1, unit)
            for letter, made in (("k", k), ("v", v))
        }
    out = linear(b, norm(b, x, s.hidden), s.hidden, 3 * s.n_mels)
    cache = (FLOAT, [1, s.n_decoder_layers, s.n_heads, MIDDLE, unit])
    inputs: dict[str, Any] = {
        "mel_frame": (FLOAT, [1, 1, s.n_mels]),
        "memory_step": (FLOAT, [1, 1, d_memory]),
        "memory": (FLOAT, [1, MIDDLE, d_memory]),
        "x_k": cache,
        "x_v": cache,
        **{name: (TensorProto.INT32, [1]) for name in ("step", "x_band", "h_band", "mem_len")},
    }
    for node in b.nodes:
        # The contract says 32 bits; the arithmetic here has 64.
        node.input[:] = [
            f"{name}_64" if name in ("step", "x_band", "h_band", "mem_len") else name for name in node.input
        ]
    casts = [
        helper.make_node("Cast", [name], [f"{name}_64"], to=INT)
        for name in ("step", "x_band", "h_band", "mem_len")
    ]
    b.nodes[:0] = casts
    save(path, b, inputs, {"dec_out": out, **kept})


def postnet(path: Path, s: Sizes) -> None:
    b = GraphBuilder(5)
    x = fsmn(b, "dec", s.n_mels, replace(s, memory=2 * s.memory), s.n_fsmn + 1, 17)
    x = linear(b, lstm(b, x, 2 * s.memory, s)[0], s.memory, s.n_mels)
    save(path, b, {"dec": (FLOAT, [1, "F", s.n_mels])}, {"output": b.op("Add", x, "dec")})
