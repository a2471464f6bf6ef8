"""A sentence → the words of a KAN-TTS voice: Mandarin from characters or pinyin, everything else as English sounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edge_tts.models import english
from edge_tts.speech import Alphabet, Sentence, Span
from edge_tts.text import sambert_symbols
from edge_tts.text.chinese_words import BREATH, breaths
from edge_tts.text.phonemes import Phonemizer
from edge_tts.text.sambert_symbols import Word

_ENUMERATION, _CLAUSE, _END = 2, 3, 4


def words(sentence: Sentence, phonemizer: Phonemizer) -> tuple[list[Word], tuple[str, ...]]:
    """The words of *sentence*, the last with the mark of an end; and warnings about what cannot be said."""
    warnings: dict[str, None] = {}
    found: list[Word] = []
    for span in sentence.spans:
        is_chinese = span.language == "zh" if span.pronunciation is None else _is_pinyin(span)
        runs = _chinese(span, warnings) if is_chinese else _english(span, phonemizer, warnings)
        for said, marks in runs:
            mark = _mark(marks)
            found += said
            if found and mark:
                found[-1] = replace(found[-1], mark=mark)
    if found:
        found[-1] = replace(found[-1], mark=_END)
    return found, tuple(warnings)


def _is_pinyin(span: Span) -> bool:
    return span.pronunciation is not None and span.pronunciation.alphabet is Alphabet.PINYIN


def _chinese(span: Span, warnings: dict[str, None]) -> Iterator[tuple[list[Word], str]]:
    for breath, marks in breaths(span, warnings):
        if span.pronunciation is None:
            yield sambert_symbols.mandarin(breath), marks
        else:
            # Each is a word as it was given: no two of them make a foot.
            yield [each for word in breath for each in sambert_symbols.mandarin([word])], marks


def _english(
    span: Span, phonemizer: Phonemizer, warnings: dict[str, None]
) -> Iterator[tuple[list[Word], str]]:
    for said, mark in english.by_ipa(span, phonemizer, warnings):
        yield [sambert_symbols.english(word) for word in said], mark


def _mark(marks: str) -> int:
    if not BREATH.fullmatch(marks):
        return 0
    return _ENUMERATION if set(marks) <= {"、"} else _CLAUSE
