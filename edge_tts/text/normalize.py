"""Written text → words as spoken, by language."""

from __future__ import annotations

from edge_tts.text import chinese, english, german, japanese
from edge_tts.text.cleaning import clean
from edge_tts.text.languages import primary
from edge_tts.text.rules import Rules

__all__ = ["RULES", "clean", "normalize"]

RULES: dict[str, Rules] = {
    "en": english.normalize,
    "de": german.normalize,
    "zh": chinese.normalize,
    "ja": japanese.normalize,
}


def normalize(text: str, language: str) -> str:
    """Return *text* as words; *language* is a BCP-47 tag ("en-US") or its primary subtag.

    A language without rules is only cleaned. An edge that had whitespace keeps one space: the words of two
    stretches of markup must not run together. Text of nothing but emoji becomes "".
    """
    spoken = clean(text)
    if (subtag := primary(language)) in RULES:
        spoken = RULES[subtag](spoken).strip()
    if not spoken:
        return " " if text.isspace() else ""
    return " " * text[0].isspace() + spoken + " " * text[-1].isspace()
