"""German numbers as words, and the patterns that find them."""

from __future__ import annotations

import re

from edge_tts.text import german_words as tables
from edge_tts.text.rules import ACRONYMS, SPELLED, Words, alternatives, in_words, is_followed_by

NUMBER = (
    r"(?:\d{1,3}(?:\.\d{3}){1,5}(?!\.?\d)(?:,\d{1,15})?"
    r"|\d{1,15}(?!\d)(?:,\d{1,15}|\.(?:\d{1,2}|\d{4,9})(?![\d.]*\d))?)"
)
START = r"(?<![\w.,:])(?<![^\W\d_][-–])"
"""A number starts here: not in the middle of one, nor of a name ("CO2", "COVID-19")."""

UNIT = alternatives(tables.UNITS)
AFTER_UNIT = r"(?![\w²³°%]|-\w)"
SENTENCE_START = re.compile(rf"""["“')\]]?(?:\Z|\n|\s+["„]?{alternatives(tables.SENTENCE_STARTERS)}\b)""")


def cardinal(value: int) -> str:
    return _in_parts(in_words(value, "de"))


def ordinal(value: int, ending: str = "") -> str:
    """ "dritte" plus *ending*: "n", "r", "s"."""
    return _in_parts(in_words(value, "de", "ordinal")) + ending


def _in_parts(spoken: str) -> str:
    # espeak-ng loses the stress of "zweitausendsechsundzwanzig" written as one word.
    return re.sub(r"(hundert|tausend)(?=\w)(?!tausend|st)", r"\1 ", spoken)


def year(value: int) -> str:
    if not 1100 <= value < 2000:
        return cardinal(value)
    rest = f" {cardinal(value % 100)}" if value % 100 else ""
    return f"{cardinal(value // 100)}hundert{rest}"


def number(written: str) -> str:
    """A written number: "1.234,5", "21.5" as sensors write it, "007" digit by digit."""
    if "," not in written and not re.fullmatch(r"\d{1,3}(?:\.\d{3})+", written):
        written = written.replace(".", ",")
    whole, _, fraction = written.replace(".", "").partition(",")
    if len(whole) > 1 and whole[0] == "0":
        spoken = WORDS.digits(whole)
    else:
        spoken = cardinal(int(whole)) if "." in written else WORDS.integer(whole)
    return f"{spoken} Komma {WORDS.digits(fraction)}" if fraction else spoken


WORDS = Words(
    cardinal=cardinal,
    decimal=number,
    groups=".",
    signs=tables.SIGNS,
    point="Punkt",
    symbols=tables.SYMBOLS,
    acronyms=ACRONYMS | tables.ACRONYMS,
    spelled=SPELLED | tables.SPELLED,
    short_words=tables.SHORT_WORDS,
)


def counted(written: str, gender: str, one: str, many: str) -> str:
    if written == "1":
        return f"{'eine' if gender == 'f' else 'ein'} {one}"
    return f"{number(written)} {many}"


def full_stop(match: re.Match[str]) -> str:
    """The full stop, if the dot that ends the match is one too."""
    return "." if match[0].endswith(".") and is_followed_by(match, SENTENCE_START) else ""
