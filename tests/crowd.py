"""Many requests by every door of one daemon, and the rules that say what must become of them."""

from __future__ import annotations

import asyncio
import random
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.box import Answer, Box
from tests.callers import ANNOUNCERS, VOICES, first_of, is_outcome
from tests.doors_house import until
from tests.phone import BASE
from tests.priority_rules import Rules, Wish

ENDLESS = ("la " * 400).strip()
"""Of 72 s: until somebody ends it."""

PITCHES = [pitch for pitch in range(-12, 13) if pitch]
"""In semitones; 0 is of those who cannot choose, and are known by their length."""

SOUNDS = ("satellite", "hermes_sound")
"""Who send a sound in place of a text."""


@dataclass
class Request:
    wish: Wish
    caller: str
    text: str
    pitch: int
    volume: int
    job: str = ""
    answer: asyncio.Task[Answer] = field(init=False)


class Crowd:
    """Says things to the box, and to the rules what was said."""

    def __init__(self, box: Box, seed: int) -> None:
        self.box = box
        self.rules = Rules()
        self.requests: dict[str, Request] = {}
        self.sounds: list[tuple[str, str, asyncio.Task[Answer]]] = []
        """Caller, text and what came."""

        self.ended: dict[str, dict[str, Any]] = {}
        """Name → outcome, as told to the broker."""

        self.random = random.Random(seed)

    async def say(self, caller: str, priority: str = "message", *, replace: str | None = None) -> None:
        """Returns when it was accepted, and has begun if it is its turn."""
        wish = Wish(f"{len(self.requests)}", priority, replace)
        trial = deepcopy(self.rules)
        trial.arrive(wish)
        speaks_now = trial.speaking == wish
        request = self._request(wish, caller, is_endless=speaks_now)
        n_heard = len(self.box.phone.messages)
        request.answer = asyncio.create_task(self._asked(request))
        self.rules.arrive(wish)
        request.job = (await self._event(n_heard, "queued"))["job"]
        if speaks_now:
            assert (await self._event(n_heard, "started"))["job"] == request.job

    def _request(self, wish: Wish, caller: str, *, is_endless: bool) -> Request:
        number = len(self.requests)
        is_hermes = caller == "hermes"
        n_hermes = sum(request.caller == "hermes" for request in self.requests.values())
        text = ENDLESS if is_endless else "la" * (4 + (n_hermes if is_hermes else number % 5))
        pitch = 0 if is_hermes else PITCHES[number * 7 % len(PITCHES)]
        volume = 100 if caller in SOUNDS else self.random.choice((100, 60))
        self.requests[wish.name] = request = Request(wish, caller, text, pitch, volume)
        return request

    async def _asked(self, request: Request) -> Answer:
        fields: dict[str, Any] = {"pitch": request.pitch, "volume": request.volume}
        if request.caller == "hermes":
            fields = {"volume": request.volume / 100}
        elif request.caller not in SOUNDS:
            fields |= {"priority": request.wish.priority, "replace": request.wish.replace}
        return await ANNOUNCERS[request.caller](self.box).ask(request.text, **fields)

    async def _event(self, n_heard: int, event_type: str) -> dict[str, Any]:
        return await first_of(
            self.box.phone, n_heard, f"{BASE}/event", lambda event: event["event_type"] == event_type
        )

    def ask_for_sound(self, caller: str) -> None:
        text = "la" * (5 + len(self.sounds))
        self.sounds.append((caller, text, asyncio.create_task(VOICES[caller](self.box).ask(text))))

    async def say_anything(self, weights: dict[str, int]) -> None:
        """By any door, of any of these priorities, perhaps in place of another."""
        (priority,) = self.random.choices(list(weights), list(weights.values()))
        # The others know no priorities.
        callers = list(ANNOUNCERS) if priority == "message" else ["say", "mqtt"]
        caller = self.random.choice(callers)
        knows_keys = caller in ("say", "mqtt") and priority in ("message", "text")
        key = self.random.choice((None, "door", "oven")) if knows_keys else None
        await self.say(caller, priority, replace=key)

    async def cancel_one(self) -> None:
        wish = self.random.choice(self.rules.waiting)
        request = self.requests[wish.name]
        self.rules.cancel(wish)
        await ANNOUNCERS[request.caller](self.box).cancel(request.job)
        await self._ended(request)

    async def _ended(self, request: Request) -> None:
        def is_ours(event: dict[str, Any]) -> bool:
            return event.get("job") == request.job and is_outcome(event)

        if request.wish.name not in self.ended:
            event = await first_of(self.box.phone, 0, f"{BASE}/event", is_ours)
            self.ended[request.wish.name] = event

    async def command(self, name: str) -> None:
        """skip, or pause and resume, mute and unmute; returns when it has had its effect."""
        getattr(self.rules, name)()
        if name in ("skip", "resume"):
            await self.box.call("POST", f"/api/{name}")
        elif name == "pause":
            self.box.phone.publish(f"{BASE}/pause", "PRESS")
            await until(lambda: self.box.phone.latest("paused") == "ON")
        else:
            # As Rhasspy does it.
            switch = "toggleOff" if name == "mute" else "toggleOn"
            self.box.phone.publish(f"hermes/audioServer/{switch}", '{"siteId": "default"}')
            await until(lambda: self.box.phone.latest("mute") == ("ON" if name == "mute" else "OFF"))
        for wished in list(self.rules.outcomes):
            await self._ended(self.requests[wished])

    async def quiet(self) -> None:
        """Wait until all has been said."""
        self.rules.finish()
        for request in self.requests.values():
            await request.answer
            await self._ended(request)
