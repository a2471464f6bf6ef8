"""Outcomes reach the broker, whatever happens to it and however many there are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from edge_tts.config import Config, QueueConfig
from edge_tts.doors.mqtt import Delays, open_door
from edge_tts.doors.mqtt_outcomes import MAX_UNTOLD, Outcomes
from edge_tts.metrics import Metrics
from edge_tts.service import Service
from edge_tts.speech import EventType, JobEvent
from tests.doors_house import until
from tests.fake_broker import ACCEPTED_5, CONNECT, SUBSCRIBE, count_topics, listening, packet, read_packet
from tests.phone import BASE, at
from tests.test_service import say, serving

PUBLISH = 3
QUICK = Delays(first_s=0.002, max_s=0.01)


class Broker:
    """Takes what is published; of MQTT 5."""

    def __init__(self, *, is_away: bool = False, forgets_first: bool = False) -> None:
        self.is_away = is_away
        self._forgets = forgets_first
        self.jobs: list[str] = []
        """Of the outcomes it was told."""

        self.status = ""

    async def serve(self, reader: Any, writer: Any) -> None:
        while not self.is_away:
            kind, body = await read_packet(reader)
            if kind == CONNECT:
                writer.write(ACCEPTED_5)
            elif kind == SUBSCRIBE:
                writer.write(packet(0x90, body[:2] + b"\0" + b"\1" * count_topics(body[3:])))
            elif kind == PUBLISH and not self._takes(body, writer):
                return

    def _takes(self, body: bytes, writer: Any) -> bool:
        end = 2 + int.from_bytes(body[:2], "big")
        topic, mid, payload = body[2:end].decode(), body[end : end + 2], body[end + 3 :]
        if topic == f"{BASE}/status":
            self.status = payload.decode()
        if topic == f"{BASE}/event" and EventType(json.loads(payload)["event_type"]).is_outcome:
            self.jobs.append(json.loads(payload)["job"])
            if self._forgets:
                self._forgets = False
                return False
        writer.write(packet(0x40, mid))
        return True


@asynccontextmanager
async def told(config: Config, broker: Broker) -> AsyncIterator[Service]:
    async with (
        listening(broker.serve) as port,
        serving(config) as service,
        open_door(service, at(config, port), QUICK),
    ):
        yield service


async def test_an_outcome_that_was_not_acknowledged_is_told_again(config: Config) -> None:
    """A cable that is cut is noticed after seconds: what ended meanwhile was published into nothing."""
    broker = Broker(forgets_first=True)
    async with told(config, broker) as service:
        await until(lambda: broker.status == "online")
        job = await say(service, "Hello.")
        await until(lambda: len(broker.jobs) == 2)
        assert broker.jobs == [job, job]


async def test_the_outcomes_of_a_full_queue_that_is_cleared_all_arrive(config: Config) -> None:
    """They were more than paho keeps, and those above were lost."""
    broker = Broker()
    config = replace(config, queue=QueueConfig(max_jobs=150))
    async with told(config, broker) as service:
        await until(lambda: broker.status == "online")
        service.pause()
        jobs = [await say(service, f"Number {number}.") for number in range(150)]
        service.clear()
        await until(lambda: len(broker.jobs) == len(jobs))
        assert broker.jobs == jobs


async def test_after_many_outcomes_without_a_broker_it_is_online(config: Config) -> None:
    """The outcomes took all places, and it stayed "offline" for everybody."""
    broker = Broker(is_away=True)
    config = replace(config, queue=QueueConfig(max_jobs=150))
    async with told(config, broker) as service:
        service.pause()
        jobs = [await say(service, f"Number {number}.") for number in range(150)]
        service.clear()
        broker.is_away = False
        await until(lambda: broker.status == "online" and len(broker.jobs) == len(jobs))
        assert broker.jobs == jobs


async def test_those_that_cannot_be_kept_are_counted() -> None:
    metrics = Metrics()
    told: list[JobEvent] = []
    is_there = False

    def publish(outcome: JobEvent) -> asyncio.Future[None] | None:
        if not is_there:
            return None
        told.append(outcome)
        return asyncio.get_running_loop().create_future()

    outcomes = Outcomes(publish, metrics)
    for number in range(MAX_UNTOLD + 2):
        outcomes.tell(JobEvent(EventType.FINISHED, f"{number}", None, "", "mqtt"))
    is_there = True
    outcomes.tell_kept()
    outcomes.tell_kept()
    assert [outcome.job for outcome in told] == [f"{number}" for number in range(2, MAX_UNTOLD + 2)]
    lost = metrics.registry.get_sample_value("edge_tts_warnings_total", {"warning": "mqtt_unsent"})
    assert lost == 2


async def test_one_that_found_no_room_is_told_before_the_next_one() -> None:
    """It was told with the next connection, days later, and then it was the last one."""
    told: list[str] = []
    acknowledgements: list[asyncio.Future[None]] = []
    n_places = 1

    def publish(outcome: JobEvent) -> asyncio.Future[None] | None:
        if len(told) >= n_places:
            return None
        told.append(outcome.job)
        acknowledgements.append(asyncio.get_running_loop().create_future())
        return acknowledgements[-1]

    outcomes = Outcomes(publish, Metrics())
    for job in ("a", "b"):
        outcomes.tell(JobEvent(EventType.FINISHED, job, None, "", "mqtt"))
    n_places = 2
    acknowledgements[0].set_result(None)
    await until(lambda: len(told) == 2)
    n_places = 4
    outcomes.tell(JobEvent(EventType.FINISHED, "c", None, "", "mqtt"))
    assert told == ["a", "b", "c"]
