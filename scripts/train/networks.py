"""The three networks of a two-stage voice, and the aligner that only training needs.

Every heavy layer of what ships is a matrix product (int8 pays there) and every receptive field is finite (a sentence
in pieces equals it in one). Shapes: B utterances, T tokens, F frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

N_MELS = 80
N_BINS = 257
N_ACCENTS = 9
CHANNELS, FRAME_CHANNELS = 192, 256
PROSODY_DROPOUT, PREDICTOR_DROPOUT = 0.1, 0.2
LOWEST_HZ, MIDDLE_HZ = 50.0, 150.0

# Where the outputs of a network that has learned nothing lie: amid speech, or the first hundred steps would go there.
USUAL_LOG_DURATION = 1.8
USUAL_LOG_MEL = -5.0
USUAL_LOG_HARMONIC, USUAL_LOG_NOISE = -4.0, -5.0


class Block(nn.Module):
    """ConvNeXt block (Liu et al. 2022, A ConvNet for the 2020s) along time, [B, n, channels] in and out."""

    def __init__(
        self, channels: int, hidden: int, eps: float, scale: float = 0.1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.g = nn.Parameter(torch.full((channels,), scale))
        self.dw = nn.Conv1d(channels, channels, 7, padding=3, groups=channels)
        self.n = nn.LayerNorm(channels, eps=eps)
        self.a = nn.Linear(channels, hidden)
        self.b = nn.Linear(hidden, channels)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        inner = x if mask is None else x * mask
        inner = self.n(self.dw(inner.transpose(1, 2)).transpose(1, 2))
        inner = self.b(functional.gelu(self.a(inner), approximate="tanh"))
        output: Tensor = x + functional.dropout(self.g * inner, self.dropout, self.training)
        return output


class Taps(nn.Conv1d):
    """A convolution along time, [B, n, channels] in and out, as one matrix product: its weights can be int8."""

    def forward(self, x: Tensor) -> Tensor:
        reach = self.kernel_size[0] // 2
        padded = functional.pad(x, (0, 0, reach, reach))
        n = x.shape[1]
        taps = torch.cat([padded[:, k : k + n] for k in range(self.kernel_size[0])], dim=2)
        return functional.linear(taps, self.weight.permute(0, 2, 1).flatten(1), self.bias)


class Predictor(nn.Module):
    """[B, T, 192] → [B, T, n_outputs]."""

    def __init__(self, channels: int, n_outputs: int) -> None:
        super().__init__()
        self.dropout = PREDICTOR_DROPOUT
        self.c1 = Taps(channels, channels, 5)
        self.n1 = nn.LayerNorm(channels)
        self.c2 = Taps(channels, channels, 5)
        self.n2 = nn.LayerNorm(channels)
        self.o = nn.Linear(channels, n_outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = functional.dropout(self.n1(torch.relu(self.c1(x * mask))), self.dropout, self.training) * mask
        x = functional.dropout(self.n2(torch.relu(self.c2(x))), self.dropout, self.training)
        return self.o(x)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Said:
    """What the prosody network says of each token, each [B, T]."""

    log_duration: Tensor
    """ln frames"""

    pitch: Tensor
    """z-score of ln f0"""

    voiced_logit: Tensor
    energy: Tensor
    """z-score"""


@dataclass(frozen=True)
class Decoded:
    mel: Tensor
    """[B, F, 80], ln of mel magnitudes"""

    f0: Tensor
    """[B, F], z-score of ln f0"""

    voicing_logit: Tensor


class Encoder(nn.Module):
    """Tokens, accents and a speaker → a vector for each token, which knows its neighbours."""

    def __init__(self, n_tokens: int, n_speakers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.emb = nn.Embedding(n_tokens, CHANNELS)
        self.st = nn.Embedding(N_ACCENTS, CHANNELS)
        self.spk = nn.Embedding(n_speakers, CHANNELS)
        self.sin = nn.Linear(CHANNELS, CHANNELS)
        self.enc = nn.ModuleList(Block(CHANNELS, 3 * CHANNELS, 1e-5, dropout=dropout) for _ in range(5))
        self.dropout = dropout
        for embedding in (self.emb, self.st, self.spk):
            nn.init.normal_(embedding.weight, std=0.3)

    def encode(self, tokens: Tensor, accents: Tensor, speaker: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, T, CHANNELS] of *tokens*, *accents* i64 [B, T], *speaker* i64 [B], *mask* [B, T, 1], 1 where a token
        is."""
        x: Tensor = self.emb(tokens) + self.st(accents) + self.sin(self.spk(speaker)[:, None])
        x = functional.dropout(x, self.dropout, self.training)
        for block in self.enc:
            x = block(x, mask)
        return x


class Prosody(Encoder):
    """Tokens → how long, how high and how loud each is said.

    An encoder of its own: one that also makes the spectrum learns each recording by heart, and the melody of what it
    has not heard is worse for it.
    """

    def __init__(self, n_tokens: int, n_speakers: int) -> None:
        super().__init__(n_tokens, n_speakers, PROSODY_DROPOUT)
        self.dur = Predictor(CHANNELS, 1)
        self.pit = Predictor(CHANNELS, 2)
        self.ene = Predictor(CHANNELS, 1)
        self.dur.o.bias.data += USUAL_LOG_DURATION

    def forward(self, tokens: Tensor, accents: Tensor, speaker: Tensor, mask: Tensor) -> Said:
        x = self.encode(tokens, accents, speaker, mask)
        pitch = self.pit(x, mask)
        return Said(self.dur(x, mask)[..., 0], pitch[..., 0], pitch[..., 1], self.ene(x, mask)[..., 0])


class Acoustic(Encoder):
    """Tokens → hidden (`encode`); with durations, pitch and energy, frames → log-mel and f0 (`decode`)."""

    def __init__(self, n_tokens: int, n_speakers: int) -> None:
        super().__init__(n_tokens, n_speakers)
        self.pe = Taps(2, CHANNELS, 3)
        self.ee = Taps(1, CHANNELS, 3)
        self.up = nn.Linear(CHANNELS, FRAME_CHANNELS)
        self.pos = nn.Linear(3, FRAME_CHANNELS)
        self.sdec = nn.Linear(CHANNELS, FRAME_CHANNELS)
        self.dec = nn.ModuleList(Block(FRAME_CHANNELS, 3 * FRAME_CHANNELS, 1e-5) for _ in range(6))
        self.on = nn.LayerNorm(FRAME_CHANNELS)
        self.out = nn.Linear(FRAME_CHANNELS, N_MELS + 2)
        self.out.bias.data[:N_MELS] += USUAL_LOG_MEL

    def decode(
        self,
        hidden: Tensor,
        pitch: Tensor,
        voiced: Tensor,
        energy: Tensor,
        speaker: Tensor,
        frame_token: Tensor,
        frame_position: Tensor,
        mask: Tensor | None = None,
    ) -> Decoded:
        """*pitch*, *voiced* (0 or 1), *energy* [B, T]; *frame_token* i64 [B, F]; *frame_position* [B, F, 3];
        *mask* [B, F, 1], 1 where a frame is."""
        x = hidden + self.pe(torch.stack([pitch * voiced, voiced], dim=2)) + self.ee(energy[..., None])
        by_token = self.up(x)
        index = frame_token[..., None].expand(-1, -1, by_token.shape[2])
        x = torch.gather(by_token, 1, index) + self.pos(frame_position)
        x = x + self.sdec(self.spk(speaker)[:, None])
        for block in self.dec:
            x = block(x, mask)
        x = self.out(self.on(x))
        return Decoded(x[..., :N_MELS], x[..., N_MELS], x[..., N_MELS + 1])


@dataclass(frozen=True)
class FilterFrames:
    """Two filter frames per mel frame, each [B, 2F, 257]."""

    harmonic_log_magnitude: Tensor
    phase_offset: Tensor
    noise_log_magnitude: Tensor


class Vocoder(nn.Module):
    """log-mel [B, F, 80] and f0 [B, F] (Hz, 0 unvoiced) → the filters of pulses and noise."""

    def __init__(self, channels: int = 224, hidden: int = 640, n_blocks: int = 6) -> None:
        super().__init__()
        self.i = Taps(N_MELS + 2, channels, 5)
        self.n = nn.LayerNorm(channels, eps=1e-6)
        self.b = nn.ModuleList(Block(channels, hidden, 1e-6, 1 / n_blocks) for _ in range(n_blocks))
        self.f = nn.LayerNorm(channels, eps=1e-6)
        self.o = nn.Linear(channels, 2 * 3 * N_BINS)
        usual = torch.tensor([USUAL_LOG_HARMONIC, 0.0, USUAL_LOG_NOISE])
        self.o.bias.data += usual.repeat_interleave(N_BINS).repeat(2)

    def forward(self, mel: Tensor, f0: Tensor) -> FilterFrames:
        voiced = (f0 > 0).float()
        pitch = torch.log(f0.clamp(min=LOWEST_HZ) / MIDDLE_HZ) * voiced
        x = self.n(self.i(torch.cat([mel, pitch[..., None], voiced[..., None]], dim=2)))
        for block in self.b:
            x = block(x)
        filters = self.o(self.f(x)).float()
        n_batch, n_frames = f0.shape
        # By mel frame, then filter frame within it, then kind: the order of the layer's outputs.
        kinds = filters.reshape(n_batch, 2 * n_frames, 3, N_BINS)
        return FilterFrames(kinds[:, :, 0].clamp(-12, 6), kinds[:, :, 1], kinds[:, :, 2].clamp(-12, 4))


class Aligner(nn.Module):
    """Which token is each frame? Two small stacks put tokens and frames into one space; near is likely.

    After Badlani et al. 2022, One TTS Alignment To Rule Them All; the scale of the distance is learned, as a fixed one
    hardly converged on small corpora.
    """

    def __init__(self, n_tokens: int, n_speakers: int, channels: int = 160) -> None:
        super().__init__()
        self.sc = nn.Parameter(torch.tensor(-4.0))
        self.emb = nn.Embedding(n_tokens, channels)
        self.st = nn.Embedding(N_ACCENTS, channels)
        self.spk = nn.Embedding(n_speakers, channels)
        self.k = nn.Sequential(
            # Each token by itself: one that saw its neighbours would stand for the whole syllable.
            nn.Conv1d(channels, 2 * channels, 1),
            nn.ReLU(),
            nn.Conv1d(2 * channels, N_MELS, 1),
        )
        self.q = nn.Sequential(
            nn.Conv1d(N_MELS, channels, 3, padding=1), nn.ReLU(), nn.Conv1d(channels, N_MELS, 1), nn.ReLU(),
            nn.Conv1d(N_MELS, N_MELS, 1),
        )  # fmt: skip
        self.sq = nn.Linear(channels, N_MELS)

    def forward(self, tokens: Tensor, accents: Tensor, speaker: Tensor, mel: Tensor) -> Tensor:
        """Unnormalised log likelihood [B, F, T] of each token at each frame."""
        said = self.emb(tokens) + self.st(accents) + self.spk(speaker)[:, None]
        keys = self.k(said.transpose(1, 2)).transpose(1, 2)
        # Around 0, of size 1.
        heard = (mel.transpose(1, 2) + 5) / 2 + self.sq(self.spk(speaker))[..., None]
        queries = self.q(heard).transpose(1, 2)
        distance = torch.cdist(queries.float(), keys.float()) ** 2
        return -distance * functional.softplus(self.sc)
