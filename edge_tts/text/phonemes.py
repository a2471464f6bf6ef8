"""Sentence → IPA by espeak-ng, as a library call. (Interface first; the body follows.)"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clause:
    """What espeak-ng reads in one breath."""

    ipa: str
    """Without language-switch flags, NFC, stress marks in place."""

    terminator: str
    """The punctuation that ended it: one of . , ? ! ; : or "" at the end of a text without any."""


class Phonemizer:
    """espeak-ng, entered by one thread only: its state is global to the process and it corrupts silently."""

    def clauses(self, text: str, voice: str) -> list[Clause]:
        """The IPA of *text* clause by clause; *voice* is espeak-ng's name of a language ("en-us", "de")."""
        raise NotImplementedError
