"""Pieces of sound at the voices' sample rates → blocks at the device's. Used on the playback thread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_tts.audio import Resampler
from edge_tts.speech import Audio

BLOCK_S = 0.04
"""Given to the device in one go: short enough to stop soon, long enough not to keep a small board busy."""


class Blocks:
    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._n_samples = round(BLOCK_S * sample_rate)
        self._resampler = Resampler(sample_rate)
        self._left = np.zeros(0, np.float32)

    def add(self, audio: Audio) -> list[Audio]:
        return self._cut(np.concatenate([self._left, self._resampler.resample(audio).samples]))

    def _cut(self, samples: NDArray[np.float32]) -> list[Audio]:
        n_whole = len(samples) // self._n_samples * self._n_samples
        self._left = samples[n_whole:]
        return [
            Audio(samples[at : at + self._n_samples], self._sample_rate)
            for at in range(0, n_whole, self._n_samples)
        ]

    def rest(self) -> list[Audio]:
        blocks = self._cut(np.concatenate([self._left, self._resampler.flush().samples]))
        return [*blocks, Audio(self._left, self._sample_rate)] if len(self._left) else blocks


def all_blocks(audio: Audio, sample_rate: int) -> list[Audio]:
    blocks = Blocks(sample_rate)
    return [*blocks.add(audio), *blocks.rest()]
