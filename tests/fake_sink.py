"""A loudspeaker that remembers: the AudioSink protocol, whole, with faults to order."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from edge_tts.errors import DeviceError


class FakeSink:
    """Hears at once what is written. All methods run on the playback thread; tests read after `play`."""

    can_resume = True
    patience_s = 10.0

    def __init__(self, sample_rate: int = 48000) -> None:
        self.sample_rate = sample_rate
        self.calls: list[str] = []
        self.blocks: list[NDArray[np.float32]] = []
        self.fail_at_block: int | None = None
        """This block and every `start` after it fail, until `failures` have happened."""

        self.failures = 0
        self.holds = 0
        """So many blocks go into the buffer of a device that fails."""

        self._n_held = 0
        self.fails_at_rest = False
        self.gate: threading.Event | None = None
        """Set: a write waits for it, as a full buffer or a hanging device does."""

        self.wrote = threading.Event()
        self.is_open = False
        """Between `start` and `close`; a real device knows nothing else either."""

    @property
    def samples(self) -> NDArray[np.float32]:
        return np.concatenate(self.blocks) if self.blocks else np.zeros(0, np.float32)

    def probe(self) -> None:
        self.calls.append("probe")

    def wanted_rate(self, sample_rate: int) -> int:
        return self.sample_rate

    def lead_in_s(self) -> float:
        return 0.0

    def ahead_s(self) -> float | None:
        return None

    def start(self, name: str, sample_rate: int) -> None:
        self.calls.append(f"start {name} {sample_rate}")
        self._n_held = 0
        if not self.holds:
            self._fail_in_time()
        self.is_open = True

    def _fail_in_time(self) -> None:
        is_time = self.fail_at_block is not None and len(self.blocks) >= self.fail_at_block
        if is_time and self.failures > 0:
            self.failures -= 1
            raise DeviceError("the device is gone")

    def write(self, samples: NDArray[np.float32]) -> bool:
        assert self.is_open
        if self._n_held < self.holds:
            self._n_held += 1
            return False
        self._fail_in_time()
        self.blocks.append(samples)
        self.wrote.set()
        if self.gate:
            self.gate.wait(10)
        return False

    def rest(self) -> None:
        assert self.is_open
        self.calls.append("rest")
        if self.fails_at_rest:
            raise DeviceError("the device is gone")

    def finish(self) -> None:
        assert self.is_open
        self.calls.append("finish")

    def close(self) -> None:
        self.is_open = False
        self.calls.append("close")
