"""`scripts/load`: many callers at once against a real daemon; fails if one is lost, starved or kept waiting."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts import texts
from scripts.crowd import Crowd, Request, opened
from scripts.household import Household, running
from scripts.load_report import Load, figures, page

CONFIG: dict[str, dict[str, Any]] = {
    "audio": {"sink": "null", "null_pace": 20.0},
    "http": {"max_connections": 128, "max_connections_per_address": 128},
    "log": {"level": "warning"},
}
REQUESTS_PER_CALLER = 4
LISTENER_SHARE = 5
"""One caller in so many wants the sound itself."""

N_ALARMS = 10
ALARM_EVERY_S = 1.0
"""Important announcements meanwhile, over either door in turn; the first is right behind the burst."""

PAUSE_S = 0.5
"""What a refused caller waits; less than the Retry-After asks for."""


class _Strain:
    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._rng = random.Random(2)
        self._numbers = itertools.count(1)
        self.sounds_ms: list[float] = []
        self.n_refused_sounds = 0

    def _fields(self, priority: str | None = None) -> dict[str, Any]:
        priorities = ["message", "text", "notification", "progress"]
        chosen = priority or self._rng.choices(priorities, [85, 5, 5, 5])[0]
        return {"text": texts.prose(self._rng, self._rng.randint(3, 20)), "priority": chosen}

    def _add(self, door: str, fields: dict[str, Any]) -> Request:
        return self._crowd.book.add(f"{door}-{next(self._numbers)}", door, fields["priority"])

    async def call(self) -> None:
        """One caller over HTTP, asking again and again."""
        for _ in range(REQUESTS_PER_CALLER):
            fields = self._fields()
            request = self._add("http", fields)
            await self._crowd.http.say(request, fields)
            await request.end()
            if request.refusals:
                await asyncio.sleep(PAUSE_S)

    async def listen(self) -> None:
        for _ in range(REQUESTS_PER_CALLER):
            status, first_ms = await self._crowd.http.sound(self._fields(), hangs_up=False)
            if status == 200:
                self.sounds_ms.append(first_ms)
            else:
                self.n_refused_sounds += 1

    async def burst(self, n_messages: int) -> None:
        requests = []
        for _ in range(n_messages):
            fields = self._fields()
            requests.append(self._add("mqtt", fields))
            self._crowd.mqtt.say(requests[-1], fields)
        for request in requests:
            await request.end()

    async def alarm(self) -> None:
        for number in range(N_ALARMS):
            fields = self._fields("important")
            request = self._add(("mqtt", "http")[number % 2], fields)
            if request.door == "http":
                await self._crowd.http.say(request, fields)
            else:
                self._crowd.mqtt.say(request, fields)
            await asyncio.sleep(ALARM_EVERY_S)
            await request.end()


async def load(house: Household, n_callers: int, n_messages: int) -> Load:
    before_mb = house.sample().rss_mb
    async with opened(house.daemon.url, house.broker.port) as crowd:
        strain = _Strain(crowd)
        callers = [
            strain.listen() if number % LISTENER_SHARE == 0 else strain.call() for number in range(n_callers)
        ]
        # The burst is on its way before anything else.
        await asyncio.gather(strain.burst(n_messages), strain.alarm(), *callers)
    return Load(crowd.book, strain.sounds_ms, strain.n_refused_sounds, before_mb, house.peak_mb())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=50, help="at once, over HTTP")
    parser.add_argument("--messages", type=int, default=1000, help="in one burst, over MQTT")
    parser.add_argument("--markdown", type=Path, help="write the page here, as docs/load.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running(Path(name), CONFIG, None) as house:
        run = asyncio.run(load(house, options.callers, options.messages))
    text = page(run, options.callers, options.messages)
    print(text)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    sys.exit(any(each.is_broken for each in figures(run)))


if __name__ == "__main__":
    main()
