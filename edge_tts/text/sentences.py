"""Normalized text → sentences, nothing lost: the sentences joined are the text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from edge_tts.text.rules import word_set

MAX_CHARACTERS = 220
_EARLY_ABOVE = 80
_EARLY_LEAST = 25
"""In Latin letters; a Chinese character takes as long to say as three of them."""

_CLOSERS = "\"'”’“‘»›)\\]}」』）】》"
_END = re.compile(
    rf"(?<![.!?…])[.!?…]++[{_CLOSERS}]*+(?=\s|\Z)\s*+"
    rf"|[。！？；][.!?…。！？；]*+[{_CLOSERS}]*+\s*+"
    r"|\n[^\S\n]*+\n\s*+"
)
_CLAUSE = re.compile(rf"(?:[,;:][{_CLOSERS}]*+(?=\s)|[–—、，；：])\s*+")
_SPACE = re.compile(r"\s++")
_SOUND = re.compile(r"[^\W_]")

_NO_END = word_set(
    "dr mr mrs ms prof st sr jr capt gen lt sgt rev mt no vs approx e.g i.e fig vol nr hr fr str ca bzw "
    "z.b d.h ggf evtl inkl zzgl tel u.a"
)
"""Before a full stop that ends no sentence: "Dr. Smith" in text that was not normalized (say-as, a lexicon)."""


def split(
    text: str, language: str, *, max_characters: int = MAX_CHARACTERS, first_early: bool = True
) -> list[str]:
    """Return the sentences of *text*, each with the whitespace that follows it; `"".join` of them is *text*.

    Each has 1 to *max_characters* characters. With *first_early* a long first sentence is cut at its first clause,
    so that the first sound comes soon.
    """
    if max_characters < 1:
        raise ValueError(f"max_characters is {max_characters}; it must be at least 1")
    sentences = _sentences(text, language)
    if first_early and sentences:
        sentences[:1] = _first_clause(sentences[0])
    return [piece for sentence in sentences for piece in _fitting(sentence, max_characters)]


def complete(text: str, language: str) -> str:
    """The sentences at the start of *text* that stay as they are, whatever may follow it."""
    return "".join(_sentences(text, language)[:-1])


def _sentences(text: str, language: str) -> list[str]:
    found: list[str] = []
    start = looked_at = 0
    is_said = False
    for match in _END.finditer(text):
        # A line of dots or a leading blank line is no sentence: it goes with the next words.
        is_said = is_said or _SOUND.search(text, looked_at, match.start()) is not None
        looked_at = match.start()
        if is_said and not _is_abbreviation(text, match, language):
            found.append(text[start : match.end()])
            start = looked_at = match.end()
            is_said = False
    tail = text[start:]
    if found and not _SOUND.search(tail):
        found[-1] += tail
    elif tail:
        found.append(tail)
    return found


def _is_abbreviation(text: str, match: re.Match[str], language: str) -> bool:
    if match[0].rstrip() != "." or match.end() == len(text) or match[0].count("\n") > 1:
        return False
    before = text[max(0, match.start() - 14) : match.start()]
    word = re.split(r"[\s(\[\"'„“]", before)[-1]
    if word.lower() in _NO_END:
        return True
    if word.isdecimal() and language.lower().startswith("de"):
        # "am 3. Oktober"
        return len(word) <= 2
    # "J. R. Smith", but "a stick of U S B." and "so do I."
    return len(word) == 1 and word.isupper() and word != "I" and not re.search(r"\b[A-Z] [A-Z]$", before)


def _first_clause(sentence: str) -> list[str]:
    if _spoken_length(sentence) <= _EARLY_ABOVE:
        return [sentence]
    for match in _CLAUSE.finditer(sentence, 0, MAX_CHARACTERS):
        head, rest = sentence[: match.end()], sentence[match.end() :]
        if _spoken_length(head) >= _EARLY_LEAST and _SOUND.search(head):
            return [head, rest] if _SOUND.search(rest) else [sentence]
    return [sentence]


def _spoken_length(text: str) -> int:
    return len(text) + 2 * sum("㐀" <= c <= "鿿" for c in text)


def _fitting(sentence: str, max_characters: int) -> Iterator[str]:
    """*sentence* cut into pieces that are short enough, at the best places there are."""
    start = 0
    while len(sentence) - start > max_characters:
        end = _cut(sentence, start, start + max_characters)
        yield sentence[start:end]
        start = end
    yield sentence[start:]


def _cut(sentence: str, start: int, limit: int) -> int:
    """Where to cut sentence[start:limit]: the last clause, else the last space, else between characters."""
    # A cut in the first quarter would leave a stump.
    least = start + (limit - start) // 4
    for boundary in (_CLAUSE, _SPACE):
        ends = [match.end() for match in boundary.finditer(sentence, start, limit)]
        if ends and ends[-1] > max(least, start):
            return ends[-1]
    end = limit
    while end > start and _joins_previous(sentence[end]):
        end -= 1
    # A letter with more accents than fit is cut all the same.
    return end if end > start else limit


def _joins_previous(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Mc", "Me") or character in "\u200d\ufe0e\ufe0f"
