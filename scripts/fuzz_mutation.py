"""Spoilt input made of good input: on characters where there are some, so that what comes out is still read far."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

_STRANGE = (
    "\u0301", "\u200d", "\u202e", "\ufffd", "😀", "ß", "İ", "ſ", "ﬁ", "٣", "½", "\u2028", "\r", "\n\n", "\t", "\x7f",
    "0", "9" * 30, "-", ".", ",", ":", "/", "%", "°", "€", "[", "]", "[[", "<", "</", "/>", "&", "&#", "{", "}", '"',
    "'", "\\", "\\ud800", "null", "true", "1e999", "-0", "*a", "&a ", "!!", "? ", "| ", "一", "不", "儿", "〇", "ϖ",
)  # fmt: skip

LONGEST_REPEAT_BYTES = 1 << 20

Mutation = Callable[[random.Random, bytes, bytes], bytes]


def _places(chance: random.Random, content: bytes) -> tuple[int, int]:
    """A stretch of *content*, short more often than long."""
    start = chance.randrange(len(content) + 1)
    longest = chance.choice((1, 4, 16, 64, len(content)))
    return start, min(len(content), start + chance.randint(0, longest))


def _remove(chance: random.Random, content: bytes, other: bytes) -> bytes:
    start, end = _places(chance, content)
    return content[:start] + content[end:]


def _repeat(chance: random.Random, content: bytes, other: bytes) -> bytes:
    """What makes a pattern with two ways to match slow, and a reader that calls itself overflow."""
    start, end = _places(chance, content)
    # 2000 times 300 kB would be a gigabyte, and look as if what is fuzzed had taken it.
    times = min(chance.choice((2, 3, 10, 100, 2000)), 2 + LONGEST_REPEAT_BYTES // (end - start + 1))
    return content[:start] + content[start:end] * times + content[end:]


def _insert(chance: random.Random, content: bytes, other: bytes) -> bytes:
    start, _ = _places(chance, content)
    return content[:start] + chance.choice(_STRANGE).encode() + content[start:]


def _flip(chance: random.Random, content: bytes, other: bytes) -> bytes:
    if not content:
        return other
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


def _splice(chance: random.Random, content: bytes, other: bytes) -> bytes:
    start, _ = _places(chance, content)
    low, high = _places(chance, other)
    return content[:start] + other[low:high] + content[start:]


def _replace(chance: random.Random, content: bytes, other: bytes) -> bytes:
    start, end = _places(chance, content)
    return content[:start] + chance.choice(_STRANGE).encode() + content[end:]


_MUTATIONS: Sequence[Mutation] = (_remove, _repeat, _insert, _flip, _splice, _replace)


def mutated(chance: random.Random, content: bytes, other: bytes, max_bytes: int) -> bytes:
    """*content* spoilt in one to four places, some of it with parts of *other*; at most *max_bytes*."""
    for _ in range(chance.randint(1, 4)):
        content = chance.choice(_MUTATIONS)(chance, content, other)[:max_bytes]
    return content
