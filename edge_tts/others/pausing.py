"""Players on the desktop's bus (MPRIS) are paused while we speak: only those that play."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
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
BUS = "org.freedesktop.DBus"

ANSWER_S = 0.1
"""A player that takes longer does not keep the others from being paused in time."""


class Pausing:
    def __init__(self, config: AudioConfig) -> None:
        import dbus_fast.aio

        self._library = dbus_fast

    async def quiet(self, known: Mapping[str, Change], keep: Callable[[list[Change]], None]) -> None:
        async with self._bus() as bus:
            bus_id = await self._id(bus)
            owners = await self._players(bus)
            states = await self._states(bus, owners.values())
            playing = {
                name: owner
                for name, owner in owners.items()
                if states[owner] == "Playing" and _who(name, owner, bus_id) not in known
            }
            if playing:
                keep([Change(_who(name, owner, bus_id), name, owner) for name, owner in playing.items()])
            await self._command(bus, "Pause", playing.values())
            _complain(name for name, owner in owners.items() if states[owner] is None)

    async def give_back(self, changes: Collection[Change]) -> list[Change]:
        """Only players that are still there (`before` is their address) and still paused."""
        async with self._bus() as bus:
            bus_id = await self._id(bus)
            # With another session addresses begin anew, and may be those of others.
            changes = [each for each in changes if each.of == _who(each.kind, each.before, bus_id)]
            states = await self._states(bus, [change.before for change in changes])
            await self._command(bus, "Play", [owner for owner, state in states.items() if state == "Paused"])
            _complain(change.kind for change in changes if states[change.before] is None)
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

    async def _states(self, bus: MessageBus, owners: Iterable[str]) -> dict[str, str | None]:
        """ "Playing", "Paused" or "Stopped"; "" of one that is gone, None of one that does not answer."""
        owners = list(owners)
        replies = await asyncio.gather(
            *(self._ask(bus, owner, f"{BUS}.Properties", "Get", PLAYER, "PlaybackStatus") for owner in owners)
        )
        return {owner: _state(reply) for owner, reply in zip(owners, replies, strict=True)}

    async def _command(self, bus: MessageBus, command: str, owners: Iterable[str]) -> None:
        await asyncio.gather(*(self._ask(bus, owner, PLAYER, command) for owner in owners))

    async def _ask(
        self, bus: MessageBus, owner: str, interface: str, member: str, *body: str
    ) -> Message | None:
        """None: no answer in time."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._call(bus, owner, "/org/mpris/MediaPlayer2", interface, member, *body)
        except TimeoutError:
            return None

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


def _state(reply: Message | None) -> str | None:
    if reply is None:
        return None
    answer = _first(reply)
    return "" if answer is None else str(answer.value)


def _complain(silent: Iterable[str]) -> None:
    """Raises OthersError if anybody is *silent*."""
    if names := ", ".join(sorted(set(silent))):
        raise OthersError(f"no answer from {names}")
