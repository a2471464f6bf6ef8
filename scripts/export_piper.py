"""Export a Piper-medium voice with random weights by the code of piper-tts' own training package.

For `scripts/bench --piper`: a graph exactly as Piper makes them, without a download. Needs torch, onnx and
piper-tts, which `scripts/setup --test --bench` installs:

    .venv/bin/python scripts/export_piper.py medium.onnx
"""

from __future__ import annotations

import json
import sys
import types
import warnings
from pathlib import Path
from typing import Any

SEED = 1234
FRAMES_AT_NO_NOISE = -1.6
"""Shift of the last flow of the duration predictor: about five frames a phoneme, as trained voices have."""

MEDIUM: dict[str, Any] = {
    "n_vocab": 256, "spec_channels": 513, "segment_size": 32, "inter_channels": 192, "hidden_channels": 192,
    "filter_channels": 768, "n_heads": 2, "n_layers": 6, "kernel_size": 3, "p_dropout": 0.1, "n_speakers": 1,
    "gin_channels": 0, "use_sdp": True, "resblock": "2", "resblock_kernel_sizes": (3, 5, 7),
    "resblock_dilation_sizes": ((1, 2), (2, 6), (3, 12)), "upsample_rates": (8, 8, 4),
    "upsample_initial_channel": 256, "upsample_kernel_sizes": (16, 16, 8),
}  # fmt: skip
"""Piper's own sizes for quality "medium"."""


def models() -> Any:
    """piper.train.vits.models alone: the package around it wants all of lightning."""
    import piper

    package = types.ModuleType("vits")
    package.__path__ = [str(Path(piper.__file__).parent / "train" / "vits")]
    sys.modules["vits"] = package
    from vits import models

    return models


def build() -> Any:
    import torch

    torch.manual_seed(SEED)
    model = models().SynthesizerTrn(**MEDIUM).eval()
    with torch.no_grad():
        model.dec.remove_weight_norm()
        for name, weights in model.named_parameters():
            # Training begins with flows that do nothing: what does nothing could be optimized away.
            if name.startswith("flow") and "post" in name:
                weights.normal_(0, 0.02)
            if name.startswith("dp.flows") and "proj" in name:
                weights.normal_(0, 0.01)
        model.dp.flows[0].m.data[:] = torch.tensor([[FRAMES_AT_NO_NOISE], [0.0]])

    def infer(text: Any, lengths: Any, scales: Any, sid: Any = None) -> Any:
        spoken = model.infer(
            text, lengths, noise_scale=scales[0], length_scale=scales[1], noise_scale_w=scales[2], sid=sid
        )
        return spoken[0].unsqueeze(1)

    model.forward = infer
    return model


def export(path: Path) -> None:
    """Write *path* and its configuration beside it."""
    import torch
    from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

    ids = torch.randint(0, MEDIUM["n_vocab"], (1, 50))
    torch.onnx.export(
        build(),
        (ids, torch.LongTensor([50]), torch.FloatTensor([0.667, 1.0, 0.8])),
        str(path),
        opset_version=15,
        dynamo=False,
        input_names=["input", "input_lengths", "scales"],
        output_names=["output"],
        dynamic_axes={"input": {1: "phonemes"}, "output": {2: "time"}},
    )
    config = {
        "audio": {"sample_rate": 22050, "quality": "medium"},
        "espeak": {"voice": "en-us"},
        "phoneme_type": "espeak",
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "num_symbols": MEDIUM["n_vocab"],
        "num_speakers": 1,
        "speaker_id_map": {},
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
    }
    path.with_name(f"{path.name}.json").write_text(json.dumps(config), encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the exporter's own about tracing
    export(Path(sys.argv[1]))
