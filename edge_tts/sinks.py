"""Where sound goes: the sound device, WAV files, or nowhere at real-time pace. All on the playback thread."""

from __future__ import annotations

import logging
import time
import wave
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_tts.audio import to_pcm16
from edge_tts.config import AudioConfig
from edge_tts.errors import DeviceError

log = logging.getLogger(__name__)


TAIL_S = 0.05
"""Silence after speech, besides 1.5 times the device's latency, before a device is stopped."""


HEAD_S = 0.03
"""Silence before the first block: PulseAudio swallows the first 20 ms after a start (measured)."""


class AudioSink(Protocol):
    """One announcement is `start`, `write`…, `finish`. Every method may raise DeviceError; after that only
    `close` and `start` make sense."""

    can_resume: bool
    """Whether an announcement can go on after an error, `close` and `start`; else it has failed."""

    def probe(self) -> None:
        """Raises DeviceError if there is nothing to `start`."""
        ...

    def wanted_rate(self, sample_rate: int) -> int:
        """Hertz to write at, for sound that comes at *sample_rate*."""
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


class DeviceSink:
    """The sound device, by PortAudio.

    Blocking writes, no callback: PortAudio's callbacks need memory that is writable and executable, which the
    hardened unit forbids.
    """

    can_resume = True

    def __init__(self, config: AudioConfig) -> None:
        self._config = config
        self._stream: Any = None
        self._n_channels = 1
        self._wrote = False
        self._is_stale = False
        """The device list may be out of date: PortAudio reads it only when it is initialized."""

    def sounddevice(self) -> Any:
        try:
            import sounddevice
        except OSError as error:
            raise DeviceError(f"PortAudio is missing ({error}); install the package libportaudio2") from error
        if self._is_stale:
            try:
                # Not initialized any more, if the last attempt failed half-way.
                with suppress(sounddevice.PortAudioError):
                    sounddevice._terminate()
                sounddevice._initialize()
            except sounddevice.PortAudioError as error:
                raise DeviceError(f"PortAudio does not start: {error}") from error
            self._is_stale = False
        return sounddevice

    def probe(self) -> None:
        self._device(self.sounddevice())

    def wanted_rate(self, sample_rate: int) -> int:
        if self._config.sample_rate:
            return self._config.sample_rate
        if self._stream is not None:
            return int(self._stream.samplerate)
        try:
            return int(self._device(self.sounddevice())["default_samplerate"])
        except DeviceError:
            # No device yet: any common rate will do until one appears, and it says so itself in `start`.
            return 48000

    def _device(self, sounddevice: Any) -> dict[str, Any]:
        return find_device(sounddevice, self._config.device)

    def start(self, name: str, sample_rate: int) -> None:
        sounddevice = self.sounddevice()
        try:
            if self._stream is not None and self._stream.samplerate != sample_rate:
                self.close()
            if self._stream is None:
                self._stream = self._open(sounddevice, sample_rate)
            self._wake()
        except sounddevice.PortAudioError as error:
            self.close()
            raise DeviceError(
                f"cannot open {self._config.device or 'the default device'}: {error}"
            ) from error

    def _open(self, sounddevice: Any, sample_rate: int) -> Any:
        device = self._device(sounddevice)
        # Mono first; a bare hw: device may know stereo only.
        choices = [n for n in (1, 2) if n <= device["max_output_channels"]]
        for self._n_channels in choices:
            try:
                return sounddevice.RawOutputStream(
                    samplerate=sample_rate,
                    device=device["index"],
                    channels=self._n_channels,
                    dtype="int16",
                    latency=self._config.buffer_ms / 1000,
                )
            except sounddevice.PortAudioError:
                if self._n_channels == choices[-1]:
                    raise
        raise DeviceError(f"{device['name']} has no output")

    def _wake(self) -> None:
        if self._stream.stopped:
            self._stream.start()
            self._write_silence(HEAD_S)
            self._wrote = False

    def _write_silence(self, duration_s: float) -> None:
        self._stream.write(bytes(2 * self._n_channels * round(duration_s * self._stream.samplerate)))

    def write(self, samples: NDArray[np.float32]) -> bool:
        import sounddevice

        pcm = to_pcm16(samples if self._n_channels == 1 else np.repeat(samples, self._n_channels))
        try:
            self._wake()
            ran_dry = bool(self._stream.write(pcm))
        except sounddevice.PortAudioError as error:
            raise DeviceError(f"{self._config.device or 'the default device'} stopped: {error}") from error
        # Before the first block the buffer is empty by nature.
        ran_dry, self._wrote = ran_dry and self._wrote, True
        return ran_dry

    def rest(self) -> None:
        import sounddevice

        # PortAudio stops ALSA without waiting for PulseAudio's part of the buffer: 150 ms of a word were lost at
        # a buffer of 120 ms. What is lost must be silence, so as much silence is written first.
        try:
            self._write_silence(self._stream.latency * 1.5 + TAIL_S)
            self._stream.stop()
        except sounddevice.PortAudioError as error:
            raise DeviceError(f"{self._config.device or 'the default device'} stopped: {error}") from error

    def finish(self) -> None:
        self.rest()

    def close(self) -> None:
        stream, self._stream = self._stream, None
        self._is_stale = True
        if stream is not None:
            stream.close(ignore_errors=True)


def find_device(sounddevice: Any, name: str | None) -> dict[str, Any]:
    """PortAudio's description of the output named *name* (or containing it), None: the default."""
    try:
        devices = [device for device in sounddevice.query_devices() if device["max_output_channels"] > 0]
        if name is None and devices:
            return dict(sounddevice.query_devices(kind="output"))
    except (sounddevice.PortAudioError, ValueError) as error:
        raise DeviceError(f"no sound device: {error}") from error
    exact = [device for device in devices if device["name"] == name]
    similar = [device for device in devices if name and name.lower() in device["name"].lower()]
    found = exact or similar
    if not found:
        if not devices:
            raise DeviceError("no sound device found; connect one, or set audio.sink to wav or null")
        names = ", ".join(device["name"] for device in devices)
        raise DeviceError(f"no sound device {name!r}; there are: {names}")
    return dict(found[0])


def list_devices() -> list[tuple[str, bool]]:
    """Name of every output, and whether it is the default; raises DeviceError."""
    sounddevice = DeviceSink(AudioConfig()).sounddevice()
    default = find_device(sounddevice, None)["index"]
    outputs = [device for device in sounddevice.query_devices() if device["max_output_channels"] > 0]
    return [(device["name"], device["index"] == default) for device in outputs]


class WavSink:
    """One WAV file per announcement, as fast as it can be made."""

    can_resume = False

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
    """Silence that takes as long as speech: for boxes without a loudspeaker, tests and, at a higher *pace*, soak runs."""

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

    def probe(self) -> None:
        pass

    def wanted_rate(self, sample_rate: int) -> int:
        return sample_rate

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
    return DeviceSink(config)
