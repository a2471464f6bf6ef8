"""Where one word of Chinese ends and the next begins, for voices that were taught it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from edge_tts.speech import Span
from edge_tts.text.pinyin import Syllable, parse, unreadable, words

BREATH = re.compile("([。！？；：，、…—,.!?;:\n]+)")
"""Marks that Chinese breathes at."""


def regrouped(breath: Iterable[Sequence[Syllable]]) -> list[list[Syllable]]:
    """The syllables of *breath* by words of Chinese; what was given as pinyin or letters stays as it is.

    The dictionary of readings knows few words that have only one reading (温度, 但是); jieba's is a list of all words.
    """
    # Loading its 350 000 words takes 35 MB: not for a house without such a voice.
    import rjieba

    found: list[list[Syllable]] = []
    for is_hanzi, group in itertools.groupby(breath, key=lambda word: all(each.hanzi for each in word)):
        if not is_hanzi:
            found += [list(word) for word in group]
            continue
        rest = [syllable for word in group for syllable in word]
        for word in rjieba.cut("".join(each.hanzi for each in rest), True):
            found.append(rest[: len(word)])
            rest = rest[len(word) :]
    return found


def breaths(span: Span, warnings: dict[str, None]) -> Iterator[tuple[list[list[Syllable]], str]]:
    """What is said in one breath of a Chinese *span*, by words, and the marks after it."""
    if span.pronunciation is not None:
        given = [parse(written) for written in span.pronunciation.symbols.split()]
        # A longer given pronunciation is more than one word: most have two syllables, no more than four.
        yield [given[start : start + 4] for start in range(0, len(given), 4)], span.text[-1:]
        return
    parts = BREATH.split(span.text)
    for text, marks in itertools.zip_longest(parts[::2], parts[1::2], fillvalue=""):
        for character in unreadable(text):
            warnings[f"unknown_phoneme: {character!r} has no reading in Chinese"] = None
        yield [word for breath in words(text) for word in regrouped(breath)], marks
