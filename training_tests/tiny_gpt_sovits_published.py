"""Checkpoints of GPT-SoVITS v2 and v2ProPlus, HuBERT and RoBERTa as published, in small: names and ranks of all
weights, random values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from tests import gpt_sovits_t2s, tiny_gpt_sovits
from training_tests.tiny_emotivoice_published import Weights, bert

SSL, UNITS, PERSON, LATENT, CHANNELS, N_CODES = 768, 8, 12, 6, 32, 1024
OF_TEXT = 8
"""Units of what v2ProPlus tells the text of the person."""

GPT: dict[str, Any] = {
    "vocab_size": 1025, "phoneme_vocab_size": 732, "embedding_dim": 16, "hidden_dim": 16, "head": 2, "n_layer": 2,
    "EOS": 1024,
}  # fmt: skip
HUBERT: dict[str, Any] = {
    "hidden_size": SSL, "conv_dim": [8, 8, 8], "conv_kernel": [10, 8, 8], "conv_stride": [5, 8, 8],
    "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 16,
}  # fmt: skip
ROBERTA: dict[str, Any] = {
    "hidden_size": 1024, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 20,
    "max_position_embeddings": 64, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
}  # fmt: skip


def gpt() -> dict[str, torch.Tensor]:
    w, units = Weights(1), GPT["hidden_dim"]
    w.pair("model.bert_proj", units, 1024)
    for kind, rows in (("text", 732), ("audio", 1025)):
        w.add(f"model.ar_{kind}_embedding.word_embeddings.weight", rows, units)
        w.add(f"model.ar_{kind}_position.alpha", 1)
    for layer in range(GPT["n_layer"]):
        name = f"model.h.layers.{layer}"
        w.add(f"{name}.self_attn.in_proj_weight", 3 * units, units)
        w.add(f"{name}.self_attn.in_proj_bias", 3 * units)
        w.pair(f"{name}.self_attn.out_proj", units, units)
        w.pair(f"{name}.linear1", 4 * units, units)
        w.pair(f"{name}.linear2", units, 4 * units)
        w.norm(f"{name}.norm1", units)
        w.norm(f"{name}.norm2", units)
    w.add("model.ar_predict_layer.weight", 1025, units)
    return {name: value.half() for name, value in w.state.items()}


def _encoder(w: Weights, name: str, n_layers: int) -> None:
    for layer in range(n_layers):
        attention = f"{name}.attn_layers.{layer}"
        for part in "qkvo":
            w.pair(f"{attention}.conv_{part}", UNITS, UNITS, 1)
        w.add(f"{attention}.emb_rel_k", 1, 9, UNITS // 2)
        w.add(f"{attention}.emb_rel_v", 1, 9, UNITS // 2)
        for number in (1, 2):
            w.add(f"{name}.norm_layers_{number}.{layer}.gamma", UNITS)
            w.add(f"{name}.norm_layers_{number}.{layer}.beta", UNITS)
        w.pair(f"{name}.ffn_layers.{layer}.conv_1", 20, UNITS, 3)
        w.pair(f"{name}.ffn_layers.{layer}.conv_2", UNITS, 20, 3)


def _style(w: Weights) -> None:
    w.pair("ref_enc.spectral.0.fc", 8, 704)
    w.pair("ref_enc.spectral.3.fc", 8, 8)
    for layer in range(2):
        w.pair(f"ref_enc.temporal.{layer}.conv1.conv", 16, 8, 5)
    for part in ("w_qs", "w_ks", "w_vs", "fc"):
        w.pair(f"ref_enc.slf_attn.{part}", 8, 8)
    w.pair("ref_enc.fc.fc", PERSON, 8)


def sovits() -> dict[str, torch.Tensor]:
    w = Weights(2)
    w.pair("ssl_proj", SSL, SSL, 2)
    w.add("quantizer.vq.layers.0._codebook.embed", N_CODES, SSL, scale=1.0)
    w.add("quantizer.vq.layers.0._codebook.embed_avg", N_CODES, SSL)
    w.add("quantizer.vq.layers.0._codebook.cluster_size", N_CODES)
    w.pair("enc_q.pre", UNITS, 1025, 1)
    w.pair("enc_p.ssl_proj", UNITS, SSL, 1)
    w.add("enc_p.text_embedding.weight", 732, UNITS)
    for name, n_layers in (("encoder_ssl", 1), ("encoder_text", 2), ("encoder2", 1)):
        _encoder(w, f"enc_p.{name}", n_layers)
    for part in "qkvo":
        w.pair(f"enc_p.mrte.cross_attention.conv_{part}", PERSON, PERSON, 1)
    w.pair("enc_p.mrte.c_pre", PERSON, UNITS, 1)
    w.pair("enc_p.mrte.text_pre", PERSON, UNITS, 1)
    w.pair("enc_p.mrte.c_post", UNITS, PERSON, 1)
    w.pair("enc_p.proj", 2 * LATENT, UNITS, 1)
    for place in (0, 2, 4, 6):
        name = f"flow.flows.{place}"
        w.pair(f"{name}.pre", UNITS, LATENT // 2, 1)
        w.pair(f"{name}.post", LATENT // 2, UNITS, 1)
        w.normalized(f"{name}.enc.cond_layer", 2 * UNITS * 2, PERSON, 1, is_new=False)
        for layer in range(2):
            w.normalized(f"{name}.enc.in_layers.{layer}", 2 * UNITS, UNITS, 5, is_new=False)
            n_out = UNITS if layer else 2 * UNITS
            w.normalized(f"{name}.enc.res_skip_layers.{layer}", n_out, UNITS, 1, is_new=False)
    _style(w)
    channels = CHANNELS
    w.pair("dec.conv_pre", channels, LATENT, 7)
    w.pair("dec.cond", channels, PERSON, 1)
    for level, kernel in enumerate((16, 16, 8, 2, 2)):
        w.normalized(f"dec.ups.{level}", channels, channels // 2, kernel, is_new=False, n_out=channels // 2)
        channels //= 2
        for block, size in enumerate((3, 7, 11)):
            for number in range(3):
                for half in (1, 2):
                    name = f"dec.resblocks.{3 * level + block}.convs{half}.{number}"
                    w.normalized(name, channels, channels, size, is_new=False)
    w.add("dec.conv_post.weight", 1, channels, 7, scale=30.0)
    return w.state


def plus() -> dict[str, torch.Tensor]:
    """What v2ProPlus has otherwise or besides."""
    w = Weights(5)
    # Or the sum of so many drowns the rest.
    w.add("sv_emb.weight", PERSON, 20480, scale=0.01)
    w.add("sv_emb.bias", PERSON)
    w.pair("ge_to512", OF_TEXT, PERSON)
    w.add("prelu.weight", PERSON)
    for part in "qkvo":
        w.pair(f"enc_p.mrte.cross_attention.conv_{part}", OF_TEXT, OF_TEXT, 1)
    w.pair("enc_p.mrte.c_pre", OF_TEXT, UNITS, 1)
    w.pair("enc_p.mrte.text_pre", OF_TEXT, UNITS, 1)
    w.pair("enc_p.mrte.c_post", UNITS, OF_TEXT, 1)
    w.normalized("dec.ups.0", CHANNELS, CHANNELS // 2, 20, is_new=False, n_out=CHANNELS // 2)
    return w.state


def hubert() -> dict[str, torch.Tensor]:
    w, dims = Weights(3), HUBERT["conv_dim"]
    for layer, (n_in, n_out) in enumerate(zip([1, *dims], dims, strict=False)):
        w.add(f"feature_extractor.conv_layers.{layer}.conv.weight", n_out, n_in, HUBERT["conv_kernel"][layer])
    w.norm("feature_extractor.conv_layers.0.layer_norm", dims[0])
    w.norm("feature_projection.layer_norm", dims[-1])
    w.pair("feature_projection.projection", SSL, dims[-1])
    width, groups = HUBERT["num_conv_pos_embeddings"], HUBERT["num_conv_pos_embedding_groups"]
    w.add("encoder.pos_conv_embed.conv.weight_g", 1, 1, width)
    w.add("encoder.pos_conv_embed.conv.weight_v", SSL, SSL // groups, width)
    w.add("encoder.pos_conv_embed.conv.bias", SSL)
    w.norm("encoder.layer_norm", SSL)
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        w.pair(f"encoder.layers.0.attention.{part}", SSL, SSL)
    w.norm("encoder.layers.0.layer_norm", SSL)
    w.pair("encoder.layers.0.feed_forward.intermediate_dense", 16, SSL)
    w.pair("encoder.layers.0.feed_forward.output_dense", SSL, 16)
    w.norm("encoder.layers.0.final_layer_norm", SSL)
    w.add("masked_spec_embed", SSL)
    # Or the sums of so many are beyond what a feature is.
    return {name: value if value.dim() == 1 else value / 3 for name, value in w.state.items()}


def roberta() -> dict[str, torch.Tensor]:
    """With the pooler and the head that its features do not need."""
    w = Weights(4)
    bert(w, "bert", ROBERTA)
    w.add("cls.predictions.bias", ROBERTA["vocab_size"])
    return w.state


def build(folder: Path, *, is_plus: bool = False) -> None:
    (folder / "chinese-hubert-base").mkdir(parents=True)
    torch.save({"weight": gpt(), "config": {"model": GPT}, "info": "GPT-e8"}, folder / "somebody-e8.ckpt")
    path = folder / "somebody_e4.pth"
    torch.save({"weight": sovits() | (plus() if is_plus else {}), "config": {}, "info": "e4"}, path)
    torch.save(hubert(), folder / "chinese-hubert-base" / "pytorch_model.bin")
    (folder / "chinese-hubert-base" / "config.json").write_text(json.dumps(HUBERT), encoding="utf-8")
    (folder / "cmudict.rep").write_text("## notes\nHELLO  HH AH0 - L OW1\nA  AH0\n", encoding="utf-8")
    if is_plus:
        path.write_bytes(b"06" + path.read_bytes()[2:])
        tiny_gpt_sovits.genie_pro_plus(folder, gpt_sovits_t2s.TINY)
        _build_roberta(folder / "chinese-roberta-wwm-ext-large")


def _build_roberta(folder: Path) -> None:
    folder.mkdir()
    torch.save(roberta(), folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps(ROBERTA), encoding="utf-8")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *tiny_gpt_sovits.HAN]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}), encoding="utf-8")
