"""Who may call, and how much: hosts, origins, token, body. aiohttp itself answers any Host."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from edge_tts.door_config import HttpConfig
from edge_tts.doors.http_errors import BAD_HTTP, HttpError
from edge_tts.errors import BodyTooLargeError, ConfigError

OPEN_PATHS = {"/", "/healthz", "/readyz"}
"""Need no token: the page asks for it, what watches the box has none."""

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d+)?", re.ASCII)


def read_token(config: HttpConfig) -> str | None:
    """The token from the configuration or its file; raises ConfigError."""
    if config.token_file is None:
        return config.token
    try:
        token = config.token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"http.token_file: {config.token_file} cannot be read: {error}") from error
    if not token:
        raise ConfigError(f"http.token_file: {config.token_file} is empty; put the token into it")
    return token


def access_guard(config: HttpConfig, token: str | None) -> Middleware:
    """Refuses callers who call us by a foreign name, from a foreign page or without the token."""
    hosts = {"localhost", *(name.lower().rstrip(".") for name in config.allowed_hosts)}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        _check_host(request, hosts)
        _check_origin(request, config.cors_origins)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return _preflight(request)
        if request.path not in OPEN_PATHS:
            _check_token(request, token)
        for header, plain in (("Content-Encoding", "identity"), ("Transfer-Encoding", "chunked")):
            if request.headers.get(header, plain).lower() != plain:
                # A few kilobytes of gzip can be gigabytes of text.
                raise unsupported(f"{header} other than {plain} is not taken; send the body as it is")
        return await handler(request)

    return middleware


def _check_host(request: web.Request, hosts: set[str]) -> None:
    """DNS rebinding: a page may make its own name point to this box, but cannot change the name it calls."""
    match = _HOST.fullmatch(request.headers.get("Host", ""))
    name = match["name"].lower().strip("[]") if match else ""
    if name.rstrip(".") in hosts or _is_address(name):
        return
    raise HttpError(
        HTTPStatus.MISDIRECTED_REQUEST,
        "host_not_allowed",
        f"this box is not called {name!r}; use localhost or its IP address, or add the name to http.allowed_hosts",
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_origin(request: web.Request, allowed: tuple[str, ...]) -> None:
    origin = request.headers.get("Origin")
    if origin is None or _is_configured(origin, allowed):
        return
    if origin.partition("://")[2].lower() != request.headers.get("Host", "").lower():
        raise HttpError(
            HTTPStatus.FORBIDDEN,
            "origin_not_allowed",
            f"pages of {origin} may not call; add it to http.cors_origins if they should",
        )


def _is_configured(origin: str, allowed: tuple[str, ...]) -> bool:
    return "*" in allowed or origin in allowed


def _preflight(request: web.Request) -> web.Response:
    return web.Response(
        status=HTTPStatus.NO_CONTENT,
        headers={
            "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": "600",
        },
    )


def _check_token(request: web.Request, token: str | None) -> None:
    if token is None:
        return
    given = request.headers.get("Authorization", "")
    # Bytes: compare_digest refuses text that is not ASCII, which a header may be.
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), f"Bearer {token}".encode()):
        raise HttpError(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            "needs the header `Authorization: Bearer <token>` with the token of http.token",
            {"WWW-Authenticate": "Bearer"},
        )


def finishing_touches(config: HttpConfig) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Headers of every response, streamed ones included (a signal: middlewares see those too late)."""

    async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        origin = request.headers.get("Origin")
        if origin is not None and _is_configured(origin, config.cors_origins):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = (
                "X-Voice, X-Sample-Rate, X-Warning, Retry-After"
            )
            response.headers["Vary"] = "Origin"

    return on_prepare


def unsupported(message: str) -> HttpError:
    return HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)


def check_media_type(request: web.Request) -> bool:
    """Whether the body is JSON (True) or plain text (False); raises for any other.

    A web page may post text/plain and forms anywhere without asking, and always says where it comes from (Origin):
    so forms are never taken and plain text only from programs.
    """
    if request.content_type == "application/json":
        return True
    if request.content_type == "text/plain" and "Origin" not in request.headers:
        if (request.charset or "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
            raise unsupported(f"text must be UTF-8, not {request.charset}")
        return False
    raise unsupported(
        f"expected Content-Type: application/json, or text/plain (not from web pages), found {request.content_type}"
    )


async def read_body(
    request: web.Request, limit_bytes: int, deadline_s: float, limit: str = "http.max_body_bytes"
) -> bytes:
    """All of the body, if it is small and comes soon; *limit* is what to call the limit."""
    if (request.content_length or 0) > limit_bytes:
        raise BodyTooLargeError(request.content_length, limit_bytes, limit)
    try:
        async with asyncio.timeout(deadline_s):
            return await request.read()
    except TimeoutError as error:
        raise HttpError(
            HTTPStatus.REQUEST_TIMEOUT,
            "body_too_slow",
            f"the body took more than {deadline_s:g} s",
            {"Connection": "close"},
        ) from error
    except web.RequestPayloadError as error:
        raise HttpError(
            HTTPStatus.BAD_REQUEST,
            BAD_HTTP,
            "the body is no HTTP: its parts are not of the length they say",
            {"Connection": "close"},
        ) from error
    except web.HTTPRequestEntityTooLarge as error:
        raise BodyTooLargeError(None, limit_bytes, limit) from error
