"""Enrolled clips: whose voice the families that imitate one shall have.

    state.dir/references/grandma/neutral.wav  neutral.json
                                 happy.wav    happy.json

Only the synth thread, or a command of its own process, writes here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_tts.audio import read_sound, resampled, write_wav
from edge_tts.errors import BadClipError, InvalidFieldError, UnknownReferenceError
from edge_tts.models.packs import recorded
from edge_tts.speech import Audio, Reference

SHORTEST_S, LONGEST_S = 3.0, 30.0
QUIETEST_DB = -45.0
"""RMS of what sounds, against full scale: below it is more noise than voice."""

FULL_SCALE, MOST_CLIPPED = 0.999, 0.001
"""A sample beyond the first is clipped; the second is the share of samples that may be."""

LEAST_SOUNDING = 0.4
"""Share of the clip."""

SILENT_BELOW_PEAK_DB = -40.0
FARTHEST_SEMITONES = 7.0
"""Between the median pitch of the two halves: no reader of one text wanders so far."""

MAX_CLIPS = 200
_FRAME_S = 0.03
_PITCHES_HZ = (60.0, 400.0)
_LEAST_PERIODICITY = 0.6
NEUTRAL = "neutral"


class References:
    """The clips below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, name: str) -> tuple[Reference, ...]:
        """The clips of the person *name*, the neutral one first; raises UnknownReferenceError."""
        found = [clip for clip in self.all() if clip.name == name]
        if not found:
            raise UnknownReferenceError(name, {clip.name for clip in self.all()})
        return tuple(sorted(found, key=lambda clip: (clip.emotion is not None, clip.emotion or "")))

    def all(self) -> list[Reference]:
        """By name and emotion; what a power cut left half is passed over."""
        return list(self._read())

    def _read(self) -> Iterator[Reference]:
        for path in sorted(self._folder.glob("*/*.json")):
            sound = path.with_suffix(".wav")
            try:
                about = json.loads(path.read_text(encoding="utf-8"))
                if sound.is_file():
                    yield Reference(
                        path.parent.name, str(sound), str(about["text"]), str(about["sha256"]),
                        about.get("language"), about.get("emotion"),
                    )  # fmt: skip
            except (OSError, ValueError, KeyError, TypeError):
                continue

    def add(
        self, name: str, clip: Path, text: str, *, language: str | None = None, emotion: str | None = None
    ) -> Reference:
        """Check *clip*, any sound file, and keep it, in place of an older one of that name and emotion. Raises
        BadClipError or InvalidFieldError, and nothing is changed then."""
        emotion = None if emotion in (None, "", NEUTRAL) else emotion
        for field, value in (("name", name), ("emotion", emotion or NEUTRAL)):
            if not re.fullmatch(r"\w[\w-]{0,63}", value):
                raise InvalidFieldError(field, value, "letters, digits, _ and -, 64 at most")
        if not text.strip():
            raise InvalidFieldError("text", text, "the words that are said in the clip")
        audio = checked(clip)
        path = self._folder / name / f"{emotion or NEUTRAL}.wav"
        if not path.exists() and len(self.all()) >= MAX_CLIPS:
            raise BadClipError(f"{MAX_CLIPS} clips are kept already; remove one first")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        write_wav(partial, audio)
        sha256 = hashlib.sha256(partial.read_bytes()).hexdigest()
        kept = Reference(name, str(path), text.strip(), sha256, language, emotion)
        about = {key: value for key, value in asdict(kept).items() if key not in ("name", "path")}
        description = path.with_suffix(".json.part")
        description.write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
        partial.replace(path)
        description.replace(path.with_suffix(".json"))
        return kept

    def add_bytes(
        self, name: str, clip: bytes, text: str, language: str | None, emotion: str | None
    ) -> Reference:
        """`add` of a sound file in memory."""
        # Not a BytesIO: libsndfile's callbacks need memory that the unit forbids (sound_files).
        descriptor = os.memfd_create("clip", os.MFD_CLOEXEC)
        try:
            os.pwrite(descriptor, clip, 0)
            path = Path(f"/proc/self/fd/{descriptor}")
            return self.add(name, path, text, language=language, emotion=emotion)
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> int:
        """Forget all clips of *name*; returns how many. Raises UnknownReferenceError."""
        n_clips = len(self.of(name))
        shutil.rmtree(self._folder / name)
        return n_clips


def checked(clip: Path) -> Audio:
    """The sound of *clip*, mono at its own sample rate; raises BadClipError saying what is wrong with it."""
    try:
        audio = read_sound(clip)
    except (OSError, ValueError) as error:
        raise BadClipError(f"no sound file that can be read: {error}") from error
    if not SHORTEST_S <= audio.duration_s <= LONGEST_S:
        raise BadClipError(
            f"{audio.duration_s:.1f} s long; wanted {SHORTEST_S:.0f} to {LONGEST_S:.0f} s of one person speaking"
        )
    peak = float(np.abs(audio.samples).max())
    clipped = float(np.mean(np.abs(audio.samples) >= FULL_SCALE))
    if clipped > MOST_CLIPPED:
        raise BadClipError(f"{clipped:.1%} of its samples are clipped; record it with less gain")
    frames = _frames(audio)
    levels = np.sqrt(np.mean(frames**2, axis=1))
    sounding = levels > max(peak, 1e-9) * 10 ** (SILENT_BELOW_PEAK_DB / 20)
    level_db = 20 * np.log10(
        max(float(np.sqrt(np.mean(levels[sounding] ** 2))) if sounding.any() else 0, 1e-9)
    )
    if level_db < QUIETEST_DB:
        raise BadClipError(f"its level is {level_db:.0f} dBFS; wanted {QUIETEST_DB:.0f} or more: come nearer")
    if sounding.mean() < LEAST_SOUNDING:
        raise BadClipError(f"only {sounding.mean():.0%} of it is speech; cut the silence off")
    apart = _semitones_between_halves(frames[sounding], audio.sample_rate)
    if apart > FARTHEST_SEMITONES:
        raise BadClipError(f"its halves are {apart:.0f} semitones apart, as of two people; wanted one voice")
    return audio


def _frames(audio: Audio) -> NDArray[np.float32]:
    """[n_frames, n_samples], one after the other."""
    n = round(_FRAME_S * audio.sample_rate)
    return audio.samples[: len(audio.samples) // n * n].reshape(-1, n)


def _semitones_between_halves(frames: NDArray[np.float32], sample_rate: int) -> float:
    """By how much the median pitch of the second half differs from the first's; 0 if one of them has no voiced sound.
    It tells a man from a child or a woman, not two sisters."""
    medians = []
    for half in np.array_split(frames, 2):
        found = [pitch for frame in half if (pitch := _pitch_hz(frame, sample_rate)) is not None]
        if len(found) < 5:
            return 0.0
        medians.append(float(np.median(found)))
    return abs(12 * float(np.log2(medians[1] / medians[0])))


def _pitch_hz(frame: NDArray[np.float32], sample_rate: int) -> float | None:
    """Of the highest peak of the autocorrelation; None if the frame is not periodic."""
    centred = frame - frame.mean()
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: len(centred)]
    # The window shrinks as the lag grows: without this the shortest lag would win.
    correlation /= np.arange(len(centred), 0, -1) * max(correlation[0] / len(centred), 1e-12)
    shortest, longest = int(sample_rate / _PITCHES_HZ[1]), int(sample_rate / _PITCHES_HZ[0])
    lag = shortest + int(np.argmax(correlation[shortest : min(longest, len(correlation) * 3 // 4)]))
    return sample_rate / lag if correlation[lag] > _LEAST_PERIODICITY else None


def sound_of(reference: Reference, sample_rate: int) -> Audio:
    """The clip at *sample_rate*; raises BadClipError if the file is gone or damaged."""
    return resampled(recorded(reference), sample_rate)
