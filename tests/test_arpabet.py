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


@pytest.mark.parametrize(
    "vowel", ["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"]
)
@pytest.mark.parametrize("stress", "012")
def test_every_vowel_survives_the_way_back(vowel: str, stress: str) -> None:
    symbols = f"K {vowel}{stress} T"
    assert arpabet.from_ipa(arpabet.to_ipa(symbols)) == symbols


def test_espeaks_ipa_as_symbols() -> None:
    assert arpabet.from_ipa("ɡʊd mˈɔːɹnɪŋ") == "G UH0 D M AO1 R N IH0 NG"
    assert arpabet.from_ipa("ˈklɛr") == "K L EH1 R"
    with pytest.raises(MarkupError, match="'ç'"):
        arpabet.from_ipa("ɪç")


def test_only_vowels_with_a_digit_are_stressed() -> None:
    assert [arpabet.is_stressed(s) for s in ("EH1", "EH0", "EH", "K", "WARNING1")] == [
        True,
        True,
        False,
        False,
        False,
    ]
