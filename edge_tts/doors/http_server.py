"""A listening HTTP server inside our bounds: what the doors that speak HTTP share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from edge_tts.doors.http_connections import Connections
from edge_tts.doors.http_errors import PoliteHandler
from edge_tts.errors import ConfigError
from edge_tts.metrics import Metrics

log = logging.getLogger(__name__)

SHUTDOWN_S = 3.0
"""How long answers under way may go on when the daemon stops."""

CONNECTION: dict[str, Any] = {
    "access_log": None,
    "auto_decompress": False,
    "keepalive_timeout": 15.0,
    # How long the rest of a refused body is read and thrown away.
    "lingering_time": 1.0,
}
"""Settings of aiohttp for one connection."""


@asynccontextmanager
async def listening(
    app: web.Application, section: str, host: str, port: int, connections: Connections, metrics: Metrics
) -> AsyncIterator[int]:
    """*app* is served inside the block; yields the port. *section* is what it is called in the configuration. Raises
    ConfigError if it cannot listen."""
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S, **CONNECTION)
    await runner.setup()
    server, loop = runner.server, asyncio.get_running_loop()
    assert server is not None
    connections.serve = lambda: PoliteHandler(metrics, section, server, loop=loop, **CONNECTION)
    try:
        listener = await _listen(connections, section, host, port)
        bound_port: int = listener.sockets[0].getsockname()[1]
        log.info("%s%s listens on %s port %d", section, "s" * bool(connections.tls), host, bound_port)
        try:
            yield bound_port
        finally:
            listener.close()
    finally:
        await connections.close()
        await runner.cleanup()


async def _listen(connections: Connections, section: str, host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(connections.accept, host, port)
    except OSError as error:
        raise ConfigError(
            f"{section}: cannot listen on {host} port {port}: {error.strerror}; is a daemon running already? "
            f"Choose another {section}.port"
        ) from error
