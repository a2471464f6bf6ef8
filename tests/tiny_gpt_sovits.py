"""GPT-SoVITS voices with random weights, in both layouts: tiny ones for tests, and one of the real sizes for the
benchmark.

The names, types and ranks of the real graphs; what they say is noise, and they end after `end_after` tokens.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from edge_tts.audio import write_wav
from edge_tts.speech import Audio
from edge_tts.text.gpt_sovits_symbols import N_LEARNED
from tests.gpt_sovits_t2s import BERT, SSL, TINY, Sizes, genie_t2s, host_t2s, length
from tests.tiny_emotivoice import (
    FLOAT,
    INT,
    Inputs,
    attention,
    gelu,
    hifi_gan,
    linear,
    norm,
    save,
)
from tests.tiny_vits import GraphBuilder

HAN = "你好世界今天气怎么样。，？"
CLIP_TOKENS = 82
"""Of 3 s and the silence behind them."""

LEXICON = "hello HH AH0 L OW1\nshort SH AO1 R T\ntest T EH1 S T\nthis DH IH1 S\n"


def margin_frames(s: Sizes) -> int:
    """What one sample of the vocoder looks at on each side."""
    per_frame, margin = 1, 3.0
    for rate, kernel in zip(s.up_rates, s.up_kernels, strict=True):
        margin += kernel / per_frame / rate
        per_frame *= rate
        half = max(s.res_kernels) // 2
        margin += (half * (1 + 3 + 5) + 3 * half) / per_frame
    return math.ceil(margin + 3 / per_frame)


def hubert(path: Path, s: Sizes) -> None:
    b = GraphBuilder(1)
    wave = b.op("Unsqueeze", "input_values", b.constant([1], np.int64))
    x, channels = wave, 1
    for kernel, stride in ((10, 5), (8, 8), (8, 8)):
        weight = b.random_weight(s.hubert_units, channels, kernel, fan_in=channels * kernel)
        x = gelu(b, b.op("Conv", x, weight, kernel_shape=[kernel], strides=[stride]))
        channels = s.hubert_units
    x = norm(b, b.op("Transpose", x, perm=[0, 2, 1]), s.hubert_units)
    for _ in range(s.hubert_layers):
        x = norm(b, b.op("Add", x, attention(b, x, s.hubert_units, s.heads)), s.hubert_units)
        wide = gelu(b, linear(b, x, s.hubert_units, 4 * s.hubert_units))
        x = norm(b, b.op("Add", x, linear(b, wide, 4 * s.hubert_units, s.hubert_units)), s.hubert_units)
    made = b.op("Transpose", linear(b, x, s.hubert_units, SSL), perm=[0, 2, 1])
    save(path, b, {"input_values": (FLOAT, [1, "N"])}, {"ssl_content": (made, FLOAT)})


def person(b: GraphBuilder, s: Sizes) -> str:
    """[1, person, 1] of ref_audio [1, N]."""
    weight = b.random_weight(s.person, 1, 2048, fan_in=2048)
    wave = b.op("Unsqueeze", "ref_audio", b.constant([1], np.int64))
    x = b.op("Abs", b.op("Conv", wave, weight, kernel_shape=[2048], strides=[640]))
    return b.op("ReduceMean", x, axes=[2], keepdims=1)


def latent_of(b: GraphBuilder, g: str, n_person: int, s: Sizes, *, has_speed: bool) -> str:
    """[1, latent_channels, F]"""
    units = s.latent_channels
    tokens = b.op("Squeeze", "pred_semantic", b.constant([1], np.int64))
    y = b.op("Gather", b.random_weight(1024, units, fan_in=1), tokens)
    text = b.op("Gather", b.random_weight(N_LEARNED, units, fan_in=1), "text_seq")
    y = b.op("Add", y, b.op("ReduceMean", text, axes=[1], keepdims=1))
    y = b.op("Add", y, linear(b, b.op("Transpose", g, perm=[0, 2, 1]), n_person, units))
    y = norm(b, b.op("Add", y, attention(b, y, units, 2)), units)
    n_frames = b.op("Cast", b.op("Mul", length(b, y, 1), b.constant(2, np.int64)), to=FLOAT)
    speed = b.op("Squeeze", "speed") if has_speed else b.constant(1.0)
    n_frames = b.op("Cast", b.op("Div", n_frames, speed), to=INT)
    zero, one = b.constant(0, np.int64), b.constant(1, np.int64)
    place = b.op("Cast", b.op("Range", zero, n_frames, one), to=FLOAT)
    place = b.op("Cast", b.op("Mul", place, b.op("Mul", speed, b.constant(0.5))), to=INT)
    place = b.op("Min", place, b.op("Sub", length(b, y, 1), one))
    z = b.op("Transpose", b.op("Gather", y, place, axis=1), perm=[0, 2, 1])
    for _ in range(s.flow_layers):
        z = b.op("Add", z, b.op("Mul", b.op("Tanh", b.conv(z, units, units, 5)), b.constant(0.3)))
    if has_speed:
        end = b.op("Unsqueeze", n_frames, b.constant([0], np.int64))
        noise = b.op("Slice", "noise", b.constant([0], np.int64), end, b.constant([2], np.int64))
        z = b.op("Add", z, b.op("Mul", noise, b.constant(0.5)))
    return z


def wave_of(b: GraphBuilder, z: str, g: str, n_person: int, s: Sizes) -> str:
    """[1, 1, F · 640]"""
    x = b.op("Add", b.conv(z, s.latent_channels, s.channels, 7), b.conv(g, n_person, s.channels, 1))
    return hifi_gan(b, x, s.channels, list(zip(s.up_rates, s.up_kernels, strict=True)), s.res_kernels)


TEXT_AND_TOKENS: Inputs = {"text_seq": (INT, [1, "X"]), "pred_semantic": (INT, [1, 1, "n"])}
REF_AUDIO: Inputs = {"ref_audio": (FLOAT, [1, "N"])}


def split_vits(folder: Path, s: Sizes) -> None:
    b = GraphBuilder(5)
    g = person(b, s)
    z = latent_of(b, g, s.person, s, has_speed=True)
    more: Inputs = {"speed": (FLOAT, [1]), "noise": (FLOAT, [1, s.latent_channels, "K"])}
    inputs = {**TEXT_AND_TOKENS, **REF_AUDIO, **more}
    save(folder / "latent.onnx", b, inputs, {"z": (z, FLOAT), "g": (g, FLOAT)})
    b = GraphBuilder(6)
    taken: Inputs = {"z": (FLOAT, [1, s.latent_channels, "F"]), "g": (FLOAT, [1, s.person, 1])}
    save(folder / "vocoder.onnx", b, taken, {"audio": (wave_of(b, "z", "g", s.person, s), FLOAT)})


def genie_vits(folder: Path, s: Sizes) -> None:
    b = GraphBuilder(5)
    g = person(b, s)
    wave = wave_of(b, latent_of(b, g, s.person, s, has_speed=False), g, s.person, s)
    save(folder / "vits.onnx", b, {**TEXT_AND_TOKENS, **REF_AUDIO}, {"audio": (b.op("Squeeze", wave), FLOAT)})


def genie_pro_plus(folder: Path, s: Sizes) -> None:
    """The graphs that v2ProPlus has otherwise or besides."""
    b = GraphBuilder(7)
    wave = b.op("Unsqueeze", "waveform", b.constant([1], np.int64))
    weight = b.random_weight(20480, 1, 64, fan_in=64)
    made = b.op(
        "ReduceMean",
        b.op("Abs", b.op("Conv", wave, weight, kernel_shape=[64], strides=[3200])),
        axes=[2],
        keepdims=0,
    )
    save(folder / "speaker_encoder.onnx", b, {"waveform": (FLOAT, [1, "N"])}, {"sv_emb": (made, FLOAT)})
    b = GraphBuilder(8)
    axis = b.constant([2], np.int64)
    whole = b.op("ReduceMean", "ref_audio", axes=[1], keepdims=1)
    made = b.op("Add", linear(b, "sv_emb", 20480, 1024), whole)
    ge = b.op("Unsqueeze", made, axis)
    advanced = b.op("Unsqueeze", linear(b, made, 1024, 512), axis)
    taken: Inputs = {**REF_AUDIO, "sv_emb": (FLOAT, [1, 20480])}
    save(folder / "prompt_encoder.onnx", b, taken, {"ge": (ge, FLOAT), "ge_advanced": (advanced, FLOAT)})
    b = GraphBuilder(9)
    wave = wave_of(b, latent_of(b, "ge_advanced", 512, s, has_speed=False), "ge", 1024, s)
    taken = {**TEXT_AND_TOKENS, "ge": (FLOAT, [1, 1024, 1]), "ge_advanced": (FLOAT, [1, 512, 1])}
    save(folder / "vits.onnx", b, taken, {"audio": (b.op("Squeeze", wave), FLOAT)})


def bert(path: Path, s: Sizes, n_pieces: int) -> None:
    b = GraphBuilder(10)
    mask = b.op(
        "Unsqueeze",
        b.op("Cast", b.op("Add", "attention_mask", "token_type_ids"), to=FLOAT),
        b.constant([2], np.int64),
    )
    x = b.op("Mul", b.op("Gather", b.random_weight(n_pieces, s.units, fan_in=1), "input_ids"), mask)
    for _ in range(s.bert_layers):
        x = norm(b, b.op("Add", x, attention(b, x, s.units, s.heads)), s.units)
    rows = b.op("Squeeze", linear(b, x, s.units, BERT), b.constant([0], np.int64))
    names = ("input_ids", "attention_mask", "token_type_ids")
    save(path, b, {name: (INT, [1, "t"]) for name in names}, {"bert_feature": (rows, FLOAT)})


def clip(path: Path, pitch_hz: float, duration_s: float = 3.0) -> None:
    time_s = np.arange(round(duration_s * 16000)) / 16000
    buzz = sum(np.sin(2 * np.pi * pitch_hz * k * time_s) / k for k in range(1, 12))
    write_wav(path, Audio((0.2 * np.asarray(buzz)).astype(np.float32), 16000))


def build(
    folder: Path, s: Sizes = TINY, *, kind: str = "host", has_bert: bool = True, has_clips: bool = True
) -> None:
    """A voice in *folder*. *kind*: host, genie or genie_pro_plus."""
    folder.mkdir(parents=True, exist_ok=True)
    roles = ["hubert", "t2s_encoder", "t2s_first", "t2s_stage"]
    hubert(folder / "hubert.onnx", s)
    if kind == "host":
        host_t2s(folder, s)
        split_vits(folder, s)
        roles += ["latent", "vocoder"]
    else:
        genie_t2s(folder, s, end_at=CLIP_TOKENS + s.end_after)
        is_plus = kind == "genie_pro_plus"
        (genie_pro_plus if is_plus else genie_vits)(folder, s)
        roles += ["vits", *(("speaker_encoder", "prompt_encoder") if is_plus else ())]
    files = {role: f"{role}.onnx" for role in roles} | {"lexicon": "lexicon.txt"}
    (folder / "lexicon.txt").write_text(LEXICON, encoding="utf-8")
    if has_bert:
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *HAN]
        bert(folder / "bert.onnx", s, len(pieces))
        (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
        files |= {"bert": "bert.onnx", "vocabulary": "vocab.txt"}
    settings: dict[str, Any] = {}
    if kind == "host":
        settings = {"margin_frames": margin_frames(s), "latent_channels": s.latent_channels}
    if has_clips:
        settings["clips"] = {}
        for emotion, pitch_hz in (("neutral", 120.0), ("happy", 200.0)):
            clip(folder / f"{emotion}.wav", pitch_hz)
            files[f"clip_{emotion}"] = f"{emotion}.wav"
            settings["clips"][emotion] = {"text": "你好，世界。", "language": "zh"}
    document = {
        "name": folder.name, "family": "gpt_sovits", "languages": ["en-US", "zh-CN", "ja-JP"], "sample_rate": 32000,
        "files": files,
        "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files.values()},
        "emotions": {"neutral": {}, "happy": {}} if has_clips else {},
        "gpt_sovits": settings,
    }  # fmt: skip
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    (folder / "voice.yaml").write_text(text, encoding="utf-8")
