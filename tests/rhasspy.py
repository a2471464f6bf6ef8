"""Rhasspy's own library of messages. It wants an older paho-mqtt than ours, so it lies in a folder of its own."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

REQUIREMENTS = (
    "rhasspy-hermes==0.6.2",
    "dataclasses-json==0.6.7",
    "marshmallow==3.26.1",
    "typing-inspect==0.9.0",
    "mypy-extensions==1.1.0",
    "packaging==25.0",
)
FOLDER = Path(__file__).parent.parent / "build" / "rhasspy"
STAMP = FOLDER / ".ready"


def _install() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Tests run two at a time, and every process of theirs reads this file first.
    with (FOLDER.parent / "rhasspy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install_alone()


def _install_alone() -> None:
    if STAMP.exists() and STAMP.read_text() == repr(REQUIREMENTS):
        return
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps"]
    options = ["--upgrade", "--target", str(FOLDER), *REQUIREMENTS]
    done = subprocess.run([*pip, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"rhasspy-hermes cannot be had: {done.stderr.strip()}", allow_module_level=True)
    STAMP.write_text(repr(REQUIREMENTS))


_install()
sys.path.append(str(FOLDER))
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # audioop leaves Python
    from rhasspyhermes import audioserver, base, tts

__all__ = ["audioserver", "base", "tts"]
