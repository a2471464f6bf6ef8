"""Every answer that is not a success: {"error": {"code", "message", "detail"}} with the right status."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from edge_tts.doors.base import error_json
from edge_tts.errors import (
    BodyTooLargeError,
    ClockNotSetError,
    DeviceError,
    MemoryBudgetError,
    QueueFullError,
    RequestError,
    ShuttingDownError,
    SpeechError,
    UnknownJobError,
    UnknownReferenceError,
    VoiceError,
)
from edge_tts.metrics import Metrics

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5
BAD_HTTP = "bad_http"

# The first class that fits decides.
_STATUS: Mapping[type[SpeechError], HTTPStatus] = {
    QueueFullError: HTTPStatus.TOO_MANY_REQUESTS,
    UnknownJobError: HTTPStatus.NOT_FOUND,
    UnknownReferenceError: HTTPStatus.NOT_FOUND,
    BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ShuttingDownError: HTTPStatus.SERVICE_UNAVAILABLE,
    ClockNotSetError: HTTPStatus.SERVICE_UNAVAILABLE,
    RequestError: HTTPStatus.BAD_REQUEST,
    MemoryBudgetError: HTTPStatus.SERVICE_UNAVAILABLE,
    VoiceError: HTTPStatus.SERVICE_UNAVAILABLE,
    DeviceError: HTTPStatus.SERVICE_UNAVAILABLE,
}

_CODES = {404: "unknown_route", 405: "method_not_allowed", 413: "body_too_large"}
"""Of the errors aiohttp raises itself."""


class HttpError(Exception):
    """A refusal that only HTTP knows."""

    def __init__(
        self, status: HTTPStatus, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}


def errors_as_json(metrics: Metrics) -> Middleware:
    """The outermost middleware: nothing but JSON leaves, and never a traceback."""

    def answer(
        error: Mapping[str, object], status: int, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        metrics.rejected.labels("http", error["code"]).inc()
        return web.json_response({"error": error}, status=status, headers=headers)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except SpeechError as error:
            status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
            is_busy = status == HTTPStatus.TOO_MANY_REQUESTS
            return answer(error_json(error), status, {"Retry-After": str(RETRY_AFTER_S)} if is_busy else None)
        except HttpError as error:
            return answer(_body(error.code, str(error)), error.status, error.headers)
        except web.HTTPException as error:
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            code = _CODES.get(error.status, f"http_{error.status}")
            return answer(_body(code, _message(request, error)), error.status, allow)
        except (ConnectionError, TimeoutError):
            # The caller has gone, or reads too slowly: there is nobody to answer.
            raise
        except Exception:
            log.exception("unexpected error in %s %s", request.method, request.path)
            return answer(_body(SpeechError.code, "an unexpected error; see the log"), 500)

    return middleware


class PoliteHandler(web.RequestHandler):
    """aiohttp's side of a connection, with our answer to what it cannot read."""

    def __init__(self, metrics: Metrics, server: web.Server, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._metrics = metrics

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0 or isinstance(exc, ConnectionError | TimeoutError):
            raise ConnectionError("the caller has gone, or reads too slowly") from exc
        # Neither the message nor the traceback goes into the log: both quote what came, a token perhaps.
        log.info("refused what is no HTTP: %s", type(exc).__name__)
        self._metrics.rejected.labels("http", BAD_HTTP).inc()
        reason = (message or "").strip().partition("\n")[0][:200]
        response = web.json_response(
            {"error": _body(BAD_HTTP, f"this is no HTTP request: {reason}")}, status=status
        )
        response.force_close()
        return response


def _body(code: str, message: str) -> dict[str, object]:
    return {"code": code, "message": message, "detail": None}


def _message(request: web.Request, error: web.HTTPException) -> str:
    if error.status == HTTPStatus.NOT_FOUND:
        return f"no route {request.path}; /openapi.json lists them"
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.path} does not take {request.method}; it takes {error.headers.get('Allow')}"
    return error.reason
