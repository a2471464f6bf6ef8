"""Checkpoints of GPT-SoVITS v2 → a folder of the family gpt_sovits, whose tokens the host chooses.

Wanted are, anywhere below the folder: one *.ckpt (GPT), one *.pth (SoVITS), and chinese-hubert-base with its
config.json and pytorch_model.bin; a cmudict.rep if there is one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from edge_tts.convert import ConversionError, checkpoints
from edge_tts.convert.checkpoints import State, below, find
from edge_tts.convert.gpt_sovits_sound import Latent, Vocoder
from edge_tts.convert.gpt_sovits_tokens import Codes, Decoder, First, Hubert, Stage
from edge_tts.convert.graphs import Contract, quantize, write_graph
from edge_tts.text.gpt_sovits_symbols import N_LEARNED

LENGTHS = (
    {"N": 8000, "T": 41, "L": 9, "P": 7, "S": 16, "X": 6, "n": 5, "K": 60, "F": 9},
    {"N": 12000, "T": 61, "L": 23, "P": 12, "S": 31, "X": 17, "n": 11, "K": 99, "F": 23},
)
SAMPLE_RATE = 32000
QUANTIZED = ("t2s_first", "t2s_stage")
"""Products of the decoder; what makes sound stays as it is."""

CODEBOOK = "quantizer.vq.layers.0._codebook.embed"
TRAINING = ("enc_q.", "quantizer.", "ssl_proj.", "dec.")
"""In SoVITS' checkpoint, but not in what goes from tokens to the latent."""


class HParams:
    """What older SoVITS checkpoints keep their configuration in; the sizes are read from the weights instead."""


HParams.__module__ = "utils"


def convert(folder: Path, out: Path, *, int8: bool) -> None:
    """See edge_tts.convert.Converter."""
    decoder, n_layers, units = _decoder(find(folder, "*.ckpt", "GPT checkpoint"))
    codes, latent, vocoder = _sound(find(folder, "*.pth", "SoVITS checkpoint"))
    networks: dict[str, nn.Module] = {
        "hubert": _hubert(folder), "t2s_encoder": codes, "t2s_first": First(decoder), "t2s_stage": Stage(decoder),
        "latent": latent, "vocoder": vocoder,
    }  # fmt: skip
    lexicon = next(folder.rglob("cmudict*.rep"), None)
    out.mkdir(parents=True, exist_ok=True)
    n_person, channels = vocoder.cond.in_channels, vocoder.conv_pre.in_channels
    for role, contract in contracts(n_layers, units, n_person, channels, codes.embed.shape[1]).items():
        examples = [_example(contract, lengths) for lengths in LENGTHS]
        write_graph(out / f"{role}.onnx", networks[role].eval(), contract, examples)
        if int8 and role in QUANTIZED:
            quantize(out / f"{role}.onnx")
    files = {role: f"{role}.onnx" for role in networks}
    if lexicon:
        (out / "lexicon.txt").write_bytes(dictionary(lexicon.read_text(encoding="utf-8")))
        files["lexicon"] = "lexicon.txt"
    document = _description(out, files, vocoder.margin_frames(), channels)
    (out / "voice.yaml").write_text(
        yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )


def _decoder(path: Path) -> tuple[Decoder, int, int]:
    checkpoint = checkpoints.read(path, "weight", "config")
    try:
        config = checkpoint["config"]["model"]
        if config["phoneme_vocab_size"] != N_LEARNED:
            raise ConversionError(
                f"{path}: has {config['phoneme_vocab_size']} symbols; only v2 with {N_LEARNED} is converted"
            )
        network = Decoder(config)
    except (KeyError, TypeError) as error:
        raise ConversionError(f"{path}: its configuration has no {error}") from error
    checkpoints.fill(network, _floats(below(checkpoint["weight"], "model.")), str(path))
    return network, config["n_layer"], config["hidden_dim"]


def _sound(path: Path) -> tuple[Codes, Latent, Vocoder]:
    with torch.serialization.safe_globals([HParams]):
        state = _floats(checkpoints.fused(checkpoints.read(path, "weight")["weight"]))
    if "sv_emb.weight" in state:
        raise ConversionError(f"{path}: is of v2Pro; only v2 is converted")
    try:
        embed = state[CODEBOOK]
        codes = Codes(embed.shape[1], len(embed))
        checkpoints.fill(codes, {"embed": embed} | {
            name: value for name, value in state.items() if name.startswith("ssl_proj.")
        }, str(path))  # fmt: skip
        wanted = {name: value for name, value in state.items() if not name.startswith(TRAINING)}
        latent = Latent(wanted | {"codes": embed})
        checkpoints.fill(latent, wanted | {"codes": embed}, str(path))
        of_sound = below(state, "dec.")
        vocoder = Vocoder(of_sound)
        checkpoints.fill(vocoder, of_sound, str(path))
    except KeyError as error:
        raise ConversionError(f"{path}: is no checkpoint of SoVITS v2: it has no {error}") from error
    return codes, latent, vocoder


def _hubert(folder: Path) -> Hubert:
    path = find(folder, "pytorch_model.bin", "chinese-hubert-base")
    try:
        config = json.loads(path.with_name("config.json").read_text(encoding="utf-8"))
        network = Hubert(config)
    except (OSError, ValueError, KeyError) as error:
        raise ConversionError(f"{path.parent}: no configuration of HuBERT: {error!r}") from error
    state = dict(checkpoints.read(path))
    state = {name.removeprefix("hubert."): value for name, value in state.items()}
    state.pop("masked_spec_embed", None)
    place = "encoder.pos_conv_embed.conv"
    for lengths, directions in checkpoints.NORMALIZED.items():
        if place + lengths in state:
            # Normalized for each place of the kernel, unlike all others.
            length, direction = state.pop(place + lengths), state.pop(place + directions)
            norm = torch.linalg.vector_norm(direction, dim=(0, 1), keepdim=True)
            state[f"{place}.weight"] = length * direction / norm
    checkpoints.fill(network, _floats(state), str(path))
    return network


def _floats(state: State) -> dict[str, Tensor]:
    """As published in halves, as float32."""
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def contracts(n_layers: int, units: int, n_person: int, channels: int, ssl: int) -> dict[str, Contract]:
    """Role → contract; see docs/families.md."""
    names = [f"{kind}_cache_{layer}" for layer in range(n_layers) for kind in "kv"]
    memory: dict[str, tuple[int | str, ...]] = {f"i{name}": ("S", 1, units) for name in names}
    latent: dict[str, tuple[int | str, ...]] = {
        "text_seq": (1, "X"), "pred_semantic": (1, 1, "n"), "ref_audio": (1, "N"), "speed": (1,),
        "noise": (1, channels, "K"),
    }  # fmt: skip
    return {
        "hubert": Contract({"input_values": (1, "N")}, ("ssl_content",)),
        "t2s_encoder": Contract({"ssl_content": (1, ssl, "T")}, ("prompts",)),
        "t2s_first": Contract(
            {"x": (1, "L"), "prompts": (1, "P"), "bert": (1, 1024, "L")}, ("logits", *names)
        ),
        "t2s_stage": Contract({"iy": (1, 1), "y_len": (1,), "idx": (1,), **memory}, ("logits", *names)),
        "latent": Contract(latent, ("z", "g")),
        "vocoder": Contract({"z": (1, channels, "F"), "g": (1, n_person, 1)}, ("audio",)),
    }


def _example(contract: Contract, lengths: Mapping[str, int]) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(sum(lengths.values()))

    def make(name: str, shape: Sequence[int]) -> Tensor:
        if name == "speed":
            return torch.full(tuple(shape), 1.0 if lengths["n"] == LENGTHS[0]["n"] else 1.3)
        if name in ("x", "prompts", "iy", "text_seq", "pred_semantic", "y_len", "idx"):
            return torch.randint(0, 300, tuple(shape), generator=random)
        return torch.randn(tuple(shape), generator=random)

    return contract.example(lengths, make)


def dictionary(lexicon: str) -> bytes:
    """cmudict.rep ("HELLO  HH AH0 - L OW1") as `edge_tts.text.pronouncing` wants it; the first of several counts."""
    found: dict[bytes, bytes] = {}
    for line in lexicon.splitlines():
        word, _, symbols = line.strip().partition("  ")
        said = " ".join(symbol for symbol in symbols.split() if symbol != "-")
        if said and word[0].isalpha():
            found.setdefault(word.lower().encode(), said.encode())
    return b"\n".join(sorted(word + b" " + said for word, said in found.items())) + b"\n"


def _description(out: Path, files: Mapping[str, str], margin: int, channels: int) -> dict[str, Any]:
    """voice.yaml"""
    digests = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in files.values()}
    return {
        "name": out.name,
        "family": "gpt_sovits",
        "languages": ["zh-CN", "en-US", "ja-JP"],
        "sample_rate": SAMPLE_RATE,
        "files": dict(files),
        "sha256": digests,
        "gpt_sovits": {"margin_frames": margin, "latent_channels": channels},
        "licence": "see where the checkpoints came from",
        "source": "a voice of GPT-SoVITS v2, converted by edgetts convert gpt_sovits",
    }
