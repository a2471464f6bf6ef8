"""Segments of markup → normalized spans of one language, and spans cut into sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from edge_tts.speech import Alphabet, Pronunciation, Segment, Span
from edge_tts.text.cleaning import without_tags
from edge_tts.text.languages import by_script, primary
from edge_tts.text.normalize import clean, normalize
from edge_tts.text.sounds import is_sound

_MARKS = re.compile(r"[.,;:!?…。，！？；：、]+")
_LEADING = " \t\n.,;:!?…。，！？；：、"
# A comma of Chinese after a Latin word ("Wi-Fi，") is read by a language that does not know it.
_FOREIGN_MARKS = str.maketrans(
    {
        "，": ", ",
        "。": ". ",
        "！": "! ",
        "？": "? ",
        "；": "; ",
        "：": ": ",
        "、": ", ",
        "（": " (",
        "）": ") ",
    }
)


@dataclass(frozen=True, slots=True)
class Part:
    """A span, and its text as far as sentence splitting may look into it."""

    span: Span
    splittable: str


@dataclass(frozen=True, slots=True)
class Speech:
    """The languages a request may be spoken in."""

    available: tuple[str, ...]
    default: str
    warnings: dict[str, None]

    def parts(self, segments: Sequence[Segment]) -> list[Part]:
        """Normalized spans of *segments*; punctuation right after a given pronunciation belongs to its span."""
        found: list[Part] = []
        for key, group in groupby(
            segments, lambda each: (each.pronunciation, each.language, each.is_verbatim)
        ):
            pronunciation, tag, is_verbatim = key
            together = list(group)
            if pronunciation is not None:
                found += [self.given(segment, pronunciation) for segment in together]
                continue
            text = "".join(segment.text for segment in together)
            spans = self.spans(text, self.known(tag, together[0]), is_verbatim=is_verbatim)
            for span in _with_marks(text, spans) if found and found[-1].span.pronunciation else spans:
                _append(found, span)
        return found

    def given(self, segment: Segment, pronunciation: Pronunciation) -> Part:
        """Pinyin is Chinese and other symbols are not, whatever the text around, if the voice speaks both."""
        home = primary(self.known(segment.language, segment))
        spoken = [primary(tag) for tag in self.available]
        if pronunciation.alphabet is Alphabet.PINYIN:
            home = "zh" if "zh" in spoken else home
        elif pronunciation.alphabet is Alphabet.SOUND:
            # A sentence with nothing but a sound is none: like a bracket, it closes what is before it.
            return Part(Span(segment.text, home, pronunciation), "]" * len(segment.text))
        elif home == "zh":
            home = next((each for each in ("en", *spoken) if each in spoken and each != "zh"), home)
        # Splitting must not look into "[[ a. b ]]".
        return Part(Span(segment.text, home, pronunciation), "a" * len(segment.text))

    def known(self, tag: str | None, segment: Segment) -> str:
        """The language of markup if the voice speaks it, else the default and a warning."""
        if tag is None:
            return self.default
        # Another voice has languages of its own.
        if segment.voice is None and primary(tag) not in map(primary, self.available):
            self.warnings[f"unsupported_language:{tag}"] = None
            return self.default
        return tag

    def spans(self, text: str, default: str, *, is_verbatim: bool) -> Iterator[Span]:
        # "重要</strong>" is no English word in it.
        text = text if is_verbatim else without_tags(text)
        for run, language in by_script(text, default, self.available):
            tag = next((each for each in (default, *self.available) if primary(each) == language), language)
            marked = run if language == "zh" else run.translate(_FOREIGN_MARKS)
            words = clean(marked) if is_verbatim else normalize(marked, tag)
            if words:
                yield Span(words, language)


def _with_marks(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """*spans* of *text* with the marks it begins with, which no sentence does: "[breath], well"."""
    marks = _MARKS.match(text)
    for place, span in enumerate(spans):
        if place or not marks or _MARKS.match(span.text):
            yield span
            continue
        space = " " if text[marks.end() :][:1].isspace() else ""
        yield replace(span, text=f"{marks[0]}{space}{span.text.lstrip()}")


def _append(parts: list[Part], span: Span) -> None:
    last = parts[-1] if parts else None
    marks = _MARKS.match(span.text)
    is_given = last is not None and last.span.pronunciation is not None and not is_sound(last.span)
    if is_given and last is not None and marks is not None:
        # A model takes the intonation of "[[ kˈleə ]]?" from the mark.
        closed = replace(last.span, text=last.span.text + marks[0])
        parts[-1] = Part(closed, last.splittable + marks[0])
        span = replace(span, text=span.text[marks.end() :])
    if last is not None and last.span.pronunciation is None and last.span.language == span.language:
        joined = replace(span, text=last.span.text + span.text)
        parts[-1] = Part(joined, joined.text)
    elif span.text:
        parts.append(Part(span, span.text))


def cut(parts: Sequence[Part], pieces: Sequence[str]) -> Iterator[tuple[Span, ...]]:
    """The spans of each piece; a given pronunciation is never cut and belongs where it begins."""
    rest = list(parts)
    for piece in pieces:
        missing = len(piece)
        spans: list[Span] = []
        while rest and missing > 0:
            part = rest.pop(0)
            length = len(part.splittable)
            if length > missing and part.span.pronunciation is None:
                spans.append(replace(part.span, text=part.span.text[:missing]))
                remainder = part.span.text[missing:]
                rest.insert(0, Part(replace(part.span, text=remainder), remainder))
            else:
                spans.append(part.span)
            missing -= length
        yield _stripped(spans)


def _stripped(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Without white space at the edges: the same sentence is the same to the phrase cache. Nor does one begin with
    marks: "... Well"."""
    kept = list(spans)
    while kept and not (first := kept[0].text.lstrip(_LEADING)) and kept[0].pronunciation is None:
        kept.pop(0)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[0] = replace(kept[0], text=first)
        kept[-1] = replace(kept[-1], text=kept[-1].text.rstrip())
    return tuple(kept)


def is_said(spans: Iterable[Span]) -> bool:
    return any(span.pronunciation is not None or any(map(str.isalnum, span.text)) for span in spans)


def main_language(spans: Iterable[Span]) -> str | None:
    """The language of most of it; a Chinese character takes as long to say as three letters."""
    lengths: dict[str, int] = {}
    for span in spans:
        if is_sound(span):
            continue
        n_sounds = sum(map(str.isalnum, span.text)) * (3 if span.language == "zh" else 1)
        lengths[span.language] = lengths.get(span.language, 0) + n_sounds
    return max(lengths, key=lambda language: lengths[language]) if lengths else None
