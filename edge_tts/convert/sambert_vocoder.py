"""KAN-TTS' HiFi-GAN, of the weights as it names them (weight norm already in them)."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Params = Mapping[str, Any]
"""Model.Generator.params of the configuration."""


class Convolution(nn.Module):
    """conv1d, padded to the left only if it is causal."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel: int,
        *,
        is_causal: bool,
        dilation: int = 1,
        stride: int = 1,
        padding: int = -1,
    ) -> None:
        super().__init__()
        self.conv1d = nn.Conv1d(n_in, n_out, kernel, stride, dilation=dilation)
        span = (kernel - 1) * dilation
        both = span // 2 if padding < 0 else padding
        self.padding = (span, 0) if is_causal else (both, both)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv1d(functional.pad(x, self.padding))
        return made


class _Transposed(nn.Module):
    """deconv"""

    def __init__(self, n_in: int, n_out: int, kernel: int, rate: int, *, is_causal: bool) -> None:
        super().__init__()
        self.cut = kernel - rate if is_causal else 0
        padding = 0 if is_causal else (kernel - rate) // 2
        self.deconv = nn.ConvTranspose1d(n_in, n_out, kernel, rate, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.deconv(x)
        return made[..., : -self.cut] if self.cut else made


class _Residual(nn.Module):
    def __init__(
        self, channels: int, kernel: int, dilations: list[int], slope: float, *, is_causal: bool
    ) -> None:
        super().__init__()
        self.slope = slope
        self.convs1 = nn.ModuleList(
            Convolution(channels, channels, kernel, dilation=each, is_causal=is_causal) for each in dilations
        )
        self.convs2 = nn.ModuleList(
            Convolution(channels, channels, kernel, is_causal=is_causal) for _ in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        for first, second in zip(self.convs1, self.convs2, strict=True):
            y = first(functional.leaky_relu(x, self.slope))
            x = second(functional.leaky_relu(y, self.slope)) + x
        return x


class _Source(nn.Module):
    """source_module: sines of the pitch where voiced, noise elsewhere. Phases and noise come from outside, so that a
    part of a sentence goes on where the one before it ended."""

    ALPHA, SIGMA = 0.1, 0.003
    numbers: Tensor
    ramp: Tensor

    def __init__(self, n_harmonics: int, hop: int, sample_rate: int) -> None:
        super().__init__()
        self.ffn = nn.Sequential(nn.Conv1d(n_harmonics + 1, 1, 1), nn.Tanh())
        numbers = torch.arange(1, n_harmonics + 2).float() / sample_rate
        self.register_buffer("numbers", numbers[None, :, None, None], persistent=False)
        self.register_buffer("ramp", torch.arange(1, hop + 1).float(), persistent=False)

    def forward(self, pitch: Tensor, voicing: Tensor, phase: Tensor, noise: Tensor) -> Tensor:
        """*pitch* and *voicing* [1, 1, F], *phase* [1, n, F] in cycles, *noise* [1, n, samples] of deviation 1."""
        cycles = (pitch[..., None] * self.numbers * self.ramp + phase[..., None]).flatten(2)
        is_voiced = (voicing[..., None] * torch.ones_like(self.ramp)).flatten(2)
        tone = self.ALPHA * torch.sin(2 * math.pi * (cycles - cycles.floor())) + self.SIGMA * noise
        made: Tensor = self.ffn(tone * is_voiced + self.ALPHA / 3 * noise * (1 - is_voiced))
        return made


class Vocoder(nn.Module):
    """voc"""

    def __init__(self, params: Params) -> None:
        super().__init__()
        is_causal, kernel = params.get("causal", True), params["kernel_size"]
        self.rates: list[int] = params["upsample_scales"]
        self.slope = params["nonlinear_activation_params"]["negative_slope"]
        self.n_kernels = len(params["resblock_kernel_sizes"])
        widths = [params["channels"] // 2**level for level in range(len(self.rates) + 1)]
        self.conv_pre = Convolution(params["in_channels"], widths[0], kernel, is_causal=is_causal)
        self.transpose_upsamples, self.repeat_upsamples = nn.ModuleList(), nn.ModuleList()
        self.conv_blocks = nn.ModuleList()
        up_kernels = params["upsample_kernal_sizes"]
        for rate, up_kernel, n_in, n_out in zip(self.rates, up_kernels, widths, widths[1:], strict=False):
            leaky = nn.LeakyReLU(self.slope)
            up = _Transposed(n_in, n_out, up_kernel, rate, is_causal=is_causal)
            self.transpose_upsamples.append(nn.Sequential(leaky, up))
            repeat = nn.Upsample(scale_factor=rate, mode="nearest")
            again = Convolution(n_in, n_out, kernel, is_causal=is_causal)
            self.repeat_upsamples.append(nn.Sequential(repeat, leaky, again))
            for size, dilations in zip(
                params["resblock_kernel_sizes"], params["resblock_dilations"], strict=True
            ):
                self.conv_blocks.append(_Residual(n_out, size, dilations, self.slope, is_causal=is_causal))
        self.conv_post = Convolution(widths[-1], params["out_channels"], kernel, is_causal=is_causal)
        nsf = params.get("nsf_params")
        self.source_module = self.source_downs = None
        if nsf is not None:
            self.source_module = _Source(nsf["nb_harmonics"], math.prod(self.rates), nsf["sampling_rate"])
            self.source_downs = nn.ModuleList(self._downs(widths, is_causal=is_causal))

    def _downs(self, widths: list[int], *, is_causal: bool) -> list[Convolution]:
        steps = [math.prod(self.rates[level + 1 :]) for level in range(len(self.rates))]
        return [
            Convolution(1, width, 2 * step, stride=step, padding=step // 2, is_causal=is_causal)
            if step > 1
            else Convolution(1, width, 1, is_causal=is_causal)
            for step, width in zip(steps, widths[1:], strict=True)
        ]

    def forward(self, mel: Tensor, phase: Tensor | None = None, noise: Tensor | None = None) -> Tensor:
        source = None
        if self.source_module is not None:
            source = self.source_module(mel[:, -2:-1], mel[:, -1:], phase, noise)
            mel = mel[:, :-2]
        x = self.conv_pre(mel)
        for level in range(len(self.rates)):
            x = torch.sin(x) + x
            repeated = self.repeat_upsamples[level](x)
            x = repeated + self.transpose_upsamples[level](x)
            if source is not None and self.source_downs is not None:
                x = x + self.source_downs[level](source)
            blocks = self.conv_blocks[level * self.n_kernels : (level + 1) * self.n_kernels]
            x = functools.reduce(torch.add, [block(x) for block in blocks]) / self.n_kernels
        return torch.tanh(self.conv_post(functional.leaky_relu(x)))


def margins(params: Params) -> tuple[int, int]:
    """Frames that one frame of sound looks at before and after it."""
    is_causal, kernel = params.get("causal", True), params["kernel_size"]
    blocks = zip(params["resblock_kernel_sizes"], params["resblock_dilations"], strict=True)
    block = max((size - 1) * (sum(dilations) + len(dilations)) for size, dilations in blocks)

    def before(span: int) -> int:
        return span if is_causal else span // 2

    back, ahead, per_frame = float(before(kernel - 1)), float(kernel - 1 - before(kernel - 1)), 1
    for rate, up in zip(params["upsample_scales"], params["upsample_kernal_sizes"], strict=True):
        per_frame *= rate
        # Of the two ways up, the one that looks further.
        padding = 0 if is_causal else (up - rate) // 2
        back += (max(before(kernel - 1), up - 1 - padding) + before(block)) / per_frame
        ahead += (max(kernel - 1 - before(kernel - 1), padding) + block - before(block)) / per_frame
    back, ahead = back + before(kernel - 1) / per_frame, ahead + (kernel - 1 - before(kernel - 1)) / per_frame
    return math.ceil(back), math.ceil(ahead)
