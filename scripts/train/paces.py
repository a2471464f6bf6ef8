"""Fewer steps for few recordings: a network that meets one too often learns it by heart."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import click
import soundfile

from edge_tts.models.source_filter import HOP
from scripts.train import acoustic, align, prosody, vocoder
from scripts.train.features import SAMPLE_RATE
from scripts.train.recipe import PACES, Recipe

MOST_TIMES = 2000
"""The acoustic model meets an hour 230 times at the normal pace and 770 times at the long one. Ten minutes would be met
six times as often, which takes as long and teaches it those very recordings."""

FRAME_S = HOP / SAMPLE_RATE
TOKENS_PER_S = 15
"""Of speech."""

STEP_S = {
    "align": align.BATCH_FRAMES * FRAME_S,
    "prosody": prosody.BATCH_TOKENS / TOKENS_PER_S,
    "acoustic": acoustic.BATCH_FRAMES * FRAME_S,
    "sharpen": acoustic.SHARPENING_FRAMES * FRAME_S,
}
"""Seconds of recordings, of all speakers, that a network meets in a step."""

CROPPED_STEP_S = dict.fromkeys(("vocoder", "joint"), vocoder.BATCH * vocoder.CROP * FRAME_S)
"""The same of those who meet each speaker as often: the one with the fewest recordings counts."""

ENOUGH_S = max(
    getattr(pace, name) * step_s / MOST_TIMES
    for pace in PACES.values()
    for name, step_s in (STEP_S | CROPPED_STEP_S).items()
)
"""Of a speaker: with more, no pace is too long."""


def suited(recipe: Recipe) -> Recipe:
    """A *recipe* at one of the paces with so few steps that no recording is met more than MOST_TIMES, having said so;
    one with steps of its own as it is. Raises RecipeError for recordings that are not there."""
    if recipe.steps not in PACES.values():
        return recipe
    recorded_s = _recorded_s(recipe)
    total_s, evenly_s = sum(recorded_s.values()), len(recorded_s) * min(recorded_s.values())
    most = {name: MOST_TIMES * total_s / step_s for name, step_s in STEP_S.items()}
    most |= {name: MOST_TIMES * evenly_s / step_s for name, step_s in CROPPED_STEP_S.items()}
    fewer = {name: max(int(n), 1) for name, n in most.items() if n < getattr(recipe.steps, name)}
    if fewer:
        shown = ", ".join(f"{name} {n} instead of {getattr(recipe.steps, name)}" for name, n in fewer.items())
        click.echo(
            f"fewer steps for {total_s / 60:.1f} min of recordings, to meet none more than {MOST_TIMES} times:"
            f" {shown}; a recipe with numbers of its own is taken at its word",
            err=True,
        )
    return replace(recipe, steps=replace(recipe.steps, **fewer))


def _recorded_s(recipe: Recipe) -> dict[str, float]:
    """Of each speaker, up to ENOUGH_S: only so many files are opened."""
    found = dict.fromkeys(recipe.speakers, 0.0)
    for each in recipe.utterances():
        if not each.is_held_out and found[each.speaker] < ENOUGH_S:
            with suppress(soundfile.LibsndfileError):  # named by the stage clean
                found[each.speaker] += soundfile.info(each.sounds[0]).duration
    return found
