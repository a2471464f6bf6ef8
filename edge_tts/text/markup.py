"""Inline tags in plain text: pinyin `她[h][ào]干净`, ARPAbet `[K][L][EH1][R]`, IPA `[[ kˈleə ]]`, `[pause 0.5s]`,
`[breath]`.

Brackets that are no tag are text: "[1]", "[sic]", "[WARNING]".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from edge_tts.errors import MarkupError
from edge_tts.speech import Alphabet, Pronunciation, Segment
from edge_tts.text import arpabet, pinyin
from edge_tts.text.sounds import SOUNDS

MAX_PAUSE_S = 10.0

_SOUND = "|".join(map(re.escape, SOUNDS))
_TAG = re.compile(
    r"\[\[[ ]*(?P<ipa>[^\[\]\n]{1,200})\]\]"
    r"|\[pause[ ]+(?P<pause>\d{1,9}(?:\.\d{1,9})?)[ ]?(?P<unit>ms|s)\]"
    rf"|(?P<sound>{_SOUND})"
    rf"|(?P<groups>(?:(?!{_SOUND})\[[^\[\]\s]{{1,8}}\])+)",
    re.IGNORECASE,
)
_TONE_MARKS = frozenset("\u0304\u0301\u030c\u0300")


def parse(text: str) -> list[Segment]:
    """The segments of *text*; a given pronunciation keeps its tags as the segment's text, a pause has no text.

    Raises MarkupError for a pause that is too long. No other text is refused.
    """
    return list(_segments(text))


def pause(seconds: float, written: str) -> float:
    """*seconds* if it is a possible pause; raises MarkupError showing what was *written*."""
    if seconds > MAX_PAUSE_S:
        raise MarkupError(f"a pause of {written} is too long; the limit is {MAX_PAUSE_S:g} seconds")
    return seconds


def _segments(text: str) -> Iterator[Segment]:
    start = 0
    for match in _TAG.finditer(text):
        tag = _tag(match)
        if tag is None:
            continue
        if match.start() > start:
            yield Segment(text[start : match.start()])
        yield tag
        start = match.end()
    if start < len(text):
        yield Segment(text[start:])


def _tag(match: re.Match[str]) -> Segment | None:
    """The segment of one tag; None if these brackets are text."""
    if match["pause"]:
        scale = 1000 if match["unit"].lower() == "ms" else 1
        return Segment(pause_s=pause(float(match["pause"]) / scale, match["pause"] + match["unit"]))
    if match["ipa"]:
        symbols = match["ipa"].strip()
        given = Pronunciation(Alphabet.IPA, symbols) if symbols else None
    elif match["sound"]:
        given = Pronunciation(Alphabet.SOUND, match[0].lower())
    else:
        given = _pronunciation(match["groups"][1:-1].split("]["))
    return None if given is None else Segment(match[0], pronunciation=given)


def _pronunciation(groups: Sequence[str]) -> Pronunciation | None:
    # Capitals are ARPAbet, so that "[ER1]" is no "er1". A stress digit tells "[EH1]" from "[OK]" and "[B]".
    if all(group.isupper() and arpabet.is_symbol(group) for group in groups):
        is_tag = any(arpabet.is_stressed(group) for group in groups)
        return Pronunciation(Alphabet.ARPABET, " ".join(groups)) if is_tag else None
    # Without a tone, "[an]" and "[men]" are words.
    if any(group.isupper() for group in groups) or not any(_has_tone(group) for group in groups):
        return None
    try:
        syllables = pinyin.parse_tagged(groups)
    except MarkupError:
        return None
    return Pronunciation(Alphabet.PINYIN, pinyin.to_symbols(syllables))


def _has_tone(group: str) -> bool:
    marks = _TONE_MARKS.intersection(unicodedata.normalize("NFD", group))
    return bool(marks) or (group[-1] in "012345" and len(group) > 1)
