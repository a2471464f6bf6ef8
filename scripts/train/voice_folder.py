"""A voice's folder as it is installed: graphs, frontend.json, voice.yaml, and whom to thank."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from scripts.train.emotions import EMOTIONS
from scripts.train.features import SAMPLE_RATE
from scripts.train.licences import licence_of, meaning, warning_of
from scripts.train.recipe import Corpus, Recipe
from scripts.train.stage import Work

MOST_BYTES = 12 << 20
"""Of all files: more, and small boxes would feel it."""

WRITTEN = "# Written by scripts/train"
HEADER = f"{WRITTEN}; edge_tts/models/base.py (VoiceSpec) says what each key means.\n"


class VoiceFolderError(RuntimeError):
    """What was trained makes no voice that should be installed."""


def write_voice(work: Work, folder: Path, graphs: Sequence[Path]) -> None:
    """*graphs* are those of encoder, decoder and vocoder. Raises VoiceFolderError if all is too large."""
    part = folder.with_name(f".{folder.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for path in (*graphs, work.stage("export") / "frontend.json"):
        shutil.copy(path, part / path.name)
    size_bytes = sum(path.stat().st_size for path in part.iterdir())
    if size_bytes > MOST_BYTES:
        raise VoiceFolderError(
            f"the voice's files are {size_bytes / 1e6:.1f} MB; {MOST_BYTES / 1e6:.1f} is the most"
        )
    document = yaml.safe_dump(
        voice_yaml(work.recipe, part, graphs),
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=110,
    )
    (part / "voice.yaml").write_text(HEADER + document, encoding="utf-8")
    (part / "ATTRIBUTION.md").write_text(attribution(work.recipe), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)


def voice_yaml(recipe: Recipe, folder: Path, graphs: Sequence[Path]) -> dict[str, Any]:
    files = {path.name.split(".")[0]: path.name for path in graphs} | {"frontend": "frontend.json"}
    default_speakers: dict[str, str] = {}
    for corpus in recipe.corpora:
        default_speakers.setdefault(corpus.language.split("-")[0], corpus.speaker)
    return {
        "name": recipe.name,
        "family": "two_stage",
        "languages": list(dict.fromkeys(corpus.language for corpus in recipe.corpora)),
        "sample_rate": SAMPLE_RATE,
        "files": files,
        "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files.values()},
        "speakers": recipe.speakers,
        "default_speakers": default_speakers,
        "emotions": recipe.emotions or EMOTIONS,
        "gain_db": recipe.gain_db,
        "licence": licence_of(recipe.licences),
        "source": f"trained on {learned_from(recipe)}; see ATTRIBUTION.md",
    }


def learned_from(recipe: Recipe) -> str:
    """Those whose recordings the weights to start from had learned from included."""
    own = [f"{corpus.speaker} ({corpus.licence})" for corpus in recipe.corpora]
    before = [each for each in ", ".join(recipe.inherited[1:]).split(", ") if each and each not in own]
    return ", ".join([*own, *before])


def attribution(recipe: Recipe) -> str:
    licence = licence_of(recipe.licences)
    before = (
        f"\nIt went on from weights that had learned from {recipe.inherited[1]}.\n"
        if recipe.inherited[1:]
        else ""
    )
    speakers = "speaker's" if len(recipe.corpora) == 1 else f"{len(recipe.corpora)} speakers'"
    return (
        f"# {recipe.name}\n\nA voice that learned from {speakers} recordings:\n\n"
        "| speaker | language | recordings | licence |\n|---|---|---|---|\n"
        + "".join(map(_row, recipe.corpora))
        + before
        + f"\nLicence of the whole: {licence}. {warning_of(recipe.licences) or meaning(licence)}\n\n"
        "Sound made with it needs no notice from us; what the licences of the recordings mean for it is for your own"
        " counsel.\n\nThe graphs are in 8 bits, the first and last layers in float32 (scripts/train/int8.py).\n"
    )


def _row(corpus: Corpus) -> str:
    return (
        f"| {corpus.speaker} | {corpus.language} | {corpus.source or 'own recordings'} | {corpus.licence} |\n"
    )


def refuse_foreign(target: Path) -> None:
    """Raises VoiceFolderError if *target* is there but is no voice that a training has made."""
    path = target / "voice.yaml"
    if target.exists() and not (path.is_file() and path.read_bytes().startswith(WRITTEN.encode())):
        raise VoiceFolderError(
            f"{target} is there already, and no training has made it ({path.name} does not begin with {WRITTEN!r});"
            " give the new voice another --name, or --install it in another folder"
        )


def install(voice: Path, target: Path) -> None:
    """Copy the folder *voice* to *target*, in place of an older one, of which stays what the new one does not bring
    and its voice.yaml does not name: what was written about it. Nobody sees half of it. Raises VoiceFolderError."""
    refuse_foreign(target)
    parts = target.parent / ".parts"
    # Voices are looked for one level deep: these two are not found.
    part, old = parts / "new", parts / "old"
    shutil.rmtree(parts, ignore_errors=True)
    shutil.copytree(voice, part)
    if target.exists():
        named = yaml.safe_load((target / "voice.yaml").read_text(encoding="utf-8"))["files"].values()
        for path in target.iterdir():
            if path.is_file() and path.name not in named and not (part / path.name).exists():
                shutil.copy2(path, part)
        target.replace(old)
    part.replace(target)
    shutil.rmtree(parts)
