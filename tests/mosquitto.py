"""A real Mosquitto, as a process of the test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.house import free_port, wait_until


class Mosquitto:
    """A broker on a free port of loopback; *settings* are further lines of mosquitto.conf."""

    def __init__(self, folder: Path, *settings: str, allow_anonymous: bool = True) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {str(allow_anonymous).lower()}",
            *settings,
        ]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        # Debian puts it where only root's PATH looks.
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [program, "-c", str(self._folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        wait_until(lambda: "running" in self.log)

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(60)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(60)
