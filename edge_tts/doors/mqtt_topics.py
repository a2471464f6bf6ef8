"""The topics: what each one that arrives does, and what is published when. docs/requests.md is for users."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from edge_tts import __version__
from edge_tts.config import Config
from edge_tts.doors.base import (
    COMMANDS,
    error_json,
    json_object,
    request_from_payload,
    request_from_text,
    which_job,
)
from edge_tts.doors.fields import number, volume_percent
from edge_tts.doors.mqtt_arrival import Arrival, Publish, number_of, on_off, short_text, switched_on
from edge_tts.doors.mqtt_chime import ChimeTopic
from edge_tts.errors import (
    BodyTooLargeError,
    KeptForRestartError,
    NotSupervisedError,
    RequestError,
    SpeechError,
    UnknownJobError,
)
from edge_tts.service import Receipt, Service, Update
from edge_tts.speech import JobEvent
from edge_tts.state import DeviceState

log = logging.getLogger(__name__)

SOURCE = "mqtt"
MAX_REPLIES = 1000
"""Callers who wait for an outcome on a topic of their own."""

USER_FIELDS = ("priority", "voice", "language")
"""User properties of MQTT 5 that are fields of the request."""


class Topics:
    """Between the topics of this box and the service."""

    is_news = False

    def __init__(self, service: Service, config: Config, publish: Publish) -> None:
        self._service = service
        self._config = config
        self._publish = publish
        self._base = f"{config.mqtt.base_topic}/{config.mqtt.device}"
        self.status = f"{self._base}/status"
        self.max_payload_bytes = config.mqtt.max_payload_bytes
        self._say_topics = {f"{self._base}/say", f"{config.mqtt.base_topic}/all/say"}
        self._commands = {f"{self._base}/{name}": name for name in COMMANDS}
        self._setters: dict[str, Callable[[str], None]] = {
            f"{self._base}/volume/set": self._set_volume,
            f"{self._base}/voice/set": service.set_voice,
            f"{self._base}/speed/set": self._set_speed,
            f"{self._base}/mute/set": self._set_mute,
            f"{self._base}/paused/set": self._set_paused,
            f"{self._base}/restart": self._restart,
        }
        self._chime = ChimeTopic(service, SOURCE)
        self._chime_topic = f"{self._base}/chime/set"
        self.subscriptions = sorted([*self._say_topics, *self._commands, *self._setters, self._chime_topic])
        self._sent: dict[str, str] = {}
        self._replies: set[asyncio.Task[None]] = set()

    def takes(self, topic: str) -> bool:
        return topic in self.subscriptions

    def is_text(self, arrival: Arrival) -> bool:
        return arrival.topic in self._say_topics

    async def obey(self, arrival: Arrival) -> None:
        """Do what *arrival* asks for; whatever is wrong with it becomes one event, and nothing else."""
        try:
            await self._obey(arrival)
        except SpeechError as error:
            self._refuse(arrival, error)
        except Exception:
            log.exception("unexpected error in a message on %s", arrival.topic)
            self._refuse(arrival, SpeechError("an unexpected error; see the log"))

    async def _obey(self, arrival: Arrival) -> None:
        if arrival.size_bytes > self.max_payload_bytes:
            raise BodyTooLargeError(arrival.size_bytes, self.max_payload_bytes, "mqtt.max_payload_bytes")
        if arrival.topic in self._say_topics:
            await self._say(arrival)
        elif arrival.topic in self._commands:
            # A button always sends something ("PRESS"): only an object is an argument.
            is_object = arrival.payload.lstrip().startswith(b"{")
            body = json_object(arrival.payload) if is_object else {}
            await COMMANDS[self._commands[arrival.topic]](self._service, body)
        elif arrival.topic == self._chime_topic:
            await self._chime.set(arrival)
        else:
            self._setters[arrival.topic](short_text(arrival.payload))

    async def _say(self, arrival: Arrival) -> None:
        fields: dict[str, Any] = {
            name: value for name, value in (arrival.user or {}).items() if name in USER_FIELDS
        }
        media_type = arrival.content_type.partition(";")[0].strip().lower()
        if media_type == "application/ssml+xml":
            fields["format"] = "ssml"
        is_text = media_type in ("text/plain", "application/ssml+xml")
        read = request_from_text if is_text else request_from_payload
        request, warnings = read(arrival.payload, source=SOURCE, fields=fields)
        for warning in warnings:
            self._service.metrics.warnings.labels(warning.split(":")[0]).inc()
        if arrival.expiry_s is not None:
            ttl_s = self._config.queue.ttl_s if request.ttl_s is None else request.ttl_s
            request = replace(request, ttl_s=min(ttl_s, arrival.expiry_s))
        receipt = await self._service.submit(request, arrival.mark)
        if arrival.response_topic is not None:
            self._reply_later(arrival, receipt)

    def _set_volume(self, value: str) -> None:
        self._service.set_volume(round(volume_percent("volume", number_of("volume", value))))

    def _set_speed(self, value: str) -> None:
        self._service.set_speed(number(0.25, 4.0)("speed", number_of("speed", value)))

    def _set_mute(self, value: str) -> None:
        self._service.set_muted(switched_on("mute", value))

    def _set_paused(self, value: str) -> None:
        if switched_on("paused", value):
            self._service.pause()
        else:
            self._service.resume()

    def _restart(self, value: str) -> None:
        if self._service.on_restart is None:
            raise NotSupervisedError
        self._service.on_restart()

    # Answers

    def _refuse(self, arrival: Arrival, error: SpeechError) -> None:
        log.info("mqtt: refused a message of %d bytes: %s", arrival.size_bytes, error.code)
        self._service.metrics.rejected.labels(SOURCE, error.code).inc()
        event = {"event_type": "failed", **error_json(error)}
        # The id in a command names another request, which has not failed.
        request_id = _id_of(arrival.payload) if arrival.topic in self._say_topics else None
        body = json.dumps(event if request_id is None else event | {"id": request_id})
        self._publish(f"{self._base}/event", body)
        self._reply(arrival, body)

    def _reply_later(self, arrival: Arrival, receipt: Receipt) -> None:
        if len(self._replies) >= MAX_REPLIES:
            self._service.metrics.warnings.labels("mqtt_unanswered").inc()
            return

        async def reply() -> None:
            try:
                outcome = await self._service.outcome(receipt.job)
            except UnknownJobError as error:  # a duplicate, and the first one is long forgotten
                self._refuse(arrival, error)
                return
            except KeptForRestartError as error:
                self._reply(arrival, json.dumps(self._service.job(receipt.job).to_json() | error_json(error)))
                return
            self._reply(arrival, json.dumps(outcome.to_json() | {"duplicate": receipt.is_duplicate}))

        task = asyncio.create_task(reply())
        self._replies.add(task)
        task.add_done_callback(self._replies.discard)

    def _reply(self, arrival: Arrival, body: str) -> None:
        topic = arrival.response_topic
        if topic is None:
            return
        # An answer must not be a command: a box would say an error's message, and we ourselves round and round.
        if topic.startswith((f"{self._config.mqtt.base_topic}/", "$")):
            self._service.metrics.warnings.labels("mqtt_bad_response_topic").inc()
            return
        try:
            self._publish(topic, body, correlation=arrival.correlation)
        except ValueError:  # wildcards, or nothing at all
            self._service.metrics.warnings.labels("mqtt_bad_response_topic").inc()

    async def close(self) -> None:
        for reply in self._replies:
            reply.cancel()
        await asyncio.gather(*self._replies, return_exceptions=True)

    # States

    def publish_states(self) -> None:
        self._sent.clear()
        self._publish_state(self._service.state)

    def publish_update(self, update: Update) -> int | None:
        if isinstance(update, DeviceState):
            self._publish_state(update)
            return None
        self._chime.note(update)
        self._publish_state(self._service.state)
        mid = self._publish(f"{self._base}/event", json.dumps(update.to_json()))
        if update.event_type.is_outcome:
            self._publish_last(update)
        return mid

    def _publish_last(self, event: JobEvent) -> None:
        body = {"first_audio_ms": None, "voice": None} | event.to_json() | {"text": event.text}
        self._publish(f"{self._base}/last", json.dumps(body), retain=True)

    def _publish_state(self, state: DeviceState) -> None:
        values = {
            "volume": str(state.volume),
            "voice": state.voice,
            "speed": f"{state.speed:g}",
            "mute": on_off(state.is_muted),
            "paused": on_off(state.is_paused),
            "speaking": on_off(state.is_speaking),
            "chime": on_off(self._chime.is_sounding),
            "queue": str(state.queue_length),
            "audio_problem": on_off(state.has_audio_problem),
            "quiet_hours": on_off(state.is_quiet),
            "update": json.dumps({"title": "edge_tts", "installed_version": __version__}),
        }
        for name, value in values.items():
            if self._sent.get(name) == value:
                continue
            # If too much waits for the broker, it is told with the next update.
            if self._publish(f"{self._base}/{name}", value, retain=True) is not None:
                self._sent[name] = value


def _id_of(payload: bytes) -> str | None:
    """The request id of a payload that was refused, so that its sender can tell which one it was."""
    try:
        return which_job(json_object(payload))
    except RequestError:
        return None
