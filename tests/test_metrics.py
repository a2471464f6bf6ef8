"""What is measured about the process itself."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from edge_tts.metrics import peak_rss_bytes, rss_bytes


def test_the_peak_is_that_of_this_program_not_of_what_started_it() -> None:
    # getrusage said 2 GB of a child of 0.8 GB: the builder of its voice had them.
    large = np.ones(40 << 20)
    assert peak_rss_bytes() >= rss_bytes() >= large.nbytes
    code = "from edge_tts.metrics import peak_rss_bytes; print(peak_rss_bytes())"
    child = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert 5e6 < int(child.stdout) < large.nbytes
