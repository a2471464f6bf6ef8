"""A KAN-TTS voice with random weights: a tiny one for tests, and one of the real sizes for the benchmark.

The layers, names, types and shapes of the real ones; what they say is noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from edge_tts.text.sambert_symbols import EMOTIONS
from tests.sambert_acoustic import decoder, duration, encoder, pitch_energy, postnet
from tests.sambert_layers import FULL, TINY, Sizes, nsf, reshape, save, with_vector
from tests.tiny_emotivoice import FLOAT
from tests.tiny_vits import GraphBuilder

__all__ = ["FULL", "TINY", "Sizes", "build", "nsf", "with_vector"]


def causal(
    b: GraphBuilder, x: str, n_in: int, n_out: int, kernel: int, dilation: int = 1, stride: int = 1
) -> str:
    weight = b.random_weight(n_out, n_in, kernel, fan_in=n_in * kernel)
    shape: dict[str, Any] = {"kernel_shape": [kernel], "dilations": [dilation], "strides": [stride]}
    return b.op(
        "Conv", x, weight, b.random_weight(n_out, fan_in=100), pads=[(kernel - 1) * dilation, 0], **shape
    )


def vocoder(path: Path, s: Sizes) -> None:
    b = GraphBuilder(6)
    mel, source = "mel", ""
    if s.is_nsf:
        mel, pitch, uv = b.ops("Split", "mel", b.constant([80, 1, 1], np.int64), n_outputs=3, axis=1)
        source = _source(b, pitch, uv, s)
    x = causal(b, mel, 80, s.channels, 7)
    channels, downs = s.channels, np.cumprod([1, *s.up_rates[:0:-1]])[::-1]
    for rate, down in zip(s.up_rates, downs, strict=True):
        x = b.op("Add", b.op("Sin", x), x)
        half = channels // 2
        scales = b.constant([1, 1, rate])
        repeated = b.op(
            "Resize",
            x,
            "",
            scales,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        repeated = causal(b, b.op("LeakyRelu", repeated, alpha=0.1), channels, half, 7)
        weight = b.random_weight(channels, half, 2 * rate, fan_in=channels * 2)
        up: dict[str, Any] = {"kernel_shape": [2 * rate], "strides": [rate], "pads": [0, rate]}
        x = b.op("Add", repeated, b.op("ConvTranspose", b.op("LeakyRelu", x, alpha=0.1), weight, **up))
        if source:
            x = b.op("Add", x, causal(b, source, 1, half, 2 * int(down) if down > 1 else 1, stride=int(down)))
        channels = half
        x = _blocks(b, x, channels, s)
    x = b.op(
        "Tanh", b.op("Mul", causal(b, b.op("LeakyRelu", x, alpha=0.01), channels, 1, 7), b.constant(0.3))
    )
    inputs: dict[str, Any] = {"mel": (FLOAT, [1, s.n_mels, "F"])}
    if s.is_nsf:
        inputs |= {"phase": (FLOAT, [1, 8, "F"]), "noise": (FLOAT, [1, 8, "N"])}
    save(path, b, inputs, {"wav": x})


def _blocks(b: GraphBuilder, x: str, channels: int, s: Sizes) -> str:
    total = ""
    for kernel in s.kernels:
        y = x
        for dilation in s.dilations:
            z = causal(b, b.op("LeakyRelu", y, alpha=0.1), channels, channels, kernel, dilation)
            y = b.op("Add", causal(b, b.op("LeakyRelu", z, alpha=0.1), channels, channels, kernel), y)
        total = b.op("Add", total, y) if total else y
    return b.op("Div", total, b.constant(float(len(s.kernels))))


def _source(b: GraphBuilder, pitch: str, uv: str, s: Sizes) -> str:
    """Sines of the pitch and its harmonics where voiced, noise elsewhere: [1, 1, samples]."""
    last = b.constant([3], np.int64)
    ramp = b.weight(np.arange(1, s.hop + 1, dtype=np.float32))
    number = b.weight(np.arange(1, 9, dtype=np.float32).reshape(1, 8, 1, 1) / 16000)
    since = b.op("Mul", b.op("Mul", b.op("Unsqueeze", pitch, last), number), ramp)
    cycles = reshape(b, b.op("Add", since, b.op("Unsqueeze", "phase", last)), 1, 8, -1)
    voicing = reshape(
        b, b.op("Mul", b.op("Unsqueeze", uv, last), b.weight(np.ones(s.hop, np.float32))), 1, 1, -1
    )
    turns = b.op("Mul", b.op("Sub", cycles, b.op("Floor", cycles)), b.constant(2 * np.pi))
    noise = b.op("Mul", "noise", b.constant(0.003))
    tone = b.op("Add", b.op("Mul", b.op("Sin", turns), b.constant(0.1)), noise)
    hiss = b.op("Mul", "noise", b.constant(0.1 / 3))
    mixed = b.op("Add", b.op("Mul", tone, voicing), b.op("Mul", hiss, b.op("Sub", b.constant(1.0), voicing)))
    return b.op("Tanh", causal(b, mixed, 8, 1, 1))


def margin_frames(s: Sizes) -> int:
    """Frames that the causal vocoder looks back."""
    reach, per_frame = 6.0, 1
    for rate in s.up_rates:
        per_frame *= rate
        block = max((kernel - 1) * (sum(s.dilations) + len(s.dilations)) for kernel in s.kernels)
        # Of the two ways up the transposed one looks one value of before back.
        reach += max(6 / per_frame, rate / per_frame) + block / per_frame
    return int(np.ceil(reach + 6 / per_frame)) + int(s.is_nsf)


def build(folder: Path, sizes: Sizes = TINY, speakers: Sequence[str] = ("F7", "M7")) -> None:
    """Write a voice folder: six graphs, host.npz and voice.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder(folder / "am_enc.onnx", sizes, len(speakers))
    pitch_energy(folder / "pitch_energy.onnx", sizes)
    duration(folder / "duration.onnx", sizes)
    decoder(folder / "am_dec.onnx", sizes)
    postnet(folder / "postnet.onnx", sizes)
    vocoder(folder / "voc.onnx", sizes)
    np.savez(folder / "host.npz", allow_pickle=False, **host(sizes))
    (folder / "voice.yaml").write_text(yaml.safe_dump(description(folder, sizes, speakers)), encoding="utf-8")


def host(s: Sizes) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(7)
    arrays = {
        "pitch_weight": random.standard_normal((s.units, 1, 9)) / 3,
        "energy_weight": random.standard_normal((s.units, 1, 9)) / 3,
        "pitch_bias": np.zeros(s.units),
        "energy_bias": np.zeros(s.units),
        "timescales": 10000 ** (2 * (np.arange(s.units) // 2) / s.units),
    }
    if s.speaker_units == 192:
        arrays["se"] = random.standard_normal(192)
    if s.is_nsf:
        arrays["f0"] = np.array([200.0, 60.0])
    return {name: value.astype(np.float32) for name, value in arrays.items()}


def description(folder: Path, s: Sizes, speakers: Sequence[str]) -> dict[str, Any]:
    roles = ("am_enc", "pitch_energy", "duration", "am_dec", "postnet", "voc")
    files = {**{role: f"{role}.onnx" for role in roles}, "host": "host.npz"}
    named = speakers[:1] if s.speaker_units == 192 else speakers
    return {
        "name": folder.name,
        "family": "sambert",
        "languages": ["zh-CN", "en-US"],
        "sample_rate": 16000,
        "files": files,
        "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files.values()},
        "speakers": {name: number for number, name in enumerate(named)},
        "emotions": {name: {} for name in EMOTIONS[1:24]},
        "sambert": {
            "hop_samples": s.hop,
            "margin_left_frames": margin_frames(s),
            "margin_right_frames": 0,
            "n_mels": s.n_mels,
            "decoder_layers": s.n_decoder_layers,
            "decoder_heads": s.n_heads,
            "decoder_head_units": s.hidden // s.n_heads,
            "duration_units": s.memory,
            "max_symbols": s.max_symbols,
        },
    }
