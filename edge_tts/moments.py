"""How long ago something was, across restarts and whatever happened to the clock."""

from __future__ import annotations

import itertools
import time
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

BELIEVABLE_S = 366 * 86400.0
"""No power cut lasts longer: a clock that says so was wrong then or is wrong now."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Moment:
    wall_s: float
    """Unix seconds, as far as the box knew."""

    boot: str
    """Names the start of the machine; "" if that cannot be known."""

    boot_s: float
    """Seconds since then, suspended ones included: nobody sets this clock."""


def moment_now() -> Moment:
    try:
        boot = BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return Moment(time.time(), boot, time.clock_gettime(time.CLOCK_BOOTTIME))


def elapsed_s(then: Moment, now: Moment) -> float:
    """Exact while the machine was up; else by the wall clock, and 0 if that one cannot be believed."""
    if then.boot and then.boot == now.boot:
        return max(0.0, now.boot_s - then.boot_s)
    passed_s = now.wall_s - then.wall_s
    return passed_s if 0.0 <= passed_s <= BELIEVABLE_S else 0.0


def name_of_run(others: Container[str]) -> str:
    """The start of our jobs' names. A box without a battery may start twice at the same time."""
    return next(name for number in itertools.count(int(time.time())) if (name := f"{number:x}") not in others)
