"""The measurement behind `scripts/journal_wear`."""

from __future__ import annotations

import asyncio
import platform
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from edge_tts.config import Config, StateConfig
from edge_tts.journal import Journal, open_journal
from edge_tts.speech import SpeakRequest

N_ANNOUNCEMENTS = 1000
BURST = 25
TEXT = "The washing machine in the cellar has been running for more than two hours now, please look after it tonight."


def disk_bytes() -> int:
    """What this process gave to the disk, in the kernel's pages."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


async def announce(journal: Journal, number: int) -> float:
    """One announcement of two sentences; returns the seconds until it was accepted."""
    name, start_s = f"job-{number}", time.perf_counter()
    await journal.accept(name, SpeakRequest(TEXT, id=str(number)), 300.0, f"{number:024x}")
    took_s = time.perf_counter() - start_s
    journal.begin(name)
    journal.progress(name, 1)
    journal.end(name)
    return took_s


async def measure(folder: Path, at_once: int) -> tuple[float, float]:
    """Bytes per announcement, and the median of the milliseconds until one was accepted."""
    took_s: list[float] = []
    async with open_journal(Config(state=StateConfig(dir=folder / str(at_once)))) as journal:
        before = disk_bytes()
        for first in range(0, N_ANNOUNCEMENTS, at_once):
            took_s += await asyncio.gather(*(announce(journal, first + each) for each in range(at_once)))
            # As the end is written by then, the next one does not share its commit.
            await asyncio.wait({journal._add([], is_durable=True)})
        written = disk_bytes() - before
    return written / N_ANNOUNCEMENTS, sorted(took_s)[len(took_s) // 2] * 1000


async def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as inside:
        print(
            f"{date.today()}, {platform.machine()}, {N_ANNOUNCEMENTS} announcements of {len(TEXT)} characters\n"
        )
        print("| announcements | bytes written per announcement | accepted after, median |\n|---|---|---|")
        for what, at_once in (("one at a time", 1), (f"{BURST} at once", BURST)):
            n_bytes, took_ms = await measure(Path(inside), at_once)
            print(f"| {what} | {n_bytes / 1000:.1f} kB | {took_ms:.1f} ms |")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
