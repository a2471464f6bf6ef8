"""Rules that rewrite text, and those that languages written in Latin letters share.

A language is a list of rules tried in order over the whole text: each turns what it knows into words or into
something a later rule knows. Every pattern must be linear on hostile text: it starts only where a token starts
(a lookbehind says so) and repeats are bounded or possessive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]
Rules = Callable[[str], str]
"""Clean text of one language → words as spoken."""

MAX_CARDINAL_DIGITS = 9
"""A longer run of digits is a serial number; nobody follows it as one number."""


def word_set(words: str) -> frozenset[str]:
    """Words separated by spaces."""
    return frozenset(words.split())


@dataclass(frozen=True, slots=True)
class Words:
    """What a language says for the things that are written alike everywhere."""

    cardinal: Callable[[int], str]
    decimal: Callable[[str], str]
    """A written number with its separators → words."""

    groups: str
    """The thousands separator."""

    signs: Mapping[str, str]
    """Characters of addresses: ".", "/", "@", "-", "_", ":", "?", "=", "&", "%", "#", "~", "+"."""

    point: str
    """Between the parts of a version number."""

    symbols: Mapping[str, str]
    """Single characters that are words in running text."""

    acronyms: frozenset[str]
    """Capitals said as a word: NASA."""

    spelled: frozenset[str]
    """Capitals said letter by letter although they could be a word: HDMI, LED, IP."""

    short_words: frozenset[str]
    """Words of up to three letters that people shout: STOP comes out right by its length, NO does not."""

    letters: Mapping[str, str] = field(default_factory=dict)
    """Letters that must not be given to espeak-ng as such."""

    def digits(self, written: str) -> str:
        """*written* digit by digit; what is no digit is skipped."""
        return " ".join(self.cardinal(int(c)) for c in written if c in "0123456789")

    def integer(self, written: str) -> str:
        """One run of digits: "42" as a number, "007" and serial numbers digit by digit."""
        if len(written) > MAX_CARDINAL_DIGITS or (len(written) > 1 and written[0] == "0"):
            return self.digits(written)
        return self.cardinal(int(written))

    def spell(self, letters: str) -> str:
        return " ".join(self.letters.get(c, c) for c in letters)


def in_words(value: int, language: str, form: str = "cardinal") -> str:
    """*value* as num2words writes it; *form* is "cardinal", "ordinal" or "year"."""
    # On the first number only: it costs 3 MB and 20 ms.
    from num2words import num2words

    return str(num2words(value, lang=language, to=form))


def rule(pattern: str, spoken: str | Callable[[re.Match[str]], str], flags: int = 0) -> Rule:
    compiled = re.compile(pattern, flags)
    if isinstance(spoken, str):
        template = spoken
        return compiled, lambda match: match.expand(template)
    return compiled, spoken


def rewrite(text: str, rules: Iterable[Rule]) -> str:
    for pattern, spoken in rules:
        text = pattern.sub(spoken, text)
    return text


def with_capitals(words: Mapping[str, str]) -> dict[str, str]:
    """*words* with their forms at the start of a sentence: "Approx." → "Approximately"."""
    return {
        written[0].upper() + written[1:]: spoken[0].upper() + spoken[1:] for written, spoken in words.items()
    } | dict(words)


def alternatives(words: Iterable[str]) -> str:
    """A pattern of any of *words*, the longest first."""
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")"


def table(words: Mapping[str, str], before: str = "", after: str = "", flags: int = 0) -> Rule:
    """One rule for a whole table of written form → spoken form."""
    return rule(f"{before}({alternatives(words)}){after}", lambda match: words[match[1]], flags)


ACRONYMS = word_set(
    "NASA NATO RAM ROM LAN WAN OPEC UNESCO UNICEF SIM GIF JPEG JSON YAML PIN COVID IKEA FIFA UEFA RAID "
    "REST SOAP AIDS LIDAR BIOS CAD ASCII"
)
SPELLED = word_set(
    "USB MQTT TV LED CPU HDMI OLED NAS IP ID EU UK USA UN AI PC UV AC DC API URL UPS IEEE UEFI ISBN "
    "GPIO IDE GPU SSD BBC CNN FBI CIA CEO ISO IOS SUV FAQ DIY EUR UTC UFO OEM AG"
)
"""Letters in every language here; each adds its own."""

TIMESTAMPS: list[Rule] = [
    # "1h 5m" has no metres.
    rule(r"(?<=\dh )(\d{1,2})m\b", r"\1 min"),
    rule(r"(?<![\w.,:])(\d{1,3})m(?= ?\d{1,2} ?s\b)", r"\1 min"),
    rule(r"(?<=\d{4}-\d\d-\d\d)[T ](?=\d\d:\d\d)", ", "),
]
"""Durations and moments as programs write them."""


def is_followed_by(match: re.Match[str], pattern: re.Pattern[str]) -> bool:
    """Whether *pattern* comes right after: does the dot of this abbreviation also end a sentence?"""
    return pattern.match(match.string, match.end()) is not None


ROMAN = r"((?=[IVXL])(?:XL|L?X{0,3})(?:IX|IV|V?I{0,3}))\b"
"""1 to 89: chapters and kings have no more."""


def roman(written: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10, "L": 50}[c] for c in written]
    return sum(-v if v < max(values[i:]) else v for i, v in enumerate(values))


def is_after_digit(match: re.Match[str]) -> bool:
    return bool(re.search(r"\d ?\Z", match.string[max(0, match.start() - 2) : match.start()]))


def identifiers(words: Words) -> list[Rule]:
    """Names made by programs, and letters mixed with digits: sensor.living_room_temp, camelCase, CO2."""
    dot = words.signs["."]

    def spaced(match: re.Match[str]) -> str:
        if "_" in match[0]:
            return re.sub(r"[._]", " ", match[0])
        # "config.yaml", but not "end.Next sentence" and not "a.m.".
        return match[0].replace(".", f" {dot} ") if is_file_name(match[0]) else match[0]

    is_file_name = re.compile(r"[a-z]\w++(?:\.[a-z]\w++)+").fullmatch
    return [
        rule(r"\bPM(?=\d)", "P M"),  # particulate matter; alone it is the time of day
        rule(r"(?<![\w.])[^\W\d_]\w*+(?:\.\w++)*", spaced),
        # "PM2.5" is one number behind letters.
        rule(r"(?<=[^\W\d_])\d{1,6}[.,]\d{1,6}(?![\w.,]*\d)", lambda match: f" {words.decimal(match[0])}"),
        # Two letters in front: "iPhone" and "eBay" are read well as they are; "KundInnen" is one word.
        rule(r"(?<=[a-zß-öø-ÿ]{2})(?=[A-ZÀ-ÖØ-Þ](?!nnen\b))", " "),
        rule(r"(?<=[A-ZÀ-ÖØ-Þ]{2})(?=[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]{2})", " "),
        # "DE123456789" is no amount.
        rule(r"(?<=[^\W\d_])\d{5,}+(?!\w)", lambda match: f" {words.digits(match[0])}"),
        rule(r"(?<![^\W_])[A-Z](?=\d)|(?<=\d)[A-Z](?![^\W_])", lambda match: words.spell(match[0])),
        rule(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " "),
    ]


def capitals(words: Words) -> list[Rule]:
    """Words in capitals: an acronym, letters to spell, or somebody shouting."""

    def loud(match: re.Match[str]) -> str:
        run = match[0].split(" ")
        # "USB HDMI VGA" is a list of connectors.
        is_shouted = any(_is_plain_word(word, words) for word in run)
        return " ".join(_loud_word(word, words, is_shouted=is_shouted) for word in run)

    return [
        # A run with one plain word in it is shouting: "IT IS OPEN".
        rule(r"(?<![\w'])[A-ZÀ-ÖØ-Þ]{2,}+(?: [A-ZÀ-ÖØ-Þ]{1,40}+(?![\w'])){1,}", loud),
        rule(r"(?<![\w'])([A-Z]{2,}+)(?:'?s)?(?![\w'])", lambda match: _plural_letters(match, words)),
        rule(r"(?<![\w'])[A-ZÀ-ÖØ-Þ]{2,}+(?![\w'])", lambda match: _loud_word(match[0], words)),
    ]


def _plural_letters(match: re.Match[str], words: Words) -> str:
    spoken = _loud_word(match[1], words)
    if match[0] == match[1] or spoken.islower():
        return spoken + match[0][len(match[1]) :]
    # "T Vs" would be "T versus".
    return spoken + "'s"


def _loud_word(word: str, words: Words, *, is_shouted: bool = False) -> str:
    if len(word) < 2 or word in words.acronyms:
        return word
    if word not in words.spelled and (_is_plain_word(word, words) or (is_shouted and _has_vowel(word))):
        return word.lower()
    return words.spell(word) if word.isascii() else word.lower()


def _is_plain_word(word: str, words: Words) -> bool:
    # Nobody shouts "GTX"; a short word with a vowel is letters ("EU") unless it is a known one ("NO").
    is_known = word in words.spelled or word in words.acronyms
    return word in words.short_words or (len(word) > 3 and _has_vowel(word) and not is_known)


def _has_vowel(word: str) -> bool:
    return bool(re.search(r"[AEIOUYÄÖÜ]", word))


def symbols(words: Words) -> list[Rule]:
    """Characters that are words; then dashes, dots and spaces are put in order."""
    return [
        rule(r"\.{2,}|…", "."),
        rule(r"(?<=\w)[’ʼ](?=\w)", "'"),
        # A dash is a breath, a hyphen is part of a word.
        rule(r" ?[—―] ?| [–-]{1,3} |(?<=\w)--(?=\w)| ?– ?(?=[^\W\d_])", ", "),
        rule(f"[{re.escape(''.join(words.symbols))}]", lambda match: f" {words.symbols[match[0]]} "),
        rule(r"\d++", lambda match: words.integer(match[0]) if match[0].isascii() else match[0]),
        rule(r"[ \t]{2,}", " "),
        rule(r"(?<=[(\[]) ", ""),
        rule(r" +(?=[,;:!?)\]]|\.(?:\s|$))", ""),
        rule(r",(?=[,.;:!?])", ""),
        rule(r"(?m)^[ ,]+| +$", ""),
    ]
