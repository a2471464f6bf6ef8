"""The lexicon's file as it is edited from afar: shown whole, replaced whole, never by what the daemon cannot read."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_tts.errors import BadLexiconError, LexiconChangedError, LexiconFileError, NoLexiconError
from edge_tts.text.lexicon import parse


@dataclass(frozen=True, slots=True)
class LexiconFile:
    text: str
    version: str
    """Digest of the text; "" if there is no file yet."""

    problem: str | None
    """Why it is not in force; None if it is."""


def read(path: Path | None) -> LexiconFile:
    """Raises NoLexiconError and LexiconFileError."""
    try:
        # Not read_text: ends of lines as Windows writes them would come back as others, and of another version.
        text = _configured(path).read_bytes().decode()
    except FileNotFoundError:
        return LexiconFile("", "", None)
    except (OSError, UnicodeDecodeError) as error:
        raise LexiconFileError(f"the lexicon cannot be read: {error}; text.lexicon names the file") from error
    return LexiconFile(text, _version(text), _problem(text))


def replace(path: Path | None, text: str, version: str | None) -> LexiconFile:
    """Write *text*, whole or not at all. Raises BadLexiconError naming the line at fault, LexiconChangedError if the
    file is not of *version* any more, and what `read` raises."""
    path = _configured(path)
    if (problem := _problem(text)) is not None:
        raise BadLexiconError(problem)
    if version is not None and read(path).version != version:
        raise LexiconChangedError
    # Where the file is a link, what it points to is replaced.
    target = path.resolve()
    partial = target.with_name(f"{target.name}.part")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise LexiconFileError(
            f"the lexicon cannot be written: {error.strerror}: {target}; set text.lexicon to a file in a folder where "
            "the daemon may write, as /var/lib/edge_tts/lexicon.yaml"
        ) from error
    return LexiconFile(text, _version(text), None)


def _configured(path: Path | None) -> Path:
    if path is None:
        raise NoLexiconError
    return path


def _problem(text: str) -> str | None:
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return None


def _version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
