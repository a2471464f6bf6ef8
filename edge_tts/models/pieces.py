"""Where a sentence's frames are cut into pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


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
