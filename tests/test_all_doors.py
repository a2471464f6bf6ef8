"""Sixty requests by every door of one daemon: what is heard of them, in which order, and what each is told are what the
priorities say, which are worked out anew in `tests/priority_rules.py`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge_tts.audio import volume_gain
from edge_tts.config import AudioConfig
from edge_tts.models.hum import AMPLITUDE, CHARACTER_S, PITCH_HZ
from tests.box import Box
from tests.callers import LEAKY_SOCKETS, VOICES, is_outcome
from tests.crowd import Crowd
from tests.house import SINK_RATE, PulseServer, free_port, running_daemon, wait_until
from tests.mosquitto import Mosquitto
from tests.phone import Phone
from tests.recorded_hums import TOLERANCE_S, Tone, taken, tones

pytestmark = [
    pytest.mark.sound,
    pytest.mark.broker,
    LEAKY_SOCKETS,
]

SEED = 20261121
N_REQUESTS = 60
FADE_S = AudioConfig().fade_ms / 1000
EVERY = {"message": 5, "text": 2, "notification": 1, "progress": 1}
"""Priorities, and how often each comes."""

NO_ERROR_FOR_HERMES = ("finished", "interrupted", "muted")

EVERY_END = {
    ("finished", ""),
    *(("interrupted", code) for code in ("cancelled", "priority", "muted")),
    *(("superseded", code) for code in ("replaced", "priority", "paused")),
    ("muted", "muted"),
}
"""Outcomes and codes that this day must have, or it shows too little."""


@pytest.fixture
def box(tmp_path_factory: pytest.TempPathFactory, pulse: PulseServer, broker: Mosquitto) -> Iterator[Box]:
    ports = {name: free_port() for name in ("marytts", "wyoming", "satellite")}
    config: dict[str, dict[str, Any]] = {
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}", "device": "kitchen"},
        "hermes": {"enabled": True},
        "wyoming": {"enabled": True, "port": ports["wyoming"], "satellite_port": ports["satellite"]},
        "marytts": {"enabled": True, "port": ports["marytts"]},
        "audio": {"sink": "sounddevice", "device": "pulse", "volume": 100, "buffer_ms": 200},
        "voices": {"default": "hum"},
    }
    phone = Phone(broker.port, MQTTProtocolVersion.MQTTv5, "hermes/#")
    with running_daemon(tmp_path_factory.mktemp("daemon"), config, pulse.env) as daemon:
        wait_until(lambda: phone.latest("status") == "online" and "wyoming listens" in daemon.log)
        yield Box({**ports, "http": daemon.port}, phone)
    phone.close()


async def many_come_while_one_speaks(crowd: Crowd) -> None:
    await crowd.say("say")
    await crowd.say("mqtt", "progress")
    for caller in VOICES:
        crowd.ask_for_sound(caller)
        await crowd.say_anything(EVERY)
        await crowd.say_anything(EVERY)
    await crowd.cancel_one()
    await crowd.command("skip")


async def each_ends_the_one_before(crowd: Crowd) -> None:
    for number, priority in enumerate((*2 * ("notification",), *2 * ("text",), "message", "important")):
        await crowd.say(("mqtt", "say")[number % 2], priority)
    for caller in VOICES:
        crowd.ask_for_sound(caller)
    await crowd.command("skip")


async def many_come_in_a_pause(crowd: Crowd) -> None:
    await crowd.command("pause")
    await crowd.say("mqtt", "notification")
    for _ in range(10):
        await crowd.say_anything(EVERY)
    await crowd.cancel_one()
    await crowd.command("resume")


async def the_newest_text_and_the_last_progress_are_left(crowd: Crowd) -> None:
    await crowd.say("mqtt", "important")
    for priority in ("text", "progress", "text", "notification", "progress"):
        await crowd.say(crowd.random.choice(("say", "mqtt")), priority)
    await crowd.command("skip")


async def all_but_the_important_are_muted(crowd: Crowd) -> None:
    for caller in ("satellite", "hermes", "mqtt"):
        await crowd.say(caller)
    for caller in VOICES:
        crowd.ask_for_sound(caller)
    await crowd.say("mqtt", "notification")
    await crowd.command("mute")
    for caller in ("say", "hermes", "satellite"):
        await crowd.say(caller)
    await crowd.say("say", "important")
    await crowd.command("unmute")
    await crowd.command("skip")


async def an_important_one_ends_the_pause_and_who_was_paused(crowd: Crowd) -> None:
    await crowd.say("say")
    await crowd.command("pause")
    for caller in ("hermes", "satellite", "mqtt"):
        await crowd.say(caller)
    for caller in ("wyoming", "tts"):
        crowd.ask_for_sound(caller)
    await crowd.say("mqtt", "important")
    await crowd.command("skip")


A_DAY = (
    many_come_while_one_speaks,
    each_ends_the_one_before,
    many_come_in_a_pause,
    the_newest_text_and_the_last_progress_are_left,
    all_but_the_important_are_muted,
    an_important_one_ends_the_pause_and_who_was_paused,
)


async def test_what_is_heard_and_told_is_what_the_priorities_say(box: Box, pulse: PulseServer) -> None:
    crowd = Crowd(box, SEED)
    with pulse.recorded() as recording:
        async with asyncio.timeout(120):
            for scene in A_DAY:
                await scene(crowd)
                await crowd.quiet()
            await check_what_is_told(crowd)
            await check_sounds(crowd)
    check_what_is_heard(crowd, deque(tones(recording.samples, SINK_RATE)))


async def check_what_is_told(crowd: Crowd) -> None:
    events = crowd.box.phone.events()
    names = {request.job: name for name, request in crowd.requests.items()}
    assert len(names) == len(crowd.requests) == N_REQUESTS - len(crowd.sounds)
    assert set(crowd.rules.outcomes.values()) == EVERY_END
    begun = [names[event["job"]] for event in events if event["event_type"] == "started"]
    assert begun == crowd.rules.heard
    told = [
        (names[event["job"]], event["event_type"], event.get("code", ""))
        for event in events
        if is_outcome(event)
    ]
    assert sorted(told) == sorted((name, *outcome) for name, outcome in crowd.rules.outcomes.items())
    for name, request in crowd.requests.items():
        answer, (outcome, code) = await request.answer, crowd.rules.outcomes[name]
        if request.caller.startswith("hermes"):
            assert bool(answer.message) == (outcome not in NO_ERROR_FOR_HERMES)
        else:
            assert answer.code == code


async def check_sounds(crowd: Crowd) -> None:
    for caller, text, asked in crowd.sounds:
        sound = (await asked).sound
        assert sound is not None, (caller, await asked)
        assert_alike(
            tones(sound.samples.astype(np.float64), sound.sample_rate), 0, 100, len(text) * CHARACTER_S
        )


def assert_alike(parts: list[Tone], pitch: int, volume: int, duration_s: float) -> None:
    """All of *parts* together are one sound."""
    together_s = sum(part.duration_s for part in parts)
    assert together_s == pytest.approx(duration_s, abs=TOLERANCE_S * len(parts))
    tone = max(parts, key=lambda part: part.duration_s)
    assert tone.pitch_hz == pytest.approx(PITCH_HZ * 2 ** (pitch / 12), rel=0.02)
    assert tone.amplitude == pytest.approx(AMPLITUDE * volume_gain(volume), rel=0.1)


def check_what_is_heard(crowd: Crowd, heard: deque[Tone]) -> None:
    """Each whole, or up to where it was ended; once, in this order, and nothing else."""
    for name in crowd.rules.heard:
        request, duration_s = crowd.requests[name], crowd.ended[name]["spoken_ms"] / 1000
        if crowd.rules.outcomes[name][0] == "finished":
            assert duration_s == pytest.approx(len(request.text) * CHARACTER_S, abs=0.005)
        else:
            # The end of it is a fading block.
            duration_s += FADE_S
        assert_alike(taken(heard, duration_s), request.pitch, request.volume, duration_s)
    assert not heard
