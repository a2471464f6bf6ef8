"""What differs between the generations of CosyVoice: their graphs, and how those are run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_tts.cache import Embedding
from edge_tts.models.cosyvoice_speech import Backbone
from edge_tts.models.session import Session

Floats = NDArray[np.float32]

StageInputs = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Stage → role of a graph → its inputs."""

N_MELS = 80
HOP_SAMPLES = 480
COLUMNS_PER_FRAME = 120
FRAMES_PER_TOKEN = 2


class Opened(Protocol):
    """The graphs of a voice, open while they are needed."""

    tables: Mapping[str, Floats]
    """Role → what lies in a file of numbers."""

    def stage(self, name: str) -> dict[str, Session]:
        """Role → graph; not to be kept, another sentence may need the memory. Raises VoiceLoadError."""


@dataclass(frozen=True)
class Conditions:
    """What the flow makes a mel of; F frames of the clip and of what is said."""

    mu: Floats
    """[1, 80, F]."""

    speaker: Floats
    """[1, 80]."""

    cond: Floats
    """[1, 80, F]: the clip's mel, then zeros."""


class Hift(Protocol):
    """The vocoder within one text. Raises SynthesisError for graphs of another contract."""

    def see(self, mel: Floats, n_heard: int) -> None:
        """*mel* [80, F] is all that there is so far; *n_heard* frames of it were made into sound before."""

    def sound(self, start: int, end: int) -> Floats:
        """Samples of the frames from *start* to *end* of what was seen."""


@dataclass(frozen=True)
class Layout:
    stages: StageInputs

    tables: tuple[str, ...]
    """Roles of files of numbers (.npy)."""

    highest_hz: float
    """Of the mel."""

    assistant: str
    """What every prompt begins with."""

    has_pronunciations: bool
    """Whether its text tokens can spell a pronunciation."""

    backbone: Callable[[Opened], Backbone]
    conditions: Callable[[Opened, NDArray[np.int64], Embedding], Conditions]
    """Of the speech tokens [n] that are said, and the person who says them."""

    hift: Callable[[Opened, int], Hift]
    """With the frames that it is shown on each side of a piece."""


def first(graph: Session, **inputs: NDArray[np.generic]) -> Floats:
    """The first output of *graph*."""
    return np.asarray(graph.run(inputs)[graph.outputs[0]], np.float32)
