from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.errors import MarkupError
from edge_tts.speech import Segment
from edge_tts.text import markup
from tests.golden_files import cases


def shown(segment: Segment) -> str:
    if segment.pronunciation:
        return f"{segment.pronunciation.alphabet}{{{segment.pronunciation.symbols}}}"
    return segment.text or f"pause{{{segment.pause_s}}}"


@pytest.mark.parametrize(("text", "expected"), cases("markup.txt"))
def test_tags(text: str, expected: str) -> None:
    assert "|".join(map(shown, markup.parse(text))) == expected


@pytest.mark.parametrize("tag", ["[pause 10.5s]", "[pause 10001ms]", "[pause 999999999s]"])
def test_a_pause_too_long_says_the_limit(tag: str) -> None:
    with pytest.raises(MarkupError, match="10 seconds"):
        markup.parse(f"wait {tag} here")


def test_no_text_is_no_segment() -> None:
    assert markup.parse("") == []


@given(
    st.lists(
        st.sampled_from(["[", "]", "h", "ào", "hao4", "K", "EH1", "pause ", "5", " ", "你", "[h]", "[[x]]"])
    )
)
def test_nothing_is_lost(parts: list[str]) -> None:
    text = "".join(parts)
    assert "".join(segment.text for segment in markup.parse(text)) == text


def test_hostile_text_takes_no_time() -> None:
    for text in ("[" * 20000, "[a]" * 7000, "[[" * 10000 + "]]", "[pause " * 3000):
        markup.parse(text)
