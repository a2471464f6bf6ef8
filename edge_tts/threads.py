"""A thread that owns something, the one way to it from the event loop, and the end of a process that hangs."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

log = logging.getLogger(__name__)

CHECK_EVERY_S = 0.25
"""While calls run; a thread without work costs no wake-up."""

HUNG_EXIT_STATUS = 70
"""EX_SOFTWARE: systemd starts us again."""

_T = TypeVar("_T")


def end_process(reason: str) -> NoReturn:
    """End at once: a C library that hangs cannot be mended from inside, but who ends is started again.

    The log gets the place in the code where every thread was, and nothing of what is spoken.
    """
    log.critical("%s; ending the process so that it is started again", reason)
    faulthandler.dump_traceback(sys.stderr, all_threads=True)
    # Not sys.exit: that would wait for the thread that hangs.
    os._exit(HUNG_EXIT_STATUS)


class OneThread:
    """Calls run one after the other, in the order they were awaited."""

    def __init__(
        self, name: str, executor: ThreadPoolExecutor, deadline_s: float, on_hang: Callable[[str], object]
    ) -> None:
        self._name = name
        self._executor = executor
        self._deadline_s = deadline_s
        self._on_hang = on_hang
        self._due_s: float | None = None
        """When the running call must be done. Monotonic; written by the thread alone, so that waiting for one's
        turn does not count."""

        self._late_s: float | None = None
        """`_due_s` of the call that was late when it was last looked at."""

        self._hung_s: float | None = None
        """The same of one that was late twice."""

        self._n_calls = 0
        self._check: asyncio.TimerHandle | None = None

    async def call(self, function: Callable[..., _T], *args: Any, deadline_s: float | None = None) -> _T:
        """Run *function* on the thread, when its turn comes; it hangs when it then takes longer than *deadline_s*."""
        loop = asyncio.get_running_loop()
        if self._check is None:
            self._check = loop.call_later(CHECK_EVERY_S, self._look)
        self._n_calls += 1
        deadline_s = self._deadline_s if deadline_s is None else deadline_s
        try:
            return await loop.run_in_executor(self._executor, self._timed, deadline_s, function, *args)
        finally:
            self._n_calls -= 1

    def _timed(self, deadline_s: float, function: Callable[..., _T], *args: Any) -> _T:
        self._due_s = time.monotonic() + deadline_s
        try:
            return function(*args)
        finally:
            self._due_s = None

    def _look(self) -> None:
        """On the loop, again and again until there is nothing to do. Who gave up waiting leaves a call that runs."""
        self._check = None
        due_s = self._due_s
        late_s = due_s if due_s is not None and time.monotonic() > due_s else None
        # Not at the first look: a box that stood still may wake us first, and its thread has done nothing wrong.
        if late_s is not None and late_s == self._late_s:
            self._hung_s = late_s
            self._on_hang(self._name)
        self._late_s = late_s
        if self._n_calls or self._due_s is not None:
            self._check = asyncio.get_running_loop().call_later(CHECK_EVERY_S, self._look)

    @property
    def is_stuck(self) -> bool:
        """Whether the running call is over its deadline, and was so when it was looked at before."""
        return self._hung_s is not None and self._hung_s == self._due_s


def _end_hung(name: str) -> None:
    end_process(f"{name} hangs")


@contextmanager
def one_thread(
    name: str, deadline_s: float, on_hang: Callable[[str], object] = _end_hung
) -> Iterator[OneThread]:
    """The thread, for the length of the block; leaving waits for the call that runs."""
    with ThreadPoolExecutor(1, thread_name_prefix=name) as executor:
        yield OneThread(name, executor, deadline_s, on_hang)
