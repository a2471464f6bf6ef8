"""A Snapcast server of its own with music on, and a client whose loudspeaker is a file."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.house import free_port, wait_until

SAMPLE_RATE = 48000
MUSIC_HZ = 3000
MUSIC_LEVEL = 0.1
BUFFER_MS = 3000
"""A client drops what comes later than this, as it does on a busy machine."""

CONFIG = """
[server]
datadir = {folder}
[http]
enabled = false
[tcp]
bind_to_address = 127.0.0.1
port = {control_port}
[stream]
bind_to_address = 127.0.0.1
port = {port}
buffer = {buffer_ms}
source = file://{folder}/music.raw?name=music
source = tcp://127.0.0.1:{source_port}?name=edge_tts
source = pipe://{folder}/pipe?name=piped&mode=create
[logging]
sink = stdout
"""


class SnapServer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.control_port, self.source_port = free_port(), free_port(), free_port()
        seconds = np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE
        music = (MUSIC_LEVEL * 32767 * np.sin(2 * np.pi * MUSIC_HZ * seconds)).astype("<i2")
        (folder / "music.raw").write_bytes(music.repeat(2).tobytes())
        ports = {name: value for name, value in vars(self).items() if name.endswith("port")}
        (folder / "snapserver.conf").write_text(CONFIG.format(folder=folder, buffer_ms=BUFFER_MS, **ports))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Of `audio.snapcast`."""
        return {
            "source": f"tcp://127.0.0.1:{self.source_port}",
            "control": f"tcp://127.0.0.1:{self.control_port}",
            "buffer_ms": BUFFER_MS,
        }

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            command = ["snapserver", "-c", str(self.folder / "snapserver.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._answers)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.control_port)) == 0

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)

    def ask(self, method: str, **params: str) -> Any:
        request = {"id": 1, "jsonrpc": "2.0", "method": method, "params": params}
        with socket.create_connection(("127.0.0.1", self.control_port), 5) as connection:
            connection.sendall(json.dumps(request).encode() + b"\r\n")
            answers = (json.loads(line) for line in connection.makefile())
            return next(answer["result"] for answer in answers if answer.get("id") == 1)

    def streams_heard(self) -> list[str]:
        """By each group."""
        return [group["stream_id"] for group in self.ask("Server.GetStatus")["server"]["groups"]]

    @contextmanager
    def client(self, name: str) -> Iterator[Room]:
        """A room with a loudspeaker; comes back when music is heard in it."""
        # A daemon that ended in a hurry has not given them back.
        for group in self.ask("Server.GetStatus")["server"]["groups"]:
            self.ask("Group.SetStream", id=group["id"], stream_id="music")
        path = self.folder / f"{name}-{time.monotonic_ns()}.raw"
        command = ["snapclient", "-h", "127.0.0.1", "-p", str(self.port), "--hostID", name]
        command += ["--player", f"file:filename={path}", "--mixer", "none"]
        client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            room = Room(path)
            wait_until(lambda: path.exists() and len(room.samples) and np.any(room.samples[-4800:]))
            yield room
        finally:
            client.kill()
            client.wait(10)


class Room:
    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def samples(self) -> NDArray[np.float64]:
        """[n_samples] in [-1, 1], what was heard of this stream: a client begins a new file with each."""
        pcm = self._path.read_bytes()
        return np.frombuffer(pcm[: len(pcm) // 4 * 4], "<i2")[::2] / 32768.0
