"""Resident memory: how much there is, and what was freed back to the system."""

from __future__ import annotations

import ctypes
import gc
import logging
import resource
import time
from pathlib import Path

log = logging.getLogger(__name__)

TIDY_EVERY_S = 30.0
"""At most: what is given back must be fetched again, page by page."""


def rss_bytes() -> int:
    """Resident set size of this process (Linux: second field of /proc/self/statm, in pages)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak_rss_bytes() -> int:
    """The most it was since this program began; getrusage's would be that of the process that started it, if larger."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def release_memory() -> None:
    """Give freed memory back to the system: glibc keeps it otherwise (reliability: onnxruntime over weeks)."""
    gc.collect()
    trim()


def trim() -> None:
    """Give back what glibc keeps; a few milliseconds."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:  # musl has none
        log.debug("this C library cannot trim its heap")


class Tidying:
    """Gives freed memory back now and then. Each longest text ever would leave its mark for ever: glibc keeps what lies
    between what is in use."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def tidy(self) -> None:
        """To be called after each text that was spoken."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            trim()
            self._next_s = now_s + TIDY_EVERY_S
