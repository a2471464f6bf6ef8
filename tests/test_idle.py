"""Idle means asleep."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.household import Household, settled
from tests.house import running_daemon
from tests.mosquitto import Mosquitto

WINDOW_S = 8.0


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.parametrize("has_broker", [True, False])
def test_an_idle_daemon_sleeps(tmp_path: Path, broker: Mosquitto, has_broker: bool) -> None:
    """paho's thread looked at its clocks every second; the daemon may look at its own for the watchdog."""
    config = {
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}"} if has_broker else {},
        "audio": {"sink": "null"},
        "voices": {"default": "hum"},
    }
    with running_daemon(tmp_path, config) as daemon:
        house = Household(daemon, broker)
        settled(house)
        woken = house.wake_ups_per_s(WINDOW_S)
    assert max(woken.values(), default=0) * WINDOW_S <= WINDOW_S / 2, woken
