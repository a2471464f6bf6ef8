"""NSF voices: pitch and voicing out of the mel, and the phases and noise that their vocoder's source goes on from."""

from __future__ import annotations

import numpy as np

from edge_tts.models.sambert_config import Floats, SambertConfig

VOICED = 0.6
LOWEST_HZ = 30.0
NOISE_SEED = 0
"""The same for every sentence: the same text sounds the same, which is what the phrase cache assumes."""

NOISE_FRAMES = 64


def voiced(mel: Floats, f0: Floats) -> Floats:
    """*mel* [n, 82] with its last two as Hz and 0 or 1; *f0* is offset and scale."""
    made = mel.copy()
    made[:, -1] = mel[:, -1] >= VOICED
    made[:, -2] = np.maximum(mel[:, -2] * f0[1] + f0[0], LOWEST_HZ)
    return made


class Source:
    """Where the sines of a sentence stand at any frame; one generator's own."""

    def __init__(self, mel: Floats, config: SambertConfig, sample_rate: int) -> None:
        self._hop = config.hop_samples
        self._n = config.n_harmonics + 1
        cycles = np.cumsum(mel[:, -2].astype(np.float64)) * self._hop / sample_rate
        self._cycles = np.concatenate([[0.0], cycles])
        """Of the fundamental, at the beginning of each frame."""

        self._first = np.random.default_rng(NOISE_SEED).uniform(-0.5, 0.5, self._n)
        self._first[0] = 0

    def inputs(self, low: int, high: int) -> dict[str, Floats]:
        """`phase` [1, n, frames] in cycles at the beginning of each frame, and `noise` [1, n, samples]."""
        phase = (np.outer(np.arange(1, self._n + 1), self._cycles[low:high]) + self._first[:, None]) % 1
        first = low // NOISE_FRAMES
        blocks = [self._noise(block) for block in range(first, -(-high // NOISE_FRAMES))]
        start = (low - first * NOISE_FRAMES) * self._hop
        noise = np.concatenate(blocks, axis=1)[None, :, start : start + (high - low) * self._hop]
        return {"phase": phase.astype(np.float32)[None], "noise": np.ascontiguousarray(noise)}

    def _noise(self, block: int) -> Floats:
        """Any part of the noise can be made again, so that none of it is kept."""
        random = np.random.default_rng([NOISE_SEED, block])
        return random.standard_normal((self._n, NOISE_FRAMES * self._hop), dtype=np.float32)
