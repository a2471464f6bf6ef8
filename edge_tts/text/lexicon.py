"""The user's own pronunciations, from a YAML file that may change at any time.

Kerstin: Kärstin                   # a respelling
NAS: {arpabet: N AE1 S}            # capitals inside: only exactly so
重阳: {pinyin: chong2 yang2}
Playlist: {language: en}           # read as English by a voice that speaks it
gif: {ipa: dʒɪf, language: en}
/(\\d+) ?PS\\b/: \\1 horsepower      # a regular expression, before the words
"""

from __future__ import annotations

import logging
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

from edge_tts.documents import line_of_key, parse_yaml
from edge_tts.errors import MarkupError
from edge_tts.speech import Alphabet, Pronunciation, Segment
from edge_tts.text import arpabet, pinyin
from edge_tts.text.chinese import HAN

log = logging.getLogger(__name__)

# Chinese has no spaces: a Latin word may touch it, and a Chinese one anything.
_NOT_AFTER_A_LETTER = rf"(?<![^\W{HAN}])"
_NOT_BEFORE_A_LETTER = rf"(?![^\W{HAN}])"


RULE_TIMEOUT_S = 0.5
"""A pattern such as (a|aa)+c can take years; any sensible one takes microseconds."""

MAX_REPLACEMENT_CHARACTERS = 1000
MAX_RULED_CHARACTERS = 100_000
"""Of a text that rules have made longer: two of them make gigabytes of a line."""

_REFERENCE = re.compile(r"\\(?:(\d+)|g<(\w+)>|(.?))")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said for a word; exactly one of the first two, or only the language. Of a rule what takes the place of
    all that matches."""

    text: str | None = None
    pronunciation: Pronunciation | None = None
    language: str | None = None
    rule: Any = None
    """A compiled pattern of the library regex, unlike those of Python with a time limit."""


class Lexicon:
    """Reads its file again when it has changed; a broken file leaves the last good one in force."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._entries: dict[str, Entry] = {}
        self._words: re.Pattern[str] | None = None
        self._rules: dict[str, Entry] = {}
        """In the order of the file."""

        self.on_problem: Callable[[str | None], None] = lambda problem: None
        """Called with each change of `problem`, on this thread."""

        self.problem: str | None = None
        """What is wrong with the file now; None if nothing."""

        self._refresh()

    def apply(self, segments: Sequence[Segment]) -> list[Segment]:
        """*segments* with the words of the file replaced; given pronunciations and verbatim text stay."""
        self._refresh()
        ruled = [self._ruled(segment) for segment in segments] if self._rules else list(segments)
        if self._words is None:
            return ruled
        return [part for segment in ruled for part in _applied(segment, self._words, self._entries)]

    def _ruled(self, segment: Segment) -> Segment:
        if segment.pronunciation is not None or segment.is_verbatim:
            return segment
        text = unicodedata.normalize("NFC", segment.text)
        for written, entry in list(self._rules.items()):
            try:
                ruled = entry.rule.sub(entry.text, text, timeout=RULE_TIMEOUT_S)
            except TimeoutError:
                self._leave_out(written, "takes too long")
                continue
            if len(ruled) > max(MAX_RULED_CHARACTERS, len(text)):
                self._leave_out(written, f"makes a text longer than {MAX_RULED_CHARACTERS} characters")
                continue
            text = ruled
        return replace(segment, text=text)

    def _leave_out(self, written: str, reason: str) -> None:
        """What one text brings about the next one may, too."""
        del self._rules[written]
        self._report(f"{written} {reason} and is left out until the file is changed")

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            entries = parse(self._path.read_text(encoding="utf-8"))
        except OSError as error:
            self._stamp = None
            self._report(
                f"{self._path}: cannot be read: {error.strerror}; what was read before stays in force"
            )
        except ValueError as error:
            self._report(f"{self._path}: {error}; what was read before stays in force")
        else:
            self._rules = {word: entry for word, entry in entries.items() if entry.rule is not None}
            self._entries = {word: entry for word, entry in entries.items() if entry.rule is None}
            self._words = _pattern(self._entries) if self._entries else None
            self._tell(None)

    def _report(self, problem: str) -> None:
        # Asked at every request: the same problem is worth one line in the log.
        if problem != self.problem:
            log.warning("lexicon: %s", problem)
        self._tell(problem)

    def _tell(self, problem: str | None) -> None:
        if problem != self.problem:
            self.problem = problem
            self.on_problem(problem)


def parse(document: str) -> dict[str, Entry]:
    """The entries by word; raises ValueError saying which line and word is wrong and what would be right."""
    words = parse_yaml(document)
    if words is None:
        return {}
    if not isinstance(words, dict):
        # A ValueError like every other thing the file can have wrong.
        raise ValueError("expected lines of the form `word: respelling`")  # noqa: TRY004
    entries = {}
    for number, (word, value) in enumerate(words.items()):
        try:
            entries[_word(word)] = _entry(word, value)
        except ValueError as error:
            raise ValueError(f"{error}, at line {line_of_key(document, number)}") from error
    return entries


def _word(word: Any) -> str:
    if isinstance(word, bool) or word is None or not str(word).strip():
        # YAML reads a bare `on`, `no` or `null` as a value.
        raise ValueError(f"the word {word!r} must be written in quotes")
    return word if _is_rule(word) else _normal(str(word).strip())


def _is_rule(word: object) -> TypeGuard[str]:
    """Written as `/pattern/`."""
    return isinstance(word, str) and len(word) > 2 and word[0] == word[-1] == "/"


def _rule(written: str, value: Any) -> Entry:
    import regex  # only here: most lexicons have no rules

    if not isinstance(value, str):
        raise ValueError(f"{written}: expected the text that takes its place, in quotes if it is a number")  # noqa: TRY004
    if len(value) > MAX_REPLACEMENT_CHARACTERS:
        raise ValueError(
            f"{written}: what takes its place has more than {MAX_REPLACEMENT_CHARACTERS} characters"
        )
    try:
        pattern = regex.compile(written[1:-1])
    except regex.error as error:
        raise ValueError(f"{written}: {error}") from error
    if pattern.search(""):
        raise ValueError(f"{written}: it matches where there is nothing")
    # The library looks at them only when something matches.
    for number, name, other in _REFERENCE.findall(value):
        is_known = int(number) <= pattern.groups if number else name in pattern.groupindex
        if other or not is_known:
            raise ValueError(f"{written}: \\{number or name or other} names no group of it")
    return Entry(text=value, rule=pattern)


def _entry(word: object, value: Any) -> Entry:
    if _is_rule(word):
        return _rule(word, value)
    if isinstance(value, str) and value.strip():
        return Entry(text=value)
    keys = {"text", "language", *Alphabet} - {Alphabet.SOUND}
    if not isinstance(value, dict) or not value or not set(value) <= keys:
        raise ValueError(f"{word}: expected a respelling or one of {', '.join(sorted(keys))}")
    if not all(isinstance(each, str) and each.strip() for each in value.values()):
        raise ValueError(f"{word}: every value must be text")
    said = [key for key in value if key != "language"]
    if len(said) > 1:
        raise ValueError(f"{word}: {' and '.join(said)} contradict each other; keep one")
    try:
        pronunciations = [_pronunciation(Alphabet(key), value[key]) for key in said if key != "text"]
    except MarkupError as error:
        raise ValueError(f"{word}: {error}") from error
    return Entry(value.get("text"), pronunciations[0] if pronunciations else None, value.get("language"))


def _pronunciation(alphabet: Alphabet, symbols: str) -> Pronunciation:
    """Raises MarkupError if *symbols* are not of *alphabet*."""
    if alphabet is Alphabet.PINYIN:
        return Pronunciation(alphabet, pinyin.to_symbols(pinyin.parse_tagged(symbols.split())))
    if alphabet is Alphabet.ARPABET:
        arpabet.to_ipa(symbols)
    return Pronunciation(alphabet, " ".join(symbols.split()))


def _normal(word: str) -> str:
    """How *word* is looked up: "Gif" finds "gif", but capitals inside ("mA", "NAS") count."""
    composed = unicodedata.normalize("NFC", word)
    # Lower case of "İzmir" is a letter longer, and is not found in it.
    is_kept = _is_exact(composed) or len(composed.lower()) != len(composed)
    return composed if is_kept else composed.lower()


def _is_exact(word: str) -> bool:
    return word[1:] != word[1:].lower()


def _pattern(words: Mapping[str, Entry]) -> re.Pattern[str]:
    return re.compile("|".join(_word_pattern(word) for word in sorted(words, key=len, reverse=True)))


def _word_pattern(word: str) -> str:
    before = _NOT_AFTER_A_LETTER if _is_letter(word[0]) else ""
    after = _NOT_BEFORE_A_LETTER if _is_letter(word[-1]) else ""
    written = re.escape(word)
    return f"{before}{written if _is_exact(word) else f'(?i:{written})'}{after}"


def _is_letter(character: str) -> bool:
    return bool(re.match(rf"[^\W{HAN}]", character))


def _entry_of(found: str, entries: Mapping[str, Entry]) -> Entry:
    """Of what the pattern has found: an exact word has won over "nas" if both are in the file and fit."""
    if entry := entries.get(found) or entries.get(found.lower()):
        return entry
    # A pattern that ignores capitals takes the Greek μ for µ, İ and ı for i: lower() does not.
    return next(entry for word, entry in entries.items() if re.fullmatch(_word_pattern(word), found))


def _applied(segment: Segment, words: re.Pattern[str], entries: Mapping[str, Entry]) -> Iterator[Segment]:
    if segment.pronunciation is not None or segment.is_verbatim:
        yield segment
        return
    # Only the last part carries what comes after the segment.
    part = replace(segment, pause_s=0.0, ends_sentence=False)
    text = ""
    start = 0
    found: list[Segment] = []
    for match in words.finditer(unicodedata.normalize("NFC", segment.text)):
        text += match.string[start : match.start()]
        start = match.end()
        entry = _entry_of(match[0], entries)
        if entry.pronunciation is None and entry.language is None:
            text += entry.text or match[0]
            continue
        found.append(replace(part, text=text))
        text = ""
        language = entry.language or segment.language
        said = replace(part, text=entry.text or match[0], language=language)
        found.append(replace(said, pronunciation=entry.pronunciation))
    text += unicodedata.normalize("NFC", segment.text)[start:]
    found.append(replace(part, text=text))
    kept = [each for each in found if each.text] or [part]
    kept[-1] = replace(kept[-1], pause_s=segment.pause_s, ends_sentence=segment.ends_sentence)
    yield from kept
