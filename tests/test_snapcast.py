"""Announcements in the rooms of a real Snapcast server, instead of the music there."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_tts.config import AudioConfig
from edge_tts.errors import DeviceError, OthersError
from edge_tts.metrics import Metrics
from edge_tts.others import Others
from edge_tts.others.base import Change
from edge_tts.others.switching import Switching
from edge_tts.player import open_player
from edge_tts.snapcast import MURMUR, STALL_S, SnapcastSink
from edge_tts.sound_config import SnapcastConfig
from edge_tts.speech import Audio
from tests.house import Daemon, free_port, running_daemon, wait_until
from tests.snapcast_server import MUSIC_HZ, SAMPLE_RATE, Room, SnapServer
from tests.test_end_to_end import get, post
from tests.test_player import pieces

pytestmark = pytest.mark.players

TEXT = "The washing is done."


@pytest.fixture(scope="module")
def snap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnapServer]:
    server = SnapServer(tmp_path_factory.mktemp("snap"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at is what was done, however busy the machine."""
    monkeypatch.setattr("edge_tts.others.base.LIMIT_S", 5.0)


def settings(snap: SnapServer, **snapcast: str) -> dict[str, dict[str, Any]]:
    return {
        "audio": {
            "sink": "snapcast",
            "volume": 100,
            "lead_in_ms": 0,
            "others": "switch",
            "snapcast": {**snap.settings, **snapcast},
        },
        "voices": {"default": "hum"},
    }


def without_music(heard: NDArray[np.float64]) -> NDArray[np.float64]:
    """Only what is below 2 kHz."""
    spectrum = np.fft.rfft(heard)
    spectrum[round(2000 / SAMPLE_RATE * len(heard)) :] = 0
    return np.fft.irfft(spectrum, len(heard))


def loud_s(heard: NDArray[np.float64]) -> float:
    """Seconds of speech in what was *heard*. A client drops and doubles single samples to keep in time with the others:
    too many for a comparison of samples."""
    if not len(heard):
        return 0.0
    parts = without_music(heard)[: len(heard) // 480 * 480].reshape(-1, 480)
    return float(np.sum(np.sqrt(np.mean(parts**2, axis=1)) > 0.03)) / 100


def is_as_long(room: Room, said_s: float) -> bool:
    return abs(loud_s(room.samples) - said_s) < 0.1


def hears_music(room: Room) -> bool:
    last = room.samples[-SAMPLE_RATE // 4 :]
    wave = np.exp(-2j * np.pi * MUSIC_HZ * np.arange(len(last)) / SAMPLE_RATE)
    return len(last) > 0 and bool(np.abs(last @ wave) / len(last) > 0.01)


def begin(daemon: Daemon, *texts: str) -> list[str]:
    """The jobs that say *texts*. One more after them says nothing that is heard, and keeps the rooms: music would come
    back a second after the last word, and with it a new file."""
    requests: list[dict[str, Any]] = [{"text": text} for text in texts]
    requests.append({"text": " ".join([TEXT] * 40), "volume": 0})
    return [json.loads(post(daemon, "/api/say", request))["job"] for request in requests][:-1]


def finished(daemon: Daemon, job: str) -> dict[str, Any]:
    """Its outcome, as soon as there is one."""
    state: dict[str, Any] = {}

    def has_ended() -> bool:
        state.update(json.loads(get(daemon, f"/api/jobs/{job}")))
        return bool(state["event_type"] == "finished")

    wait_until(has_ended, 60)
    return state


@pytest.mark.slow
def test_rooms_hear_an_announcement_whole_and_then_music_again(tmp_path: Path, snap: SnapServer) -> None:
    with running_daemon(tmp_path, settings(snap), {}) as daemon, snap.client("kitchen") as kitchen:
        jobs = begin(daemon, TEXT, TEXT)
        said_s = sum(finished(daemon, job)["audio_ms"] for job in jobs) / 1000
        # Told when it was heard, not when it was sent: three seconds earlier. A busy server is somewhat later.
        assert loud_s(kitchen.samples) > said_s - 2
        assert snap.streams_heard() == ["edge_tts"]
        wait_until(lambda: is_as_long(kitchen, said_s))
        post(daemon, "/api/stop", {})
        wait_until(lambda: snap.streams_heard() == ["music"] and hears_music(kitchen))


@pytest.mark.slow
def test_a_server_that_dies_in_mid_word_is_waited_for(tmp_path: Path, snap: SnapServer) -> None:
    with running_daemon(tmp_path, settings(snap), {}) as daemon, snap.client("kitchen") as kitchen:
        [job] = begin(daemon, " ".join([TEXT] * 6))
        wait_until(lambda: not hears_music(kitchen) and loud_s(kitchen.samples) > 0.5)
        snap.kill()
        wait_until(lambda: "device_unavailable" in get(daemon, "/healthz"))
        snap.start()
        outcome = finished(daemon, job)
        assert outcome["spoken_ms"] == pytest.approx(outcome["audio_ms"], rel=0.01)
        assert "device_unavailable" not in get(daemon, "/healthz")
        # Its clients come back when they can.
        wait_until(lambda: loud_s(kitchen.samples) > 1)


@pytest.mark.slow
def test_a_pipe_is_a_source_as_well(tmp_path: Path, snap: SnapServer) -> None:
    config = settings(snap, source=f"pipe://{snap.folder}/pipe", stream="piped")
    with running_daemon(tmp_path, config, {}) as daemon, snap.client("kitchen") as kitchen:
        [job] = begin(daemon, TEXT)
        said_s = finished(daemon, job)["audio_ms"] / 1000
        wait_until(lambda: loud_s(kitchen.samples) > said_s - 0.1)


async def test_a_group_that_somebody_switches_meanwhile_stays(tmp_path: Path, snap: SnapServer) -> None:
    others = Others(
        Switching(AudioConfig(snapcast=SnapcastConfig(**snap.settings))), tmp_path / "others.json"
    )
    with snap.client("kitchen"):
        await others.quiet()
        assert snap.streams_heard() == ["edge_tts"]
        group = snap.ask("Server.GetStatus")["server"]["groups"][0]["id"]
        snap.ask("Group.SetStream", id=group, stream_id="piped")
        await others.quiet()
        await others.close()
        assert snap.streams_heard() == ["piped"]
        snap.ask("Group.SetStream", id=group, stream_id="music")


async def test_a_stream_that_is_gone_keeps_no_other_room_from_its_music(snap: SnapServer) -> None:
    switching = Switching(AudioConfig(snapcast=SnapcastConfig(**snap.settings)))
    with snap.client("bath"), snap.client("kitchen"):
        groups = [
            group["id"] for group in snap.ask("Server.GetStatus")["server"]["groups"] if group["clients"]
        ]
        for group in groups:
            snap.ask("Group.SetStream", id=group, stream_id="edge_tts")
        before = ["radio", *["music"] * (len(groups) - 1)]
        changes = [Change(group, "group", stream) for group, stream in zip(groups, before, strict=True)]
        with pytest.raises(OthersError, match="radio"):
            await switching.give_back(changes)
        assert sorted(snap.streams_heard()) == ["edge_tts", *before[1:]]
        snap.ask("Group.SetStream", id=groups[0], stream_id="music")
    snap.ask("Server.DeleteClient", id="bath")
    assert len(snap.streams_heard()) == len(groups) - 1


async def test_what_cannot_be_switched_is_told(tmp_path: Path, snap: SnapServer) -> None:
    for changes, said in (
        ({"stream": "announcements"}, "no stream 'announcements'; it has: music, edge_tts, piped"),
        ({"control": f"tcp://127.0.0.1:{free_port()}"}, "cannot be reached"),
    ):
        config = AudioConfig(snapcast=SnapcastConfig(**{**snap.settings, **changes}))
        others = Others(Switching(config), tmp_path / "others.json")
        await others.quiet()
        assert said in (others.problem or "")
        await others.close()


class Listener:
    """A source of a server that reads when it is told to."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        config = SnapcastConfig(source=f"tcp://127.0.0.1:{self.socket.getsockname()[1]}", buffer_ms=100)
        self.sink = SnapcastSink(AudioConfig(sink="snapcast", snapcast=config))


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.sink.close()
    listener.socket.close()


def block() -> NDArray[np.float32]:
    return np.zeros(1920, np.float32)


def test_silence_is_never_told_as_the_end(listener: Listener) -> None:
    """A server takes zeros for the end of a stream."""
    listener.sink.start("a", SAMPLE_RATE)
    connection, _ = listener.socket.accept()
    listener.sink.write(np.array([0.5, 0.0, -0.5], np.float32))
    pcm = np.frombuffer(connection.recv(12, socket.MSG_WAITALL), "<i2")
    assert pcm.tolist() == [16384, 16384, 1, 1, -16384, -16384]
    connection.close()


def test_what_is_sent_is_ahead_of_what_is_heard_by_a_moment_only(listener: Listener) -> None:
    """Else a stop would be heard when all that was sent has been played."""
    listener.sink.start("a", SAMPLE_RATE)
    connection, _ = listener.socket.accept()
    began_s = time.monotonic()
    for _ in range(10):
        listener.sink.write(block())
        connection.recv(4 * 1920, socket.MSG_WAITALL)
    assert time.monotonic() - began_s >= 0.4 - AudioConfig().buffer_ms / 1000 - 0.001
    connection.close()


def test_a_server_that_reads_nothing_is_an_error_in_time(listener: Listener) -> None:
    listener.sink.start("a", SAMPLE_RATE)
    began_s = time.monotonic()
    with pytest.raises(DeviceError, match="has read nothing for 2 s"):
        listener.sink.write(np.zeros(4_000_000, np.float32))
    assert time.monotonic() - began_s < 3 * STALL_S


def test_a_server_that_closes_is_noticed_before_more_is_lost(listener: Listener) -> None:
    listener.sink.start("a", SAMPLE_RATE)
    connection, _ = listener.socket.accept()
    connection.close()
    with pytest.raises(DeviceError, match=r"closed the connection|is gone"):
        listener.sink.write(block())


@pytest.mark.parametrize("source", ["tcp://127.0.0.1:1", "pipe:///nowhere/pipe"])
def test_no_server_is_told_with_what_would_work(source: str) -> None:
    sink = SnapcastSink(AudioConfig(sink="snapcast", snapcast=SnapcastConfig(source=source)))
    with pytest.raises(DeviceError, match=r"audio\.snapcast\.source"):
        sink.probe()


def test_a_pipe_that_nobody_reads_is_no_server(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    sink = SnapcastSink(AudioConfig(snapcast=SnapcastConfig(source=f"pipe://{tmp_path}/pipe")))
    with pytest.raises(DeviceError, match="no Snapcast server reads"):
        sink.start("a", SAMPLE_RATE)


async def test_what_a_server_had_not_played_is_said_again() -> None:
    """Sound that counts: each hundredth of a second has a level of its own."""
    heard: list[list[int]] = []
    second = asyncio.Event()

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_first = not heard
        heard.append([])
        # The first server dies after half a second.
        for _ in range(50 if is_first else 10_000):
            with suppress(asyncio.IncompleteReadError):
                hundredth = np.frombuffer(await reader.readexactly(4 * 480), "<i2")
                heard[-1].append(int(hundredth[0]))
                continue
            break
        writer.transport.abort()
        if not is_first:
            second.set()

    counts = (np.arange(10, 310).repeat(480) / 32767).astype(np.float32)
    server = await asyncio.start_server(read, "127.0.0.1", 0)
    source = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    config = AudioConfig(
        sink="snapcast", close_after_s=0, snapcast=SnapcastConfig(source=source, buffer_ms=100)
    )
    async with server, asyncio.timeout(30):
        async with open_player(config, Metrics()) as player:
            playback = await player.play(pieces(Audio(counts, SAMPLE_RATE)), name="a", gain=lambda: 1.0)
        await second.wait()
    assert playback.is_complete
    before, after = heard
    assert before == list(range(10, 60))
    # From the beginning: the server and its clients hold more than was read.
    assert after[:300] == list(range(10, 310))
    assert set(after[300:]) == {MURMUR}
