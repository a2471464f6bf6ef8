"""Faults of the sound system, for real: each is repaired by the daemon, and how long that takes is measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.house import (
    NULL_SINK,
    SINK_RATE,
    Daemon,
    PulseServer,
    Recording,
    longest_silence_s,
    running_daemon,
    sounding,
    wait_until,
)
from tests.supervisor import supervised
from tests.test_end_to_end import LONG_TEXT, TEXT, get, n_underflows, post, say

pytestmark = [pytest.mark.sound, pytest.mark.voice, pytest.mark.slow]

SETTINGS: dict[str, dict[str, Any]] = {"audio": {"sink": "sounddevice", "device": "pulse", "volume": 100}}

Measured = Callable[[str, float, float], None]


@pytest.fixture
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulseServer]:
    server = PulseServer(tmp_path_factory.mktemp("pulse"))
    server.start()
    yield server
    server.stop()


def state_of(daemon: Any, job: str) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(get(daemon, f"/api/jobs/{job}"))
    return state


def begin(daemon: Any, pulse: PulseServer) -> str:
    """Have a long text said; returns the job when it is heard."""
    with pulse.recorded() as recording:
        job: str = json.loads(post(daemon, "/api/say", {"text": LONG_TEXT}))["job"]
        heard_s(recording, 0.3)
    return job


def heard_s(recording: Recording, loud_s: float = 0.1) -> float:
    """Wait until that much sound was heard; monotonic seconds."""
    wait_until(lambda: np.count_nonzero(np.abs(recording.samples) > 0.002) > loud_s * SINK_RATE, 30)
    return time.monotonic()


def problem(daemon: Any, code: str) -> str | None:
    try:
        problems = json.loads(get(daemon, "/healthz"))["problems"]
    except (URLError, ConnectionError):
        return None
    return next((each["message"] for each in problems if each["code"] == code), None)


def test_a_sound_server_that_hangs(tmp_path: Path, pulse: PulseServer, measured: Measured) -> None:
    with supervised(tmp_path, SETTINGS, pulse.env) as (daemon, supervisor):
        begin(daemon, pulse)
        pulse.freeze()
        frozen_s = time.monotonic()
        ended_s, status = supervisor.ending()
        measured("PulseAudio hangs in mid-word: the daemon ends itself", ended_s - frozen_s, 3.0)
        assert status == 70
        assert "playback hangs" in daemon.log
        # Where every thread was, not what it said.
        assert "device.py" in daemon.log
        assert "washing" not in daemon.log
        # It does not hang again: a process of its own looks, and this one answers.
        wait_until(lambda: "does not answer" in (problem(daemon, "device_unavailable") or ""), 30)
        measured("… and answers again", time.monotonic() - ended_s, 3.0 + 5.0)
        post(daemon, "/api/say", {"text": TEXT})
        pulse.thaw()
        thawed_s = time.monotonic()
        with pulse.recorded() as recording:
            measured("… PulseAudio answers again: speech", heard_s(recording) - thawed_s, 5.0)
        wait_until(lambda: problem(daemon, "device_unavailable") is None)
        assert len(supervisor.endings) == 1


def test_a_sound_server_that_dies(tmp_path: Path, pulse: PulseServer, measured: Measured) -> None:
    with supervised(tmp_path, SETTINGS, pulse.env) as (daemon, supervisor):
        job = begin(daemon, pulse)
        pulse.kill()
        wait_until(lambda: problem(daemon, "device_unavailable"))
        pulse.start()
        back_s = time.monotonic()
        with pulse.recorded() as recording:
            measured("PulseAudio killed in mid-word, started again: speech", heard_s(recording) - back_s, 4.0)
        wait_until(lambda: state_of(daemon, job)["event_type"] == "finished", 30)
        assert supervisor.endings == []


def test_a_device_that_is_unplugged(tmp_path: Path, pulse: PulseServer, measured: Measured) -> None:
    with supervised(tmp_path, SETTINGS, pulse.env) as (daemon, supervisor):
        job = begin(daemon, pulse)
        pulse.pactl("unload-module", "module-null-sink")
        wait_until(lambda: problem(daemon, "device_unavailable"))
        pulse.pactl("load-module", *NULL_SINK)
        back_s = time.monotonic()
        with pulse.recorded() as recording:
            measured("Sound device unplugged in mid-word, back: speech", heard_s(recording) - back_s, 4.0)
        wait_until(lambda: state_of(daemon, job)["event_type"] == "finished", 30)
        assert problem(daemon, "device_unavailable") is None
        assert supervisor.endings == []


def test_a_device_that_plays_nothing(tmp_path: Path, pulse: PulseServer, measured: Measured) -> None:
    """Suspended, as by another seat: it opens, its buffer takes some, and then nothing happens."""
    with supervised(tmp_path, SETTINGS, pulse.env) as (daemon, supervisor):
        job = begin(daemon, pulse)
        pulse.pactl("suspend-sink", "speaker", "1")
        suspended_s = time.monotonic()
        wait_until(lambda: "has played nothing" in (problem(daemon, "device_unavailable") or ""))
        measured("Sound device plays nothing: noticed", time.monotonic() - suspended_s, 3.0)
        # The next attempt looks fine until it plays nothing either.
        attempts = daemon.log.count("has played nothing")
        wait_until(lambda: daemon.log.count("has played nothing") > attempts, 30)
        assert problem(daemon, "device_unavailable")
        pulse.pactl("suspend-sink", "speaker", "0")
        back_s = time.monotonic()
        with pulse.recorded() as recording:
            measured("… plays again: speech", heard_s(recording) - back_s, 7.0)
        wait_until(lambda: state_of(daemon, job)["event_type"] == "finished", 30)
        assert supervisor.endings == []


def test_every_core_is_busy(tmp_path: Path, pulse: PulseServer) -> None:
    """No permanent silence, and what was missed is counted."""
    hog = [sys.executable, "-c", "while True: pass"]
    with running_daemon(tmp_path, SETTINGS, pulse.env) as daemon:
        say(daemon, text="Ready.")
        hogs = [subprocess.Popen(hog) for _ in range(len(os.sched_getaffinity(0)))]
        try:
            with pulse.recorded() as recording:
                outcome = say(daemon, text=TEXT)
        finally:
            for each in hogs:
                each.kill()
                each.wait(10)
        underflows = n_underflows(daemon)
    heard = sounding(recording.samples)
    assert outcome["event_type"] == "finished"
    missed_s = len(heard) / SINK_RATE - outcome["audio_ms"] / 1000
    assert abs(missed_s) < 0.1 or underflows > 0
    assert longest_silence_s(heard, SINK_RATE) < 10.0


def test_the_first_and_the_last_moment_are_heard(tmp_path: Path, pulse: PulseServer) -> None:
    """A tone, on a device that has been asleep and on one that has just played."""
    pulse.pactl("load-module", "module-suspend-on-idle", "timeout=1")
    settings = {**SETTINGS, "voices": {"default": "hum"}}
    for number in range(5):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        # Each time a new one, so that the device has been asleep.
        with running_daemon(folder, settings, pulse.env) as daemon:
            tones = [tone_of(daemon, pulse) for _ in range(2)]
        # On a busy machine the daemon, the sound server or the recorder comes too late now and then.
        if all(abs(len(heard) / SINK_RATE - audio_s) < 0.005 for heard, audio_s in tones):
            break
    for heard, audio_s in tones:
        assert len(heard) / SINK_RATE == pytest.approx(audio_s, abs=0.005)
        edge = round(0.05 * SINK_RATE)
        middle = np.sqrt(np.mean(heard[edge:-edge] ** 2))
        for part in (heard[:edge], heard[-edge:]):
            assert np.sqrt(np.mean(part**2)) == pytest.approx(middle, rel=0.1)


def tone_of(daemon: Daemon, pulse: PulseServer) -> tuple[NDArray[np.float64], float]:
    """What was heard, and how many seconds it should be."""
    with pulse.recorded() as recording:
        outcome = say(daemon, text="Hello house, this is a tone.")
    return sounding(recording.samples, 0.01), outcome["audio_ms"] / 1000
