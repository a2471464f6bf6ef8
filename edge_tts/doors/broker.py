"""The embedded broker: for the first minute, on this box only. Speaks MQTT 3.1.1 (amqtt)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from amqtt.broker import Broker
from amqtt.errors import BrokerError

from edge_tts.errors import ConfigError

HOST = "127.0.0.1"
MAX_CONNECTIONS = 32

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_broker(port: int) -> AsyncIterator[None]:
    """Listening inside the block, unless a broker does so already: then that one serves, and nothing is opened."""
    if not await _is_free(port):
        log.warning(
            "something listens on %s port %d already and is taken for a broker; name it in mqtt.url "
            "(mqtt://localhost:%d), or choose another mqtt.embedded_port",
            *(HOST, port, port),
        )
        yield
        return
    # It logs every packet at info and every client that hangs up as an error.
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    logging.getLogger("transitions").setLevel(logging.WARNING)
    broker = Broker(
        {
            "listeners": {
                "default": {"type": "tcp", "bind": f"{HOST}:{port}", "max_connections": MAX_CONNECTIONS}
            },
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    try:
        await broker.start()
    except BrokerError as error:
        raise ConfigError(f"mqtt: the embedded broker cannot start: {error}") from error
    log.info("embedded broker listens on %s port %d", HOST, port)
    try:
        yield
    finally:
        await _shut_down(broker)


async def _shut_down(broker: Broker) -> None:
    try:
        await broker.shutdown()
    except asyncio.CancelledError:
        # With a message on its way amqtt cancels a task of its own and passes that on as if it were ours.
        task = asyncio.current_task()
        if task and task.cancelling():
            raise
        log.debug("the embedded broker was stopped with messages on their way")


async def _is_free(port: int) -> bool:
    """Asked beforehand: amqtt says only that it cannot start."""
    try:
        server = await asyncio.start_server(lambda reader, writer: None, HOST, port)
    except OSError:
        return False
    server.close()
    await server.wait_closed()
    return True
