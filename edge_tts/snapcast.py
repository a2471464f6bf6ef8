"""A Snapcast server, which plays in several rooms at once. Used on the playback thread."""

from __future__ import annotations

import os
import select
import socket
import stat
import time
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from edge_tts.audio import to_pcm16
from edge_tts.config import AudioConfig
from edge_tts.errors import DeviceError

SAMPLE_RATE = 48000
N_CHANNELS = 2
"""Snapcast's own default, sampleformat=48000:16:2; a stream cannot change its format."""

CONNECT_S = 3.0
STALL_S = 2.0
"""The server reads at the pace of speech; one that takes nothing for so long hangs, or listens to somebody else."""

PIPE_S = 0.25
"""A server that finds nobody at the other end of its pipe looks again after 100 ms."""

RETURN_S = 3.0
"""A server that was started again has no clients at first: they look for it once a second, and then get in step."""

SEND_BUFFER_BYTES = 32768
"""Else the kernel holds half a minute, and a stop would be heard that much later."""

SILENCE_S = 0.04

MURMUR = 1
"""Of 32767, in place of zero: a server that reads zeros for 100 ms thinks that we have ended, and `meta` streams
switch to music in the middle of a sentence."""


class SnapcastSink:
    """Feeds a source of the server as fast as it is heard, with what it holds unheard known to the millisecond."""

    can_resume = True

    def __init__(self, config: AudioConfig) -> None:
        self._config = config.snapcast
        self._sample_rate = config.sample_rate or SAMPLE_RATE
        self._ahead_s = config.buffer_ms / 1000
        self._descriptor = -1
        self._was_lost = False
        """While it played: what is sent next must wait for the clients."""

        self._read_until_s: float | None = None
        """When the server will have read all; None: at rest."""

    @property
    def patience_s(self) -> float:
        return self._config.buffer_ms / 1000 + self._ahead_s + STALL_S + 1.0

    def probe(self) -> None:
        if self._descriptor < 0:
            os.close(self._open())

    def wanted_rate(self, sample_rate: int) -> int:
        return self._sample_rate

    def lead_in_s(self) -> float:
        return 0.0

    def ahead_s(self) -> float | None:
        read_s = 0.0 if self._read_until_s is None else max(0.0, self._read_until_s - time.monotonic())
        return read_s + self._config.buffer_ms / 1000

    def start(self, name: str, sample_rate: int) -> None:
        if sample_rate != self._sample_rate:
            raise DeviceError(f"the Snapcast stream is of {self._sample_rate} Hz, not {sample_rate}")
        if self._descriptor < 0:
            self._descriptor = self._open()
        if self._was_lost:
            time.sleep(RETURN_S)
        self._was_lost = False
        self._read_until_s = None

    def _open(self) -> int:
        config = self._config
        try:
            if config.source_pipe:
                return _open_pipe(config.source_pipe)
            connection = socket.create_connection(config.source_address, CONNECT_S)
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            return connection.detach()
        except OSError as error:
            raise DeviceError(
                f"no Snapcast server reads {config.source} ({error.strerror or error}): is it running, with such "
                f"a source in its configuration, and audio.snapcast.source the same?"
            ) from error

    def write(self, samples: NDArray[np.float32]) -> bool:
        now_s = time.monotonic()
        until_s = now_s if self._read_until_s is None else self._read_until_s
        ran_dry = now_s > until_s
        self._read_until_s = max(now_s, until_s) + len(samples) / self._sample_rate
        self._send(samples)
        time.sleep(max(0.0, self._read_until_s - self._ahead_s - time.monotonic()))
        return ran_dry

    def _send(self, samples: NDArray[np.float32]) -> None:
        pcm = np.frombuffer(to_pcm16(samples), "<i2").repeat(N_CHANNELS)
        left = memoryview(np.where(pcm == 0, np.int16(MURMUR), pcm).astype("<i2").tobytes())
        give_up_s = time.monotonic() + STALL_S
        self._was_lost = True
        try:
            while left:
                left = left[self._send_some(left, give_up_s) :]
        except OSError as error:
            raise DeviceError(f"the Snapcast server is gone ({error.strerror or error})") from error
        self._was_lost = False

    def _send_some(self, pcm: memoryview, give_up_s: float) -> int:
        left_s = give_up_s - time.monotonic()
        both = [self._descriptor]
        readable, writable, _ = select.select(both, both, [], max(0.0, left_s))
        # It never says anything: what can be read is the end of the connection, or what a stranger sends.
        if readable and not self._config.source_pipe and not os.read(self._descriptor, 4096):
            raise DeviceError("the Snapcast server has closed the connection")
        if left_s < 0 and not writable:
            raise DeviceError(
                f"the Snapcast server has read nothing for {STALL_S:.0f} s: does it hang, or does another box feed "
                f"{self._config.source}?"
            )
        with suppress(BlockingIOError):
            return os.write(self._descriptor, pcm) if writable else 0
        return 0

    def rest(self) -> None:
        """What was read last is still on its way to the clients, and an encoder waits for more before it sends it."""
        if self._read_until_s is None:
            return
        silence = np.zeros(round(SILENCE_S * self._sample_rate), np.float32)
        heard_s = self._read_until_s + self._config.buffer_ms / 1000
        while self._read_until_s < heard_s:
            self.write(silence)
        time.sleep(max(0.0, heard_s - time.monotonic()))
        self._read_until_s = None

    def finish(self) -> None:
        self.rest()

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        self._read_until_s = None
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)


def _open_pipe(path: str) -> int:
    """Raises OSError unless somebody reads it."""
    both_ends = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        if not stat.S_ISFIFO(os.fstat(both_ends).st_mode):
            raise OSError(0, "it is no pipe")
        time.sleep(PIPE_S)
        end = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    finally:
        os.close(both_ends)
    poll = select.poll()
    poll.register(end, select.POLLOUT)
    if any(event & select.POLLERR for _, event in poll.poll(0)):
        os.close(end)
        raise OSError(0, "nobody reads it")
    return end
