from __future__ import annotations

import pytest

from edge_tts.text import say_as
from edge_tts.text.normalize import normalize


@pytest.mark.parametrize(
    ("text", "kind", "form", "language", "expected"),
    [
        ("AI", "characters", "", "en", "eigh I"),
        ("4711", "digits", "", "en", "four seven one one"),
        ("4711", "digits", "", "de", "vier sieben eins eins"),
        ("2026", "digits", "", "zh", "二 零 二 六"),
        ("1984", "cardinal", "", "en", "one thousand nine hundred and eighty-four"),
        ("3", "ordinal", "", "zh", "第三"),
        ("3/4/2026", "date", "mdy", "zh", "二零二六年三月四日"),
        ("3/4/2026", "date", "dmy", "zh", "二零二六年四月三日"),
    ],
)
def test_normalisation_reads_it_as_asked(
    text: str, kind: str, form: str, language: str, expected: str
) -> None:
    assert normalize(say_as.spoken(text, kind, form, language), language) == expected


def test_an_unknown_kind_changes_nothing() -> None:
    assert not say_as.is_known("poem")
    assert say_as.spoken(" 3 ", "poem", "", "en") == " 3 "
