"""The part of GPT-SoVITS voices with random weights that makes tokens, in both layouts; see tiny_gpt_sovits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto

from edge_tts.text.gpt_sovits_symbols import N_LEARNED
from tests.tiny_emotivoice import FLOAT, INT, Inputs, linear, norm, positions, save
from tests.tiny_vits import GraphBuilder

SSL, BERT, VOCABULARY = 768, 1024, 1025


@dataclass(frozen=True)
class Sizes:
    units: int
    layers: int
    heads: int
    hubert_units: int
    hubert_layers: int
    latent_channels: int
    person: int
    flow_layers: int
    channels: int
    end_after: int
    bert_layers: int = 1
    up_rates: tuple[int, ...] = (10, 8, 2, 2, 2)
    up_kernels: tuple[int, ...] = (16, 16, 8, 2, 2)
    res_kernels: tuple[int, ...] = (3, 7, 11)


TINY = Sizes(8, 2, 2, 8, 1, 6, 4, 1, 32, 24)
FULL = Sizes(512, 24, 16, 768, 12, 192, 512, 16, 512, 100)


def prompts(b: GraphBuilder, s: Sizes) -> str:
    """[1, P] of ssl_content [1, 768, T]."""
    weight = b.random_weight(s.hubert_units, SSL, 2, fan_in=2 * SSL)
    x = b.op("Conv", "ssl_content", weight, kernel_shape=[2], strides=[2])
    scores = linear(b, b.op("Transpose", x, perm=[0, 2, 1]), s.hubert_units, 1024)
    return b.op("ArgMax", scores, axis=-1, keepdims=0)


def embedded(b: GraphBuilder, ids: str, bert: str, s: Sizes) -> str:
    """[1, n, units] of ids [1, n] and BERT's features [1, n, 1024]."""
    x = b.op(
        "Add",
        b.op("Gather", b.random_weight(N_LEARNED, s.units, fan_in=1), ids),
        linear(b, bert, BERT, s.units),
    )
    return b.op("Add", x, positions(b, x, s.units))


@dataclass
class Memory:
    """Names of the keys and values that come in; of those that go out."""

    before: list[tuple[str, str]] | None
    after: list[tuple[str, str]]


def decoder(b: GraphBuilder, x: str, mask: str | None, memory: Memory, s: Sizes) -> str:
    """Logits [1, 1025] of the last of x [1, n, units]."""
    flat = b.constant([-1, 1, s.units], np.int64)
    by_head = b.constant([-1, s.heads, s.units // s.heads], np.int64)
    for layer in range(s.layers):
        q, k, v = (b.op("Reshape", linear(b, x, s.units, s.units), flat) for _ in range(3))
        if memory.before is not None:
            k, v = (
                b.op("Concat", old, new, axis=0)
                for old, new in zip(memory.before[layer], (k, v), strict=True)
            )
        memory.after.append((k, v))
        heads = [b.op("Reshape", each, by_head) for each in (q, k, v)]
        q, v = (b.op("Transpose", each, perm=[1, 0, 2]) for each in (heads[0], heads[2]))
        scores = b.op("MatMul", q, b.op("Transpose", heads[1], perm=[1, 2, 0]))
        scores = b.op("Mul", scores, b.constant(math.sqrt(s.heads / s.units)))
        scores = b.op("Add", scores, mask) if mask else scores
        mixed = b.op("Transpose", b.op("MatMul", b.op("Softmax", scores, axis=-1), v), perm=[1, 0, 2])
        mixed = b.op("Reshape", mixed, b.constant([1, -1, s.units], np.int64))
        x = norm(b, b.op("Add", x, linear(b, mixed, s.units, s.units)), s.units)
        wide = b.op("Relu", linear(b, x, s.units, 4 * s.units))
        x = norm(b, b.op("Add", x, linear(b, wide, 4 * s.units, s.units)), s.units)
    last = b.op("Gather", x, b.constant(-1, np.int64), axis=1)
    return b.op("MatMul", last, b.random_weight(s.units, VOCABULARY, fan_in=s.units))


def with_end(b: GraphBuilder, logits: str, tokens_left: str) -> str:
    """*logits* whose last, the end, is the likelier the fewer tokens are left (a float)."""
    is_end = b.weight(np.eye(1, VOCABULARY, VOCABULARY - 1, dtype=np.float32))
    return b.op("Sub", logits, b.op("Mul", is_end, b.op("Mul", tokens_left, b.constant(2.0))))


def length(b: GraphBuilder, x: str, axis: int) -> str:
    return b.op("Gather", b.op("Shape", x), b.constant(axis, np.int64))


def text_then_tokens(b: GraphBuilder, x: str, tokens: str, s: Sizes) -> tuple[str, str]:
    """Both together, and what each place may see: text all of the text, a token the text and what is before it."""
    both = b.op("Concat", x, b.op("Add", tokens, positions(b, tokens, s.units)), axis=1)
    n_text, n_all = length(b, x, 1), length(b, both, 1)
    zero, one = b.constant(0, np.int64), b.constant(1, np.int64)
    place = b.op("Range", zero, n_all, one)
    seen = b.op("Unsqueeze", b.op("Max", place, b.op("Sub", n_text, one)), b.constant([1], np.int64))
    mask = b.op("Where", b.op("LessOrEqual", place, seen), b.constant(0.0), b.constant(-1e9))
    return both, mask


def token_table(s: Sizes) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(77).standard_normal((VOCABULARY, s.units)).astype(np.float32)


def at(b: GraphBuilder, x: str, place: str, s: Sizes) -> str:
    """x [1, 1, units] with the sines of *place* (int64)."""
    speed = b.weight(np.exp(-np.arange(s.units) * math.log(10000) / s.units).astype(np.float32))
    return b.op("Add", x, b.op("Sin", b.op("Mul", b.op("Cast", place, to=FLOAT), speed)))


def host_t2s(folder: Path, s: Sizes) -> None:
    """The layout whose tokens the host chooses."""
    b = GraphBuilder(2)
    save(
        folder / "t2s_encoder.onnx",
        b,
        {"ssl_content": (FLOAT, [1, SSL, "T"])},
        {"prompts": (prompts(b, s), INT)},
    )
    b = GraphBuilder(3)
    memory = Memory(None, [])
    table = b.weight(token_table(s))
    # Drawn last, so that the layers of both decoders are drawn alike.
    late = GraphBuilder(4)
    late.nodes, late.weights = b.nodes, b.weights
    x = embedded(late, "x", b.op("Transpose", "bert", perm=[0, 2, 1]), s)
    both, mask = text_then_tokens(b, x, b.op("Gather", table, "prompts"), s)
    logits = with_end(b, decoder(b, both, mask, memory, s), b.constant(50.0))
    outputs = {"logits": (logits, FLOAT)}
    for layer, names in enumerate(memory.after):
        outputs |= {f"{kind}_cache_{layer}": (name, FLOAT) for kind, name in zip("kv", names, strict=True)}
    inputs: Inputs = {
        "x": (INT, [1, "L"]), "prompts": (INT, [1, "P"]), "bert": (FLOAT, [1, BERT, "L"]),
    }  # fmt: skip
    save(folder / "t2s_first.onnx", b, inputs, outputs)

    b = GraphBuilder(3)
    before = [(f"ik_cache_{layer}", f"iv_cache_{layer}") for layer in range(s.layers)]
    memory = Memory(before, [])
    table = b.weight(token_table(s))
    x = at(b, b.op("Gather", table, "iy"), b.op("Add", "y_len", "idx"), s)
    left = b.op("Sub", b.constant(float(s.end_after)), b.op("Cast", "idx", to=FLOAT))
    logits = with_end(b, decoder(b, x, None, memory, s), left)
    outputs = {"logits": (logits, FLOAT)}
    for layer, after in enumerate(memory.after):
        outputs |= {f"{kind}_cache_{layer}": (name, FLOAT) for kind, name in zip("kv", after, strict=True)}
    caches: Inputs = {name: (FLOAT, ["S", 1, s.units]) for pair in before for name in pair}
    save(
        folder / "t2s_stage.onnx",
        b,
        {"iy": (INT, [1, 1]), "y_len": (INT, [1]), "idx": (INT, [1]), **caches},
        outputs,
    )


def genie_t2s(folder: Path, s: Sizes, *, end_at: int) -> None:
    """Genie-TTS' layout; the tokens are the likeliest, where the real one draws them. The end is near
    when it has seen *end_at*."""
    b = GraphBuilder(2)
    ids = b.op("Concat", "ref_seq", "text_seq", axis=1)
    bert = b.op("Unsqueeze", b.op("Concat", "ref_bert", "text_bert", axis=0), b.constant([0], np.int64))
    inputs: dict[str, Any] = {"ref_seq": (INT, [1, "R"]), "text_seq": (INT, [1, "X"])}
    inputs |= {"ref_bert": (FLOAT, ["R", BERT]), "text_bert": (FLOAT, ["X", BERT])}
    inputs |= {"ssl_content": (FLOAT, [1, SSL, "T"])}
    x = embedded(b, ids, bert, s)
    save(folder / "t2s_encoder.onnx", b, inputs, {"x": (x, FLOAT), "prompts": (prompts(b, s), INT)})
    for is_first in (True, False):
        b = GraphBuilder(3)
        before = [(f"past_k_layer_{layer}", f"past_v_layer_{layer}") for layer in range(s.layers)]
        memory = Memory(None if is_first else before, [])
        table = b.weight(token_table(s))
        mask: str | None = None
        if is_first:
            tokens, emb = "prompts", b.op("Gather", table, "prompts")
            step, mask = text_then_tokens(b, "x", emb, s)
        else:
            tokens, last = "iy", b.op("Gather", "iy", b.constant([-1], np.int64), axis=1)
            new = b.op("Gather", table, last)
            emb = b.op("Concat", "iy_emb", new, axis=1)
            step = at(b, new, b.op("Sub", length(b, emb, 1), b.constant(1, np.int64)), s)
        left = b.op("Sub", b.constant(float(end_at)), b.op("Cast", length(b, emb, 1), to=FLOAT))
        logits = with_end(b, decoder(b, step, mask, memory, s), left)
        chosen = b.op("ArgMax", logits, axis=-1, keepdims=1)
        outputs = {"y": (b.op("Concat", tokens, chosen, axis=1), INT), "y_emb": (emb, FLOAT)}
        if not is_first:
            is_end = b.op(
                "Equal", b.op("ReduceMax", chosen, keepdims=0), b.constant(VOCABULARY - 1, np.int64)
            )
            outputs["stop_condition_tensor"] = (is_end, TensorProto.BOOL)
        for layer, names in enumerate(memory.after):
            outputs |= {
                f"present_{kind}_layer_{layer}": (name, FLOAT) for kind, name in zip("kv", names, strict=True)
            }
        caches: Inputs = {name: (FLOAT, ["S", 1, s.units]) for pair in before for name in pair}
        taken: Inputs = (
            {"x": (FLOAT, [1, "L", s.units]), "prompts": (INT, [1, "P"])}
            if is_first
            else {"iy": (INT, [1, "n"]), "iy_emb": (FLOAT, [1, "m", s.units]), **caches}
        )
        save(folder / ("t2s_first.onnx" if is_first else "t2s_stage.onnx"), b, taken, outputs)
