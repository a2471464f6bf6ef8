"""What the doors call: requests in, events and sound out. (Interface first; the body follows.)

Runs on the event loop; everything here is called from it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from edge_tts.config import Config
from edge_tts.metrics import Metrics
from edge_tts.speech import JobEvent, Piece, SpeakRequest


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What the user set and what the box is doing; published retained by MQTT, shown by HTTP."""

    volume: int
    """0 to 100."""

    is_muted: bool
    voice: str
    speed: float
    is_paused: bool = False
    is_speaking: bool = False
    queue_length: int = 0
    has_audio_problem: bool = False


Update = JobEvent | DeviceState


@dataclass(frozen=True, slots=True)
class Receipt:
    job: str
    is_duplicate: bool
    """The id was seen inside the dedup window: nothing new will be spoken; `job` is the first one's."""


class Service:
    config: Config
    metrics: Metrics

    async def submit(self, request: SpeakRequest) -> Receipt:
        """Accept *request* for the loudspeaker. Raises RequestError or VoiceError; nothing is queued then."""
        raise NotImplementedError

    async def outcome(self, job: str) -> JobEvent:
        """Wait for the job's outcome; raises UnknownJobError."""
        raise NotImplementedError

    def job(self, job: str) -> JobEvent:
        """The job's latest event; raises UnknownJobError."""
        raise NotImplementedError

    def jobs(self) -> list[JobEvent]:
        """Latest event of each speaking, waiting and remembered job, oldest first."""
        raise NotImplementedError

    def stop(self, which: str | None = None) -> int:
        """End the speaking job and every waiting one, or just *which* (a job or request id). Returns how many
        ended; raises UnknownJobError if *which* names none."""
        raise NotImplementedError

    def skip(self) -> int:
        """End the speaking job; the next one begins. Returns 0 or 1."""
        raise NotImplementedError

    def clear(self) -> int:
        """Drop every waiting job; the speaking one goes on. Returns how many."""
        raise NotImplementedError

    def pause(self) -> None: ...
    def resume(self) -> None: ...

    async def repeat(self) -> Receipt:
        """Say the last spoken announcement again; raises UnknownJobError if there was none."""
        raise NotImplementedError

    def stream(self, request: SpeakRequest) -> AsyncIterator[Piece]:
        """Synthesize for a caller who wants the sound itself; use `async with aclosing(service.stream(r))`.
        Raises RequestError or VoiceError at the first piece."""
        raise NotImplementedError

    async def explain(self, request: SpeakRequest) -> dict[str, Any]:
        """JSON: voice, sentences (text, language, phonemes, duration_s), normalized, duration_s, warnings."""
        raise NotImplementedError

    async def voices(self) -> list[dict[str, Any]]:
        """JSON per installed voice: name, family, languages, speakers, emotions, sample_rate, is_loaded, licence,
        source, and error for those that cannot be loaded."""
        raise NotImplementedError

    @property
    def state(self) -> DeviceState:
        raise NotImplementedError

    def set_volume(self, volume: int) -> None: ...
    def set_muted(self, is_muted: bool) -> None: ...
    def set_speed(self, speed: float) -> None: ...

    def set_voice(self, voice: str) -> None:
        """Raises UnknownVoiceError."""

    def updates(self) -> AbstractContextManager[AsyncIterator[Update]]:
        """Every JobEvent and every change of DeviceState from now on: `with service.updates() as updates:
        async for update in updates`. A reader more than 1000 behind loses the oldest, counted in metrics."""
        raise NotImplementedError

    def health(self) -> dict[str, Any]:
        """JSON: is_live, is_ready and problems (list of {"code", "message"}); doors add theirs by
        `report_problem`."""
        raise NotImplementedError

    def report_problem(self, code: str, message: str | None) -> None:
        """Set or (None) clear a problem shown by `health`, "mqtt_disconnected" for example."""
