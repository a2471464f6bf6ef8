"""Recipes that speak HTTP, with a real daemon: the shell script, the node but for ROS, the panel in a browser."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, expect

from edge_tts.doors.base import request_from_payload
from recipes.ros2_speaker import Box, RefusedError, goal
from tests.browser import chromium, post
from tests.house import Daemon, free_port, running_daemon, wait_until

RECIPES = Path(__file__).parent.parent / "recipes"
LONG = "Nobody in this house wants to hear this long announcement to its very end. " * 10
TRAPS = 'It\'s `done`, $(echo) & "more" \\ $HOME: Grüße, 你好!\n@home'


class Page(SimpleHTTPRequestHandler):
    """The recipe's page; nothing is written to the terminal."""

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture(scope="module")
def panel() -> Iterator[str]:
    """Address of the page, as `python3 -m http.server` gives it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Page, directory=str(RECIPES / "kiosk")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, panel: str) -> Iterator[Daemon]:
    config: dict[str, dict[str, Any]] = {
        "http": {"cors_origins": [panel]},
        "voices": {"default": "hum"},
        "audio": {"sink": "null", "null_pace": 4.0},
    }
    with running_daemon(tmp_path_factory.mktemp("daemon"), config) as daemon:
        yield daemon


def jobs(daemon: Daemon) -> list[dict[str, Any]]:
    """The oldest first."""
    with urlopen(f"{daemon.url}/api/jobs") as answer:
        listed: list[dict[str, Any]] = json.load(answer)["jobs"]
        return listed


# --- The shell script ------------------------------------------------------------------------------------


def script(url: str, *arguments: str, text: str | None = None, token: str = "") -> tuple[int, str]:
    """Status and what it complains of."""
    done = subprocess.run(
        [RECIPES / "say.sh", *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "EDGE_TTS_URL": url, "EDGE_TTS_TOKEN": token},
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_the_script_returns_when_it_was_said(daemon: Daemon) -> None:
    assert script(daemon.url, "-p", "important", "-l", "35", TRAPS) == (0, "")
    said = jobs(daemon)[-1]
    assert (said["text"], said["priority"], said["event_type"]) == (TRAPS, "important", "finished")
    assert said["warnings"] == []
    assert script(daemon.url, text="From a pipe.") == (0, "")
    assert jobs(daemon)[-1]["text"] == "From a pipe."


def test_the_script_tells_why_it_was_not_said(daemon: Daemon) -> None:
    post(daemon, "/api/state", muted=True)
    assert_complains(script(daemon.url, "Hello."), 1, '"muted"')
    post(daemon, "/api/state", muted=False)
    assert_complains(script(daemon.url, "-v", "ännä & co", "Hello."), 1, "unknown_voice")
    assert_complains(script(daemon.url, text=""), 1, "nothing_to_say")
    assert_complains(script(f"http://127.0.0.1:{free_port()}", "Hello."), 1, "connect")
    assert_complains(script(daemon.url, "-x"), 2, "say.sh [-p PRIORITY]")


def assert_complains(done: tuple[int, str], status: int, text: str) -> None:
    assert done[0] == status
    assert text in done[1]


# --- ROS 2 -----------------------------------------------------------------------------------------------


@pytest.fixture
def told(daemon: Daemon) -> Iterator[list[dict[str, Any]]]:
    """What the node would publish as feedback."""
    events: list[dict[str, Any]] = []
    stopped = threading.Event()
    box = Box(daemon.url)
    thread = threading.Thread(target=box.follow, args=(events.append, stopped))
    thread.start()
    wait_until(lambda: events)
    yield events
    stopped.set()
    # It looks up with the next event.
    box.say(goal("The end."))
    thread.join(20)
    assert not thread.is_alive()


def steps(told: list[dict[str, Any]], request_id: str) -> list[str]:
    return [event["event_type"] for event in told if event.get("id") == request_id]


def test_a_ros_goal_is_followed_to_its_end(daemon: Daemon, told: list[dict[str, Any]]) -> None:
    wanted = goal('{"text": "Docking.", "priority": "important", "id": "dock-1"}')
    assert Box(daemon.url).say(wanted)["warnings"] == []
    wait_until(lambda: "finished" in steps(told, "dock-1"))
    assert steps(told, "dock-1") == ["queued", "started", "finished"]


def test_a_ros_goal_is_cancelled_by_its_id(daemon: Daemon, told: list[dict[str, Any]]) -> None:
    box = Box(daemon.url)
    spoken, waiting = goal(LONG), goal("Somebody else's.")
    box.say(spoken)
    box.say(waiting)
    wait_until(lambda: "started" in steps(told, spoken["id"]))
    assert box.stop(spoken["id"]) == {"ended": 1}
    wait_until(lambda: "finished" in steps(told, waiting["id"]))
    assert steps(told, spoken["id"]) == ["queued", "started", "interrupted"]
    assert box.stop() == {"ended": 0}


def test_what_ros_is_told_of_a_refusal(daemon: Daemon) -> None:
    with pytest.raises(RefusedError) as refused:
        Box(daemon.url).say(goal('{"text": "Hello.", "voice": "nobody", "id": "7"}'))
    assert (refused.value.event["id"], refused.value.event["code"]) == ("7", "unknown_voice")
    with pytest.raises(RefusedError, match="bad_json"):
        goal('{"text": ')
    with pytest.raises(RefusedError, match="unreachable"):
        Box(f"http://127.0.0.1:{free_port()}").say(goal("Hello."))
    with pytest.raises(RefusedError, match="unknown_job"):
        Box(daemon.url).stop("nobody's")


# --- The panel, and ioBroker's script --------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.mark.browser
def test_the_panel_speaks(browser: Browser, daemon: Daemon, panel: str) -> None:
    page = browser.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(f"{panel}/panel.html?box={daemon.url}")
    page.get_by_role("button", name="Dinner").click()
    expect(page.get_by_role("status")).to_have_text("Said.", timeout=20_000)
    assert jobs(daemon)[-1]["text"] == "Dinner is ready."
    assert jobs(daemon)[-1]["warnings"] == []
    post(daemon, "/api/pause")
    page.get_by_role("button", name="Dinner").click()
    wait_until(lambda: jobs(daemon)[-1]["event_type"] == "queued")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status")).to_have_text("Not said: cancelled", timeout=20_000)
    post(daemon, "/api/resume")
    assert told == []
    page.close()


@pytest.mark.browser
def test_a_page_from_elsewhere_does_not(browser: Browser, daemon: Daemon, panel: str) -> None:
    page = browser.new_page()
    n_before = len(jobs(daemon))
    # The same page by another name is another page.
    page.goto(f"{panel.replace('127.0.0.1', 'localhost')}/panel.html?box={daemon.url}")
    page.get_by_role("button", name="Dinner").click()
    expect(page.get_by_role("status")).to_have_text("Not said: Failed to fetch", timeout=20_000)
    assert len(jobs(daemon)) == n_before
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("Dinner.", {"text": "Dinner.", "volume": 60, "priority": "message"}),
        ("!Fire!", {"text": "Fire!", "volume": 60, "priority": "important"}),
        (
            "de;75;Das Essen; fertig.",
            {"text": "Das Essen; fertig.", "volume": 75, "priority": "message", "language": "de"},
        ),
        ("!en-GB;Tea!", {"text": "Tea!", "volume": 60, "priority": "important", "language": "en-GB"}),
    ],
)
def test_iobrokers_lines(browser: Browser, line: str, wanted: dict[str, Any]) -> None:
    source = (RECIPES / "iobroker-say.js").read_text(encoding="utf-8")
    page = browser.new_page()
    # What is not ioBroker in it, run by another JavaScript.
    made = page.evaluate(
        "([source, line]) => new Function('createState', 'on', 'sendTo', 'line', `${source}; return request(line, 60)`)"
        "(() => {}, () => {}, () => {}, line)",
        [source, line],
    )
    page.close()
    assert made == wanted
    assert request_from_payload(json.dumps(made).encode(), source="test")[1] == ()
