"""Nothing leaves this box, and nothing that identifies it is made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.house import Daemon, running_daemon, wait_until
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone
from tests.tiny_vits import build_piper

LOAD_A_GRAPH = """
import os, sys
from pathlib import Path
from edge_tts.models.session import open_session

open_session(next(Path(sys.argv[1]).glob("*/*.onnx")), None, 1)
libraries = {line.split()[-1] for line in open("/proc/self/maps") if "onnxruntime" in line}
assert libraries, "onnxruntime was not loaded"
"""


def test_onnxruntime_reports_to_nobody(tmp_path: Path) -> None:
    # Since 1.29 its Linux packages send models' names and hashes to Microsoft, with a device id that they keep
    # in ~/.cache. They spare machines that look like a build server, so that a test has to look like none.
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    voices = Path(__file__).parent.parent / "models_onnx"
    done = subprocess.run(
        [sys.executable, "-c", LOAD_A_GRAPH, str(voices)],
        check=False,
        env={**kept, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*")) == []


SECRET = "zyzzyva"
"""A word that nothing but a request knows."""

BODIES: Sequence[bytes] = [
    SECRET.encode(),
    b'{"text": "' + SECRET.encode(),
    SECRET.encode() + b"\xff\xfe",
    *(
        json.dumps(body).encode()
        for body in (
            {"text": f"The {SECRET} is done."},
            {"text": [SECRET]},
            {"text": f"<speak>{SECRET}", "format": "ssml"},
            {"text": f"<speak><say-as interpret-as='{SECRET}'>{SECRET}</say-as></speak>", "format": "ssml"},
            {"text": f"<phoneme alphabet='arpabet' ph='{SECRET}'>a</phoneme>", "format": "ssml"},
            {"text": f"[pause 99s] {SECRET}"},
            {"text": f"{SECRET} " * 4000},
            {"text": f"[[{SECRET}]] {SECRET}", "voice": "fragile"},
            {"text": SECRET, "voice": "damaged"},
            {"text": SECRET, "voice": "fragile", "style": SECRET, "emotion": SECRET},
            {"text": SECRET, "language": "xx"},
            {"text": SECRET, "reference": "nobody"},
            {"text": SECRET, "ttl_s": 0},
            {"text": SECRET, "at": SECRET, SECRET: SECRET},
            {"text": SECRET, "chime": "missing"},
        )
    ),
]
"""Said, and refused in every way there is."""


def answer(daemon: Daemon, path: str, body: bytes) -> Any:
    kind = "application/json" if body.startswith(b"{") else "text/plain"
    request = Request(f"{daemon.url}/api/{path}", body, {"Content-Type": kind})
    try:
        with urlopen(request, timeout=30) as said:
            return said.read()
    except HTTPError as error:
        return error.read()


@pytest.mark.broker
@pytest.mark.slow
def test_no_log_above_debug_shows_what_was_said(tmp_path: Path, broker: Mosquitto, phone: Phone) -> None:
    voices = tmp_path / "voices"
    voices.mkdir()
    build_piper(voices / "fragile.onnx", fragile=True)
    build_piper(voices / "damaged.onnx")
    (voices / "damaged.onnx").write_bytes(b"no graph")
    config: dict[str, dict[str, Any]] = {
        "voices": {"default": "hum", "folders": [str(voices)]},
        "audio": {"sink": "null"},
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}", "device": "kitchen"},
        "log": {"level": "info"},
    }
    with running_daemon(tmp_path, config) as daemon:
        wait_until(lambda: "online" in phone.payloads(f"{BASE}/status"))
        for body in BODIES:
            for path in ("explain", "tts", "say", "stop", "state"):
                answer(daemon, path, body)
            phone.publish(f"{BASE}/say", body)
            phone.publish(f"{BASE}/stop", body)
            phone.publish(f"{BASE}/volume/set", SECRET)
            phone.publish(f"{BASE}/voice/set", SECRET)
        phone.publish(f"{BASE}/say", json.dumps({"text": SECRET, "id": "last", "priority": "important"}))
        wait_until(
            lambda: [e for e in phone.events() if e.get("id") == "last" and e["event_type"] == "finished"]
        )
    for told in ("chime: ", "bad_markup", "voice=fragile failed once", "damaged"):
        assert told in daemon.log
    assert SECRET not in daemon.log.lower()
