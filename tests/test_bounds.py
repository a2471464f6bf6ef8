"""Whatever grows has a limit; here are those that no other test reaches. docs/reliability.md lists them all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from edge_tts.config import Config, JournalConfig
from edge_tts.doors.mqtt_client import MAX_UNSENT
from edge_tts.doors.mqtt_deliveries import MAX_OUTSTANDING
from edge_tts.doors.mqtt_topics import MAX_REPLIES
from edge_tts.errors import RequestError
from edge_tts.jobs import MAX_WARNINGS
from edge_tts.receipts import REMEMBERED_IDS
from edge_tts.references import MAX_CLIPS, References
from edge_tts.service import Service
from edge_tts.speech import EventType
from edge_tts.state import DeviceState
from edge_tts.updates import MAX_UPDATES_BEHIND
from tests.doors_house import until
from tests.fake_broker import listening, scripted
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone, at, ignored, opened
from tests.test_references import SAMPLE_RATE, buzz
from tests.test_service import busy_synth, outcome, say, serving


@pytest.fixture
def config(config: Config) -> Config:
    """Without a journal: what is counted here is in memory."""
    return replace(config, journal=JournalConfig(enabled=False))


def warned(service: Service, warning: str) -> float:
    labels = {"warning": warning}
    return service.metrics.registry.get_sample_value("edge_tts_warnings_total", labels) or 0.0


async def test_ids_that_are_remembered(config: Config) -> None:
    async with serving(config) as service:
        service.pause()
        for number in range(REMEMBERED_IDS + 50):
            await say(service, "A.", id=f"id {number}")
            service.clear()
        assert len(service._receipts) == REMEMBERED_IDS


async def test_a_reader_who_does_not_read_loses_the_oldest(config: Config) -> None:
    async with serving(config) as service:
        with service.updates() as updates:
            for number in range(MAX_UPDATES_BEHIND + 10):
                service.report_problem("device_unavailable", None if number % 2 else "unplugged")
            service.set_volume(7)
            seen = [await anext(updates) for _ in range(MAX_UPDATES_BEHIND)]
        assert warned(service, "updates_lost") == 11
        assert isinstance(seen[-1], DeviceState)
        assert seen[-1].volume == 7


async def test_what_is_remembered_of_an_ended_job_is_not_its_plan(config: Config) -> None:
    async with serving(config) as service:
        job = await say(service, "One. Two. Three.")
        assert service._dispatcher.find(job).plan is not None
        await outcome(service, job)
        assert service._dispatcher.find(job).plan is None


async def test_warnings_of_one_job(config: Config) -> None:
    """Each unknown element is one, and a text of the allowed length has room for a thousand."""
    text = "".join(f"<unknown{number}>A. </unknown{number}>" for number in range(MAX_WARNINGS + 5))
    async with serving(config) as service:
        event = await outcome(service, await say(service, f"<speak>{text}</speak>", format="ssml", speed=4))
    assert event.event_type is EventType.FINISHED
    assert len(event.warnings) == MAX_WARNINGS + 1
    assert event.warnings[-1] == "more_warnings"


@pytest.fixture
async def mqtt_service(config: Config, broker: Mosquitto) -> AsyncIterator[Service]:
    async with opened(at(config, broker.port)) as service:
        await until(lambda: service.metrics.registry.get_sample_value("edge_tts_mqtt_connected"))
        yield service


@pytest.mark.broker
async def test_messages_on_their_way_to_us(mqtt_service: Service, phone: Phone) -> None:
    """Those of QoS 0: for others the broker waits until it is told that they were taken."""
    service = mqtt_service
    async with busy_synth(service):
        for _ in range(MAX_OUTSTANDING + 100):
            phone.publish_qos_0(f"{BASE}/say", "Hello.")
        await until(lambda: ignored(service, "overflow") == 100)
    service.stop()


@pytest.mark.broker
async def test_callers_who_wait_for_an_answer(mqtt_service: Service, phone: Phone) -> None:
    service = mqtt_service
    service.pause()
    # One job, as the id is the same, and as many callers who want to know how it ends.
    body = json.dumps({"text": "Hello.", "id": "x"})
    for number in range(MAX_REPLIES + 10):
        phone.publish(f"{BASE}/say", body, ResponseTopic=f"reply/{number}")
    await until(lambda: warned(service, "mqtt_unanswered") == 10, 30)
    service.stop()
    answers = {message.topic for message in phone.messages if message.topic.startswith("reply/")}
    assert len(answers) <= MAX_REPLIES


async def test_messages_that_the_broker_does_not_take(config: Config) -> None:
    async with listening(scripted(1)) as port, opened(at(config, port)) as service:
        await until(lambda: service.metrics.registry.get_sample_value("edge_tts_mqtt_connected"))
        for number in range(MAX_UNSENT * 2):
            service.report_problem("device_unavailable", None if number % 2 else "unplugged")
            await asyncio.sleep(0)
        await until(lambda: warned(service, "mqtt_unsent") > 0)


def test_clips_that_are_enrolled(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", buzz(3.5), SAMPLE_RATE)
    references = References(tmp_path / "references")
    for number in range(MAX_CLIPS):
        references.add(f"n{number}", tmp_path / "clip.wav", "Hello.")
    with pytest.raises(RequestError, match=str(MAX_CLIPS)):
        references.add("another", tmp_path / "clip.wav", "Hello.")
