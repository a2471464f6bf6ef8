"""Crashes inside C libraries, clocks that jump, and being told to stop at any moment."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from tests.house import Daemon, free_port, running_daemon, wait_until
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone
from tests.supervisor import seconds_of, supervised
from tests.test_end_to_end import LONG_TEXT, get, post

pytestmark = [pytest.mark.voice, pytest.mark.slow]

Measured = Callable[[str, float, float], None]

NULL: dict[str, dict[str, Any]] = {"audio": {"sink": "null"}}


def long_text(number: int) -> str:
    """Another one for each *number*: what was read before is remembered."""
    words = (f"{number + place} quick brown foxes and zorb{chr(97 + number % 26)}ics" for place in range(150))
    return " ".join(f"There were {each} over the lazy dogs." for each in words)


@contextmanager
def busy(daemon: Daemon, path: str) -> Iterator[None]:
    """Somebody asks for long texts, one after the other."""
    is_over = threading.Event()

    def ask() -> None:
        for number in itertools.count(step=150):
            if is_over.is_set():
                return
            with suppress(OSError, HTTPException):
                post(daemon, path, {"text": long_text(number)})

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(60)


def crash_inside(daemon: Daemon, library: str, number: signal.Signals) -> None:
    """Halt the daemon again and again until a thread of it is in the code of *library*; let it die there."""
    assert daemon.process is not None
    pid = daemon.process.pid

    def try_once() -> int | None:
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: is_halted(pid))
            thread = thread_inside(pid, library)
            if thread is not None:
                assert ctypes.CDLL(None).tgkill(pid, thread, number) == 0
            return thread
        finally:
            os.kill(pid, signal.SIGCONT)

    wait_until(try_once, 60)


def is_halted(pid: int) -> bool:
    """On a busy machine a thread must get its turn before it can halt."""
    try:
        stats = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):  # a thread ended between
        return False
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


def thread_inside(pid: int, library: str) -> int | None:
    """The number of a halted thread whose program counter is in *library*."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    spans = [line.split()[0].split("-") for line in lines if library in line and "x" in line.split()[1]]
    for task in Path(f"/proc/{pid}/task").iterdir():
        # "-1 stack program-counter", or a system call and its arguments before them.
        counter = int((task / "syscall").read_text().split()[-1], 16)
        if any(int(low, 16) <= counter < int(high, 16) for low, high in spans):
            return int(task.name)
    return None


WORK = {
    "libespeak-ng": ("/api/explain", "phonemes.py"),
    "onnxruntime": ("/api/tts", "session.py"),
}
"""What to ask for, and the file of ours that calls the library."""


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT], ids=lambda number: number.name)
@pytest.mark.parametrize("library", WORK)
def test_a_crash_in_a_library(
    tmp_path: Path, measured: Measured, library: str, number: signal.Signals
) -> None:
    path, file = WORK[library]
    settings = {**NULL, "cache": {"limit_mb": 0}}
    with supervised(tmp_path, settings) as (daemon, supervisor):
        # So long that it is in the middle when "Back." cuts in.
        texts = (f"{LONG_TEXT} " * 4, "The first one waits.", "The second one waits.")
        jobs = [json.loads(post(daemon, "/api/say", {"text": text}))["job"] for text in texts]
        with busy(daemon, path):
            crash_inside(daemon, library, number)
            crashed_s, status = supervisor.ending()
        wait_until(lambda: is_up(daemon), 60)
        back = json.loads(post(daemon, "/api/say", {"text": "Back.", "priority": "important"}))["job"]
        wait_until(lambda: state_of(daemon, back)["event_type"] != "queued")
        name = library.removeprefix("lib")
        measured(f"{number.name} in {name}: an announcement is said", time.monotonic() - crashed_s, 3.0)
        assert "foxes" not in daemon.log
        if is_whole(daemon.log, status, number):
            assert file in daemon.log
        # What was cut and what waited is said all the same.
        assert [outcome_of(daemon, job) for job in jobs[1:]] == ["finished", "finished"]
        assert outcome_of(daemon, jobs[0]) in ("finished", "interrupted")
        assert len(supervisor.endings) == 1


def is_whole(log: str, status: int, number: signal.Signals) -> bool:
    """Whether the report tells where every thread was.

    Python writes it while the other threads run on, and now and then follows one into a frame that is no more: the
    process ends all the same, by that crash.
    """
    assert "Fatal Python error" in log
    assert status in (-number, -signal.SIGSEGV)
    return status == -number and "Extension modules: " in log


def is_up(daemon: Daemon) -> bool:
    with suppress(URLError, ConnectionError):
        return bool(get(daemon, "/healthz"))
    return False


def state_of(daemon: Daemon, job: str) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(get(daemon, f"/api/jobs/{job}"))
    return state


def outcome_of(daemon: Daemon, job: str) -> str:
    def ended() -> str | None:
        state = state_of(daemon, job)
        return None if state["event_type"] in ("queued", "started") else state["event_type"]

    outcome = wait_until(ended, 60)
    assert outcome is not None
    return outcome


# --- clocks ------------------------------------------------------------------------------------------------


def test_a_clock_that_jumps_ten_years(tmp_path: Path) -> None:
    """A box without a battery wakes in the past and learns the time later."""
    ten_years_s = 10 * 365 * 86400
    clock = tmp_path / "clock"

    def jump(by_s: int) -> None:
        # Whole at every moment: the daemon looks all the time.
        beside = clock.with_suffix(".new")
        beside.write_text(str(by_s))
        beside.replace(clock)

    jump(0)
    program = ["tests.jumping_clock", str(clock)]
    with running_daemon(tmp_path, NULL, program=program) as daemon:
        for jump_s in (ten_years_s, -ten_years_s, 0):
            request = {"text": LONG_TEXT, "id": f"before {jump_s}"}
            jobs = [json.loads(post(daemon, "/api/say", request))["job"]]
            jobs.append(json.loads(post(daemon, "/api/say", {"text": "It waited."}))["job"])
            wait_until(lambda job=jobs[0]: state_of(daemon, job)["event_type"] == "started")  # type: ignore[misc]
            jump(jump_s)
            # Known all the same: the window of an id is not over.
            assert json.loads(post(daemon, "/api/say", request))["job"] == jobs[0]
            assert [outcome_of(daemon, job) for job in jobs] == ["finished", "finished"]
            assert state_of(daemon, jobs[0])["spoken_ms"] == state_of(daemon, jobs[0])["audio_ms"]
            assert 0 < state_of(daemon, jobs[1])["queued_ms"] < 60_000
        assert "hang" not in daemon.log


# --- being told to stop ------------------------------------------------------------------------------------


def n_threads(daemon: Daemon) -> int:
    assert daemon.process is not None
    return len(os.listdir(f"/proc/{daemon.process.pid}/task"))


def has_loaded(daemon: Daemon, library: str) -> bool:
    assert daemon.process is not None
    return library in Path(f"/proc/{daemon.process.pid}/maps").read_text()


def stopped(daemon: Daemon, measured: Measured, phase: str) -> None:
    assert daemon.process is not None
    start_s = time.monotonic()
    daemon.process.terminate()
    status = daemon.process.wait(20)
    measured(f"Stop while {phase}", time.monotonic() - start_s, seconds_of("TimeoutStopSec") / 2)
    assert status == 0, daemon.log


STARTING: dict[str, Callable[[Daemon], bool]] = {
    "starting": lambda daemon: has_loaded(daemon, "_multiarray_umath"),
    "loading": lambda daemon: has_loaded(daemon, "onnxruntime"),
}


@pytest.mark.parametrize("phase", STARTING)
def test_a_stop_while(tmp_path: Path, measured: Measured, phase: str) -> None:
    daemon = Daemon(tmp_path, NULL, {})
    daemon.launch()
    wait_until(lambda: STARTING[phase](daemon))
    stopped(daemon, measured, phase)


@pytest.mark.broker
def test_a_stop_while_speaking(tmp_path: Path, broker: Mosquitto, phone: Phone, measured: Measured) -> None:
    settings = {**NULL, "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}", "device": "kitchen"}}
    daemon = Daemon(tmp_path, settings, {})
    daemon.start()
    wait_until(lambda: phone.latest("status") == "online")
    phone.publish(f"{BASE}/say", LONG_TEXT)
    wait_until(lambda: any(event["event_type"] == "started" for event in phone.events()))
    stopped(daemon, measured, "speaking")
    wait_until(lambda: phone.latest("status") == "offline")
    assert any(event["event_type"] == "interrupted" for event in phone.events())


def test_a_stop_while_the_broker_is_away(tmp_path: Path, measured: Measured) -> None:
    settings = {**NULL, "mqtt": {"url": f"mqtt://127.0.0.1:{free_port()}", "device": "kitchen"}}
    daemon = Daemon(tmp_path, settings, {})
    daemon.start()
    post(daemon, "/api/say", {"text": LONG_TEXT})
    wait_until(lambda: '"started"' in get(daemon, "/api/jobs"))
    stopped(daemon, measured, "the broker is away")
