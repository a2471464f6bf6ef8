"""The licence of a voice: what the licences of the recordings that it learned from make of it."""

from __future__ import annotations

import re
from collections.abc import Sequence


def licence_of(licences: Sequence[str]) -> str:
    """What covers all of *licences* (SPDX): the one that asks for all that the others ask for, of Creative Commons; or
    all of them, joined by AND."""
    different = sorted(set(licences))
    if not _conflict(different) and all(_conditions(each) is not None for each in different):
        asked = set().union(*(_conditions(each) or set() for each in different))
        # Of versions of the same, the latest.
        covering = [each for each in different if _conditions(each) == asked]
        if covering:
            return covering[-1]
    return " AND ".join(different)


def _conditions(licence: str) -> set[str] | None:
    """Of a Creative Commons licence: BY, SA, NC, ND. None if it is none of them."""
    if licence.upper().startswith("CC0"):
        return set()
    match = re.fullmatch(r"CC((?:-(?:BY|SA|NC|ND))+)(?:-\d\.\d)?", licence.upper())
    return set(match[1].strip("-").split("-")) if match else None


def warning_of(licences: Sequence[str]) -> str:
    """Of two of *licences* that cannot both be kept to; "" if there are none."""
    conflict = _conflict(licences)
    if not conflict:
        return ""
    same, other = conflict
    return (
        f"{same} wants what is made from it to be passed on under itself, which {other} does not allow:"
        " keep the voice to yourself, or leave out the recordings of one of them."
    )


def _conflict(licences: Sequence[str]) -> tuple[str, str] | None:
    """One that wants the same for all, and one that asks for more than that."""
    conditions = {each: _conditions(each) or set() for each in licences}
    for same, given in conditions.items():
        for other, asked in conditions.items():
            if "SA" in given and not asked <= given:
                return same, other
    return None


def meaning(licence: str) -> str:
    conditions = _conditions(licence)
    if conditions is None:
        return "Keep to what each of them asks when you pass the voice on."
    sentences = {
        "BY": "Give credit as above when you pass the voice on.",
        "SA": "Pass changed versions on under the same licence.",
        "NC": "Do not use it to make money.",
        "ND": "Do not pass changed versions on.",
    }
    said = [sentence for condition, sentence in sentences.items() if condition in conditions]
    return " ".join(said) or "It asks for nothing."
