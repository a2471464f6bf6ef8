"""Publishers and brokers that mean harm or know no better: memory stays bounded, and the next text is spoken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from edge_tts.config import Config
from edge_tts.doors.mqtt import Delays, open_door
from edge_tts.service import Service
from tests.doors_house import until
from tests.fake_broker import (
    ACCEPTED_5,
    CONNECT,
    SUBSCRIBE,
    Serve,
    count_topics,
    listening,
    packet,
    publish_5,
    read_packet,
    scripted,
)
from tests.house import Daemon, running_daemon, wait_until
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone, at, ignored, opened, problems
from tests.tcp_proxy import proxied
from tests.test_service import serving

pytestmark = pytest.mark.broker

SAY = f"{BASE}/say".encode()
PUBACK, PUBCOMP = 4, 7


@pytest.fixture
def open_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Takes messages of any size, as Mosquitto does unless it is told otherwise."""
    broker = Mosquitto(tmp_path, "max_queued_messages 0")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def daemon(tmp_path: Path, open_broker: Mosquitto) -> Iterator[Daemon]:
    settings: dict[str, dict[str, Any]] = {
        "mqtt": {"url": f"mqtt://127.0.0.1:{open_broker.port}", "device": "kitchen"},
        "audio": {"sink": "null"},
        "voices": {"default": "hum"},
    }
    folder = tmp_path / "daemon"
    folder.mkdir()
    with running_daemon(folder, settings) as daemon:
        yield daemon


@pytest.fixture
def caller(open_broker: Mosquitto, daemon: Daemon) -> Iterator[Phone]:
    phone = Phone(open_broker.port)
    wait_until(lambda: phone.latest("status") == "online")
    yield phone
    phone.close()


def peak_mb(daemon: Daemon) -> int:
    """Most memory the daemon ever had."""
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


async def say(phone: Phone, request_id: str, **fields: Any) -> None:
    phone.publish(f"{BASE}/say", json.dumps({"text": "Hi.", "id": request_id} | fields))
    await phone.event("finished", request_id)


@pytest.mark.slow
async def test_a_message_that_would_fill_the_memory_never_arrives(daemon: Daemon, caller: Phone) -> None:
    await say(caller, "before")
    before_mb = peak_mb(daemon)
    # Left out by the broker: MQTT 5 tells it the largest packet.
    caller.publish(f"{BASE}/say", b"x" * (64 << 20))
    await say(caller, "after")
    assert peak_mb(daemon) - before_mb < 20
    assert [event["event_type"] for event in caller.events()].count("failed") == 0
    # These arrive, are refused with an answer, and not kept.
    for _ in range(10):
        caller.publish(f"{BASE}/say", b"x" * (15 << 20))
    await say(caller, "last")
    refused = [event for event in caller.events() if event.get("code") == "body_too_large"]
    assert len(refused) == 10
    assert peak_mb(daemon) - before_mb < 100


@pytest.mark.slow
async def test_a_burst_is_bounded_and_the_important_is_heard(daemon: Daemon, caller: Phone) -> None:
    await say(caller, "before")
    before_mb = peak_mb(daemon)
    priorities = ("notification", "text", "message")
    for number in range(2000):
        body = {"text": "word " * 200, "id": f"n{number}", "priority": priorities[number % 3]}
        caller.publish(f"{BASE}/say", json.dumps(body))
    caller.publish(f"{BASE}/say", json.dumps({"text": "Fire!", "id": "fire", "priority": "important"}))
    # Asked over HTTP: of that many events the broker is told only as many as it takes.
    await asyncio.to_thread(wait_until, lambda: outcome(daemon, "fire") == "finished", 60)
    assert peak_mb(daemon) - before_mb < 40
    outcomes = [outcome(daemon, f"n{number}") for number in range(2000)]
    assert 0 < outcomes.count("queued") + outcomes.count("started") <= 100


def outcome(daemon: Daemon, request_id: str) -> str | None:
    """None if it was refused, or never came."""
    try:
        with urlopen(f"{daemon.url}/api/jobs/{request_id}", timeout=10) as answer:
            return str(json.load(answer)["event_type"])
    except HTTPError as error:
        error.close()
        return None


# Brokers that send what no library would


def counting(sent: list[bytes], answers: list[int]) -> Serve:
    """Accepts MQTT 5 and all subscriptions, sends *sent*, and adds the type of whatever comes back to *answers*."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            kind, body = await read_packet(reader)
            answers.append(kind)
            if kind == CONNECT:
                writer.write(ACCEPTED_5)
            elif kind == SUBSCRIBE:
                writer.write(packet(0x90, body[:2] + b"\0" + b"\1" * count_topics(body[3:])))
                writer.write(b"".join(sent))

    return serve


async def test_a_thousand_topics_that_cannot_be_read(config: Config) -> None:
    """In paho reading such a topic raises; once is enough to end its thread, and nobody is told."""
    sent = [publish_5(b"\xff\xfe", b"Hello.", message_id=number) for number in range(1, 1001)]
    sent.append(publish_5(SAY, b"Fine.", message_id=1001))
    answers: list[int] = []
    async with listening(counting(sent, answers)) as port, opened(at(config, port)) as service:
        await until(service.jobs, 20)
        assert ignored(service, "unknown_topic") + ignored(service, "overflow") == 1000
        # All are acknowledged: a broker sends only so many that are not.
        await until(lambda: answers.count(PUBACK) == 1001)
        assert [job.text for job in service.jobs()] == ["Fine."]


async def test_a_release_of_what_was_never_published(config: Config) -> None:
    """After a restart the publisher's side of QoS 2 may go on where ours has forgotten everything."""
    release = packet(0x62, (77).to_bytes(2, "big"))
    sent = [release, publish_5(SAY, b"Fine.", message_id=1), release, publish_5(SAY, b"Too.", message_id=2)]
    answers: list[int] = []
    async with listening(counting(sent, answers)) as port, opened(at(config, port)) as service:
        await until(lambda: len(service.jobs()) == 2)
        await until(lambda: answers.count(PUBACK) == 2)
        assert "mqtt_disconnected" not in problems(service)


async def test_a_publisher_of_qos_2_is_spoken_once(config: Config, broker: Mosquitto, phone: Phone) -> None:
    async with opened(at(config, broker.port)) as service:
        await until(lambda: phone.latest("status") == "online")
        phone.publish_qos_2(f"{BASE}/say", json.dumps({"text": "Once.", "id": "once"}))
        await phone.event("finished", "once")
        assert [job.text for job in service.jobs()] == ["Once."]


async def test_redelivered_ten_times_over_several_connections_is_spoken_once(config: Config) -> None:
    n_connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_connections
        n_connections += 1
        is_first, is_last = n_connections == 1, n_connections == 3
        sent = [
            publish_5(SAY, b"Once.", message_id=1, is_dup=not is_first) for _ in range(1 if is_first else 5)
        ]
        if is_last:
            sent.append(publish_5(SAY, b"End.", message_id=2))
        await asyncio.gather(scripted(1, *sent)(reader, writer), hang_up(writer, is_last))

    async def hang_up(writer: asyncio.StreamWriter, is_last: bool) -> None:
        if not is_last:
            await until(lambda: heard(n_connections))
            writer.close()

    async with listening(serve) as port, opened_quickly(at(config, port)) as service:

        def heard(connection: int) -> bool:
            return bool(service.jobs()) and ignored(service, "duplicate") >= 5 * (connection - 1)

        await until(lambda: len(service.jobs()) == 2, 20)
        assert [job.text for job in service.jobs()] == ["Once.", "End."]
        assert ignored(service, "duplicate") == 10


@asynccontextmanager
async def opened_quickly(config: Config) -> AsyncIterator[Service]:
    async with serving(config) as service, open_door(service, config, Delays(first_s=0.01, max_s=0.05)):
        yield service


async def test_a_retained_text_sent_twenty_times_is_silent(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    old = bytearray(publish_5(SAY, b"Yesterday's news.", message_id=1))
    old[0] |= 1
    sent = [*[bytes(old)] * 20, publish_5(SAY, b"Today.", message_id=2)]
    async with listening(scripted(1, *sent)) as port, opened(at(config, port)) as service:
        await until(service.jobs)
        assert ignored(service, "retained") == 20
        assert [job.text for job in service.jobs()] == ["Today."]
    assert caplog.text.count("retained command is ignored") == 1


@pytest.mark.slow
async def test_the_last_will_speaks_for_a_box_that_is_cut_off(
    config: Config, broker: Mosquitto, phone: Phone
) -> None:
    async with proxied(broker.port) as proxy, opened(at(config, proxy.port, keepalive_s=5)):
        await until(lambda: phone.latest("status") == "online", 20)
        proxy.swallow()
        # The broker waits one and a half times the keepalive.
        await until(lambda: phone.latest("status") == "offline", 20)
        proxy.let_through()
