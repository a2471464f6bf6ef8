"""A sentence → the words of an EmotiVoice voice: Mandarin by its syllables, everything else as English sounds."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from edge_tts.models import english
from edge_tts.speech import Alphabet, Sentence, Span
from edge_tts.text import emotivoice_symbols
from edge_tts.text.chinese_words import breaths
from edge_tts.text.emotivoice_symbols import Word
from edge_tts.text.phonemes import Phonemizer
from edge_tts.text.pronouncing import PronouncingDictionary

_MARKS = dict(zip("。！？；：，、…—,.!?;:\n", ".!?,,,,,,,.!?,,,", strict=True))


@dataclass(frozen=True)
class Reader:
    """What a voice knows of words."""

    tokens: Container[str]
    dictionary: PronouncingDictionary
    phonemizer: Phonemizer

    def words(self, sentence: Sentence) -> tuple[list[Word], tuple[str, ...]]:
        """The words of *sentence*, and warnings about what cannot be said."""
        warnings: dict[str, None] = {}
        found: list[Word] = []
        for span in sentence.spans:
            given = span.pronunciation
            is_chinese = span.language == "zh" if given is None else given.alphabet is Alphabet.PINYIN
            for words, mark in self._chinese(span, warnings) if is_chinese else self._english(span, warnings):
                found += words
                if found and mark:
                    found[-1] = replace(found[-1], mark=mark)
        return found, tuple(warnings)

    def _chinese(self, span: Span, warnings: dict[str, None]) -> Iterator[tuple[list[Word], str]]:
        for breath, marks in breaths(span, warnings):
            said: list[Word] = []
            for word, unknown in emotivoice_symbols.mandarin(breath, self.tokens):
                for syllable in unknown:
                    warnings[f"unknown_phoneme: this voice has no {syllable}"] = None
                said += [word] if word.tokens else []
            yield said, _MARKS.get(marks[-1:], "")

    def _english(self, span: Span, warnings: dict[str, None]) -> Iterator[tuple[list[Word], str]]:
        for words, mark in english.spoken(span, self.dictionary, self.phonemizer, warnings):
            yield self._known(words, warnings), _MARKS.get(mark, "")

    def _known(self, words: Sequence[Sequence[str]], warnings: dict[str, None]) -> list[Word]:
        found = []
        for word in map(emotivoice_symbols.english, words):
            for token in word.tokens:
                if token not in self.tokens:
                    warnings[f"unknown_phoneme: this voice has no {token}"] = None
            kept = tuple(token for token in word.tokens if token in self.tokens)
            found += [replace(word, tokens=kept)] if kept else []
        return found
