"""No network meets a recording more often than is good for it."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_tts.models.source_filter import HOP
from scripts.train import acoustic, vocoder
from scripts.train.features import SAMPLE_RATE
from scripts.train.paces import MOST_TIMES, suited
from scripts.train.recipe import PACES, Recipe, Steps
from scripts.train.recipe_file import recipe_of
from training_tests.tiny_recordings import write_about


def recorded(folder: Path, duration_s: float) -> Path:
    """A folder of twelve recordings, one of them held out, the others together of *duration_s*."""
    folder.mkdir()
    for number in range(12):
        soundfile.write(
            folder / f"{number}.wav", np.zeros(round(duration_s / 11 * SAMPLE_RATE), np.int16), SAMPLE_RATE
        )
    write_about(folder, {str(number): f"Text {number}." for number in range(12)}, "en-US")
    return folder


def at(recipe: Recipe, pace: str) -> Recipe:
    return replace(recipe, steps=PACES[pace])


def test_few_recordings_get_fewer_steps_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = recipe_of([recorded(tmp_path / "ada", 66.0)], "voice", None)
    few = suited(at(recipe, "long")).steps
    n_frames = 66.0 * SAMPLE_RATE / HOP
    assert few.acoustic == pytest.approx(MOST_TIMES * n_frames / acoustic.BATCH_FRAMES, rel=0.01)
    assert few.vocoder == pytest.approx(MOST_TIMES * n_frames / (vocoder.BATCH * vocoder.CROP), rel=0.01)
    assert all(getattr(few, each.name) <= getattr(PACES["long"], each.name) for each in fields(Steps))
    printed = capsys.readouterr().err
    assert "fewer steps for 1.1 min of recordings" in printed
    assert f"acoustic {few.acoustic} instead of 40000" in printed


def test_the_speaker_with_the_fewest_recordings_is_met_as_often_by_the_vocoder(tmp_path: Path) -> None:
    folders = [recorded(tmp_path / "ada", 66.0), recorded(tmp_path / "bo", 660.0)]
    alone = suited(at(recipe_of(folders[:1], "voice", None), "long")).steps
    both = suited(at(recipe_of(folders, "voice", None), "long")).steps
    assert both.vocoder == pytest.approx(2 * alone.vocoder, rel=0.01)
    assert both.acoustic == pytest.approx(11 * alone.acoustic, rel=0.01)


@pytest.mark.parametrize(("pace", "minutes"), [("quick", 3), ("normal", 7), ("long", 24)])
def test_enough_recordings_get_all_steps_of_the_pace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pace: str, minutes: int
) -> None:
    recipe = at(recipe_of([recorded(tmp_path / "ada", 60.0 * minutes)], "voice", None), pace)
    assert suited(recipe) == recipe
    assert not capsys.readouterr().err


def test_numbers_in_a_recipe_are_taken_at_their_word(tmp_path: Path) -> None:
    recipe = replace(
        recipe_of([recorded(tmp_path / "ada", 11.0)], "voice", None), steps=Steps(acoustic=50000)
    )
    assert suited(recipe) == recipe
