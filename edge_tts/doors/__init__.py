"""The doors: one file per protocol and one line here. Entered means ready, leaving means gone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from edge_tts.config import Config
from edge_tts.doors import http, mqtt
from edge_tts.service import Service

DOORS: dict[str, Callable[[Service, Config], AbstractAsyncContextManager[object]]] = {
    "http": http.open_door,
    "mqtt": mqtt.open_door,
}
