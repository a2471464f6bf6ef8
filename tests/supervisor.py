"""What systemd does for the daemon, and the clock for what that costs."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.house import Daemon, wait_until

UNIT = (Path(__file__).parent.parent / "systemd" / "edge-tts.service").read_text(encoding="utf-8")


def seconds_of(directive: str) -> float:
    """Of the unit."""
    found = re.search(rf"^{directive}=([0-9.]+)$", UNIT, re.MULTILINE)
    assert found, f"the unit has no {directive} in seconds"
    return float(found[1])


class Supervisor:
    """Starts the daemon again whenever it ends badly, as the unit says: Restart=on-failure after RestartSec."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._is_over = threading.Event()
        self.endings: list[tuple[float, int]] = []
        """Monotonic seconds and exit status."""

        self._thread = threading.Thread(target=self._watch, name="supervisor")
        daemon.start()
        self._thread.start()

    def _watch(self) -> None:
        while True:
            assert self._daemon.process is not None
            status = self._daemon.process.wait()
            if self._is_over.is_set() or status == 0:
                return
            self.endings.append((time.monotonic(), status))
            if self._is_over.wait(seconds_of("RestartSec")):
                return
            self._daemon.launch()

    def ending(self, number: int = 0, timeout_s: float = 30.0) -> tuple[float, int]:
        """When and how it ended for the *number*th time."""
        wait_until(lambda: len(self.endings) > number, timeout_s)
        return self.endings[number]

    def stop(self) -> None:
        self._is_over.set()
        assert self._daemon.process is not None
        self._daemon.process.terminate()
        self._thread.join(20)
        assert not self._thread.is_alive(), self._daemon.log


@contextmanager
def supervised(
    folder: Path, config: Mapping[str, Mapping[str, Any]], env: Mapping[str, str] | None = None
) -> Iterator[tuple[Daemon, Supervisor]]:
    daemon = Daemon(folder, config, env or {})
    supervisor = Supervisor(daemon)
    try:
        yield daemon, supervisor
    finally:
        supervisor.stop()
