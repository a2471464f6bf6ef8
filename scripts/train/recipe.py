"""What to train: folders of recordings, one speaker each, and the settings of a training."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

_T = TypeVar("_T")
SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus")


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

    def texts(self) -> dict[str, str]:
        """Name → text. Raises RecipeError."""
        path = self.folder / "metadata.csv"
        if not path.is_file():
            raise RecipeError(f"{path} is missing: one line for each recording, its name | its text")
        found: dict[str, str] = {}
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for number, row in enumerate(csv.reader(lines, delimiter="|", quoting=csv.QUOTE_NONE), 1):
                if not row or not row[0].strip():
                    continue
                # LJSpeech's third column is its second with the numbers written out, which the front end does anyway.
                text = row[1].strip() if len(row) > 1 else ""
                name = row[0].strip()
                if not text:
                    raise RecipeError(f"{path} line {number}: {name!r} has no text; wanted: name|text")
                if name in found:
                    raise RecipeError(f"{path} line {number}: {name!r} is there twice")
                found[name] = text
        return found

    def sound(self, name: str) -> Path | None:
        for folder in (self.folder / "wavs", self.folder):
            for candidate in (name, *(name + suffix for suffix in SOUND_SUFFIXES)):
                path = folder / candidate
                if path.suffix.lower() in SOUND_SUFFIXES and path.is_file():
                    return path
        return None


@dataclass(frozen=True)
class Steps:
    """How long each network learns; a step is one batch."""

    align: int = 3000
    acoustic: int = 12000
    sharpen: int = 4000
    vocoder: int = 12000
    joint: int = 8000


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
                    identity = f"{corpus.speaker}/{Path(name).stem}"
                    yield Utterance(identity, corpus.speaker, (text,), (sound,), text in held_out)
            if missing:
                raise RecipeError(
                    f"{corpus.folder}: metadata.csv lists {len(missing)} recordings that are not there, the first is"
                    f" {missing[0]!r}; wanted a file of that name ending in {', '.join(SOUND_SUFFIXES)}"
                )


def _held_out(texts: dict[str, str], n: int) -> set[str]:
    """The texts kept back, by their hash: the same whatever else is in the folder. Twice recorded, both are kept back."""
    different = sorted(set(texts.values()), key=lambda text: hashlib.sha256(text.encode()).digest())
    return set(different[: min(n, len(different) // 10)])


def read_corpus(folder: Path) -> Corpus:
    """Raises RecipeError."""
    path = folder / "speaker.yaml"
    if not path.is_file():
        raise RecipeError(f"{path} is missing; wanted: speaker, language and licence, one per line")
    document = _mapping(path)
    for key in ("speaker", "language", "licence"):
        if not isinstance(document.get(key), str):
            raise RecipeError(f"{path} has no {key}; wanted: speaker, language and licence, one per line")
    return _filled(Corpus, {**document, "folder": folder}, path)


def read_recipe(path: Path) -> Recipe:
    """Paths in it are relative to it. Raises RecipeError."""
    document = _mapping(path)
    folders = document.pop("corpora", None)
    if not isinstance(folders, list) or not folders:
        raise RecipeError(f"{path} has no corpora; wanted a list of folders")
    values = dict(document)
    values["corpora"] = tuple(read_corpus(path.parent / str(folder)) for folder in folders)
    values["steps"] = _filled(Steps, document.get("steps") or {}, path)
    if values.get("start_from"):
        values["start_from"] = path.parent / str(values["start_from"])
    values.setdefault("name", path.stem)
    return checked(_filled(Recipe, values, path))


def checked(recipe: Recipe) -> Recipe:
    """Raises RecipeError if two folders are of one speaker."""
    names = [corpus.speaker for corpus in recipe.corpora]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise RecipeError(f"two folders are of the speaker {', '.join(sorted(twice))}; wanted one for each speaker")
    return recipe


def _mapping(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise RecipeError(f"{path} is no mapping of names to values")
    return document


def _filled(kind: type[_T], values: dict[str, Any], path: Path) -> _T:
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise RecipeError(f"{path} has the unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    return kind(**values)
