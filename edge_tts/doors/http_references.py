"""/api/references: clips of people, for voices that imitate one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aiohttp import web

from edge_tts.doors import http_guard
from edge_tts.doors.http_errors import HttpError
from edge_tts.errors import InvalidFieldError
from edge_tts.service import Service
from edge_tts.speech import Reference

MAX_CLIP_BYTES = 12 << 20
"""30 s in stereo at 48 kHz and 32 bits."""

CLIP_DEADLINE_S = 30.0
FIELDS = ("text", "emotion", "language")


class ReferenceRoutes:
    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/references", self._list),
            web.post("/api/references/{name}", self._enrol),
            web.delete("/api/references/{name}", self._forget),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"references": [_shown(clip) for clip in await self._service.references()]})

    async def _enrol(self, request: web.Request) -> web.Response:
        # No web page may send this type without asking first.
        if not request.content_type.startswith("audio/"):
            raise HttpError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                f"expected the clip as Content-Type: audio/wav (flac, mpeg, ogg), found {request.content_type}",
            )
        unknown = sorted(set(request.query) - set(FIELDS))
        if unknown:
            raise InvalidFieldError(unknown[0], request.query[unknown[0]], f"one of {', '.join(FIELDS)}")
        limited = request.clone(client_max_size=MAX_CLIP_BYTES)
        clip = await http_guard.read_body(limited, MAX_CLIP_BYTES, CLIP_DEADLINE_S, "for a clip")
        kept = await self._service.enrol(
            request.match_info["name"], clip, request.query.get("text", ""),
            request.query.get("language"), request.query.get("emotion"),
        )  # fmt: skip
        return web.json_response(_shown(kept), status=201)

    async def _forget(self, request: web.Request) -> web.Response:
        return web.json_response({"removed": await self._service.forget(request.match_info["name"])})


def _shown(clip: Reference) -> dict[str, Any]:
    return {
        "name": clip.name,
        "emotion": clip.emotion or "neutral",
        "language": clip.language,
        "text": clip.text,
        "sha256": clip.sha256,
    }
