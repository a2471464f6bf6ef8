"""A request's text → the sentences a model is given: markup, lexicon, languages, normalisation, splitting."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from edge_tts.config import TextConfig
from edge_tts.errors import MarkupError, NothingToSayError
from edge_tts.speech import Prosody, Segment, Sentence, SpeakRequest
from edge_tts.text import markup, sentences, ssml, styles
from edge_tts.text.languages import primary
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.spans import Part, Speech, cut, is_said, main_language

CLAUSE_PAUSE_FACTOR = 0.4
"""Of the pause between sentences: after a first clause that is said by itself."""

_SPEEDS = (0.25, 4.0)
_PITCHES = (-24.0, 24.0)
_BLANK_LINE = re.compile(r"(?:\r?\n[^\S\n]*){2,}")
_SENTENCE_END = re.compile(r"[.!?…。！？；][\"'”’»)\]」』）]*\s*$")
_CLAUSE_END = re.compile(r"[,;:–—、，：][\"'”’»)\]」』）]*\s*$")


@dataclass(frozen=True, slots=True)
class _Unit:
    """Segments said in one manner, up to a pause or the end of a paragraph."""

    segments: tuple[Segment, ...]
    pause_s: float | None
    """Silence after it, if markup says so."""

    ends_paragraph: bool = False
    ends_sentence: bool = False


class Frontend:
    def __init__(self, config: TextConfig, lexicon: Lexicon) -> None:
        self._sentence_pause_s = config.sentence_pause_ms / 1000
        self._paragraph_pause_s = config.paragraph_pause_ms / 1000
        self.lexicon = lexicon

    def sentences(
        self, request: SpeakRequest, *, languages: Sequence[str], language: str
    ) -> tuple[list[Sentence], list[str]]:
        """The sentences of *request* and what cannot be done as asked.

        *languages* are the voice's tags, *language* that of text which does not show its own. A pause at the
        very start is a sentence without spans. Raises MarkupError, or NothingToSayError.
        """
        segments, warnings = _segments(request, language)
        base = Prosody(speed=request.speed, pitch_semitones=request.pitch, emotion=request.emotion)
        speaking = Speech(tuple(languages), language, {})
        found: list[Sentence] = []
        for unit in _units(self.lexicon.apply(segments)):
            first = unit.segments[0] if unit.segments else Segment()
            parts = speaking.parts(unit.segments)
            said = self._of_unit(unit, parts, speaking, is_first=not any(each.spans for each in found))
            prosody = limited(first.prosody.over(base))
            found += [
                replace(each, prosody=prosody, voice=first.voice, style=request.style or None)
                for each in said
            ]
        if not any(each.spans for each in found):
            raise NothingToSayError
        return _with_pauses_joined(found), [*warnings, *speaking.warnings]

    def _of_unit(
        self, unit: _Unit, parts: Sequence[Part], speaking: Speech, *, is_first: bool
    ) -> Iterator[Sentence]:
        """The sentences of one unit, without manner; an explicit pause with nothing before it has no spans."""
        main = main_language(part.span for part in parts) or primary(speaking.default)
        text = "".join(part.splittable for part in parts)
        pieces = sentences.split(text, main, first_early=is_first)
        said = [
            (piece, spans) for piece, spans in zip(pieces, cut(parts, pieces), strict=True) if is_said(spans)
        ]
        for index, (piece, spans) in enumerate(said):
            pause_s = self._pause_s(piece)
            if index + 1 == len(said):
                pause_s = self._pause_after(unit, pause_s)
            yield Sentence(spans, main_language(spans) or main, pause_s=pause_s)
        if not said and unit.pause_s:
            yield Sentence((), main, pause_s=unit.pause_s)

    def _pause_s(self, piece: str) -> float:
        """After a piece of text: nothing where a word or a change of manner goes on."""
        if _BLANK_LINE.search(piece[len(piece.rstrip()) :]):
            return self._paragraph_pause_s
        if _SENTENCE_END.search(piece):
            return self._sentence_pause_s
        return round(self._sentence_pause_s * CLAUSE_PAUSE_FACTOR, 3) if _CLAUSE_END.search(piece) else 0.0

    def _pause_after(self, unit: _Unit, natural_s: float) -> float:
        if unit.pause_s is not None:
            return unit.pause_s
        if unit.ends_paragraph:
            return self._paragraph_pause_s
        return self._sentence_pause_s if unit.ends_sentence else natural_s


def _segments(request: SpeakRequest, language: str) -> tuple[list[Segment], list[str]]:
    if request.format == "ssml":
        return ssml.parse(request.text, language)
    if request.format != "text":
        raise MarkupError(f"format {request.format!r} is unknown; expected text or ssml")
    return markup.parse(request.text), []


def without_style(sentence: Sentence) -> tuple[Sentence, list[str]]:
    """For a voice that takes no instructions: keywords of the style as prosody, or a warning."""
    style = styles.prosody(sentence.style or "")
    if style is None:
        return replace(sentence, style=None), ["unsupported_control:style"] if sentence.style else []
    # What the request names outright wins over a keyword.
    return replace(sentence, style=None, prosody=limited(sentence.prosody.over(style))), []


def limited(prosody: Prosody) -> Prosody:
    """Markup, style and request multiply: what comes out stays within what a model can do."""
    return replace(
        prosody,
        speed=min(max(prosody.speed, _SPEEDS[0]), _SPEEDS[1]),
        pitch_semitones=min(max(prosody.pitch_semitones, _PITCHES[0]), _PITCHES[1]),
    )


def _units(segments: Iterable[Segment]) -> Iterator[_Unit]:
    """Consecutive segments of one manner, cut at pauses, ends of sentences from markup, and blank lines."""
    paragraphs = (piece for segment in segments for piece in _paragraphs(segment))
    open_segments: list[Segment] = []
    for segment in paragraphs:
        has_words = segment.pronunciation is not None or any(map(str.isalnum, segment.text))
        if open_segments and not has_words:
            # "<emphasis>Stop</emphasis>!": marks and spaces belong to the words before them.
            open_segments.append(replace(open_segments[-1], text=segment.text, pronunciation=None))
        else:
            if open_segments and _manner(open_segments[0]) != _manner(segment):
                yield _Unit(tuple(open_segments), None)
                open_segments = []
            if segment.text:
                open_segments.append(segment)
        if segment.pause_s or segment.ends_sentence:
            ends_paragraph = segment.ends_sentence and "\n" in segment.text
            pause_s = segment.pause_s or None
            yield _Unit(tuple(open_segments), pause_s, ends_paragraph, segment.ends_sentence)
            open_segments = []
    if open_segments:
        yield _Unit(tuple(open_segments), None)


def _paragraphs(segment: Segment) -> Iterator[Segment]:
    """*segment* cut behind each blank line: normalisation trims the end of a text, and the line with it."""
    if segment.pronunciation is not None or segment.ends_sentence:
        yield segment
        return
    start = 0
    for match in _BLANK_LINE.finditer(segment.text):
        yield replace(segment, text=segment.text[start : match.end()], pause_s=0.0, ends_sentence=True)
        start = match.end()
    yield replace(segment, text=segment.text[start:])


def _manner(segment: Segment) -> tuple[Prosody, str | None]:
    return segment.prosody, segment.voice


def _with_pauses_joined(found: Sequence[Sentence]) -> list[Sentence]:
    """Pauses without words go to the sentence before them; one at the very start stays."""
    joined: list[Sentence] = []
    for sentence in found:
        if joined and not sentence.spans:
            joined[-1] = replace(joined[-1], pause_s=joined[-1].pause_s + sentence.pause_s)
        else:
            joined.append(sentence)
    return joined
