"""When a thread counts as hung."""

from __future__ import annotations

import asyncio
import threading
import time

from edge_tts.threads import CHECK_EVERY_S, one_thread


async def test_a_box_that_stands_still_is_no_thread_that_hangs() -> None:
    hung: list[str] = []
    begun, gate = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        gate.wait(10)

    with one_thread("playback", 0.2, hung.append) as thread:
        call = asyncio.ensure_future(thread.call(work))
        await asyncio.to_thread(begun.wait, 10)
        # Swapping, say: neither the loop nor the thread gets its turn.
        time.sleep(3 * CHECK_EVERY_S)  # noqa: ASYNC251 it is the loop that is to stand still
        asyncio.get_running_loop().call_later(0.1, gate.set)
        await call
        assert (hung, thread.is_stuck) == ([], False)
        # That thread does hang.
        begun.clear()
        gate.clear()
        call = asyncio.ensure_future(thread.call(work))
        async with asyncio.timeout(10):
            while not thread.is_stuck:
                await asyncio.sleep(0.05)
        assert hung[:1] == ["playback"]
        gate.set()
        await call
        assert not thread.is_stuck
