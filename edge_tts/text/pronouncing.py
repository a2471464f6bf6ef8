"""A pronouncing dictionary: words in lower case and their ARPAbet, one per line, sorted by their bytes.

hello HH AH0 L OW1
"""

from __future__ import annotations

import itertools


class PronouncingDictionary:
    """Searched where it lies: as Python objects the 200 000 words of LibriSpeech's take a hundred megabytes."""

    def __init__(self, content: bytes) -> None:
        """Raises ValueError for lines that are not sorted or have no pronunciation."""
        lines = content.rstrip(b"\n").split(b"\n") if content.strip() else []
        for number, (before, line) in enumerate(itertools.pairwise([b"", *lines]), start=1):
            if before >= line or b" " not in line:
                raise ValueError(
                    f"line {number}: expected a word and its sounds, after those that sort before it"
                )
        self._content = content

    def get(self, word: str) -> list[str]:
        """The symbols of *word* in lower case; [] if it is not there."""
        wanted = word.encode() + b" "
        low, high = 0, len(self._content)
        while low < high:
            start = self._content.rfind(b"\n", 0, (low + high) // 2) + 1
            end = self._content.find(b"\n", start)
            end = len(self._content) if end < 0 else end
            line = self._content[start:end]
            if line.startswith(wanted):
                return line.decode().split()[1:]
            if line < wanted:
                low = end + 1
            else:
                high = start
        return []
