"""The topic that plays a chime without speech, in our words or in those of a siren of Home Assistant."""

from __future__ import annotations

from typing import Any

from edge_tts.doors.base import chime_request, json_object
from edge_tts.doors.fields import number
from edge_tts.doors.mqtt_arrival import Arrival, short_text, switched_on
from edge_tts.service import Service
from edge_tts.speech import EventType, JobEvent


class ChimeTopic:
    def __init__(self, service: Service, source: str) -> None:
        self._service = service
        self._source = source
        self._jobs: dict[str, bool] = {}
        """Ours → whether it sounds."""

    @property
    def is_sounding(self) -> bool:
        return any(self._jobs.values())

    async def set(self, arrival: Arrival) -> None:
        """Play a chime, or end those that play and wait. Raises RequestError."""
        body = chime_fields(arrival.payload)
        if not switched_on("state", str(body.pop("state", "ON"))):
            for job in list(self._jobs):
                self._service.stop(job)
            return
        request, warnings = chime_request(body, source=self._source)
        for warning in warnings:
            self._service.metrics.warnings.labels(warning.split(":")[0]).inc()
        receipt = await self._service.chime(request, arrival.mark)
        if not receipt.is_duplicate:
            self._jobs[receipt.job] = False

    def note(self, event: JobEvent) -> None:
        """What has become of a job, which may be a chime of ours."""
        if event.job not in self._jobs:
            return
        if event.event_type.is_outcome:
            del self._jobs[event.job]
        elif event.event_type is EventType.STARTED:
            self._jobs[event.job] = True


def chime_fields(payload: bytes) -> dict[str, Any]:
    """An object, a switch or the name of a chime, as fields of `chime_request` and "state". Raises RequestError."""
    text = short_text(payload)
    if not text.startswith("{"):
        return {"state": text} if text.upper() in ("ON", "OFF") else {"name": text or None}
    body = json_object(payload)
    if "tone" in body:
        body["name"] = body.pop("tone")
    if "volume_level" in body:
        # A whole number: 0.7 percent would be taken for a scale.
        body["volume"] = round(100 * number(0, 1)("volume_level", body.pop("volume_level")))
    return body
