"""What the tests of the doors share; a test file may have its own of the same name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from edge_tts.config import Config
from tests.doors_house import House, hum_config
from tests.doors_house import opened as opened_http
from tests.house import PulseServer
from tests.mosquitto import Mosquitto
from tests.phone import Phone

# How long a case takes depends on what else the machine does; scripts/fuzz looks for what is slow.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return hum_config(tmp_path)


@pytest.fixture
async def house(config: Config) -> AsyncIterator[House]:
    async with opened_http(config) as house:
        yield house


@pytest.fixture(scope="module")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulseServer]:
    server = PulseServer(tmp_path_factory.mktemp("pulse"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"), "max_packet_size 20000000")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def phone(broker: Mosquitto) -> Iterator[Phone]:
    phone = Phone(broker.port)
    yield phone
    # A copy: what is published comes back.
    heard = list(phone.messages)
    topics = {each.topic for each in heard if each.retain or each.topic.startswith("edge_tts")}
    # paho has only so many under way at once, and who closes takes the others with it.
    for sent in [phone.publish(topic, b"", retain=True) for topic in topics]:
        sent.wait_for_publish(10)
    phone.close()


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str, float, float], None]:
    """`measured(what, took_s, target_s)`: a line of the table that `scripts/faults` prints. Fails only where the
    daemon must have gone the wrong way: other programs are busy, too."""

    def note(what: str, took_s: float, target_s: float) -> None:
        record_property(what, f"{took_s:.1f} {target_s:.1f}")
        assert took_s < 3 * target_s + 5, what

    return note
