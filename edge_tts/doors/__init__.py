"""The doors: one file per protocol and one line here. Entered means ready, leaving means gone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from edge_tts.config import Config
from edge_tts.doors.http import open_door as open_http
from edge_tts.doors.marytts import open_door as open_marytts
from edge_tts.doors.mqtt import open_door as open_mqtt
from edge_tts.doors.wyoming import open_door as open_wyoming
from edge_tts.service import Service

Door = Callable[[Service, Config], AbstractAsyncContextManager[object]]

DOORS: dict[str, Door] = {
    "http": open_http,
    "marytts": open_marytts,
    "mqtt": open_mqtt,
    "wyoming": open_wyoming,
}
