"""English as the voices that learned ARPAbet are given it: words by a dictionary, others by what espeak-ng says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from edge_tts.models import ipa
from edge_tts.speech import Span
from edge_tts.text import arpabet
from edge_tts.text.phonemes import Phonemizer
from edge_tts.text.pronouncing import PronouncingDictionary

Words = Sequence[Sequence[str]]
"""Each of ARPAbet symbols."""

_WORD_OR_MARK = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]")


def spoken(
    span: Span, dictionary: PronouncingDictionary, phonemizer: Phonemizer, warnings: dict[str, None]
) -> Iterator[tuple[Words, str]]:
    """The words of *span*, and the mark that follows them, "" for none; other languages by their sounds."""
    if span.pronunciation is not None or span.language != "en":
        yield from by_ipa(span, phonemizer, warnings)
        return
    for match in _WORD_OR_MARK.finditer(span.text):
        written = match[0]
        known = dictionary.get(written.lower().replace("’", "'"))
        if known:
            yield [known], ""
        elif written[0].isalnum():
            yield from by_ipa(replace(span, text=written), phonemizer, warnings)
        else:
            yield [], written


def by_ipa(span: Span, phonemizer: Phonemizer, warnings: dict[str, None]) -> Iterator[tuple[Words, str]]:
    for clause in ipa.clauses(span, phonemizer):
        said, unknown = arpabet.from_ipa(clause.ipa)
        for letter in unknown:
            warnings[f"unknown_phoneme: this voice has no sound near {letter!r}"] = None
        # Beside Chinese, what follows a given pronunciation is a mark of Chinese.
        yield said, clause.terminator or (span.text[-1:] if span.pronunciation else "")
