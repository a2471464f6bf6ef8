"""EmotiVoice's checkpoints as published, in small: names and ranks of all weights, random values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

UNITS, MELS, N_TOKENS, N_SPEAKERS, N_LAYERS = 16, 80, 502, 3, 2
BERT: dict[str, Any] = {
    "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "vocab_size": 40,
    "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
}  # fmt: skip
MODEL: dict[str, Any] = {
    "bert_embedding": 12, "encoder_n_layers": N_LAYERS, "encoder_n_heads": 2, "encoder_n_hidden": UNITS,
    "encoder_kernel_size_conv_mod": 3, "decoder_n_layers": N_LAYERS, "decoder_n_heads": 2, "decoder_n_hidden": UNITS,
    "decoder_kernel_size_conv_mod": 3, "variance_n_hidden": 20, "variance_n_layers": 3, "variance_kernel_size": 3,
    "variance_embed_kernel_size": 9, "duration_n_layers": 2, "duration_kernel_size": 3, "resblock": "1",
    "upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4], "initial_channel": MELS,
    "upsample_initial_channel": 32, "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
}  # fmt: skip
SPEAKERS = ("8051", "11614", "92")


class Weights:
    """A checkpoint being written."""

    def __init__(self, seed: int) -> None:
        self.state: dict[str, Tensor] = {}
        self._random = torch.Generator().manual_seed(seed)

    def add(self, name: str, *shape: int, scale: float = 0.3) -> None:
        self.state[name] = scale * torch.randn(shape, generator=self._random)

    def pair(self, name: str, *shape: int) -> None:
        """A product or convolution, and what is added."""
        self.add(f"{name}.weight", *shape)
        self.add(f"{name}.bias", shape[0])

    def norm(self, name: str, units: int) -> None:
        self.add(f"{name}.weight", units)
        self.state[f"{name}.weight"] += 1
        self.add(f"{name}.bias", units)

    def normalized(self, name: str, *shape: int, is_new: bool, n_out: int | None = None) -> None:
        halves = ("parametrizations.weight.original0", "parametrizations.weight.original1")
        lengths, directions = halves if is_new else ("weight_g", "weight_v")
        self.add(f"{name}.{lengths}", shape[0], *(1 for _ in shape[1:]))
        self.add(f"{name}.{directions}", *shape)
        self.add(f"{name}.bias", n_out or shape[0])


def _transformer(w: Weights, name: str) -> None:
    w.add(f"{name}.embed.0.alpha")
    for layer in range(N_LAYERS):
        block = f"{name}.encoders.{layer}"
        for part in ("q", "k", "v", "out"):
            w.pair(f"{block}.self_attn.linear_{part}", UNITS, UNITS)
        w.pair(f"{block}.feed_forward.w_1", 4 * UNITS, UNITS, 3)
        w.pair(f"{block}.feed_forward.w_2", UNITS, 4 * UNITS, 3)
        w.norm(f"{block}.norm1", UNITS)
        w.norm(f"{block}.norm2", UNITS)
    w.norm(f"{name}.after_norm", UNITS)


def generator(*, is_new: bool) -> dict[str, Tensor]:
    """*is_new*: normalized weights named as by PyTorch 2."""
    w = Weights(1)
    for part in ("encoder", "decoder"):
        _transformer(w, f"am.{part}")
    inner = MODEL["variance_n_hidden"]
    for name, layers in (("duration", 2), ("pitch", 3), ("energy", 2)):
        for layer in range(layers):
            w.pair(f"am.{name}_predictor.conv.{layer}.0", inner, inner if layer else UNITS, 3)
            w.norm(f"am.{name}_predictor.conv.{layer}.2", inner)
        w.pair(f"am.{name}_predictor.linear", 1, inner)
    # A few frames for most tokens.
    w.state["am.duration_predictor.linear.bias"] += 1.8
    for name in ("pitch", "energy"):
        w.pair(f"am.{name}_embed.0", UNITS, 1, 9)
    for name, kernel in (("t_conv1", 3), ("t_conv2", 1), ("f_conv2", 3), ("f_conv3", 1)):
        w.pair(f"am.alignment_module.{name}", UNITS, UNITS, kernel)
    w.pair("am.alignment_module.f_conv1", UNITS, MELS, 3)
    w.pair("am.to_mel", MELS, UNITS)
    w.add("am.spk_tokenizer.weight", N_SPEAKERS, UNITS)
    w.add("am.src_word_emb.weight", N_TOKENS, UNITS)
    w.pair("am.embed_projection1", UNITS, 2 * UNITS + 2 * BERT["hidden_size"])
    _vocoder(w, is_new=is_new)
    return w.state


def _vocoder(w: Weights, *, is_new: bool) -> None:
    channels = MODEL["upsample_initial_channel"]
    w.normalized("generator.conv_pre", channels, MELS, 7, is_new=is_new)
    for layer, kernel in enumerate(MODEL["upsample_kernel_sizes"]):
        half = channels // 2
        w.normalized(f"generator.ups.{layer}", channels, half, kernel, is_new=is_new, n_out=half)
        channels = half
        for number, size in enumerate(MODEL["resblock_kernel_sizes"]):
            for convs in ("convs1", "convs2"):
                for index in range(3):
                    name = f"generator.resblocks.{3 * layer + number}.{convs}.{index}"
                    w.normalized(name, channels, channels, size, is_new=is_new)
    w.normalized("generator.conv_post", 1, channels, 7, is_new=is_new)


def bert(w: Weights, name: str, config: dict[str, Any]) -> None:
    units, inner = config["hidden_size"], config["intermediate_size"]
    tables = {"word": "vocab_size", "position": "max_position_embeddings", "token_type": "type_vocab_size"}
    for table, rows in tables.items():
        w.add(f"{name}.embeddings.{table}_embeddings.weight", config[rows], units)
    w.state[f"{name}.embeddings.position_ids"] = torch.arange(config["max_position_embeddings"])[None]
    w.norm(f"{name}.embeddings.LayerNorm", units)
    for number in range(config["num_hidden_layers"]):
        layer = f"{name}.encoder.layer.{number}"
        for part in ("query", "key", "value"):
            w.pair(f"{layer}.attention.self.{part}", units, units)
        w.pair(f"{layer}.attention.output.dense", units, units)
        w.norm(f"{layer}.attention.output.LayerNorm", units)
        w.pair(f"{layer}.intermediate.dense", inner, units)
        w.pair(f"{layer}.output.dense", units, inner)
        w.norm(f"{layer}.output.LayerNorm", units)
    w.pair(f"{name}.pooler.dense", units, units)


def style_encoder() -> dict[str, Tensor]:
    w, units = Weights(2), BERT["hidden_size"]
    bert(w, "module.bert", BERT)
    for name, labels in (("pitch", 3), ("speed", 3), ("energy", 3), ("emotion", 7)):
        w.pair(f"module.{name}_clf.classifier", labels, units)
    w.pair("module.style_embed_proj", 128, units)
    return w.state


def build(folder: Path, *, is_new: bool = True) -> None:
    """The working copy with its checkpoints, where its README puts them."""
    golden = Path(__file__).parent.parent / "tests" / "golden"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"普通开心你好世界", *(f"[unused{k}]" for k in range(28))]
    texts = {
        "config/joint/config.yaml": yaml.safe_dump({"sr": 16000, "n_mels": MELS, "model": MODEL}),
        "data/youdao/text/tokenlist": (golden / "emotivoice_tokens.txt").read_text(encoding="utf-8"),
        "data/youdao/text/speaker2": "\n".join(SPEAKERS) + "\n",
        "lexicon/librispeech-lexicon.txt": "WORLD  W ER1 L D\nREAD\tR EH1 D\nREAD\tR IY1 D\nA''S\tEY1 Z\n",
        "WangZeJun/simbert-base-chinese/vocab.txt": "\n".join(pieces) + "\n",
        "WangZeJun/simbert-base-chinese/config.json": json.dumps(BERT),
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    checkpoints = {
        "prompt_tts_open_source_joint/ckpt/g_00140000": {"generator": generator(is_new=is_new)},
        "style_encoder/ckpt/checkpoint_163431": {"model": style_encoder()},
    }
    for name, document in checkpoints.items():
        path = folder / "outputs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(document, path)
