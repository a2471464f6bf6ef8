"""Other streams of the sound server are lowered while we speak: PulseAudio, and PipeWire by its PulseAudio side."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from edge_tts.config import AudioConfig
from edge_tts.errors import OthersError
from edge_tts.others.base import Change

N_STEPS = 4
STEP_S = 0.02
"""A volume that falls or rises at once clicks."""

TOLERANCE = 0.002
"""PipeWire rounds volumes; nobody sets one so finely by hand."""

CUBE_DB = 60.0
"""A volume of a sound server is the cube root of a gain: 60 dB for each factor of ten."""


class Ducking:
    def __init__(self, config: AudioConfig) -> None:
        """Raises OthersError."""
        try:
            import pulsectl
            import pulsectl_asyncio
        except (ImportError, OSError) as error:
            raise OthersError(f"audio.others: duck needs libpulse ({error}); install libpulse0") from error
        self._library = pulsectl
        self._connection = pulsectl_asyncio.PulseAsync
        self._factors = [10 ** (-config.duck_db * step / N_STEPS / CUBE_DB) for step in range(1, N_STEPS + 1)]

    async def quiet(self, known: Mapping[str, Change], keep: Callable[[list[Change]], None]) -> None:
        async with self._server() as server:
            new = [
                (stream, self._volume_before(stream, known.values()))
                for stream in await server.sink_input_list()
                if stream.volume.values and not _is_ours(stream) and _name_of(stream) not in known
            ]
            if new:
                keep([Change(_name_of(stream), _kind_of(stream), before) for stream, before in new])
            await self._fade(server, new, self._factors)

    def _volume_before(self, stream: Any, known: Collection[Change]) -> list[float]:
        """Its own; or that of one of its kind that ended while it was low: this one began so."""
        gone = [
            change.before for change in known if _is_kin(stream, change) and self._is_lowered(stream, change)
        ]
        return gone[0] if gone else list(stream.volume.values)

    async def give_back(self, changes: Collection[Change]) -> list[Change]:
        async with self._server() as server:
            streams = await server.sink_input_list()
            lowered: list[tuple[Any, list[float]]] = []
            gone: dict[str, Change] = {}
            for change in changes:
                # A player that went on to its next piece has a new stream, with the volume that we left.
                same = [stream for stream in streams if _name_of(stream) == change.of]
                same = same or [stream for stream in streams if _is_kin(stream, change)]
                lowered += [(stream, change.before) for stream in same if self._is_lowered(stream, change)]
                if not same and change.kind:
                    gone.setdefault(change.kind, change)
            await self._fade(server, lowered, [*reversed(self._factors[:-1]), 1.0])
            return await self._not_remembered(server, gone) if gone else []

    async def _fade(
        self, server: Any, streams: Sequence[tuple[Any, list[float]]], factors: Sequence[float]
    ) -> None:
        """Bring *streams* from where they are to the last of *factors* of the volume beside each."""
        for factor in factors if streams else ():
            for stream, before in streams:
                _scale(stream.volume, before, factor)
                # It ended meanwhile.
                with suppress(self._library.PulseOperationFailed):
                    await server.volume_set(stream, stream.volume)
            if factor != factors[-1]:
                await asyncio.sleep(STEP_S)

    def _is_lowered(self, stream: Any, change: Change) -> bool:
        """Whether its volume is one of those that we set: else somebody else has set it since."""
        level, before = max(stream.volume.values), max(change.before)
        return any(abs(level - before * factor) < TOLERANCE for factor in self._factors)

    async def _not_remembered(self, server: Any, gone: Mapping[str, Change]) -> list[Change]:
        """Corrects what PulseAudio remembers for the next stream of a kind (module-stream-restore). PipeWire does not
        show what it remembers: returns what is to be given back to that stream."""
        try:
            remembered = {entry.name: entry for entry in await server.stream_restore_list()}
        except self._library.PulseOperationFailed:
            return []  # nothing is remembered
        for entry in remembered.values():
            change = gone.get(entry.name)
            if change and entry.volume.values and self._is_lowered(entry, change):
                _scale(entry.volume, change.before, 1.0)
                await server.stream_restore_write(entry, mode="replace")
        return [change for kind, change in gone.items() if kind not in remembered]

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[Any]:
        server = self._connection("edge_tts")
        try:
            await server.connect()
            yield server
        except (self._library.PulseError, self._library.PulseDisconnected) as error:
            raise OthersError(
                "the sound server cannot be reached: audio.others: duck needs PulseAudio or pipewire-pulse, "
                f"and its socket (PULSE_SERVER or XDG_RUNTIME_DIR): {error}"
            ) from error
        finally:
            server.close()


def _scale(volume: Any, before: list[float], factor: float) -> None:
    """A stream with other channels than before gets the loudest one's volume on all."""
    if len(volume.values) != len(before):
        before = [max(before)] * len(volume.values)
    volume.values = [value * factor for value in before]


def _is_ours(stream: Any) -> bool:
    return bool(stream.proplist.get("application.process.id") == str(os.getpid()))


def _name_of(stream: Any) -> str:
    """A server that was started again counts from the start."""
    return f"{stream.index} {stream.proplist.get('application.process.id', '')} {_kind_of(stream)}"


def _is_kin(stream: Any, change: Change) -> bool:
    return bool(change.kind) and _kind_of(stream) == change.kind


def _kind_of(stream: Any) -> str:
    """What the server remembers volumes by; empty if it does not."""
    return str(stream.proplist.get("module-stream-restore.id", ""))
