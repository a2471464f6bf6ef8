"""Sound that a caller gives in place of text: a file, or a stream that is still on its way. On the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable

import numpy as np

from edge_tts.audio import from_pcm16, to_pcm16
from edge_tts.errors import (
    BadSoundError,
    SoundBrokenOffError,
    SoundsFullError,
    SoundTooLongError,
    SpeechError,
)
from edge_tts.speech import Audio, Piece

MAX_BYTES = 16 << 20
"""Of one sound, as mono 16-bit: six minutes at 22 050 Hz."""

MAX_BYTES_TOGETHER = 3 * MAX_BYTES
"""Of all that wait."""

STALL_S = 10.0
"""So long the loudspeaker waits for the rest of a stream."""

BEGIN_S = 0.3
"""So much of a stream is there before it begins: a network does not deliver evenly."""

_LEAST_RATE, _MOST_RATE = 4000, 192_000
_WIDTHS_BYTES = {1: "u1", 2: "<i2", 4: "<i4"}
_MAX_CHANNELS = 8
_PIECE_BYTES = 1 << 15


class GivenSound:
    """Played by `Service.submit(request, sound=…)`, which may begin before the sound is complete."""

    def __init__(self, sample_rate: int, *, stall_s: float = STALL_S) -> None:
        """Raises BadSoundError."""
        if not _LEAST_RATE <= sample_rate <= _MOST_RATE:
            raise BadSoundError(f"a sample rate of {sample_rate}; taken are {_LEAST_RATE} to {_MOST_RATE} Hz")
        self._sample_rate = sample_rate
        self._stall_s = stall_s
        self._pcm = bytearray()
        self._is_complete = False
        self._error: SpeechError | None = None
        self._changed = asyncio.Event()

    @property
    def reserved_bytes(self) -> int:
        """What it takes in memory, or may still grow to."""
        return len(self._pcm) if self._is_complete else MAX_BYTES

    @property
    def is_whole(self) -> bool:
        """All of it is here."""
        return self._is_complete and self._error is None

    def add(self, pcm: bytes) -> None:
        """More of it, mono 16-bit little-endian. Raises SoundTooLongError; it has failed then."""
        if len(self._pcm) + len(pcm) > MAX_BYTES:
            error = SoundTooLongError(MAX_BYTES // 2 / self._sample_rate)
            self.fail(error)
            raise error
        self._pcm += pcm
        self._changed.set()

    def finish(self) -> None:
        """That was all."""
        self._is_complete = True
        self._changed.set()

    def fail(self, error: SpeechError) -> None:
        """It ends here and is not heard to where it broke off, unless it was complete."""
        if not self._is_complete:
            self._error = error
            self.finish()

    async def pieces(self, repeat: int) -> AsyncGenerator[Piece, None]:
        """Its sound *repeat* times, from the start. Raises what `fail` was given, SoundBrokenOffError when the rest
        does not come, and BadSoundError if there is none."""
        for _ in range(repeat):
            position = 0
            while await self._has_more(position, 0 if position else round(BEGIN_S * self._sample_rate)):
                pcm = bytes(self._pcm[position : position + _PIECE_BYTES])
                pcm = pcm[: len(pcm) // 2 * 2]
                position += len(pcm)
                yield Piece(Audio(from_pcm16(pcm), self._sample_rate), 0, 1)

    async def _has_more(self, position: int, n_samples: int) -> bool:
        """Wait until there is a sample, and *n_samples*, from *position* on (True), or none will come."""
        while len(self._pcm) < position + 2 * max(1, n_samples) and not self._is_complete:
            self._changed.clear()
            try:
                async with asyncio.timeout(self._stall_s):
                    await self._changed.wait()
            except TimeoutError as error:
                raise SoundBrokenOffError(f"nothing came for {self._stall_s:g} s") from error
        if self._error is not None:
            raise self._error
        if len(self._pcm) < 2:
            raise BadSoundError("not a sample")
        return len(self._pcm) >= position + 2


def check_room(sounds: Iterable[GivenSound | None]) -> None:
    """Raises SoundsFullError if *sounds*, which wait, leave no memory for another."""
    held_bytes = sum(sound.reserved_bytes for sound in sounds if sound is not None)
    if held_bytes + MAX_BYTES > MAX_BYTES_TOGETHER:
        raise SoundsFullError(MAX_BYTES_TOGETHER)


def mono16(pcm: bytes, width_bytes: int, n_channels: int) -> bytes:
    """Whole frames of integer samples, as in a WAV, mixed to mono 16-bit. Raises BadSoundError."""
    if width_bytes not in _WIDTHS_BYTES or not 1 <= n_channels <= _MAX_CHANNELS:
        raise BadSoundError(
            f"{n_channels} channels of {width_bytes} bytes; taken are 1 to {_MAX_CHANNELS} channels of 1, 2 or 4 bytes"
        )
    if len(pcm) % (width_bytes * n_channels):
        raise BadSoundError(f"{len(pcm)} bytes are no whole frames of {n_channels} x {width_bytes} bytes")
    if (width_bytes, n_channels) == (2, 1):
        return pcm
    frames = np.frombuffer(pcm, _WIDTHS_BYTES[width_bytes]).reshape(-1, n_channels).astype(np.float32)
    if width_bytes == 1:
        frames -= 128
    return to_pcm16(frames.mean(axis=1) / np.float32(1 << (8 * width_bytes - 1)))


def sound_of_file(content: bytes) -> GivenSound:
    """A WAV or any other file that libsndfile knows, mixed to mono. Takes its time: by `asyncio.to_thread`. Raises
    BadSoundError or SoundTooLongError."""
    import soundfile  # only here: most boxes never get one

    # Not a BytesIO: libsndfile's callbacks need memory that the unit forbids (sound_files).
    descriptor = os.memfd_create("sound", os.MFD_CLOEXEC)
    try:
        os.pwrite(descriptor, content, 0)
        with soundfile.SoundFile(f"/proc/self/fd/{descriptor}") as file:
            sound = GivenSound(file.samplerate)
            # Block by block: a small FLAC may be days of silence.
            for block in file.blocks(1 << 16, dtype="float32", always_2d=True):
                sound.add(to_pcm16(block.mean(axis=1)))
    except (soundfile.LibsndfileError, OSError, ValueError) as error:
        raise BadSoundError(f"no sound file that can be read: {error}") from error
    finally:
        os.close(descriptor)
    sound.finish()
    return sound
