"""`scripts/soak`: random announcements for hours against a real daemon; fails if anything grows, is lost or doubled."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from edge_tts.memory import TIDY_EVERY_S
from scripts import texts
from scripts.crowd import Crowd, opened
from scripts.household import SETTLING_S, VOICES, Household, Sample, running
from scripts.residents import Residents
from scripts.soak_report import CACHE_MB, LIMIT_MB, MAX_JOBS, Soak, figures, page, plot
from tests.house import wait_until

CONFIG: dict[str, dict[str, Any]] = {
    "audio": {"sink": "null", "null_pace": 1000.0},
    "memory": {"limit_mb": LIMIT_MB},
    # Small enough to be full all the time.
    "cache": {"limit_mb": CACHE_MB},
    "queue": {"max_text_characters": 20_000, "max_jobs": MAX_JOBS},
    "log": {"level": "warning"},
}
SAMPLE_EVERY_S = 2.0
REST_EVERY = 2000
IDLE_S = 20.0


async def soak(house: Household, n_announcements: int, seconds: float | None, idle_s: float = IDLE_S) -> Soak:
    """*seconds*: for so long, however many announcements that is."""
    async with opened(house.daemon.url, house.broker.port) as crowd:
        await _warm_up(crowd)
    before = await _at_rest(house)
    async with opened(house.daemon.url, house.broker.port) as crowd:
        start_s = time.monotonic()
        residents = Residents(crowd, seed=1)
        stop = asyncio.Event()
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, stop.set)
        async with _watched(house, lambda: crowd.book.n_ended + residents.done["sound"]) as (samples, ended):
            rests = await _live(house, crowd, residents, sys.maxsize if seconds else n_announcements, stop)
            duration_s = time.monotonic() - start_s
            await asyncio.sleep(SAMPLE_EVERY_S)
    after = await _at_rest(house)
    idle = await asyncio.to_thread(measure_idle, house, idle_s)
    outcomes = [event for request in crowd.book.requests.values() for event in request.outcomes]
    heard = [event for event in outcomes if "first_audio_ms" in event]
    return Soak(
        before=before,
        samples=samples,
        ended=ended,
        rests=rests,
        after=after,
        book=crowd.book,
        asked=residents.done,
        wrong=residents.wrong,
        first_sound_ms=[event["first_audio_ms"] - event["queued_ms"] for event in heard],
        n_mqtt_outcomes=crowd.mqtt.n_outcomes,
        duration_s=duration_s,
        peak_mb=house.peak_mb(),
        idle=idle,
    )


async def _live(
    house: Household, crowd: Crowd, residents: Residents, n_announcements: int, stop: asyncio.Event
) -> list[tuple[int, Sample]]:
    """A sample after each REST_EVERY announcements, when everything has ended and what was freed is given back."""
    rests = []
    for target in itertools.count(REST_EVERY, REST_EVERY):
        await residents.live(min(target, n_announcements), stop)
        if stop.is_set() or target > n_announcements:
            break
        # It is given back after the first text that comes so much later.
        await asyncio.sleep(TIDY_EVERY_S)
        await crowd.http.sound({"text": "1.", "voice": "hum"}, hangs_up=False)
        rests.append((target, await _at_rest(house)))
    return rests


async def _at_rest(house: Household) -> Sample:
    await asyncio.sleep(SETTLING_S)
    return await asyncio.to_thread(house.sample)


async def _warm_up(crowd: Crowd) -> None:
    """Every voice says the longest sentences there are, which need most memory: when a caller happens to meet them must
    not look like growth."""
    text = texts.longest_sentences(3)
    for voice in VOICES:
        await crowd.http.sound({"text": text, "voice": voice}, hangs_up=False)


@asynccontextmanager
async def _watched(
    house: Household, n_ended: Callable[[], int]
) -> AsyncIterator[tuple[list[Sample], list[int]]]:
    """Samples taken all the time inside the block, and how many had ended at each."""
    samples: list[Sample] = []
    ended: list[int] = []

    async def watch() -> None:
        while True:
            samples.append(await asyncio.to_thread(house.sample))
            ended.append(n_ended())
            await asyncio.sleep(SAMPLE_EVERY_S)

    watcher = asyncio.create_task(watch())
    try:
        yield samples, ended
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher


def measure_idle(house: Household, seconds: float) -> dict[str, dict[str, float]]:
    wait_until(house.is_connected, 60)
    connected = house.wake_ups_per_s(seconds)
    house.broker.stop()
    return {"with a broker": connected, "without its broker": house.wake_ups_per_s(seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--announcements", type=int, default=20_000)
    parser.add_argument("--hours", type=float, help="go on for so long, however many announcements that is")
    parser.add_argument(
        "--medium", type=Path, help="a Piper voice (x.onnx with x.onnx.json) instead of one made here"
    )
    parser.add_argument("--markdown", type=Path, help="write the page here, as docs/soak.md")
    parser.add_argument("--plot", type=Path, help="draw memory here, as docs/soak.svg")
    options = parser.parse_args()
    seconds = options.hours * 3600 if options.hours else None
    with tempfile.TemporaryDirectory() as name, running(Path(name), CONFIG, options.medium) as house:
        run = asyncio.run(soak(house, options.announcements, seconds))
    text = page(run, options.plot)
    print(text)
    if options.plot:
        plot(run, options.plot)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    sys.exit(any(each.is_broken for each in figures(run)))


if __name__ == "__main__":
    main()
