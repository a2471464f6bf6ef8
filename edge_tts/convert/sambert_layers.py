"""The layers of Sambert as KAN-TTS names their weights, for a batch of one sentence without padding.

Source: Y. Li et al., "SAM-BERT"; the configurations and checkpoints of modelscope/KAN-TTS.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-6
"""Of the layer norms."""


def attended(n_heads: int, hidden: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """[1, T, units] of three such, or of heads already: [1, heads, T, units per head]. *hidden* [T or 1, keys] marks
    what is not to be seen."""
    query, key, value = (each if each.dim() == 4 else by_heads(each, n_heads) for each in (query, key, value))
    scores = query @ key.transpose(2, 3) / key.shape[-1] ** 0.5
    mixed: Tensor = scores.masked_fill(hidden, -torch.inf).softmax(-1) @ value
    return mixed.transpose(1, 2).flatten(2)


def by_heads(x: Tensor, n_heads: int) -> Tensor:
    return x.reshape(1, -1, n_heads, x.shape[2] // n_heads).transpose(1, 2)


class FeedForward(nn.Module):
    """pos_ffn"""

    def __init__(self, width: int, inner: int, kernel: int) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(width, eps=EPSILON)
        self.w_1 = nn.Conv1d(width, inner, kernel, padding=kernel // 2)
        self.w_2 = nn.Conv1d(inner, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        wide = functional.relu(self.w_1(self.layer_norm(x).transpose(1, 2)))
        narrow: Tensor = self.w_2(wide)
        return narrow.transpose(1, 2) + x


class SelfAttention(nn.Module):
    """slf_attn"""

    def __init__(self, n_in: int, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.layer_norm = nn.LayerNorm(n_in, eps=EPSILON)
        self.w_qkv = nn.Linear(n_in, 3 * width)
        self.fc = nn.Linear(width, width)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        parts = self.w_qkv(self.layer_norm(x)).chunk(3, -1)
        mixed: Tensor = self.fc(attended(self.n_heads, hidden, *parts))
        return mixed + x if mixed.shape[-1] == x.shape[-1] else mixed


class EncoderBlock(nn.Module):
    def __init__(self, n_in: int, width: int, n_heads: int, inner: int) -> None:
        super().__init__()
        self.slf_attn = SelfAttention(n_in, width, n_heads)
        self.pos_ffn = FeedForward(width, inner, 3)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        made: Tensor = self.pos_ffn(self.slf_attn(x, hidden))
        return made


class BandAttention(nn.Module):
    """pnca_attn: over what was made before and over the memory ahead, each within its band."""

    def __init__(self, width: int, memory: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.layer_norm = nn.LayerNorm(width, eps=EPSILON)
        self.w_x_qkv = nn.Linear(width, 3 * width)
        self.fc_x = nn.Linear(width, width)
        self.w_h_kv = nn.Linear(memory, 2 * width)
        self.fc_h = nn.Linear(width, width)


class DecoderBlock(nn.Module):
    def __init__(self, width: int, memory: int, n_heads: int, inner: int) -> None:
        super().__init__()
        self.pnca_attn = BandAttention(width, memory, n_heads)
        self.pos_ffn = FeedForward(width, inner, 1)


class Prenet(nn.Module):
    def __init__(self, n_in: int, units: Sequence[int], n_out: int = 0) -> None:
        super().__init__()
        self.fcs = nn.ModuleList()
        for before, after in zip([n_in, *units], units, strict=False):
            # The checkpoint counts the activation and the dropout too.
            self.fcs += [nn.Linear(before, after), nn.ReLU(), nn.Identity()]
        if n_out:
            self.fcs.append(nn.Linear(units[-1], n_out))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.fcs:
            x = layer(x)
        return x


class Fsmn(nn.Module):
    """Layers with a memory of what is around: filters over time, *shift* of them more to the left."""

    def __init__(self, n_in: int, units: int, inner: int, n_layers: int, n_taps: int, shift: int) -> None:
        super().__init__()
        widths = [n_in, *[units] * (n_layers - 1)]
        self.ffn_lst = nn.ModuleList(_Wide(width, inner, units) for width in widths)
        self.memory_block_lst = nn.ModuleList(_Memory(units, n_taps) for _ in widths)
        back, ahead = round((n_taps - 1) / 2), (n_taps - 1) // 2
        self.padding = (back + shift, ahead - shift) if shift > 0 else (back, ahead)

    def forward(self, x: Tensor) -> Tensor:
        wide: Any
        memory: Any
        for wide, memory in zip(self.ffn_lst, self.memory_block_lst, strict=True):
            y = wide.w_2(functional.relu(wide.w_1(x.transpose(1, 2))))
            y = (memory.conv_dw(functional.pad(y, self.padding)) + y).transpose(1, 2)
            x = y + x if y.shape[-1] == x.shape[-1] else y
        return x


class _Wide(nn.Module):
    def __init__(self, n_in: int, inner: int, n_out: int) -> None:
        super().__init__()
        self.w_1 = nn.Conv1d(n_in, inner, 1)
        self.w_2 = nn.Conv1d(inner, n_out, 1, bias=False)


class _Memory(nn.Module):
    def __init__(self, units: int, n_taps: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv1d(units, units, n_taps, groups=units, bias=False)
