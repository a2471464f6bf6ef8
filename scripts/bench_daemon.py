"""The daemon as its users meet it: a process that is started, asked over HTTP, and left alone."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from scripts.bench_engines import sentence

START_DEADLINE_S = 120.0
WAV_HEADER_BYTES = 44


class BenchedDaemon:
    def __init__(self, running: subprocess.Popen[bytes], port: int, ready_s: float) -> None:
        self._running = psutil.Process(running.pid)
        self._port = port
        self.ready_s = ready_s

    def first_sample_ms(self, text: str) -> float:
        """From sending the request to the first bytes of sound after the WAV header."""
        body = json.dumps({"text": text}).encode()
        head = (
            "POST /api/tts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start_s = time.perf_counter()
            connection.sendall(head.encode() + body)
            answer = b""
            first_ms = 0.0
            while received := connection.recv(65536):
                answer += received
                at = answer.find(b"RIFF")
                if not first_ms and at >= 0 and len(answer) > at + WAV_HEADER_BYTES + 32:
                    first_ms = (time.perf_counter() - start_s) * 1000
        if b" 200 " not in answer[:20]:
            raise RuntimeError(answer[:500])
        return first_ms

    def cpu_s(self) -> float:
        times = self._running.cpu_times()
        return float(times.user + times.system)

    def memory_mb(self, field: str) -> float:
        """VmRSS now or VmHWM at its peak."""
        status = Path(f"/proc/{self._running.pid}/status").read_text(encoding="utf-8")
        return int(status.split(f"{field}:")[1].split()[0]) / 1024


@contextmanager
def daemon(
    environment: Mapping[str, str], repository: Path, *, with_broker: bool = False, more: str = ""
) -> Iterator[BenchedDaemon]:
    """`edgetts run` of *repository* with the null sink, from its start to READY and on; by default with the bundled
    voice, *more* is further configuration."""
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        folder, port = Path(name), _free_port()
        mqtt = f"mqtt: {{url: embedded, embedded_port: {_free_port()}}}\n" if with_broker else ""
        config = folder / "config.yaml"
        config.write_text(
            f"http: {{port: {port}}}\naudio: {{sink: 'null'}}\n{mqtt}"
            f"cache: {{dir: {folder}/cache}}\nstate: {{dir: {folder}/state}}\n{more}",
            encoding="utf-8",
        )
        systemd.bind(str(folder / "notify"))
        systemd.settimeout(START_DEADLINE_S)
        start_s = time.perf_counter()
        with (folder / "log").open("wb") as log:
            running = subprocess.Popen(
                [sys.executable, "-m", "edge_tts", "run", "--config", str(config)],
                env={**environment, "NOTIFY_SOCKET": str(folder / "notify")},
                cwd=repository,
                stderr=log,
            )
        try:
            while b"READY=1" not in systemd.recv(100):
                pass
            yield BenchedDaemon(running, port, time.perf_counter() - start_s)
        except TimeoutError as error:
            raise RuntimeError(f"not ready: {(folder / 'log').read_text(encoding='utf-8')}") from error
        finally:
            running.terminate()
            running.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def measure_daemon(
    environment: Mapping[str, str], repository: Path, n_sentences: int, idle_s: float
) -> dict[str, float]:
    with daemon(environment, repository, with_broker=True) as running:
        figures = {"ready_broker_s": running.ready_s, "rss_broker_mb": running.memory_mb("VmRSS")}
    texts = [sentence(number) for number in range(n_sentences)]
    with daemon(environment, repository) as running:
        figures |= {"ready_s": running.ready_s, "start_cpu_s": running.cpu_s()}
        figures["cold_ms"] = running.first_sample_ms(sentence(98))
        before_s = running.cpu_s()
        figures["warm_ms"] = statistics.median(map(running.first_sample_ms, texts))
        figures["cpu_s"] = (running.cpu_s() - before_s) / n_sentences
        figures["cached_ms"] = statistics.median(map(running.first_sample_ms, texts))
        figures["rss_mb"] = running.memory_mb("VmRSS")
        figures["peak_rss_mb"] = running.memory_mb("VmHWM")
        before_s = running.cpu_s()
        time.sleep(idle_s)
        figures["idle_percent"] = (running.cpu_s() - before_s) / idle_s * 100
        running.first_sample_ms("洗衣机已经洗好了。")
        figures["chinese_mb"] = running.memory_mb("VmRSS") - figures["rss_mb"]
    return figures


def environment(package: Path) -> dict[str, str]:
    """This process's, with the daemon's package from *package*, and compiled as an installed one is."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(package)}
