"""Players on a real D-Bus while the daemon speaks: paused, and resumed if nobody else has touched them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_tts.checks import run_checks
from edge_tts.config import AudioConfig
from edge_tts.others import Others
from edge_tts.others.base import ATTEMPT_S
from edge_tts.others.pausing import Pausing
from tests.house import Daemon
from tests.mpris_player import MprisPlayer, session_bus
from tests.test_end_to_end import post, say

pytestmark = pytest.mark.players

Starter = Callable[[str, str], Awaitable[MprisPlayer]]


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with session_bus(tmp_path_factory.mktemp("bus")) as address:
        yield address


@pytest.fixture
async def player(bus: str) -> AsyncIterator[Starter]:
    players: list[MprisPlayer] = []

    async def start(name: str, status: str) -> MprisPlayer:
        players.append(await MprisPlayer.started(bus, name, status))
        return players[-1]

    yield start
    for player in players:
        await player.close()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at is what was done, however busy the machine."""
    monkeypatch.setattr("edge_tts.others.base.LIMIT_S", 5.0)


@pytest.fixture
async def others(bus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Others]:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
    others = Others(Pausing(AudioConfig()), tmp_path / "others.json")
    yield others
    await others.close()


async def test_only_what_plays_is_paused_and_plays_again(player: Starter, others: Others) -> None:
    radio, film, silent = [
        await player(name, status)
        for name, status in (("radio", "Playing"), ("film", "Paused"), ("off", "Stopped"))
    ]
    await others.quiet()
    assert [each.status for each in (radio, film, silent)] == ["Paused", "Paused", "Stopped"]
    await others.close()
    assert [each.commands for each in (radio, film, silent)] == [["Pause", "Play"], [], []]


async def test_what_the_user_does_meanwhile_stays(player: Starter, others: Others) -> None:
    resumed, stopped, closed = [await player(name, "Playing") for name in ("resumed", "stopped", "closed")]
    await others.quiet()
    resumed.status, stopped.status = "Playing", "Stopped"
    await closed.close()
    await others.quiet()
    await others.close()
    assert [resumed.commands, stopped.commands] == [["Pause"], ["Pause"]]


async def test_nothing_plays_after_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the next session addresses begin anew: another player, paused by its user, has that of the radio."""
    addresses: list[str] = []
    for name, status in (("radio", "Playing"), ("film", "Paused")):
        (tmp_path / name).mkdir()
        with session_bus(tmp_path / name) as bus:
            monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
            player = await MprisPlayer.started(bus, name, status)
            addresses.append(player.address)
            others = Others(Pausing(AudioConfig()), tmp_path / "others.json")
            if name == "radio":
                await others.quiet()
                assert player.commands == ["Pause"]
            else:
                await others.close()
                assert player.commands == []
            await player.close()
    assert addresses[0] == addresses[1]


async def test_a_player_that_hangs_keeps_nobody_waiting(player: Starter, others: Others) -> None:
    hung, radio = await player("hung", "Playing"), await player("radio", "Playing")
    hung.is_deaf = True
    quieting = asyncio.create_task(others.quiet())
    # Not only when the other one is given up.
    async with asyncio.timeout(ATTEMPT_S / 2):
        await _commanded(radio, ["Pause"])
    await quieting
    assert "no answer from org.mpris.MediaPlayer2.hung" in (others.problem or "")
    await others.close()
    assert radio.status == "Playing"


async def test_a_player_that_answers_late_is_paused_all_the_same(
    player: Starter, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It played on through the announcement, and through those that followed."""
    monkeypatch.setattr("edge_tts.others.base.LIMIT_S", 0.3)
    slow = await player("slow", "Playing")
    slow.late_s = 0.5
    await others.quiet()
    assert slow.commands == []
    await others.settled()
    assert (slow.commands, others.problem) == (["Pause"], None)


async def test_without_a_bus_it_is_told_of(others: Others, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus")
    await others.quiet()
    assert "cannot reach the desktop's bus" in (others.problem or "")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    await others.quiet()
    assert "DBUS_SESSION_BUS_ADDRESS is not set" in (others.problem or "")


async def test_music_stops_for_an_announcement_and_for_one_that_is_killed(
    tmp_path: Path, bus: str, player: Starter
) -> None:
    settings: dict[str, dict[str, Any]] = {
        "audio": {"sink": "null", "others": "pause", "lead_in_ms": 0},
        "voices": {"default": "hum"},
        "journal": {"enabled": False},
    }
    radio = await player("radio", "Playing")
    daemon = Daemon(tmp_path, settings, {"DBUS_SESSION_BUS_ADDRESS": bus})
    await asyncio.to_thread(daemon.start)
    try:
        await asyncio.to_thread(say, daemon, text="Hello.")
        await _commanded(radio, ["Pause", "Play"])
        await asyncio.to_thread(post, daemon, "/api/say", {"text": "Hello house, the washing is done. " * 20})
        await _commanded(radio, ["Pause", "Play", "Pause"])
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(daemon.process.wait, 10)
        await asyncio.to_thread(daemon.start)
        await _commanded(radio, ["Pause", "Play", "Pause", "Play"])
    finally:
        await asyncio.to_thread(daemon.stop)


async def _commanded(player: MprisPlayer, commands: list[str]) -> None:
    """Wait for the last of *commands*, all that it got so far."""
    async with asyncio.timeout(20):
        while player.commands != commands:
            player.commanded.clear()
            await player.commanded.wait()


async def test_a_check_says_whether_players_can_be_paused(
    tmp_path: Path, player: Starter, bus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text("audio: {sink: null, others: pause}\nvoices: {default: hum}")
    radio = await player("radio", "Playing")
    said = []
    for address, is_deaf in ((bus, False), (bus, True), ("unix:path=/nowhere/bus", False)):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        # It hangs for longer than an announcement would wait.
        monkeypatch.setattr("edge_tts.others.base.LIMIT_S", 0.3 if is_deaf else 5.0)
        radio.is_deaf = is_deaf
        results = await asyncio.to_thread(run_checks, tmp_path / "config.yaml")
        said += [(each.is_ok, each.message) for each in results if each.what == "others"]
    assert said[0] == (True, "audio.others: pause works")
    assert said[1] == (False, "no answer from org.mpris.MediaPlayer2.radio")
    assert not said[2][0]
    assert radio.commands == ["Pause", "Play"]
