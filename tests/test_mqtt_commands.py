"""Commands over MQTT that are no speech: chimes by themselves, a pause, a start anew."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_tts import __version__
from edge_tts.app import RESTART_EXIT_STATUS
from edge_tts.config import Config
from edge_tts.service import Service
from tests.doors_house import until
from tests.house import wait_until
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone, at, opened
from tests.supervisor import seconds_of, supervised

pytestmark = pytest.mark.broker


@pytest.fixture
async def service(config: Config, broker: Mosquitto, phone: Phone) -> AsyncIterator[Service]:
    """Sound takes a tenth of its time."""
    config = replace(config, audio=replace(config.audio, null_pace=10.0))
    async with opened(at(config, broker.port)) as service:
        await until(lambda: phone.latest("status") == "online")
        yield service


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ("bell", "bell"),
        ("ON", "default"),
        ("", "default"),
        ('{"state": "ON", "tone": "soft", "volume_level": 0.5}', "soft"),
        ('{"state": "ON"}', "default"),
        ('{"name": "gong", "volume": 40, "priority": "important", "id": "dinner"}', "gong"),
    ],
)
async def test_a_chime_sounds_without_speech(service: Service, phone: Phone, payload: str, name: str) -> None:
    await until(lambda: phone.latest("chime") == "OFF")
    phone.publish(f"{BASE}/chime/set", payload)
    await until(lambda: phone.payloads(f"{BASE}/chime")[-2:] == ["ON", "OFF"])
    [job] = service.jobs()
    assert (job.text, job.event_type, job.source) == (name, "finished", "mqtt")


async def test_a_chime_is_ended(service: Service, phone: Phone) -> None:
    service.pause()
    for name in ("bell", "gong"):
        phone.publish(f"{BASE}/chime/set", name)
    phone.publish(f"{BASE}/say", json.dumps({"text": "Dinner.", "id": "stays"}))
    await until(lambda: len(service.jobs()) == 3)
    phone.publish(f"{BASE}/chime/set", '{"state": "OFF"}')
    await until(
        lambda: [job.event_type for job in service.jobs()] == ["interrupted", "interrupted", "queued"]
    )
    service.resume()
    await phone.event("finished", "stays")
    assert set(phone.payloads(f"{BASE}/chime")) == {"OFF"}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ("foghorn", "unknown_chime"),
        ("../../etc/passwd", "unknown_chime"),
        ('{"tone": 7}', "unknown_chime"),
        ('{"tone": ["bell"]}', "bad_request"),
        ('{"tone": "bell", "volume_level": 40}', "bad_request"),
        ('{"state": "perhaps"}', "bad_request"),
        ("{", "bad_json"),
        (b"\xff", "bad_request"),
    ],
)
async def test_no_chime_is_an_error(service: Service, phone: Phone, payload: str | bytes, code: str) -> None:
    phone.publish(f"{BASE}/chime/set", payload)
    assert (await phone.event("failed"))["code"] == code
    assert service.jobs() == []


async def test_a_pause_is_a_switch(service: Service, phone: Phone) -> None:
    phone.publish(f"{BASE}/paused/set", "ON")
    await until(lambda: phone.latest("paused") == "ON")
    assert service.state.is_paused
    phone.publish(f"{BASE}/paused/set", "off")
    await until(lambda: phone.latest("paused") == "OFF")
    assert not service.state.is_paused
    phone.publish(f"{BASE}/paused/set", "perhaps")
    assert (await phone.event("failed"))["code"] == "bad_request"


async def test_the_version_is_told(service: Service, phone: Phone) -> None:
    await until(lambda: phone.latest("update"))
    assert json.loads(phone.latest("update") or "")["installed_version"] == __version__


@pytest.mark.slow
def test_it_starts_again_and_says_what_waited(tmp_path: Path, broker: Mosquitto, phone: Phone) -> None:
    settings: dict[str, dict[str, Any]] = {
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}", "device": "kitchen"},
        "audio": {"sink": "null"},
        "voices": {"default": "hum"},
    }
    # Nobody listens there, which is a warning.
    with supervised(tmp_path, settings, {"NOTIFY_SOCKET": "@edge_tts.test"}) as (daemon, supervisor):
        wait_until(lambda: phone.latest("status") == "online")
        phone.publish(f"{BASE}/pause", "")
        phone.publish(f"{BASE}/say", json.dumps({"text": "Hello.", "id": "waits"}))
        phone.publish(f"{BASE}/restart", "PRESS")
        _, status = supervisor.ending()
        assert status == RESTART_EXIT_STATUS == seconds_of("RestartForceExitStatus")
        assert seconds_of("SuccessExitStatus") == status
        wait_until(lambda: [e for e in phone.events() if e["event_type"] == "finished"])
        assert "Traceback" not in daemon.log
    assert [e["event_type"] for e in phone.events()] == ["queued", "started", "finished"]
