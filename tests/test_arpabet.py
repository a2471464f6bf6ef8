from __future__ import annotations

import pytest

from edge_tts.errors import MarkupError
from edge_tts.text import arpabet


@pytest.mark.parametrize(
    ("symbols", "ipa"),
    [
        ("K L EH1 R", "klˈɛɹ"),
        ("HH AH0 L OW1", "həlˈoʊ"),
        ("B AH1 T ER0", "bˈʌtɚ"),
        ("B ER1 D", "bˈɜːd"),
        ("AE2 D M ER0 EY1 SH AH0 N", "ˌædmɚˈeɪʃən"),
        ("k l eh1 r", "klˈɛɹ"),
        ("TH IH1 NG", "θˈɪŋ"),
        ("EH R", "ɛɹ"),
    ],
)
def test_symbols_as_ipa(symbols: str, ipa: str) -> None:
    assert arpabet.to_ipa(symbols) == ipa


@pytest.mark.parametrize("symbol", ["K1", "EH3", "EH11", "XX", "1", "Ä"])
def test_what_is_no_symbol_is_named(symbol: str) -> None:
    assert not arpabet.is_symbol(symbol)
    with pytest.raises(MarkupError, match=repr(symbol)):
        arpabet.to_ipa(f"K {symbol}")


def test_only_vowels_with_a_digit_are_stressed() -> None:
    assert [arpabet.is_stressed(s) for s in ("EH1", "EH0", "EH", "K", "WARNING1")] == [
        True,
        True,
        False,
        False,
        False,
    ]
