"""Real parts for end-to-end tests: a PulseAudio server with a recorded sink, and the daemon as a process."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import yaml
from numpy.typing import NDArray

SINK_RATE = 48000
"""Hertz of the recorded sink."""

NULL_SINK = ("module-null-sink", "sink_name=speaker", f"rate={SINK_RATE}", "channels=1")

N_PORTS = 4_000
"""That each worker of pytest has for itself."""

_T = TypeVar("_T")


def wait_until(condition: Callable[[], _T], timeout_s: float = 20.0) -> _T:
    """The first true result of *condition*; raises TimeoutError."""
    give_up_s = time.monotonic() + timeout_s
    while time.monotonic() < give_up_s:
        if result := condition():
            return result
        time.sleep(0.02)
    raise TimeoutError(f"still not true after {timeout_s} s")


def _own_ports() -> Iterator[int]:
    """Below those that the kernel gives out by itself, and not those of another worker of the same run: until a daemon
    listens, anybody else may take what was free."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 12_000 + worker % 5 * N_PORTS
    # Another run on this machine begins elsewhere.
    start = os.getpid() * 61
    return (first + (start + number) % N_PORTS for number in itertools.count())


_PORTS = _own_ports()


def free_port() -> int:
    """Not one that was given out before."""
    for port in itertools.islice(_PORTS, N_PORTS):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


class PulseServer:
    """A PulseAudio server of its own with one null sink, which plays at real-time pace."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self.env = {
            "PULSE_SERVER": f"unix:{folder}/socket",
            "XDG_RUNTIME_DIR": str(folder),
            "HOME": str(folder),
        }

    def start(self) -> None:
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
        command += ["-L", " ".join(NULL_SINK)]
        command += ["-L", f"module-native-protocol-unix socket={self._folder}/socket auth-anonymous=1"]
        self._server = subprocess.Popen(command, env={**os.environ, **self.env}, stderr=subprocess.DEVNULL)
        wait_until(self._answers)

    def _answers(self) -> bool:
        asked = subprocess.run(
            ["pactl", "info"], env={**os.environ, **self.env}, capture_output=True, check=False
        )
        return asked.returncode == 0

    def freeze(self) -> None:
        """Answer nothing any more, as a driver that hangs."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        assert self._server is not None
        self._server.kill()
        self._server.wait(10)

    def pactl(self, *command: str) -> None:
        subprocess.run(["pactl", *command], env={**os.environ, **self.env}, capture_output=True, check=True)

    def stop(self) -> None:
        if self._server:
            self._server.send_signal(signal.SIGCONT)
            self._server.terminate()
            self._server.wait(10)

    @contextmanager
    def recorded(self) -> Iterator[Recording]:
        """What the sink plays inside the block."""
        path = self._folder / f"{time.monotonic_ns()}.raw"
        command = [
            "parec",
            "--device=speaker.monitor",
            "--format=s16le",
            f"--rate={SINK_RATE}",
            "--channels=1",
        ]
        with path.open("wb") as file:
            recorder = subprocess.Popen(
                [*command, "--latency-msec=20"],
                stdout=file,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **self.env},
            )
            # A sink that nobody listened to works in blocks of 2 s: what is played before the first one is lost.
            wait_until(lambda: path.stat().st_size)
            recording = Recording(path)
            try:
                yield recording
            finally:
                # What is still on its way to the recorder: it is here when a second that was played later is.
                n_bytes = path.stat().st_size + 2 * SINK_RATE
                # A server that was stopped or hangs sends nothing more.
                with suppress(TimeoutError):
                    wait_until(lambda: path.stat().st_size >= n_bytes or recorder.poll() is not None, 10)
                recorder.terminate()
                recorder.wait(10)


class Recording:
    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def samples(self) -> NDArray[np.float64]:
        """[n_samples] in [-1, 1] at SINK_RATE, so far."""
        return np.frombuffer(self._path.read_bytes()[: self._path.stat().st_size // 2 * 2], "<i2") / 32768.0


def sounding(samples: NDArray[np.float64], threshold: float = 0.002) -> NDArray[np.float64]:
    """From the first to the last sample louder than *threshold*; nothing if none is."""
    loud = np.flatnonzero(np.abs(samples) > threshold)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def longest_silence_s(samples: NDArray[np.float64], sample_rate: int) -> float:
    """Longest run of exact zeros: what a starved device plays, and speech never does."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (samples == 0).astype(int), [0]])))
    runs = edges[1::2] - edges[::2]
    return float(runs.max() / sample_rate) if len(runs) else 0.0


def likeness(recorded: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Correlation coefficient of *expected* with the best-aligned part of *recorded*: 1 is the same sound."""
    n_fft = 1 << (len(recorded) + len(expected)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(recorded, n_fft) * np.conj(np.fft.rfft(expected, n_fft)), n_fft)
    start = int(np.argmax(cross[: len(recorded)]))
    part = recorded[start : start + len(expected)]
    expected = expected[: len(part)]
    return float(part @ expected / np.sqrt((part @ part) * (expected @ expected) + 1e-20))


class Daemon:
    """`edgetts run` as a process, with its own folders."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Mapping[str, Any]],
        env: Mapping[str, str],
        program: Sequence[str] = ("edge_tts",),
    ) -> None:
        self.folder = folder
        self._program = program
        self.port = free_port()
        self._env = {**os.environ, **env}
        document: dict[str, Any] = {
            "http": {"port": self.port},
            "cache": {"dir": str(folder / "cache")},
            "state": {"dir": str(folder / "state")},
        }
        for section, values in config.items():
            document[section] = {**document.get(section, {}), **values}
        self._config = folder / "config.yaml"
        self._config.write_text(yaml.safe_dump(document))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self) -> None:
        self.launch()
        wait_until(self._is_ready, 60)

    def launch(self) -> None:
        command = [sys.executable, "-m", *self._program, "run", "--config", str(self._config)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=self._env, stdout=log, stderr=log)

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"the daemon ended: {self.log}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> int:
        """SIGTERM and the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)


@contextmanager
def running_daemon(
    folder: Path,
    config: Mapping[str, Mapping[str, Any]],
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = ("edge_tts",),
) -> Iterator[Daemon]:
    daemon = Daemon(folder, config, env or {}, program)
    try:
        daemon.start()
        yield daemon
    finally:
        status = daemon.stop()
    assert status == 0, daemon.log
