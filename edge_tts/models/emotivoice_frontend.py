"""A sentence → the words of an EmotiVoice voice: Mandarin by its syllables, everything else as English sounds."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from edge_tts.models import ipa
from edge_tts.speech import Alphabet, Sentence, Span
from edge_tts.text import arpabet, emotivoice_symbols
from edge_tts.text.chinese_words import breaths
from edge_tts.text.emotivoice_symbols import Word
from edge_tts.text.phonemes import Phonemizer
from edge_tts.text.pronouncing import PronouncingDictionary
from edge_tts.text.sounds import words_only

_MARKS = dict(zip("。！？；：，、…—,.!?;:\n", ".!?,,,,,,,.!?,,,", strict=True))
_WORD_OR_MARK = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]")


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
        for span in words_only(sentence.spans, warnings):
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
        if span.pronunciation is not None or span.language != "en":
            yield from self._by_ipa(span, warnings)
            return
        for match in _WORD_OR_MARK.finditer(span.text):
            written = match[0]
            known = self.dictionary.get(written.lower().replace("’", "'"))
            if known:
                yield self._known([known], warnings), ""
            elif written[0].isalnum():
                yield from self._by_ipa(replace(span, text=written), warnings)
            else:
                yield [], _MARKS.get(written, "")

    def _by_ipa(self, span: Span, warnings: dict[str, None]) -> Iterator[tuple[list[Word], str]]:
        for clause in ipa.clauses(span, self.phonemizer):
            said, unknown = arpabet.from_ipa(clause.ipa)
            for letter in unknown:
                warnings[f"unknown_phoneme: this voice has no sound near {letter!r}"] = None
            # Beside Chinese, what follows a given pronunciation is a mark of Chinese.
            mark = clause.terminator or (span.text[-1:] if span.pronunciation else "")
            yield self._known(said, warnings), _MARKS.get(mark, "")

    def _known(self, words: Sequence[Sequence[str]], warnings: dict[str, None]) -> list[Word]:
        found = []
        for word in map(emotivoice_symbols.english, words):
            for token in word.tokens:
                if token not in self.tokens:
                    warnings[f"unknown_phoneme: this voice has no {token}"] = None
            kept = tuple(token for token in word.tokens if token in self.tokens)
            found += [replace(word, tokens=kept)] if kept else []
        return found
