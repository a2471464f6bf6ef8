"""WordPiece, as BERT models of Chinese read text: characters, and words of other scripts in known pieces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from edge_tts.text.chinese import HAN

START, END, UNKNOWN = "[CLS]", "[SEP]", "[UNK]"
MAX_WORD_CHARACTERS = 100
_HAN = re.compile(f"(?!〇)[{HAN}]")  # 〇 is a letter to BERT
_ASCII_MARKS = frozenset("$+<=>^`|~")


class WordPiece:
    def __init__(self, ids: Mapping[str, int]) -> None:
        """*ids* of pieces, those inside a word as "##ing". Raises ValueError if a mark is missing."""
        missing = [mark for mark in (START, END, UNKNOWN) if mark not in ids]
        if missing:
            raise ValueError(f"has no {', '.join(missing)}")
        self._ids = ids
        self.highest = max(ids.values())

    def read(self, text: str) -> list[int]:
        """START, the pieces of *text*, END."""
        pieces = [piece for word in _words(text) for piece in self._pieces(word)]
        return [self._ids[piece] for piece in (START, *pieces, END)]

    def _pieces(self, word: str) -> list[str]:
        """The longest known pieces from left to right; a word that has none is unknown as a whole."""
        if len(word) > MAX_WORD_CHARACTERS:
            return [UNKNOWN]
        found: list[str] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if prefix + word[start:end] in self._ids), start)
            if end == start:
                return [UNKNOWN]
            found.append(prefix + word[start:end])
            start = end
        return found


def _words(text: str) -> Iterator[str]:
    """Words in lower case without accents; each mark and each Chinese character is one."""
    word = ""
    for character in unicodedata.normalize("NFD", text.lower()):
        category = unicodedata.category(character)
        if category == "Mn" or (category[0] == "C" and character not in "\t\n\r") or character == "\ufffd":
            continue
        is_alone = category[0] == "P" or character in _ASCII_MARKS or _HAN.match(character) is not None
        if (is_alone or character.isspace()) and word:
            yield word
            word = ""
        if is_alone:
            yield character
        elif not character.isspace():
            word += character
    if word:
        yield word
