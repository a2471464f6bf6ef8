"""Music on a real sound server while the daemon speaks: lowered, given back, and never in the way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_tts.config import AudioConfig
from edge_tts.others import Others
from edge_tts.others.base import LIMIT_S
from edge_tts.others.ducking import Ducking
from tests.house import SINK_RATE, Daemon, PulseServer, running_daemon, wait_until
from tests.test_end_to_end import post, say

pytestmark = pytest.mark.sound

MUSIC_HZ = 3000
MUSIC_LEVEL = 0.1
SPEECH_HZ = 220
"""Of the voice "hum"."""

DUCK_DB = 20.0
SETTINGS: dict[str, dict[str, Any]] = {
    "audio": {"device": "pulse", "volume": 100, "lead_in_ms": 0, "others": "duck", "duck_db": DUCK_DB},
    "voices": {"default": "hum"},
}
TEXT = "Hello house."


@pytest.fixture(scope="module")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulseServer]:
    server = PulseServer(tmp_path_factory.mktemp("pulse"))
    server.start()
    server.pactl("load-module", "module-stream-restore")
    yield server
    server.stop()


def streams(pulse: PulseServer) -> list[dict[str, Any]]:
    """What plays on the server, but for the daemon."""
    listed = subprocess.run(
        ["pactl", "-f", "json", "list", "sink-inputs"],
        env={**os.environ, **pulse.env},
        capture_output=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(listed.stdout)
    return [each for each in found if each["properties"]["application.name"] != "edge_tts"]


def volumes(pulse: PulseServer) -> list[list[int]]:
    """Of each stream, by its channels: 65536 is full."""
    return [[channel["value"] for channel in stream["volume"].values()] for stream in streams(pulse)]


@contextmanager
def music(pulse: PulseServer, volume: int | None = 65536, role: str = "music") -> Iterator[None]:
    """*volume* None: the one that the server remembers for the *role*."""
    path = Path(pulse.env["HOME"]) / "music.raw"
    if not path.exists():
        seconds = np.arange(60 * SINK_RATE) / SINK_RATE
        path.write_bytes(
            (MUSIC_LEVEL * 32767 * np.sin(2 * np.pi * MUSIC_HZ * seconds)).astype("<i2").tobytes()
        )
    n_before = len(streams(pulse))
    command = ["pacat", "--raw", f"--rate={SINK_RATE}", "--channels=1", "--latency-msec=50"]
    command += [f"--property=media.role={role}", *([f"--volume={volume}"] if volume else []), str(path)]
    player = subprocess.Popen(command, env={**os.environ, **pulse.env}, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: len(streams(pulse)) > n_before)
        yield
    finally:
        player.kill()
        player.wait(10)
        wait_until(lambda: len(streams(pulse)) == n_before)


def music_db(samples: NDArray[np.float64], tone_hz: int = MUSIC_HZ) -> NDArray[np.float64]:
    """Level of the music, or of another tone, in each tenth of a second, in dB of what the music is played at."""
    n_part = SINK_RATE // 10
    parts = samples[: len(samples) // n_part * n_part].reshape(-1, n_part)
    wave = np.exp(-2j * np.pi * tone_hz * np.arange(n_part) / SINK_RATE)
    levels: NDArray[np.float64] = np.abs(parts @ wave) * 2 / n_part / MUSIC_LEVEL
    return 20 * np.log10(levels + 1e-6)


@pytest.fixture
async def others(
    pulse: PulseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Others]:
    for name, value in pulse.env.items():
        monkeypatch.setenv(name, value)
    # What is looked at is what was done, however busy the machine.
    monkeypatch.setattr("edge_tts.others.base.LIMIT_S", 5.0)
    others = Others(Ducking(AudioConfig(duck_db=DUCK_DB)), tmp_path / "others.json")
    yield others
    await others.close()


def test_music_is_lower_while_the_daemon_speaks(tmp_path: Path, pulse: PulseServer) -> None:
    with (
        running_daemon(tmp_path, SETTINGS, pulse.env) as daemon,
        music(pulse, 50000),
        pulse.recorded() as recording,
    ):
        n_before = len(recording.samples)
        wait_until(lambda: len(recording.samples) > n_before + SINK_RATE)
        outcome = say(daemon, text=TEXT)
        wait_until(lambda: volumes(pulse) == [[50000]])
        n_restored = len(recording.samples)
        wait_until(lambda: len(recording.samples) > n_restored + SINK_RATE)
    assert outcome["event_type"] == "finished"
    # A volume of the server is a cube root.
    as_played_db = 60 * np.log10(50000 / 65536)
    levels_db = music_db(recording.samples)
    is_low = levels_db < as_played_db - DUCK_DB + 2
    # The median: a box that is busy plays music with gaps.
    assert np.median(levels_db[2:8]) == pytest.approx(as_played_db, abs=3)
    assert np.median(levels_db[-8:]) == pytest.approx(as_played_db, abs=3)
    # For as long as it speaks, somewhat late on a busy machine, and still when it has spoken.
    assert np.sum(is_low) >= outcome["audio_ms"] / 100 - 2
    end = np.flatnonzero(music_db(recording.samples, SPEECH_HZ) > -6)[-1]
    assert np.all(is_low[end + 1 : end + 3])


async def test_volumes_come_back_exactly(pulse: PulseServer, others: Others) -> None:
    with music(pulse, 12345), music(pulse, 65001):
        await others.quiet()
        assert sorted(volumes(pulse)) == [
            [pytest.approx(volume * 10 ** (-DUCK_DB / 60), abs=1)] for volume in (12345, 65001)
        ]
        # The next one of a series finds them low already.
        await others.quiet()
        await others.close()
        assert sorted(volumes(pulse)) == [[12345], [65001]]


async def test_a_volume_that_the_user_sets_meanwhile_stays(pulse: PulseServer, others: Others) -> None:
    with music(pulse):
        await others.quiet()
        pulse.pactl("set-sink-input-volume", str(streams(pulse)[0]["index"]), "30000")
        await others.quiet()
        await others.close()
        assert volumes(pulse) == [[30000]]


async def test_the_next_piece_of_music_is_as_loud_as_the_one_before(
    pulse: PulseServer, others: Others
) -> None:
    """A player has a new stream for each piece, and the server gives it the volume that the last one had."""
    with music(pulse):
        pulse.pactl("set-sink-input-volume", str(streams(pulse)[0]["index"]), "50000")
        await others.quiet()
    with music(pulse, None):
        low = volumes(pulse)
        assert low[0][0] < 25000
        # It is no lower after another announcement.
        await others.quiet()
        assert volumes(pulse) == low
        await others.close()
        assert volumes(pulse) == [[50000]]


async def test_music_that_ended_while_low_is_loud_when_it_begins_again(
    pulse: PulseServer, others: Others
) -> None:
    with music(pulse, role="video"):
        pulse.pactl("set-sink-input-volume", str(streams(pulse)[0]["index"]), "40000")
        await others.quiet()
    await others.close()
    with music(pulse, None, role="video"):
        assert volumes(pulse) == [[40000]]


def kill(daemon: Daemon) -> None:
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait(10)


def test_a_daemon_that_is_killed_gives_back_when_it_starts_again(tmp_path: Path, pulse: PulseServer) -> None:
    settings = {**SETTINGS, "journal": {"enabled": False}}
    with music(pulse, 50000), running_daemon(tmp_path, settings, pulse.env) as daemon:
        post(daemon, "/api/say", {"text": " ".join([TEXT] * 20)})
        wait_until(lambda: volumes(pulse)[0][0] < 25000)
        kill(daemon)
        assert volumes(pulse)[0][0] < 25000
        daemon.start()
        wait_until(lambda: volumes(pulse) == [[50000]])
        # And it is not given back twice.
        wait_until(lambda: not list((tmp_path / "state").glob("others*")))


HARDENED = """
import asyncio, ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit(77)  # this kernel cannot
from edge_tts.config import AudioConfig
from edge_tts.others import Others, base
from edge_tts.others.ducking import Ducking

base.LIMIT_S = 5.0

async def duck():
    others = Others(Ducking(AudioConfig()))
    await others.quiet()
    print(others.problem)
    await others.close()

asyncio.run(duck())
"""


def test_the_unit_allows_it(pulse: PulseServer) -> None:
    """libpulse calls back into Python, and the unit forbids memory that is writable and executable."""
    with music(pulse, 50000):
        ducked = subprocess.run(
            [sys.executable, "-c", HARDENED],
            env={**os.environ, **pulse.env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert volumes(pulse) == [[50000]]
    if ducked.returncode == 77:
        pytest.skip("needs Linux 6.3")
    assert (ducked.stdout, ducked.returncode) == ("None\n", 0), ducked.stderr


async def test_a_server_that_hangs_delays_nobody(
    pulse: PulseServer, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_tts.others.base.LIMIT_S", LIMIT_S)
    told = asyncio.Queue[str | None]()
    others.on_problem = told.put_nowait
    with music(pulse):
        pulse.freeze()
        await others.quiet()
        # The attempt goes on.
        assert told.empty()
        async with asyncio.timeout(20):
            assert "do not answer" in (await told.get() or "")
            pulse.thaw()
            await others.quiet()
            assert await told.get() is None


async def test_a_server_that_is_not_there_is_told_of(others: Others, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    await others.quiet()
    assert "PULSE_SERVER" in (others.problem or "")


def test_the_servers_own_ducking_knows_our_role(tmp_path: Path, pulse: PulseServer) -> None:
    """module-role-ducking, with nothing configured in the daemon."""
    role_ducking = [
        "module-role-ducking",
        "trigger_roles=Notification",
        "ducking_roles=music",
        "volume=-30dB",
    ]
    pulse.pactl("load-module", *role_ducking)
    settings = {**SETTINGS, "audio": {**SETTINGS["audio"], "others": "none", "close_after_s": 0.2}}
    try:
        with (
            running_daemon(tmp_path, settings, pulse.env) as daemon,
            music(pulse, 65536),
            pulse.recorded() as recording,
        ):
            outcome = say(daemon, text=TEXT)
            n_spoken = len(recording.samples)
            wait_until(lambda: len(recording.samples) > n_spoken + SINK_RATE)
            # A busy daemon closes its stream later.
            wait_until(lambda: np.median(music_db(recording.samples)[-5:]) > -3)
    finally:
        pulse.pactl("unload-module", "module-role-ducking")
    levels_db = music_db(recording.samples)
    assert int(np.sum(levels_db < -25)) >= outcome["audio_ms"] / 100 - 2
    assert np.median(levels_db[-5:]) == pytest.approx(0, abs=3)
