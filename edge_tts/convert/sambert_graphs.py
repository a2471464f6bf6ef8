"""The contracts of the six graphs of a KAN-TTS voice, and examples to trace and compare them with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from edge_tts.convert.graphs import Contract
from edge_tts.convert.sambert_acoustic import condition_units

LENGTHS = ({"T": 7, "M": 5, "F": 9}, {"T": 13, "M": 9, "F": 31})
_NUMBERS = {"step": 2, "x_band": 1, "h_band": 2, "mem_len": 4}
_IDS = ("inputs_ling", "inputs_emo", "inputs_spk")


def contracts(sizes: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Contract]:
    """Role → contract; T phones, M steps of the decoder, F frames, N samples."""
    condition, mels, layers = condition_units(sizes), sizes["num_mels"], sizes["decoder_num_layers"]
    heads, units = sizes["decoder_num_heads"], sizes["dur_pred_lstm_units"]
    memory = condition + sizes["encoder_projection_units"] * (sizes["outputs_per_step"] - 1)
    cache = (1, layers, heads, "M", sizes["decoder_num_units"] // heads)
    speaker = (1, "T", sizes["speaker_units"]) if sizes.get("SE", False) else (1, "T")
    state = (2, 1, units)
    source: dict[str, Any] = {}
    if "nsf_params" in params:
        n = params["nsf_params"]["nb_harmonics"] + 1
        source = {"phase": (1, n, "F"), "noise": (1, n, "N")}
    kept = [f"{letter}{layer}" for letter in "kv" for layer in range(layers)]
    decoder: dict[str, Any] = {
        "mel_frame": (1, 1, mels),
        "memory_step": (1, 1, memory),
        "memory": (1, "M", memory),
        "x_k": cache,
        "x_v": cache,
        **dict.fromkeys(_NUMBERS, (1,)),
    }
    return {
        "am_enc": Contract(
            {"inputs_ling": (1, "T", 4), "inputs_emo": (1, "T"), "inputs_spk": speaker, "inputs_len": (1,)},
            ("text_hid", "spk_hid", "emo_hid"),
        ),
        "pitch_energy": Contract({"var_in": (1, "T", condition)}, ("pitch", "energy")),
        "duration": Contract(
            {"x_prev": (1, 1, 1), "cond": (1, 1, condition), "h": state, "c": state},
            ("log_dur", "h_next", "c_next"),
        ),
        "am_dec": Contract(decoder, ("dec_out", *kept)),
        "postnet": Contract({"dec": (1, "F", mels)}, ("output",)),
        "voc": Contract({"mel": (1, mels, "F"), **source}, ("wav",)),
    }


def examples(contract: Contract, params: Mapping[str, Any]) -> list[dict[str, Tensor]]:
    """Two, of other lengths each."""
    hop = math.prod(params["upsample_scales"])
    torch.manual_seed(0)
    return [contract.example(lengths | {"N": lengths["F"] * hop}, _value) for lengths in LENGTHS]


def _value(name: str, shape: list[int]) -> Tensor:
    if name in _NUMBERS:
        return torch.tensor([_NUMBERS[name]], dtype=torch.int32)
    if name == "inputs_len":
        return torch.tensor([5])
    if (name in _IDS and len(shape) < 3) or name == "inputs_ling":
        return torch.randint(0, 2, shape)
    return torch.randn(shape)
