"""What makes tokens in GPT-SoVITS, as its checkpoints name the weights: HuBERT, the codes of a clip, the decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Attention(nn.Module):
    def __init__(self, units: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * units, units))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * units))
        self.out_proj = nn.Linear(units, units)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """x [1, n, units]; keys and values are [places, 1, units]."""
        q, k, v = functional.linear(x, self.in_proj_weight, self.in_proj_bias).transpose(0, 1).chunk(3, -1)
        if past is not None:
            k, v = torch.cat([past[0], k]), torch.cat([past[1], v])
        by_head = [
            each.reshape(-1, self.n_heads, x.shape[2] // self.n_heads).transpose(0, 1) for each in (q, k, v)
        ]
        scores = by_head[0] @ by_head[1].transpose(1, 2) / math.sqrt(by_head[0].shape[2])
        mixed = torch.softmax(scores if mask is None else scores + mask, -1) @ by_head[2]
        return self.out_proj(mixed.transpose(0, 1).reshape(1, -1, x.shape[2])), k, v


class _Layer(nn.Module):
    def __init__(self, units: int, n_heads: int) -> None:
        super().__init__()
        self.self_attn = _Attention(units, n_heads)
        self.linear1, self.linear2 = nn.Linear(units, 4 * units), nn.Linear(4 * units, units)
        self.norm1, self.norm2 = nn.LayerNorm(units), nn.LayerNorm(units)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        mixed, k, v = self.self_attn(x, past, mask)
        x = self.norm1(x + mixed)
        return self.norm2(x + self.linear2(torch.relu(self.linear1(x)))), k, v


class _Embedding(nn.Module):
    def __init__(self, rows: int, units: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(rows, units)

    def forward(self, ids: Tensor) -> Tensor:
        made: Tensor = self.word_embeddings(ids)
        return made


class _Position(nn.Module):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1))
        self.units = units

    def forward(self, places: Tensor) -> Tensor:
        """[n, units] of *places* [n]"""
        speeds = torch.exp(torch.arange(0, self.units, 2) * (-math.log(10000.0) / self.units))
        angles = places.float().unsqueeze(1) * speeds
        return self.alpha * torch.stack([angles.sin(), angles.cos()], 2).flatten(1)


class Decoder(nn.Module):
    """model."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        units = config["hidden_dim"]
        self.bert_proj = nn.Linear(1024, units)
        self.ar_text_embedding = _Embedding(config["phoneme_vocab_size"], units)
        self.ar_audio_embedding = _Embedding(config["vocab_size"], units)
        self.ar_text_position, self.ar_audio_position = _Position(units), _Position(units)
        layers = nn.ModuleList(_Layer(units, config["head"]) for _ in range(config["n_layer"]))
        self.h = nn.ModuleDict({"layers": layers})
        self.ar_predict_layer = nn.Linear(units, config["vocab_size"], bias=False)

    def run(self, x: Tensor, past: Sequence[Tensor] | None, mask: Tensor | None) -> tuple[Tensor, ...]:
        """Logits, and per layer keys and values."""
        memory: list[Tensor] = []
        layers: Any = self.h["layers"]
        for number, layer in enumerate(layers):
            before = None if past is None else (past[2 * number], past[2 * number + 1])
            x, k, v = layer(x, before, mask)
            memory += [k, v]
        return (self.ar_predict_layer(x[:, -1]), *memory)


class First(nn.Module):
    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, ids: Tensor, prompts: Tensor, bert: Tensor) -> tuple[Tensor, ...]:
        d = self.decoder
        text = d.ar_text_embedding(ids) + d.bert_proj(bert.transpose(1, 2))
        text = text + d.ar_text_position(torch.arange(ids.shape[1]))
        said = d.ar_audio_embedding(prompts) + d.ar_audio_position(torch.arange(prompts.shape[1]))
        x = torch.cat([text, said], 1)
        place = torch.arange(x.shape[1])
        # Text sees all of the text; a token the text and what is before it.
        seen = torch.maximum(place, torch.ones_like(place) * (ids.shape[1] - 1)).unsqueeze(1)
        return d.run(x, None, torch.where(place <= seen, 0.0, -1e9))


class Stage(nn.Module):
    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, token: Tensor, y_len: Tensor, idx: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        d = self.decoder
        return d.run(d.ar_audio_embedding(token) + d.ar_audio_position(y_len + idx), past, None)


class Codes(nn.Module):
    """What HuBERT says of a clip → tokens."""

    def __init__(self, units: int, n_codes: int) -> None:
        super().__init__()
        self.ssl_proj = nn.Conv1d(units, units, 2, stride=2)
        self.embed = nn.Parameter(torch.zeros(n_codes, units))

    def forward(self, ssl_content: Tensor) -> Tensor:
        x = self.ssl_proj(ssl_content).transpose(1, 2)
        # The nearest: |x - e|² without what all have in common.
        return torch.argmax(2 * x @ self.embed.T - (self.embed**2).sum(1), 2)


class _HubertLayer(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        units, inner = config["hidden_size"], config["intermediate_size"]
        self.n_heads = config["num_attention_heads"]
        names = ("q_proj", "k_proj", "v_proj", "out_proj")
        self.attention = nn.ModuleDict({name: nn.Linear(units, units) for name in names})
        self.layer_norm, self.final_layer_norm = nn.LayerNorm(units), nn.LayerNorm(units)
        dense = {"intermediate_dense": nn.Linear(units, inner), "output_dense": nn.Linear(inner, units)}
        self.feed_forward = nn.ModuleDict(dense)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            self.attention[name](x).reshape(1, -1, self.n_heads, x.shape[2] // self.n_heads).transpose(1, 2)
            for name in ("q_proj", "k_proj", "v_proj")
        )
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = self.layer_norm(x + self.attention["out_proj"](mixed))
        wide = functional.gelu(self.feed_forward["intermediate_dense"](x))
        made: Tensor = self.final_layer_norm(x + self.feed_forward["output_dense"](wide))
        return made


class _HubertConvolution(nn.Module):
    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, *, is_first: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, kernel, stride, bias=False)
        self.layer_norm = nn.GroupNorm(n_out, n_out) if is_first else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return functional.gelu(x if self.layer_norm is None else self.layer_norm(x))


class Hubert(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        units, sizes = config["hidden_size"], config["conv_dim"]
        shapes = zip([1, *sizes], sizes, config["conv_kernel"], config["conv_stride"], strict=False)
        convolutions = [_HubertConvolution(*shape, is_first=n == 0) for n, shape in enumerate(shapes)]
        self.feature_extractor = nn.ModuleDict({"conv_layers": nn.Sequential(*convolutions)})
        parts = {"layer_norm": nn.LayerNorm(sizes[-1]), "projection": nn.Linear(sizes[-1], units)}
        self.feature_projection = nn.ModuleDict(parts)
        width = config["num_conv_pos_embeddings"]
        place = nn.Conv1d(
            units, units, width, padding=width // 2, groups=config["num_conv_pos_embedding_groups"]
        )
        self.is_even = width % 2 == 0
        layers = nn.Sequential(*(_HubertLayer(config) for _ in range(config["num_hidden_layers"])))
        self.encoder = nn.ModuleDict(
            {
                "pos_conv_embed": nn.ModuleDict({"conv": place}),
                "layer_norm": nn.LayerNorm(units),
                "layers": layers,
            }
        )

    def forward(self, wave: Tensor) -> Tensor:
        x = self.feature_extractor["conv_layers"](wave.unsqueeze(1)).transpose(1, 2)
        x = self.feature_projection["projection"](self.feature_projection["layer_norm"](x))
        embed: Any = self.encoder["pos_conv_embed"]
        place = embed["conv"](x.transpose(1, 2))
        place = functional.gelu(place[:, :, :-1] if self.is_even else place).transpose(1, 2)
        made: Tensor = self.encoder["layers"](self.encoder["layer_norm"](x + place)).transpose(1, 2)
        return made
