"""A voice is called better only where it is, beyond what other texts would change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from scripts.train.comparison import (
    BETTER,
    EQUAL,
    UNJUDGED,
    UNMEASURED,
    WORSE,
    comparisons,
    difference,
    sentence,
    standard_error,
    voices,
)
from scripts.train.figures import COPY, FIGURES, NATURAL, SPEECH, Clip

BY_KEY = {figure.key: figure for figure in FIGURES}


def clips(key: str, values: Sequence[float], column: str = "x speech", kind: str = SPEECH) -> list[Clip]:
    return [
        Clip(f"ann/{n}", "ann", column, kind, {key: value, "words": 10}) for n, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("key", "first", "last", "verdict"),
    [
        ("SIG", 3.0, 3.1, BETTER),
        ("SIG", 3.1, 3.0, WORSE),
        ("SIG", 3.0, 3.009, EQUAL),
        ("SIG", 3.0, 2.991, EQUAL),
        ("mcd_db", 5.0, 4.9, BETTER),
        ("word_errors", 1, 2, WORSE),
        ("rtf", 0.010, 0.0105, EQUAL),
        ("rtf", 0.010, 0.012, WORSE),
        ("size_mb", 11.1, 10.0, BETTER),
        ("clicks", 0, 1, WORSE),
        ("seconds", 10.0, 12.0, UNJUDGED),
    ],
)
def test_verdicts(key: str, first: float, last: float, verdict: str) -> None:
    # Every text differs by the same: there is no noise.
    found = difference(BY_KEY[key], clips(key, [first] * 5), clips(key, [last] * 5))
    assert found.verdict == verdict
    assert found.noise == pytest.approx(0, abs=1e-12)


def test_every_figure_has_a_verdict_either_way() -> None:
    for figure in FIGURES:
        either = {
            difference(figure, clips(figure.key, [a]), clips(figure.key, [b])).verdict
            for a, b in ((1, 3), (3, 1))
        }
        assert either == ({UNJUDGED} if figure.key == "seconds" else {BETTER, WORSE}), figure.title


def test_what_varies_with_the_text_more_than_with_the_voice_is_equal() -> None:
    up_and_down = [0.5, -0.4, 0.4, -0.3, 0.3, -0.4]
    before, after = clips("SIG", [3.0] * 6), clips("SIG", [3.0 + each for each in up_and_down])
    found = difference(BY_KEY["SIG"], before, after)
    assert found.last == pytest.approx(3.0 + np.mean(up_and_down))
    assert abs(np.mean(up_and_down)) > 0.01
    assert found.verdict == EQUAL


def test_one_more_defect_is_worse_however_many_texts_there_are() -> None:
    found = difference(BY_KEY["pinned"], clips("pinned", [0] * 20), clips("pinned", [0] * 19 + [1]))
    assert (found.verdict, found.noise) == (WORSE, 0)


def test_the_noise_is_that_of_the_mean_of_paired_differences() -> None:
    random = np.random.default_rng(1)
    hard, apart = random.normal(3, 1, 40), random.normal(0.1, 0.2, 40)
    before, after = clips("SIG", list(hard)), clips("SIG", list(hard + apart))
    expected = np.std(apart) / np.sqrt(40)
    found = standard_error(BY_KEY["SIG"], before, after)
    assert found == pytest.approx(expected, rel=0.15)
    # The order in which the texts were said is no matter.
    assert standard_error(BY_KEY["SIG"], before, after[::-1]) == found


def test_what_only_one_has_is_named() -> None:
    found = difference(BY_KEY["f0_semitones"], clips("f0_semitones", [1.0]), clips("SIG", [3.0]))
    assert (found.verdict, found.first, found.last) == (UNMEASURED, 1.0, None)


def test_copies_are_compared_apart_from_speech() -> None:
    judged = [
        *clips("SIG", [3.5], NATURAL, NATURAL),
        *clips("SIG", [3.0], "old copy", COPY),
        *clips("SIG", [2.0], "old speech"),
        *clips("SIG", [2.5], "the new copy", COPY),
        *clips("SIG", [2.2], "the new speech"),
    ]
    assert voices(judged) == ["old", "the new"]
    copies, speech = comparisons(judged, "old", "the new")
    title = "DNSMOS speech (SIG)"
    assert (
        sentence(copies) == f"**copy**, the new against old: better on 0, equal on 0, worse on 1 ({title})."
    )
    assert (
        sentence(speech) == f"**speech**, the new against old: better on 1 ({title}), equal on 0, worse on 0."
    )


def test_a_voice_without_the_speaker_is_said_to_be_missing() -> None:
    (found,) = comparisons(clips("SIG", [3.0], "old speech"), "old", "new")
    assert sentence(found) == "**speech**, new against old: nothing to compare, only one of them is here."


def test_every_figure_is_named_in_the_sentence() -> None:
    scores = {figure.key: 1.0 for figure in FIGURES} | {"words": 10.0}
    judged = [
        Clip("ann/0", "ann", "a speech", SPEECH, scores),
        Clip(
            "ann/0", "ann", "b speech", SPEECH, {key: value for key, value in scores.items() if key != "rtf"}
        ),
    ]
    (found,) = comparisons(judged, "a", "b")
    assert len(found.differences) == len(FIGURES)
    line = sentence(found)
    assert all(figure.title in line for figure in FIGURES)
    assert line.endswith(
        "neither good nor bad (seconds of sound), measured for one of the two only (RTF, one thread, median)."
    )
