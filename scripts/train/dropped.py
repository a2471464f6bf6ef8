"""What a stage leaves out: written down, said in a line, and too much if it is most of a speaker's recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import click

from scripts.train.recipe import RecipeError
from scripts.train.stage import Work, write_json

LEAST_KEPT = 0.5


def write_dropped(work: Work, stage: str, ids: Collection[str], dropped: Mapping[str, str]) -> None:
    """Of the utterances *ids*, those *dropped* (id → reason, or "reason: its figures"). Raises RecipeError as
    `refuse_most_dropped` does."""
    write_json(work.stage(stage) / "dropped.json", dropped)
    for speaker in work.recipe.speakers:
        reasons = _reasons(speaker, dropped)
        listed = ", ".join(f"{reason} {n}" for reason, n in reasons.most_common())
        shown = f"; dropped: {listed}" if listed else ""
        click.echo(f"{stage}: {_kept(speaker, ids, reasons)}{shown}")
    refuse_most_dropped(work, stage, ids, dropped)


def refuse_most_dropped(work: Work, stage: str, ids: Collection[str], dropped: Mapping[str, str]) -> None:
    """Raises RecipeError if less than half of a speaker's is kept."""
    for speaker in work.recipe.speakers:
        reasons = _reasons(speaker, dropped)
        n_own = len(_own(speaker, ids))
        if n_own - reasons.total() < LEAST_KEPT * n_own:
            ((reason, n),) = reasons.most_common(1)
            example = next(each for each in _own(speaker, dropped) if _reason(dropped[each]) == reason)
            raise RecipeError(
                f"{stage}: {_kept(speaker, ids, reasons)}; wanted half of them or more. Most are dropped for"
                f" {reason!r} ({n}); {example}: {dropped[example]}"
            )


def _kept(speaker: str, ids: Collection[str], reasons: Counter[str]) -> str:
    n_own = len(_own(speaker, ids))
    return f"{speaker} keeps {n_own - reasons.total()} of {n_own} recordings"


def _own(speaker: str, ids: Collection[str]) -> list[str]:
    return [each for each in ids if each.startswith(f"{speaker}/")]


def _reasons(speaker: str, dropped: Mapping[str, str]) -> Counter[str]:
    return Counter(_reason(dropped[each]) for each in _own(speaker, dropped))


def _reason(why: str) -> str:
    return why.partition(":")[0]
