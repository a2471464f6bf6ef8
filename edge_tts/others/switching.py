"""Snapcast's groups listen to our stream while we speak, instead of to music. Volumes are left alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from edge_tts.config import AudioConfig
from edge_tts.errors import OthersError
from edge_tts.others.base import Change

LINE_LIMIT_BYTES = 4 << 20
"""The status of a house with hundreds of clients is one line."""


class Switching:
    def __init__(self, config: AudioConfig) -> None:
        self._config = config.snapcast

    async def quiet(self, known: Mapping[str, Change], keep: Callable[[list[Change]], None]) -> None:
        async with self._control() as control:
            groups = await self._groups(control)
            elsewhere = [Change(group, "group", stream) for group, stream in groups.items()]
            changes = [
                each for each in elsewhere if each.before != self._config.stream and each.of not in known
            ]
            if changes:
                keep(changes)
            await _switch(control, {each.of: self._config.stream for each in changes})

    async def give_back(self, changes: Collection[Change]) -> list[Change]:
        async with self._control() as control:
            groups = await self._groups(control)
            ours = [each for each in changes if groups.get(each.of) == self._config.stream]
            await _switch(control, {each.of: each.before for each in ours})
            return []

    async def _groups(self, control: _Control) -> dict[str, str]:
        """The stream of each group."""
        server = (await control.ask("Server.GetStatus"))["server"]
        streams = [stream["id"] for stream in server["streams"]]
        if self._config.stream not in streams:
            raise OthersError(f"Snapcast has no stream {self._config.stream!r}; it has: {', '.join(streams)}")
        return {group["id"]: group["stream_id"] for group in server["groups"]}

    @asynccontextmanager
    async def _control(self) -> AsyncIterator[_Control]:
        host, port = self._config.control_address
        try:
            reader, writer = await asyncio.open_connection(host, port, limit=LINE_LIMIT_BYTES)
            try:
                yield _Control(reader, writer)
            finally:
                writer.close()
        except OSError as error:
            raise OthersError(f"Snapcast's control ({host}:{port}) cannot be reached: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise OthersError(f"what answers at {host}:{port} is no Snapcast server: {error!r}") from error


async def _switch(control: _Control, streams: Mapping[str, str]) -> None:
    """Bring each group to its stream; raises OthersError when all was tried: a stream may be gone, or a group."""
    refusals: list[str] = []
    for group, stream in streams.items():
        try:
            await control.ask("Group.SetStream", id=group, stream_id=stream)
        except OthersError as error:
            refusals.append(f"{error} ({stream})")
    if refusals:
        raise OthersError("; ".join(refusals))


class _Control:
    """JSON-RPC, a line for each message."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._n_asked = 0

    async def ask(self, method: str, **params: str) -> Any:
        """The result; raises OthersError, OSError or ValueError."""
        self._n_asked += 1
        request = {"id": self._n_asked, "jsonrpc": "2.0", "method": method, "params": params}
        self._writer.write(json.dumps(request).encode() + b"\r\n")
        await self._writer.drain()
        while line := await self._reader.readline():
            answer = json.loads(line)
            if answer.get("id") == self._n_asked:  # others are notices of what happens in the house
                if "error" in answer:
                    raise OthersError(f"Snapcast refuses {method}: {answer['error'].get('message')}")
                return answer["result"]
        raise OSError("connection closed")
