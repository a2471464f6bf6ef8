"""A sentence → the token sequences of the two-stage voice.

IPA for every language espeak-ng reads, initials and finals for Mandarin (`zh`). The model learned each from its own
recordings, Mandarin from single words without punctuation: so a sentence becomes phrases, each said in one run, with
silence between them where Chinese has punctuation.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from edge_tts.models import ipa
from edge_tts.speech import Alphabet, Sentence, Span
from edge_tts.text import pinyin
from edge_tts.text.phonemes import Phonemizer

START, END = "^", "$"
VOWELS = frozenset("aeiouyæøœɐɑɒɔəɚɛɜɪʊʌʏᵻ")
"""First letters of the symbols that carry a clause's stress marks."""

STRESS = {"ˈ": 1, "ˌ": 2}
TONE_ACCENT = 2
"""Accent of tone 1 is 3, of tone 5 (neutral) 7."""

INITIALS = frozenset(f"@{initial}" for initial in ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcsyw"))
BREATH = re.compile("([。！？；：，、…—,.!?;:\n]+)")
"""Marks that Chinese breathes at."""

NEAR_MARKS = {"!": ".", "?": ".", ".": ",", ";": ",.", ":": ",.", ",": "."}
"""A mark at the end of a clause → what sounds like it, for voices that learned from few texts."""

SHORT_PAUSE_S, PAUSE_S, LONG_PAUSE_S = 0.12, 0.16, 0.2
"""After 、 — after ， and the like — after what ends a sentence."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """What the model says in one run."""

    symbols: tuple[str, ...]
    """START, symbols of the token table, END."""

    accents: tuple[int, ...]
    """One for each symbol: 0 none, 1 and 2 stress, 3 to 7 tones."""

    pause_s: float = 0.0
    """Silence after it, at speed 1."""

    def __str__(self) -> str:
        """For people: stress marks before their vowels; pinyin with tone numbers."""
        said = []
        for symbol, accent in zip(self.symbols[1:-1], self.accents[1:-1], strict=True):
            if symbol.startswith("@"):
                # The accent sits on both halves of a syllable; the final closes it.
                said.append(symbol[1:] if symbol in INITIALS else f"{symbol[1:]}{accent - TONE_ACCENT} ")
            else:
                said.append({1: "ˈ", 2: "ˌ"}.get(accent, "") + symbol)
        return "".join(said).strip()


@dataclass(slots=True)
class _Draft:
    """A phrase being written."""

    symbols: list[str] = field(default_factory=list)
    accents: list[int] = field(default_factory=list)

    def add(self, symbol: str, accent: int = 0) -> None:
        self.symbols.append(symbol)
        self.accents.append(accent)

    def end_word(self) -> None:
        """No space before what follows."""
        if self.symbols and self.symbols[-1] == " ":
            self.symbols.pop()
            self.accents.pop()

    def phrase(self, pause_s: float) -> Phrase:
        self.end_word()
        return Phrase((START, *self.symbols, END), (0, *self.accents, 0), pause_s)


def phrases(
    sentence: Sentence, known: Mapping[str, int], phonemizer: Phonemizer
) -> tuple[list[Phrase], tuple[str, ...]]:
    """The phrases of *sentence* and warnings about what cannot be said. *known* are the tokens of the voice."""
    warnings: dict[str, None] = {}
    found: list[Phrase] = []
    for is_chinese, spans in itertools.groupby(sentence.spans, key=_is_chinese):
        if is_chinese:
            found += _chinese(spans, known, warnings)
        else:
            found += _alphabetic(spans, known, phonemizer, warnings)
    if found:
        # What follows the sentence is the sentence's own pause.
        found[-1] = replace(found[-1], pause_s=0.0)
    return found, tuple(warnings)


def _is_chinese(span: Span) -> bool:
    if span.pronunciation is not None:
        return span.pronunciation.alphabet is Alphabet.PINYIN
    return span.language == "zh"


def _alphabetic(
    spans: Iterable[Span], known: Mapping[str, int], phonemizer: Phonemizer, warnings: dict[str, None]
) -> Iterator[Phrase]:
    draft = _Draft()
    for span in spans:
        for clause in ipa.clauses(span, phonemizer):
            if draft.symbols and draft.symbols[-1] != " ":
                draft.add(" ")
            _add_ipa(draft, clause.ipa, known, warnings)
            if clause.terminator and draft.symbols:
                draft.end_word()
                near = (clause.terminator, *NEAR_MARKS.get(clause.terminator, ""))
                for mark in [mark for mark in near if mark in known][:1]:
                    draft.add(mark)
    if any(symbol[0].isalpha() for symbol in draft.symbols):
        yield draft.phrase(0.0)


def _add_ipa(draft: _Draft, text: str, known: Mapping[str, int], warnings: dict[str, None]) -> None:
    """Append the symbols of *text*; a stress mark becomes the accent of the next vowel."""
    stress = 0
    # Inside a raw pronunciation there may be "(en)" flags and clause marks of the user's own.
    for symbol in ipa.symbols(unicodedata.normalize("NFC", re.sub(r"\([a-z-]+\)", "", text))):
        if symbol in STRESS:
            stress = STRESS[symbol]
            continue
        if symbol.isspace():
            if draft.symbols and draft.symbols[-1] != " ":
                draft.add(" ")
            continue
        sounds = ipa.nearest(symbol, known)
        if sounds is None:
            warnings[f"unknown_phoneme: this voice has no sound near {symbol!r}"] = None
            continue
        for sound in sounds:
            if stress and sound[0] in VOWELS:
                draft.add(sound, stress)
                stress = 0
            else:
                draft.add(sound)


def _chinese(spans: Iterable[Span], known: Mapping[str, int], warnings: dict[str, None]) -> Iterator[Phrase]:
    draft = _Draft()
    for span in spans:
        for syllables, marks in _runs(span, warnings):
            for syllable in syllables:
                _add_syllable(draft, syllable, known, warnings)
            pause_s = _pause_s(marks)
            if pause_s and draft.symbols:
                yield draft.phrase(pause_s)
                draft = _Draft()
    if draft.symbols:
        yield draft.phrase(0.0)


def _runs(span: Span, warnings: dict[str, None]) -> Iterator[tuple[list[pinyin.Syllable], str]]:
    """Syllables of what is said in one breath, and the marks up to the next."""
    if span.pronunciation is not None:
        # The text of a tag or lexicon word is not read, but punctuation right after it belongs to it.
        breath = BREATH.search(span.text[-1:])
        yield (
            [pinyin.parse(written) for written in span.pronunciation.symbols.split()],
            breath.group() if breath else "",
        )
        return
    parts = BREATH.split(span.text)
    for text, marks in itertools.zip_longest(parts[::2], parts[1::2], fillvalue=""):
        for character in pinyin.unreadable(text):
            warnings[f"unknown_phoneme: {character!r} has no reading in Chinese"] = None
        yield pinyin.syllables(text), marks


def _add_syllable(
    draft: _Draft, syllable: pinyin.Syllable, known: Mapping[str, int], warnings: dict[str, None]
) -> None:
    halves = [f"@{half}" for half in (syllable.initial, syllable.final) if half]
    if not all(half in known for half in halves):
        warnings[f"unknown_phoneme: this voice has no {syllable.initial}{syllable.final}{syllable.tone}"] = (
            None
        )
        return
    for half in halves:
        draft.add(half, TONE_ACCENT + syllable.tone)


def _pause_s(marks: str) -> float:
    """Silence for the marks between two breaths of Chinese."""
    if not marks:
        return 0.0
    if set(marks) <= {"、"}:
        return SHORT_PAUSE_S
    return PAUSE_S if set(marks) <= set("、，,") else LONG_PAUSE_S
