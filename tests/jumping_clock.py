"""The daemon with a real-time clock that jumps: `python -m tests.jumping_clock FILE ARGUMENTS…`.

FILE has the seconds to add to `time.time`. The monotonic clock stays the system's. (libfaketime breaks Python's sleep
and the handing over between its threads.)
"""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main() -> None:
    offset, *arguments = sys.argv[1:]
    real_time = time.time
    time.time = lambda: real_time() + float(Path(offset).read_text())
    from edge_tts.__main__ import main as edgetts

    sys.argv = ["edgetts", *arguments]
    edgetts()


if __name__ == "__main__":
    main()
