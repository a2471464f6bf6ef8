"""Checkpoints of GPT-SoVITS v2, v2Pro and v2ProPlus → a folder of the family gpt_sovits, whose tokens the host chooses.

Wanted are, anywhere below the folder: one *.ckpt (GPT), one *.pth (SoVITS), and chinese-hubert-base with its
config.json and pytorch_model.bin; for v2Pro and v2ProPlus speaker_encoder.onnx; if they are there, a cmudict.rep and
chinese-roberta-wwm-ext-large with its config.json, pytorch_model.bin and tokenizer.json or vocab.txt.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import torch
import yaml
from torch import Tensor, nn

from edge_tts.convert import ConversionError, checkpoints
from edge_tts.convert.bert import Layers
from edge_tts.convert.checkpoints import State, below, find
from edge_tts.convert.gpt_sovits_sound import Latent, Vocoder
from edge_tts.convert.gpt_sovits_tokens import Codes, Decoder, First, Hubert, Stage
from edge_tts.convert.graphs import Contract, write_graph, write_vocoder
from edge_tts.convert.int8 import quantize
from edge_tts.text.gpt_sovits_symbols import N_LEARNED

LENGTHS = (
    {"N": 8000, "T": 41, "L": 9, "P": 7, "S": 16, "X": 6, "n": 5, "K": 60, "F": 9, "t": 7},
    {"N": 12000, "T": 61, "L": 23, "P": 12, "S": 31, "X": 17, "n": 11, "K": 99, "F": 23, "t": 19},
)
SAMPLE_RATE = 32000
QUANTIZED = ("t2s_first", "t2s_stage", "bert")
"""Products of the decoder and of BERT; what makes sound stays as it is."""

UNHEEDED_LAYERS = 2
"""Of BERT, the last ones: the features are what the layer before them says."""

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
    files = {role: f"{role}.onnx" for role in networks}
    out.mkdir(parents=True, exist_ok=True)
    if latent.is_pro:
        encoder = find(
            folder, "speaker_encoder.onnx", "graph of speaker vectors, which v2Pro and v2ProPlus need"
        )
        shutil.copyfile(encoder, out / encoder.name)
        files["speaker_encoder"] = encoder.name
    described = _configured(folder, "type_vocab_size")
    if described is not None:
        networks["bert"] = _bert(*described)
        (out / "vocab.txt").write_text(_vocabulary(described[0].parent), encoding="utf-8")
        files |= {"bert": "bert.onnx", "vocabulary": "vocab.txt"}
    lexicon = next(folder.rglob("cmudict*.rep"), None)
    if lexicon:
        (out / "lexicon.txt").write_bytes(dictionary(lexicon.read_text(encoding="utf-8")))
        files["lexicon"] = "lexicon.txt"
    all_contracts = contracts(n_layers, units, latent, vocoder, codes.embed.shape[1])
    for role, network in networks.items():
        contract = all_contracts[role]
        examples = [_example(contract, lengths) for lengths in LENGTHS]
        write = write_vocoder if role == "vocoder" else write_graph
        write(out / f"{role}.onnx", network.eval(), contract, examples)
        if int8 and role in QUANTIZED:
            files[role] = quantize(out / f"{role}.onnx").name
    document = _description(out, files, vocoder, is_pro=latent.is_pro)
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


def _mended(path: Path) -> IO[bytes]:
    """A checkpoint whose first two bytes say its version ("05" is v2Pro, "06" v2ProPlus) is else an archive as any."""
    content = path.read_bytes()
    return io.BytesIO(b"PK" + content[2:] if content[:2].isdigit() else content)


def _sound(path: Path) -> tuple[Codes, Latent, Vocoder]:
    with torch.serialization.safe_globals([HParams]):
        weights = checkpoints.read(path, "weight", content=_mended(path))["weight"]
    state = _floats(checkpoints.fused(weights))
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


def _configured(folder: Path, key: str) -> tuple[Path, dict[str, Any]] | None:
    """The pytorch_model.bin below *folder* whose config.json has *key*, and what that says. Raises ConversionError."""
    for path in sorted(folder.rglob("pytorch_model.bin")):
        try:
            config = json.loads(path.with_name("config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConversionError(f"{path}: no configuration beside it: {error!r}") from error
        if isinstance(config, dict) and key in config:
            return path, config
    return None


def _bert(path: Path, config: Mapping[str, Any]) -> Layers:
    """What makes features of Chinese. Raises ConversionError."""
    try:
        n_layers = config["num_hidden_layers"] - UNHEEDED_LAYERS
        network = Layers({**config, "num_hidden_layers": n_layers})
    except (KeyError, TypeError) as error:
        raise ConversionError(f"{path.parent}: no configuration of BERT: {error!r}") from error
    found = {name.removeprefix("bert."): value for name, value in checkpoints.read(path).items()}
    unused = (
        "pooler.",
        "cls.",
        "embeddings.position_ids",
        *(f"encoder.layer.{n_layers + k}." for k in range(UNHEEDED_LAYERS)),
    )
    state = {name: value for name, value in found.items() if not name.startswith(unused)}
    checkpoints.fill(network, _floats(state), str(path))
    return network


def _vocabulary(folder: Path) -> str:
    """vocab.txt, a piece a line. Raises ConversionError."""
    try:
        if (folder / "vocab.txt").exists():
            return (folder / "vocab.txt").read_text(encoding="utf-8")
        ids = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
        pieces = sorted(ids, key=ids.__getitem__)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConversionError(
            f"{folder}: no vocabulary of BERT (vocab.txt, tokenizer.json): {error!r}"
        ) from error
    return "\n".join(pieces) + "\n"


def _hubert(folder: Path) -> Hubert:
    described = _configured(folder, "conv_dim")
    if described is None:
        raise ConversionError(
            f"{folder}: no chinese-hubert-base in it or below; expected a pytorch_model.bin"
        )
    path, config = described
    try:
        network = Hubert(config)
    except (KeyError, TypeError) as error:
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


def contracts(n_layers: int, units: int, latent: Latent, vocoder: Vocoder, ssl: int) -> dict[str, Contract]:
    """Role → contract; see docs/families.md."""
    channels = vocoder.conv_pre.in_channels
    names = [f"{kind}_cache_{layer}" for layer in range(n_layers) for kind in "kv"]
    memory: dict[str, tuple[int | str, ...]] = {f"i{name}": ("S", 1, units) for name in names}
    of_latent: dict[str, tuple[int | str, ...]] = {
        "text_seq": (1, "X"), "pred_semantic": (1, 1, "n"), "ref_audio": (1, "N"), "speed": (1,),
        "noise": (1, channels, "K"), **({"sv_emb": (1, latent.sv_emb.in_features)} if latent.is_pro else {}),
    }  # fmt: skip
    return {
        "hubert": Contract({"input_values": (1, "N")}, ("ssl_content",)),
        "t2s_encoder": Contract({"ssl_content": (1, ssl, "T")}, ("prompts",)),
        "t2s_first": Contract(
            {"x": (1, "L"), "prompts": (1, "P"), "bert": (1, 1024, "L")}, ("logits", *names)
        ),
        "t2s_stage": Contract({"iy": (1, 1), "y_len": (1,), "idx": (1,), **memory}, ("logits", *names)),
        "latent": Contract(of_latent, ("z", "g")),
        "vocoder": Contract({"z": (1, channels, "F"), "g": (1, vocoder.cond.in_channels, 1)}, ("audio",)),
        "bert": Contract({"input_ids": (1, "t")}, ("bert_feature",)),
    }


def _example(contract: Contract, lengths: Mapping[str, int]) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(sum(lengths.values()))

    def make(name: str, shape: Sequence[int]) -> Tensor:
        if name == "speed":
            return torch.full(tuple(shape), 1.0 if lengths["n"] == LENGTHS[0]["n"] else 1.3)
        if name == "input_ids":
            return torch.randint(0, 4, tuple(shape), generator=random)
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


def _description(out: Path, files: Mapping[str, str], vocoder: Vocoder, *, is_pro: bool) -> dict[str, Any]:
    """voice.yaml"""
    digests = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in files.values()}
    return {
        "name": out.name,
        "family": "gpt_sovits",
        "languages": ["zh-CN", "en-US", "ja-JP"],
        "sample_rate": SAMPLE_RATE,
        "files": dict(files),
        "sha256": digests,
        "gpt_sovits": {
            "margin_frames": vocoder.margin_frames(),
            "latent_channels": vocoder.conv_pre.in_channels,
        },
        "licence": "see where the checkpoints came from",
        "source": f"a voice of GPT-SoVITS {'v2Pro' if is_pro else 'v2'}, converted by edgetts convert gpt_sovits",
    }
