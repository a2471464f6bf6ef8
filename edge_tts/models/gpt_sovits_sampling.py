"""Which token comes next: the choice among the logits of a voice that leaves it to the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Sampling:
    """From the mapping `gpt_sovits` of voice.yaml."""

    temperature: float = 1.0
    top_k: int = 15
    """Only the most likely are chosen from."""

    top_p: float = 1.0
    """And of those, the fewest that are so likely together."""

    repetition_penalty: float = 1.35
    """1: what was said before is as likely as anything."""

    seed: int = 0
    """The same sentence is said the same way each time; another seed says it in another."""

    def __post_init__(self) -> None:
        limits = {
            "temperature": (0.01, 5.0), "top_k": (1, 1025), "top_p": (0.01, 1.0), "repetition_penalty": (1.0, 10.0),
            "seed": (0, 2**32 - 1),
        }  # fmt: skip
        for field in fields(self):
            value, (least, most) = getattr(self, field.name), limits[field.name]
            is_number = isinstance(value, int if field.type == "int" else int | float)
            if not is_number or isinstance(value, bool) or not least <= value <= most:
                raise ValueError(f"gpt_sovits.{field.name}: expected {least} to {most}, found {value!r}")


def probabilities(logits: Floats, before: Sequence[int], sampling: Sampling) -> NDArray[np.float64]:
    """Of each token [n], after the tokens *before*."""
    scores = logits.astype(np.float64)
    said = np.unique(np.asarray(before, np.int64))
    penalty = sampling.repetition_penalty
    scores[said] = np.where(scores[said] < 0, scores[said] * penalty, scores[said] / penalty)
    order = np.argsort(-scores, kind="stable")
    likely = _softmax(scores[order])
    # The most likely always stays.
    too_far = np.concatenate([[False], np.cumsum(likely)[:-1] > sampling.top_p])
    scores[order[too_far]] = -np.inf
    scores[order[sampling.top_k :]] = -np.inf
    return _softmax(scores / sampling.temperature)


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def choose(logits: Floats, before: Sequence[int], sampling: Sampling, random: np.random.Generator) -> int:
    return int(random.choice(len(logits), p=probabilities(logits, before, sampling)))
