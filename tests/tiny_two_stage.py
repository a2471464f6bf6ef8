"""The two-stage voice's three graphs in small: float32, random weights, the layers and reach of the real ones."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto

from tests.sambert_layers import save
from tests.tiny_vits import GraphBuilder

CHANNELS = 8
N_BINS = 257
N_MELS = 80
Inputs = Mapping[str, tuple[int, Sequence[int | str]]]
"""Name → element type and shape."""

_INT, _FLOAT = TensorProto.INT64, TensorProto.FLOAT


def build_two_stage(folder: Path, frontend: Path, n_tokens: int, n_speakers: int) -> None:
    """Write encoder.onnx, decoder.onnx, vocoder.onnx and a copy of *frontend* as frontend.json."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(frontend, folder / "frontend.json")
    _encoder(folder / "encoder.onnx", n_tokens, n_speakers)
    _decoder(folder / "decoder.onnx", n_speakers)
    _vocoder(folder / "vocoder.onnx")


def _flat(b: GraphBuilder, x: str) -> str:
    """[1, 1, n] → [1, n]."""
    return b.op("Squeeze", x, b.constant([1], np.int64))


def _encoder(path: Path, n_tokens: int, n_speakers: int) -> None:
    b = GraphBuilder(1)
    sizes = {"tokens": n_tokens, "accents": 9, "speaker": n_speakers}
    x, accent, speaker = (
        b.op("Gather", b.random_weight(rows, CHANNELS, fan_in=1), name) for name, rows in sizes.items()
    )
    x = b.op("Add", b.op("Add", x, accent), b.op("Unsqueeze", speaker, b.constant([1], np.int64)))
    x = b.op("Tanh", b.conv(b.op("Transpose", x, perm=[0, 2, 1]), CHANNELS, CHANNELS, 5))
    heads = [_flat(b, b.op("Tanh", b.conv(x, CHANNELS, 1, 1))) for _ in range(4)]
    outputs = {
        "hidden": b.op("Transpose", x, perm=[0, 2, 1]),
        # 5 frames, give or take a factor of 1.6
        "log_duration": b.op("Add", b.op("Mul", heads[0], b.constant(0.5)), b.constant(1.6)),
        "pitch": heads[1],
        "voiced_logit": b.op("Add", heads[2], b.constant(0.4)),
        "energy": heads[3],
    }
    inputs: Inputs = {"tokens": (_INT, [1, "T"]), "accents": (_INT, [1, "T"]), "speaker": (_INT, [1])}
    save(path, b, inputs, outputs)


def _local_layers(b: GraphBuilder, x: str, n_layers: int) -> str:
    for _ in range(n_layers):
        x = b.op("Add", x, b.op("Tanh", b.conv(x, CHANNELS, CHANNELS, 7)))
    return x


def _decoder(path: Path, n_speakers: int) -> None:
    b = GraphBuilder(2)
    tokens = b.op("Squeeze", "frame_token", b.constant([0], np.int64))
    features = [b.op("Unsqueeze", name, b.constant([2], np.int64)) for name in ("pitch", "voiced", "energy")]
    by_token = b.op("Gather", b.op("Concat", "hidden", *features, axis=2), tokens, axis=1)
    by_frame = b.op("Concat", by_token, "frame_position", axis=2)
    speaker = b.op("Gather", b.random_weight(n_speakers, CHANNELS, fan_in=1), "speaker")
    x = b.conv(b.op("Transpose", by_frame, perm=[0, 2, 1]), CHANNELS + 6, CHANNELS, 1)
    x = b.op("Add", x, b.op("Unsqueeze", speaker, b.constant([2], np.int64)))
    x = b.conv(_local_layers(b, x, 6), CHANNELS, N_MELS + 2, 1)
    mel, f0, voicing = b.ops("Split", x, b.constant([N_MELS, 1, 1], np.int64), n_outputs=3, axis=1)
    pitch, voiced, energy = (
        b.op("Gather", by_token, b.constant(CHANNELS + k, np.int64), axis=2) for k in range(3)
    )
    louder = b.op("Unsqueeze", energy, b.constant([2], np.int64))
    wobble = b.op("Mul", _flat(b, voicing), b.constant(0.01))
    outputs = {
        "mel": b.op("Add", b.op("Transpose", b.op("Tanh", mel), perm=[0, 2, 1]), louder),
        "f0": b.op("Add", pitch, b.op("Mul", b.op("Tanh", _flat(b, f0)), b.constant(0.1))),
        "voicing_logit": b.op("Sub", b.op("Add", voiced, wobble), b.constant(0.5)),
    }
    inputs: Inputs = {
        "hidden": (_FLOAT, [1, "T", CHANNELS]),
        **{name: (_FLOAT, [1, "T"]) for name in ("pitch", "voiced", "energy")},
        "speaker": (_INT, [1]),
        "frame_token": (_INT, [1, "F"]),
        "frame_position": (_FLOAT, [1, "F", 3]),
    }
    save(path, b, inputs, outputs)


def _vocoder(path: Path) -> None:
    b = GraphBuilder(3)
    hertz = b.op("Mul", b.op("Unsqueeze", "f0", b.constant([2], np.int64)), b.constant(0.005))
    x = b.op("Transpose", b.op("Concat", "mel", hertz, axis=2), perm=[0, 2, 1])
    x = _local_layers(b, b.conv(x, N_MELS + 1, CHANNELS, 5), 6)
    x = b.op("Tanh", b.conv(x, CHANNELS, 2 * 3 * N_BINS, 1))
    x = b.op("Reshape", b.op("Transpose", x, perm=[0, 2, 1]), b.constant([1, -1, 3 * N_BINS], np.int64))
    harmonic, phase, noise = b.ops("Split", x, b.constant([N_BINS] * 3, np.int64), n_outputs=3, axis=2)
    outputs = {
        "harmonic_log_magnitude": b.op("Sub", harmonic, b.constant(4.0)),
        "phase_offset": phase,
        "noise_log_magnitude": b.op("Sub", noise, b.constant(6.0)),
    }
    save(path, b, {"mel": (_FLOAT, [1, "F", N_MELS]), "f0": (_FLOAT, [1, "F"])}, outputs)
