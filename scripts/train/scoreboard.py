"""Figures of many clips → tables, a plot, JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl

from scripts.train.comparison import comparisons, sentence, voices
from scripts.train.figures import FIGURES, Clip, Figure

PLOTTED = ("SIG", "OVRL", "P808", "mcd_db", "f0_semitones", "word_errors")


def columns(clips: Sequence[Clip]) -> list[str]:
    """In the order in which they were first judged."""
    return list(dict.fromkeys(clip.column for clip in clips))


def tables(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """By name: each speaker's recordings and their texts, then the announcements in each language."""
    found: dict[str, list[Clip]] = {}
    for clip in sorted(clips, key=lambda clip: clip.announced_in != ""):
        name = f"announcements, {clip.announced_in}" if clip.announced_in else clip.speaker
        found.setdefault(name, []).append(clip)
    return found


def _in(column: str, clips: Sequence[Clip]) -> list[Clip]:
    return [clip for clip in clips if clip.column == column]


def markdown(clips: Sequence[Clip]) -> str:
    """The tables; under each, how the last of several voices compares with the first."""
    return "".join(
        f"### {_title(name, own)}\n\n{_table(own)}\n{_compared(own, voices(clips))}"
        for name, own in tables(clips).items()
    )


def _title(name: str, own: Sequence[Clip]) -> str:
    n_texts = len({clip.id for clip in own})
    if not own[0].announced_in:
        return f"{name}, {n_texts} held-out recordings"
    by = " and ".join(dict.fromkeys(clip.speaker for clip in own if clip.speaker))
    return f"{name}: {n_texts} sentences" + (f" by {by}" if by else "")


def _table(own: Sequence[Clip]) -> str:
    rows = [f"| | {' | '.join(columns(own))} |\n|---|{'---:|' * len(columns(own))}\n"]
    for figure in FIGURES:
        values = [figure.value(_in(column, own)) for column in columns(own)]
        if not all(math.isnan(value) for value in values):
            cells = ["–" if math.isnan(value) else f"{value:.{figure.digits}f}" for value in values]
            rows.append(f"| {figure.title} | {' | '.join(cells)} |\n")
    return "".join(rows)


def _compared(own: Sequence[Clip], every: Sequence[str]) -> str:
    if len(every) < 2:
        return ""
    return "".join(f"{sentence(each)}\n\n" for each in comparisons(own, every[0], every[-1]))


def summary(clips: Sequence[Clip]) -> dict[str, dict[str, float]]:
    """Column → key → figure, of one table's clips."""
    return {
        column: {
            figure.key: value
            for figure in FIGURES
            if not math.isnan(value := figure.value(_in(column, clips)))
        }
        for column in columns(clips)
    }


def as_json(clips: Sequence[Clip]) -> str:
    recorded = [clip for clip in clips if not clip.announced_in]
    announced = [clip for clip in clips if clip.announced_in]
    every = voices(clips)
    document = {
        "summary": {speaker: summary(own) for speaker, own in tables(recorded).items()},
        "announcements": {own[0].announced_in: summary(own) for own in tables(announced).values()},
        "comparison": {
            name: [asdict(each) for each in comparisons(own, every[0], every[-1])]
            for name, own in tables(clips).items()
            if len(every) > 1
        },
        "clips": [asdict(clip) for clip in clips],
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def plot(clips: Sequence[Clip], path: Path) -> None:
    """Bars for each figure: the tables side by side, each with natural speech, copies and speech of every voice."""
    mpl.use("svg")
    from matplotlib import pyplot as plt

    found = {name: summary(own) for name, own in tables(clips).items()}
    figures = [
        figure
        for key in PLOTTED
        for figure in FIGURES
        if figure.key == key and any(key in of for own in found.values() for of in own.values())
    ]
    with mpl.rc_context({"svg.hashsalt": "evaluate", "svg.fonttype": "none"}):
        canvas, axes = plt.subplots(
            len(figures),
            1,
            figsize=(max(8, 2.4 * len(found)), 2.1 * len(figures)),
            squeeze=False,
            layout="constrained",
        )
        for axis, figure in zip(axes[:, 0], figures, strict=True):
            _bars(axis, figure, found, columns(clips))
        canvas.legend(
            *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8
        )
        canvas.savefig(path, format="svg", metadata={"Date": None})
        plt.close(canvas)


def _bars(
    axis: mpl.axes.Axes, figure: Figure, found: dict[str, dict[str, dict[str, float]]], every: list[str]
) -> None:
    width = 0.8 / len(every)
    for number, column in enumerate(every):
        values = [own.get(column, {}).get(figure.key, math.nan) for own in found.values()]
        places = [place + (number - (len(every) - 1) / 2) * width for place in range(len(values))]
        bars = axis.bar(places, [0 if math.isnan(value) else value for value in values], width, label=column)
        texts = ["" if math.isnan(value) else f"{value:.{figure.digits}f}" for value in values]
        axis.bar_label(bars, texts, fontsize=6)
    axis.set_xticks(range(len(found)), list(found))
    axis.set_title(figure.title, fontsize=9)
    axis.margins(y=0.15)
