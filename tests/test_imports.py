"""The staircase: a module imports only from those before it, so the code can be read in this order."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

STAIRCASE = (
    *(
        "errors",
        "memory",
        "metrics",
        "speech",
        "documents",
        "schema",
        "door_config",
        "quiet_hours",
        "sound_config",
        "config",
        "audio",
        "sound_files",
        "chimes",
        "cache",
        "text",
        "models",
        "references",
        "voice_folders",
        "voices",
        "pressure",
        "synthesizer",
    ),
    *(
        "threads",
        "renderer",
        "device",
        "snapcast",
        "sinks",
        "blocks",
        "loudspeaker",
        "others",
        "player",
        "given_sound",
        "growing_text",
        "jobs",
        "state",
        "updates",
        "status",
        "moments",
        "journal_file",
        "journal",
        "receipts",
        "schedule",
        "refusals",
        "dispatcher",
        "announcer",
        "admission",
        "service",
        "doors",
        "watchdog",
        "convert",
        "app",
        "checks",
        "tune",
        "prerender",
        "__main__",
    ),
)
"""Files and folders of the package; files of one folder may import each other."""

NOUNS = {
    "errors",
    "metrics",
    "speech",
    "door_config",
    "config",
    "audio",
    "sound_files",
    "state",
    "given_sound",
    "growing_text",
}

PACKAGE = Path(__file__).parent.parent / "edge_tts"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")

LAZY = {
    "amqtt",
    "cn2an",
    "dbus_fast",
    "num2words",
    "onnx",
    "piper",
    "pocketsphinx",
    "pulsectl",
    "pulsectl_asyncio",
    "pypinyin",
    "regex",
    "rjieba",
    "soundfile",
    "typer",
    "wyoming",
    "zeroconf",
}
TRAINING = {"matplotlib", "pyworld", "scipy", "scripts", "torch", "tqdm"}
"""Costs megabytes or a part of a second, and most boxes never use it."""


def step_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> Iterator[str]:
    """Full names, those inside functions included: "edge_tts.speech" for `from edge_tts.speech import Audio`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            assert node.module is not None
            yield node.module
            # `from edge_tts import speech` is the module too.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_steps(path: Path) -> set[str]:
    names = (name.split(".") for name in imported_modules(path))
    # `from edge_tts import __version__` is no step.
    steps = {parts[1] for parts in names if parts[0] == "edge_tts" and len(parts) > 1}
    return steps & {step_of(module) for module in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_the_staircase(path: Path) -> None:
    step = step_of(path)
    assert step in STAIRCASE, f"{step} has no place yet: put it where it belongs in STAIRCASE"
    allowed = {step, *STAIRCASE[: STAIRCASE.index(step)]}
    if step == "doors":
        allowed = NOUNS | {"service", "doors"}
    assert imported_steps(path) <= allowed


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_of_training_is_needed_to_speak(path: Path) -> None:
    is_converter = step_of(path) == "convert"
    assert is_converter or {name.split(".")[0] for name in imported_modules(path)} & TRAINING == set()


def test_only_the_command_converts() -> None:
    users = {step_of(path) for path in MODULES if "edge_tts.convert" in imported_modules(path)}
    assert users == {"convert", "__main__"}


def test_every_step_exists() -> None:
    assert set(STAIRCASE) == {step_of(path) for path in MODULES}


@pytest.mark.parametrize(
    "library", ["onnxruntime", "sounddevice", "aiohttp", "paho", "amqtt", "sqlite3", "wyoming", "zeroconf"]
)
def test_a_foreign_library_is_known_to_one_place(library: str) -> None:
    owners = {"onnxruntime": "models/session.py", "sounddevice": "device.py", "sqlite3": "journal"}
    owner = owners.get(library, "doors/")
    users = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if step_of(path) != "convert"
        and any(name.split(".")[0] == library for name in imported_modules(path))
    }
    assert users, f"nothing imports {library} any more"
    assert all(user.startswith(owner) for user in users), users


@pytest.mark.parametrize(
    ("module", "also"), [("edge_tts.app", set[str]()), ("edge_tts.__main__", {"numpy", "asyncio"})]
)
def test_what_is_rarely_used_is_not_loaded_at_start(module: str, also: set[str]) -> None:
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert loaded.returncode == 0, loaded.stderr
    assert set(loaded.stdout.split()) & (LAZY | TRAINING | also) == set()
