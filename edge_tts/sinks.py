"""Where sound goes: the sound device, WAV files, or nowhere at real-time pace. All on the playback thread."""

from __future__ import annotations

import time
import wave
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_tts.audio import to_pcm16
from edge_tts.config import AudioConfig
from edge_tts.device import DeviceSink
from edge_tts.errors import DeviceError
from edge_tts.snapcast import SnapcastSink


class AudioSink(Protocol):
    """One announcement is `start`, `write`…, `finish`. Every method may raise DeviceError; after that only
    `close` and `start` make sense."""

    can_resume: bool
    """Whether an announcement can go on after an error, `close` and `start`; else it has failed."""

    @property
    def patience_s(self) -> float:
        """How long the next `write`, `rest` or `finish` may take; more is a hang, and the end of the process."""
        ...

    def probe(self) -> None:
        """Raises DeviceError if there is nothing to `start`."""
        ...

    def wanted_rate(self, sample_rate: int) -> int:
        """Hertz to write at, for sound that comes at *sample_rate*."""
        ...

    def lead_in_s(self) -> float:
        """Silence that the device swallows when it wakes, as far as its name shows."""
        ...

    def ahead_s(self) -> float | None:
        """Seconds until what is written next is heard; None where sound has no time, as in a file."""
        ...

    def start(self, name: str, sample_rate: int) -> None:
        """Be ready for blocks of the announcement *name*."""
        ...

    def write(self, samples: NDArray[np.float32]) -> bool:
        """Take a block [n_samples], waiting while the buffer is full. True: the device had run dry."""
        ...

    def rest(self) -> None:
        """Wait until everything written has been heard, then leave the device alone until the next `write`."""
        ...

    def finish(self) -> None:
        """The announcement is complete: wait until it has been heard."""
        ...

    def close(self) -> None:
        """Release the device; never raises."""
        ...


class WavSink:
    """One WAV file per announcement, as fast as it can be made."""

    can_resume = False
    patience_s = 20.0  # a memory card that is busy with itself

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: wave.Wave_write | None = None
        self._path = folder

    def probe(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DeviceError(f"cannot write to {self._folder}: {error.strerror}") from error

    def wanted_rate(self, sample_rate: int) -> int:
        return sample_rate

    def lead_in_s(self) -> float:
        return 0.0

    def ahead_s(self) -> float | None:
        return None

    def start(self, name: str, sample_rate: int) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path = self._folder / f"{name}.wav"
            # Beside it, then renamed: whoever watches the folder sees whole files only.
            file = wave.open(str(self._path.with_suffix(".part")), "wb")  # noqa: SIM115
        except OSError as error:
            raise DeviceError(f"cannot write to {self._folder}: {error.strerror}") from error
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        self._file = file

    def write(self, samples: NDArray[np.float32]) -> bool:
        assert self._file is not None
        try:
            self._file.writeframes(to_pcm16(samples))
        except OSError as error:
            raise DeviceError(f"cannot write to {self._folder}: {error.strerror}") from error
        return False

    def rest(self) -> None:
        pass

    def finish(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
            self._path.with_suffix(".part").replace(self._path)
        except OSError as error:
            raise DeviceError(f"cannot write to {self._folder}: {error.strerror}") from error

    def close(self) -> None:
        """What was begun and not finished is no announcement: its file goes."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()
            with suppress(OSError):
                self._path.with_suffix(".part").unlink()


class NullSink:
    """Silence that takes as long as speech: for boxes without a loudspeaker, tests and, faster (*pace*), soak runs."""

    can_resume = True

    def __init__(
        self, buffer_s: float, clock: Callable[[], float] = time.monotonic, pace: float = 1.0
    ) -> None:
        self._buffer_s = buffer_s
        self._pace = pace
        self._clock = clock
        self._sample_rate = 0
        self._heard_until_s: float | None = None
        """When the last sample given will have been heard; None: at rest."""

    @property
    def patience_s(self) -> float:
        return self._buffer_s + 2.0

    def probe(self) -> None:
        pass

    def wanted_rate(self, sample_rate: int) -> int:
        return sample_rate

    def lead_in_s(self) -> float:
        return 0.0

    def ahead_s(self) -> float | None:
        return 0.0 if self._heard_until_s is None else max(0.0, self._heard_until_s - self._clock())

    def start(self, name: str, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._heard_until_s = None

    def write(self, samples: NDArray[np.float32]) -> bool:
        now_s = self._clock()
        until_s = now_s if self._heard_until_s is None else self._heard_until_s
        self._heard_until_s = max(until_s, now_s) + len(samples) / self._sample_rate / self._pace
        time.sleep(max(0.0, self._heard_until_s - now_s - self._buffer_s))
        return now_s > until_s

    def rest(self) -> None:
        if self._heard_until_s is not None:
            time.sleep(max(0.0, self._heard_until_s - self._clock()))
        self._heard_until_s = None

    def finish(self) -> None:
        self.rest()

    def close(self) -> None:
        pass


def open_sink(config: AudioConfig) -> AudioSink:
    """The sink named in the configuration; the device itself is opened by its first `start`."""
    if config.sink == "wav":
        return WavSink(config.wav_dir)
    if config.sink == "null":
        return NullSink(config.buffer_ms / 1000, pace=config.null_pace)
    if config.sink == "snapcast":
        return SnapcastSink(config)
    return DeviceSink(config)
