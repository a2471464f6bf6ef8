"""What a soak says: figures with their bounds, a page and a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.bench_report import machine
from scripts.crowd import Book
from scripts.figures import Figure, table
from scripts.household import Sample

LIMIT_MB = 512
CACHE_MB = 16
MAX_JOURNAL_MB = 8
MAX_JOBS = 50

MAX_SLOPE_MB = 1.0
"""Per 10 000 announcements, less twice its standard error."""

MAX_SLOWER = 1.5
"""The p99 of the first sound in the last quarter, by that in the first."""

MAX_WAKE_UPS_PER_S = 2.0


@dataclass(frozen=True)
class Soak:
    """What was seen."""

    before: Sample
    """With the voices warm and nobody connected."""

    samples: list[Sample]
    ended: list[int]
    """Announcements that had ended at each sample."""

    rests: list[tuple[int, Sample]]
    """Samples with nothing to do, after so many announcements; by the first one the cache and the history are full."""

    after: Sample
    """As *before*."""

    book: Book
    asked: Counter[str]
    """Announcements and other requests by kind."""

    wrong: Counter[str]
    """Answers that should not have been."""

    first_sound_ms: list[float]
    """Of each announcement that was heard, in order, without its time in the queue."""

    n_mqtt_outcomes: int
    duration_s: float
    peak_mb: float
    idle: dict[str, dict[str, float]]
    """Wake-ups per second of each thread, with and without a broker."""


def figures(run: Soak) -> list[Figure]:
    return [*_endings(run), *_memory(run), *_bounded(run), *_first_sound(run), *_idle(run)]


def _endings(run: Soak) -> list[Figure]:
    book = run.book
    n_lost, n_doubled = len(book.lost), len(book.doubled)
    n_outcomes = sum(len(each.outcomes) for each in book.requests.values())
    wrong = "; ".join(f"{count} × {what}" for what, count in run.wrong.items())
    n_asked, minutes = sum(run.asked.values()), run.duration_s / 60
    heard, garbage = run.n_mqtt_outcomes, (book.garbage_refused, book.garbage_sent)
    return [
        Figure("announcements and other requests", f"{n_asked} in {minutes:.0f} min"),
        Figure("ended in one outcome or refusal", str(book.n_ended - n_doubled)),
        Figure("lost, doubled", f"{n_lost}, {n_doubled}", "0, 0", bool(n_lost or n_doubled)),
        Figure("outcomes told over MQTT", f"{heard} of {n_outcomes}", "all", heard != n_outcomes),
        Figure("broken JSON refused", f"{garbage[0]} of {garbage[1]}", "all", garbage[0] != garbage[1]),
        Figure("wrong answers", wrong or "0", "0", bool(wrong)),
    ]


def _memory(run: Soak) -> list[Figure]:
    return [
        Figure("peak RSS", f"{run.peak_mb:.0f} MB", f"≤ {LIMIT_MB} MB", run.peak_mb > LIMIT_MB),
        Figure("RSS (PSS) at rest, before and after", f"{_resident(run.before)}, {_resident(run.after)} MB"),
        _growth(run),
    ]


def _resident(sample: Sample) -> str:
    return f"{sample.rss_mb:.0f} ({sample.pss_mb:.0f})"


def _growth(run: Soak) -> Figure:
    name, bound = "RSS at rest, per 10 000 announcements", f"≤ {MAX_SLOPE_MB:g} MB"
    if len(run.rests) < 3:
        return Figure(name, "too few announcements", bound)
    resting = [(n, sample.rss_mb) for n, sample in run.rests]
    gradient, error = slope(*zip(*resting, strict=True))
    measured = f"{gradient:+.2f} ± {error:.2f} MB"
    return Figure(name, measured, bound, gradient - 2 * error > MAX_SLOPE_MB)


def slope(ended: Sequence[int], rss_mb: Sequence[float]) -> tuple[float, float]:
    """MB per 10 000 announcements by least squares, and its standard error."""
    x = np.array(ended, float) / 10_000
    y = np.array(rss_mb)
    spread = float(np.sum((x - x.mean()) ** 2))
    gradient = float(np.sum((x - x.mean()) * (y - y.mean()))) / spread
    residual = y - y.mean() - gradient * (x - x.mean())
    return gradient, float(np.sqrt(np.sum(residual**2) / (len(x) - 2) / spread))


def _bounded(run: Soak) -> list[Figure]:
    samples, before, after = run.samples, run.before, run.after
    cache_mb, journal_mb = max(s.cache_mb for s in samples), max(s.journal_mb for s in samples)
    queue = max(s.queue_length for s in samples)
    # Threads for the odd task are started when they are first wanted.
    most_threads = max(sample.n_threads for sample in samples[: len(samples) // 2 + 1])
    threads, files = (most_threads, after.n_threads), (before.n_files, after.n_files)
    return [
        Figure(
            "threads, most in the first half, and after",
            f"{threads[0]}, {threads[1]}",
            "no more",
            threads[1] > threads[0],
        ),
        Figure("open files, before and after", f"{files[0]}, {files[1]}", "no more", files[1] > files[0]),
        Figure(
            "cache on the disk, largest", f"{cache_mb:.1f} MB", f"≤ {CACHE_MB} MB", cache_mb > CACHE_MB + 0.5
        ),
        Figure(
            "state, largest", f"{journal_mb:.1f} MB", f"≤ {MAX_JOURNAL_MB} MB", journal_mb > MAX_JOURNAL_MB
        ),
        Figure("queue, longest", str(queue), f"≤ {MAX_JOBS}", queue > MAX_JOBS),
    ]


def _first_sound(run: Soak) -> list[Figure]:
    quarter = max(1, len(run.first_sound_ms) // 4)
    first = np.percentile(run.first_sound_ms[:quarter], [50, 99])
    last = np.percentile(run.first_sound_ms[-quarter:], [50, 99])
    bound = f"p99 ≤ {MAX_SLOWER:g} × the first's"
    is_broken = bool(last[1] > MAX_SLOWER * first[1])
    return [
        Figure("first sound, p50 and p99, first quarter", f"{first[0]:.0f}, {first[1]:.0f} ms"),
        Figure(
            "first sound, p50 and p99, last quarter", f"{last[0]:.0f}, {last[1]:.0f} ms", bound, is_broken
        ),
    ]


def _idle(run: Soak) -> list[Figure]:
    totals = {when: sum(rates.values()) for when, rates in run.idle.items()}
    bound = f"< {MAX_WAKE_UPS_PER_S:g} /s"
    return [
        Figure(f"idle, wake-ups {when}", f"{total:.1f} /s", bound, total >= MAX_WAKE_UPS_PER_S)
        for when, total in totals.items()
    ]


def plot(run: Soak, path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 2.8), layout="constrained")
    axes.plot(run.ended, [sample.rss_mb for sample in run.samples], color="#2a7", label="resident")
    axes.plot(run.ended, [sample.pss_mb for sample in run.samples], color="#999", label="its own share (PSS)")
    at_rest = [(n, sample.rss_mb) for n, sample in run.rests]
    axes.plot(*zip(*at_rest, strict=True), "o", color="#153", label="resident, at rest") if at_rest else None
    axes.axhline(LIMIT_MB, color="#c33", linestyle="--", label="memory.limit_mb")
    axes.set_ylim(0, LIMIT_MB * 1.1)
    axes.set_xlabel("announcements")
    axes.set_ylabel("MB")
    axes.legend(loc="center right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def page(run: Soak, picture: Path | None) -> str:
    endings = run.book.endings("http") + run.book.endings("mqtt")
    threads = [
        f"{when} " + ", ".join(f"{name} {rate:.2f}" for name, rate in rates.items())
        for when, rates in run.idle.items()
    ]
    return "\n".join(
        [
            "# Years of use in an hour",
            "",
            f"Measured by `scripts/soak` on {machine()}.",
            "",
            "A daemon with five voices and a Mosquitto; callers over HTTP and MQTT at once with random announcements",
            "of 1 to 2000 words in every priority, commands, sound for callers of whom some hang up, and bad input.",
            "The null sink plays a thousand times as fast as a loudspeaker. Before, every voice has said the longest",
            "sentences there are: what they need is taken then, not by and by. Every 2000 announcements the house",
            "rests: while it is busy, memory goes up and down by what long texts take.",
            "",
            *([f"![Memory over announcements]({picture.name})", ""] if picture else []),
            *table(figures(run)),
            "",
            f"Asked for: {_counted(run.asked)}. Endings: {_counted(endings)}.",
            "",
            f"Idle wake-ups per second, by thread: {'; '.join(threads)}.",
            "",
        ]
    )


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.most_common())
