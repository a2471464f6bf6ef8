"""Where a sentence's frames are cut into pieces, and what of a vocoder's sound is a piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.errors import SynthesisError


def cuts(n_frames: int, sizes: Sequence[int], shortest: int) -> Iterator[tuple[int, int]]:
    """Start and end of each piece in frames: *sizes* in turn, the last repeated. Fewer than *shortest* frames left
    over join the piece before: their context would cost more than they do."""
    start = piece = 0
    while start < n_frames:
        end = start + sizes[min(piece, len(sizes) - 1)]
        if n_frames - end < shortest:
            end = n_frames
        yield start, end
        start, piece = end, piece + 1


def inner(
    wave: NDArray[Any], made_of: tuple[int, int], wanted: tuple[int, int], hop: int
) -> NDArray[np.float32]:
    """The samples of the frames *wanted* (start and end) of what a vocoder made of more frames. Raises SynthesisError
    if those are not *hop* samples each."""
    (low, high), (start, end) = made_of, wanted
    if len(wave) != (high - low) * hop:
        raise SynthesisError(
            f"the vocoder makes {len(wave)} samples of {high - low} frames; the voice says {hop} each"
        )
    return np.array(wave[(start - low) * hop : (end - low) * hop], np.float32)
