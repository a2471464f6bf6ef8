"""Recipes and folders of recordings as they are written: YAML, checked."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from scripts.train.recipe import PACES, Corpus, Recipe, RecipeError, Steps

_T = TypeVar("_T")
_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    dict: "names and values",
}


def read_corpus(folder: Path) -> Corpus:
    """Raises RecipeError."""
    path = folder / "speaker.yaml"
    if not path.is_file():
        raise RecipeError(f"{path} is missing; wanted: speaker, language and licence, one per line")
    return _filled(Corpus, {**_mapping(path), "folder": folder.resolve()}, path)


def read_recipe(path: Path) -> Recipe:
    """Paths in it are relative to it. Raises RecipeError."""
    values = _mapping(path)
    folders = values.get("corpora")
    if not isinstance(folders, list) or not folders:
        raise RecipeError(f"{path} has no corpora; wanted a list of folders")
    values["corpora"] = tuple(read_corpus(path.parent / str(folder)) for folder in folders)
    values["steps"] = _steps(values.get("steps"), path)
    if values.get("start_from"):
        values["start_from"] = path.parent / str(values["start_from"])
    return _filled(Recipe, {"name": path.stem, **values}, path)


def recipe_of(folders: Sequence[Path], name: str, start_from: Path | None) -> Recipe:
    """The same without a file, all else as usual. Raises RecipeError."""
    corpora = tuple(read_corpus(folder) for folder in folders)
    return _filled(Recipe, {"name": name, "corpora": corpora, "start_from": start_from}, folders[0])


def _steps(asked: object, path: Path) -> Steps:
    if asked is None:
        return Steps()
    if isinstance(asked, str) and asked in PACES:
        return PACES[asked]
    if isinstance(asked, dict):
        return _filled(Steps, asked, path)
    raise RecipeError(f"{path}: steps is {asked!r}; wanted {', '.join(PACES)}, or a number for each network")


def _mapping(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise RecipeError(f"{path} is no mapping of names to values")
    return document


def _filled(kind: type[_T], values: dict[str, Any], path: Path) -> _T:
    """Raises RecipeError for what is unknown, missing or of another kind."""
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise RecipeError(f"{path} has the unknown key {unknown[0]!r}; known: {', '.join(hints)}")
    for each in fields(kind):  # type: ignore[arg-type]
        if each.name not in values:
            if each.default is MISSING and each.default_factory is MISSING:
                raise RecipeError(f"{path} has no {each.name}")
            continue
        value = values[each.name]
        hint = typing.get_origin(hints[each.name]) or hints[each.name]
        accepted = (int, float) if hint is float else hint
        # A bool is an int to Python, but not to who writes "join: yes".
        if hint in _KINDS and (
            not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool)
        ):
            raise RecipeError(f"{path}: {each.name} should be {_KINDS[hint]}, not {value!r}")
    try:
        return kind(**values)
    except ValueError as error:
        raise RecipeError(f"{path}: {error}") from error
