from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.text.sentences import split
from tests.golden_files import cases

LANGUAGES = ("en", "de", "zh")
# Arbitrary Unicode, and text dense in what the rules look at.
TEXTS = st.one_of(st.text(), st.text(alphabet="aB 3.!?…,;:–\"')\n。，！”\u0301\u200d\ufe0f", max_size=120))


@pytest.mark.parametrize(("written", "expected"), cases("sentences_en.txt"))
def test_english_sentences(written: str, expected: str) -> None:
    assert "|".join(split(written, "en-US")) == expected


@pytest.mark.parametrize(("written", "expected"), cases("sentences_de.txt"))
def test_german_sentences(written: str, expected: str) -> None:
    assert "|".join(split(written, "de")) == expected


@pytest.mark.parametrize(("written", "expected"), cases("sentences_zh.txt"))
def test_chinese_sentences(written: str, expected: str) -> None:
    assert "|".join(split(written, "zh")) == expected


@given(TEXTS, st.sampled_from(LANGUAGES), st.integers(1, 300), st.booleans())
def test_nothing_is_lost_and_every_piece_fits(text: str, language: str, limit: int, early: bool) -> None:
    pieces = split(text, language, max_characters=limit, first_early=early)
    assert "".join(pieces) == text
    assert all(1 <= len(piece) <= limit for piece in pieces)


def test_no_text_has_no_sentences() -> None:
    assert split("", "en") == []


def test_a_long_sentence_is_cut_after_a_clause() -> None:
    text = "one two three four, five six seven eight nine ten eleven"
    assert split(text, "en", max_characters=30) == [
        "one two three four, ",
        "five six seven eight nine ten ",
        "eleven",
    ]


def test_a_clause_mark_too_early_is_no_place_to_cut() -> None:
    assert split("No, " + "word " * 8, "en", max_characters=25)[0] == "No, word word word word "


def test_text_without_any_break_is_cut_between_characters_and_not_inside_one() -> None:
    # "e" and its accent are one character to the ear: the cut at 5 would part them.
    assert split("aaaae\u0301bb", "en", max_characters=5) == ["aaaa", "e\u0301bb"]


def test_a_letter_with_more_accents_than_fit_is_cut_all_the_same() -> None:
    assert split("e" + "\u0301" * 7, "en", max_characters=4) == ["e\u0301\u0301\u0301", "\u0301" * 4]


def test_the_first_clause_is_not_early_when_not_wanted() -> None:
    text = (
        "The washing machine has finished its long programme, so please take the laundry out and hang it up."
    )
    assert split(text, "en", first_early=False) == [text]


@pytest.mark.parametrize("limit", [0, -1])
def test_an_impossible_limit_is_an_error(limit: int) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        split("Hello.", "en", max_characters=limit)


@pytest.mark.parametrize("pattern", ["! ", ", ", ". ", "\n\n", "\n ", "Dr. ", ".", "。", "\u0301", "!)", " "])
def test_hostile_text_of_100_000_characters_is_split(pattern: str) -> None:
    # "- - -" became ", , ,": looking at the whole head for every comma took a minute.
    text = pattern * (100_000 // len(pattern)) + "x"
    assert "".join(split(text, "de")) == text
