"""A real browser without a window, for the page."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.house import Daemon

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
]  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's. Its microphone is a beep."""
    path = shutil.which("chromium")
    assert path, "chromium is missing; scripts/setup --test installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def post(daemon: Daemon, path: str, **body: Any) -> Any:
    request = urllib.request.Request(
        daemon.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def state(daemon: Daemon) -> Any:
    with urllib.request.urlopen(f"{daemon.url}/api/state") as answer:
        return json.load(answer)
