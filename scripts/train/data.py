"""What acoustic model and vocoder learn from, in memory: every utterance with all that was found out about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from edge_tts.models.source_filter import HOP
from edge_tts.models.two_stage import frame_inputs
from scripts.train.align import read_durations
from scripts.train.f0 import read_ranges, read_source
from scripts.train.features import Floats
from scripts.train.mels import read_mel
from scripts.train.phonemes import read_spoken, read_tokens
from scripts.train.stage import Work
from scripts.train.synthesis import Source


@dataclass(frozen=True)
class Item:
    """T tokens, F frames."""

    id: str
    speaker: int
    tokens: NDArray[np.int64]
    accents: NDArray[np.int64]
    frames: NDArray[np.int64]
    """[T]"""

    mel: NDArray[np.float16]
    """[F, 80]"""

    f0: Floats
    """[F] Hz, 0 where unvoiced."""

    f0_z: Floats
    """[F], 0 where unvoiced."""

    pitch: Floats
    """[T], mean z-score of ln f0 over the voiced frames."""

    voiced: Floats
    """[T], 0 or 1."""

    energy: Floats
    """[T], z-score."""

    sound: NDArray[np.int16]
    """[F * HOP]"""

    is_held_out: bool
    is_joined: bool
    """Words put together: spectra and pitch quickened, so that `sound` and `source` no longer belong to them."""

    source: Source


def read_items(work: Work) -> list[Item]:
    """Everything that was aligned."""
    durations = read_durations(work)
    numbers = read_tokens(work)
    ranges = read_ranges(work)
    spoken = [each for each in read_spoken(work) if each.id in durations]
    mels = {each.id: read_mel(work, each.id) for each in tqdm(spoken, "reading mels", mininterval=1)}
    loudness = {
        name: [_loudness(mels[each.id]) for each in spoken if each.speaker == name]
        for name in work.recipe.speakers
    }
    scale = {
        name: (np.concatenate(each).mean(), np.concatenate(each).std()) for name, each in loudness.items()
    }
    items = []
    for each in tqdm(spoken, "reading sounds", mininterval=1):
        source = read_source(work, each.id)
        frames, mel, f0 = durations[each.id], mels[each.id], source.f0_hz
        is_joined = "/joined-" in each.id
        if is_joined:
            frames, mel, f0 = quickened(frames, mel, f0, work.recipe.corpus(each.speaker).joined_pace)
        starts = np.cumsum(frames) - frames
        voiced = f0 > 0
        its_range = ranges[each.speaker]
        logs = np.log(np.where(voiced, f0, 1))
        f0_z = np.where(voiced, (logs - its_range.log_f0_median) / its_range.log_f0_std, 0).astype(np.float32)
        n_voiced = np.add.reduceat(voiced.astype(np.float32), starts)
        mean, spread = scale[each.speaker]
        energy = (_loudness(mel) - mean) / spread
        sound, _ = soundfile.read(work.stage("clean") / f"{each.id}.flac", dtype="int16")
        items.append(
            Item(
                id=each.id,
                speaker=work.recipe.speakers[each.speaker],
                tokens=np.array([numbers[symbol] for symbol in each.symbols]),
                accents=np.array(each.accents),
                frames=frames,
                mel=mel.astype(np.float16),
                f0=f0,
                f0_z=f0_z,
                pitch=np.asarray(np.add.reduceat(f0_z, starts) / np.maximum(n_voiced, 1), np.float32),
                voiced=(n_voiced > frames / 2).astype(np.float32),
                energy=(np.add.reduceat(energy, starts) / frames).astype(np.float32),
                sound=sound[: len(source.f0_hz) * HOP],
                is_held_out=each.is_held_out,
                is_joined=is_joined,
                source=source,
            )
        )
    return items


def quickened(
    frames: NDArray[np.int64], mel: Floats, f0: Floats, pace: float
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """All three as if each token lasted *pace* of what it does, by interpolation within it."""
    new_frames = np.maximum(np.rint(frames * pace), 1).astype(np.int64)
    starts = np.cumsum(frames) - frames
    token, position = frame_inputs(new_frames)
    # Centres of the new frames on the old time axis, in frames.
    at = np.clip(starts[token] + position[:, 0] * frames[token] - 0.5, 0, len(mel) - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, len(mel) - 1)
    share = (at - low).astype(np.float32)[:, None]
    new_mel = mel[low] * (1 - share) + mel[high] * share
    # Pitch is not interpolated across the end of voicing.
    return new_frames, new_mel, f0[np.rint(at).astype(np.int64)]


def _loudness(mel: Floats) -> Floats:
    """[F], ln of each frame's magnitude."""
    return 0.5 * np.log((np.exp(2 * mel)).sum(axis=1))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Tokens:
    """Padded, of some items: [B, T] unless another shape is said."""

    tokens: Tensor
    accents: Tensor
    speaker: Tensor
    """[B]"""

    mask: Tensor
    """[B, T, 1], 1 where a token is"""

    log_duration: Tensor
    pitch: Tensor
    voiced: Tensor
    energy: Tensor


@dataclass(frozen=True)
class Frames:
    """Padded, of some items or crops of them: [B, F] unless another shape is said."""

    token: Tensor
    position: Tensor
    """[B, F, 3]"""

    mask: Tensor
    """[B, F, 1], 1 where a frame is"""

    f0_z: Tensor
    voiced: Tensor


@dataclass(frozen=True)
class Batch:
    """Whole utterances."""

    tokens: Tokens
    frames: Frames
    mel: Tensor
    """[B, F, 80]"""


def batch_of(items: Sequence[Item], device: str) -> Batch:
    laid_out = [frame_inputs(each.frames) for each in items]
    frames = Frames(
        token=_padded([token for token, _ in laid_out], device),
        position=_padded([position for _, position in laid_out], device),
        mask=_padded([np.ones((len(each.mel), 1), np.float32) for each in items], device),
        f0_z=_padded([each.f0_z for each in items], device),
        voiced=_padded([(each.f0 > 0).astype(np.float32) for each in items], device),
    )
    mel = _padded([each.mel.astype(np.float32) for each in items], device)
    return Batch(tokens_of(items, device), frames, mel)


def tokens_of(items: Sequence[Item], device: str) -> Tokens:
    return Tokens(
        tokens=_padded([each.tokens for each in items], device),
        accents=_padded([each.accents for each in items], device),
        speaker=torch.tensor([each.speaker for each in items]).to(device),
        mask=_padded([np.ones((len(each.tokens), 1), np.float32) for each in items], device),
        log_duration=_padded([np.log(each.frames).astype(np.float32) for each in items], device),
        pitch=_padded([each.pitch for each in items], device),
        voiced=_padded([each.voiced for each in items], device),
        energy=_padded([each.energy for each in items], device),
    )


def _padded(arrays: list[NDArray[Any]], device: str) -> Tensor:
    tensors = [torch.from_numpy(each) for each in arrays]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True).to(device)


def learned(work: Work, items: Sequence[Item]) -> list[Item]:
    """Not what is held out; of single words that are joined as well, every other."""
    joins = [corpus.join > 1 for corpus in work.recipe.corpora]
    return [
        each
        for number, each in enumerate(items)
        if not each.is_held_out and (not joins[each.speaker] or each.is_joined or number % 2)
    ]


def mean_over(values: Tensor, mask: Tensor) -> Tensor:
    return (values.float() * mask).sum() / mask.sum().clamp(min=1)
