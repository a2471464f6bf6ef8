"""The networks of EmotiVoice as its checkpoints name their weights, for one sentence without padding.

Sources: Z. Guo et al., "PromptTTS"; D. Lim et al., "JETS"; J. Kong et al., "HiFi-GAN"; J. Devlin et al., "BERT"; the
configuration and checkpoints of netease-youdao/EmotiVoice.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-12
GAUSSIAN_DELTA = 0.1
SLOPE = 0.1

Config = Mapping[str, Any]


def attended(query: Tensor, key: Tensor, value: Tensor, n_heads: int) -> Tensor:
    """[1, T, units] of three such."""
    query, key, value = (
        each.reshape(1, -1, n_heads, each.shape[2] // n_heads).transpose(1, 2) for each in (query, key, value)
    )
    weights = (query @ key.transpose(2, 3) / key.shape[-1] ** 0.5).softmax(-1)
    mixed: Tensor = (weights @ value).transpose(1, 2).flatten(2)
    return mixed


class Attention(nn.Module):
    """self_attn"""

    def __init__(self, units: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.linear_q, self.linear_k, self.linear_v, self.linear_out = (
            nn.Linear(units, units) for _ in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        mixed = attended(self.linear_q(x), self.linear_k(x), self.linear_v(x), self.n_heads)
        out: Tensor = self.linear_out(mixed)
        return out


class FeedForward(nn.Module):
    """feed_forward"""

    def __init__(self, units: int, kernel: int) -> None:
        super().__init__()
        self.w_1 = nn.Conv1d(units, 4 * units, kernel, padding=kernel // 2)
        self.w_2 = nn.Conv1d(4 * units, units, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.w_2(functional.gelu(self.w_1(x.transpose(1, 2))))
        return made.transpose(1, 2)


class Block(nn.Module):
    """encoders.*"""

    def __init__(self, units: int, n_heads: int, kernel: int) -> None:
        super().__init__()
        self.self_attn = Attention(units, n_heads)
        self.feed_forward = FeedForward(units, kernel)
        self.norm1, self.norm2 = nn.LayerNorm(units, EPSILON), nn.LayerNorm(units, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.norm1(x))
        made: Tensor = x + self.feed_forward(self.norm2(x))
        return made


class Positions(nn.Module):
    """embed.0"""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(1.0))
        self.speeds = torch.exp(torch.arange(0, units, 2) * (-math.log(10000.0) / units))

    def forward(self, x: Tensor) -> Tensor:
        angles = torch.arange(x.shape[1]).unsqueeze(1) * self.speeds
        waves = torch.stack([torch.sin(angles), torch.cos(angles)], dim=2).flatten(1)
        return x + self.alpha * waves


class Transformer(nn.Module):
    """encoder, decoder"""

    def __init__(self, config: Config, part: str) -> None:
        super().__init__()
        units = config[f"{part}_n_hidden"]
        heads, kernel = config[f"{part}_n_heads"], config[f"{part}_kernel_size_conv_mod"]
        self.embed = nn.Sequential(Positions(units))
        self.encoders = nn.Sequential(
            *(Block(units, heads, kernel) for _ in range(config[f"{part}_n_layers"]))
        )
        self.after_norm = nn.LayerNorm(units, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.after_norm(self.encoders(self.embed(x)))
        return made


class _AlongTime(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


class _Norm(nn.LayerNorm):
    """Of channels, [1, units, T]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Predictor(nn.Module):
    """duration_predictor, pitch_predictor, energy_predictor"""

    def __init__(self, units: int, inner: int, n_layers: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv1d(inner if layer else units, inner, kernel, padding=kernel // 2),
                    nn.ReLU(),
                    _Norm(inner, EPSILON),
                )
                for layer in range(n_layers)
            )
        )
        self.linear = nn.Linear(inner, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[1, T, units] → [1, T]."""
        made: Tensor = self.linear(self.conv(x.transpose(1, 2)).transpose(1, 2))
        return made.squeeze(2)


class Encoder(nn.Module):
    """am., up to the durations"""

    def __init__(self, config: Config, n_tokens: int, n_speakers: int) -> None:
        super().__init__()
        units, inner = config["encoder_n_hidden"], config["variance_n_hidden"]
        kernel = config["variance_embed_kernel_size"]
        self.src_word_emb = nn.Embedding(n_tokens, units)
        self.spk_tokenizer = nn.Embedding(n_speakers, units)
        self.encoder = Transformer(config, "encoder")
        self.embed_projection1 = nn.Linear(2 * units + 2 * config["bert_embedding"], units)
        self.duration_predictor = Predictor(
            units, inner, config["duration_n_layers"], config["duration_kernel_size"]
        )
        self.pitch_predictor = Predictor(
            units, inner, config["variance_n_layers"], config["variance_kernel_size"]
        )
        self.energy_predictor = Predictor(units, inner, 2, 3)
        self.pitch_embed, self.energy_embed = (
            nn.Sequential(nn.Conv1d(1, units, kernel, padding=kernel // 2)) for _ in range(2)
        )

    def forward(
        self, ling: Tensor, speaker: Tensor, style: Tensor, content: Tensor,
        pitch_scale: Tensor, pitch_shift: Tensor, energy_shift: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        x = self.encoder(self.src_word_emb(ling))
        around = torch.cat([self.spk_tokenizer(speaker), style, content], dim=1).unsqueeze(1)
        x = self.embed_projection1(torch.cat([x, around.expand(-1, x.shape[1], -1)], dim=2))
        frames = torch.round(torch.exp(self.duration_predictor(x)) - 1).clamp(min=0).long()
        pitch = self.pitch_predictor(x) * pitch_scale + pitch_shift
        energy = self.energy_predictor(x) + energy_shift
        heard = self.pitch_embed(pitch.unsqueeze(1)) + self.energy_embed(energy.unsqueeze(1))
        return x + heard.transpose(1, 2), frames


class Decoder(nn.Module):
    """am., from the durations on"""

    def __init__(self, config: Config, n_mels: int) -> None:
        super().__init__()
        self.decoder = Transformer(config, "decoder")
        self.to_mel = nn.Linear(config["decoder_n_hidden"], n_mels)

    def forward(self, x: Tensor, frames: Tensor) -> Tensor:
        ends = torch.cumsum(frames, dim=1)
        centres = ends - frames / 2
        total: Any = frames.sum()  # as a tensor: a number would be the same for every sentence in the graph
        place = torch.arange(total)
        apart = place.unsqueeze(1) - centres
        near = torch.softmax(-GAUSSIAN_DELTA * apart * apart, dim=1)
        mel: Tensor = self.to_mel(self.decoder(near.unsqueeze(0) @ x))
        return mel


class ResBlock(nn.Module):
    def __init__(self, channels: int, kernel: int, dilations: list[int]) -> None:
        super().__init__()
        self.convs1, self.convs2 = (
            nn.ModuleList(
                nn.Conv1d(channels, channels, kernel, padding=each * (kernel // 2), dilation=each)
                for each in spread
            )
            for spread in (dilations, [1] * len(dilations))
        )

    def forward(self, x: Tensor) -> Tensor:
        for first, second in zip(self.convs1, self.convs2, strict=True):
            made = first(functional.leaky_relu(x, SLOPE))
            x = x + second(functional.leaky_relu(made, SLOPE))
        return x


class Vocoder(nn.Module):
    """generator."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels = config["upsample_initial_channel"]
        self.n_kernels = len(config["resblock_kernel_sizes"])
        self.conv_pre = nn.Conv1d(config["initial_channel"], channels, 7, padding=3)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(config["upsample_rates"], config["upsample_kernel_sizes"], strict=True):
            self.ups.append(
                nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2)
            )
            channels //= 2
            for size, dilations in zip(
                config["resblock_kernel_sizes"], config["resblock_dilation_sizes"], strict=True
            ):
                self.resblocks.append(ResBlock(channels, size, dilations))
        self.conv_post = nn.Conv1d(channels, 1, 7, padding=3)

    def forward(self, mel: Tensor) -> Tensor:
        x = self.conv_pre(mel.transpose(1, 2))
        for layer, up in enumerate(self.ups):
            x = up(functional.leaky_relu(x, SLOPE))
            blocks = self.resblocks[layer * self.n_kernels : (layer + 1) * self.n_kernels]
            # Added one by one: of a stacked tensor the reach could not be read from the graph.
            x = functools.reduce(torch.add, [block(x) for block in blocks]) / self.n_kernels
        return torch.tanh(self.conv_post(functional.leaky_relu(x, 0.01)))
