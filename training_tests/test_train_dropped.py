"""Recordings that are of no use: dropped with a reason and said so; most of them end the training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from scripts.train.align import align
from scripts.train.clean import clean
from scripts.train.dropped import write_dropped
from scripts.train.mels import mels
from scripts.train.phonemes import phonemes
from scripts.train.recipe import Corpus, Recipe, RecipeError, Steps
from scripts.train.recipe_file import recipe_of
from scripts.train.stage import Settings, Work
from training_tests.tiny_recordings import write_about


def record(folder: Path, text: str, rates_hz: list[int], duration_s: float = 0.5) -> Work:
    """A training of one speaker, ann, each of whose recordings is of noise at one of *rates_hz*."""
    folder.mkdir()
    chance = np.random.default_rng(0)
    for number, rate_hz in enumerate(rates_hz):
        samples = 0.1 * chance.standard_normal(round(duration_s * rate_hz))
        soundfile.write(folder / f"{number:02}.wav", samples, rate_hz)
    texts = {f"{number:02}": f"{text} {number}." for number in range(len(rates_hz))}
    write_about(folder, texts, "en-US", speaker="ann")
    return Work(recipe_of([folder], "voice", None), folder / "work", Settings(workers=1))


def dropped(work: Work, stage: str) -> dict[str, str]:
    return dict(json.loads((work.stage(stage) / "dropped.json").read_text(encoding="utf-8")))


def test_recordings_at_a_low_sample_rate_are_dropped_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = record(tmp_path / "ann", "Text", [16000] * 4 + [22050] * 4 + [48000] * 4)
    clean(work)
    reason = "low sample rate: 16000 Hz; wanted 22050 Hz or more"
    assert dropped(work, "clean") == {f"ann/{number:02}": reason for number in range(4)}
    assert capsys.readouterr().out == "clean: ann keeps 8 of 12 recordings; dropped: low sample rate 4\n"
    assert [each.id for each in work.utterances()] == [f"ann/{number:02}" for number in range(4, 12)]


def test_a_telephone_corpus_is_refused_before_anything_is_cleaned(tmp_path: Path) -> None:
    work = record(tmp_path / "ann", "Text", [16000] * 12)
    with pytest.raises(RecipeError) as caught:
        clean(work)
    assert str(caught.value) == (
        "clean: ann keeps 0 of 12 recordings; wanted half of them or more. Most are dropped for 'low sample rate' (12);"
        " ann/00: low sample rate: 16000 Hz; wanted 22050 Hz or more"
    )
    assert not list(work.stage("clean").iterdir())


def test_texts_longer_than_their_recordings_are_refused_before_anything_is_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "This is far more than anybody can say in half a second, or even in two of them, number"
    work = record(tmp_path / "ann", text, [22050] * 12)
    clean(work)
    phonemes(work)
    mels(work)
    assert "phonemes: ann keeps 12 of 12 recordings\n" in capsys.readouterr().out
    with pytest.raises(RecipeError, match=r"align: ann keeps 0 of 12 .*'shorter than its text' \(12\)"):
        align(work)
    assert not list(work.stage("align").iterdir())


def test_the_aligner_says_how_many_are_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = record(tmp_path / "ann", "Number", [22050] * 12, duration_s=1.5)
    short_training = Recipe("voice", work.recipe.corpora, steps=Steps(align=1))
    work = Work(short_training, work.folder, work.settings)
    clean(work)
    phonemes(work)
    mels(work)
    align(work)
    n_kept = 12 - len(dropped(work, "align"))
    assert n_kept < 12
    assert f"align: ann keeps {n_kept} of 12 recordings; dropped: " in capsys.readouterr().out


@pytest.mark.parametrize(("n_dropped", "is_refused"), [(0, False), (5, False), (6, True), (10, True)])
def test_a_speaker_keeps_half_or_the_training_ends(tmp_path: Path, n_dropped: int, is_refused: bool) -> None:
    corpora = tuple(Corpus(tmp_path, name, "en-US", "CC0-1.0") for name in ("ann", "anna"))
    work = Work(Recipe("voice", corpora), tmp_path)
    ids = [f"{name}/{number}" for name in ("ann", "anna") for number in range(10)]
    reasons = {f"anna/{number}": f"too short: 0.{number} s" for number in range(n_dropped)}
    if n_dropped > 2:
        reasons |= dict.fromkeys(("anna/0", "anna/1"), "too long: 21 s")
    if not is_refused:
        write_dropped(work, "clean", ids, reasons)
    else:
        with pytest.raises(RecipeError, match=rf"anna keeps {10 - n_dropped} of 10 .* 'too short'.*anna/2"):
            write_dropped(work, "clean", ids, reasons)
    assert dropped(work, "clean") == reasons
