"""The files of a voice: read once, inside their folder, and known to be what they should be."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge_tts.errors import VoiceLoadError
from edge_tts.models.weights import Weight

MAX_GRAPH_BYTES = (1 << 31) - 1
"""What a protobuf message can be."""

MAX_DOCUMENT_BYTES = 4 << 20
"""Of descriptions of voices: Piper's largest configurations have a few hundred kilobytes."""


@dataclass(frozen=True)
class GraphFile:
    """The bytes of one graph, read once and checked; what is hashed is what is run."""

    path: Path
    content: bytes
    sha256: str
    weights: Mapping[str, Weight] = field(default_factory=dict)
    """Those that lie in another file."""


def read_verified(path: Path, sha256: str | None) -> GraphFile:
    """Read *path* once and check it against the hex digest *sha256*, if one is known. Raises VoiceLoadError."""
    content = read_file(path)
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise VoiceLoadError(
            path, f"is damaged or was changed: sha256 is {found}, expected {sha256}; install it again"
        )
    return GraphFile(path, content, found)


def read_file(path: Path, most_bytes: int = MAX_GRAPH_BYTES) -> bytes:
    """The content of a regular, non-empty file of at most *most_bytes*. Raises VoiceLoadError."""
    try:
        # O_NONBLOCK: a named pipe in a voice folder would hold the synth thread for ever.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            check_file(path, file.fileno(), most_bytes)
            return file.read(most_bytes)
    except OSError as error:
        raise VoiceLoadError(path, f"cannot be read: {error.strerror}") from error


def check_file(path: Path, descriptor: int | None = None, most_bytes: int = MAX_GRAPH_BYTES) -> None:
    """Raise VoiceLoadError unless *path* is a regular, non-empty file inside its folder. Asks about what is open as
    *descriptor*, if given: not about what the name says a moment later."""
    try:
        status = os.stat(path if descriptor is None else descriptor)
        real = path.resolve() if descriptor is None else Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    except OSError as error:
        raise VoiceLoadError(path, f"cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise VoiceLoadError(path, "is not a regular file")
    # A downloaded voice must not make us read files elsewhere.
    if not real.is_relative_to(path.parent.resolve()):
        raise VoiceLoadError(path, f"is a link to {real}, outside of its folder; put the file itself there")
    if not status.st_size:
        raise VoiceLoadError(path, "is empty; install it again")
    if status.st_size > most_bytes:
        raise VoiceLoadError(path, f"has {status.st_size} bytes; at most {most_bytes} are read")
