"""A working copy of EmotiVoice with its checkpoints → a folder of the family emotivoice.

Wanted are, anywhere below the folder: outputs/…/g_*, outputs/…/checkpoint_*, config/joint/config.yaml, tokenlist,
speaker2, and SimBERT's vocab.txt and config.json; librispeech-lexicon.txt if it is there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from edge_tts.convert import ConversionError, checkpoints
from edge_tts.convert.bert import Bert
from edge_tts.convert.checkpoints import find
from edge_tts.convert.emotivoice_networks import Decoder, Encoder, Vocoder
from edge_tts.convert.graphs import Contract, write_graph, write_vocoder
from edge_tts.convert.int8 import quantize

LENGTHS = ({"n": 5, "T": 7, "F": 6}, {"n": 17, "T": 23, "F": 31})
UNUSED = "am.alignment_module."
"""Of training."""

EMOTIONS = {
    "neutral": "普通", "angry": "生气", "happy": "开心", "surprised": "惊讶", "sad": "悲伤", "disgusted": "厌恶",
    "afraid": "恐惧",
}  # fmt: skip
"""What the style encoder was taught to call them."""

FILES = {
    "embedding": "embedding.onnx", "am_encoder": "am_encoder.onnx", "am_decoder": "am_decoder.onnx",
    "voc": "voc.onnx", "tokens": "tokenlist", "vocabulary": "vocab.txt", "lexicon": "lexicon.txt",
}  # fmt: skip


def convert(folder: Path, out: Path, *, int8: bool) -> None:
    """See edge_tts.convert.Converter."""
    tokens, speakers = find(folder, "tokenlist", "list of tokens"), _lines(folder, "speaker2")
    lexicon = next(folder.rglob("librispeech-lexicon.txt"), None)
    settings = _settings(folder)
    bert = _bert(folder)
    parts = {"embedding": bert, **_networks(folder, settings)}
    out.mkdir(parents=True, exist_ok=True)
    for role, contract in contracts(settings, bert).items():
        examples = [_example(role, contract, lengths) for lengths in LENGTHS]
        write = write_vocoder if role == "voc" else write_graph
        write(out / FILES[role], parts[role], contract, examples)
    shutil.copyfile(tokens, out / FILES["tokens"])
    shutil.copyfile(find(folder, "vocab.txt", "vocabulary of SimBERT"), out / FILES["vocabulary"])
    files = {role: name for role, name in FILES.items() if role != "lexicon" or lexicon}
    if int8:
        files["embedding"] = quantize(out / FILES["embedding"]).name
    if lexicon:
        (out / FILES["lexicon"]).write_bytes(dictionary(lexicon.read_text(encoding="utf-8")))
    document = _description(out, files, speakers, int(settings["sr"]))
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    (out / "voice.yaml").write_text(text, encoding="utf-8")


def _lines(folder: Path, name: str) -> list[str]:
    text = find(folder, name, f"file {name}").read_text(encoding="utf-8")
    return [line.strip() for line in text.rstrip("\n").split("\n")]


def _settings(folder: Path) -> dict[str, Any]:
    path = find(folder, "joint/config.yaml", "configuration (config/joint/config.yaml)")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        if found["model"]["resblock"] != "1":
            raise ConversionError(
                f"{path}: resblock {found['model']['resblock']!r}; only '1' can be converted"
            )
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ConversionError(f"{path}: is no configuration of EmotiVoice: {error!r}") from error
    return dict(found)


def _bert(folder: Path) -> Bert:
    """The style encoder; its weights are all in EmotiVoice's checkpoint, SimBERT's own are the same before training."""
    described = find(folder, "vocab.txt", "vocabulary of SimBERT").with_name("config.json")
    try:
        network = Bert(json.loads(described.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError) as error:
        raise ConversionError(f"{described}: is no configuration of a BERT model: {error!r}") from error
    path = find(folder, "checkpoint_*", "checkpoint of the style encoder")
    state = checkpoints.read(path, "model")["model"]
    # Trained on several devices, as published: "module." before every name.
    weights = checkpoints.below(
        {name.removeprefix("module."): value for name, value in state.items()}, "bert."
    )
    weights.pop("embeddings.position_ids", None)
    checkpoints.fill(network, weights, str(path))
    return network


def _networks(folder: Path, settings: Mapping[str, Any]) -> dict[str, nn.Module]:
    path = find(folder, "g_*", "checkpoint of the generator")
    state = checkpoints.fused(checkpoints.read(path, "generator")["generator"])
    acoustic = checkpoints.below(
        {name: value for name, value in state.items() if not name.startswith(UNUSED)}, "am."
    )
    config = settings["model"]
    try:
        rows = [len(acoustic[f"{name}.weight"]) for name in ("src_word_emb", "spk_tokenizer")]
        encoder, decoder = Encoder(config, *rows), Decoder(config, int(settings["n_mels"]))
        vocoder = Vocoder(config)
    except KeyError as error:
        raise ConversionError(f"{path} and its configuration: no {error}") from error
    of_decoder = {name: value for name, value in acoustic.items() if name.startswith(("decoder.", "to_mel."))}
    of_encoder = {name: value for name, value in acoustic.items() if name not in of_decoder}
    checkpoints.fill(encoder, of_encoder, str(path))
    checkpoints.fill(decoder, of_decoder, str(path))
    checkpoints.fill(vocoder, checkpoints.below(state, "generator."), str(path))
    return {"am_encoder": encoder, "am_decoder": decoder, "voc": vocoder}


def contracts(settings: Mapping[str, Any], bert: Bert) -> dict[str, Contract]:
    """Role → contract; n pieces of a text, T tokens, F frames."""
    config, mels = settings["model"], settings["n_mels"]
    vector = (1, bert.pooler.dense.out_features)
    shifts: dict[str, tuple[int | str, ...]] = dict.fromkeys(
        ("pitch_scale", "pitch_shift", "energy_shift"), (1,)
    )
    encoder: dict[str, tuple[int | str, ...]] = {
        "inputs_ling": (1, "T"), "inputs_speaker": (1,), "inputs_style_embedding": vector,
        "inputs_content_embedding": vector, **shifts,
    }  # fmt: skip
    return {
        "embedding": Contract({"input_ids": (1, "n")}, ("style_embedding",)),
        "am_encoder": Contract(encoder, ("x", "d_outs")),
        "am_decoder": Contract({"x": (1, "T", config["encoder_n_hidden"]), "d_outs": (1, "T")}, ("logmel",)),
        "voc": Contract({"logmel": (1, "F", mels)}, ("wav",)),
    }


def _example(role: str, contract: Contract, lengths: Mapping[str, int]) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(sum(lengths.values()))

    def make(name: str, shape: list[int]) -> Tensor:
        if name == "inputs_speaker":
            return torch.zeros(shape, dtype=torch.long)
        if name in ("input_ids", "inputs_ling", "d_outs"):
            return torch.randint(1, 4, shape, generator=random)
        return torch.randn(shape, generator=random)

    return contract.example(lengths, make)


def dictionary(lexicon: str) -> bytes:
    """LibriSpeech's lexicon as `edge_tts.text.pronouncing` wants it; the first of several readings counts."""
    found: dict[bytes, bytes] = {}
    for line in lexicon.splitlines():
        word, _, symbols = line.strip().replace("\t", " ").partition(" ")
        if symbols:
            found.setdefault(word.lower().encode(), " ".join(symbols.split()).encode())
    return b"\n".join(sorted(word + b" " + symbols for word, symbols in found.items())) + b"\n"


def _description(
    out: Path, files: Mapping[str, str], speakers: list[str], sample_rate: int
) -> dict[str, Any]:
    """voice.yaml"""
    digests = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in files.values()}
    return {
        "name": out.name,
        "family": "emotivoice",
        "languages": ["zh-CN", "en-US"],
        "sample_rate": sample_rate,
        "files": dict(files),
        "sha256": digests,
        "speakers": {name: number for number, name in enumerate(speakers)},
        "emotions": {name: {"prompt": prompt} for name, prompt in EMOTIONS.items()},
        "licence": "see where the checkpoints came from",
        "source": "a voice of EmotiVoice, converted by edgetts convert emotivoice",
    }
