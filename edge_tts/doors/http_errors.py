"""Every answer that is not a success: what an error is called, with the right status."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from edge_tts.doors.base import error_json
from edge_tts.errors import (
    BodyTooLargeError,
    ClockNotSetError,
    DeviceError,
    LexiconChangedError,
    LexiconFileError,
    MemoryBudgetError,
    NoLexiconError,
    QueueFullError,
    RequestError,
    ShuttingDownError,
    SoundTooLargeError,
    SpeechError,
    UnknownJobError,
    UnknownReferenceError,
    VoiceError,
)
from edge_tts.metrics import Metrics

log = logging.getLogger(__name__)

Answer = Callable[[web.Request, Mapping[str, object], HTTPStatus | int], web.Response]
"""What a door answers to an error of these `code`, `message` and `detail`, with this status."""

RETRY_AFTER_S = 5
BAD_HTTP = "bad_http"

# The first class that fits decides.
_STATUS: Mapping[type[SpeechError], HTTPStatus] = {
    QueueFullError: HTTPStatus.TOO_MANY_REQUESTS,
    UnknownJobError: HTTPStatus.NOT_FOUND,
    UnknownReferenceError: HTTPStatus.NOT_FOUND,
    NoLexiconError: HTTPStatus.NOT_FOUND,
    LexiconChangedError: HTTPStatus.CONFLICT,
    LexiconFileError: HTTPStatus.SERVICE_UNAVAILABLE,
    BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    SoundTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
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


def errors_answered(metrics: Metrics, source: str, answer: Answer, routes: str) -> Middleware:
    """The outermost middleware: nothing but what *answer* makes of an error leaves, and never a traceback. *routes*
    says where to find them."""

    def answered(
        request: web.Request,
        error: Mapping[str, object],
        status: int,
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        metrics.rejected.labels(source, error["code"]).inc()
        if getattr(request.writer, "output_size", 0):
            # An answer has begun: a cut is the only sign left that it is not whole.
            log.warning("cut an answer to %s %s: %s", request.method, request.path, error["code"])
            raise ConnectionError("an error came after the head of the answer")
        response = answer(request, error, status)
        response.headers.update(headers or {})
        return response

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except SpeechError as error:
            status = status_of(error)
            is_busy = status == HTTPStatus.TOO_MANY_REQUESTS
            retry = {"Retry-After": str(RETRY_AFTER_S)} if is_busy else None
            return answered(request, error_json(error), status, retry)
        except HttpError as error:
            return answered(request, _body(error.code, str(error)), error.status, error.headers)
        except web.HTTPException as error:
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            code = _CODES.get(error.status, f"http_{error.status}")
            return answered(request, _body(code, _message(request, error, routes)), error.status, allow)
        except (ConnectionError, TimeoutError):
            # The caller has gone, or reads too slowly: there is nobody to answer.
            raise
        except Exception:
            log.exception("unexpected error in %s %s", request.method, request.path)
            return answered(request, _body(SpeechError.code, "an unexpected error; see the log"), 500)

    return middleware


def status_of(error: SpeechError) -> HTTPStatus:
    fitting = (status for kind, status in _STATUS.items() if isinstance(error, kind))
    return next(fitting, HTTPStatus.INTERNAL_SERVER_ERROR)


def json_answer(request: web.Request, error: Mapping[str, object], status: int) -> web.Response:
    return web.json_response({"error": error}, status=status)


class PoliteHandler(web.RequestHandler):
    """aiohttp's side of a connection, with our answer to what it cannot read."""

    def __init__(self, metrics: Metrics, source: str, server: web.Server, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._metrics = metrics
        self._source = source

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
        self._metrics.rejected.labels(self._source, BAD_HTTP).inc()
        reason = (message or "").strip().partition("\n")[0][:200]
        response = web.json_response(
            {"error": _body(BAD_HTTP, f"this is no HTTP request: {reason}")}, status=status
        )
        response.force_close()
        return response


def _body(code: str, message: str) -> dict[str, object]:
    return {"code": code, "message": message, "detail": None}


def _message(request: web.Request, error: web.HTTPException, routes: str) -> str:
    if error.status == HTTPStatus.NOT_FOUND:
        return f"no route {request.path}; {routes}"
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.path} does not take {request.method}; it takes {error.headers.get('Allow')}"
    return error.reason
