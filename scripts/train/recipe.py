"""What to train: folders of recordings, one speaker each, and the settings of a training."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.train.emotions import check_emotions

LICENCE_FILE = "LICENCE"
"""Beside weights to start from: their licence (SPDX) in the first line, whom they learned from in the second."""

SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus")
FEWEST_TEXTS = 10
"""Of a speaker, for a tenth to be held out. For a voice that pleases, a thousand."""


class RecipeError(ValueError):
    """A recipe or a folder of recordings cannot be used; says what was found and what would have worked."""


@dataclass(frozen=True)
class Utterance:
    """A recording and its text. A joined one has several of both, said one after the other."""

    id: str
    """speaker/name, unique."""

    speaker: str
    texts: tuple[str, ...]
    sounds: tuple[Path, ...]
    is_held_out: bool = False
    """Never trained on: what the evaluation compares with."""


@dataclass(frozen=True)
class Corpus:
    """One folder of recordings: speaker.yaml, metadata.csv (name|text, as LJSpeech has it), and the sound files beside
    it or in wavs/."""

    folder: Path
    speaker: str
    language: str
    """BCP-47."""

    licence: str
    source: str = ""
    denoise: bool = False
    """For recordings with steady room noise; clean ones lose a little by it."""

    join: int = 1
    """For recordings of single words: as many as this are joined at random, so that the model hears what the middle of
    a sentence is."""

    like: str = ""
    """The speaker of the training to start from whose voice this one grows from; else one of the same name, or the
    first."""

    joined_pace: float = 0.62
    """Words are said slower than sentences: joined ones last this share of what they did."""

    def __post_init__(self) -> None:
        # It names files, and tables of other programs.
        if not re.fullmatch(r"[A-Za-z0-9][\w-]*", self.speaker):
            raise ValueError(f"speaker {self.speaker!r} should be of letters, digits, _ and -")
        if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]+)*", self.language):
            raise ValueError(f"language {self.language!r} should be a tag such as de-DE")
        if self.join < 1:
            raise ValueError(f"join must be at least 1, not {self.join}")

    def texts(self) -> dict[str, str]:
        """Name → text. Raises RecipeError."""
        path = self.folder / "metadata.csv"
        if not path.is_file():
            raise RecipeError(f"{path} is missing: one line for each recording, its name | its text")
        try:
            written = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise RecipeError(f"{path} is not UTF-8: {error}") from error
        found: dict[str, str] = {}
        stems: set[str] = set()
        lines = csv.reader(io.StringIO(written), delimiter="|", quoting=csv.QUOTE_NONE)
        for number, row in enumerate(lines, 1):
            if not row or not row[0].strip():
                continue
            # LJSpeech's third column is its second with the numbers written out, which the front end does anyway.
            text = row[1].strip() if len(row) > 1 else ""
            name = row[0].strip()
            if not text:
                raise RecipeError(f"{path} line {number}: {name!r} has no text; wanted: name|text")
            if _stem(name) in stems:
                raise RecipeError(f"{path} line {number}: {_stem(name)!r} is there twice")
            stems.add(_stem(name))
            found[name] = text
        if len(set(found.values())) < FEWEST_TEXTS:
            raise RecipeError(f"{path} has {len(set(found.values()))} texts; wanted {FEWEST_TEXTS} or more")
        return found

    def sound(self, name: str) -> Path | None:
        for folder in (self.folder / "wavs", self.folder):
            for candidate in (name, *(name + suffix for suffix in SOUND_SUFFIXES)):
                path = folder / candidate
                if path.suffix.lower() in SOUND_SUFFIXES and path.is_file():
                    return path
        return None


def _stem(name: str) -> str:
    """Without the folder and the ending of a sound file; "anna.0001" has none."""
    path = Path(name)
    return path.stem if path.suffix.lower() in SOUND_SUFFIXES else path.name


@dataclass(frozen=True)
class Steps:
    """How long each network learns; a step is one batch."""

    align: int = 3000
    prosody: int = 3000
    acoustic: int = 12000
    sharpen: int = 4000
    vocoder: int = 12000
    joint: int = 8000

    def __post_init__(self) -> None:
        for name, n in vars(self).items():
            if n < 1:
                raise ValueError(f"{name} must be at least 1, not {n}")


PACES = {
    "quick": Steps(align=1500, prosody=1500, acoustic=1500, sharpen=500, vocoder=1500, joint=800),
    "normal": Steps(),
    "long": Steps(align=5000, prosody=6000, acoustic=40000, sharpen=12000, vocoder=60000, joint=40000),
}
"""How long to learn, by name. Of one core of a PC: two hours, to hear whether all is well; half a day; two days."""


@dataclass(frozen=True)
class Recipe:
    name: str
    corpora: tuple[Corpus, ...]
    steps: Steps = field(default_factory=Steps)
    start_from: Path | None = None
    """A folder with the checkpoints and frontend.json of another training, whose speakers may be others."""

    held_out: int = 20
    """Texts of each speaker kept for the evaluation; at most a tenth."""

    seed: int = 0
    emotions: dict[str, dict[str, float]] = field(default_factory=dict)
    gain_db: float = 4.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name):
            raise ValueError(
                f"the voice's name is {self.name!r}; wanted letters, digits, _, - and . (--name)"
            )
        names = [corpus.speaker for corpus in self.corpora]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(
                f"two folders are of the speaker {', '.join(sorted(twice))}; wanted one for each speaker"
            )
        if self.held_out < 1:
            raise ValueError(f"held_out must be at least 1, not {self.held_out}")
        check_emotions(self.emotions)
        if self.start_from:
            for name in ("frontend.json", "acoustic.pt"):
                if not (self.start_from / name).is_file():
                    raise ValueError(f"start_from: {self.start_from / name} is missing")
            for corpus in (each for each in self.corpora if each.like):
                known = self._speakers_to_start_from
                if corpus.like not in known:
                    raise ValueError(
                        f"{corpus.speaker} is like {corpus.like!r}, whom {self.start_from} does not know; known:"
                        f" {', '.join(known)}"
                    )

    @property
    def _speakers_to_start_from(self) -> dict[str, int]:
        if not self.start_from:
            return {}
        document = json.loads((self.start_from / "frontend.json").read_text(encoding="utf-8"))
        return dict(document["speakers"])

    @property
    def rows_to_start_from(self) -> list[int]:
        """Of each speaker: whose row of the embedding in the weights to start from."""
        known = self._speakers_to_start_from
        return [known.get(corpus.like or corpus.speaker, 0) for corpus in self.corpora]

    @property
    def inherited(self) -> list[str]:
        """The licence of the weights to start from, and whom they learned from; nothing if it is not known."""
        path = self.start_from / LICENCE_FILE if self.start_from else None
        return path.read_text(encoding="utf-8").strip().splitlines()[:2] if path and path.is_file() else []

    @property
    def licences(self) -> list[str]:
        """SPDX, of all that the voice learned from."""
        return [*(corpus.licence for corpus in self.corpora), *self.inherited[:1]]

    @property
    def speakers(self) -> dict[str, int]:
        return {corpus.speaker: number for number, corpus in enumerate(self.corpora)}

    def corpus(self, speaker: str) -> Corpus:
        return next(corpus for corpus in self.corpora if corpus.speaker == speaker)

    def utterances(self) -> Iterator[Utterance]:
        """All recordings, one after the other. Raises RecipeError for those that are listed but not there."""
        for corpus in self.corpora:
            texts = corpus.texts()
            held_out = _held_out(texts, self.held_out)
            missing = []
            for name, text in texts.items():
                sound = corpus.sound(name)
                if sound is None:
                    missing.append(name)
                else:
                    identity = f"{corpus.speaker}/{_stem(name)}"
                    yield Utterance(identity, corpus.speaker, (text,), (sound,), text in held_out)
            if missing:
                raise RecipeError(
                    f"{corpus.folder}: metadata.csv lists {len(missing)} recordings that are not there, the first is"
                    f" {missing[0]!r}; wanted a file of that name ending in {', '.join(SOUND_SUFFIXES)}"
                )


def _held_out(texts: dict[str, str], n: int) -> set[str]:
    """The texts kept back, by their hash: the same whatever else is there. Twice recorded, both are kept back."""
    different = sorted(set(texts.values()), key=lambda text: hashlib.sha256(text.encode()).digest())
    return set(different[: min(n, len(different) // 10)])
