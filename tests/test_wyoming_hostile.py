"""The Wyoming ports and callers who mean no good, or are broken."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from socket import create_connection

import pytest
from wyoming.event import Event, async_read_event

from edge_tts.config import Config
from edge_tts.door_config import WyomingConfig
from edge_tts.doors import DOORS, wyoming_server
from edge_tts.doors.wyoming_connection import Connection, Limits
from edge_tts.doors.wyoming_server import MAX_CONNECTIONS
from edge_tts.errors import ConfigError
from tests.doors_house import n_descriptors, outer_address, until
from tests.test_service import LONG, serving
from tests.wyoming_house import FREE_PORTS, House, answer, opened, received

SHORT = Limits(json_bytes=4096, payload_bytes=4096, event_s=0.2, idle_s=0.4, write_s=0.3)
"""For who is to be cut off."""

SMALL = replace(SHORT, event_s=10.0, idle_s=10.0, write_s=10.0)
"""For who is not: on a busy machine anybody may be silent for a second."""


@asynccontextmanager
async def connected(
    port: int, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def last_word(house: House, sent: bytes) -> list[Event]:
    """What is answered to *sent* until the connection ends."""
    events = []
    async with connected(house.port) as (reader, writer), asyncio.timeout(10):
        writer.write(sent)
        while (event := await async_read_event(reader)) is not None:
            events.append(event)
    return events


async def test_what_came_while_the_box_stood_still_is_read(config: Config) -> None:
    async with opened(config, SHORT) as house, connected(house.port) as (reader, writer):
        await asyncio.sleep(0.1)
        writer.write(b'{"type": "ping"}\n')
        time.sleep(0.5)  # noqa: ASYNC251 it is the loop that is to stand still
        event = await async_read_event(reader)
        assert event is not None
        assert event.type == "pong"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "bad_json"),
        (b"\n", "bad_json"),
        (b"[1]\n", "bad_json"),
        (b"\xff\xfe\n", "bad_request"),
        (b"[" * 3000 + b"\n", "bad_json"),
        (b"{}\n", "bad_request"),
        (b'{"type": 5}\n', "bad_request"),
        (b'{"type": "ping", "data": 5}\n', "bad_request"),
        (b'{"type": "ping", "data": {"text": "\\ud800"}}\n', "bad_request"),
        (b'{"\\ud800": 1, "\\ud800": 2}\n', "bad_json"),
        (b'{"type": "ping", "data_length": 3}\n[1]', "bad_json"),
        (b'{"type": "ping", "data_length": -1}\n', "bad_request"),
        (b'{"type": "ping", "data_length": "many"}\n', "bad_request"),
        (b'{"type": "ping", "data_length": 1e9}\n', "bad_request"),
        (b'{"type": "ping", "data_length": 4097}\n', "body_too_large"),
        (b'{"type": "audio-chunk", "payload_length": 4097}\n', "body_too_large"),
        (b'{"type": "' + b"a" * 201 + b'"}\n', "bad_request"),
        (b"a" * 100_000, "body_too_large"),
    ],
)
async def test_garbage_gets_an_error_and_the_end(config: Config, sent: bytes, code: str) -> None:
    async with opened(config, SMALL) as house:
        events = await last_word(house, sent)
        assert [(event.type, event.data["code"]) for event in events] == [("error", code)]
        async with house.speech() as client:
            assert (await answer(client, "ping", {}, "pong"))[-1].type == "pong"
        labels = {"source": "wyoming", "code": code}
        assert house.service.metrics.registry.get_sample_value("edge_tts_rejected_total", labels) == 1


async def test_unknown_events_are_passed_over(config: Config) -> None:
    async with opened(config, SMALL) as house, house.speech() as client:
        for kind in ("transcribe", "audio-chunk", "x" * 200):
            await client.write_event(Event(kind, {"a": [1]}, b"abc"))
        assert (await answer(client, "ping", {"text": None}, "pong"))[-1].type == "pong"


@pytest.mark.parametrize("sent", [b"", b"{", b'{"type": "ping", "payload_length": 9}\nabc'])
async def test_who_is_silent_is_cut_off(config: Config, sent: bytes) -> None:
    async with opened(config, SHORT) as house:
        assert await last_word(house, sent) == []


async def test_who_does_not_read_is_cut_off(config: Config) -> None:
    text = " ".join(f"{n} {LONG}" for n in range(30))
    async with opened(config, SHORT) as house:
        with create_connection(("127.0.0.1", house.port)) as caller:
            for start in range(0, len(text), 1000):
                event = {"type": "synthesize", "data": {"text": text[start : start + 1000]}}
                caller.sendall(json.dumps(event).encode() + b"\n")
            await until(lambda: n_attended() == 1)
            await until(lambda: n_attended() == 0)


async def test_what_nobody_reads_keeps_no_connection_open() -> None:
    """Less than would make us wait at once stayed for ever, beside the limit of connections."""
    is_closed = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer, SHORT)
        while not writer.transport.get_write_buffer_size():
            writer.write(bytes(1 << 16))
        connection.close()
        await writer.wait_closed()
        is_closed.set()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        with create_connection(server.sockets[0].getsockname()):
            async with asyncio.timeout(10):
                await is_closed.wait()


def n_attended() -> int:
    return sum("Port._attend" in repr(task.get_coro()) for task in asyncio.all_tasks())


async def test_a_busy_caller_may_be_silent(config: Config) -> None:
    limits = Limits(json_bytes=4096, idle_s=2.0)
    sound_s = 3.0
    async with opened(config, limits) as house, house.satellite() as client:
        start_s = time.monotonic()
        sound = bytes(2 * round(sound_s * 22050))
        await client.write_event(Event("audio-chunk", {"rate": 22050, "width": 2, "channels": 1}, sound))
        await client.write_event(Event("audio-stop"))
        assert [event.type for event in await received(client, "played")] == ["played"]
        assert time.monotonic() - start_s > limits.idle_s


async def test_too_many_make_room_for_who_comes(config: Config) -> None:
    before = n_descriptors()
    async with opened(config) as house:
        async with AsyncExitStack() as crowd:
            for _ in range(MAX_CONNECTIONS):
                await crowd.enter_async_context(connected(house.port))
            await until(lambda: n_attended() == MAX_CONNECTIONS)
            async with house.speech() as client:
                assert (await answer(client, "ping", {}, "pong"))[-1].type == "pong"
                assert n_attended() <= MAX_CONNECTIONS
        await until(lambda: n_attended() == 0)
    assert n_descriptors() <= before


async def test_many_requests_of_one_connection_are_an_error(config: Config) -> None:
    async with opened(config) as house:
        order = json.dumps({"type": "synthesize", "data": {"text": LONG}}).encode() + b"\n"
        events = await last_word(house, order * 20)
        assert events[-1].data["code"] == "bad_request"


async def test_leaving_the_door_ends_what_is_said(config: Config) -> None:
    async with opened(config) as house:
        client = house.speech()
        await client.connect()
        await client.write_event(Event("synthesize", {"text": " ".join(f"{n} {LONG}" for n in range(90))}))
        await received(client, "audio-chunk")
    assert n_attended() == 0
    async with asyncio.timeout(10):
        await received(client)
    await client.disconnect()


async def test_a_port_in_use_stops_the_start(config: Config) -> None:
    async with opened(config) as house, serving(config) as service:
        for key, taken in {
            "port": WyomingConfig(enabled=True, port=house.port),
            "satellite_port": WyomingConfig(enabled=True, port=0, satellite_port=house.port),
        }.items():
            with pytest.raises(ConfigError, match=rf"wyoming\.{key}"):
                async with DOORS["wyoming"](service, replace(config, wyoming=taken)):
                    pass


@pytest.mark.parametrize("is_let_in", [True, False])
async def test_only_the_networks_that_are_named_are_let_in(config: Config, is_let_in: bool) -> None:
    address = outer_address()
    networks = (f"{address}/32",) if is_let_in else ("203.0.113.0/24",)
    settings = replace(FREE_PORTS, host="0.0.0.0", zeroconf=False, allowed_networks=networks)
    async with (
        serving(config) as service,
        wyoming_server.opened(service, replace(config, wyoming=settings)) as door,
        connected(door.port, address) as (reader, writer),
    ):
        writer.write(b'{"type": "ping"}\n')
        # Who is not let in is cut off without a word.
        answered = b""
        with suppress(ConnectionError):
            answered = await reader.read(10)
        assert (answered == b'{"type": "') is is_let_in
