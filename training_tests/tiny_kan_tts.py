"""Checkpoints as KAN-TTS publishes them, of a few units and chance, and what KAN-TTS would say with them.

`spoken` has no part in common with the product's loops: one pass over the whole sentence, masks over all steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edge_tts.convert.sambert import Published, networks
from edge_tts.convert.sambert_acoustic import Decoder, Duration, Encoder, PitchEnergy, Postnet
from edge_tts.convert.sambert_layers import by_heads
from edge_tts.convert.sambert_vocoder import Vocoder
from edge_tts.text.sambert_symbols import PHONES, SYLLABLE_FLAGS, TONES, WORD_FLAGS

SIZES: dict[str, Any] = {
    **{
        "max_len": 60,
        "embedding_dim": 16,
        "encoder_num_layers": 2,
        "encoder_num_heads": 2,
        "encoder_num_units": 8,
    },
    **{"encoder_ffn_inner_dim": 12, "encoder_projection_units": 4, "speaker_units": 4, "emotion_units": 4},
    **{"predictor_filter_size": 41, "predictor_fsmn_num_layers": 3, "predictor_num_memory_units": 8},
    **{"predictor_ffn_inner_dim": 12, "predictor_shift": 0, "predictor_lstm_units": 6},
    **{"dur_pred_prenet_units": [6, 6], "dur_pred_lstm_units": 6, "decoder_prenet_units": [12, 12]},
    **{"decoder_num_layers": 3, "decoder_num_heads": 2, "decoder_num_units": 8, "decoder_ffn_inner_dim": 12},
    **{"outputs_per_step": 3, "num_mels": 80, "postnet_filter_size": 41, "postnet_fsmn_num_layers": 4},
    **{
        "postnet_num_memory_units": 8,
        "postnet_ffn_inner_dim": 12,
        "postnet_shift": 17,
        "postnet_lstm_units": 6,
    },
}
GENERATOR: dict[str, Any] = {
    **{
        "in_channels": 80,
        "out_channels": 1,
        "channels": 16,
        "kernel_size": 7,
        "upsample_scales": [10, 5, 2, 2],
    },
    **{"upsample_kernal_sizes": [20, 11, 4, 4], "resblock_kernel_sizes": [3, 7], "causal": False},
    **{"resblock_dilations": [[1, 3], [1, 3]], "nonlinear_activation_params": {"negative_slope": 0.1}},
}
NSF = {"nb_harmonics": 7, "sampling_rate": 16000}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mel": ({}, {}),
    "causal": ({}, {"causal": True, "upsample_kernal_sizes": [20, 10, 4, 4]}),
    "nsf": ({"num_mels": 82, "NSF": True}, {"nsf_params": NSF}),
    "se": (
        {"num_mels": 82, "NSF": True, "SE": True, "speaker_units": 192, "nsf_norm_type": "global"},
        {"nsf_params": NSF, "causal": True, "upsample_kernal_sizes": [20, 10, 4, 4]},
    ),
}
TABLES = {"sy": PHONES, "tone": TONES, "syllable_flag": SYLLABLE_FLAGS, "ws": WORD_FLAGS}
ROWS = {name: len(table) - 1 for name, table in TABLES.items()}
"""Published voices have no row for the mask."""


def build(folder: Path, kind: str) -> None:
    """A voice as published: am/ and voc/ with configuration and checkpoint, mvn.npy, se.npy and audio_config.yaml."""
    torch.manual_seed(3)
    sizes, params = SIZES | KINDS[kind][0], GENERATOR | KINDS[kind][1]
    acoustic = _acoustic_state(sizes)
    generator = _normalized(Vocoder(params).state_dict())
    for part, config, model in [
        (
            "am",
            {"Model": {"KanTtsSAMBERT": {"params": sizes}}, "linguistic_unit": {"speaker_list": "F7,M7"}},
            acoustic,
        ),
        (
            "voc",
            {"Model": {"Generator": {"params": params}}},
            {"generator": generator, "discriminator": {"a": {}}},
        ),
    ]:
        (folder / part / "ckpt").mkdir(parents=True)
        (folder / part / "config.yaml").write_text(yaml.safe_dump(config))
        state = {"optimizer": {}, "scheduler": {}, "steps": 7, "model": model}
        torch.save(state, folder / part / "ckpt" / "checkpoint_7.pth")
    (folder / "audio_config.yaml").write_text("audio_config: {sampling_rate: 16000, hop_length: 200}")
    np.save(folder / "am" / "mvn.npy", np.array([[210.0], [45.0]]))
    np.save(folder / "am" / "se.npy", np.random.default_rng(5).standard_normal((1, 192)).astype(np.float32))


def _acoustic_state(sizes: Mapping[str, Any]) -> dict[str, Tensor]:
    rows = ROWS | {"emotion": 35, "speaker": 4}
    parts: list[tuple[nn.Module, str]] = [
        (Encoder({**sizes, "rows": rows}), ""),
        (PitchEnergy(sizes), "variance_adaptor."),
        (Duration(sizes), "variance_adaptor.duration_predictor."),
        (Decoder(sizes), "mel_decoder.mel_dec."),
        (Postnet(sizes), "mel_postnet."),
    ]
    state = {f"{prefix}{name}": value for part, prefix in parts for name, value in part.state_dict().items()}
    position = torch.arange(1, 61)[:, None] / 10000 ** (torch.arange(8) / 7)
    state["text_encoder.ling_enc.position_enc.position_enc"] = torch.cat([position.sin(), position.cos()], 1)[
        None
    ]
    units = torch.arange(4)
    state["variance_adaptor.dur_position_encoder.inv_timescales"] = 10000.0 ** (2 * (units // 2) / 4)
    # About fifteen frames for a phone, more and less.
    state["variance_adaptor.duration_predictor.fc.weight"] *= 6
    state["variance_adaptor.duration_predictor.fc.bias"] = torch.tensor([2.8])
    return {**state, "FP_predictor.w_1.weight": torch.zeros(2), "align_attention.x": torch.zeros(1)}


def _normalized(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every weight of a convolution as its length and its direction, times what does not matter."""
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        if value.dim() < 3:
            found[name] = value
            continue
        found[f"{name}_g"] = torch.linalg.vector_norm(value, dim=(1, 2), keepdim=True)
        found[f"{name}_v"] = value * 3
    return found


@torch.no_grad()
def spoken(
    voice: Published,
    ids: NDArray[np.int64],
    emotion: int,
    speaker: int,
    source: Callable[[Any], Mapping[str, Any]],
) -> Any:
    """The wave of *ids* [T, 4], as KAN-TTS computes it. *source* makes an NSF vocoder's phases and noise of its mel."""
    parts: dict[str, Any] = dict(networks(voice))
    sizes, n = voice.sizes, len(ids)
    whose: Tensor = torch.full((1, n), speaker)
    if "se" in voice.arrays:
        whose = torch.from_numpy(np.tile(voice.arrays["se"], (1, n, 1)))
    ling, emotions = torch.from_numpy(ids)[None], torch.full((1, n), emotion)
    text, by_whom, how = parts["am_enc"](ling, emotions, whose, torch.tensor([n]))
    variance = parts["pitch_energy"]
    pitch, energy = variance(torch.cat([text, by_whom, how], -1))
    text = text + variance.pitch_emb(pitch[:, None]).mT + variance.energy_emb(energy[:, None]).mT
    frames = _durations(parts["duration"], torch.cat([text, by_whom, how], -1))
    whole = (frames + 0.5).long()
    memory = _memory(text, by_whom, how, whole, variance.dur_position_encoder.inv_timescales)
    band = int(frames.max() / 3 + 0.5)
    mel = parts["postnet"](_decoded(parts["am_dec"], memory, band)[:, : int(whole.sum())])
    if "f0" in voice.arrays:
        offset, scale = voice.arrays["f0"]
        mel[..., -1] = (mel[..., -1] >= 0.6).float()
        mel[..., -2] = (mel[..., -2] * scale + offset).clamp_min(30)
    made = {} if sizes["num_mels"] == 80 else source(mel[0].numpy())
    return (
        parts["voc"](mel.mT, **{name: torch.from_numpy(value) for name, value in made.items()})
        .ravel()
        .numpy()
    )


def _durations(duration: Any, condition: Tensor) -> Tensor:
    previous, state, found = torch.zeros(1, 1, 1), (torch.zeros(2, 1, 6), torch.zeros(2, 1, 6)), []
    for index in range(condition.shape[1]):
        made, *state = duration(previous, condition[:, index : index + 1], *state)
        previous = made[..., None]
        found.append(made.exp() - 1)
    return torch.cat(found, -1)[0]


def _memory(text: Tensor, by_whom: Tensor, how: Tensor, frames: Tensor, timescales: Tensor) -> Tensor:
    phone = torch.repeat_interleave(torch.arange(len(frames)), frames)
    place = torch.cat([torch.arange(1, int(each) + 1) for each in frames])
    missing = -len(phone) % 3
    angle = functional.pad(place, (0, missing))[:, None] / timescales
    position = torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], -1).flatten(1)
    by_frame = functional.pad(text[:, phone], (0, 0, 0, missing)) + position
    steps = by_frame.reshape(1, -1, 3 * text.shape[-1])
    return torch.cat([steps, by_whom[:, phone][:, ::3], how[:, phone][:, ::3]], -1)


def _decoded(decoder: Any, memory: Tensor, band: int) -> Tensor:
    """Every step over all there is, hidden by masks as in KAN-TTS."""
    n, made = memory.shape[1], torch.zeros(1, 0, 240 if decoder.dec_out_proj.out_features == 240 else 246)
    mels = made.shape[-1] // 3
    for _ in range(n):
        # From the beginning each time, without any cache.
        given = torch.cat([torch.zeros(1, 1, mels), made[..., -mels:]], 1)
        made = torch.cat([made, _pass(decoder, given, memory, band)[:, -1:]], 1)
    return made.reshape(1, -1, mels)


def _pass(decoder: Any, given: Tensor, memory: Tensor, band: int) -> Tensor:
    n = given.shape[1]
    own, other = torch.arange(n)[:, None], torch.arange(memory.shape[1])[None]
    hidden_x = (other[:, :n] < own - band) | (other[:, :n] > own)
    hidden_h = (other < own) | (other > own + band)
    scale = math.sqrt(decoder.dec_in_proj.out_features)
    x: Tensor = decoder.dec_in_proj(torch.cat([memory[:, :n], decoder.prenet(given)], -1)) * scale
    for block in decoder.pnca:
        attention = block.pnca_attn
        query, *past = (by_heads(each, 2) for each in attention.w_x_qkv(attention.layer_norm(x)).chunk(3, -1))
        ahead = [by_heads(each, 2) for each in attention.w_h_kv(memory).chunk(2, -1)]
        mixed = [
            functional.scaled_dot_product_attention(query, key, value, ~hidden).transpose(1, 2).flatten(2)
            for (key, value), hidden in ((past, hidden_x), (ahead, hidden_h))
        ]
        x = block.pos_ffn(attention.fc_x(mixed[0]) + attention.fc_h(mixed[1]) + x)
    made: Tensor = decoder.dec_out_proj(decoder.ln(x))
    return made
