"""A stage's folder: what it made, whether it is finished, and how it goes on after a power cut.

    build/train/NAME/clean/…        one file per utterance, or a checkpoint every so often
    build/train/NAME/clean/done.json  what it was made from; written last

A file is there whole or not at all. A stage whose ingredients (settings, or a stage before it) have changed starts
anew.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from scripts.train.recipe import Recipe, Utterance

_T = TypeVar("_T")


@dataclass(frozen=True)
class Settings:
    """How this run works, without influence on what comes out."""

    device: str = "cpu"
    workers: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    picture_every: int = 500
    """Steps between two pictures and samples of a training."""

    checkpoint_every: int = 100


@dataclass(frozen=True)
class Work:
    """One training: its recipe and its folder."""

    recipe: Recipe
    folder: Path
    settings: Settings = field(default_factory=Settings)

    def stage(self, name: str) -> Path:
        """The folder of stage *name*."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def utterances(self) -> list[Utterance]:
        """What the stage clean has kept."""
        document = json.loads((self.stage("clean") / "utterances.json").read_text(encoding="utf-8"))
        return [
            Utterance(
                each["id"],
                each["speaker"],
                tuple(each["texts"]),
                tuple(map(Path, each["sounds"])),
                each["is_held_out"],
            )
            for each in document
        ]

    def is_done(self, name: str, ingredients: str) -> bool:
        return _read(self.folder / name / "done.json").get("ingredients") == ingredients

    def begin(self, name: str, ingredients: str) -> None:
        """Empties the folder of *name* if what lies there was made from something else, else takes out what was half
        written when the power went."""
        folder = self.stage(name)
        begun = folder / "begun.json"
        if _read(begun).get("ingredients") != ingredients:
            shutil.rmtree(folder)
            folder.mkdir(parents=True)
            write_json(begun, {"ingredients": ingredients})
        for part in folder.rglob(".*"):
            part.unlink()

    def finish(self, name: str, ingredients: str) -> None:
        write_json(self.stage(name) / "done.json", {"ingredients": ingredients})


def ingredients(settings: Any, *before: str) -> str:
    """A digest of a stage's *settings* and of the ingredients of those *before* it."""
    return hashlib.sha256(repr((settings, before)).encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def write_json(path: Path, document: object) -> None:
    whole(
        path,
        lambda part: part.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8"),
    )


def whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write *path* by *write*, which is given another name of the same suffix: it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}-{path.name}")
    write(part)
    part.replace(path)


def for_each(
    work: Work, title: str, function: Callable[[_T], None], items: Sequence[_T], target: Callable[[_T], Path]
) -> None:
    """Run *function* on each of *items* whose *target* file is not there yet, on all cores, with a progress bar."""
    left = [item for item in items if not target(item).exists()]
    if work.settings.workers == 1:
        for item in tqdm(left, title, mininterval=1):
            function(item)
        return
    # Not fork: PyTorch's threads do not survive it.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(work.settings.workers, mp_context=context, initializer=_end_with_parent) as pool:
        for _ in tqdm(pool.map(function, left, chunksize=8), title, len(left), mininterval=1):
            pass


def _end_with_parent() -> None:
    """For a worker: a killed parent cannot end it, and it would wait for work for ever."""
    # Ctrl-C is for the parent, which ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
