"""The recordings that a training has set aside for its judges."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from scripts.train.recipe import RecipeError
from scripts.train.recipe_file import read_corpus


@dataclass(frozen=True)
class Recording:
    """A recording that no training has seen."""

    id: str
    speaker: str
    text: str
    sound: Path
    """Cleaned."""

    language: str
    """BCP-47; "" if the folder that it came from is gone."""


def held_out(work: Path, n_texts: int) -> list[Recording]:
    """The first *n_texts* held-out texts of each speaker of the training in *work*, each once. Raises RecipeError."""
    path = work / "clean" / "utterances.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path} cannot be read: {error}; wanted the folder of a training") from error
    found: dict[tuple[str, str], Recording] = {}
    for each in document:
        if each["is_held_out"]:
            text, speaker = " ".join(each["texts"]), each["speaker"]
            sound = path.parent / f"{each['id']}.flac"
            recording = Recording(each["id"], speaker, text, sound, _language(Path(each["sounds"][0])))
            if sum(other == speaker for other, _ in found) < n_texts:
                found.setdefault((speaker, text), recording)
    if not found:
        raise RecipeError(f"{path} has no recordings that are held out; ten of a speaker are the least")
    return list(found.values())


def _language(raw: Path) -> str:
    """Of the corpus with the recording *raw*."""
    folders = (raw.parent, raw.parent.parent)
    return next((read_corpus(each).language for each in folders if (each / "speaker.yaml").is_file()), "")
