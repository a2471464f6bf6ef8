"""The bundled chimes: struck bars and bells, each partial a sine that dies away."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_tts.audio import write_wav
from edge_tts.speech import Audio

SAMPLE_RATE = 48000
DURATION_S = 1.0
"""A voice that waits longer for its chime seems slow."""

PEAK = 10 ** (-7 / 20)
ATTACK_S = 0.004
"""A strike that begins at once would click."""

RELEASE_S = 0.15


@dataclass(frozen=True, slots=True)
class Partial:
    ratio: float
    """Of its frequency to the note's."""

    level: float
    decay_s: float
    """Until it is 1/e as loud."""


@dataclass(frozen=True, slots=True)
class Note:
    start_s: float
    frequency_hz: float
    level: float = 1.0


BAR = (Partial(1.0, 1.0, 0.21), Partial(2.0, 0.18, 0.16), Partial(3.98, 0.22, 0.09), Partial(9.1, 0.02, 0.03))
"""A metal bar tuned as a vibraphone's."""

WOOD = (Partial(1.0, 1.0, 0.15), Partial(3.93, 0.16, 0.035), Partial(9.3, 0.025, 0.015))
"""A marimba's bar under a soft mallet."""

BELL = (
    Partial(0.5, 0.25, 0.30),
    Partial(1.0, 1.0, 0.26),
    Partial(1.2, 0.30, 0.20),
    Partial(1.5, 0.20, 0.16),
    Partial(2.0, 0.50, 0.16),
    Partial(2.51, 0.12, 0.09),
    Partial(3.0, 0.10, 0.07),
    Partial(4.16, 0.06, 0.04),
)
"""Hum, prime, tierce, quint, nominal and what is above; beside it the same a little higher, so that it beats."""

CHIMES: dict[str, tuple[tuple[Partial, ...], tuple[Note, ...]]] = {
    "bell": (BELL, (Note(0.0, 698.46), Note(0.0, 699.66, 0.6))),
    "gong": (BAR, (Note(0.0, 659.26), Note(0.36, 523.25))),
    "soft": (WOOD, (Note(0.0, 392.0, 0.8), Note(0.12, 523.25, 0.9), Note(0.24, 659.26))),
}


def chime(partials: tuple[Partial, ...], notes: tuple[Note, ...]) -> Audio:
    n_samples = round(DURATION_S * SAMPLE_RATE)
    sound = np.zeros(n_samples)
    for note in notes:
        start = round(note.start_s * SAMPLE_RATE)
        sound[start:] += note.level * struck(partials, note.frequency_hz, n_samples - start)
    n_release = round(RELEASE_S * SAMPLE_RATE)
    sound[-n_release:] *= 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, n_release))
    sound *= PEAK / np.abs(sound).max()
    return Audio(sound.astype(np.float32), SAMPLE_RATE)


def struck(partials: tuple[Partial, ...], frequency_hz: float, n_samples: int) -> NDArray[np.float64]:
    seconds = np.arange(n_samples) / SAMPLE_RATE
    sound = np.zeros(n_samples)
    for partial in partials:
        sine = np.sin(2 * np.pi * partial.ratio * frequency_hz * seconds)
        sound += partial.level * np.exp(-seconds / partial.decay_s) * sine
    n_attack = round(ATTACK_S * SAMPLE_RATE)
    sound[:n_attack] *= 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, n_attack))
    return sound


def main(folder: Path) -> None:
    for name, (partials, notes) in CHIMES.items():
        write_wav(folder / f"{name}.wav", chime(partials, notes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
