"""From folders of recordings to an installed voice.

    python -m scripts.train RECIPE.yaml
    python -m scripts.train FOLDER... --name NAME

Started again, it goes on where it was ended, by whatever.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
import torch

from edge_tts.config import BUNDLED_VOICES
from scripts.train.acoustic import acoustic
from scripts.train.align import align
from scripts.train.clean import clean
from scripts.train.export import ExportError, export
from scripts.train.f0 import f0
from scripts.train.int8 import Int8Error, int8
from scripts.train.joint import joint
from scripts.train.licences import warning_of
from scripts.train.mels import mels
from scripts.train.paces import suited
from scripts.train.phonemes import phonemes
from scripts.train.prosody import prosody
from scripts.train.recipe import PACES, Recipe, RecipeError
from scripts.train.recipe_file import read_recipe, recipe_of
from scripts.train.report import report
from scripts.train.stage import Settings, Work, ingredients
from scripts.train.vocoder import vocoder
from scripts.train.voice_folder import VoiceFolderError, install, refuse_foreign

WORK = Path(__file__).resolve().parents[2] / "build/train"


@dataclass(frozen=True)
class Stage:
    name: str
    """Its folder as well."""

    make: Callable[[Work], None]
    before: tuple[str, ...]
    """What it reads the results of."""

    depends_on: Callable[[Recipe], object]
    """What of the recipe changes its result; of the recipe's files, their content or age."""


def _recordings(recipe: Recipe) -> object:
    stats = ((each, path.stat()) for each in recipe.utterances() for path in each.sounds)
    return (
        recipe.seed,
        [(corpus.speaker, corpus.denoise, corpus.join) for corpus in recipe.corpora],
        # Not where they are: a folder may be moved.
        [(each.id, each.texts, each.is_held_out, stat.st_size, stat.st_mtime_ns) for each, stat in stats],
    )


def _start(recipe: Recipe, name: str) -> str | None:
    """A digest of a file of the training to start from."""
    path = recipe.start_from / name if recipe.start_from else None
    return hashlib.sha256(path.read_bytes()).hexdigest() if path and path.exists() else None


STAGES = (
    Stage("clean", clean, (), _recordings),
    Stage(
        "phonemes", phonemes, ("clean",),
        lambda recipe: ([corpus.language for corpus in recipe.corpora], _start(recipe, "frontend.json")),
    ),
    Stage("mels", mels, ("phonemes",), lambda _: None),
    Stage("f0", f0, ("phonemes",), lambda _: None),
    Stage("align", align, ("mels",), lambda recipe: (recipe.steps.align, recipe.seed)),
    Stage(
        "prosody", prosody, ("align", "f0"),
        lambda recipe: (
            recipe.steps.prosody, recipe.seed, _start(recipe, "prosody.pt"), recipe.rows_to_start_from,
            [corpus.joined_pace for corpus in recipe.corpora],
        ),
    ),
    Stage(
        "acoustic", acoustic, ("align", "f0"),
        lambda recipe: (
            recipe.steps.acoustic, recipe.steps.sharpen, recipe.seed, _start(recipe, "acoustic.pt"),
            recipe.rows_to_start_from, [corpus.joined_pace for corpus in recipe.corpora],
        ),
    ),
    Stage(
        "vocoder", vocoder, ("align", "f0"),
        lambda recipe: (recipe.steps.vocoder, recipe.seed, _start(recipe, "vocoder.pt")),
    ),
    Stage("joint", joint, ("acoustic", "vocoder"), lambda recipe: (recipe.steps.joint, recipe.seed)),
    Stage("export", export, ("prosody", "joint"), lambda recipe: (recipe.licences, recipe.inherited)),
    Stage(
        "int8", int8, ("export",),
        lambda recipe: (
            recipe.name, recipe.emotions, recipe.gain_db,
            [(corpus.language, corpus.licence, corpus.source) for corpus in recipe.corpora], recipe.inherited,
        ),
    ),
    Stage("report", report, ("int8",), lambda recipe: recipe),
)  # fmt: skip


def all_ingredients(recipe: Recipe) -> dict[str, str]:
    """Of each stage. Raises RecipeError."""
    found: dict[str, str] = {}
    for stage in STAGES:
        found[stage.name] = ingredients(stage.depends_on(recipe), *(found[name] for name in stage.before))
    return found


def run(work: Work, stages: Sequence[Stage] = STAGES) -> None:
    """Make what of *stages* is not made yet. Raises RecipeError."""
    wanted = all_ingredients(work.recipe)
    for stage in stages:
        if work.is_done(stage.name, wanted[stage.name]):
            click.echo(f"{stage.name}: done before")
            continue
        for name in stage.before:
            if not work.is_done(name, wanted[name]):
                raise RecipeError(
                    f"{stage.name} needs {name}, which is not done yet; without --only, it will be"
                )
        started = time.monotonic()
        work.begin(stage.name, wanted[stage.name])
        # Whatever was made in this process before: a network begins with the same weights.
        torch.manual_seed(work.recipe.seed)
        stage.make(work)
        work.finish(stage.name, wanted[stage.name])
        click.echo(f"{stage.name}: done in {_shown(time.monotonic() - started)}")


def _shown(duration_s: float) -> str:
    if duration_s < 100:
        return f"{duration_s:.0f} s"
    return f"{duration_s // 3600:.0f} h {duration_s % 3600 / 60:.0f} min"


def forget(work: Work, name: str) -> None:
    """Stage *name* and what is made from it will be made anew."""
    gone = {name}
    for stage in STAGES:
        if stage.name in gone or gone.intersection(stage.before):
            gone.add(stage.name)
            shutil.rmtree(work.folder / stage.name, ignore_errors=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Raises RecipeError if another training is at work in *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    # The kernel lets go of it whatever ends us.
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecipeError(
                f"another training is at work in {folder}; end it, or give this one a --name"
            ) from None
        yield


def _recipe(sources: Sequence[Path], name: str | None, start_from: Path | None, pace: str | None) -> Recipe:
    """Raises RecipeError."""
    if len(sources) == 1 and sources[0].is_file():
        recipe = read_recipe(sources[0])
    else:
        recipe = recipe_of(sources, name or "", start_from)
    try:
        return replace(
            recipe,
            name=name or recipe.name,
            start_from=start_from or recipe.start_from,
            steps=PACES[pace] if pace else recipe.steps,
        )
    except ValueError as error:
        raise RecipeError(str(error)) from error


def _chosen(only: str | None, until: str | None) -> Sequence[Stage]:
    names = [stage.name for stage in STAGES]
    if only:
        return [STAGES[names.index(only)]]
    return STAGES[: names.index(until) + 1] if until else STAGES


_stage = click.Choice([stage.name for stage in STAGES])


@click.command(help=__doc__)
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RECIPE.yaml | FOLDER..."
)
@click.option("--name", help="Of the voice; the recipe's without one.")
@click.option("--steps", type=click.Choice(list(PACES)), help="How long to learn; the recipe's without one.")
@click.option("--start-from", type=click.Path(path_type=Path), help="Folder export/ of another training.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option(
    "--workers", type=click.IntRange(1), help="Recordings worked on at once; as many as cores without one."
)
@click.option("--threads", type=click.IntRange(1), help="Of the learning; as many as cores without one.")
@click.option(
    "--picture-every", type=click.IntRange(1), default=500, show_default=True, help="Steps; sound as well."
)
@click.option("--checkpoint-every", type=click.IntRange(1), default=100, show_default=True, help="Steps.")
@click.option("--only", type=_stage, help="This stage alone.")
@click.option("--until", type=_stage, help="The stages up to this one.")
@click.option("--again", type=_stage, help="Forget this stage and what is made from it first.")
@click.option(
    "--work", "work_folder", type=click.Path(path_type=Path), default=WORK, help="Folder of trainings."
)
@click.option(
    "--install", "voices", type=click.Path(path_type=Path), default=BUNDLED_VOICES, help="Folder of voices."
)
def main(
    sources: tuple[Path, ...],
    name: str | None,
    steps: str | None,
    start_from: Path | None,
    device: str,
    workers: int | None,
    threads: int | None,
    picture_every: int,
    checkpoint_every: int,
    only: str | None,
    until: str | None,
    again: str | None,
    work_folder: Path,
    voices: Path,
) -> None:
    recipe = suited(_recipe(sources, name, start_from, steps))
    if device == "cuda" and not torch.cuda.is_available():
        raise RecipeError(
            "--device cuda: PyTorch finds no GPU; docs/training.md says how to install it for one"
        )
    settings = Settings(device, workers or Settings().workers, picture_every, checkpoint_every)
    torch.set_num_threads(threads or Settings().workers)
    work = Work(recipe, work_folder / recipe.name, settings)
    if warning := warning_of(recipe.licences):
        click.echo(f"warning: {warning}", err=True)
    stages = _chosen(only, until)
    target = voices / recipe.name
    is_installed = stages[-1].name == STAGES[-1].name and not only
    if is_installed:
        refuse_foreign(target)
    with alone(work.folder):
        if again:
            forget(work, again)
        run(work, stages)
        if is_installed:
            install(work.folder / "voice", target)
            _say_where(work, target)


def _say_where(work: Work, target: Path) -> None:
    click.echo(
        f"the voice is in {target}, what there is to see and hear of its training in {work.folder / 'report'}"
    )
    click.echo(f'hear it: .venv/bin/edgetts say --voice {work.recipe.name} "Hello from this box."')


if __name__ == "__main__":
    try:
        main()
    except (RecipeError, ExportError, Int8Error, VoiceFolderError) as error:
        click.echo(f"train: {error}", err=True)
        sys.exit(2)
