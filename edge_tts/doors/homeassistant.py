"""Home Assistant is told, over MQTT, what this box can do: device discovery, retained and told again when it starts."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable
from pathlib import Path

from edge_tts.config import Config
from edge_tts.doors.homeassistant_device import config_topic, device_config
from edge_tts.doors.mqtt_arrival import Arrival, Publish
from edge_tts.service import Service, Update

log = logging.getLogger(__name__)


class HomeAssistant:
    """Also without `homeassistant.enabled`: then it takes back what an earlier run has told."""

    is_news = True
    max_payload_bytes = 64

    def __init__(
        self,
        service: Service,
        config: Config,
        publish: Publish,
        acknowledgement: Callable[[int], asyncio.Future[None]],
        tell_all: Callable[[], None],
        birth_s: float,
        queue_s: float,
    ) -> None:
        """*tell_all* publishes what every part has to tell, at most *birth_s* after a birth; the length of the queue is
        told every *queue_s*."""
        self._service = service
        self._config = config
        self._publish = publish
        self._acknowledgement = acknowledgement
        self._tell_all = tell_all
        self._birth_s = birth_s
        self._queue_s = queue_s
        self._is_enabled = config.homeassistant.enabled
        self._topic = config_topic(config)
        self._told = _Told(config.state.folder / "homeassistant.json")
        self._told_voices: list[str] = []
        self._queue_timer: asyncio.TimerHandle | None = None
        self._birth: asyncio.Task[None] | None = None
        self.subscriptions = [config.homeassistant.birth_topic] if self._is_enabled else []

    def takes(self, topic: str) -> bool:
        return topic in self.subscriptions

    def is_text(self, arrival: Arrival) -> bool:
        return False

    async def obey(self, arrival: Arrival) -> None:
        """Home Assistant has started. However often it says so, it is answered once at a time."""
        if arrival.payload == b"online" and (self._birth is None or self._birth.done()):
            self._birth = asyncio.create_task(self._answer_birth())

    async def _answer_birth(self) -> None:
        # Every box of the house was asked at once; and it says so while it is still busy with what it knew before.
        await asyncio.sleep(self._birth_s * random.uniform(0.5, 1.0))
        await self._service.voices()  # looks for new ones
        self._tell_all()

    def publish_states(self) -> None:
        for topic in self._told.topics:
            if topic != self._topic or not self._is_enabled:
                self._take_back(topic)
        if self._is_enabled:
            self._publish_device()
            self._keep_queue_known()

    def publish_update(self, update: Update) -> int | None:
        if self._is_enabled and sorted(self._service.installed) != self._told_voices:
            self._publish_device()
        return None

    def _publish_device(self) -> None:
        # Noted before: what is published and forgotten would stay there for ever.
        self._told.add(self._topic)
        self._told_voices = sorted(self._service.installed)
        device = device_config(
            self._config,
            voices=self._told_voices,
            tones=self._service.chimes,
            can_restart=self._service.on_restart is not None,
        )
        self._publish(self._topic, json.dumps(device), retain=True)

    def _take_back(self, topic: str) -> None:
        """From a broker that may have it; kept in mind until that is known to have let it go."""
        mid = self._publish(topic, "", retain=True)
        if mid is not None:
            acknowledgement = self._acknowledgement(mid)
            acknowledgement.add_done_callback(
                lambda done: None if done.cancelled() else self._told.remove(topic)
            )

    def _keep_queue_known(self) -> None:
        """Tell the length of the queue before Home Assistant takes it for unknown, while there is a connection."""
        if self._queue_timer:
            self._queue_timer.cancel()
        mqtt = self._config.mqtt
        topic = f"{mqtt.base_topic}/{mqtt.device}/queue"

        def tell() -> None:
            if self._publish(topic, str(self._service.state.queue_length), retain=True) is not None:
                self._keep_queue_known()

        self._queue_timer = asyncio.get_running_loop().call_later(self._queue_s, tell)

    async def close(self) -> None:
        if self._queue_timer:
            self._queue_timer.cancel()
        if self._birth:
            self._birth.cancel()
            await asyncio.wait({self._birth})


class _Told:
    """The topics at which this box is retained, in a small file: its name may be another one by the next start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.topics: list[str] = []
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(kept, list) or not all(str(topic).endswith("/config") for topic in kept):
                raise ValueError("no list of topics")
            self.topics = [str(topic) for topic in kept]
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning("homeassistant: %s cannot be used: %s", path, error)

    def add(self, topic: str) -> None:
        if topic not in self.topics:
            self.topics = [*self.topics, topic]
            self._write()

    def remove(self, topic: str) -> None:
        if topic in self.topics:
            self.topics = [each for each in self.topics if each != topic]
            self._write()

    def _write(self) -> None:
        partial = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(self.topics), encoding="utf-8")
            partial.replace(self._path)
        except OSError as error:
            log.warning("homeassistant: cannot be kept: %s", error)
