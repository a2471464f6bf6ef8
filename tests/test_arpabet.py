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


@pytest.mark.parametrize(
    ("ipa", "symbols"),
    [
        ("həlˈoʊ wˈɜːld", "HH AH0 L OW1 | W ER1 L D"),
        ("bˈʌʔn̩ lˈɪɾəl", "B AH1 AH0 N | L IH1 D AH0 L"),
        ("ˌædmɚˈeɪʃən", "AE2 D M ER0 EY1 SH AH0 N"),
        ("tʃˈɜːtʃ dʒˈʌdʒ", "CH ER1 CH | JH AH1 JH"),
        ("fˈɔːɹ jˈɪɹ fˈaɪɚ", "F AO1 R | Y IH1 R | F AY1 ER0"),
        ("mˈyːlɐ bˈax", "M Y UW1 L AH0 | B AA1 HH"),
    ],
)
def test_ipa_as_symbols(ipa: str, symbols: str) -> None:
    words, unknown = arpabet.from_ipa(ipa)
    assert (" | ".join(map(" ".join, words)), unknown) == (symbols, [])


def test_letters_without_a_near_sound_are_named() -> None:
    assert arpabet.from_ipa("a☃ ǂ") == ([["AA0"]], ["☃", "ǂ"])


def test_symbols_survive_the_way_over_ipa() -> None:
    vowels = "AA0 AA1 AE2 AH0 AH1 AO1 AW1 AY2 EH1 ER0 ER1 EY1 IH0 IY1 OW1 OY1 UH1 UW2"
    consonants = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH"
    for symbol in f"{vowels} {consonants}".split():
        assert arpabet.from_ipa(arpabet.to_ipa(symbol)) == ([[symbol]], [])


@pytest.mark.parametrize(
    ("word", "syllables"),
    [
        ("HH AH0 L OW1", "HH AH0 . L OW1"),
        ("S IH1 NG ER0", "S IH1 NG . ER0"),
        ("EH1 K S T R AH0", "EH1 K . S T R AH0"),
        ("S T R EH1 NG K TH S", "S T R EH1 NG K TH S"),
        ("S", "S"),
        ("AY1 AH0 N", "AY1 . AH0 N"),
    ],
)
def test_words_come_apart_into_syllables(word: str, syllables: str) -> None:
    assert " . ".join(map(" ".join, arpabet.syllables(word.split()))) == syllables
