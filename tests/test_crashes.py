"""The real daemon killed at any moment, with a real broker: accepted means spoken, once, or an outcome says why not."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from tests.house import Daemon, wait_until
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone

pytestmark = pytest.mark.broker

N_MESSAGES = 30
OUTCOMES = {"finished", "interrupted", "expired", "superseded", "muted", "failed"}


@pytest.fixture
def daemon(tmp_path: Path, broker: Mosquitto, phone: Phone) -> Iterator[Daemon]:
    settings: dict[str, dict[str, Any]] = {
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}", "device": "kitchen"},
        "audio": {"sink": "null", "null_pace": 3.0},
        "voices": {"default": "hum"},
    }
    daemon = Daemon(tmp_path, settings, {})
    daemon.start()
    wait_until(lambda: phone.latest("status") == "online")
    yield daemon
    assert daemon.stop() == 0


def start(daemon: Daemon, phone: Phone) -> None:
    """Until the broker has it too: what ends before is told then, unless the next kill comes first."""
    n_before = phone.payloads(f"{BASE}/status").count("online")
    daemon.start()
    wait_until(lambda: phone.payloads(f"{BASE}/status").count("online") > n_before)


def kill(daemon: Daemon) -> None:
    assert daemon.process is not None
    daemon.process.kill()
    daemon.process.wait(10)


def post(daemon: Daemon, **body: Any) -> bool:
    """Whether it was accepted; else nobody knows, as the daemon died."""
    request = Request(
        f"{daemon.url}/api/say", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urlopen(request, timeout=20) as answer:
            return bool(answer.status == 202)
    except HTTPError:
        raise
    except (URLError, OSError):
        return False


def latest(daemon: Daemon, name: str) -> str:
    with urlopen(f"{daemon.url}/api/jobs/{name}", timeout=20) as answer:
        return str(json.loads(answer.read())["event_type"])


def outcomes(phone: Phone) -> list[dict[str, Any]]:
    return [event for event in phone.events() if event["event_type"] in OUTCOMES]


def count(phone: Phone, event_type: str) -> int:
    return sum(event["event_type"] == event_type for event in phone.events())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_every_accepted_one_has_one_outcome(
    daemon: Daemon, phone: Phone, seed: int
) -> None:
    dice = random.Random(seed)
    accepted: list[str] = []
    # After so many more of these: while accepting, while waiting, while speaking, at the end of one.
    measures: dict[str, Callable[[], int]] = {
        "accepted": lambda: len(accepted),
        "started": lambda: count(phone, "started"),
        "finished": lambda: count(phone, "finished"),
    }

    def send_all() -> None:
        for number in range(N_MESSAGES):
            # As a careful client: again until it is accepted, under one id.
            wait_until(lambda number=number: post(daemon, text=f"Number {number}.", id=f"{number}"), 90)  # type: ignore[misc]
            accepted.append(f"{number}")

    sender = threading.Thread(target=send_all)
    sender.start()
    kills = ["accepted", "accepted", "started", "finished", "started"]
    for name in kills:
        measure, goal = measures[name], measures[name]() + dice.randint(1, 4)
        wait_until(lambda measure=measure, goal=goal: measure() >= goal)  # type: ignore[misc]
        kill(daemon)
        start(daemon, phone)
    sender.join(200)
    wait_until(lambda: {event["id"] for event in outcomes(phone)} >= set(accepted), 60)
    n_ends = Counter(event["id"] for event in outcomes(phone))
    assert set(n_ends) == {str(number) for number in range(N_MESSAGES)}
    # "poison" is who was cut twice.
    assert {(event["event_type"], event.get("code")) for event in outcomes(phone)} <= {
        ("finished", None),
        ("failed", "poison"),
    }
    # Each kill cuts one at most; that one is spoken again, and told again if it ended in the same moment.
    n_starts = Counter(event["id"] for event in phone.events() if event["event_type"] == "started")
    assert n_ends.total() <= N_MESSAGES + len(kills)
    assert n_starts.total() <= N_MESSAGES + len(kills)
    assert len({event["job"] for event in outcomes(phone)}) == N_MESSAGES


@pytest.mark.slow
def test_a_text_that_ends_the_daemon_twice_is_not_tried_again(daemon: Daemon, phone: Phone) -> None:
    assert post(daemon, text="This one kills. " * 20, id="poison")
    assert post(daemon, text="Next.", id="next")
    for _ in range(2):
        wait_until(lambda: latest(daemon, "poison") == "started")
        kill(daemon)
        daemon.start()
    wait_until(lambda: len(outcomes(phone)) == 2)
    poison, following = outcomes(phone)
    assert (poison["id"], poison["event_type"], poison["code"]) == ("poison", "failed", "poison")
    assert (following["id"], following["event_type"]) == ("next", "finished")


@pytest.mark.slow
def test_a_restart_of_the_service_loses_nothing(daemon: Daemon, phone: Phone) -> None:
    for number in range(10):
        phone.publish(f"{BASE}/say", json.dumps({"text": f"Number {number}.", "id": f"{number}"}))
    wait_until(lambda: count(phone, "queued") == 10 and count(phone, "started") >= 2)
    assert daemon.stop() == 0
    daemon.start()
    wait_until(lambda: len(outcomes(phone)) == 10, 30)
    kinds = Counter(event["event_type"] for event in outcomes(phone))
    assert kinds["finished"] >= 9
    assert kinds["finished"] + kinds["interrupted"] == 10
    spoken = [event["id"] for event in outcomes(phone)]
    assert spoken == [f"{number}" for number in range(10)]
