"""A pack as the contract describes it (three graphs and frontend.json) → a folder that the run-time code can load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml

from scripts.train.bundled import SPEAKERS
from scripts.train.features import SAMPLE_RATE
from scripts.train.recipe import RecipeError

GRAPHS = ("encoder", "decoder", "vocoder")


def with_voice_yaml(folder: Path, temporary: Path) -> Path:
    """*folder* if it has a voice.yaml; otherwise *temporary*, filled with copies of its graphs (those of 8 bits if it
    has them) and a voice.yaml of plain settings. Raises RecipeError."""
    if (folder / "voice.yaml").is_file():
        return folder
    try:
        speakers: dict[str, int] = json.loads((folder / "frontend.json").read_text(encoding="utf-8"))[
            "speakers"
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            f"{folder} has no voice.yaml, and no frontend.json with speakers: {error!r}"
        ) from error
    unknown = sorted(set(speakers) - set(SPEAKERS))
    if unknown:
        raise RecipeError(f"{folder} has no voice.yaml to say what language {', '.join(unknown)} speaks")
    is_int8 = all((folder / f"{graph}.int8.onnx").is_file() for graph in GRAPHS)
    files = {graph: f"{graph}.int8.onnx" if is_int8 else f"{graph}.onnx" for graph in GRAPHS}
    files["frontend"] = "frontend.json"
    temporary.mkdir(parents=True)
    for name in files.values():
        shutil.copy(folder / name, temporary / name)
    languages = {name: str(SPEAKERS[name]["language"]) for name in speakers}
    document = {
        "name": "pack",
        "family": "two_stage",
        "languages": sorted(set(languages.values())),
        "sample_rate": SAMPLE_RATE,
        "files": files,
        "speakers": speakers,
        "default_speakers": {language.split("-")[0]: name for name, language in languages.items()},
    }
    (temporary / "voice.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return temporary
