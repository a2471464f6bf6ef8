"""ARPAbet (the CMU dictionary's alphabet, stress digits 0 to 2 on vowels) to IPA.

Source of the table: https://en.wikipedia.org/wiki/ARPABET (General American column).
"""

from __future__ import annotations

from edge_tts.errors import MarkupError

_VOWELS = {
    "AA": "ɑː", "AE": "æ", "AH": "ʌ", "AO": "ɔː", "AW": "aʊ", "AX": "ə", "AXR": "ɚ", "AY": "aɪ", "EH": "ɛ",
    "ER": "ɜː", "EY": "eɪ", "IH": "ɪ", "IX": "ᵻ", "IY": "iː", "OW": "oʊ", "OY": "ɔɪ", "UH": "ʊ", "UW": "uː",
    "UX": "uː",
}  # fmt: skip
_UNSTRESSED = {"AH": "ə", "ER": "ɚ"}
"""Vowels that are another sound when their stress digit is 0."""

_CONSONANTS = {
    "B": "b", "CH": "tʃ", "D": "d", "DH": "ð", "DX": "ɾ", "EL": "əl", "EM": "əm", "EN": "ən", "F": "f", "G": "ɡ",
    "HH": "h", "H": "h", "JH": "dʒ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ", "NX": "ɾ", "P": "p",
    "Q": "ʔ", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "V": "v", "W": "w", "WH": "w", "Y": "j",
    "Z": "z", "ZH": "ʒ",
}  # fmt: skip
_STRESS = {"0": "", "1": "ˈ", "2": "ˌ", "": ""}


def is_symbol(symbol: str) -> bool:
    return _sound(symbol) is not None


def is_stressed(symbol: str) -> bool:
    """Whether it is a vowel with a stress digit; "EH1" is, "EH" and "K" are not."""
    return is_symbol(symbol) and symbol[-1].isdecimal()


def to_ipa(symbols: str) -> str:
    """The IPA of symbols separated by spaces: "K L EH1 R" → "klˈɛɹ". Raises MarkupError naming what is none."""
    found = ""
    for symbol in symbols.split():
        sound = _sound(symbol)
        if sound is None:
            raise MarkupError(
                f"{symbol!r} is no ARPAbet symbol; expected vowels such as EH1 and consonants such as K"
            )
        found += sound
    return found


def _sound(symbol: str) -> str | None:
    letters = symbol.upper().rstrip("012")
    digit = symbol[len(letters) :]
    if letters in _VOWELS and digit in _STRESS:
        sound = _UNSTRESSED.get(letters, _VOWELS[letters]) if digit == "0" else _VOWELS[letters]
        return _STRESS[digit] + sound
    return _CONSONANTS.get(letters) if not digit else None
