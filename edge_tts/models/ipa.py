"""IPA as models want it: the clauses of a span, and what to say for a symbol that a voice never learned."""

from __future__ import annotations

import unicodedata
from collections.abc import Container

from edge_tts.errors import UnsupportedPronunciationError
from edge_tts.speech import Alphabet, Span
from edge_tts.text import arpabet, pinyin
from edge_tts.text.phonemes import Clause, Phonemizer, espeak_voice

LENGTH_MARKS = "ːˑ"

_NEAREST = {
    "ʤ": "dʒ", "ʧ": "tʃ", "ʦ": "ts", "ʣ": "dz", "g": "ɡ", "ɚ": "əɹ", "ɝ": "ɜːɹ", "ᵻ": "ɪ", "ᵊ": "ə", "ɫ": "l",
    "ʁ": "r", "ʀ": "r", "ɾ": "d", "ɽ": "ɾ", "ɻ": "ɹ", "r": "ɹ", "ɹ": "r", "χ": "x", "ɣ": "ɡ", "β": "b", "ɸ": "f",
    "ɱ": "m", "ɲ": "nj", "ɳ": "n", "ɴ": "ŋ", "ʎ": "lj", "ɭ": "l", "ɬ": "l", "ʟ": "l", "ɮ": "l", "ʂ": "ʃ",
    "ʐ": "ʒ", "ɕ": "ʃ", "ʑ": "ʒ", "ʈ": "t", "ɖ": "d", "c": "k", "ɟ": "ɡ", "q": "k", "ɢ": "ɡ", "ɡ": "g", "ç": "ʃ",
    "x": "h", "ʋ": "v", "ⱱ": "v", "ɥ": "j", "ɰ": "w", "ʍ": "w", "ɵ": "ø", "ø": "œ", "œ": "ə", "ɘ": "ə", "ɤ": "ʌ",
    "ʌ": "ɐ", "ɐ": "ə", "ɯ": "ʊ", "ɨ": "ɪ", "ʉ": "u", "ʏ": "y", "ɶ": "œ", "ɞ": "ɜ", "ɜ": "ɛ", "ɒ": "ɔ", "ɑ": "a",
    "a": "ɑ", "æ": "ɛ", "e": "ɛ", "o": "ɔ", "ɔ": "o", "u": "uː", "y": "yː", "i": "iː", "ɦ": "h", "ħ": "h",
    "ʕ": "ʔ", "θ": "s", "ð": "z", "b": "β", "ɓ": "b", "ɗ": "d", "ɠ": "ɡ", "ʘ": "p", "ǀ": "t", "ǁ": "l", "ǃ": "t",
}  # fmt: skip
"""A symbol → nearest sounds more voices know, by place and manner (the IPA chart); tried in turn."""

_UNSAID = frozenset("ʰʱʷʲˠˤˀ͡‿˞ˑːˈˌ.'|‖↗↘˥˦˧˨˩ˣˡⁿ-–\u200d")
"""Finer detail than these voices make: leaving it out loses no sound."""

_CLAUSE_MARKS = ".,?!;:"


def clauses(span: Span, phonemizer: Phonemizer, voice: str | None = None) -> list[Clause]:
    """The IPA of *span*, by espeak-ng's *voice* (that of its language by default) or as the user gave it. Raises
    UnsupportedPronunciationError if the given symbols are none."""
    given = span.pronunciation
    if given is None:
        return phonemizer.clauses(span.text, voice or espeak_voice(span.language))
    if given.alphabet is Alphabet.ARPABET:
        symbols = arpabet.to_ipa(given.symbols)
    elif given.alphabet is Alphabet.PINYIN:
        symbols = pinyin.to_ipa(given.symbols)
    else:
        symbols = given.symbols
    symbols = unicodedata.normalize("NFC", symbols.strip(" /[]"))
    if not symbols:
        raise UnsupportedPronunciationError(
            f"the {given.alphabet} pronunciation {given.symbols!r} has no symbols"
        )
    # A full stop that belongs to the sentence is written inside or after the span that carries the tag.
    terminator = span.text.rstrip()[-1:]
    return [Clause(symbols, terminator if terminator in _CLAUSE_MARKS else "")]


def nearest(symbol: str, known: Container[str]) -> list[str] | None:
    """*symbol* (a base letter and its marks) in terms of *known* symbols; [] if it has no sound of its own, None if
    nothing near it is known."""
    return _nearest(unicodedata.normalize("NFC", symbol), known, frozenset())


def _nearest(symbol: str, known: Container[str], tried: frozenset[str]) -> list[str] | None:
    if symbol in known:
        return [symbol]
    if symbol in tried:
        return None
    tried |= {symbol}
    if all(character in _UNSAID for character in symbol):
        return []
    base = "".join(
        c for c in unicodedata.normalize("NFD", symbol) if not unicodedata.combining(c) and c not in _UNSAID
    )
    # "aː" where only "a" is known, "ẽ" where only "e" is; then "u" where only "uː" is.
    for candidate in (symbol.rstrip(LENGTH_MARKS), base, *(base + mark for mark in LENGTH_MARKS[:1])):
        if candidate in known:
            return [candidate]
    for start in (symbol, base):
        if start in _NEAREST:
            sounds = [_nearest(each, known, tried) for each in symbols(_NEAREST[start])]
            if all(sound is not None for sound in sounds):
                return [each for sound in sounds if sound for each in sound]
    return None


def symbols(text: str) -> list[str]:
    """*text* in NFC cut into letters, each with the length and combining marks that follow it."""
    cut: list[str] = []
    for character in text:
        if cut and (character in LENGTH_MARKS or unicodedata.combining(character)) and not cut[-1].isspace():
            cut[-1] += character
        else:
            cut.append(character)
    return cut
