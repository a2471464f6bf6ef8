"""A daemon with five voices and a broker of its own, as processes, and what they use of the machine."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from edge_tts.config import BUNDLED_VOICES
from scripts.crowd import DEVICE
from tests.house import Daemon, wait_until
from tests.mosquitto import Mosquitto
from tests.tiny_vits import build_piper

VOICES = ("kathleen-kerstin-yuetan", "hum", "small", "crowd", "medium")
"""The bundled one, the sine, two of Piper's shape in small (the second has speakers), one of Piper's medium size."""

SETTLING_S = 8.0
"""After it the sound device is closed and what was freed is given back."""


@dataclass(frozen=True)
class Household:
    daemon: Daemon
    broker: Mosquitto

    @property
    def pid(self) -> int:
        assert self.daemon.process is not None
        return self.daemon.process.pid

    def sample(self) -> Sample:
        process = Path(f"/proc/{self.pid}")
        memory = (process / "smaps_rollup").read_text(encoding="utf-8")
        return Sample(
            time.monotonic(),
            _kilobytes(memory, "Rss") / 1024,
            _kilobytes(memory, "Pss") / 1024,
            len(os.listdir(process / "task")),
            len(os.listdir(process / "fd")),
            _megabytes(self.daemon.folder / "cache"),
            _megabytes(self.daemon.folder / "state"),
            self._queue_length(),
        )

    def _queue_length(self) -> int:
        return int(json.loads(_asked(self.daemon, "/api/state"))["queue_length"])

    def is_connected(self) -> bool:
        return "mqtt_disconnected" not in _asked(self.daemon, "/healthz")

    def peak_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return _kilobytes(status, "VmHWM") / 1024

    def wake_ups(self) -> dict[str, int]:
        """Times that each thread went to sleep by itself since it began, by its name and number."""
        found = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                status = (task / "status").read_text(encoding="utf-8")
            except (FileNotFoundError, ProcessLookupError):  # it has ended since it was listed
                continue
            name = status.split("Name:")[1].split("\n")[0].strip()
            found[f"{name} {task.name}"] = int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
        return found

    def wake_ups_per_s(self, seconds: float) -> dict[str, float]:
        """Of each thread that woke while nobody asked for anything."""
        before = self.wake_ups()
        time.sleep(seconds)
        after = self.wake_ups()
        woken = {name: (count - before.get(name, 0)) / seconds for name, count in after.items()}
        return {name: rate for name, rate in woken.items() if rate}


@dataclass(frozen=True, slots=True)
class Sample:
    monotonic_s: float
    rss_mb: float
    pss_mb: float
    n_threads: int
    n_files: int
    """File descriptors."""

    cache_mb: float
    """On the disk, as is the next."""

    journal_mb: float
    queue_length: int


def settled(house: Household) -> None:
    """Wait until nothing is done any more that belongs to the start or to the last announcement."""
    wait_until(house.is_connected, 60)
    time.sleep(SETTLING_S)


def _asked(daemon: Daemon, path: str) -> str:
    with urlopen(daemon.url + path, timeout=30) as answer:
        return str(answer.read().decode())


def _kilobytes(text: str, name: str) -> int:
    return int(text.split(f"{name}:")[1].split(maxsplit=1)[0])


def _megabytes(folder: Path) -> float:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # gone between the two looks
            continue
    return total / (1 << 20)


@contextmanager
def running(
    folder: Path, config: Mapping[str, Mapping[str, Any]], medium: Path | None
) -> Iterator[Household]:
    """Started in *folder*; *medium* is a Piper voice to use in place of one made on the spot."""
    voices = folder / "voices"
    voices.mkdir()
    build_piper(voices / "small.onnx")
    build_piper(voices / "crowd.onnx", n_speakers=4)
    if medium:
        (voices / "medium.onnx").symlink_to(medium.resolve())
        (voices / "medium.onnx.json").symlink_to(f"{medium.resolve()}.json")
    else:
        build_piper(voices / "medium.onnx", "medium")
    (folder / "broker").mkdir()
    broker = Mosquitto(folder / "broker", "max_queued_messages 0")
    broker.start()
    settings: dict[str, dict[str, Any]] = {
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}", "device": DEVICE},
        "voices": {"folders": [str(BUNDLED_VOICES), str(voices)]},
    }
    for section, values in config.items():
        settings[section] = {**settings.get(section, {}), **values}
    daemon = Daemon(folder, settings, {})
    try:
        daemon.start()
        house = Household(daemon, broker)
        wait_until(house.is_connected, 60)
        yield house
        if daemon.stop():
            raise RuntimeError(f"the daemon ended badly:\n{daemon.log[-2000:]}")
    finally:
        if daemon.process and daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait(10)
        broker.stop()
