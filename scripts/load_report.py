"""What a load says: a row per door and priority, figures with their bounds, a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scripts.bench_report import machine
from scripts.crowd import Book, Request
from scripts.figures import Figure, table

ALARM_DEADLINE_MS = 1000
LEAST_SHARE = 0.2
"""Of what was accepted of the announcements sent during the burst, for each of the two doors."""

MAX_GROWTH_MB = 64


@dataclass(frozen=True)
class Load:
    """What was seen."""

    book: Book
    sounds_ms: list[float]
    """First sound for each caller who wants the sound itself."""

    n_refused_sounds: int
    before_mb: float
    peak_mb: float
    """Resident."""


def figures(run: Load) -> list[Figure]:
    requests = list(run.book.requests.values())
    n_lost, n_doubled = len(run.book.lost), len(run.book.doubled)
    refused = [each for each in requests if each.refusals]
    codes = sorted({each.code or "" for each in refused})
    alarms_ms = [each.first_sound_ms for each in requests if each.priority == "important"]
    last_ms = max((ms for ms in alarms_ms if ms is not None), default=float("nan"))
    is_late = None in alarms_ms or last_ms > ALARM_DEADLINE_MS
    growth_mb = run.peak_mb - run.before_mb
    return [
        Figure("announcements", str(len(requests))),
        Figure("lost, doubled", f"{n_lost}, {n_doubled}", "0, 0", bool(n_lost or n_doubled)),
        Figure(
            "refused, with",
            f"{len(refused)}, {', '.join(codes)}",
            "queue_full",
            codes not in ([], ["queue_full"]),
        ),
        *(_share(requests, door) for door in ("http", "mqtt")),
        Figure("sound for callers, refused", f"{len(run.sounds_ms)}, {run.n_refused_sounds}"),
        Figure("latest alarm", f"{last_ms:.0f} ms", f"≤ {ALARM_DEADLINE_MS} ms", is_late),
        Figure("RSS added", f"{growth_mb:.0f} MB", f"≤ {MAX_GROWTH_MB} MB", growth_mb > MAX_GROWTH_MB),
    ]


def _share(requests: Sequence[Request], door: str) -> Figure:
    # When the last of the burst was refused, only one door is still asked.
    ends_s = [
        each.sent_s + each.refused_ms / 1000 for each in requests if each.door == "mqtt" and each.refused_ms
    ]
    accepted = [
        each.door for each in requests if each.outcomes and each.sent_s <= max(ends_s, default=math.inf)
    ]
    share = accepted.count(door) / max(1, len(accepted))
    return Figure(
        f"{door}'s share of the accepted, during the burst",
        f"{share:.0%}",
        f"≥ {LEAST_SHARE:.0%}",
        share < LEAST_SHARE,
    )


def rows(run: Load) -> list[str]:
    """A line of the table for each door and priority."""
    requests = run.book.requests.values()
    lines = [
        "| door, priority | sent | accepted | heard | first sound p50, p95, p99 | refused within p50, p99 |",
        "|---|---|---|---|---|---|",
    ]
    for door, priority in sorted({(each.door, each.priority) for each in requests}):
        mine = [each for each in requests if (each.door, each.priority) == (door, priority)]
        heard_ms = [each.first_sound_ms for each in mine if each.first_sound_ms is not None]
        refused_ms = [each.refused_ms for each in mine if each.refused_ms is not None]
        n_accepted = sum(bool(each.outcomes) for each in mine)
        lines.append(
            f"| {door}, {priority} | {len(mine)} | {n_accepted} | {len(heard_ms)} "
            f"| {_percentiles(heard_ms, 50, 95, 99)} | {_percentiles(refused_ms, 50, 99)} |"
        )
    lines.append(
        f"| http, sound itself | {len(run.sounds_ms) + run.n_refused_sounds} | {len(run.sounds_ms)} "
        f"| {len(run.sounds_ms)} | {_percentiles(run.sounds_ms, 50, 95, 99)} | |"
    )
    return lines


def _percentiles(times_ms: Sequence[float], *percents: int) -> str:
    if not times_ms:
        return ""
    return ", ".join(f"{value:.0f}" for value in np.percentile(times_ms, percents)) + " ms"


def page(run: Load, n_callers: int, n_messages: int) -> str:
    return "\n".join(
        [
            "# Everybody at once",
            "",
            f"Measured by `scripts/load` on {machine()}.",
            "",
            f"{n_callers} callers over HTTP with four requests each, a fifth of whom want the sound itself, a burst of",
            f"{n_messages} messages over MQTT, and an important announcement every second, the first over MQTT and",
            "right behind the burst. The null sink plays 20 times as fast as a loudspeaker. First sound counts from",
            "the moment of sending, the time in the queue included.",
            "",
            *table(figures(run)),
            "",
            *rows(run),
            "",
        ]
    )
