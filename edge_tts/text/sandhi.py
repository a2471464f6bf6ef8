"""Mandarin tones in context: what happens to 一, 不 and third tones beside their neighbours.

Rules: Yip Po-Ching & Don Rimmington, "Chinese: A Comprehensive Grammar", chapter 1; Chao Yuen Ren, "A Grammar
of Spoken Chinese", 1.3.3. Pure functions on tones 1 to 5 (5 is neutral).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NUMERALS = frozenset("零〇一二三四五六七八九十百千万亿两几")
_DIGITS = frozenset("零〇一二三四五六七八九")
# 一 after these counts or names something and keeps its tone: 第一 初一 十一 星期一 周一 礼拜一 统一 唯一 之一.
_KEEPS_ONE_AFTER = frozenset("第初期周拜统唯专单归之十百") | _DIGITS
# 一 before these is an ordinal without 第: 一月 (January), 一号, 一楼.
_KEEPS_ONE_BEFORE = frozenset("月日号楼") | _DIGITS


@dataclass(frozen=True, slots=True)
class Word:
    """A dictionary word or a single character, with the tones the dictionary gives."""

    hanzi: str
    tones: tuple[int, ...]
    """One for each character."""


def in_context(words: Sequence[Word]) -> list[int]:
    """The tones of *words* as spoken in one breath, one for each character."""
    hanzi = "".join(word.hanzi for word in words)
    tones = [tone for word in words for tone in word.tones]
    for index, character in enumerate(hanzi):
        if character == "一":
            tones[index] = _tone_of_one(hanzi, tones, index)
        elif character == "不":
            tones[index] = _tone_of_not(hanzi, tones, index)
    return _third_tones([len(word.hanzi) for word in words], tones)


def _tone_of_one(hanzi: str, tones: Sequence[int], index: int) -> int:
    before, after = hanzi[:index], hanzi[index + 1 :]
    if not after or after[0] in _KEEPS_ONE_BEFORE:
        return 1
    if before and before[-1] == after[0] and before[-1] not in NUMERALS:
        return 5  # 看一看
    # 三十六点一度: a decimal, unlike 点一下.
    is_decimal = before[-1:] == "点" and before[-2:-1] in NUMERALS and bool(before[-2:-1])
    if before[-1:] in _KEEPS_ONE_AFTER or is_decimal:
        return 1
    # 个 is neutral in 一个, but was a fourth tone, and 一 remembers.
    return 2 if tones[index + 1] == 4 or after[0] == "个" else 4


def _tone_of_not(hanzi: str, tones: Sequence[int], index: int) -> int:
    if tones[index] == 5:
        return 5
    before, after = hanzi[:index], hanzi[index + 1 :]
    if before and after and before[-1] == after[0]:
        return 5  # 好不好
    return 2 if after and tones[index + 1] == 4 else 4


def _third_tones(lengths: Sequence[int], tones: Sequence[int]) -> list[int]:
    """Of third tones in a row all but the last rise, foot by foot: 老李|买好|酒 → lao2 li3 mai2 hao2 jiu3."""
    spoken = list(tones)
    feet = _feet(lengths, tones)
    for start, end in feet:
        for index in range(start, end - 1):
            if tones[index] == 3 and tones[index + 1] == 3:
                spoken[index] = 2
    for _, end in feet[:-1]:
        # Only what is still a third tone makes its neighbour rise: in 我|很好 hen2 has risen already.
        if spoken[end - 1] == 3 and spoken[end] == 3:
            spoken[end - 1] = 2
    return spoken


def _feet(lengths: Sequence[int], tones: Sequence[int]) -> list[tuple[int, int]]:
    """Start and end of the rhythmic units: a word, or two single characters of third tone."""
    feet: list[tuple[int, int]] = []
    start = 0
    for length in lengths:
        end = start + length
        previous = feet[-1] if feet else (0, 0)
        is_pair = length == 1 and previous[1] - previous[0] == 1
        if is_pair and tones[start] == 3 and tones[start - 1] == 3:
            feet[-1] = (previous[0], end)
        else:
            feet.append((start, end))
        start = end
    return feet
