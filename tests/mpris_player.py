"""A music player on a D-Bus of its own: as much of MPRIS as a remote control sees."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

PLAYER = "org.mpris.MediaPlayer2.Player"
PROPERTIES = "org.freedesktop.DBus.Properties"


@contextmanager
def session_bus(folder: Path) -> Iterator[str]:
    """Its address."""
    address = f"unix:path={folder}/bus"
    command = ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address={address}"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert daemon.stdout is not None
    try:
        assert daemon.stdout.readline().startswith(address.encode()), "it did not start"
        yield address
    finally:
        daemon.kill()
        daemon.wait(10)
        daemon.stdout.close()


class MprisPlayer:
    """Made by `started`; answers on the event loop it was made on."""

    def __init__(self, bus: MessageBus, name: str, status: str) -> None:
        self.name = name
        self.status = status
        self.commands: list[str] = []
        self.is_deaf = False
        """Answers nothing, as a player that hangs."""

        self.late_s = 0.0
        """What it takes to answer, as one on a busy machine."""

        self.commanded = asyncio.Event()
        self._bus = bus
        self.address = str(bus.unique_name)

    @classmethod
    async def started(cls, address: str, name: str, status: str) -> MprisPlayer:
        bus = await MessageBus(bus_address=address).connect()
        player = cls(bus, f"org.mpris.MediaPlayer2.{name}", status)
        bus.add_message_handler(player._on_message)
        await bus.request_name(player.name)
        return player

    def _on_message(self, message: Message) -> Any:
        if message.message_type is not MessageType.METHOD_CALL or message.path != "/org/mpris/MediaPlayer2":
            return None
        if self.is_deaf:
            return True
        asyncio.get_running_loop().call_later(self.late_s, lambda: self._bus.send(self._answer(message)))
        return True

    def _answer(self, message: Message) -> Message:
        if message.interface == PLAYER:
            return self._command(message)
        if (message.interface, message.member, message.body) == (
            PROPERTIES,
            "Get",
            [PLAYER, "PlaybackStatus"],
        ):
            return Message.new_method_return(message, "v", [Variant("s", self.status)])
        return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", "no such method")

    def _command(self, message: Message) -> Message:
        command = str(message.member)
        self.commands.append(command)
        self.commanded.set()
        if command == "Pause" and self.status == "Playing":
            self.status = "Paused"
        elif command == "Play":
            self.status = "Playing"
        return Message.new_method_return(message)

    async def close(self) -> None:
        self._bus.disconnect()
