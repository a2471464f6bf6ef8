"""/api/lexicon: the user's own pronunciations, shown and changed."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from edge_tts.doors import http_guard
from edge_tts.doors.base import json_object
from edge_tts.doors.fields import string
from edge_tts.errors import InvalidFieldError
from edge_tts.service import Service


class LexiconRoutes:
    def __init__(self, service: Service, body_s: float) -> None:
        """*body_s* is how long a body may take."""
        self._service = service
        self._body_s = body_s

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/lexicon", self._show), web.put("/api/lexicon", self._replace)]

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(asdict(await self._service.lexicon()))

    async def _replace(self, request: web.Request) -> web.Response:
        if not http_guard.check_media_type(request):
            raise http_guard.unsupported('expected JSON: {"text": "…", "version": "…"}')
        limit_bytes = self._service.config.http.max_body_bytes
        body = json_object(await http_guard.read_body(request, limit_bytes, self._body_s))
        for name, value in body.items():
            if name not in ("text", "version"):
                raise InvalidFieldError(name[:40], value, "only text and version")
            string(name, value)
        if "text" not in body:
            raise InvalidFieldError("text", None, "all of the lexicon, in YAML")
        return web.json_response(
            asdict(await self._service.replace_lexicon(body["text"], body.get("version")))
        )
