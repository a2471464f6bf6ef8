"""The sound device, by PortAudio. Used on the playback thread."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.audio import to_pcm16
from edge_tts.config import AudioConfig
from edge_tts.errors import DeviceError

TAIL_S = 0.05
"""Silence after speech, besides 1.5 times the device's latency, before a device is stopped."""

HEAD_S = 0.03
"""Silence before the first block: PulseAudio swallows the first 20 ms after a start (measured)."""

STALL_S = 0.9
"""A device that plays makes room within its buffer's length; one that makes none for so much longer plays nothing."""

COLD_STALL_S = 3.0
"""The same for one that wakes: PulseAudio's null sink takes 1.7 s, HDMI and Bluetooth a second or more."""

LEAD_INS_S = {
    r"blue|a2dp": 0.8,
    r"hdmi|displayport": 0.5,
    r"spdif|s/pdif|iec958": 0.3,
}
"""Silence that links of these names swallow when they wake, with the amplifier behind them, at most as a rule."""

CALL_S = 1.0
"""What any call may take besides, on a busy processor."""

LOOK_DEADLINE_S = 5.0

WHO_WE_ARE = {
    "PULSE_PROP": "media.role=Notification",
    "PULSE_PROP_OVERRIDE_application.name": "edge_tts",
    "PIPEWIRE_PROPS": '{ media.role = "Notification", application.name = "edge_tts" }',
}
"""What libpulse and PipeWire tell of our stream: policies that lower music for some roles see us, mixers name us."""

LOOK = "import ctypes; ctypes.CDLL('libportaudio.so.2').Pa_Initialize()"


def look_for_devices() -> None:
    """Raises DeviceError if looking at the sound devices hangs or crashes.

    A process of its own finds that out: it can be killed, a call of this one could not.
    """
    command = [sys.executable, "-I", "-S", "-c", LOOK]
    try:
        looked = subprocess.run(
            command,
            timeout=LOOK_DEADLINE_S,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            f"the sound system does not answer within {LOOK_DEADLINE_S:.0f} s: restart the sound server "
            "(PulseAudio or PipeWire), or plug the device in again"
        ) from error
    except OSError as error:
        raise DeviceError(f"the sound devices cannot be looked at: {error}") from error
    if looked.returncode < 0:
        raise DeviceError(f"looking at the sound devices crashes (signal {-looked.returncode})")


class DeviceSink:
    """The sound device, by PortAudio.

    Blocking writes, no callback: PortAudio's callbacks need memory that is writable and executable, which the
    hardened unit forbids. And only what fits is written, so that no call waits inside a driver: a device that takes
    nothing more is an error that can be mended, a call that does not return is the end of the process.
    """

    can_resume = True

    def __init__(self, config: AudioConfig) -> None:
        self._config = config
        self._stream: Any = None
        self._n_channels = 1
        self._n_room = 0
        """Frames that fit into the empty buffer."""

        self._wrote = False
        self._flows = False
        """Whether the buffer has made room since the device woke."""

        self._is_stale = False
        """The device list may be out of date: PortAudio reads it only when it is initialized."""

        self._is_suspect = True
        """It failed, or has not been used yet: it may hang."""

    @property
    def patience_s(self) -> float:
        buffer_s = self._n_room / self._stream.samplerate if self._stream is not None else 0.0
        return self._stall_s(buffer_s) + 2.5 * buffer_s + CALL_S

    def _stall_s(self, buffer_s: float) -> float:
        return buffer_s + (STALL_S if self._flows else COLD_STALL_S)

    def sounddevice(self) -> Any:
        if self._is_suspect:
            look_for_devices()
            self._is_suspect = False
        for variable, properties in WHO_WE_ARE.items():
            os.environ.setdefault(variable, properties)
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

    def lead_in_s(self) -> float:
        try:
            return lead_in_s(self._device(self.sounddevice())["name"])
        except DeviceError:
            return 0.0

    def ahead_s(self) -> float | None:
        import sounddevice

        if self._stream is None or self._stream.stopped:
            return 0.0
        try:
            n_held = self._n_room - int(self._stream.write_available)
            return max(0.0, n_held / float(self._stream.samplerate))
        except sounddevice.PortAudioError:
            # What is wrong shows when it is written to.
            return 0.0

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
            raise self._failure(f"cannot open {self._name}: {error}") from error

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

    @property
    def _name(self) -> str:
        return self._config.device or "the default device"

    def _failure(self, message: str) -> DeviceError:
        self._is_suspect = True
        return DeviceError(message)

    def _wake(self) -> None:
        if self._stream.stopped:
            self._stream.start()
            self._n_room = self._stream.write_available
            self._flows = self._wrote = False
            self._write_silence(HEAD_S)

    def _write_silence(self, duration_s: float) -> None:
        self._write(bytes(2 * self._n_channels * round(duration_s * self._stream.samplerate)))

    def write(self, samples: NDArray[np.float32]) -> bool:
        import sounddevice

        pcm = to_pcm16(samples if self._n_channels == 1 else np.repeat(samples, self._n_channels))
        try:
            self._wake()
            ran_dry = self._write(pcm)
        except sounddevice.PortAudioError as error:
            raise self._failure(f"{self._name} stopped: {error}") from error
        # Before the first block the buffer is empty by nature. One that ran dry wakes anew.
        ran_dry, self._wrote = ran_dry and self._wrote, True
        self._flows = self._flows and not ran_dry
        return ran_dry

    def _write(self, pcm: bytes) -> bool:
        left, ran_dry = memoryview(pcm), False
        frame_bytes = 2 * self._n_channels
        while left:
            n_bytes = self._wait_for_room(len(left) // frame_bytes) * frame_bytes
            ran_dry |= bool(self._stream.write(left[:n_bytes]))
            left = left[n_bytes:]
        return ran_dry

    def _wait_for_room(self, n_wanted: int) -> int:
        """How many frames fit; at least *n_wanted* or a quarter of the buffer."""
        n_least = max(1, min(n_wanted, self._n_room // 4))
        sample_rate = self._stream.samplerate
        stall_s = self._stall_s(self._n_room / sample_rate)
        give_up_s = time.monotonic() + stall_s
        while (n_frames := int(self._stream.write_available)) < n_least:
            if time.monotonic() > give_up_s:
                raise self._failure(
                    f"{self._name} has played nothing for {stall_s:.1f} s: is it suspended, or its driver stuck?"
                )
            time.sleep(max((n_least - n_frames) / sample_rate, 0.002))
            self._flows = self._flows or self._stream.write_available > n_frames
        return n_frames

    def rest(self) -> None:
        import sounddevice

        # PortAudio stops ALSA without waiting for PulseAudio's part of the buffer: 150 ms of a word were lost at
        # a buffer of 120 ms. What is lost must be silence, so as much silence is written first.
        try:
            self._write_silence(self._stream.latency * 1.5 + TAIL_S)
            self._stream.stop()
        except sounddevice.PortAudioError as error:
            raise self._failure(f"{self._name} stopped: {error}") from error

    def finish(self) -> None:
        self.rest()

    def close(self) -> None:
        stream, self._stream = self._stream, None
        self._is_stale = True
        if stream is not None:
            stream.close(ignore_errors=True)


def lead_in_s(name: str) -> float:
    """For the device of that name; 0 for one that says nothing, as a sound server's."""
    return next((lead_s for kind, lead_s in LEAD_INS_S.items() if re.search(kind, name, re.IGNORECASE)), 0.0)


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
