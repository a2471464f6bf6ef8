"""Rhasspy's protocol, Hermes: text and sounds come over MQTT, and it is told when they have been heard.

What was asked comes back with the outcome (`SpeakRequest.context`), so that Rhasspy is told over a restart too.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from edge_tts.config import Config
from edge_tts.doors.base import json_object, request_from_json
from edge_tts.doors.fields import FIELDS, number
from edge_tts.doors.mqtt_arrival import Arrival, Publish
from edge_tts.errors import BodyTooLargeError, SpeechError
from edge_tts.given_sound import sound_of_file
from edge_tts.service import Service, Update
from edge_tts.speech import EventType, JobEvent, SpeakRequest

log = logging.getLogger(__name__)

SOURCE = "hermes"
MAX_SOUND_BYTES = 8 << 20
"""Of a playBytes message, which comes whole."""

NOT_SAID = {EventType.FAILED, EventType.EXPIRED, EventType.SUPERSEDED}
"""Outcomes that are an error for Rhasspy; the others are as somebody here wanted it."""

SAY = "hermes/tts/say"
PLAY = "playBytes"

Body = dict[str, Any]


class Hermes:
    is_news = False

    def __init__(self, service: Service, config: Config, publish: Publish) -> None:
        self._service = service
        self._config = config
        self._publish = publish
        self._sites = config.hermes.site_ids
        self._reading = asyncio.Semaphore(1)
        self.max_payload_bytes = max(MAX_SOUND_BYTES, config.mqtt.max_payload_bytes)
        self._commands: dict[str, Callable[[Body], Awaitable[None] | None]] = {
            "hermes/audioServer/toggleOff": lambda body: service.set_muted(True),
            "hermes/audioServer/toggleOn": lambda body: service.set_muted(False),
            "rhasspy/audioServer/setVolume": self._set_volume,
            "rhasspy/audioServer/getDevices": self._tell_devices,
            "rhasspy/tts/getVoices": self._tell_voices,
        }
        sounds = [f"hermes/audioServer/{site}/{PLAY}/+" for site in self._sites or ("+",)]
        self.subscriptions = sorted([SAY, *self._commands, *sounds])

    def takes(self, topic: str) -> bool:
        return topic == SAY or topic in self._commands or _is_sound(topic)

    def is_text(self, arrival: Arrival) -> bool:
        return arrival.topic == SAY or _is_sound(arrival.topic)

    async def obey(self, arrival: Arrival) -> None:
        """What is wrong with it becomes an error message of Hermes, and nothing else."""
        asked: Body = {"siteId": (self._sites or ("default",))[0]}
        try:
            if _is_sound(arrival.topic):
                asked["isSound"] = True
                asked = _asked_by_topic(arrival.topic)
                await self._play(arrival, asked)
                return
            _check_size(arrival, self._config.mqtt.max_payload_bytes, "mqtt.max_payload_bytes")
            body = json_object(arrival.payload)
            if self._sites and site_of(body) not in self._sites:
                self._service.metrics.mqtt_ignored.labels("other_site").inc()
                return
            asked["siteId"] = site_of(body)
            asked = asked_in(body)
            if arrival.topic == SAY:
                await self._service.submit(said(body, asked), arrival.mark)
            elif (answer := self._commands[arrival.topic](body)) is not None:
                await answer
        except SpeechError as error:
            self._refuse(arrival, asked, error)
        except Exception:
            log.exception("unexpected error in a message on %s", arrival.topic)
            self._refuse(arrival, asked, SpeechError("an unexpected error; see the log"))

    async def _play(self, arrival: Arrival, asked: Body) -> None:
        _check_size(arrival, MAX_SOUND_BYTES, "of a sound")
        request = SpeakRequest("", source=SOURCE, context=json.dumps(asked))
        # One at a time: of many that come at once few may wait, but all would be in memory.
        async with self._reading:
            sound = await asyncio.to_thread(sound_of_file, arrival.payload)
            await self._service.submit(request, arrival.mark, sound)

    def _set_volume(self, body: Body) -> None:
        self._service.set_volume(round(100 * number(0, 1)("volume", body.get("volume"))))

    async def _tell_voices(self, body: Body) -> None:
        voices = [
            {"voiceId": voice["name"], "description": f"{', '.join(voice['languages'])} ({voice['family']})"}
            for voice in await self._service.voices()
            if "error" not in voice
        ]
        asked = asked_in(body)
        self._tell("rhasspy/tts/voices", voices=voices, id=asked["id"], siteId=asked["siteId"])

    def _tell_devices(self, body: Body) -> None:
        asked = asked_in(body)
        device = {
            "mode": "output",
            "id": self._config.audio.device or "default",
            "name": self._config.audio.sink,
            "description": self._config.audio.device or "the system's default",
            "working": not self._service.state.has_audio_problem,
        }
        modes = body.get("modes")
        is_asked = not isinstance(modes, list) or not modes or "output" in modes
        devices = [device] if is_asked else []
        self._tell("rhasspy/audioServer/devices", devices=devices, id=asked["id"], siteId=asked["siteId"])

    # Answers

    def publish_states(self) -> None:
        """Hermes has none."""

    def publish_update(self, update: Update) -> int | None:
        if not isinstance(update, JobEvent) or update.source != SOURCE or not update.event_type.is_outcome:
            return None
        asked = json.loads(update.context)
        if update.event_type in NOT_SAID:
            self._tell_error(asked, update.message or str(update.event_type))
        return self._tell_end(asked)

    def _refuse(self, arrival: Arrival, asked: Body, error: SpeechError) -> None:
        log.info("hermes: refused a message of %d bytes: %s", arrival.size_bytes, error.code)
        self._service.metrics.rejected.labels(SOURCE, error.code).inc()
        self._tell_error(asked, str(error))
        if self.is_text(arrival):
            # Whoever waits for the end of it must not wait for ever.
            self._tell_end(asked)

    def _tell_error(self, asked: Body, message: str) -> None:
        topic = "hermes/error/audioServer/play" if asked.get("isSound") else "hermes/error/tts"
        self._tell(
            topic,
            error=message,
            siteId=asked["siteId"],
            context=asked.get("id"),
            sessionId=asked.get("sessionId"),
        )

    def _tell_end(self, asked: Body) -> int | None:
        ended = {"id": asked.get("id"), "sessionId": asked.get("sessionId")}
        if asked.get("isSound"):
            return self._tell(f"hermes/audioServer/{asked['siteId']}/playFinished", **ended)
        return self._tell("hermes/tts/sayFinished", siteId=asked["siteId"], **ended)

    def _tell(self, topic: str, **body: Any) -> int | None:
        return self._publish(topic, json.dumps(body))

    async def close(self) -> None: ...


def said(body: Body, asked: Body) -> SpeakRequest:
    """What a "say" wants; raises RequestError."""
    request, _ = request_from_json({"text": body.get("text"), "language": body.get("lang")}, source=SOURCE)
    volume = None if body.get("volume") is None else number(0, 1)("volume", body["volume"]) * 100
    return replace(request, volume=volume, context=json.dumps(asked))


def _check_size(arrival: Arrival, limit_bytes: int, which: str) -> None:
    if arrival.size_bytes > limit_bytes:
        raise BodyTooLargeError(arrival.size_bytes, limit_bytes, which)


def _is_sound(topic: str) -> bool:
    levels = topic.split("/")
    return len(levels) == 5 and levels[:2] == ["hermes", "audioServer"] and levels[3] == PLAY


def site_of(body: Body) -> str:
    """Raises InvalidFieldError."""
    return "default" if body.get("siteId") is None else str(FIELDS["id"]("siteId", body["siteId"]))


def asked_in(body: Body) -> Body:
    """Whose answer it is; raises InvalidFieldError."""
    names = {name: body.get(name) for name in ("id", "sessionId")}
    checked = {
        name: None if value is None else str(FIELDS["id"](name, value)) for name, value in names.items()
    }
    return {"siteId": site_of(body), **checked}


def _asked_by_topic(topic: str) -> Body:
    """Raises InvalidFieldError: with a site of 65,000 characters the topic of the answer would be none."""
    _, _, site, _, request_id = topic.split("/")
    return {**asked_in({"siteId": site, "id": request_id, "sessionId": request_id}), "isSound": True}
