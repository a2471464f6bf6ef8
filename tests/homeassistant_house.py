"""Home Assistant as a process of the test (tests/homeassistant_core.py), and what it shows."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_tts.config import Config
from edge_tts.door_config import HomeAssistantConfig
from edge_tts.doors.mqtt import Delays, open_door
from edge_tts.service import Service
from tests.house import wait_until
from tests.mosquitto import Mosquitto
from tests.phone import at
from tests.test_service import serving

ROOT = Path(__file__).parent.parent
QUICK = Delays(birth_s=0.0)
ANSWER_S = 50.0
"""It imports what a package names. Less than the minute after which a script of recipes/ gives up waiting."""


@asynccontextmanager
async def introduced(config: Config, delays: Delays = QUICK) -> AsyncIterator[Service]:
    """As started by systemd: it can be started again."""
    async with serving(config) as service:
        service.on_restart = asyncio.Event().set
        async with open_door(service, config, delays):
            yield service


def with_home(config: Config, broker: Mosquitto, **settings: Any) -> Config:
    return replace(at(config, broker.port), homeassistant=HomeAssistantConfig(**settings))


def homeassistant_python() -> str:
    """The interpreter that runs it; skips where it cannot be had."""
    built = subprocess.run([ROOT / "scripts/homeassistant"], capture_output=True, text=True, check=False)
    if built.returncode != 0:
        pytest.skip(f"scripts/homeassistant: {built.stderr.strip()}")
    return built.stdout.strip()


class HomeAssistant:
    """What it has told so far is in `states`, `attributes` and `warnings`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.states: dict[str, str | None] = {}
        """By entity id; None: removed."""

        self.history: defaultdict[str, list[str | None]] = defaultdict(list)
        """Each state it has had."""

        self.attributes: dict[str, dict[str, Any]] = {}
        self.warnings: list[str] = []
        self.answers: list[dict[str, Any]] = []
        self._process = process
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "entity" in told:
                self.attributes[told["entity"]] = told["attributes"]
                self.states[told["entity"]] = told["state"]
                self.history[told["entity"]].append(told["state"])
            elif "warning" in told:
                self.warnings.append(told["warning"])
            else:
                self.answers.append(told)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._listener.join()
        self._process.stdout.close()

    def entities(self) -> set[str]:
        return {name for name, state in dict(self.states).items() if state is not None}

    def ask(self, **asked: Any) -> dict[str, Any]:
        """The answer to what was asked."""
        n_before = len(self.answers)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        wait_until(lambda: len(self.answers) > n_before, ANSWER_S)
        answer = self.answers[n_before]
        assert "error" not in answer, answer
        return answer

    def call(self, action: str, entity_id: str, **data: Any) -> None:
        """Perform "button.press" or another on an entity."""
        self.ask(call=action, data={"entity_id": entity_id, **data})


@contextmanager
def running_homeassistant(folder: Path, port: int) -> Iterator[HomeAssistant]:
    """Connected to the broker at *port*."""
    core = Path(__file__).with_name("homeassistant_core.py")
    process = subprocess.Popen(
        [homeassistant_python(), core, folder, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    home = HomeAssistant(process)
    try:
        wait_until(lambda: {"ready": True} in home.answers, 180)
        yield home
    finally:
        home.close()
