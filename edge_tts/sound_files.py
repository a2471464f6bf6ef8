"""Sound as the bytes of a file, made while the sound is: WAV, PCM and what libsndfile writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from edge_tts.audio import Resampler, to_pcm16, wav_header
from edge_tts.errors import SoundTooLargeError, WholeFilesFullError
from edge_tts.speech import Audio

FORMATS = {
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
}
"""Formats callers may ask for → media type."""

MEDIA_TYPES = {**FORMATS, "vorbis": "audio/ogg", "au": "audio/basic", "aiff": "audio/aiff"}
"""All that can be made."""

MAX_WHOLE_BYTES = 32 << 20
"""A quarter of an hour of FLAC: what is not sent while it is made is kept in memory."""

MAX_WHOLE_BYTES_TOGETHER = 2 * MAX_WHOLE_BYTES
"""Of all callers."""

SMALL_BYTES = 1 << 20
"""An announcement of twenty seconds, for which there is always room."""

_SAMPLE_RATES = {
    # Opus knows only divisors of 48 kHz; this is the least that keeps all of a 22 050 Hz voice.
    "opus": (24000,),
    "mp3": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
}
"""Hertz, of formats that do not know every one."""

_CONTAINERS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "opus": ("OGG", "OPUS"),
    "vorbis": ("OGG", "VORBIS"),
    "au": ("AU", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
}
"""Formats → libsndfile's names of container and encoding."""

_PIPED = ("mp3", "opus", "vorbis")
"""Formats whose beginning need not say how long they are."""


_CONSTANT_BITRATE = {"bitrate_mode": "CONSTANT", "compression_level": 0.6}
"""64 kbit/s up to 24 kHz. Of an MP3 that does not say how long it is, players guess it from the first frame."""


class Encoder(Protocol):
    """Sound in, bytes of a file out."""

    kept_bytes: int
    """What of the file is kept in memory until `close`."""

    def write(self, audio: Audio) -> bytes:
        """Add *audio*; returns what can be sent on, perhaps nothing. Raises SoundTooLargeError."""

    def finish(self) -> bytes:
        """The rest."""

    def close(self) -> None: ...


def encoder(format: str, sample_rate: int, *, is_streamed: bool = True) -> Encoder:
    """Of *format*, one of MEDIA_TYPES, for sound of *sample_rate*. Streamed, what a format can tell early comes early;
    else it is a whole file, which says how long it is. To be closed."""
    if format == "pcm" or (format == "wav" and is_streamed):
        return _Plain(format, sample_rate)
    return (_Piped if format in _PIPED and is_streamed else _Whole)(format, sample_rate)


class _Plain:
    """PCM, or a WAV of unknown length."""

    kept_bytes = 0

    def __init__(self, format: str, sample_rate: int) -> None:
        self._head = wav_header(sample_rate, None) if format == "wav" else b""

    def write(self, audio: Audio) -> bytes:
        head, self._head = self._head, b""
        return head + to_pcm16(audio.samples)

    def finish(self) -> bytes:
        return b""

    def close(self) -> None:
        """Nothing is open."""


class _Written:
    """What libsndfile writes to a descriptor."""

    kept_bytes = 0

    def __init__(self, format: str, sample_rate: int, descriptor: int, **settings: Any) -> None:
        """*settings* are libsndfile's."""
        import soundfile

        container, subtype = _CONTAINERS[format]
        known = _SAMPLE_RATES.get(format, (sample_rate,))
        to_rate = next((each for each in known if each >= sample_rate), known[-1])
        self._resampler = Resampler(to_rate)
        self._descriptor = descriptor
        # Not a BytesIO: its callbacks need memory that is writable and executable, which the unit forbids
        # (MemoryDenyWriteExecute); a file without a name needs none.
        self._file: Any = soundfile.SoundFile(
            f"/proc/self/fd/{descriptor}", "w", to_rate, 1, subtype, format=container, **settings
        )

    def close(self) -> None:
        self._file.close()
        os.close(self._descriptor)


class _Whole(_Written):
    """A file in memory, written as its sound comes: hours of speech never exist uncompressed."""

    def __init__(self, format: str, sample_rate: int) -> None:
        super().__init__(format, sample_rate, os.memfd_create("sound", os.MFD_CLOEXEC))

    def write(self, audio: Audio) -> bytes:
        self._file.write(self._resampler.resample(audio).samples)
        self.kept_bytes = os.fstat(self._descriptor).st_size
        if self.kept_bytes > MAX_WHOLE_BYTES:
            raise SoundTooLargeError(MAX_WHOLE_BYTES)
        return b""

    def finish(self) -> bytes:
        self._file.write(self._resampler.flush().samples)
        self._file.close()
        self.kept_bytes = os.fstat(self._descriptor).st_size
        content = os.pread(self._descriptor, self.kept_bytes, 0)
        # Else it would be in memory twice until the caller has read it.
        os.ftruncate(self._descriptor, 0)
        return content


class _Piped(_Written):
    """Sent on as it is written. Into a file libsndfile writes an MP3 with a length, and corrects it at each write."""

    def __init__(self, format: str, sample_rate: int) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        super().__init__(format, sample_rate, writer, **(_CONSTANT_BITRATE if format == "mp3" else {}))

    def write(self, audio: Audio) -> bytes:
        return self._encoded(self._resampler.resample(audio))

    def finish(self) -> bytes:
        rest = self._encoded(self._resampler.flush())
        self._file.close()
        return rest + self._drained()

    def _encoded(self, audio: Audio) -> bytes:
        encoded = b""
        # A second is 40 kB at most. More than 64 kB do not fit into a pipe: it would wait for its reader for ever.
        for start in range(0, len(audio.samples), audio.sample_rate):
            self._file.write(audio.samples[start : start + audio.sample_rate])
            encoded += self._drained()
        return encoded

    def _drained(self) -> bytes:
        try:
            return os.read(self._reader, 1 << 20)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        super().close()
        os.close(self._reader)


class WholeFiles:
    """Those that are kept in memory whole, of all callers. On the event loop."""

    def __init__(self) -> None:
        self._files: set[Encoder] = set()

    @contextmanager
    def kept(self, file: Encoder) -> Iterator[None]:
        """*file* counts inside the block."""
        self._files.add(file)
        try:
            yield
        finally:
            self._files.remove(file)

    def check(self, file: Encoder) -> None:
        """Raises WholeFilesFullError if there is no memory for *file* beside the others."""
        is_full = sum(each.kept_bytes for each in self._files) > MAX_WHOLE_BYTES_TOGETHER
        if is_full and file.kept_bytes > SMALL_BYTES:
            raise WholeFilesFullError(MAX_WHOLE_BYTES_TOGETHER)
