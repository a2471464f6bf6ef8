"""One target of scripts/fuzz in a process of its own, which bad input may hang or kill.

With atheris (x86-64 only) input that reaches new code is kept and spoilt further; without it, only the seeds are.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import hashlib
import json
import logging
import mmap
import random
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.fuzz_mutation import mutated

if TYPE_CHECKING:
    from scripts.fuzz_targets import Target

HANG_S = 30
"""A case that takes as long ends its process, which says where it was."""

SLOW_S = 1.0
"""Processor time that 10 kB may take."""

MEMORY_MB = 1024
SAVE_S = 0.5

CURRENT = "current"
"""File of the input that is run just now, behind its length: who dies inside a library leaves no other trace."""

LENGTH_BYTES = 4


@dataclass
class Tally:
    """What came of the cases so far; one JSON file for each target."""

    cases: int = 0
    busy_s: float = 0.0
    longest_ms: float = 0.0
    coverage: list[int] = field(default_factory=list)
    """Places reached by the seeds, and in the end; empty without atheris."""

    findings: dict[str, str] = field(default_factory=dict)
    """What happened, once for each place in the code → the file with the input."""


class Recorder:
    """Runs cases, counts them, and keeps the input of every finding."""

    def __init__(self, target: Target, folder: Path, tally: Tally, wanted: int) -> None:
        self._target = target
        self._folder = folder
        self._wanted = wanted
        self._saved_s = time.monotonic()
        self.tally = tally
        with (folder / CURRENT).open("wb+") as file:
            file.truncate(LENGTH_BYTES + target.max_bytes)
            # Written by the system, whatever becomes of this process.
            self._current = mmap.mmap(file.fileno(), 0)

    def run(self, content: bytes) -> None:
        content = content[: self._target.max_bytes]
        self._current[: LENGTH_BYTES + len(content)] = len(content).to_bytes(LENGTH_BYTES, "big") + content
        used_s = self._timed(content)
        limit_s = SLOW_S * max(1.0, len(content) / 10_000)
        # A busy machine, a first import: only what is slow twice is slow.
        if used_s > limit_s and (again_s := self._timed(content)) > limit_s:
            self._found(f"slow: {again_s:.1f} s for {len(content)} bytes", content, "slow")
        self.tally.cases += 1
        self.tally.busy_s += used_s
        self.tally.longest_ms = max(self.tally.longest_ms, used_s * 1000)
        if self.tally.cases >= self._wanted or time.monotonic() - self._saved_s > SAVE_S:
            self.save()

    def _timed(self, content: bytes) -> float:
        """Processor seconds of one case; what it raised, if it may not, is kept."""
        start_s = time.thread_time()
        try:
            self._target.run(content)
        except self._target.allowed:
            pass
        except Exception as error:
            self._found(f"{type(error).__name__}: {error}"[:120], content, _place(error))
        return time.thread_time() - start_s

    def _found(self, what: str, content: bytes, place: str) -> None:
        if any(known.startswith(f"{place}: ") for known in self.tally.findings):
            return
        self.tally.findings[f"{place}: {what}"] = _keep(self._folder, content)
        self.save()

    def save(self) -> None:
        self._saved_s = time.monotonic()
        write_tally(self._folder, self.tally)


def _keep(folder: Path, content: bytes) -> str:
    name = f"finding-{hashlib.sha256(content).hexdigest()[:12]}"
    (folder / name).write_bytes(content)
    return name


def keep_current(folder: Path) -> str:
    """Of a process that died: keep the input that it was at. Returns its file's name."""
    if not (folder / CURRENT).exists():
        return "before the first input"
    current = (folder / CURRENT).read_bytes()
    return _keep(folder, current[LENGTH_BYTES:][: int.from_bytes(current[:LENGTH_BYTES], "big")])


def _place(error: Exception) -> str:
    """Where in our own code, for telling findings apart; too deep a recursion ends anywhere."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if "edge_tts" in each.filename]
    if isinstance(error, RecursionError) or not frames:
        return type(error).__name__
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"


def write_tally(folder: Path, tally: Tally) -> None:
    beside = folder / "tally.json.new"
    beside.write_text(json.dumps(asdict(tally)))
    beside.replace(folder / "tally.json")


def read_tally(folder: Path) -> Tally:
    path = folder / "tally.json"
    return Tally(**json.loads(path.read_text())) if path.exists() else Tally()


@contextlib.contextmanager
def deadline() -> Iterator[None]:
    """End the process, saying where it is, if the block takes HANG_S. Works inside C code, too."""
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def run_plainly(recorder: Recorder, target: Target, cases: int, seed: int) -> None:
    """The seeds, then *cases* − len(seeds) spoilt ones; the same for the same *seed*."""
    chance = random.Random(seed)
    seeds = target.seeds()
    for number in range(cases):
        with deadline():
            if number < len(seeds):
                recorder.run(seeds[number])
            else:
                recorder.run(mutated(chance, chance.choice(seeds), chance.choice(seeds), target.max_bytes))


def _run_guided(
    atheris: Any, recorder: Recorder, target: Target, cases: int, seed: int, folder: Path
) -> None:
    """By libFuzzer, which ends the process."""
    seeds = target.seeds()
    corpus, given = folder / "corpus", folder / "seeds"
    for place in (corpus, given):
        place.mkdir(exist_ok=True)
    for number, content in enumerate(seeds):
        (given / f"{number:04}").write_bytes(content)

    def spoil(content: bytes, max_bytes: int, number: int) -> bytes:
        chance = random.Random(number)
        if chance.random() < 0.5:
            return bytes(atheris.Mutate(content, max_bytes))
        return mutated(chance, content, chance.choice(seeds), max_bytes)

    options = [f"-runs={cases}", f"-seed={seed}", f"-timeout={HANG_S}", f"-rss_limit_mb={MEMORY_MB}"]
    options += [f"-max_len={target.max_bytes}", f"-artifact_prefix={folder}/", "-print_final_stats=0"]
    atheris.Setup(["fuzz", *options, str(corpus), str(given)], recorder.run, custom_mutator=spoil)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--cases", type=int, required=True, help="in all, with those that the folder knows of"
    )
    arguments = parser.parse_args()
    logging.disable()  # of each voice that cannot be used, a line
    try:
        import atheris
    except ImportError:
        atheris = None
    with atheris.instrument_imports(include=["edge_tts"]) if atheris else contextlib.nullcontext():
        from scripts.fuzz_targets import TARGETS
    target = TARGETS[arguments.target]
    tally = read_tally(arguments.folder)
    recorder = Recorder(target, arguments.folder, tally, arguments.cases)
    # Another seed for each time it goes on, or the same cases would count twice.
    missing, seed = arguments.cases - tally.cases, tally.cases + 1
    if atheris is None:
        run_plainly(recorder, target, missing, seed)
    else:
        _run_guided(atheris, recorder, target, missing, seed, arguments.folder)


if __name__ == "__main__":
    main()
