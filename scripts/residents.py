"""Those who keep a daemon busy in a soak: each asks, waits for the outcome, and asks for something else."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import aiohttp

from scripts import texts
from scripts.crowd import Crowd
from scripts.household import VOICES

N_RESIDENTS = 16
PRIORITIES = ("message", "important", "text", "notification", "progress")
# The medium one takes ten times as long as the others.
VOICE_WEIGHTS = (40, 20, 19, 20, 1)

BAD_FIELDS: tuple[dict[str, Any], ...] = (
    {"text": ""},
    {"text": 7},
    {"text": "Hello.", "speed": 99},
    {"text": "Hello.", "priority": "urgent"},
    {"text": "Hello.", "voice": "nobody"},
    {"text": "Hello.", "speaker": "nobody"},
    {"text": "<speak>never closed", "format": "ssml"},
    {"text": "word " * 5000},
    {"text": "🎉🎉"},
)


class Residents:
    def __init__(self, crowd: Crowd, seed: int) -> None:
        self._crowd = crowd
        self._rng = random.Random(seed)
        self._n_begun = 0
        self.done: Counter[str] = Counter()
        """What was asked for, by kind."""

        self.wrong: Counter[str] = Counter()
        """Answers that should not have been."""

    async def live(self, n_announcements: int, stop: asyncio.Event) -> None:
        """Make *n_announcements* in all, those of earlier calls included; fewer if *stop* is set before."""
        tasks = [asyncio.create_task(self._live(n_announcements, stop)) for _ in range(N_RESIDENTS)]
        await asyncio.gather(*tasks)

    async def _live(self, n_announcements: int, stop: asyncio.Event) -> None:
        kinds = {self._say_http: 30, self._say_mqtt: 38, self._sound: 16, self._bad: 8, self._command: 8}
        while not stop.is_set() and self._n_begun < n_announcements:
            self._n_begun += 1
            number = self._n_begun
            act = self._rng.choices(list(kinds), list(kinds.values()))[0]
            self.done[act.__name__.removeprefix("_")] += 1
            await act(number)

    def _fields(self) -> dict[str, Any]:
        rng = self._rng
        fields: dict[str, Any] = {"voice": rng.choices(VOICES, VOICE_WEIGHTS)[0]}
        if rng.random() < 0.04:
            fields |= {"text": rng.choice(texts.SSML), "format": "ssml"}
        else:
            fields["text"] = texts.announcement(rng)
        fields["priority"] = rng.choices(PRIORITIES, [80, 5, 5, 5, 5])[0]
        if rng.random() < 0.2:
            choices: list[dict[str, Any]] = [
                {"speed": 1.5},
                {"pitch": 2},
                {"volume": 30},
                {"emotion": "happy"},
                {"repeat": 2},
                {"replace": "door"},
                {"ttl_s": 0.05},
            ]
            fields |= rng.choice(choices)
        return fields

    async def _say_http(self, number: int) -> None:
        fields = self._fields()
        request = self._crowd.book.add(f"h{number}", "http", fields["priority"])
        await self._crowd.http.say(request, fields, waits=self._rng.random() < 0.3)
        if self._rng.random() < 0.03 and not request.refusals:
            # The same id inside the window is spoken once.
            status, answer, _ = await self._crowd.http.post("/api/say", {**fields, "id": request.id})
            if status != 202 or not answer["duplicate"]:
                self.wrong["a repeated id was taken for a new one"] += 1
        await request.end()

    async def _say_mqtt(self, number: int) -> None:
        fields = self._fields()
        request = self._crowd.book.add(f"m{number}", "mqtt", fields["priority"])
        self._crowd.mqtt.say(request, fields)
        await request.end()

    async def _sound(self, number: int) -> None:
        del number
        fields = self._fields()
        fields.pop("replace", None)
        try:
            status, _ = await self._crowd.http.sound(fields, hangs_up=self._rng.random() < 0.3)
        except aiohttp.ClientError:
            self.wrong["a sound broke off"] += 1
            return
        if status != 200:
            self.wrong[f"a sound was answered with {status}"] += 1

    async def _bad(self, number: int) -> None:
        """Refused by the door it comes to, with a code."""
        fields = self._rng.choice(BAD_FIELDS)
        kind = self._rng.choice(["http", "mqtt", "garbage"])
        if kind == "garbage":
            self._crowd.mqtt.say_garbage()
            return
        request = self._crowd.book.add(f"b{number}", f"bad {kind}", "message")
        if kind == "http":
            await self._crowd.http.say(request, fields)
        else:
            self._crowd.mqtt.say(request, fields)
        await request.end()
        if request.outcomes:
            self.wrong[f"bad input was {request.code}"] += 1

    async def _command(self, number: int) -> None:
        rng, mqtt, http = self._rng, self._crowd.mqtt, self._crowd.http
        command = rng.choices(["skip", "stop", "clear", "volume", "mute", "pause"], [40, 10, 5, 25, 10, 10])[
            0
        ]
        if command == "volume":
            mqtt.publish("volume/set", str(rng.randint(0, 100)))
        elif command == "mute":
            mqtt.publish("mute/set", "ON")
            mqtt.publish("mute/set", "OFF")
        elif command == "pause":
            await http.post("/api/pause", {})
            await http.post("/api/resume", {})
        elif number % 2:
            mqtt.publish(command, "")
        else:
            await http.post(f"/api/{command}", {})
