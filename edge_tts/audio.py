"""Sound in memory and in files: gain, fades, streaming resampling, WAV."""

from __future__ import annotations

import math
import struct
import wave
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.speech import Audio


def volume_gain(volume: float) -> float:
    """Linear gain of a volume of 0 to 100: its square, near enough to loudness as heard (50 is -12 dB)."""
    return (min(max(volume, 0.0), 100.0) / 100.0) ** 2


def to_pcm16(samples: NDArray[np.float32]) -> bytes:
    """[n_samples] in [-1, 1] → little-endian 16-bit."""
    return (np.clip(samples, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes()


def from_pcm16(pcm: bytes) -> NDArray[np.float32]:
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32767.0)


def join(pieces: Iterable[Audio], sample_rate: int) -> Audio:
    """*pieces*, all at *sample_rate*, one after the other; no pieces are no samples."""
    samples = [piece.samples for piece in pieces]
    return Audio(np.concatenate(samples) if samples else np.zeros(0, np.float32), sample_rate)


def faded_out(audio: Audio, fade_s: float) -> Audio:
    """The first *fade_s* of *audio*, falling to silence; what follows is cut off."""
    n_samples = min(round(fade_s * audio.sample_rate), len(audio.samples))
    ramp = np.linspace(1, 0, n_samples, dtype=np.float32)
    return replace(audio, samples=audio.samples[:n_samples] * ramp)


def faded_in(audio: Audio, fade_s: float) -> Audio:
    """*audio* with its first *fade_s* rising from silence."""
    n_samples = min(round(fade_s * audio.sample_rate), len(audio.samples))
    samples = audio.samples.copy()
    samples[:n_samples] *= np.linspace(0, 1, n_samples, dtype=np.float32)
    return replace(audio, samples=samples)


class Resampler:
    """One gapless stream at one sample rate, of sound whose own may change: markup may change the voice."""

    def __init__(self, to_rate: int) -> None:
        self._from_rate = self._to_rate = to_rate
        self._stream: Any = None

    def resample(self, audio: Audio) -> Audio:
        """What can be known so far: some milliseconds may stay inside until the next call or `flush`."""
        if audio.sample_rate != self._from_rate:
            before = self.flush()
            self._begin(audio.sample_rate)
            return join([before, self._resampled(audio)], self._to_rate)
        return self._resampled(audio)

    def _begin(self, from_rate: int) -> None:
        self._from_rate = from_rate
        if from_rate != self._to_rate:
            import soxr  # only here: most of what runs at the voice's own rate never needs it

            self._stream = soxr.ResampleStream(from_rate, self._to_rate, 1, dtype="float32", quality="HQ")

    def _resampled(self, audio: Audio) -> Audio:
        if self._stream is None:
            return audio
        return Audio(self._stream.resample_chunk(audio.samples), self._to_rate)

    def flush(self) -> Audio:
        """The rest; what comes after it begins anew."""
        if self._stream is None:
            return Audio(np.zeros(0, np.float32), self._to_rate)
        rest = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        self._from_rate, self._stream = self._to_rate, None
        return Audio(rest, self._to_rate)


def resampled(audio: Audio, sample_rate: int) -> Audio:
    """All of *audio* at *sample_rate*."""
    if audio.sample_rate == sample_rate:
        return audio
    resampler = Resampler(sample_rate)
    return join([resampler.resample(audio), resampler.flush()], sample_rate)


def wav_header(sample_rate: int, n_samples: int | None) -> bytes:
    """Header of a mono 16-bit WAV; None: a stream whose length is not known yet, which players read to its end."""
    n_bytes = 0xFFFFFFFF - 36 if n_samples is None else 2 * n_samples
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(
            b"RIFF",
            36 + n_bytes,
            b"WAVE",
            b"fmt ",
            16,
            1,
            1,
            sample_rate,
            2 * sample_rate,
            2,
            16,
            b"data",
            n_bytes,
        ),
    )


def write_wav(path: Path, audio: Audio) -> None:
    path.write_bytes(wav_header(audio.sample_rate, len(audio.samples)) + to_pcm16(audio.samples))


def read_wav(path: Path) -> Audio:
    """A WAV written by `write_wav`; raises OSError, or ValueError if it is something else."""
    try:
        with wave.open(str(path), "rb") as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2):
                raise ValueError(f"{path}: expected mono 16-bit, found {file.getparams()}")
            pcm = file.readframes(file.getnframes())
            if len(pcm) != 2 * file.getnframes():
                raise ValueError(f"{path}: cut short at {len(pcm)} of {2 * file.getnframes()} bytes")
            return Audio(from_pcm16(pcm), file.getframerate())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: no WAV file: {error}") from error


def read_sound(path: Path, limit_s: float = math.inf) -> Audio:
    """Any file libsndfile knows, mixed to mono; raises OSError, or ValueError for what is none or lasts too long."""
    import soundfile

    try:
        duration_s = soundfile.info(path).duration
        if not duration_s <= limit_s:
            raise ValueError(f"{path.name}: it lasts {duration_s:.0f} s, at most {limit_s:.0f} are played")
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path}: {error}") from error
    return Audio(np.ascontiguousarray(samples.mean(axis=1)), sample_rate)
