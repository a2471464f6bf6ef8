"""What the documents say is there is there, and config.yaml says what config.py does."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_tts.config import Config, parse_config

ROOT = Path(__file__).parent.parent
DOCUMENTS = (
    "README.md",
    "docs/architecture.md",
    "docs/doors.md",
    "docs/home-assistant.md",
    "docs/operations.md",
    "docs/recipes.md",
    "docs/reliability.md",
    "docs/requests.md",
    "docs/training.md",
)
FOLDERS = ("docs", "recipes", "scripts", "share", "systemd", "tests", "models_onnx")


def shown() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    return document


def test_config_yaml_shows_the_defaults() -> None:
    config = parse_config(shown(), Path())
    # The first minute needs no broker; everything else is as if the file were empty.
    assert dataclasses.replace(config, mqtt=dataclasses.replace(config.mqtt, url=None)) == Config()
    assert config.mqtt.url == "embedded"


def test_config_yaml_shows_every_key() -> None:
    document = shown()
    # Its default depends on where the package is, so it is shown as a comment.
    commented = {"voices.folders"}
    for section in dataclasses.fields(Config):
        keys = {key.name for key in dataclasses.fields(getattr(Config(), section.name))}
        keys -= {key for key in keys if f"{section.name}.{key}" in commented}
        assert set(document[section.name]) == keys
    assert re.search(r"^  # folders: \[", (ROOT / "config.yaml").read_text(encoding="utf-8"), re.MULTILINE)


def named_paths(document: str) -> set[str]:
    """Targets of links, and words in code that begin with a folder of the repository."""
    text = (ROOT / document).read_text(encoding="utf-8")
    links = {
        str((ROOT / document).parent.joinpath(link).resolve().relative_to(ROOT))
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text)
    }
    # "/etc/systemd/system" is not ours, "edge_tts/scripts/run" is.
    code = re.findall(rf"(?:^|[\s`]|edge_tts/)((?:{'|'.join(FOLDERS)})/[\w./-]*\w)", text, re.MULTILINE)
    return links | set(code)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_in_the_documents_exist(document: str) -> None:
    missing = {path for path in named_paths(document) if not (ROOT / path).exists()}
    assert missing <= {"models_onnx/anna"}, "but for the example voice"


def test_paths_are_found_in_documents() -> None:
    # The test above would pass on an expression that finds nothing.
    found = named_paths("README.md")
    assert {"config.yaml", "LICENSE", "docs/operations.md", "scripts/run", "scripts/install"} <= found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_settings_in_the_documents_exist(document: str) -> None:
    """Every `section.key` in code is a setting, "audio.device" for example."""
    sections = {field.name: getattr(Config(), field.name) for field in dataclasses.fields(Config)}
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"`(\w+)\.([a-z_]+)(?:`|: )", text)
    unknown = {
        f"{section}.{key}"
        for section, key in named
        if section in sections and key != "yaml" and not hasattr(sections[section], key)
    }
    assert unknown == set()


def named_tests() -> set[tuple[str, str]]:
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    return set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", text))


def test_tests_in_the_documents_exist() -> None:
    named = named_tests()
    assert len(named) > 30, "the expression finds nothing"
    sources = {file: (ROOT / "tests" / file).read_text(encoding="utf-8") for file, _ in named}
    assert {(file, name) for file, name in named if f"def {name}(" not in sources[file]} == set()
