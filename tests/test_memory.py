"""How much memory this process has, and that what it freed is given back."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from edge_tts.memory import peak_rss_bytes, rss_bytes


def test_the_peak_is_that_of_this_program_not_of_what_started_it() -> None:
    # getrusage said 2 GB of a child of 0.8 GB: the builder of its voice had them.
    large = np.ones(40 << 20)
    now_bytes = rss_bytes()
    assert now_bytes >= large.nbytes
    # Reading a file takes a page, and the system counts pages in handfuls.
    assert peak_rss_bytes() > now_bytes - (1 << 20)
    code = "from edge_tts.memory import peak_rss_bytes; print(peak_rss_bytes())"
    child = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert 5e6 < int(child.stdout) < large.nbytes


KEEPING = """
from edge_tts.memory import Tidying, rss_bytes
from edge_tts.models.session import keep_freed_memory

keep_freed_memory()
tidying = Tidying()
before = rss_bytes()
blocks = [b"x" * (1 << 20) for _ in range(60)]
blocks.clear()
kept = rss_bytes() - before
tidying.tidy()
print(kept >> 20, (rss_bytes() - before) >> 20)
blocks = [b"x" * (1 << 20) for _ in range(60)]
blocks.clear()
tidying.tidy()
print((rss_bytes() - before) >> 20)
"""


def test_what_was_freed_is_given_back_but_not_again_and_again() -> None:
    child = subprocess.run(
        [sys.executable, "-c", KEEPING], check=True, capture_output=True, text=True, timeout=60
    )
    kept_mb, left_mb, soon_mb = map(int, child.stdout.split())
    assert kept_mb > 50, "the C library was to keep it"
    assert left_mb < 10
    assert soon_mb > 50, "30 s have not passed"
