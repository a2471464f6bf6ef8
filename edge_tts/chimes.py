"""Sounds that call for attention: the bundled ones, and the user's own in `audio.sounds_dir`, which win."""

from __future__ import annotations

from pathlib import Path

from edge_tts.audio import read_sound, read_wav
from edge_tts.errors import UnknownChimeError
from edge_tts.speech import Audio

BUNDLED_DIR = Path(__file__).resolve().parent / "sounds"
BUNDLED = ("gong", "bell", "soft")
"""Made by scripts/chimes; the first one sounds where a chime is wanted and none is named."""

ANY = "default"
"""The configured one, else the first of them."""

ENDINGS = (".wav", ".flac", ".ogg", ".mp3")
MAX_CHIME_S = 30.0
MAX_NAMES = 200


def names(sounds_dir: Path) -> tuple[str, ...]:
    """Of every chime there is, in order."""
    try:
        own = {path.stem for path in sounds_dir.iterdir() if path.suffix in ENDINGS and path.is_file()}
    except OSError:
        own = set()
    return (*BUNDLED, *sorted(own - set(BUNDLED))[:MAX_NAMES])


def read(name: str, sounds_dir: Path, configured: str | None = None) -> Audio:
    """The chime *name*; raises UnknownChimeError if it is none, or cannot be played. Reads a file."""
    if name == ANY:
        name = configured or BUNDLED[0]
    path = _own(name, sounds_dir)
    try:
        if path is None:
            return read_wav(BUNDLED_DIR / f"{name}.wav")
        return read_sound(path, MAX_CHIME_S)
    except (OSError, ValueError) as error:
        raise UnknownChimeError(name, names(sounds_dir), str(error)) from error


def _own(name: str, sounds_dir: Path) -> Path | None:
    """The user's file of that name; None: a bundled one. Raises UnknownChimeError."""
    paths = [sounds_dir / f"{name}{ending}" for ending in ENDINGS]
    # A name that leads out of the folder is none.
    found = [path for path in paths if path.parent == sounds_dir and _is_file(path)]
    if not found and name not in BUNDLED:
        raise UnknownChimeError(name, names(sounds_dir))
    return found[0] if found else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or with a NUL
        return False
