"""Stage mels: the log-mel spectrum of each cleaned recording."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from scripts.train import pictures
from scripts.train.features import Floats, log_mel, read_sound
from scripts.train.phonemes import Spoken, read_spoken
from scripts.train.stage import Work, for_each, whole


def mels(work: Work) -> None:
    """Writes one file per utterance: float16 [n_frames, 80]."""
    folder = work.stage("mels")
    spoken = read_spoken(work)
    task = functools.partial(_one, sounds=work.stage("clean"), folder=folder)
    for_each(work, "mels", task, spoken, lambda each: _target(folder, each.id))
    examples = [
        next(each.id for each in spoken if each.speaker == speaker) for speaker in work.recipe.speakers
    ]
    pictures.spectrograms(
        folder / "mels.png", [(identity, read_mel(work, identity)) for identity in examples]
    )


def read_mel(work: Work, identity: str) -> Floats:
    """[n_frames, 80]"""
    return np.load(_target(work.stage("mels"), identity)).astype(np.float32)  # type: ignore[no-any-return]


def _target(folder: Path, identity: str) -> Path:
    return folder / f"{identity}.npy"


def _one(spoken: Spoken, sounds: Path, folder: Path) -> None:
    mel = log_mel(read_sound(sounds / f"{spoken.id}.flac")).astype(np.float16)
    whole(_target(folder, spoken.id), lambda part: np.save(part, mel))
