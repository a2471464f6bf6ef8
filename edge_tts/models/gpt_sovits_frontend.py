"""A sentence → the symbols of a GPT-SoVITS voice: Mandarin, Japanese, and everything else as English sounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_tts.models import english
from edge_tts.speech import Alphabet, Reference, Sentence, Span
from edge_tts.text import gpt_sovits_symbols, japanese
from edge_tts.text.chinese_words import BREATH
from edge_tts.text.gpt_sovits_symbols import MARKS, Run, is_mark
from edge_tts.text.languages import by_script, primary
from edge_tts.text.normalize import normalize
from edge_tts.text.phonemes import Phonemizer
from edge_tts.text.pinyin import Syllable, parse, syllables, unreadable
from edge_tts.text.pronouncing import PronouncingDictionary

FIRST = "。"
"""Before every text, or the first syllable may be swallowed; and after one without a mark."""


@dataclass(frozen=True)
class Reader:
    """What a voice knows of words."""

    dictionary: PronouncingDictionary
    phonemizer: Phonemizer
    languages: tuple[str, ...]

    def runs(self, sentence: Sentence) -> tuple[list[Run], tuple[str, ...]]:
        """What is said of *sentence*, and warnings about what cannot be; [] if there is nothing. Raises
        UnsupportedPronunciationError."""
        warnings: dict[str, None] = {}
        found: list[Run] = []
        for span in sentence.spans:
            given = span.pronunciation
            is_chinese = span.language == "zh" if given is None else given.alphabet is Alphabet.PINYIN
            if is_chinese:
                made = self._chinese(span, warnings)
            elif span.language == "ja" and given is None:
                made = _japanese(span)
            else:
                made = self._english(span, warnings)
            for run in made:
                # Of marks in a row only the first: where there are several, the words of the clip may be heard again.
                if run.symbols and not (is_mark(run) and (not found or is_mark(found[-1]))):
                    found.append(run)
        if not found:
            return [], tuple(warnings)
        first, last = (_mark(FIRST, is_chinese=bool(found[place].characters)) for place in (0, -1))
        return [first, *found, *([] if is_mark(found[-1]) else [last])], tuple(warnings)

    def runs_of(self, reference: Reference) -> list[Run]:
        """What is said in a clip."""
        default = reference.language or self.languages[0]
        spans = tuple(
            Span(normalize(text, language), language)
            for text, language in by_script(reference.text, default, (*self.languages, default))
        )
        return self.runs(Sentence(spans, primary(default)))[0]

    def _chinese(self, span: Span, warnings: dict[str, None]) -> Iterator[Run]:
        if span.pronunciation is not None:
            given = [parse(written) for written in span.pronunciation.symbols.split()]
            yield _syllables(given, warnings)
            # What follows a given pronunciation may belong to it.
            yield _mark(span.text[-1:], is_chinese=True)
            return
        for text in BREATH.split(span.text):
            if BREATH.fullmatch(text):
                yield _mark(text[-1], is_chinese=True)
                continue
            for character in unreadable(text):
                warnings[f"unknown_phoneme: {character!r} has no reading in Chinese"] = None
            yield _syllables(syllables(text), warnings)

    def _english(self, span: Span, warnings: dict[str, None]) -> Iterator[Run]:
        for words, mark in english.spoken(span, self.dictionary, self.phonemizer, warnings):
            yield _arpabet([symbol for word in words for symbol in word], warnings)
            yield _mark(mark, is_chinese=False)


def _syllables(said: Sequence[Syllable], warnings: dict[str, None]) -> Run:
    symbols: list[str] = []
    characters = []
    for syllable in said:
        spelled = gpt_sovits_symbols.mandarin(syllable)
        if spelled is None:
            warnings[
                f"unknown_phoneme: this voice has no {syllable.initial}{syllable.final}{syllable.tone}"
            ] = None
            continue
        symbols += spelled
        # What was written as pinyin has no character; BERT is told that something unknown stands there.
        characters.append(syllable.hanzi or "[UNK]")
    return Run(tuple(symbols), tuple(characters), (2,) * len(characters))


def _arpabet(symbols: Sequence[str], warnings: dict[str, None]) -> Run:
    said, unknown = gpt_sovits_symbols.english(symbols)
    for symbol in unknown:
        warnings[f"unknown_phoneme: this voice has no {symbol}"] = None
    return Run(said)


def _mark(written: str, *, is_chinese: bool) -> Run:
    """BERT was asked about Chinese only when the voices learned."""
    mark = MARKS.get(written, "")
    if not mark:
        return Run(())
    return Run((mark,), (written,), (1,)) if is_chinese else Run((mark,))


def _japanese(span: Span) -> Iterator[Run]:
    for text in japanese.MARKS.split(span.text):
        if japanese.MARKS.fullmatch(text):
            yield _mark(text.strip()[-1:], is_chinese=False)
        elif text:
            yield Run(gpt_sovits_symbols.japanese(japanese.phones(text)))
