"""GET /api/events: every step of every job and every change of state, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict

from aiohttp import web

from edge_tts.service import Service, Update
from edge_tts.state import DeviceState

KEEPALIVE_S = 15.0
"""A comment so often: proxies close streams that look dead, and a reader that is gone is noticed."""


async def send_events(service: Service, request: web.Request, closing: asyncio.Event) -> web.StreamResponse:
    """Until the reader hangs up or *closing* is set; begins with the state."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    with service.updates() as updates:
        await response.prepare(request)
        await response.write(_frame(service.state))
        async for update in _with_pauses(updates, closing):
            await response.write(b": still here\n\n" if update is None else _frame(update))
    await response.write_eof()
    return response


async def _with_pauses(
    updates: AsyncIterator[Update], closing: asyncio.Event
) -> AsyncIterator[Update | None]:
    """The updates, and None after each KEEPALIVE_S without one."""
    # Tasks that outlive each wait: cancelling a generator's next step would end the generator.
    closed = asyncio.create_task(closing.wait())
    following: asyncio.Task[Update] | None = None
    try:
        while True:
            following = following or asyncio.create_task(_next(updates))
            done, _ = await asyncio.wait(
                {following, closed}, timeout=KEEPALIVE_S, return_when=asyncio.FIRST_COMPLETED
            )
            if closed in done:
                return
            if following in done:
                update, following = following.result(), None
                yield update
            else:
                yield None
    finally:
        tasks = [task for task in (following, closed) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _next(updates: AsyncIterator[Update]) -> Update:
    return await anext(updates)


def _frame(update: Update) -> bytes:
    if isinstance(update, DeviceState):
        event, body = "state", asdict(update)
    else:
        event, body = str(update.event_type), update.to_json()
    return f"event: {event}\ndata: {json.dumps(body)}\n\n".encode()
