"""Has the last voice become better than the first? Figure by figure, and only where the difference is no chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scripts.train.figures import COPY, FIGURES, NEITHER, SPEECH, Clip, Figure

N_DRAWS = 400
BEYOND = 2.0
"""Standard errors: what differs by less is equal. One in twenty figures of equal voices differs by more."""

BETTER, EQUAL, WORSE = "better", "equal", "worse"
UNJUDGED = "neither good nor bad"
UNMEASURED = "measured for one of the two only"
VERDICTS = (BETTER, EQUAL, WORSE, UNJUDGED, UNMEASURED)


@dataclass(frozen=True)
class Difference:
    """Of one figure, from the first voice to the last."""

    key: str
    verdict: str
    """One of VERDICTS."""

    first: float | None
    last: float | None
    noise: float
    """Standard error of last - first: what it would vary by if other texts of that kind had been said."""


@dataclass(frozen=True)
class Comparison:
    """Of one kind of sound in one table."""

    kind: str
    """COPY or SPEECH."""

    first: str
    last: str
    """Columns."""

    differences: list[Difference]
    """Of every figure that either has; empty if one of the two is not in the table."""


def voices(clips: Sequence[Clip]) -> list[str]:
    """In the order in which they were first judged."""
    spoken = (clip.column.removesuffix(f" {SPEECH}") for clip in clips if clip.kind == SPEECH)
    return list(dict.fromkeys(spoken))


def comparisons(clips: Sequence[Clip], first: str, last: str) -> list[Comparison]:
    """Of the voices *first* and *last* in one table's *clips*: copies, if either has any, and speech."""
    found = []
    for kind in (COPY, SPEECH):
        old, new = f"{first} {kind}", f"{last} {kind}"
        before, after = ([clip for clip in clips if clip.column == column] for column in (old, new))
        if before or after:
            found.append(Comparison(kind, old, new, _differences(before, after) if before and after else []))
    return found


def _differences(before: Sequence[Clip], after: Sequence[Clip]) -> list[Difference]:
    return [
        difference(figure, before, after)
        for figure in FIGURES
        if any(figure.key in clip.scores for clip in (*before, *after))
    ]


def difference(figure: Figure, before: Sequence[Clip], after: Sequence[Clip]) -> Difference:
    first, last = figure.value(before), figure.value(after)
    if np.isnan(first) or np.isnan(last):
        measured = [None if np.isnan(each) else each for each in (first, last)]
        return Difference(figure.key, UNMEASURED, measured[0], measured[1], noise=0.0)
    noise = 0.0 if figure.is_counted else standard_error(figure, before, after)
    gain = (last - first) * figure.better
    if figure.better == NEITHER:
        verdict = UNJUDGED
    elif abs(gain) <= max(figure.least, BEYOND * noise):
        verdict = EQUAL
    else:
        verdict = BETTER if gain > 0 else WORSE
    return Difference(figure.key, verdict, first, last, noise)


def standard_error(figure: Figure, before: Sequence[Clip], after: Sequence[Clip]) -> float:
    """By drawing as many texts as there are, with replacement (bootstrap): the same for both voices, so that how hard
    a text is does not count. 0 for a single text, which cannot tell."""
    firsts, lasts = (
        {clip.id: clip for clip in clips if figure.key in clip.scores} for clips in (before, after)
    )
    shared = [identity for identity in firsts if identity in lasts]
    if len(shared) < 2:
        return 0.0
    draws = np.random.default_rng(0).integers(0, len(shared), (N_DRAWS, len(shared)))
    drawn = [
        figure.value([lasts[shared[each]] for each in draw])
        - figure.value([firsts[shared[each]] for each in draw])
        for draw in draws
    ]
    # As of any sample, the spread of n texts is too small by this much.
    return float(np.std(drawn) * np.sqrt(len(shared) / (len(shared) - 1)))


def sentence(comparison: Comparison) -> str:
    """For people: "**speech**, new against old: better on 1 (clicks); …"."""
    kind = f" {comparison.kind}"
    first, last = comparison.first.removesuffix(kind), comparison.last.removesuffix(kind)
    head = f"**{comparison.kind}**, {last} against {first}: "
    if not comparison.differences:
        return f"{head}nothing to compare, only one of them is here."
    titles = {figure.key: figure.title for figure in FIGURES}
    parts = []
    for verdict in VERDICTS:
        named = [titles[each.key] for each in comparison.differences if each.verdict == verdict]
        if named or verdict in (BETTER, EQUAL, WORSE):
            on = f" on {len(named)}" if verdict in (BETTER, EQUAL, WORSE) else ""
            parts.append(f"{verdict}{on}" + (f" ({'; '.join(named)})" if named else ""))
    return f"{head}{', '.join(parts)}."
