"""Text tokens → the speech tokens of CosyVoice, one after the other; a token is 40 ms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
N_TOKENS = 6561
"""What is not below it ends the speech."""

TOP_P, TOP_K, WINDOW = 0.8, 25, 10
"""What was said among the last WINDOW tokens is not said again at once."""

SILENT = frozenset({1, 2, 28, 29, 55, 248, 494, 2241, 2242, 2322, 2323})
MOST_SILENT = 5
"""In a row: more is cut."""

LEAST_PER_TEXT_TOKEN, MOST_PER_TEXT_TOKEN = 2, 20


@dataclass(frozen=True)
class Prompt:
    before: tuple[int, ...]
    """Text tokens that are not said: who speaks and how, and what the clip says."""

    text: tuple[int, ...]
    clip: tuple[int, ...]
    """Speech tokens that the speech goes on from."""


class Backbone(Protocol):
    """The language model within one text: it remembers what it has seen."""

    def begin(self, prompt: Prompt) -> Floats:
        """Scores [n] of the first speech token."""

    def follow(self, token: int) -> Floats:
        """Scores [n] of what comes after *token*."""


def spoken(
    backbone: Backbone, prompt: Prompt, random: np.random.Generator, warn: Callable[[str], None]
) -> Iterator[int]:
    """The speech tokens of *prompt*.text, each as soon as it is chosen."""
    least, most = (n * len(prompt.text) for n in (LEAST_PER_TEXT_TOKEN, MOST_PER_TEXT_TOKEN))
    said: list[int] = []
    scores = backbone.begin(prompt)
    while len(said) < most:
        token = choose(scores, said, random, may_end=len(said) >= least)
        if token >= N_TOKENS:
            return
        said.append(token)
        yield token
        scores = backbone.follow(token)
    warn("endless_sentence: the voice did not find its end, and was cut")


def choose(logits: Floats, said: Sequence[int], random: np.random.Generator, *, may_end: bool) -> int:
    """Among the likeliest; of all others, if that was said just now."""
    scores = logits.astype(np.float64)
    if not may_end:
        scores[N_TOKENS:] = -np.inf
    likely = _softmax(scores)
    order = np.argsort(-likely, kind="stable")[:TOP_K]
    # The likeliest always stays.
    is_near = np.concatenate([[True], np.cumsum(likely[order])[:-1] < TOP_P])
    near = order[is_near]
    token = int(random.choice(near, p=likely[near] / likely[near].sum()))
    if token in said[-WINDOW:]:
        scores[token] = -np.inf
        token = int(random.choice(len(scores), p=_softmax(scores)))
    return token


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def without_long_silence(tokens: Iterable[int]) -> Iterator[int]:
    n_silent = 0
    for token in tokens:
        n_silent = n_silent + 1 if token in SILENT else 0
        if n_silent <= MOST_SILENT:
            yield token
