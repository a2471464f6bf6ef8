"""English numbers as words, and the patterns that find them."""

from __future__ import annotations

import re

from edge_tts.text import english_words as tables
from edge_tts.text.rules import ACRONYMS, SPELLED, Words, alternatives, in_words, is_followed_by

NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,5}(?!,?\d)|\d{1,15}(?!\d))(?:\.\d{1,15})?"
START = r"(?<![\w.,:])(?<![^\W\d_][-–])"
"""A number starts here: not in the middle of one, nor of a name ("CO2", "COVID-19")."""

UNIT = alternatives(tables.UNITS)
AFTER_UNIT = r"(?![\w²³°%]|-\w)"


def cardinal(value: int) -> str:
    # num2words writes commas where nobody pauses: "one thousand, two hundred".
    return in_words(value, "en").replace(",", "")


def ordinal(value: int) -> str:
    return in_words(value, "en", "ordinal").replace(",", "")


def year(value: int) -> str:
    if 1100 <= value < 2000 or 2010 <= value < 2100:
        return in_words(value, "en", "year").replace("oh-", "oh ")
    return cardinal(value)


def number(written: str) -> str:
    """A written number: "1,234.5", "007" digit by digit."""
    whole, _, fraction = written.replace(",", "").partition(".")
    if len(whole) > 1 and whole[0] == "0":
        spoken = WORDS.digits(whole)
    else:
        # Thousands separators make even a long number one to be read as such.
        spoken = cardinal(int(whole)) if "," in written else WORDS.integer(whole)
    return f"{spoken} point {WORDS.digits(fraction)}" if fraction else spoken


WORDS = Words(
    cardinal=cardinal,
    decimal=number,
    groups=",",
    signs=tables.SIGNS,
    point="point",
    symbols=tables.SYMBOLS,
    acronyms=ACRONYMS | tables.ACRONYMS,
    spelled=SPELLED | tables.SPELLED,
    short_words=tables.SHORT_WORDS,
    # espeak-ng reads a lone "A" as the article.
    letters={"A": "eigh"},
)


def counted(written: str, one: str, many: str) -> str:
    return f"{number(written)} {one if written == '1' else many}"


_SENTENCE_START = re.compile(r"""["')\]]?(?:\Z|\s+["'(]?[A-Z]|\n)""")


def ends_sentence(match: re.Match[str]) -> bool:
    return is_followed_by(match, _SENTENCE_START)
