"""systemd's side of the daemon: ready, alive, stopping; and the loop's own life."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from edge_tts.threads import end_process

log = logging.getLogger(__name__)

IDLE_CHECK_S = 15.0
"""All that wakes an idle daemon; systemd may ask for more. What runs is checked more often (`threads`)."""

LOOP_DEADLINE_S = 30.0
"""A loop that has not turned for so long hangs. Long enough for a model to be loaded, which holds Python's lock."""


@asynccontextmanager
async def watched(
    stuck: Callable[[], str | None], loop_deadline_s: float = LOOP_DEADLINE_S
) -> AsyncIterator[None]:
    """Feed systemd's watchdog while *stuck* finds nothing; end the process as soon as it does, or the loop hangs."""
    interval_s = min(IDLE_CHECK_S, watchdog_s() / 2)

    async def watch() -> None:
        while True:
            # A thread of C counts down: it needs neither the loop nor Python's lock.
            faulthandler.dump_traceback_later(interval_s + loop_deadline_s, exit=True)
            hung = stuck()
            if hung is not None:
                end_process(f"{hung} hangs")
            notify("WATCHDOG=1")
            await asyncio.sleep(interval_s)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        faulthandler.cancel_dump_traceback_later()


def is_supervised() -> bool:
    """Whether systemd, or another that speaks its protocol, started us: it will do so again."""
    return "NOTIFY_SOCKET" in os.environ


def watchdog_s() -> float:
    """systemd's deadline for a sign of life, infinity without one (sd_watchdog_enabled(3))."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return float("inf")
    return int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6 or float("inf")


def notify(state: str) -> None:
    """Tell systemd, if it started us (sd_notify(3)); "@" is an abstract socket."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_systemd:
        try:
            to_systemd.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError as error:
            log.warning("systemd cannot be told %s: %s", state, error)
