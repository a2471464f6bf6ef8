"""The open connections: how many, from where, encrypted or not, and how long each may keep us waiting.

aiohttp itself takes any number and waits for ever, for a head as for a reader.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from edge_tts.door_config import HttpConfig
from edge_tts.errors import ConfigError

log = logging.getLogger(__name__)

REFUSAL_LINGER_S = 1.0
TLS_GOODBYE_S = 1.0
HEAD_GRACE_S = 0.1


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a caller may take."""

    head_s: float = 5.0
    """For the head of a request, and for the TLS handshake before it."""

    body_s: float = 5.0
    write_s: float = 10.0
    """To read what is sent: an answer that nobody reads would stay in memory."""


def tls_context(config: HttpConfig) -> ssl.SSLContext | None:
    """None without `http.tls_cert`. Raises ConfigError for files that cannot be used."""
    if config.tls_cert is None or config.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key)
    except (OSError, ssl.SSLError) as error:
        files = f"{config.tls_cert} with http.tls_key {config.tls_key}"
        raise ConfigError(f"http.tls_cert: {files} cannot be used: {error}; both are PEM files") from error
    if config.client_ca is not None:
        try:
            context.load_verify_locations(config.client_ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"http.client_ca: {config.client_ca} cannot be used: {error}; it is a PEM file"
            ) from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections may be open."""

    in_all: int
    per_address: int
    in_all_name: str = "in all"
    """What the limit is called in a refusal."""

    per_address_name: str = "from one address"

    @classmethod
    def of(cls, config: HttpConfig) -> Limits:
        return cls(
            config.max_connections,
            config.max_connections_per_address,
            "(http.max_connections)",
            "from one address (http.max_connections_per_address)",
        )


class Connections:
    """Admits connections up to the limits. Who waits for nothing makes room for who comes; only where every place
    has a request under way one is refused."""

    def __init__(self, limits: Limits, deadlines: Deadlines, tls: ssl.SSLContext | None = None) -> None:
        self.serve: Callable[[], web.RequestHandler] | None = None
        """Makes aiohttp's side of a connection; known once the server is built."""

        self.deadlines = deadlines
        self.tls = tls
        self.handshakes: set[asyncio.Task[None]] = set()
        self._limits = limits
        # Who has been idle for longest comes first.
        self._open: dict[web.RequestHandler, GuardedConnection] = {}

    def accept(self) -> asyncio.Protocol:
        """What asyncio asks for each new connection."""
        assert self.serve is not None
        return GuardedConnection(self, self.serve())

    def admit(self, connection: GuardedConnection) -> str | None:
        """None, or why there is no place for *connection*."""
        neighbours = [each for each in self._open.values() if each.address == connection.address]
        crowd, limit = neighbours, f"{self._limits.per_address} {self._limits.per_address_name}"
        if len(neighbours) < self._limits.per_address:
            crowd, limit = list(self._open.values()), f"{self._limits.in_all} {self._limits.in_all_name}"
            if len(crowd) < self._limits.in_all:
                self._open[connection.inner] = connection
                return None
        idle = next((each for each in crowd if not each.is_busy), None)
        if idle is None:
            return f"as many connections are busy as may be open, {limit}; try again later"
        idle.abort()
        self._open[connection.inner] = connection
        return None

    def forget(self, connection: GuardedConnection) -> None:
        self._open.pop(connection.inner, None)

    async def close(self) -> None:
        """End the handshakes; everything after them is aiohttp's to close."""
        for task in self.handshakes:
            task.cancel()
        await asyncio.gather(*self.handshakes, return_exceptions=True)

    def busy(self) -> Middleware:
        """Tells a connection that its head is complete, and that the answer is made."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = self._open.get(request.protocol)
            if connection is None:
                return await handler(request)
            connection.head_is_complete()
            try:
                return await handler(request)
            finally:
                connection.is_busy = False
                if self._open.pop(connection.inner, None):
                    self._open[connection.inner] = connection

        return middleware


class GuardedConnection(asyncio.Protocol):
    """aiohttp's connection with deadlines. Idle ones are closed by aiohttp (keep-alive)."""

    def __init__(self, connections: Connections, inner: web.RequestHandler) -> None:
        self.inner = inner
        self.address = ""
        self.is_busy = False
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._has_begun = False
        self._early: list[bytes] = []
        """What came together with the end of the TLS handshake."""

        self._handshake: asyncio.Task[None] | None = None
        self._head_deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        reason = self._connections.admit(self)
        if reason is not None:
            self._refuse(transport, reason)
        elif self._connections.tls is None:
            self._begin(transport)
        else:
            self._handshake = asyncio.create_task(self._secure(transport, self._connections.tls))
            self._connections.handshakes.add(self._handshake)
            self._handshake.add_done_callback(self._connections.handshakes.discard)

    def _refuse(self, transport: asyncio.Transport, reason: str) -> None:
        if self._connections.tls is None:
            transport.write(_refusal(reason))
            # Not closed at once: data that nobody reads turns into a reset, which would overtake the answer.
            transport.write_eof()
        asyncio.get_running_loop().call_later(REFUSAL_LINGER_S, transport.abort)

    async def _secure(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=self._connections.deadlines.head_s,
                ssl_shutdown_timeout=TLS_GOODBYE_S,
            )
        except OSError as error:
            log.debug("no TLS with %s: %s", self.address, error)
            secured = None
        if secured is None or secured.is_closing():
            transport.abort()
            self._connections.forget(self)
            return
        self._begin(secured)

    def _begin(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._has_begun = True
        self._expect_head()
        self.inner.connection_made(transport)
        for content in self._early:
            self.data_received(content)

    def head_is_complete(self) -> None:
        self.is_busy = True
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _expect_head(self) -> None:
        if self._head_deadline is None and not self.is_busy:
            head_s = self._connections.deadlines.head_s
            self._head_deadline = asyncio.get_running_loop().call_later(head_s, self._head_is_late)

    def _head_is_late(self) -> None:
        # What came while the box stood still is read first.
        self._head_deadline = self._abort_after(HEAD_GRACE_S)

    def _abort_after(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self.abort)

    def abort(self) -> None:
        self._connections.forget(self)
        if self._handshake is not None and not self._has_begun:
            self._handshake.cancel()
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self._has_begun:
            if self._handshake is not None:
                self._early.append(data)
            return
        self._expect_head()
        self.inner.data_received(data)

    def eof_received(self) -> None:
        if self._has_begun:
            self.inner.eof_received()

    def pause_writing(self) -> None:
        self._write_deadline = self._abort_after(self._connections.deadlines.write_s)
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        for deadline in (self._head_deadline, self._write_deadline):
            if deadline is not None:
                deadline.cancel()
        self._connections.forget(self)
        if self._has_begun:
            self.inner.connection_lost(exc)


def _refusal(reason: str) -> bytes:
    body = json.dumps({"error": {"code": "too_many_connections", "message": reason, "detail": None}})
    return (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Retry-After: 5\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
