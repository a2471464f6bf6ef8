"""Figures of many clips → tables, a plot, JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib as mpl

NATURAL, COPY, SPEECH = "natural", "copy", "speech"


@dataclass(frozen=True)
class Clip:
    """One sound that was judged."""

    id: str
    """Of the recording whose text it is."""

    speaker: str
    column: str
    """The voice and the kind."""

    kind: str
    """NATURAL, COPY or SPEECH."""

    scores: dict[str, float]


@dataclass(frozen=True)
class Figure:
    """One row of the tables."""

    title: str
    key: str
    digits: int
    total: Callable[[Sequence[Clip]], float]

    def of(self, clips: Sequence[Clip]) -> str:
        """As it stands in the table; a dash where nothing was measured."""
        judged = [clip for clip in clips if self.key in clip.scores]
        return f"{self.total(judged):.{self.digits}f}" if judged else "–"


def _mean(key: str) -> Callable[[Sequence[Clip]], float]:
    return lambda clips: statistics.fmean(clip.scores[key] for clip in clips)


def _median(key: str) -> Callable[[Sequence[Clip]], float]:
    return lambda clips: statistics.median(clip.scores[key] for clip in clips)


def _sum(key: str) -> Callable[[Sequence[Clip]], float]:
    return lambda clips: sum(clip.scores[key] for clip in clips)


def _word_error_percent(clips: Sequence[Clip]) -> float:
    return 100 * _sum("word_errors")(clips) / _sum("words")(clips)


FIGURES = (
    Figure("DNSMOS speech (SIG)", "SIG", 2, _mean("SIG")),
    Figure("DNSMOS background (BAK)", "BAK", 2, _mean("BAK")),
    Figure("DNSMOS overall (OVRL)", "OVRL", 2, _mean("OVRL")),
    Figure("DNSMOS P.808", "P808", 2, _mean("P808")),
    Figure("mel-cepstral distortion, dB", "mcd_db", 2, _mean("mcd_db")),
    Figure("F0 error, semitones", "f0_semitones", 2, _mean("f0_semitones")),
    Figure("voicing error, %", "voicing_percent", 1, _mean("voicing_percent")),
    Figure("word errors (pocketsphinx), %", "word_errors", 1, _word_error_percent),
    Figure("clicks", "clicks", 0, _sum("clicks")),
    Figure("clipped runs", "clipped", 0, _sum("clipped")),
    Figure("pinned runs", "pinned", 0, _sum("pinned")),
    Figure("seconds of sound", "seconds", 1, _sum("seconds")),
    Figure("RTF, one thread, median", "rtf", 4, _median("rtf")),
    Figure("graphs, MB", "size_mb", 1, _median("size_mb")),
)
PLOTTED = ("SIG", "OVRL", "P808", "mcd_db", "f0_semitones", "word_errors")


def columns(clips: Sequence[Clip]) -> list[str]:
    """In the order in which they were first judged."""
    return list(dict.fromkeys(clip.column for clip in clips))


def speakers(clips: Sequence[Clip]) -> list[str]:
    return list(dict.fromkeys(clip.speaker for clip in clips))


def _of(clips: Sequence[Clip], speaker: str, column: str) -> list[Clip]:
    return [clip for clip in clips if (clip.speaker, clip.column) == (speaker, column)]


def markdown(clips: Sequence[Clip]) -> str:
    """A table for each speaker."""
    parts = []
    for speaker in speakers(clips):
        own = columns([clip for clip in clips if clip.speaker == speaker])
        n_texts = len(_of(clips, speaker, NATURAL))
        parts.append(f"### {speaker}, {n_texts} held-out recordings\n\n")
        parts.append(f"| | {' | '.join(own)} |\n|---|{'---:|' * len(own)}\n")
        for figure in FIGURES:
            cells = [figure.of(_of(clips, speaker, column)) for column in own]
            if any(cell != "–" for cell in cells):
                parts.append(f"| {figure.title} | {' | '.join(cells)} |\n")
        parts.append("\n")
    return "".join(parts)


def summary(clips: Sequence[Clip]) -> dict[str, dict[str, dict[str, float]]]:
    """Speaker → column → key → figure."""
    return {
        speaker: {
            column: {
                figure.key: figure.total(judged)
                for figure in FIGURES
                if (judged := [each for each in _of(clips, speaker, column) if figure.key in each.scores])
            }
            for column in columns([clip for clip in clips if clip.speaker == speaker])
        }
        for speaker in speakers(clips)
    }


def as_json(clips: Sequence[Clip]) -> str:
    document = {"summary": summary(clips), "clips": [asdict(clip) for clip in clips]}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def plot(clips: Sequence[Clip], path: Path) -> None:
    """Bars for each figure: speakers side by side, each with natural speech, copies and speech of every voice."""
    mpl.use("svg")
    from matplotlib import pyplot as plt

    found = summary(clips)
    figures = [
        figure
        for key in PLOTTED
        for figure in FIGURES
        if figure.key == key and any(key in of for own in found.values() for of in own.values())
    ]
    with mpl.rc_context({"svg.hashsalt": "evaluate", "svg.fonttype": "none"}):
        canvas, axes = plt.subplots(
            len(figures), 1, figsize=(8, 2.1 * len(figures)), squeeze=False, layout="constrained"
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
        values = [own.get(column, {}).get(figure.key, 0.0) for own in found.values()]
        places = [place + (number - (len(every) - 1) / 2) * width for place in range(len(values))]
        bars = axis.bar(places, values, width, label=column)
        axis.bar_label(bars, [f"{value:.{figure.digits}f}" if value else "" for value in values], fontsize=6)
    axis.set_xticks(range(len(found)), list(found))
    axis.set_title(figure.title, fontsize=9)
    axis.margins(y=0.15)
