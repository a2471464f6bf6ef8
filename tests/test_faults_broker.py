"""Faults of the broker and of the way to it, with a real broker behind."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge_tts.config import Config
from edge_tts.doors.mqtt import Delays, open_door
from edge_tts.doors.mqtt_client import read_broker
from edge_tts.doors.mqtt_connection import Connection
from edge_tts.service import Service
from tests.doors_house import until
from tests.fake_broker import CONNECT, listening, packet, read_packet, scripted
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone, at, opened, problems
from tests.tcp_proxy import proxied
from tests.test_service import serving

pytestmark = pytest.mark.broker

Measured = Callable[[str, float, float], None]

QUICK = Delays(first_s=0.002, max_s=0.01, takeover_s=0.3, steady_after_s=0.5)
"""A night without a broker in seconds."""


@asynccontextmanager
async def opened_quickly(config: Config) -> AsyncIterator[Service]:
    async with serving(config) as service, open_door(service, config, QUICK):
        yield service


def is_online(service: Service) -> bool:
    return "mqtt_disconnected" not in problems(service)


async def spoken(phone: Phone, request_id: str) -> None:
    phone.publish(f"{BASE}/say", json.dumps({"text": "Hello.", "id": request_id}))
    await phone.event("finished", request_id)


@pytest.mark.slow
async def test_a_broker_that_is_killed(config: Config, tmp_path: Path, measured: Measured) -> None:
    broker = Mosquitto(tmp_path)
    await asyncio.to_thread(broker.start)
    async with opened(at(config, broker.port)) as service:
        await until(lambda: is_online(service), 20)
        broker.kill()
        await until(lambda: not is_online(service))
        (tmp_path / "log").unlink()
        await asyncio.to_thread(broker.start)
        back_s = time.monotonic()
        await until(lambda: is_online(service), 30)
        phone = await asyncio.to_thread(Phone, broker.port)
        await spoken(phone, "after")
        measured("Broker killed, started again: an announcement is said", time.monotonic() - back_s, 5.0)
        phone.close()
    await asyncio.to_thread(broker.stop)


@pytest.mark.slow
@pytest.mark.parametrize("is_burst", [False, True], ids=["idle", "burst"])
async def test_a_cable_that_is_cut(
    config: Config, broker: Mosquitto, phone: Phone, measured: Measured, is_burst: bool
) -> None:
    """Half-open: neither side is told. Only the keepalive finds out."""
    async with proxied(broker.port) as proxy:
        async with opened(at(config, proxy.port, keepalive_s=5)) as service:
            await until(lambda: is_online(service), 20)
            if is_burst:
                for number in range(30):
                    phone.publish(f"{BASE}/say", json.dumps({"text": "Hello.", "id": f"burst-{number}"}))
                await until(lambda: len(service.jobs()) >= 5)
            proxy.swallow()
            cut_s = time.monotonic()
            await until(lambda: not is_online(service), 30)
            during = " in a burst" if is_burst else ""
            measured(f"Cable cut{during} (keepalive 5 s): noticed", time.monotonic() - cut_s, 11.0)
            proxy.let_through()
            healed_s = time.monotonic()
            await until(lambda: is_online(service), 60)
            await spoken(phone, "after")
            measured("… whole again: an announcement is said", time.monotonic() - healed_s, 15.0)
            await until(lambda: all(job.event_type.is_outcome for job in service.jobs()), 30)
            accepted = [job.id for job in service.jobs()]
            assert len(accepted) == len(set(accepted))
        await until(lambda: phone.latest("status") == "offline")


@pytest.mark.slow
async def test_a_broker_that_is_away_for_hours(
    config: Config, broker: Mosquitto, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    """As many attempts as a night has, at once: nothing grows, and one success is enough."""
    async with proxied(broker.port) as proxy, opened_quickly(at(config, proxy.port)) as service:
        await until(lambda: is_online(service), 20)
        await proxy.refuse()
        await until(lambda: caplog.text.count("refused") >= 10, 30)
        n_before = threading.active_count(), len(os.listdir("/proc/self/fd"))
        await until(lambda: caplog.text.count("refused") >= 500, 60)
        # One attempt may be under way, and the ones before on their way out.
        await until(lambda: threading.active_count() <= n_before[0] + 2)
        await until(lambda: len(os.listdir("/proc/self/fd")) <= n_before[1] + 6)
        assert service.health()["is_ready"]
        await proxy.listen()
        await until(lambda: is_online(service), 20)
        await spoken(phone, "morning")


async def test_two_boxes_of_one_name_do_not_storm(config: Config) -> None:
    """Each connection of one ends the other's: without a delay of its own that would be a loop."""
    arrivals_s: list[float] = []
    taken_over = b"\xe0\x02\x8e\x00"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrivals_s.append(time.monotonic())
        await scripted(1, taken_over)(reader, writer)

    async with listening(serve) as port, opened_quickly(at(config, port)):
        await until(lambda: len(arrivals_s) >= 4, 20)
    pauses_s = [after - before for before, after in itertools.pairwise(arrivals_s)]
    assert min(pauses_s) >= QUICK.takeover_s


BROKEN = {
    "a packet of a reserved type": b"\x00\x00",
    "a length of five bytes": b"\x30\xff\xff\xff\xff\x7f",
    "half a packet": b"\x30\x20\x00\x05edge",
    "a topic that is no text": packet(0x32, b"\x00\x02\xff\xfe\x00\x01\x00x"),
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broker_that_talks_nonsense(
    config: Config, broker: Mosquitto, phone: Phone, sent: bytes
) -> None:
    """First nonsense, then hanging up; the next connection reaches the real one, byte by byte."""
    n_connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_connections
        n_connections += 1
        if n_connections == 1:
            with suppress(TimeoutError):
                await asyncio.wait_for(scripted(1, sent)(reader, writer), 0.5)
            return
        await byte_by_byte(reader, writer, broker.port)

    async with listening(serve) as port, opened_quickly(at(config, port)) as service:
        await until(lambda: n_connections >= 2 and is_online(service), 30)
        await spoken(phone, "after")


async def byte_by_byte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, real_port: int) -> None:
    from_broker, to_broker = await asyncio.open_connection("127.0.0.1", real_port)

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while content := await source.read(1):
            target.write(content)
            await target.drain()
        target.close()

    try:
        await asyncio.gather(pump(reader, to_broker), pump(from_broker, writer))
    finally:
        to_broker.close()


@pytest.mark.parametrize("last_packet", [CONNECT, 8])
async def test_a_broker_that_dies_in_the_middle_of_a_greeting(
    config: Config, broker: Mosquitto, phone: Phone, last_packet: int
) -> None:
    n_connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_connections
        n_connections += 1
        if n_connections > 1:
            await byte_by_byte(reader, writer, broker.port)
            return
        while (await read_packet(reader))[0] != last_packet:
            writer.write(b"\x20\x03\x00\x00\x00")

    async with listening(serve) as port, opened_quickly(at(config, port)) as service:
        await until(lambda: n_connections >= 2 and is_online(service), 30)
        await spoken(phone, "after")


async def test_a_network_thread_that_stops_is_seen(config: Config, broker: Mosquitto) -> None:
    now_s = 0.0
    greeted = asyncio.Event()

    class Listener:
        def connected(self, connection: Connection) -> None:
            greeted.set()

        def subscribed(self, connection: Connection, denied: list[str]) -> None: ...
        def received(self, connection: Connection, message: object, size_bytes: int) -> None: ...
        def overflowed(self) -> None: ...

    settings = at(config, broker.port, keepalive_s=60).mqtt
    connection = Connection(
        settings, read_broker(settings), MQTTProtocolVersion.MQTTv5, None, Listener(), clock=lambda: now_s
    )
    running = asyncio.create_task(connection.run())
    async with asyncio.timeout(10):
        await greeted.wait()
    now_s = 120.0
    assert not connection.is_dead
    now_s = 126.0
    assert connection.is_dead
    connection.hang_up()
    await running
    assert not connection.is_dead
