"""A CosyVoice 3 voice of small random graphs: names, types, ranks and sizes at the borders as published (hidden
size and keys included, which the host hands on); inside a layer or two. It hums, and ends after `end_after` tokens."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from onnx import TensorProto

from tests.tiny_emotivoice import FLOAT, INT, Inputs, attention, linear, save
from tests.tiny_gpt_sovits import clip
from tests.tiny_vits import GraphBuilder

UNITS, KEYS, N_TOKENS, N_LOGITS = 896, 48, 6561, 6761
N_TEXT = 151936
END_AFTER = 30


def bytes_of_bpe() -> list[str]:
    """The letters that stand for the 256 bytes in Qwen2's vocabulary."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain} | {byte: chr(256 + k) for k, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def table(path: Path, name: str, rows: int, units: int, seed: int) -> None:
    """Rows by a sine of the id: a table of 151936 rows would be half a gigabyte."""
    b = GraphBuilder(seed)
    place = b.op("Unsqueeze", b.op("Mod", name, b.constant(rows, np.int64)), b.constant([2], np.int64))
    angle = b.op("Mul", b.op("Cast", place, to=FLOAT), b.random_weight(units, fan_in=1))
    save(path, b, {name: (INT, [1, "n"])}, {"embeddings": (b.op("Sin", angle), FLOAT)})


def backbone(folder: Path, end_after: int) -> None:
    for is_first in (True, False):
        b = GraphBuilder(3)
        inputs: Inputs = {
            "inputs_embeds": (FLOAT, [1, "L" if is_first else 1, UNITS]),
            "attention_mask": (FLOAT, [1, "M"]),
        }
        key = b.op("MatMul", "inputs_embeds", b.random_weight(UNITS, 64, fan_in=UNITS))
        axes = b.constant([0, 2], np.int64)
        new = b.op("Unsqueeze", key, axes)
        new = b.op("Expand", new, b.constant([KEYS, 1, 2, 1, 1], np.int64))
        past = new if is_first else b.op("Concat", "past_key_values", new, axis=3)
        seen = b.op("ReduceMean", past, axes=[0, 1, 2, 3], keepdims=0)
        hidden = b.op(
            "MatMul", b.op("Unsqueeze", seen, b.constant([0], np.int64)), b.random_weight(64, UNITS, fan_in=8)
        )
        hidden = b.op("Add", "inputs_embeds", hidden)
        # The first unit tells the decoder how many tokens are said: all that is masked in, less what was before.
        place = b.op("ReduceSum", "attention_mask", keepdims=0)
        unit = b.weight(np.eye(1, UNITS, dtype=np.float32))
        keep = b.weight(1 - np.eye(1, UNITS, dtype=np.float32))
        hidden = b.op("Add", b.op("Mul", hidden, keep), b.op("Mul", unit, place))
        if not is_first:
            inputs = {**inputs, "past_key_values": (FLOAT, [KEYS, 1, 2, "L", 64])}
        name = "llm_backbone_initial" if is_first else "llm_backbone_decode"
        save(folder / f"{name}.onnx", b, inputs, {"hidden": (hidden, FLOAT), "past": (past, FLOAT)})
    b = GraphBuilder(4)
    weight = b.random.standard_normal((UNITS, N_LOGITS)).astype(np.float32) / 10
    weight[0] = 0
    weight[0, N_TOKENS:] = 1.0
    bias = np.zeros(N_LOGITS, np.float32)
    bias[N_TOKENS:] = -end_after
    made = b.op("Add", b.op("MatMul", "hidden_state", b.weight(weight)), b.weight(bias))
    made = b.op("Squeeze", made, b.constant([1], np.int64))
    save(folder / "llm_decoder.onnx", b, {"hidden_state": (FLOAT, [1, 1, UNITS])}, {"logits": (made, FLOAT)})


def flow(folder: Path, *, is_local: bool) -> None:
    table(folder / "flow_token_embedding.onnx", "token", N_TOKENS, 80, 5)
    b = GraphBuilder(6)
    x = b.op("Transpose", "token_embedded", perm=[0, 2, 1])
    x = b.op("Resize", x, "", b.weight(np.array([1, 1, 2], np.float32)), mode="nearest")
    x = b.op("Transpose", b.conv(x, 80, 80, 3), perm=[0, 2, 1])
    save(folder / "flow_pre_lookahead.onnx", b, {"token_embedded": (FLOAT, [1, "n", 80])}, {"mu": (x, FLOAT)})
    b = GraphBuilder(7)
    made = linear(b, "embedding", 192, 80)
    save(
        folder / "flow_speaker_projection.onnx", b, {"embedding": (FLOAT, [1, 192])}, {"spks": (made, FLOAT)}
    )
    estimator(folder, is_local=is_local)


def estimator(folder: Path, *, is_local: bool) -> None:
    """*is_local*: a frame knows nothing of others."""
    b = GraphBuilder(8)
    wide: list[int | str] = [2, 80, "F"]
    inputs: Inputs = {
        "x": (FLOAT, wide), "mask": (FLOAT, [2, 1, "F"]), "mu": (FLOAT, wide), "t": (FLOAT, [2]),
        "spks": (FLOAT, [2, 80]), "cond": (FLOAT, wide),
    }  # fmt: skip
    speaker = b.op("Unsqueeze", "spks", b.constant([2], np.int64))
    time = b.op("Reshape", "t", b.constant([2, 1, 1], np.int64))
    x = b.op("Add", b.op("Add", b.op("Add", "mu", "cond"), speaker), time)
    turned = b.op("Transpose", x, perm=[0, 2, 1])
    mixed = linear(b, turned, 80, 80) if is_local else attention(b, turned, 80, 2)
    x = b.op("Transpose", mixed, perm=[0, 2, 1])
    x = b.op("Add", b.op("Mul", "x", b.constant(-0.5)), b.op("Add", x, "mu"))
    save(folder / "flow_estimator.onnx", b, inputs, {"estimator_out": (b.op("Mul", x, "mask"), FLOAT)})


def loudness(b: GraphBuilder) -> str:
    """[1, 9, 1]: little above 3 kHz, so that a click is heard there."""
    return b.weight(np.array([2, 2, 3, 9, 9, 9, 9, 9, 9], np.float32)[None, :, None])


def hift(folder: Path) -> None:
    b = GraphBuilder(9)
    f0 = b.op("Squeeze", b.op("Abs", b.conv("mel", 80, 1, 3)), b.constant([1], np.int64))
    f0 = b.op("Add", b.op("Mul", f0, b.constant(20.0)), b.constant(100.0))
    save(folder / "hift_f0_predictor.onnx", b, {"mel": (FLOAT, [1, 80, "F"])}, {"f0": (f0, FLOAT)})
    b = GraphBuilder(10)
    up = b.op("Resize", "f0", "", b.weight(np.array([1, 1, 480], np.float32)), mode="nearest")
    turns = b.op("CumSum", b.op("Mul", up, b.constant(1 / 24000)), b.constant(2, np.int64))
    wave = b.op("Mul", b.op("Sin", b.op("Mul", turns, b.constant(6.2831853))), b.constant(0.1))
    save(folder / "hift_source_generator.onnx", b, {"f0": (FLOAT, [1, 1, "F"])}, {"source": (wave, FLOAT)})
    b = GraphBuilder(11)
    up = b.op(
        "Resize", b.conv("mel", 80, 9, 7), "", b.weight(np.array([1, 1, 120], np.float32)), mode="nearest"
    )
    up = b.op("Pad", up, b.constant([0, 0, 0, 0, 0, 1], np.int64), mode="edge")
    x = b.op("Add", b.conv("source_stft", 18, 9, 7), b.op("Mul", up, b.constant(0.1)))
    magnitude = b.op("Exp", b.op("Sub", b.op("Tanh", x), loudness(b)))
    phase = b.op("Sin", b.conv("source_stft", 18, 9, 5))
    inputs: Inputs = {"mel": (FLOAT, [1, 80, "F"]), "source_stft": (FLOAT, [1, 18, "C"])}
    save(folder / "hift_decoder.onnx", b, inputs, {"magnitude": (magnitude, FLOAT), "phase": (phase, FLOAT)})


def enrolment(folder: Path) -> None:
    b = GraphBuilder(12)
    made = linear(b, b.op("ReduceMean", "input", axes=[1], keepdims=0), 80, 192)
    save(folder / "campplus.onnx", b, {"input": (FLOAT, [1, "T", 80])}, {"embedding": (made, FLOAT)})
    b = GraphBuilder(13)
    weight = b.random_weight(64, 128, 4, fan_in=512)
    x = b.op("Conv", "feats", weight, kernel_shape=[4], strides=[4])
    x = b.op("MatMul", b.op("Transpose", x, perm=[0, 2, 1]), b.random_weight(64, N_TOKENS, fan_in=64))
    tokens = b.op("ArgMax", x, axis=-1, keepdims=0)
    # feats_length is an input that must be used.
    tokens = b.op("Add", tokens, b.op("Mul", b.op("Cast", "feats_length", to=INT), b.constant(0, np.int64)))
    inputs: Inputs = {"feats": (FLOAT, [1, 128, "T"]), "feats_length": (TensorProto.INT32, [1])}
    save(folder / "speech_tokenizer.onnx", b, inputs, {"tokens": (tokens, INT)})


def build(
    folder: Path,
    *,
    end_after: int = END_AFTER,
    has_clip: bool = True,
    is_local: bool = False,
    **settings: Any,
) -> None:
    """A voice in *folder*; *end_after* counts all that the language model sees."""
    folder.mkdir(parents=True, exist_ok=True)
    table(folder / "text_embedding.onnx", "input_ids", N_TEXT, UNITS, 1)
    table(folder / "llm_speech_embedding.onnx", "token", N_LOGITS, UNITS, 2)
    backbone(folder, end_after)
    flow(folder, is_local=is_local)
    hift(folder)
    enrolment(folder)
    describe(folder, has_clip=has_clip, **settings)


def describe(folder: Path, *, has_clip: bool, **settings: Any) -> None:
    """The rest of a voice whose graphs and tables are in *folder*: words, a clip, voice.yaml."""
    graphs = sorted([*folder.glob("*.onnx"), *folder.glob("*.npy")])
    files = {path.stem: path.name for path in graphs}
    letters = bytes_of_bpe()
    vocabulary = {letter: number for number, letter in enumerate([*letters, "he", "Ġt"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\nh e\nĠ t\n", encoding="utf-8")
    files |= {"vocabulary": "vocab.json", "merges": "merges.txt"}
    if has_clip:
        clip(folder / "clip.wav", 120.0)
        files["clip"] = "clip.wav"
        settings = {"clip_text": "Hi.", "clip_language": "en", **settings}
    document = {
        "name": folder.name, "family": "cosyvoice", "languages": ["zh-CN", "en-US"], "sample_rate": 24000,
        "files": files,
        "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files.values()},
        "emotions": {"neutral": {}, "happy": {}, "sad": {}, "angry": {}},
        "cosyvoice": settings,
    }  # fmt: skip
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    (folder / "voice.yaml").write_text(text, encoding="utf-8")
