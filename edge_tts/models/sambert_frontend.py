"""A sentence → the words of a KAN-TTS voice: Mandarin from characters or pinyin, everything else as English sounds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

from edge_tts.models import ipa
from edge_tts.speech import Alphabet, Sentence, Span
from edge_tts.text import arpabet, pinyin, sambert_symbols
from edge_tts.text.chinese_words import regrouped
from edge_tts.text.phonemes import Phonemizer
from edge_tts.text.sambert_symbols import Word

_BREATH = re.compile("([。！？；：，、…—,.!?;:\n]+)")
_ENUMERATION, _CLAUSE, _END = 2, 3, 4
_GIVEN_SYLLABLES = 4
"""A longer given pronunciation is more than one word: most have two syllables, no more than four."""


def words(sentence: Sentence, phonemizer: Phonemizer) -> tuple[list[Word], tuple[str, ...]]:
    """The words of *sentence*, the last with the mark of an end; and warnings about what cannot be said."""
    warnings: dict[str, None] = {}
    found: list[Word] = []
    for span in sentence.spans:
        is_chinese = span.language == "zh" if span.pronunciation is None else _is_pinyin(span)
        runs = _chinese(span, warnings) if is_chinese else _english(span, phonemizer, warnings)
        for said, mark in runs:
            found += said
            if found and mark:
                found[-1] = replace(found[-1], mark=mark)
    if found:
        found[-1] = replace(found[-1], mark=_END)
    return found, tuple(warnings)


def _is_pinyin(span: Span) -> bool:
    return span.pronunciation is not None and span.pronunciation.alphabet is Alphabet.PINYIN


def _chinese(span: Span, warnings: dict[str, None]) -> Iterator[tuple[list[Word], int]]:
    """Words, and the mark after the last of them; 0 where there is none."""
    if span.pronunciation is not None:
        given = [pinyin.parse(written) for written in span.pronunciation.symbols.split()]
        cut = [given[start : start + _GIVEN_SYLLABLES] for start in range(0, len(given), _GIVEN_SYLLABLES)]
        yield [each for word in cut for each in sambert_symbols.mandarin([word])], _mark(span.text[-1:])
        return
    parts = _BREATH.split(span.text)
    for text, marks in itertools.zip_longest(parts[::2], parts[1::2], fillvalue=""):
        for character in pinyin.unreadable(text):
            warnings[f"unknown_phoneme: {character!r} has no reading in Chinese"] = None
        breaths = [regrouped(breath) for breath in pinyin.words(text)]
        yield [word for breath in breaths for word in sambert_symbols.mandarin(breath)], _mark(marks)


def _english(
    span: Span, phonemizer: Phonemizer, warnings: dict[str, None]
) -> Iterator[tuple[list[Word], int]]:
    for clause in ipa.clauses(span, phonemizer):
        said, unknown = arpabet.from_ipa(clause.ipa)
        for letter in unknown:
            warnings[f"unknown_phoneme: this voice has no sound near {letter!r}"] = None
        yield [sambert_symbols.english(word) for word in said], _mark(clause.terminator)


def _mark(marks: str) -> int:
    if not _BREATH.fullmatch(marks):
        return 0
    return _ENUMERATION if set(marks) <= {"、"} else _CLAUSE
