"""Japanese as it is said, and what the house says where nothing is installed to read it."""

from __future__ import annotations

import sys

import pytest

from edge_tts.errors import UnsupportedPronunciationError
from edge_tts.text.japanese import katakana, phones
from edge_tts.text.normalize import normalize
from tests.golden_files import cases


@pytest.fixture
def without_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a house that has not installed it."""
    monkeypatch.setitem(sys.modules, "pyopenjtalk", None)


@pytest.mark.parametrize(("text", "expected"), cases("japanese.txt"))
def test_text_becomes_katakana(text: str, expected: str) -> None:
    assert katakana(normalize(text, "ja-JP")) == expected


@pytest.mark.usefixtures("without_reader")
def test_without_its_reader_it_says_what_to_install() -> None:
    for read in (phones, katakana):
        with pytest.raises(
            UnsupportedPronunciationError, match=r"pip install 'edge-tts-appliance\[japanese\]'"
        ):
            read("今日は")
    assert katakana("こんにちは、セカイ。") == "こんにちは、セカイ。"


@pytest.mark.parametrize(
    "text", ["", " ", "。", "ー", "っ", "𛀀", "☆♪", "a" * 3000, "あ" * 3000, "漢" * 3000, "1" * 3000]
)
def test_odd_text_is_read_or_passed_over(text: str) -> None:
    spoken = normalize(text, "ja")
    assert set(phones(spoken)) < set("aiueoIUNkgsztdnhbpmyrw") | {
        "cl",
        "pau",
        "sh",
        "ch",
        "ts",
        "ky",
        "gy",
        "j",
        "f",
        "v",
    }
    assert not katakana(spoken).startswith("、")
