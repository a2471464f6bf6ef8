"""KAN-TTS' checkpoints of a voice (am/ and voc/, as published) → a folder of the family sambert."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from torch import nn

from edge_tts.convert import ConversionError, checkpoints
from edge_tts.convert.checkpoints import State
from edge_tts.convert.graphs import write_graph, write_vocoder
from edge_tts.convert.int8 import quantize
from edge_tts.convert.sambert_acoustic import Decoder, Duration, Encoder, PitchEnergy, Postnet
from edge_tts.convert.sambert_graphs import contracts, examples
from edge_tts.convert.sambert_vocoder import Vocoder, margins
from edge_tts.text.sambert_symbols import EMOTIONS

ROLES = ("am_enc", "pitch_energy", "duration", "am_dec", "postnet", "voc")
UNUSED = ("FP_predictor.", "align_attention.")
"""Of training, and of filled pauses (um, er), which nobody asked for."""


@dataclass(frozen=True)
class Published:
    """A voice as it was trained."""

    acoustic: Mapping[str, Any]
    """am/config.yaml"""

    vocoder: Mapping[str, Any]
    acoustic_state: State
    vocoder_state: State
    arrays: Mapping[str, np.ndarray[Any, Any]]
    """se and f0 of host.npz."""

    sample_rate: int

    @property
    def sizes(self) -> dict[str, Any]:
        tables = {name: f"text_encoder.{name}_emb" for name in ("sy", "tone", "syllable_flag", "ws")}
        tables |= {"emotion": "emo_tokenizer", "speaker": "spk_tokenizer"}
        # Published voices leave out the row of the mask, one's own trainings keep it.
        rows = {
            name: len(self.acoustic_state[f"{key}.weight"])
            for name, key in tables.items()
            if f"{key}.weight" in self.acoustic_state
        }
        return {**self.acoustic["Model"]["KanTtsSAMBERT"]["params"], "rows": rows}

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.vocoder["Model"]["Generator"]["params"])


def convert(folder: Path, out: Path, *, int8: bool) -> None:
    """See edge_tts.convert.Converter."""
    voice = read(folder)
    sizes, params = voice.sizes, voice.params
    parts = networks(voice)
    out.mkdir(parents=True, exist_ok=True)
    for role, contract in contracts(sizes, params).items():
        write = write_vocoder if role == "voc" else write_graph
        write(out / f"{role}.onnx", parts[role], contract, examples(contract, params))
    files = {**{role: f"{role}.onnx" for role in ROLES}, "host": "host.npz"}
    if int8:
        files["am_enc"] = quantize(out / files["am_enc"]).name
    np.savez(out / "host.npz", allow_pickle=False, **host(parts["pitch_energy"], voice))
    document = description(out, voice, files)
    (out / "voice.yaml").write_text(
        yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )


def read(folder: Path) -> Published:
    """The voice in *folder*. Raises ConversionError naming what is missing or cannot be converted."""
    acoustic, vocoder = (_yaml(folder / part / "config.yaml") for part in ("am", "voc"))
    sizes, unit = acoustic["Model"]["KanTtsSAMBERT"]["params"], acoustic["linguistic_unit"]
    language = unit.get("language", "PinYin")
    if language != "PinYin" or sizes.get("using_byte", False):
        raise ConversionError(
            f"{folder}: its language is {language}; only PinYin (Mandarin) can be converted"
        )
    if vocoder["Model"]["Generator"]["params"]["out_channels"] != 1:
        raise ConversionError(f"{folder}: a vocoder of several bands; only those of one can be converted")
    audio = _audio_config(folder, vocoder, acoustic)
    arrays = {}
    if sizes.get("SE", False):
        arrays["se"] = _array(folder / "am" / "se.npy").reshape(-1)
    if sizes.get("NSF", False):
        arrays["f0"] = _pitch_scale(folder, sizes)
    return Published(
        acoustic=acoustic,
        vocoder=vocoder,
        acoustic_state=_without_unused(_checkpoint(folder / "am")["model"]),
        vocoder_state=checkpoints.fused(_checkpoint(folder / "voc")["model"]["generator"]),
        arrays=arrays,
        sample_rate=int(audio["sampling_rate"]),
    )


def _yaml(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConversionError(
            f"{path}: cannot be read ({error}); expected a voice of KAN-TTS, am/ and voc/"
        ) from error
    if not isinstance(found, dict):
        raise ConversionError(f"{path}: expected keys and values, found {type(found).__name__}")
    return found


def _audio_config(folder: Path, *configs: Mapping[str, Any]) -> Mapping[str, Any]:
    """It is in the configurations of a training, and a file of its own beside published voices."""
    for config in configs:
        if "audio_config" in config:
            return dict(config["audio_config"])
    return dict(_yaml(folder / "audio_config.yaml")["audio_config"])


def _array(path: Path) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (OSError, ValueError) as error:
        raise ConversionError(f"{path}: cannot be read: {error}") from error


def _pitch_scale(folder: Path, sizes: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """Offset and scale of the pitch in Hz."""
    if sizes.get("nsf_norm_type", "mean_std") == "mean_std":
        return _array(folder / "am" / "mvn.npy").reshape(2)
    low, high = sizes.get("nsf_f0_global_minimum", 30.0), sizes.get("nsf_f0_global_maximum", 730.0)
    return np.array([low, high - low], np.float32)


def _checkpoint(folder: Path) -> dict[str, Any]:
    """The newest of *folder*/ckpt."""
    found = sorted((folder / "ckpt").glob("checkpoint_*.pth"), key=lambda path: int(path.stem.split("_")[-1]))
    if not found:
        raise ConversionError(f"{folder / 'ckpt'}: no checkpoint_*.pth in it")
    return checkpoints.read(found[-1], "model")


def _without_unused(state: State) -> State:
    return {name: value for name, value in state.items() if not name.startswith(UNUSED)}


def networks(voice: Published) -> dict[str, nn.Module]:
    """The networks by role, with the weights of *voice*, and none of them left over. Raises ConversionError."""
    sizes = voice.sizes
    places: dict[str, tuple[nn.Module, str]] = {
        "am_enc": (Encoder(sizes), ""),
        "pitch_energy": (PitchEnergy(sizes), "variance_adaptor."),
        "duration": (Duration(sizes), "variance_adaptor.duration_predictor."),
        "am_dec": (Decoder(sizes), "mel_decoder.mel_dec."),
        "postnet": (Postnet(sizes), "mel_postnet."),
    }
    rest = dict(voice.acoustic_state)
    for network, prefix in places.values():
        names = [name for name in network.state_dict() if f"{prefix}{name}" in rest]
        checkpoints.fill(network, {name: rest.pop(f"{prefix}{name}") for name in names}, f"am: {prefix}")
    if rest:
        raise ConversionError(f"am: this architecture has no place for {', '.join(sorted(rest)[:5])}")
    vocoder = Vocoder(voice.params)
    checkpoints.fill(vocoder, voice.vocoder_state, "voc")
    return {**{role: network for role, (network, _) in places.items()}, "voc": vocoder}


def host(variance: nn.Module, voice: Published) -> dict[str, np.ndarray[Any, Any]]:
    state = variance.state_dict()
    names = {"timescales": "dur_position_encoder.inv_timescales"}
    names |= {
        f"{kind}_{part}": f"{kind}_emb.{part}" for kind in ("pitch", "energy") for part in ("weight", "bias")
    }
    return {**{name: state[key].numpy() for name, key in names.items()}, **voice.arrays}


def description(out: Path, voice: Published, files: Mapping[str, str]) -> dict[str, Any]:
    """voice.yaml"""
    sizes, params = voice.sizes, voice.params
    left, right = margins(params)
    speakers = [name.strip() for name in voice.acoustic["linguistic_unit"]["speaker_list"].split(",")]
    return {
        "name": out.name,
        "family": "sambert",
        "languages": ["zh-CN", "en-US"],
        "sample_rate": voice.sample_rate,
        "files": dict(files),
        "sha256": {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in files.values()},
        "speakers": {
            name: number for number, name in enumerate(speakers[:1] if "se" in voice.arrays else speakers)
        },
        "emotions": {name: {} for name in EMOTIONS[1:] if not name.startswith("placeholder")},
        "licence": "see where the checkpoints came from",
        "source": "a voice of KAN-TTS, converted by edgetts convert sambert",
        "sambert": {
            "hop_samples": math.prod(params["upsample_scales"]),
            "margin_left_frames": left,
            "margin_right_frames": right,
            "n_mels": sizes["num_mels"],
            "frames_per_step": sizes["outputs_per_step"],
            "decoder_layers": sizes["decoder_num_layers"],
            "decoder_heads": sizes["decoder_num_heads"],
            "decoder_head_units": sizes["decoder_num_units"] // sizes["decoder_num_heads"],
            "duration_units": sizes["dur_pred_lstm_units"],
            "n_harmonics": params.get("nsf_params", {}).get("nb_harmonics", 0),
            "max_symbols": sizes["max_len"],
            **_liveliness(voice),
        },
    }


def _liveliness(voice: Published) -> dict[str, float]:
    """Mean and deviation of the pitch are known of voices whose pitch was normalized by them."""
    is_known = "f0" in voice.arrays and voice.sizes.get("nsf_norm_type", "mean_std") == "mean_std"
    return {"pitch_mean_over_std": round(float(np.divide(*voice.arrays["f0"])), 3)} if is_known else {}
