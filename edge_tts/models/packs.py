"""What a model computed about a clip, on disk beside it: computed once, whatever is restarted or unloaded.

grandma/neutral.wav  neutral.gpt_sovits.3f2a….npz
"""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

import numpy as np

from edge_tts.audio import read_sound
from edge_tts.cache import Embedding, EmbeddingCache, digest
from edge_tts.errors import BadClipError
from edge_tts.models.base import VoiceSpec
from edge_tts.models.files import read_verified
from edge_tts.models.opening import WEIGHTS
from edge_tts.speech import Audio, Reference

log = logging.getLogger(__name__)

KEPT = 4
"""Packs of one clip and one family: of voices whose graphs differ, or of a clip that was replaced."""


class Packs:
    """What one voice knows of the people it imitates, in memory and on disk."""

    def __init__(self, spec: VoiceSpec, roles: Iterable[str], embeddings: EmbeddingCache) -> None:
        """*roles*: the graphs whose answers are kept; those that the voice has not count for nothing."""
        self._spec = spec
        with_weights = (each for role in roles for each in (role, f"{role}{WEIGHTS}"))
        self._roles = [role for role in with_weights if role in spec.files]
        self._embeddings = embeddings

    def of(self, clip: Reference, hear: Callable[[Reference], Embedding]) -> Embedding:
        """What *hear* says about *clip*, once."""
        key = digest(clip.sha256, self._graphs)
        path = Path(clip.path)
        return self._embeddings.get(key, lambda: pack(path, self._spec.family, key, lambda: hear(clip)))

    @cached_property
    def _graphs(self) -> dict[str, str]:
        """Hashes, computed once: a voice without a list of them would be read anew for each sentence."""
        paths = {role: self._spec.files[role] for role in self._roles}
        return {
            role: self._spec.sha256.get(path.name) or read_verified(path, None).sha256
            for role, path in paths.items()
        }


def recorded(clip: Reference) -> Audio:
    """The sound of *clip*; raises BadClipError if the file is gone or damaged."""
    try:
        return read_sound(Path(clip.path))
    except (OSError, ValueError) as error:
        raise BadClipError(f"the clip of {clip.name} cannot be read any more: {error}") from error


def pack(clip: Path, family: str, key: str, compute: Callable[[], Embedding]) -> Embedding:
    """What *compute* says about *clip*, kept under *key* (hashes of the clip and of the graphs). A folder that cannot
    be written to costs only the keeping."""
    path = clip.with_name(f"{clip.stem}.{family}.{key[:32]}.npz")
    found = _read(path)
    if found is not None:
        return found
    made = compute()
    try:
        _write(path, made)
        packs = sorted(clip.parent.glob(f"{clip.stem}.{family}.*.npz"), key=lambda each: each.stat().st_mtime)
        for old in packs[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        log.info("what was computed about %s is not kept: %s", clip.name, error)
    return made


def _read(path: Path) -> Embedding | None:
    """None if there is none, or a damaged one."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            arrays = {name: np.asarray(kept[name], np.float32) for name in kept.files if name != "sha256"}
            return arrays if str(kept["sha256"]) == _digest(arrays) else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("dropped a damaged file: %s: %s", path.name, error)
        return None


def _write(path: Path, arrays: Embedding) -> None:
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, sha256=np.array(_digest(arrays)), **arrays)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _digest(arrays: Embedding) -> str:
    whole = hashlib.sha256()
    for name in sorted(arrays):
        whole.update(name.encode())
        whole.update(np.ascontiguousarray(arrays[name]).tobytes())
    return whole.hexdigest()
