"""SSML's say-as: text rewritten so that normalisation reads it as asked."""

from __future__ import annotations

import re
from collections.abc import Callable

from edge_tts.text import english_numbers, german_numbers
from edge_tts.text.languages import primary

_CARDINALS: dict[str, Callable[[int], str]] = {"en": english_numbers.cardinal, "de": german_numbers.cardinal}
_ORDINALS: dict[str, Callable[[int], str]] = {"en": english_numbers.ordinal, "de": german_numbers.ordinal}
_DIGITS = re.compile(r"\d+")


def is_known(kind: str) -> bool:
    return kind.lower() in _KINDS


def spoken(text: str, kind: str, form: str, language: str) -> str:
    """*text* as *kind* (interpret-as) and *form* (format) ask; unknown kinds leave it as it is."""
    return _KINDS[kind.lower()](text.strip(), form.lower(), primary(language)) if is_known(kind) else text


def _as_written(text: str, form: str, language: str) -> str:
    return text


def _characters(text: str, form: str, language: str) -> str:
    letters = [
        character.upper() if character != "ß" else character for character in text if not character.isspace()
    ]
    # To an English synthesizer a single A is the article.
    return " ".join("eigh" if language == "en" and letter == "A" else letter for letter in letters)


def _telephone(text: str, form: str, language: str) -> str:
    """Digit by digit, with a breath between groups."""
    plus = {"de": "plus ", "zh": "加"}.get(language, "plus ") if text.startswith("+") else ""
    return plus + ", ".join(" ".join(group) for group in _DIGITS.findall(text))


def _cardinal(text: str, form: str, language: str) -> str:
    """A plain number, even where it looks like a year, a serial number or a code: "0042" → "42"."""
    match = re.fullmatch(r"([-+]?)0*(\d{1,15})", text)
    if match is None:
        return text
    if language == "zh":
        return match[1] + match[2]
    return _CARDINALS.get(language, english_numbers.cardinal)(int(match[1] + match[2]))


def _ordinal(text: str, form: str, language: str) -> str:
    match = re.fullmatch(r"(\d{1,9})\.?(?:st|nd|rd|th)?", text, re.IGNORECASE)
    if match is None:
        return text
    if language == "zh":
        return f"第{int(match[1])}"
    return _ORDINALS.get(language, english_numbers.ordinal)(int(match[1]))


def _date(text: str, form: str, language: str) -> str:
    """As year-month-day, which every language here reads, if *form* ("mdy", "dmy") says which number is which."""
    numbers = _DIGITS.findall(text)
    if sorted(form) != ["d", "m", "y"] or len(numbers) != 3:
        return text
    parts = dict(zip(form, numbers, strict=True))
    if len(parts["y"]) != 4:
        return text
    return f"{parts['y']}-{int(parts['m']):02}-{int(parts['d']):02}"


_KINDS: dict[str, Callable[[str, str, str], str]] = {
    "characters": _characters,
    "spell-out": _characters,
    "verbatim": _characters,
    "letters": _characters,
    "digits": _telephone,
    "number_digit": _telephone,
    "telephone": _telephone,
    "cardinal": _cardinal,
    "number": _cardinal,
    "ordinal": _ordinal,
    "date": _date,
    "time": _as_written,
    "currency": _as_written,
    "unit": _as_written,
    "fraction": _as_written,
    "address": _as_written,
    "name": _as_written,
}
