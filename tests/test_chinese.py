from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.text import chinese
from tests.golden_files import cases


@pytest.mark.parametrize(("text", "expected"), cases("normalize_zh.txt"))
def test_read_aloud(text: str, expected: str) -> None:
    assert chinese.normalize(text).strip() == expected


@pytest.mark.parametrize("unit", chinese.UNITS)
def test_every_unit_is_said_after_a_number(unit: str) -> None:
    assert chinese.normalize(f"约3{unit}。") == f"约三{chinese.UNITS[unit]}。"


@given(st.text(alphabet="0123456789.,:-/%元年月日点第￥℃ 个到A", max_size=24))
def test_no_digit_is_left_over_and_nothing_fails(text: str) -> None:
    assert not any(character in "0123456789" for character in chinese.normalize(text))


@given(st.text(alphabet="你我他好洗衣机完成温度。，！？", max_size=24))
def test_words_stay(text: str) -> None:
    def words(text: str) -> str:
        return "".join(c for c in text if c not in "。，！？")

    assert words(chinese.normalize(text)) == words(text)


def test_hostile_text_takes_no_time() -> None:
    # A pattern that backtracks would run for hours on these.
    for text in (
        "1" * 5000,
        "1." * 3000,
        "-" * 5000,
        "1-" * 3000,
        "2:" * 3000,
        "（" * 5000,
        "…" * 5000,
        "1," * 3000,
    ):
        chinese.normalize(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The dotted line of a table of contents kept the synth thread busy for hours.
        ("目录" + "." * 200 + "12", "目录，十二"),
        ("完" + "." * 10_000, "完。"),
        ("好" + "…。。..." * 1000 + "吧", "好，吧"),
    ],
)
def test_a_dotted_line_is_one_pause(text: str, expected: str) -> None:
    assert chinese.normalize(text) == expected
