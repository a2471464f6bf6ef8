"""Networks that tell recordings from what is made, so that what is made gets better; used in training only.

Least-squares adversarial losses (Mao et al. 2017) and feature matching (Larsen et al. 2016), each layer's distance in
units of its own features' size, so that no layer drowns the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

SLOPE = 0.1
Features = list[Tensor]
"""Of each layer; the last is the verdict: 1 for recorded, 0 for made."""


class Layers(nn.Module):
    """A stack of convolutions whose every output is kept."""

    def __init__(self, convolutions: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(weight_norm(each) for each in convolutions)

    def forward(self, x: Tensor) -> Features:
        kept = []
        for layer in self.layers[:-1]:
            x = functional.leaky_relu(layer(x), SLOPE)
            kept.append(x)
        return [*kept, self.layers[-1](x)]


class MelDiscriminator(nn.Module):
    """Two looks at a log-mel crop [B, n, 80]: small patches, and wide ones."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.looks = nn.ModuleList(
            Layers(
                [
                    nn.Conv2d(1, channels, kernel, padding=(kernel[0] // 2, kernel[1] // 2)),
                    nn.Conv2d(channels, channels, kernel, (1, 2), padding=(kernel[0] // 2, kernel[1] // 2)),
                    nn.Conv2d(
                        channels, 2 * channels, kernel, (2, 2), padding=(kernel[0] // 2, kernel[1] // 2)
                    ),
                    nn.Conv2d(
                        2 * channels, 2 * channels, kernel, (2, 2), padding=(kernel[0] // 2, kernel[1] // 2)
                    ),
                    nn.Conv2d(2 * channels, 1, 3, padding=1),
                ]
            )
            for kernel in ((3, 3), (3, 7))
        )

    def forward(self, mel: Tensor) -> list[Features]:
        # Around 0, of size 1.
        x = (mel[:, None] + 5) / 3
        return [look(x) for look in self.looks]


class ResolutionDiscriminator(nn.Module):
    """Looks at the magnitudes of one short-time spectrum of samples [B, n] (Jang et al. 2021, UnivNet)."""

    def __init__(self, n_fft: int, channels: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.look = Layers(
            [
                nn.Conv2d(1, channels, (3, 9), (1, 2), padding=(1, 4)),
                nn.Conv2d(channels, channels, (3, 9), (1, 2), padding=(1, 4)),
                nn.Conv2d(channels, 2 * channels, (3, 9), (1, 2), padding=(1, 4)),
                nn.Conv2d(2 * channels, 2 * channels, (3, 5), (2, 2), padding=(1, 2)),
                nn.Conv2d(2 * channels, 1, 3, padding=1),
            ]
        )

    def forward(self, samples: Tensor) -> Features:
        window: Tensor = self.window  # type: ignore[assignment]
        spectrum = torch.stft(
            samples.float(), self.n_fft, self.n_fft // 4, window=window, return_complex=True
        )
        # The cube root of the power: loud and quiet both count.
        magnitude = (spectrum.real**2 + spectrum.imag**2 + 1e-7) ** 0.15
        return self.look(magnitude.transpose(1, 2)[:, None])  # type: ignore[no-any-return]


class PeriodDiscriminator(nn.Module):
    """Looks at every *period*-th sample (Kong et al. 2020, HiFi-GAN)."""

    def __init__(self, period: int, channels: int) -> None:
        super().__init__()
        self.period = period
        sizes = [1, channels, 2 * channels, 4 * channels, 4 * channels]
        self.look = Layers(
            [
                *(nn.Conv2d(a, b, (5, 1), (3, 1), padding=(2, 0)) for a, b in itertools.pairwise(sizes)),
                nn.Conv2d(sizes[-1], 1, (3, 1), padding=(1, 0)),
            ]
        )

    def forward(self, samples: Tensor) -> Features:
        n = samples.shape[1] // self.period * self.period
        return self.look(10 * samples[:, :n].reshape(len(samples), 1, -1, self.period))  # type: ignore[no-any-return]


class SoundDiscriminator(nn.Module):
    def __init__(
        self, n_ffts: Sequence[int] = (1024, 512, 256), periods: Sequence[int] = (2, 3, 5, 7, 11)
    ) -> None:
        super().__init__()
        self.looks = nn.ModuleList(
            [
                *(ResolutionDiscriminator(n, 16) for n in n_ffts),
                *(PeriodDiscriminator(p, 16) for p in periods),
            ]
        )

    def forward(self, samples: Tensor) -> list[Features]:
        return [look(samples) for look in self.looks]


def discriminator_loss(recorded: list[Features], made: list[Features]) -> Tensor:
    losses = [
        ((1 - r[-1].float()) ** 2).mean() + (m[-1].float() ** 2).mean()
        for r, m in zip(recorded, made, strict=True)
    ]
    return torch.stack(losses).mean()


def adversarial_loss(made: list[Features]) -> Tensor:
    return torch.stack([((1 - each[-1].float()) ** 2).mean() for each in made]).mean()


def matching_loss(recorded: list[Features], made: list[Features]) -> Tensor:
    losses = []
    for r_features, m_features in zip(recorded, made, strict=True):
        for r, m in zip(r_features[:-1], m_features[:-1], strict=True):
            wanted = r.detach().float()
            losses.append((wanted - m.float()).abs().mean() / wanted.abs().mean().clamp(min=1e-4))
    return torch.stack(losses).mean()


def rival_losses(judge: nn.Module, recorded: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
    """Adversarial and matching loss of what was *made*; *judge* itself learns nothing from them."""
    judge.requires_grad_(False)
    with torch.autocast(made.device.type, torch.bfloat16):
        with torch.no_grad():
            wanted = judge(recorded)
        found = judge(made)
    judge.requires_grad_(True)
    return adversarial_loss(found), matching_loss(wanted, found)
