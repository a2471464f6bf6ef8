"""What no voice should have: clicks, clipping, samples that are stuck."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from scripts.train.features import SAMPLE_RATE, Floats

CLICK_RATIO = 4.0
CLICK_HALF_S = 0.0002
CLICK_AROUND_S = 0.025
CLICK_LEAST = 0.004
"""Of speech at -26 dBFS: a smaller jump is not heard."""

CLIPPED_AT = 0.999
PINNED_RUN = 4
PINNED_ABOVE = 1e-3
"""Below it is silence, which may be as constant as it likes."""


def clicks(samples: Floats) -> int:
    """Jumps far outside what is usual around them; *samples* with speech at -26 dBFS.

    A jump is a second difference: it is small in smooth sound, however loud. The pulses of the vocal folds are jumps
    too, but come every 13 ms or faster; the burst of a plosive rings on in the mouth for milliseconds. So a click is a
    jump CLICK_RATIO times as large as any other within CLICK_AROUND_S, but for its own fifth of a millisecond on each
    side. Recordings have one in a minute or two (lips, saliva); what is hidden by louder jumps is not counted.
    """
    jumps = np.abs(np.diff(samples, 2, prepend=0, append=0))
    half, around = round(CLICK_HALF_S * SAMPLE_RATE), round(CLICK_AROUND_S * SAMPLE_RATE)
    n_side = around - half
    # The largest jump on each side, from *half* to *around* away.
    side = scipy.ndimage.maximum_filter1d(jumps, n_side, mode="constant")
    centre = half + n_side // 2 + 1
    padded = np.pad(side, centre)
    usual = np.maximum(padded[: len(jumps)], padded[2 * centre : 2 * centre + len(jumps)])
    return _n_groups((jumps > CLICK_RATIO * usual) & (jumps > CLICK_LEAST), half)


def clipped(samples: Floats) -> int:
    """Runs of samples at full scale."""
    return _n_groups(np.abs(samples) >= CLIPPED_AT, 1)


def pinned(samples: Floats) -> int:
    """Runs of at least PINNED_RUN equal samples that are not silence: the mark of arithmetic that overflows. Not for
    files of 16 bits, which have them at every slow crest."""
    is_same = (np.diff(samples) == 0) & (np.abs(samples[1:]) > PINNED_ABOVE)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_same, [False]]).astype(np.int8)))
    lengths = edges[1::2] - edges[::2] + 1
    return int(np.sum(lengths >= PINNED_RUN))


def _n_groups(is_found: NDArray[np.bool_], apart: int) -> int:
    """How many there are, those at most *apart* samples from the one before counted as one with it."""
    where = np.flatnonzero(is_found)
    return int(len(where) > 0) + int(np.sum(np.diff(where) > apart))
