"""What is measured of a sound, and how the figure of many sounds follows from it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NATURAL, COPY, SPEECH = "natural", "copy", "speech"


@dataclass(frozen=True)
class Clip:
    """One sound that was judged."""

    id: str
    """Of the recording whose text it is, or of the announcement."""

    speaker: str
    column: str
    """The voice and the kind."""

    kind: str
    """NATURAL, COPY or SPEECH."""

    scores: dict[str, float]
    announced_in: str = ""
    """Language of an announcement, which nobody has recorded; "" if there is a recording of the text."""


HIGHER, LOWER, NEITHER = 1, -1, 0


@dataclass(frozen=True)
class Figure:
    """One row of the tables."""

    title: str
    key: str
    digits: int
    total: Callable[[Sequence[Clip]], float]
    better: int
    """HIGHER, LOWER or NEITHER."""

    least: float = 0.01
    """A smaller difference is none."""

    is_counted: bool = False
    """Defects and sizes: what is there is there, by no chance of the texts."""

    def value(self, clips: Sequence[Clip]) -> float:
        """Not a number where nothing was measured."""
        judged = [clip for clip in clips if self.key in clip.scores]
        return self.total(judged) if judged else float("nan")


def _mean(key: str) -> Callable[[Sequence[Clip]], float]:
    return lambda clips: statistics.fmean(clip.scores[key] for clip in clips)


def _median(key: str) -> Callable[[Sequence[Clip]], float]:
    return lambda clips: statistics.median(clip.scores[key] for clip in clips)


def _sum(key: str) -> Callable[[Sequence[Clip]], float]:
    return lambda clips: sum(clip.scores[key] for clip in clips)


def _word_error_percent(clips: Sequence[Clip]) -> float:
    return 100 * _sum("word_errors")(clips) / _sum("words")(clips)


FIGURES = (
    Figure("DNSMOS speech (SIG)", "SIG", 2, _mean("SIG"), HIGHER),
    Figure("DNSMOS background (BAK)", "BAK", 2, _mean("BAK"), HIGHER),
    Figure("DNSMOS overall (OVRL)", "OVRL", 2, _mean("OVRL"), HIGHER),
    Figure("DNSMOS P.808", "P808", 2, _mean("P808"), HIGHER),
    Figure("mel-cepstral distortion, dB", "mcd_db", 2, _mean("mcd_db"), LOWER),
    Figure("F0 error, semitones", "f0_semitones", 2, _mean("f0_semitones"), LOWER),
    Figure("voicing error, %", "voicing_percent", 1, _mean("voicing_percent"), LOWER),
    Figure("word errors (pocketsphinx), %", "word_errors", 1, _word_error_percent, LOWER),
    Figure("clicks", "clicks", 0, _sum("clicks"), LOWER, is_counted=True),
    Figure("clipped runs", "clipped", 0, _sum("clipped"), LOWER, is_counted=True),
    Figure("pinned runs", "pinned", 0, _sum("pinned"), LOWER, is_counted=True),
    Figure("seconds of sound", "seconds", 1, _sum("seconds"), NEITHER),
    # A thousandth is what the same voice differs by from one run to the next.
    Figure("RTF, one thread, median", "rtf", 4, _median("rtf"), LOWER, least=0.001),
    Figure("graphs, MB", "size_mb", 1, _median("size_mb"), LOWER, is_counted=True),
)
