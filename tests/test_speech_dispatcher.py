"""Speech Dispatcher as Debian ships it, our file for it, and a recorded loudspeaker."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.house import SINK_RATE, Daemon, PulseServer, running_daemon, sounding, wait_until

pytestmark = pytest.mark.sound

MODULE = Path(__file__).parent.parent / "share" / "speech-dispatcher" / "edge_tts-generic.conf"
SETTINGS = """
AudioOutputMethod "pulse"
AddModule "edge_tts" "sd_generic" "edge_tts-generic.conf"
DefaultModule edge_tts
SymbolsPreproc "no"
"""
TEXT = "Dinner is ready."
TRAPS = 'It\'s `done`, $(echo) & "more" \\ $HOME: Grüße!'
LONG = "Sentence number one is rather long, and nobody wants to hear it to its very end. " * 8


class Dispatcher:
    """A Speech Dispatcher of its own, which speaks by *daemon* to *pulse*."""

    def __init__(self, folder: Path, daemon: Daemon, pulse: PulseServer) -> None:
        module = MODULE.read_text(encoding="utf-8")
        assert "127.0.0.1:8765" in module
        # As a user does who has changed the port and installed a voice.
        module = module.replace(":8765", f":{daemon.port}").replace("kathleen-kerstin-yuetan", "hum")
        (folder / "modules").mkdir()
        (folder / "modules" / "edge_tts-generic.conf").write_text(module, encoding="utf-8")
        (folder / "speechd.conf").write_text(SETTINGS)
        self._folder = folder
        self._env = {**os.environ, **pulse.env, "SPEECHD_ADDRESS": f"unix_socket:{folder}/socket"}
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["speech-dispatcher", "--run-single", "--timeout=0", "--log-level=1"]
        command += [f"--config-dir={self._folder}", f"--log-dir={self._folder}"]
        command += [f"--socket-path={self._folder}/socket", f"--pid-file={self._folder}/pid"]
        self._server = subprocess.Popen(
            command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: "edge_tts" in self.say("--list-output-modules"))

    def stop(self) -> None:
        assert self._server is not None
        self._server.terminate()
        self._server.wait(10)

    def say(self, *arguments: str) -> str:
        return subprocess.run(
            ["spd-say", *arguments], env=self._env, check=False, capture_output=True, text=True, timeout=60
        ).stdout


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    config = {"voices": {"default": "hum"}, "audio": {"sink": "null"}}
    with running_daemon(tmp_path_factory.mktemp("daemon"), config) as running:
        yield running


@pytest.fixture(scope="module")
def dispatcher(
    tmp_path_factory: pytest.TempPathFactory, daemon: Daemon, pulse: PulseServer
) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(tmp_path_factory.mktemp("dispatcher"), daemon, pulse)
    dispatcher.start()
    yield dispatcher
    dispatcher.stop()


def said(dispatcher: Dispatcher, pulse: PulseServer, *arguments: str) -> NDArray[np.float64]:
    """What is heard of it."""
    with pulse.recorded() as recording:
        dispatcher.say("--wait", *arguments)
    return sounding(recording.samples)


def duration_s(samples: NDArray[np.float64]) -> float:
    return len(samples) / SINK_RATE


def level(samples: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def pitch_hz(samples: NDArray[np.float64]) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * SINK_RATE / len(samples))


def expected_s(daemon: Daemon, text: str, speed: float = 1.0) -> float:
    """As the daemon tells, asked without a shell in between."""
    request = Request(
        f"{daemon.url}/api/explain?speed={speed}", text.encode(), {"Content-Type": "text/plain"}
    )
    with urlopen(request, timeout=10) as answer:
        explained = json.loads(answer.read())
        # After the last sentence nothing follows.
        return float(explained["duration_s"] - explained["sentences"][-1]["pause_s"])


def test_a_text_is_heard_whole_whatever_is_in_it(
    dispatcher: Dispatcher, daemon: Daemon, pulse: PulseServer
) -> None:
    heard = said(dispatcher, pulse, "-l", "en", "-i", "100", "-r", "100", TRAPS)
    assert duration_s(heard) == pytest.approx(expected_s(daemon, TRAPS, speed=3), abs=0.1)
    assert level(heard) == pytest.approx(0.2 / np.sqrt(2), rel=0.1)
    assert pitch_hz(heard) == pytest.approx(220, rel=0.02)


def test_rate_pitch_and_volume(dispatcher: Dispatcher, daemon: Daemon, pulse: PulseServer) -> None:
    fast = said(dispatcher, pulse, "-l", "en-US", "-r", "100", "-p", "100", TEXT)
    assert duration_s(fast) == pytest.approx(expected_s(daemon, TEXT, speed=3), abs=0.1)
    assert pitch_hz(fast) == pytest.approx(440, rel=0.02)
    slow = said(dispatcher, pulse, "-l", "en", "-r", "-50", "-p", "-100", "-i", "-100", TEXT)
    assert duration_s(slow) == pytest.approx(expected_s(daemon, TEXT, speed=0.63), abs=0.1)
    assert pitch_hz(slow) == pytest.approx(110, rel=0.02)
    assert level(slow) == pytest.approx(0.2 / np.sqrt(2) * 0.4**2, rel=0.15)


def test_in_a_language_that_the_module_does_not_name_the_voice_speaks_its_own(
    dispatcher: Dispatcher, daemon: Daemon, pulse: PulseServer
) -> None:
    heard = said(dispatcher, pulse, "-l", "fr", TEXT)
    assert duration_s(heard) == pytest.approx(expected_s(daemon, TEXT), abs=0.1)


def test_voices_are_listed(dispatcher: Dispatcher) -> None:
    listed = dispatcher.say("--list-synthesis-voices").splitlines()
    assert {tuple(line.split()[:2]) for line in listed[1:]} == {("hum", each) for each in ("en", "de", "zh")}


@pytest.mark.parametrize("command", ["-C", "-S"])
def test_silence_comes_in_mid_sentence(dispatcher: Dispatcher, pulse: PulseServer, command: str) -> None:
    with pulse.recorded() as recording:
        dispatcher.say("-l", "en", LONG)
        wait_until(lambda: len(sounding(recording.samples)) > SINK_RATE / 2)
        dispatcher.say(command)
        n_before = len(recording.samples)
        wait_until(lambda: len(recording.samples) > n_before + 3 * SINK_RATE)
        # A sentence takes five seconds, and of this one half a second was heard.
        after = recording.samples[n_before + 2 * SINK_RATE :]
    assert len(after) >= SINK_RATE
    assert not len(sounding(after))
