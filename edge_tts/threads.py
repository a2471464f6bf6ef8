"""A thread that owns something, and the one way to it from the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

_T = TypeVar("_T")


class OneThread:
    """Calls run one after the other, in the order they were awaited."""

    def __init__(self, executor: ThreadPoolExecutor, deadline_s: float) -> None:
        self._executor = executor
        self._deadline_s = deadline_s
        self._busy_since_s: float | None = None
        """Monotonic; written by the thread alone, so that waiting for one's turn does not count."""

    async def call(self, function: Callable[..., _T], *args: Any) -> _T:
        """Run *function* on the thread, when its turn comes."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._timed, function, *args)

    def _timed(self, function: Callable[..., _T], *args: Any) -> _T:
        self._busy_since_s = time.monotonic()
        try:
            return function(*args)
        finally:
            self._busy_since_s = None

    @property
    def stuck_s(self) -> float:
        """How long the running call has been over the deadline; 0 while all is well. For the watchdog."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else max(0.0, time.monotonic() - since_s - self._deadline_s)


@contextmanager
def one_thread(name: str, deadline_s: float) -> Iterator[OneThread]:
    """The thread, for the length of the block; leaving waits for the call that runs."""
    with ThreadPoolExecutor(1, thread_name_prefix=name) as executor:
        yield OneThread(executor, deadline_s)
