"""GET /: the page, for browsers. Programs that come here are told where the contract is."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from importlib.resources import files

from aiohttp import hdrs, web

from edge_tts import __version__


class PageRoutes:
    """One file that needs no other, so no other source is allowed to it."""

    def __init__(self) -> None:
        self._page = files("edge_tts.doors").joinpath("page.html").read_bytes()
        self._packed = gzip.compress(self._page, mtime=0)
        self._headers = {
            hdrs.CONTENT_TYPE: "text/html; charset=utf-8",
            hdrs.VARY: "Accept, Accept-Encoding",
            "Content-Security-Policy": content_policy(self._page),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
        }

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/", self._root)]

    async def _root(self, request: web.Request) -> web.Response:
        if "text/html" not in request.headers.get(hdrs.ACCEPT, ""):
            about = {
                "name": "edge_tts",
                "version": __version__,
                "contract": "/openapi.json",
                "say": "POST /api/say",
            }
            return web.json_response(about, headers={hdrs.VARY: "Accept"})
        if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            return web.Response(body=self._packed, headers={**self._headers, hdrs.CONTENT_ENCODING: "gzip"})
        return web.Response(body=self._page, headers=self._headers)


def content_policy(page: bytes) -> str:
    """Nothing but the scripts and styles in *page* itself, calls of this box, and sound made of their answers."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hashes(page, 'script')}",
            f"style-src {_hashes(page, 'style')}",
            "connect-src 'self'",
            "media-src blob:",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _hashes(page: bytes, element: str) -> str:
    contents = re.findall(rf"<{element}>(.*?)</{element}>".encode(), page, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(content).digest()).decode() for content in contents)
    return " ".join(f"'sha256-{digest}'" for digest in digests)
