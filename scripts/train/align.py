"""Stage align: how many frames each token lasts, learned without being told.

The network says how likely each token is at each frame; trained by the sum over all monotonic paths (CTC without
repeats in effect) with a prior towards the diagonal, after Badlani et al. 2022, One TTS Alignment To Rule Them All.
The best monotonic path then gives the durations.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.special
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from edge_tts.models.source_filter import HOP
from scripts.train import pictures
from scripts.train.dropped import refuse_most_dropped, write_dropped
from scripts.train.features import SAMPLE_RATE, Floats
from scripts.train.mels import read_mel
from scripts.train.networks import Aligner
from scripts.train.phonemes import Spoken, read_spoken, read_tokens
from scripts.train.stage import Work, whole
from scripts.train.trainer import Batches, Training, take_step

BATCH_FRAMES = 6000
RATE = 2e-3
BLANK_LOG_PROBABILITY = -1.0
PRIOR_SHARPNESS = 1.0
WORST_SHARE = 0.01
"""Of each speaker's recordings: the least likely alignments are dropped (a wrong text, a cough)."""

IMPOSSIBLE = -1e3
LONGEST_EDGE = 10
"""Frames that the tokens before and after an utterance may last: the clean stage leaves no more silence than that.
Without this bound they take over whole words."""

LONGEST_TOKEN_S = 0.9
STILL = frozenset(" ^$.,?!;:")
"""May last longer, and as short as one frame; what sounds lasts SHORTEST frames at least."""

SHORTEST = 2


@dataclass(frozen=True)
class Heard:
    """Arrays of one utterance."""

    tokens: NDArray[np.int64]
    accents: NDArray[np.int64]
    speaker: int
    mel: Floats


def align(work: Work) -> None:
    """Writes durations.json (id → frames per token), and the dropped ones with the reason."""
    folder = work.stage("align")
    numbers = read_tokens(work)
    spoken = read_spoken(work)
    heard = [_heard(work, numbers, each) for each in tqdm(spoken, "reading", mininterval=1)]
    long_enough = [index for index, each in enumerate(heard) if len(each.mel) > len(each.tokens)]
    dropped = _too_short(spoken, long_enough)
    refuse_most_dropped(work, "align", [each.id for each in spoken], dropped)
    network = Aligner(max(numbers.values()) + 1, len(work.recipe.speakers)).to(work.settings.device)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    training = Training(folder, work, {"aligner": network}, {"aligner": optimizer})
    # Held-out ones learn too: here they are measured, not spoken.
    batches = Batches([len(heard[index].mel) for index in long_enough], BATCH_FRAMES, work.recipe.seed)
    for step in training.steps(work.recipe.steps.align, "align"):
        batch = [heard[long_enough[index]] for index in batches.at(step)]
        loss = forward_sum(network, batch, work.settings.device)
        take_step(optimizer, loss, [network])
        training.note(forward_sum=loss)
    durations, scores = _durations(work, network, spoken, heard, long_enough)
    _show(work, folder, network, [(spoken[index], heard[index]) for index in long_enough], durations)
    dropped |= _unlikely(work, [spoken[index] for index in long_enough], durations, scores)
    write_dropped(work, "align", [each.id for each in spoken], dropped)
    _write(work, folder, spoken, {name: each for name, each in durations.items() if name not in dropped})


def _show(
    work: Work,
    folder: Path,
    network: Aligner,
    aligned: list[tuple[Spoken, Heard]],
    durations: dict[str, NDArray[np.int64]],
) -> None:
    """An example of each speaker."""
    examples = [
        next(each for each in aligned if each[0].speaker == speaker) for speaker in work.recipe.speakers
    ]
    device = work.settings.device
    pictures.alignments(
        folder / "align.png",
        [
            (spoken.id, _log_likelihood(network, heard, device), durations[spoken.id])
            for spoken, heard in examples
        ],
    )


def _heard(work: Work, numbers: dict[str, int], spoken: Spoken) -> Heard:
    return Heard(
        np.array([numbers[symbol] for symbol in spoken.symbols]),
        np.array(spoken.accents),
        work.recipe.speakers[spoken.speaker],
        read_mel(work, spoken.id),
    )


def forward_sum(network: Aligner, batch: list[Heard], device: str) -> Tensor:
    """Minus ln of the probability that the tokens are said in order, per frame."""
    n_tokens = torch.tensor([len(each.tokens) for each in batch])
    n_frames = torch.tensor([len(each.mel) for each in batch])
    scores = network(*_padded(batch, device))
    most_frames, most_tokens = scores.shape[1:]
    prior = torch.zeros(len(batch), most_frames, most_tokens)
    for index, each in enumerate(batch):
        prior[index, : len(each.mel), : len(each.tokens)] = torch.from_numpy(
            _prior(len(each.mel), len(each.tokens))
        )
    is_token = torch.arange(most_tokens)[None] < n_tokens[:, None]
    scores = scores.masked_fill(~is_token[:, None].to(device), -1e4)
    likely = torch.log_softmax(scores, dim=2) + prior.to(device)
    with_blank = functional.pad(likely, (1, 0), value=BLANK_LOG_PROBABILITY)
    log_probability = torch.log_softmax(with_blank, dim=2).transpose(0, 1)
    targets = torch.arange(1, most_tokens + 1)[None].expand(len(batch), -1)
    return functional.ctc_loss(log_probability, targets, n_frames, n_tokens, zero_infinity=True)


def _padded(batch: list[Heard], device: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    def pad(arrays: list[NDArray[Any]]) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence(
            [torch.from_numpy(each) for each in arrays], batch_first=True
        ).to(device)

    return (
        pad([each.tokens for each in batch]),
        pad([each.accents for each in batch]),
        torch.tensor([each.speaker for each in batch]).to(device),
        pad([each.mel for each in batch]),
    )


@functools.lru_cache(256)
def _prior(n_frames: int, n_tokens: int) -> Floats:
    """ln of the beta-binomial probability [n_frames, n_tokens]: early tokens early, late ones late."""
    k = np.arange(n_tokens)
    a = PRIOR_SHARPNESS * np.arange(1, n_frames + 1)[:, None]
    b = PRIOR_SHARPNESS * np.arange(n_frames, 0, -1)[:, None]
    n = n_tokens - 1
    log_choose = -np.log(n + 1) - scipy.special.betaln(n - k + 1, k + 1)
    prior = log_choose + scipy.special.betaln(k + a, n - k + b) - scipy.special.betaln(a, b)
    if n_frames > 2 * LONGEST_EDGE + n_tokens:
        prior[LONGEST_EDGE:, 0] = prior[:-LONGEST_EDGE, -1] = IMPOSSIBLE
    return np.asarray(prior, np.float32)


@torch.no_grad()
def _log_likelihood(network: Aligner, heard: Heard, device: str) -> Floats:
    """[n_frames, n_tokens]"""
    scores = network(*_padded([heard], device))[0].cpu()
    likely = torch.log_softmax(scores, dim=1).numpy() + _prior(len(heard.mel), len(heard.tokens))
    return np.asarray(likely, np.float32)


def best_path(likely: Floats) -> NDArray[np.int64]:
    """Frames of each token, at least one each, on the likeliest path through *likely* [n_frames ≥ n_tokens, n_tokens]
    that visits the tokens in order (Viterbi)."""
    n_frames, n_tokens = likely.shape
    best = np.full(n_tokens, -np.inf)
    best[0] = likely[0, 0]
    came_from_before = np.zeros((n_frames, n_tokens), bool)
    for frame in range(1, n_frames):
        before = np.concatenate([[-np.inf], best[:-1]])
        came_from_before[frame] = before > best
        best = np.maximum(best, before) + likely[frame]
    frames = np.zeros(n_tokens, np.int64)
    token = n_tokens - 1
    for frame in range(n_frames - 1, -1, -1):
        frames[token] += 1
        if came_from_before[frame, token]:
            token -= 1
    return frames


def frames_of(symbols: tuple[str, ...], likely: Floats) -> NDArray[np.int64]:
    """`best_path` on which a sound lasts SHORTEST frames, if there is room for that."""
    n_states = np.array([1 if symbol in STILL else SHORTEST for symbol in symbols])
    if n_states.sum() > len(likely):
        return best_path(likely)
    return np.add.reduceat(best_path(np.repeat(likely, n_states, axis=1)), np.cumsum(n_states) - n_states)


def _durations(
    work: Work, network: Aligner, spoken: list[Spoken], heard: list[Heard], indices: list[int]
) -> tuple[dict[str, NDArray[np.int64]], dict[str, float]]:
    durations, scores = {}, {}
    for index in tqdm(indices, "durations", mininterval=1):
        likely = _log_likelihood(network, heard[index], work.settings.device)
        frames = frames_of(spoken[index].symbols, likely)
        durations[spoken[index].id] = frames
        said = np.repeat(np.arange(len(frames)), frames)
        scores[spoken[index].id] = float(likely[np.arange(len(likely)), said].mean())
    return durations, scores


def _too_short(spoken: list[Spoken], long_enough: list[int]) -> dict[str, str]:
    kept = set(long_enough)
    why = "shorter than its text: does its line of metadata.csv name another recording?"
    return {each.id: why for index, each in enumerate(spoken) if index not in kept}


def _unlikely(
    work: Work, spoken: list[Spoken], durations: dict[str, NDArray[np.int64]], scores: dict[str, float]
) -> dict[str, str]:
    """What does not fit its text, id → why."""
    worst = {
        speaker: float(
            np.quantile([scores[each.id] for each in spoken if each.speaker == speaker], WORST_SHARE)
        )
        for speaker in work.recipe.speakers
    }
    dropped: dict[str, str] = {}
    for each in spoken:
        sounding = zip(durations[each.id], each.symbols, strict=True)
        n_frames, longest = max(((n, s) for n, s in sounding if s not in STILL), default=(0, ""))
        duration_s = n_frames * HOP / SAMPLE_RATE
        if duration_s > LONGEST_TOKEN_S:
            dropped[each.id] = f"a sound that does not end: {longest} lasts {duration_s:.2f} s"
        elif scores[each.id] < worst[each.speaker]:
            dropped[each.id] = (
                f"an unlikely alignment: {scores[each.id]:.2f}, where {worst[each.speaker]:.2f} is usual"
            )
    return dropped


def _write(work: Work, folder: Path, spoken: list[Spoken], kept: dict[str, NDArray[np.int64]]) -> None:
    by_speaker = {
        speaker: np.concatenate(
            [kept[each.id] for each in spoken if each.speaker == speaker and each.id in kept]
        )
        for speaker in work.recipe.speakers
    }
    pictures.durations(folder / "durations.png", by_speaker)
    document = json.dumps({identity: frames.tolist() for identity, frames in kept.items()})
    whole(folder / "durations.json", lambda part: part.write_text(document, encoding="utf-8"))


def read_durations(work: Work) -> dict[str, NDArray[np.int64]]:
    document = json.loads((work.stage("align") / "durations.json").read_text(encoding="utf-8"))
    return {identity: np.array(frames, np.int64) for identity, frames in document.items()}
