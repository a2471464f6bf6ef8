"""ARPAbet (the CMU dictionary's alphabet, stress digits 0 to 2 on vowels) to IPA and back.

Source of the table: https://en.wikipedia.org/wiki/ARPABET (General American column).
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence

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
_FROM_IPA = {
    "tʃ": "CH", "ʧ": "CH", "dʒ": "JH", "ʤ": "JH", "ts": "T S", "ʦ": "T S", "dz": "D Z",
    "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW", "ɔɪ": "OY", "ɔø": "OY", "ɔʏ": "OY",
    "iə": "IY AH", "n̩": "AH N", "l̩": "AH L", "m̩": "AH M", "ɜːɹ": "ER", "oːɹ": "AO R",
    "a": "AA", "ɑ": "AA", "ɒ": "AA", "æ": "AE", "ʌ": "AH", "ɐ": "AH", "ə": "AH", "ɔ": "AO", "ɛ": "EH", "e": "EY",
    "eː": "EY", "ɚ": "ER", "ɝ": "ER", "ɜ": "ER", "ɞ": "ER", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "i": "IY", "o": "OW",
    "ʊ": "UH", "ɵ": "UH", "u": "UW", "ʉ": "UW", "ɯ": "UW", "y": "Y UW", "ʏ": "Y UH", "ø": "ER", "œ": "ER", "ɘ": "AH",
    "ɤ": "AH", "ɶ": "AE",
    "b": "B", "β": "V", "d": "D", "ɖ": "D", "ð": "DH", "ɾ": "D", "f": "F", "ɸ": "F", "ɡ": "G", "g": "G", "ɣ": "G",
    "h": "HH", "ɦ": "HH", "ħ": "HH", "x": "HH", "χ": "HH", "ç": "SH", "ɕ": "SH", "ʂ": "SH", "ʃ": "SH", "k": "K",
    "q": "K", "c": "K", "l": "L", "ɫ": "L", "ɭ": "L", "ʎ": "L Y", "m": "M", "ɱ": "M", "n": "N", "ɳ": "N", "ɲ": "N Y",
    "ŋ": "NG", "ɴ": "NG", "p": "P", "ɹ": "R", "r": "R", "ɻ": "R", "ɽ": "R", "ʁ": "R", "ʀ": "R", "s": "S", "t": "T",
    "ʈ": "T", "θ": "TH", "v": "V", "ʋ": "V", "w": "W", "ʍ": "W", "ɥ": "Y", "j": "Y", "ʝ": "Y", "z": "Z", "ʒ": "ZH",
    "ʑ": "ZH", "ʐ": "ZH",
}  # fmt: skip
"""Sounds of other languages: the nearest that English has."""

_LONGEST = max(map(len, _FROM_IPA))
_UNSAID = frozenset("ːˑʔʰʱʷʲˠˤ͡‿|‖.'ˣ-")
"""English does without: length, aspiration, the glottal stop."""

_DIGITS = {"ˈ": "1", "ˌ": "2"}
_JOINS = {
    "R": "P B T D K G F TH SH", "L": "P B K G F S", "W": "T D K G TH S", "Y": "P B K F HH M V N",
    "P": "S", "T": "S", "K": "S", "M": "S", "N": "S", "F": "S",
}  # fmt: skip
"""A consonant → those that may stand before it at the beginning of an English syllable."""

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


def from_ipa(text: str) -> tuple[list[list[str]], list[str]]:
    """The words of *text* as symbols ("kˈlɛɹ" → K L EH1 R), and the letters that no English sound is near."""
    found: list[list[str]] = []
    unknown: list[str] = []
    for word in unicodedata.normalize("NFC", text).split():
        symbols: list[str] = []
        digit = "0"
        position = 0
        while position < len(word):
            length = next(
                (n for n in range(_LONGEST, 0, -1) if word[position : position + n] in _FROM_IPA), 0
            )
            if not length:
                letter = word[position]
                digit = _DIGITS.get(letter, digit)
                is_mark = letter in _DIGITS or letter in _UNSAID or unicodedata.combining(letter)
                unknown += [] if is_mark else [letter]
            for symbol in _FROM_IPA[word[position : position + length]].split() if length else ():
                is_vowel = symbol in _VOWELS
                symbols.append(symbol + digit if is_vowel else symbol)
                digit = "0" if is_vowel else digit
            position += length or 1
        if symbols:
            found.append(symbols)
    return found, unknown


def syllables(symbols: Sequence[str]) -> list[list[str]]:
    """The syllables of one word; consonants between two vowels go with the second as far as English words begin so."""
    vowels = [index for index, symbol in enumerate(symbols) if symbol.rstrip("012") in _VOWELS]
    starts = [0]
    for before, after in itertools.pairwise(vowels):
        start = after - 1 if after - 1 > before and symbols[after - 1] != "NG" else after
        while start - 1 > before and symbols[start - 1] in _JOINS.get(symbols[start], "").split():
            start -= 1
        starts.append(start)
    return [list(symbols[start:end]) for start, end in zip(starts, [*starts[1:], len(symbols)], strict=True)]
