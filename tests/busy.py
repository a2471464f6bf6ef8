"""A thread of the daemon that has something else to do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def busy(call: Callable[..., Awaitable[object]]) -> AsyncIterator[None]:
    """The thread that *call* leads to is kept inside the block."""
    release = threading.Event()
    kept = asyncio.ensure_future(call(release.wait, 10))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        release.set()
        await kept
