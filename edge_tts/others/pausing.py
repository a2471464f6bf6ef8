"""Players on the desktop's bus (MPRIS) are paused while we speak: only those that play."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_tts.config import AudioConfig
from edge_tts.errors import OthersError
from edge_tts.others.base import Change

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

PREFIX = "org.mpris.MediaPlayer2."
PLAYER = "org.mpris.MediaPlayer2.Player"
PATH = "/org/mpris/MediaPlayer2"
BUS = "org.freedesktop.DBus"

ANSWER_S = 2.0
"""A player that takes longer is complained of. Speech does not wait for it (`LIMIT_S`), nor do other players."""


class Pausing:
    def __init__(self, config: AudioConfig) -> None:
        import dbus_fast.aio

        self._library = dbus_fast

    async def quiet(self, known: Mapping[str, Change], keep: Callable[[list[Change]], None]) -> None:
        async with self._bus() as bus:
            bus_id = await self._id(bus)

            async def pause(name: str, owner: str) -> None:
                change = Change(_who(name, owner, bus_id), name, owner)
                if await self._state(bus, owner) == "Playing" and change.of not in known:
                    keep([change])
                    await self._command(bus, owner, "Pause")

            players = await self._players(bus)
            await _each((name, pause(name, owner)) for name, owner in players.items())

    async def give_back(self, changes: Collection[Change]) -> list[Change]:
        """Only players that are still there (`before` is their address) and still paused."""
        async with self._bus() as bus:
            bus_id = await self._id(bus)

            async def resume(owner: str) -> None:
                if await self._state(bus, owner) == "Paused":
                    await self._command(bus, owner, "Play")

            # With another session addresses begin anew, and may be those of others.
            ours = [each for each in changes if each.of == _who(each.kind, each.before, bus_id)]
            await _each((change.kind, resume(change.before)) for change in ours)
            return []

    async def _id(self, bus: MessageBus) -> str:
        return str(_first(await self._call(bus, BUS, "/org/freedesktop/DBus", BUS, "GetId")))

    async def _players(self, bus: MessageBus) -> dict[str, str]:
        """Name → address of each player on the bus."""
        names = _first(await self._call(bus, BUS, "/org/freedesktop/DBus", BUS, "ListNames")) or []
        players = [name for name in names if name.startswith(PREFIX)]
        replies = await asyncio.gather(
            *(self._call(bus, BUS, "/org/freedesktop/DBus", BUS, "GetNameOwner", name) for name in players)
        )
        return {name: owner for name, reply in zip(players, replies, strict=True) if (owner := _first(reply))}

    async def _state(self, bus: MessageBus, owner: str) -> str:
        """ "Playing", "Paused" or "Stopped"; "" of one that is gone."""
        reply = await self._call(bus, owner, PATH, f"{BUS}.Properties", "Get", PLAYER, "PlaybackStatus")
        answer = _first(reply)
        return "" if answer is None else str(answer.value)

    async def _command(self, bus: MessageBus, owner: str, command: str) -> None:
        await self._call(bus, owner, PATH, PLAYER, command)

    async def _call(
        self, bus: MessageBus, to: str, path: str, interface: str, member: str, *body: str
    ) -> Message:
        message = self._library.Message(
            destination=to,
            path=path,
            interface=interface,
            member=member,
            signature="s" * len(body),
            body=list(body),
        )
        return await bus.call(message)

    @asynccontextmanager
    async def _bus(self) -> AsyncIterator[MessageBus]:
        try:
            bus = self._library.aio.MessageBus(bus_address=_address())
            await bus.connect()
        except (self._library.DBusFastError, OSError, EOFError) as error:
            raise OthersError(f"audio.others: pause cannot reach the desktop's bus: {error}") from error
        try:
            yield bus
        except (self._library.DBusFastError, OSError, EOFError) as error:
            raise OthersError(f"the desktop's bus is gone: {error}") from error
        finally:
            bus.disconnect()


def _address() -> str:
    """Of the session's bus; raises OthersError."""
    if address := os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return address
    path = Path(os.environ.get("XDG_RUNTIME_DIR", "/run")) / "bus"
    if not path.exists():
        raise OthersError(
            "audio.others: pause needs the bus of a logged-in user, and DBUS_SESSION_BUS_ADDRESS is not set"
        )
    return f"unix:path={path}"


def _who(name: str, owner: str, bus_id: str) -> str:
    return f"{name} {owner} {bus_id}"


def _first(reply: Message) -> Any:
    """What was answered; None instead of an error."""
    return reply.body[0] if reply.message_type.name == "METHOD_RETURN" and reply.body else None


async def _each(work: Iterable[tuple[str, Coroutine[Any, Any, None]]]) -> None:
    """What is to be done with each player: at once with who answers, whoever else does not. Raises OthersError if
    anybody did not."""
    silent: set[str] = set()

    async def in_time(name: str, doing: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await doing
        except TimeoutError:
            silent.add(name)

    await asyncio.gather(*(in_time(name, doing) for name, doing in work))
    if silent:
        raise OthersError(f"no answer from {', '.join(sorted(silent))}")
