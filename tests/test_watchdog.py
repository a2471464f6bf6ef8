from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edge_tts.watchdog import notify, watchdog_s

PROGRAM = """
import asyncio, time
from edge_tts.watchdog import watched

async def main():
    async with watched(lambda: {hung!r}, loop_deadline_s=3.0):
        await asyncio.sleep(0.1)
        {then}

asyncio.run(main())
"""


def ended(hung: str | None, then: str) -> subprocess.CompletedProcess[str]:
    """Of a process that is watched, and told every tenth of a second to give a sign of life."""
    command = [sys.executable, "-c", PROGRAM.format(hung=hung, then=then)]
    env = {**os.environ, "WATCHDOG_USEC": "200000"}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_a_loop_that_hangs_ends_the_process_and_says_where() -> None:
    process = ended(None, "time.sleep(50)")
    assert process.returncode == 1
    assert "Timeout" in process.stderr
    assert "line 8 in main" in process.stderr


def test_a_part_that_hangs_ends_the_process_and_says_which() -> None:
    process = ended("synth", "await asyncio.sleep(50)")
    assert process.returncode == 70
    assert "synth hangs" in process.stderr
    assert "most recent call first" in process.stderr


def test_all_well() -> None:
    # Longer than it may be without a sign of life.
    process = ended(None, "await asyncio.sleep(4)")
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize("is_abstract", [False, True])
async def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_abstract: bool) -> None:
    name = f"edge-tts-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name if is_abstract else name)
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name if is_abstract else name)
        notify("READY=1")
        assert await asyncio.to_thread(systemd.recv, 100) == b"READY=1"


def test_the_watchdog_of_another_process_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_s() == 30.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_s() == float("inf")
