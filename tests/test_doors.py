"""One contract for every door of a running daemon, asked by its protocol's own client. Another door is another adapter
in `tests/callers.py`."""

from __future__ import annotations

import asyncio
import getpass
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge_tts.audio import read_wav
from edge_tts.door_config import MqttConfig
from edge_tts.doors import DOORS
from edge_tts.doors.mqtt_trial import try_broker
from edge_tts.errors import DeviceError
from edge_tts.models.hum import AMPLITUDE, CHARACTER_S
from edge_tts.speech import Audio
from tests.box import Answer, Box
from tests.callers import ANNOUNCERS, CALLERS, LEAKY_SOCKETS, VOICES, HttpSay, Mqtt, first_of, is_outcome
from tests.doors_house import outer_address, until
from tests.house import free_port, running_daemon, wait_until
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone
from tests.refusals import REFUSALS

pytestmark = [
    pytest.mark.broker,
    LEAKY_SOCKETS,
]

TEXT = "The washing machine is done."
LOGIN = ("box", "let-me-in")
MAX_JOBS = 4
OPEN = {"enabled": True, "host": "0.0.0.0"}


@dataclass(frozen=True)
class House:
    box: Box
    sounds: Path
    """A WAV of each announcement."""

    def heard(self) -> set[str]:
        """Jobs."""
        return {path.stem for path in self.sounds.glob("*.wav")}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    folder = tmp_path_factory.mktemp("mosquitto")
    subprocess.run(["mosquitto_passwd", "-b", "-c", folder / "users", *LOGIN], check=True)
    # Started as root it would become a user who may not read that.
    settings = [f"user {getpass.getuser()}", f"password_file {folder / 'users'}"]
    broker = Mosquitto(folder, *settings, allow_anonymous=False)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, guarded: Mosquitto) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("daemon")
    ports = {name: free_port() for name in ("marytts", "wyoming", "satellite")}
    wyoming = {"port": ports["wyoming"], "satellite_port": ports["satellite"], "zeroconf": False}
    config: dict[str, dict[str, Any]] = {
        "http": {"token": "secret"},
        "mqtt": {"url": f"mqtt://{LOGIN[0]}:{LOGIN[1]}@127.0.0.1:{guarded.port}", "device": "kitchen"},
        "hermes": {"enabled": True},
        "wyoming": {**OPEN, "allowed_networks": ["203.0.113.0/24"], **wyoming},
        "marytts": {**OPEN, "allowed_networks": ["203.0.113.0/24"], "port": ports["marytts"]},
        "queue": {"max_jobs": MAX_JOBS},
        "audio": {"sink": "wav", "wav_dir": str(folder / "wav"), "volume": 100},
        "voices": {"default": "hum"},
    }
    phone = Phone(guarded.port, MQTTProtocolVersion.MQTTv5, "hermes/#", login=LOGIN)
    with running_daemon(folder, config) as daemon:
        wait_until(lambda: phone.latest("status") == "online" and "wyoming listens" in daemon.log)
        box = Box({**ports, "http": daemon.port}, phone, token="secret")
        yield House(box, folder / "wav")
    phone.close()


def test_every_door_keeps_the_contract() -> None:
    assert {caller.door for caller in CALLERS.values()} == set(DOORS)
    assert set(REFUSALS) == set(CALLERS)


@dataclass(frozen=True)
class Before:
    """What there was at a moment."""

    n_heard: int
    """Messages."""

    jobs: frozenset[str]
    """Accepted ones; of these, too, the broker may yet have something to tell."""


async def now(box: Box) -> Before:
    n_heard = len(box.phone.messages)
    jobs = json.loads(await box.call("GET", "/api/jobs"))["jobs"]
    return Before(n_heard, frozenset(job["job"] for job in jobs))


async def queued(box: Box, before: Before) -> str:
    """The first job that was accepted after *before*."""

    def is_new(event: dict[str, Any]) -> bool:
        return event["event_type"] == "queued" and event["job"] not in before.jobs

    event = await first_of(box.phone, before.n_heard, f"{BASE}/event", is_new)
    return str(event["job"])


async def outcomes(box: Box, job: str) -> list[dict[str, Any]]:
    """As told to the broker; a satellite hears of its own sooner."""

    def told() -> list[dict[str, Any]]:
        return [event for event in box.phone.events() if event.get("job") == job and is_outcome(event)]

    await until(told)
    return told()


def is_hum(sound: Audio, text: str) -> bool:
    level = float(np.sqrt(np.mean(sound.samples**2)))
    is_whole = sound.duration_s == pytest.approx(CHARACTER_S * len(text), abs=0.03)
    return is_whole and level == pytest.approx(AMPLITUDE / np.sqrt(2), rel=0.03)


async def asked_while_paused(house: House, name: str) -> tuple[asyncio.Task[Answer], str]:
    """What is asked waits; its job."""
    await house.box.call("POST", "/api/pause")
    before = await now(house.box)
    asking = asyncio.create_task(ANNOUNCERS[name](house.box).ask(TEXT))
    return asking, await queued(house.box, before)


# What is asked for is given


@pytest.mark.parametrize("name", ANNOUNCERS)
async def test_an_announcement_is_heard_once_and_its_end_is_told_once(house: House, name: str) -> None:
    before, earlier = house.heard(), await now(house.box)
    assert await ANNOUNCERS[name](house.box).ask(TEXT) == Answer()
    (job,) = house.heard() - before
    assert job == await queued(house.box, earlier)
    assert is_hum(read_wav(house.sounds / f"{job}.wav"), TEXT)
    # What comes next to the broker comes after all that is told of this one.
    assert await HttpSay(house.box).ask("Hi") == Answer()
    wait_until(lambda: len(house.heard()) == len(before) + 2)
    assert [event["event_type"] for event in await outcomes(house.box, job)] == ["finished"]


@pytest.mark.parametrize("name", VOICES)
async def test_a_sound_is_whole_and_not_heard_here(house: House, name: str) -> None:
    before = house.heard()
    answer = await VOICES[name](house.box).ask(TEXT)
    assert answer.sound is not None
    assert is_hum(answer.sound, TEXT)
    assert house.heard() == before


# What cannot be given is refused, clearly, and nothing else suffers


@pytest.mark.parametrize("what", ["empty", "unknown", "long", "large"])
@pytest.mark.parametrize("name", CALLERS)
async def test_what_is_wrong_is_told_and_the_next_is_served(house: House, name: str, what: str) -> None:
    caller, before = CALLERS[name](house.box), house.heard()
    refusal = REFUSALS[name][what]
    answer = await caller.ask(refusal.text, **refusal.fields)
    assert refusal.told in f"{answer.code} {answer.message}"
    assert len(answer.message) > 10
    assert house.heard() == before
    after = await caller.ask(TEXT)
    assert (after.code, after.message) == ("", "")


# Stopped


@pytest.mark.parametrize("name", ANNOUNCERS)
async def test_what_is_cancelled_is_not_heard(house: House, name: str) -> None:
    before = house.heard()
    asking, job = await asked_while_paused(house, name)
    await ANNOUNCERS[name](house.box).cancel(job)
    assert (await asking).code == ANNOUNCERS[name].told_when_cancelled
    await house.box.call("POST", "/api/resume")
    assert await HttpSay(house.box).ask("Hi") == Answer()
    assert [(event["event_type"], event["code"]) for event in await outcomes(house.box, job)] == [
        ("interrupted", "cancelled")
    ]
    assert job not in house.heard()
    assert len(house.heard() - before) == 1


@pytest.mark.parametrize("name", VOICES)
async def test_who_hangs_up_ends_the_synthesis(house: House, name: str) -> None:
    text = "".join(f"Sentence number {number} is heard by nobody. " for number in range(100))[:4000]
    before_s = await made_s(house.box)
    await VOICES[name](house.box).hang_up(text)
    assert (await VOICES[name](house.box).ask("Hi")).sound is not None
    assert await made_s(house.box) - before_s < CHARACTER_S * len(text) / 2


@pytest.mark.parametrize("name", ANNOUNCERS)
async def test_a_full_queue_is_told(house: House, name: str) -> None:
    before = house.heard()
    waiting = [(await asked_while_paused(house, name))[0] for _ in range(MAX_JOBS)]
    answer = await ANNOUNCERS[name](house.box).ask(TEXT)
    assert "(queue.max_jobs)" in answer.message
    await house.box.call("POST", "/api/resume")
    assert [await asking for asking in waiting] == [Answer()] * MAX_JOBS
    assert len(house.heard() - before) == MAX_JOBS


async def test_of_many_at_once_each_is_heard_or_refused(house: House) -> None:
    before, names = house.heard(), 8 * [*ANNOUNCERS]
    answers = await asyncio.gather(*(ANNOUNCERS[name](house.box).ask(TEXT) for name in names))
    refused = [answer for answer in answers if answer != Answer()]
    assert all("(queue.max_jobs)" in answer.message for answer in refused)
    assert len(house.heard() - before) == len(names) - len(refused) >= MAX_JOBS


async def made_s(box: Box) -> float:
    """Seconds of sound made since the start."""
    lines = (await box.call("GET", "/metrics")).decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("edge_tts_audio_seconds_total ")))


# Whose turn it is


@pytest.mark.parametrize("name", ANNOUNCERS)
async def test_announcements_are_messages_unless_they_say_otherwise(house: House, name: str) -> None:
    await house.box.call("POST", "/api/pause")
    before = await now(house.box)
    reading = asyncio.create_task(HttpSay(house.box).ask("The news of today.", priority="text"))
    read = await queued(house.box, before)
    asking, job = await asked_while_paused(house, name)
    # A message ends the texts that wait.
    assert (await reading).code == "priority"
    await house.box.call("POST", "/api/resume")
    assert await asking == Answer()
    ended = await outcomes(house.box, read) + await outcomes(house.box, job)
    assert [event["priority"] for event in ended] == ["text", "message"]


@pytest.mark.parametrize("name", ["say", "mqtt"])
@pytest.mark.parametrize("rival", ANNOUNCERS)
async def test_an_important_one_goes_before_what_waits(house: House, name: str, rival: str) -> None:
    waiting, late = await asked_while_paused(house, rival)
    n_heard = len(house.box.phone.messages)
    # It ends the pause, too.
    assert await ANNOUNCERS[name](house.box).ask("Fire!", priority="important") == Answer()
    assert await waiting == Answer()
    # Who is answered by another way than the broker's hears of it sooner.
    await outcomes(house.box, late)
    events = [json.loads(m.payload) for m in house.box.phone.messages[n_heard:] if m.topic == f"{BASE}/event"]
    started = [event for event in events if event["event_type"] == "started"]
    assert [event["priority"] for event in started] == ["important", "message"]
    assert started[1]["job"] == late


@pytest.mark.parametrize("name", VOICES)
async def test_who_takes_the_sound_waits_for_no_announcement(house: House, name: str) -> None:
    waiting, _ = await asked_while_paused(house, "say")
    assert (await VOICES[name](house.box).ask(TEXT)).sound is not None
    assert not waiting.done()
    await house.box.call("POST", "/api/resume")
    assert await waiting == Answer()


async def test_the_same_id_by_another_door_is_the_same_request(house: House) -> None:
    assert await HttpSay(house.box).ask(TEXT, id="once") == Answer()
    before, n_heard = house.heard(), len(house.box.phone.messages)
    request = json.dumps({"text": TEXT, "id": "once"})
    house.box.phone.publish(f"{BASE}/say", request, ResponseTopic="reply/once")
    told = await first_of(house.box.phone, n_heard, "reply/once", lambda body: True)
    assert (told["event_type"], told["duplicate"]) == ("finished", True)
    assert await Mqtt(house.box).ask("Hi") == Answer()
    assert len(house.heard() - before) == 1


# Who may come


@pytest.mark.parametrize("name", ["say", "tts", "openai"])
async def test_who_has_no_token_is_refused(house: House, name: str) -> None:
    answer = await CALLERS[name](replace(house.box, token="guess")).ask(TEXT)
    assert answer.code == "unauthorized"


@pytest.mark.parametrize("name", ["marytts", "wyoming", "satellite"])
async def test_who_is_no_neighbour_is_refused(house: House, name: str) -> None:
    before = house.heard()
    caller = CALLERS[name](replace(house.box, host=outer_address()))
    if name == "marytts":
        assert (await caller.ask(TEXT)).code == "address_not_allowed"
    else:
        # The protocol has no word for it.
        with pytest.raises(ConnectionError):
            await caller.ask(TEXT)
    assert house.heard() == before


def test_the_broker_asks_who_it_is(guarded: Mosquitto) -> None:
    """So all that came by MQTT came by the name and the password in `mqtt.url`."""
    with pytest.raises(DeviceError, match=r"(?i)not authori[sz]ed"):
        try_broker(MqttConfig(url=f"mqtt://127.0.0.1:{guarded.port}"))
