"""Noise → a mel, step by step, as CosyVoice's flow matching does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge_tts.models.cosyvoice_layout import N_MELS, Conditions, first
from edge_tts.models.session import Session

Floats = NDArray[np.float32]

GUIDANCE = 0.7
"""How far the flow goes beyond what it would do without the clip and the text."""


def noise_of(seed: int, n_frames: int) -> Floats:
    """[1, 80, n_frames]; of more frames, the first ones are the same: blocks begin where the whole does."""
    drawn = np.random.default_rng((seed, N_MELS)).standard_normal((n_frames, N_MELS))
    return np.ascontiguousarray(drawn.T[None], np.float32)


class Flow:
    """One mel on its way."""

    def __init__(self, given: Conditions, noise: Floats, n_steps: int) -> None:
        self.x = noise
        """[1, 80, F]; a mel after the last step."""

        # The second of each pair knows neither clip nor text.
        self._pairs = {
            name: np.concatenate([value, np.zeros_like(value)])
            for name, value in (("mu", given.mu), ("spks", given.speaker), ("cond", given.cond))
        }
        self._mask = np.ones((2, 1, noise.shape[2]), np.float32)
        self._times = 1 - np.cos(np.pi / 2 * np.linspace(0, 1, n_steps + 1))

    def steps(self) -> Iterator[tuple[float, float]]:
        """From when to when each of them goes."""
        return itertools.pairwise(self._times)

    def step(self, estimator: Session, now: float, after: float) -> None:
        t = np.full(2, now, np.float32)
        both = np.concatenate([self.x, self.x])
        with_all, without = first(estimator, x=both, mask=self._mask, t=t, **self._pairs)
        change = (1 + GUIDANCE) * with_all - GUIDANCE * without
        self.x = np.asarray(self.x + np.float32(after - now) * change[None], np.float32)
