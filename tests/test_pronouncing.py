"""The pronouncing dictionary: a sorted file that is searched where it lies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.text.pronouncing import PronouncingDictionary

WORDS = st.dictionaries(st.text("abcz'é-", min_size=1, max_size=6), st.sampled_from(["K", "AA1 K", "Z IY0"]))


@given(WORDS)
def test_it_knows_what_is_in_it_and_nothing_else(words: dict[str, str]) -> None:
    lines = sorted(f"{word} {symbols}".encode() for word, symbols in words.items())
    dictionary = PronouncingDictionary(b"\n".join(lines) + b"\n")
    assert {word: dictionary.get(word) for word in words} == {w: s.split() for w, s in words.items()}
    for word in ("", "a", "abc", "zzzzzzz", "q"):
        assert bool(dictionary.get(word)) == (word in words)


@pytest.mark.parametrize("content", [b"b B\na AH0\n", b"a\n", b"a AH0\n\nb B\n"])
def test_what_is_not_sorted_or_has_no_sounds_is_refused_with_its_line(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"line \d"):
        PronouncingDictionary(content)
