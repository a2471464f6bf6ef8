"""A running daemon with all its doors open, and who calls there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from aiohttp import ClientSession

from edge_tts.speech import Audio
from tests.phone import Phone


@dataclass(frozen=True)
class Box:
    """Where a daemon is reached. *ports* are http, marytts, wyoming and satellite."""

    ports: Mapping[str, int]
    phone: Phone
    """At its broker; hears everything of it, and `hermes/#`."""

    host: str = "127.0.0.1"
    token: str = "any"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.ports['http']}"

    @property
    def web(self) -> ClientSession:
        """To be closed by who takes it."""
        return ClientSession(self.url, headers={"Authorization": f"Bearer {self.token}"})

    async def call(self, method: str, path: str) -> bytes:
        async with self.web as client, client.request(method, path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()


@dataclass(frozen=True, slots=True)
class Answer:
    code: str = ""
    """Of the error, or of an outcome other than finished; empty: all is well."""

    message: str = ""
    sound: Audio | None = None
    """For who takes it."""


class Caller:
    """One way in."""

    door: ClassVar[str]
    """The line in DOORS."""

    def __init__(self, box: Box) -> None:
        self.box = box

    async def ask(self, text: str, **fields: Any) -> Answer:
        """Returns when all is over."""
        raise NotImplementedError


class Announcer(Caller):
    """Is heard on the box."""

    told_when_cancelled: ClassVar[str] = "cancelled"

    async def cancel(self, job: str) -> None:
        """As its protocol does it; where that knows no way, as the box does."""
        await self.box.call("DELETE", f"/api/jobs/{job}")


class Voice(Caller):
    """Takes the sound itself."""

    async def hang_up(self, text: str) -> None:
        """Ask, and go when the first sound of it comes."""
        raise NotImplementedError
