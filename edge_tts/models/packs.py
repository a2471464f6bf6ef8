"""What a model computed about a clip, on disk beside it: computed once, whatever is restarted or unloaded.

grandma/neutral.wav  neutral.gpt_sovits.3f2a….npz
"""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge_tts.cache import Embedding

log = logging.getLogger(__name__)

KEPT = 4
"""Packs of one clip and one family: of voices whose graphs differ, or of a clip that was replaced."""


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
