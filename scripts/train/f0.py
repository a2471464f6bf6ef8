"""Stage f0: the pitch of each frame, its voicing cleaned, and each speaker's range.

DIO finds it, StoneMask refines it (Morise et al. 2009 and 2010; the WORLD vocoder's own code).
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyworld
from numpy.typing import NDArray

from edge_tts.models.source_filter import HOP
from scripts.train import pictures
from scripts.train.features import SAMPLE_RATE, Floats, read_sound
from scripts.train.phonemes import Spoken, read_spoken
from scripts.train.stage import Work, for_each, whole, write_json
from scripts.train.synthesis import Source, source_of

LOWEST_HZ, HIGHEST_HZ = 60.0, 450.0
"""A low male voice ends its sentences below 70 Hz."""

SHORT_GAP, SHORT_RUN = 2, 3
"""Frames: an unvoiced gap this short is a lost period; a voiced run this short is a chance find."""

OCTAVE = 0.8
"""In octaves from the run's median: such a jump is the half or the double of the pitch."""


@dataclass(frozen=True)
class Range:
    """A speaker's pitch, as frontend.json has it: ln Hz."""

    log_f0_median: float
    log_f0_std: float


def f0(work: Work) -> None:
    """Writes a file for each utterance with its pitch and the phase of its fundamental; and ranges.json."""
    folder = work.stage("f0")
    spoken = read_spoken(work)
    task = functools.partial(_one, sounds=work.stage("clean"), folder=folder)
    for_each(work, "f0", task, spoken, lambda each: _target(folder, each.id))
    logs = {}
    for speaker in work.recipe.speakers:
        hertz = np.concatenate([read_f0(work, each.id) for each in spoken if each.speaker == speaker])
        logs[speaker] = np.log(hertz[hertz > 0])
    write_json(
        folder / "ranges.json",
        {
            name: {"log_f0_median": float(np.median(each)), "log_f0_std": float(each.std())}
            for name, each in logs.items()
        },
    )
    pictures.pitch_ranges(folder / "f0.png", {name: np.exp(each) for name, each in logs.items()})


def read_source(work: Work, identity: str) -> Source:
    with np.load(_target(work.stage("f0"), identity)) as arrays:
        return Source(**arrays)


def read_f0(work: Work, identity: str) -> Floats:
    return read_source(work, identity).f0_hz


def read_ranges(work: Work) -> dict[str, Range]:
    document = json.loads((work.stage("f0") / "ranges.json").read_text(encoding="utf-8"))
    return {name: Range(**each) for name, each in document.items()}


def _target(folder: Path, identity: str) -> Path:
    return folder / f"{identity}.npz"


def _one(spoken: Spoken, sounds: Path, folder: Path) -> None:
    samples = read_sound(sounds / f"{spoken.id}.flac")
    source = source_of(samples, pitch(samples))
    whole(_target(folder, spoken.id), lambda part: np.savez(part, **vars(source)))


def pitch(samples: Floats) -> Floats:
    """[n_frames], Hz, 0 where unvoiced; frame i centred on sample (i + ½) · HOP, as the pulses at run time are."""
    n_frames = len(samples) // HOP
    shifted = np.append(samples[HOP // 2 :], np.zeros(HOP, np.float32)).astype(np.float64)
    found, times = pyworld.dio(
        shifted, SAMPLE_RATE, f0_floor=LOWEST_HZ, f0_ceil=HIGHEST_HZ, frame_period=1000 * HOP / SAMPLE_RATE
    )
    refined = pyworld.stonemask(shifted, found, times, SAMPLE_RATE)[:n_frames]
    return cleaned(np.append(refined, np.zeros(n_frames - len(refined))))


def cleaned(hertz: NDArray[np.float64]) -> Floats:
    """Short gaps filled, short runs dropped, octave jumps put right."""
    hertz = hertz.copy()
    for start, end in _runs(hertz == 0):
        if start > 0 and end < len(hertz) and end - start <= SHORT_GAP:
            hertz[start:end] = np.interp(range(start, end), [start - 1, end], [hertz[start - 1], hertz[end]])
    for start, end in _runs(hertz > 0):
        if end - start <= SHORT_RUN:
            hertz[start:end] = 0
            continue
        run = hertz[start:end]
        octaves = np.log2(run / np.median(run))
        run[octaves > OCTAVE] /= 2
        run[octaves < -OCTAVE] *= 2
    return hertz.astype(np.float32)


def _runs(is_in: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_in, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
