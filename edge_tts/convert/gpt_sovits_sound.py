"""What makes sound of tokens in GPT-SoVITS v2, v2Pro and v2ProPlus, as their checkpoints name the weights."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_tts.convert.emotivoice_networks import ResBlock

N_FFT, HOP, BINS = 2048, 640, 704
RATES, RES_DILATIONS = (10, 8, 2, 2, 2), [1, 3, 5]
N_HEADS, MRTE_HEADS, STYLE_HEADS = 2, 4, 2
NOISE = 0.5
SLOPE = 0.1
State = Mapping[str, Tensor]


class _Norm(nn.Module):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(units)), nn.Parameter(torch.zeros(units))

    def forward(self, x: Tensor) -> Tensor:
        made = functional.layer_norm(x.transpose(1, 2), self.gamma.shape, self.gamma, self.beta)
        return made.transpose(1, 2)


class _Attention(nn.Module):
    """Of [1, units, T] over [1, units, S]; with *window*, near places have keys and values of their own."""

    def __init__(self, units: int, n_heads: int, window: int | None) -> None:
        super().__init__()
        self.n_heads, self.window = n_heads, window
        self.conv_q, self.conv_k, self.conv_v, self.conv_o = (nn.Conv1d(units, units, 1) for _ in range(4))
        if window is not None:
            shape = (1, 2 * window + 1, units // n_heads)
            self.emb_rel_k, self.emb_rel_v = (nn.Parameter(torch.zeros(shape)) for _ in range(2))

    def forward(self, x: Tensor, over: Tensor) -> Tensor:
        q, k, v = (
            made.reshape(1, self.n_heads, x.shape[1] // self.n_heads, -1).transpose(2, 3)
            for made in (self.conv_q(x), self.conv_k(over), self.conv_v(over))
        )
        q = q / math.sqrt(q.shape[3])
        scores = q @ k.transpose(2, 3)
        near: list[Tensor] = []
        if self.window is not None:
            place = torch.arange(x.shape[2])
            apart = place.unsqueeze(0) - place.unsqueeze(1)
            near = [(apart == each).float() for each in range(-self.window, self.window + 1)]
            own = q @ self.emb_rel_k.transpose(1, 2)
            scores = scores + sum(own[..., n : n + 1] * mask for n, mask in enumerate(near))
        weights = torch.softmax(scores, -1)
        mixed = weights @ v
        if near:
            mixed = mixed + torch.stack([(weights * mask).sum(-1) for mask in near], -1) @ self.emb_rel_v
        made: Tensor = self.conv_o(mixed.transpose(2, 3).reshape(1, x.shape[1], -1))
        return made


class _Feed(nn.Module):
    def __init__(self, units: int, inner: int, kernel: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(units, inner, kernel, padding=kernel // 2)
        self.conv_2 = nn.Conv1d(inner, units, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv_2(torch.relu(self.conv_1(x)))
        return made


def _count(state: State, pattern: str) -> int:
    """How many layers are named by *pattern*, "x.{}.y"."""
    return next(n for n in range(1000) if pattern.format(n) not in state)


class _Encoder(nn.Module):
    def __init__(self, state: State, name: str) -> None:
        super().__init__()
        inner, units, kernel = state[f"{name}.ffn_layers.0.conv_1.weight"].shape
        window = state[f"{name}.attn_layers.0.emb_rel_k"].shape[1] // 2
        n = _count(state, f"{name}.ffn_layers.{{}}.conv_1.weight")
        self.attn_layers = nn.ModuleList(_Attention(units, N_HEADS, window) for _ in range(n))
        self.norm_layers_1, self.norm_layers_2 = (
            nn.ModuleList(_Norm(units) for _ in range(n)) for _ in range(2)
        )
        self.ffn_layers = nn.ModuleList(_Feed(units, inner, kernel) for _ in range(n))

    def forward(self, x: Tensor) -> Tensor:
        for layer, attention in enumerate(self.attn_layers):
            x = self.norm_layers_1[layer](x + attention(x, x))
            x = self.norm_layers_2[layer](x + self.ffn_layers[layer](x))
        return x


class _Mrte(nn.Module):
    def __init__(self, units: int, inner: int) -> None:
        super().__init__()
        self.cross_attention = _Attention(inner, MRTE_HEADS, None)
        self.c_pre, self.text_pre = nn.Conv1d(units, inner, 1), nn.Conv1d(units, inner, 1)
        self.c_post = nn.Conv1d(inner, units, 1)

    def forward(self, x: Tensor, text: Tensor, ge: Tensor) -> Tensor:
        x = self.c_pre(x)
        made: Tensor = self.c_post(self.cross_attention(x, self.text_pre(text)) + x + ge)
        return made


class _TextEncoder(nn.Module):
    def __init__(self, state: State) -> None:
        super().__init__()
        rows, units = state["enc_p.text_embedding.weight"].shape
        self.ssl_proj = nn.Conv1d(state["enc_p.ssl_proj.weight"].shape[1], units, 1)
        self.encoder_ssl, self.encoder_text, self.encoder2 = (
            _Encoder(state, f"enc_p.{name}") for name in ("encoder_ssl", "encoder_text", "encoder2")
        )
        self.text_embedding = nn.Embedding(rows, units)
        self.mrte = _Mrte(units, len(state["enc_p.mrte.c_pre.weight"]))
        self.proj = nn.Conv1d(units, len(state["enc_p.proj.weight"]), 1)

    def forward(self, y: Tensor, text: Tensor, ge: Tensor, speed: Tensor) -> tuple[Tensor, Tensor]:
        y = self.encoder_ssl(self.ssl_proj(y))
        heard = self.encoder_text(self.text_embedding(text).transpose(1, 2))
        y = _resized(self.encoder2(self.mrte(y, heard, ge)), speed)
        mean, log_scale = self.proj(y).chunk(2, 1)
        return mean, log_scale


def _resized(y: Tensor, speed: Tensor) -> Tensor:
    """[1, units, T] → [1, units, about T / speed], straight lines between values."""
    before = torch.ones_like(y[0, 0]).sum()
    # One more frame than fits, except at the speed of 1: as the voices were heard when speed was added to them.
    after: Any = (torch.floor(before / speed) + (speed != 1).float()).long().squeeze()
    place = ((torch.arange(after) + 0.5) * (before / after) - 0.5).clamp(min=0)
    low = torch.minimum(place.floor(), before - 1)
    high = torch.minimum(low + 1, before - 1)
    return torch.lerp(y[:, :, low.long()], y[:, :, high.long()], place - low)


class _Coupling(nn.Module):
    def __init__(self, state: State, name: str) -> None:
        super().__init__()
        units, half = state[f"{name}.pre.weight"].shape[:2]
        n = _count(state, f"{name}.enc.in_layers.{{}}.weight")
        kernel = state[f"{name}.enc.in_layers.0.weight"].shape[2]
        n_person = state[f"{name}.enc.cond_layer.weight"].shape[1]
        self.pre, self.post = nn.Conv1d(half, units, 1), nn.Conv1d(units, half, 1)
        ins = (nn.Conv1d(units, 2 * units, kernel, padding=kernel // 2) for _ in range(n))
        outs = (nn.Conv1d(units, units if layer == n - 1 else 2 * units, 1) for layer in range(n))
        self.enc = nn.ModuleDict({
            "in_layers": nn.ModuleList(ins), "res_skip_layers": nn.ModuleList(outs),
            "cond_layer": nn.Conv1d(n_person, 2 * units * n, 1),
        })  # fmt: skip

    def forward(self, x: Tensor, ge: Tensor) -> Tensor:
        kept, moved = x.chunk(2, 1)
        h = self.pre(kept)
        parts: Any = self.enc
        layers = list(zip(parts["in_layers"], parts["res_skip_layers"], strict=True))
        persons = parts["cond_layer"](ge).chunk(len(layers), 1)
        skipped = torch.zeros_like(h)
        for number, ((inward, outward), person) in enumerate(zip(layers, persons, strict=True)):
            a, b = (inward(h) + person).chunk(2, 1)
            made = outward(torch.tanh(a) * torch.sigmoid(b))
            if number < len(layers) - 1:
                step, made = made.chunk(2, 1)
                h = h + step
            skipped = skipped + made
        return torch.cat([kept, moved - self.post(skipped)], 1)


class _Style(nn.Module):
    """ref_enc. [1, T, bins] → [1, units, 1]"""

    def __init__(self, state: State) -> None:
        super().__init__()
        units, bins = state["ref_enc.spectral.0.fc.weight"].shape
        n_out = len(state["ref_enc.fc.fc.weight"])
        kernel = state["ref_enc.temporal.0.conv1.conv.weight"].shape[2]

        def dense(n_in: int, n: int) -> nn.ModuleDict:
            return nn.ModuleDict({"fc": nn.Linear(n_in, n)})

        self.spectral = nn.ModuleDict({"0": dense(bins, units), "3": dense(units, units)})
        convolutions = (nn.Conv1d(units, 2 * units, kernel, padding=kernel // 2) for _ in range(2))
        self.temporal = nn.ModuleList(
            nn.ModuleDict({"conv1": nn.ModuleDict({"conv": each})}) for each in convolutions
        )
        self.slf_attn = nn.ModuleDict(
            {name: nn.Linear(units, units) for name in ("w_qs", "w_ks", "w_vs", "fc")}
        )
        self.fc = dense(units, n_out)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.spectral.values():
            x = functional.mish(layer["fc"](x))  # type: ignore[index]
        x = x.transpose(1, 2)
        for layer in self.temporal:
            x = x + functional.glu(layer["conv1"]["conv"](x), 1)  # type: ignore[index]
        x = x.transpose(1, 2)
        q, k, v = (
            self.slf_attn[name](x).reshape(1, -1, STYLE_HEADS, x.shape[2] // STYLE_HEADS).transpose(1, 2)
            for name in ("w_qs", "w_ks", "w_vs")
        )
        mixed = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(x.shape[2]), -1) @ v
        x = self.slf_attn["fc"](mixed.transpose(1, 2).flatten(2)) + x
        made: Tensor = self.fc["fc"](x).mean(1).unsqueeze(2)
        return made


class Latent(nn.Module):
    def __init__(self, state: State) -> None:
        super().__init__()
        self.enc_p, self.ref_enc = _TextEncoder(state), _Style(state)
        places = (k for k in range(0, 100, 2) if f"flow.flows.{k}.pre.weight" in state)
        couplings = {str(k): _Coupling(state, f"flow.flows.{k}") for k in places}
        self.flow = nn.ModuleDict({"flows": nn.ModuleDict(couplings)})
        self.codes = nn.Parameter(torch.zeros(state["codes"].shape))
        self.is_pro = "sv_emb.weight" in state
        if self.is_pro:
            (n_person, n_vector), n_text = state["sv_emb.weight"].shape, len(state["ge_to512.weight"])
            self.sv_emb, self.ge_to512 = nn.Linear(n_vector, n_person), nn.Linear(n_person, n_text)
            self.prelu = nn.PReLU(n_person)
        window = np.hanning(N_FFT + 1)[:-1]
        angle = 2 * np.pi * np.outer(np.arange(BINS), np.arange(N_FFT)) / N_FFT
        basis = np.concatenate([np.cos(angle), np.sin(angle)]) * window
        self.register_buffer("basis", torch.tensor(basis[:, None], dtype=torch.float32), persistent=False)

    def forward(
        self,
        text_seq: Tensor,
        pred_semantic: Tensor,
        ref_audio: Tensor,
        speed: Tensor,
        noise: Tensor,
        *speaker: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """*speaker*: of v2Pro and v2ProPlus, its vector [1, 20480]."""
        ge = of_text = self.ref_enc(self._spectrum(ref_audio).transpose(1, 2))
        if self.is_pro:
            ge = self.prelu(ge + self.sv_emb(speaker[0]).unsqueeze(2))
            of_text = self.ge_to512(ge.transpose(1, 2)).transpose(1, 2)
        y = functional.embedding(pred_semantic[:, 0], self.codes).transpose(1, 2).repeat_interleave(2, dim=2)
        mean, log_scale = self.enc_p(y, text_seq, of_text, speed)
        z = mean + noise[:, :, : mean.shape[2]] * torch.exp(log_scale) * NOISE
        flows: nn.ModuleDict = self.flow["flows"]  # type: ignore[assignment]
        for layer in reversed(list(flows.values())):
            z = layer(z.flip(1), ge)
        return z, ge

    def _spectrum(self, wave: Tensor) -> Tensor:
        pad = (N_FFT - HOP) // 2
        padded = functional.pad(wave.unsqueeze(1), (pad, pad), mode="reflect")
        real, imaginary = functional.conv1d(padded, self.basis, stride=HOP).chunk(2, 1)  # type: ignore[arg-type]
        return torch.sqrt(real**2 + imaginary**2 + 1e-6)


class Vocoder(nn.Module):
    """dec."""

    def __init__(self, state: State) -> None:
        super().__init__()
        channels, n_in = state["conv_pre.weight"].shape[:2]
        self.conv_pre = nn.Conv1d(n_in, channels, 7, padding=3)
        self.cond = nn.Conv1d(state["cond.weight"].shape[1], channels, 1)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for level, rate in enumerate(RATES):
            kernel = state[f"ups.{level}.weight"].shape[2]
            up = nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(up)
            channels //= 2
            for size in (3, 7, 11):
                self.resblocks.append(ResBlock(channels, size, RES_DILATIONS))
        self.conv_post = nn.Conv1d(channels, 1, 7, padding=3, bias=False)

    def forward(self, z: Tensor, g: Tensor) -> Tensor:
        x = self.conv_pre(z) + self.cond(g)
        for level, up in enumerate(self.ups):
            x = up(functional.leaky_relu(x, SLOPE))
            blocks = self.resblocks[3 * level : 3 * level + 3]
            x = functools.reduce(torch.add, [block(x) for block in blocks]) / 3
        return torch.tanh(self.conv_post(functional.leaky_relu(x, 0.01)))

    def margin_frames(self) -> int:
        """What one sample looks at on each side."""
        per_frame, margin = 1, 3.0
        ups: Any = self.ups
        for rate, up in zip(RATES, ups, strict=True):
            margin += up.kernel_size[0] / per_frame / rate
            per_frame *= rate
            margin += (5 * sum(RES_DILATIONS) + 5 * 3) / per_frame
        return math.ceil(margin + 3 / per_frame)
