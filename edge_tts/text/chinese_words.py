"""Where one word of Chinese ends and the next begins, for voices that were taught it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from edge_tts.text.pinyin import Syllable


def regrouped(breath: Iterable[Sequence[Syllable]]) -> list[list[Syllable]]:
    """The syllables of *breath* by words of Chinese; what was given as pinyin or letters stays as it is.

    The dictionary of readings knows few words that have only one reading (温度, 但是); jieba's is a list of all words.
    """
    # Loading its 350 000 words takes 35 MB: not for a house without such a voice.
    import rjieba

    found: list[list[Syllable]] = []
    for is_hanzi, words in itertools.groupby(breath, key=lambda word: all(each.hanzi for each in word)):
        if not is_hanzi:
            found += [list(word) for word in words]
            continue
        rest = [syllable for word in words for syllable in word]
        for word in rjieba.cut("".join(each.hanzi for each in rest), True):
            found.append(rest[: len(word)])
            rest = rest[len(word) :]
    return found
