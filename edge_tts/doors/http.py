"""The HTTP door: routes to the service. The contract is openapi.json, the rules of who may call http_guard.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from edge_tts.config import Config
from edge_tts.door_config import HttpConfig
from edge_tts.doors import http_guard
from edge_tts.doors.base import (
    COMMANDS,
    chime_request,
    json_object,
    receipt_json,
    request_from_json,
    request_from_text,
)
from edge_tts.doors.fields import FIELDS, boolean, from_query, number, volume_percent
from edge_tts.doors.http_connections import Connections, Deadlines, Limits, tls_context
from edge_tts.doors.http_errors import errors_answered
from edge_tts.doors.http_events import send_events
from edge_tts.doors.http_lexicon import LexiconRoutes
from edge_tts.doors.http_page import PageRoutes
from edge_tts.doors.http_references import ReferenceRoutes
from edge_tts.doors.http_server import listening
from edge_tts.doors.http_sound import SoundRequest, send_sound, sound_format
from edge_tts.doors.openai import OpenAiRoutes, error_answer
from edge_tts.errors import InvalidFieldError
from edge_tts.service import Receipt, Service
from edge_tts.sound_files import FORMATS
from edge_tts.speech import JobEvent, SpeakRequest

DEADLINES = Deadlines()
SOURCE = "http"

MAX_TEXT_SHOWN = 200
"""Characters of an announcement in a list: enough to know which one it is."""


class HttpDoor:
    """The routes. Made by `open_door`."""

    def __init__(self, service: Service, config: HttpConfig, deadlines: Deadlines = DEADLINES) -> None:
        self._service = service
        self._config = config
        self._deadlines = deadlines
        self._closing = asyncio.Event()
        self._openapi = files("edge_tts.doors").joinpath("openapi.json").read_bytes()
        self.port = 0
        """Where it listens; another than configured if that was 0."""

    def routes(self) -> list[web.RouteDef]:
        return [
            *PageRoutes().routes(),
            web.post("/api/say", self._say),
            web.post("/api/tts", self._tts),
            web.post("/api/explain", self._explain),
            web.post("/api/chime", self._chime),
            web.get("/api/chimes", self._chimes),
            web.get("/api/voices", self._voices),
            web.get("/api/jobs", self._jobs),
            web.get("/api/jobs/{job}", self._job),
            web.delete("/api/jobs/{job}", self._end_job),
            *(web.post(f"/api/{name}", self._command(name)) for name in COMMANDS),
            *ReferenceRoutes(self._service).routes(),
            *OpenAiRoutes(self._service, self._config, self._deadlines).routes(),
            *LexiconRoutes(self._service, self._deadlines.body_s).routes(),
            web.get("/api/state", self._state),
            web.post("/api/state", self._set_state),
            web.get("/api/events", self._events, allow_head=False),
            web.get("/healthz", self._health),
            web.get("/readyz", self._readiness),
            web.get("/metrics", self._metrics),
            web.get("/openapi.json", self._contract),
        ]

    async def close(self, app: web.Application) -> None:
        """End the answers that would never end."""
        self._closing.set()

    # Speech

    async def _say(self, request: web.Request) -> web.Response:
        waits = _waits(request)
        spoken, warnings = self._counted(*await self._speak_request(request))
        return await self._accepted(await self._service.submit(spoken), warnings, waits)

    async def _chime(self, request: web.Request) -> web.Response:
        waits = _waits(request)
        wanted, warnings = self._counted(*chime_request(await self._optional_json(request), source=SOURCE))
        return await self._accepted(await self._service.chime(wanted), warnings, waits)

    async def _chimes(self, request: web.Request) -> web.Response:
        return web.json_response({"chimes": self._service.chimes})

    async def _accepted(self, receipt: Receipt, warnings: tuple[str, ...], waits: bool) -> web.Response:
        # A duplicate of something said so long ago that it is forgotten has no outcome to wait for.
        if waits and self._service.remembers(receipt.job):
            outcome = await self._service.outcome(receipt.job)
            return web.json_response(outcome.to_json() | {"duplicate": receipt.is_duplicate})
        return web.json_response(receipt_json(receipt, warnings), status=202)

    async def _tts(self, request: web.Request) -> web.StreamResponse:
        is_json = http_guard.check_media_type(request)
        body = await self._body(request)
        fields = json_object(body) if is_json else from_query(request.query)
        # One word, two meanings: "ssml" says what the text is, "mp3" what the sound shall be.
        named = fields.get("format")
        wanted = fields.pop("format") if isinstance(named, str) and named in FORMATS else None
        spoken, _ = self._counted(
            *(
                request_from_json(fields, source=SOURCE)
                if is_json
                else request_from_text(body, source=SOURCE, fields=fields)
            )
        )
        sound = SoundRequest(spoken, sound_format(request, wanted))
        return await send_sound(self._service, request, sound)

    async def _explain(self, request: web.Request) -> web.Response:
        spoken, warnings = self._counted(*await self._speak_request(request))
        explanation = await self._service.explain(spoken)
        return web.json_response(explanation | {"warnings": [*warnings, *explanation["warnings"]]})

    async def _voices(self, request: web.Request) -> web.Response:
        return web.json_response({"voices": await self._service.voices()})

    # Jobs and commands

    async def _jobs(self, request: web.Request) -> web.Response:
        return web.json_response({"jobs": [_shown(event) for event in self._service.jobs()]})

    async def _job(self, request: web.Request) -> web.Response:
        return web.json_response(_shown(self._service.job(request.match_info["job"])))

    async def _end_job(self, request: web.Request) -> web.Response:
        return web.json_response({"ended": self._service.stop(request.match_info["job"])})

    def _command(self, name: str) -> Handler:
        async def command(request: web.Request) -> web.Response:
            return web.json_response(await COMMANDS[name](self._service, await self._optional_json(request)))

        return command

    # State

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(asdict(self._service.state))

    async def _set_state(self, request: web.Request) -> web.Response:
        service = self._service
        settings: dict[str, tuple[Callable[[str, Any], Any], Callable[[Any], None]]] = {
            # First, as the only one that can still be refused when its value is read: all or nothing is set.
            "voice": (FIELDS["voice"], service.set_voice),
            "volume": (lambda name, value: round(volume_percent(name, value)), service.set_volume),
            "muted": (boolean, service.set_muted),
            "speed": (number(0.25, 4.0), service.set_speed),
        }
        body = await self._optional_json(request)
        for name in body:
            if name not in settings:
                raise InvalidFieldError(name[:40], body[name], f"only {', '.join(settings)} can be set")
        read = {name: parse(name, body[name]) for name, (parse, _) in settings.items() if name in body}
        for name, value in read.items():
            settings[name][1](value)
        return web.json_response(asdict(service.state))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await send_events(self._service, request, self._closing)

    # Health and contract

    async def _health(self, request: web.Request) -> web.Response:
        health = self._service.health()
        return web.json_response(health, status=200 if health["is_live"] else 503)

    async def _readiness(self, request: web.Request) -> web.Response:
        health = self._service.health()
        return web.json_response(health, status=200 if health["is_ready"] else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(
            body=self._service.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    async def _contract(self, request: web.Request) -> web.Response:
        return web.Response(body=self._openapi, content_type="application/json")

    # Bodies

    async def _body(self, request: web.Request) -> bytes:
        return await http_guard.read_body(request, self._config.max_body_bytes, self._deadlines.body_s)

    async def _speak_request(self, request: web.Request) -> tuple[SpeakRequest, tuple[str, ...]]:
        is_json = http_guard.check_media_type(request)
        body = await self._body(request)
        if is_json:
            return request_from_json(json_object(body), source=SOURCE)
        return request_from_text(body, source=SOURCE, fields=from_query(request.query))

    async def _optional_json(self, request: web.Request) -> Mapping[str, Any]:
        if not request.body_exists:
            return {}
        is_json = http_guard.check_media_type(request)
        body = await self._body(request)
        return json_object(body) if is_json and body else {}

    def _counted(
        self, request: SpeakRequest, warnings: tuple[str, ...]
    ) -> tuple[SpeakRequest, tuple[str, ...]]:
        for warning in warnings:
            self._service.metrics.warnings.labels(warning.split(":")[0]).inc()
        return request, warnings


def _waits(request: web.Request) -> bool:
    """Whether the caller wants the outcome."""
    waits = request.query.get("wait")
    if waits not in (None, "finished"):
        raise InvalidFieldError("wait", waits, "finished, or no such parameter")
    return waits is not None


def _shown(event: JobEvent) -> dict[str, object]:
    """The event with the beginning of its text, for who asks; events that are told to everybody have none."""
    text, limit = event.text, MAX_TEXT_SHOWN
    return event.to_json() | {"text": text if len(text) <= limit else text[: limit - 1] + "…"}


@asynccontextmanager
async def open_door(
    service: Service, config: Config, deadlines: Deadlines = DEADLINES
) -> AsyncIterator[HttpDoor | None]:
    """Listening inside the block; None if it is switched off. Raises ConfigError if it cannot listen."""
    settings = config.http
    if not settings.enabled:
        yield None
        return
    connections = Connections(Limits.of(settings), deadlines, tls_context(settings))
    door = HttpDoor(service, settings, deadlines)
    app = web.Application(
        # The outermost first.
        middlewares=[
            connections.busy(),
            errors_answered(service.metrics, SOURCE, error_answer, "/openapi.json lists them"),
            http_guard.access_guard(settings, http_guard.read_token(settings)),
        ],
        client_max_size=settings.max_body_bytes,
    )
    app.add_routes(door.routes())
    app.on_response_prepare.append(http_guard.finishing_touches(settings))
    app.on_shutdown.append(door.close)
    async with listening(
        app, SOURCE, settings.host, settings.port, connections, service.metrics
    ) as door.port:
        yield door
