"""Work already done: sentences on disk, embeddings in memory. Both bounded, both keyed by content and model."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_tts.audio import read_wav, write_wav
from edge_tts.metrics import Metrics
from edge_tts.speech import Audio

log = logging.getLogger(__name__)

Embedding = dict[str, NDArray[np.float32]]

TOUCH_AFTER_S = 3600.0
"""A hit renews a file's time at most so often: SD cards wear out by writes."""


def digest(*parts: object) -> str:
    """Hex key of anything JSON can write; strings, numbers, lists and mappings."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class EmbeddingCache:
    """What a model computed about a text, a style or a reference clip; least recently used is dropped."""

    def __init__(self, limit_bytes: int, metrics: Metrics) -> None:
        self._limit_bytes = limit_bytes
        self._metrics = metrics
        self._kept: OrderedDict[str, Embedding] = OrderedDict()
        self.size_bytes = 0

    def get(self, key: str, compute: Callable[[], Embedding]) -> Embedding:
        """The embedding under *key* (content and model hash), computed once. Do not write into it."""
        if key in self._kept:
            self._metrics.cache_hits.labels("embedding").inc()
            self._kept.move_to_end(key)
            return self._kept[key]
        self._metrics.cache_misses.labels("embedding").inc()
        embedding = compute()
        size_bytes = _size_bytes(embedding)
        if size_bytes <= self._limit_bytes:
            self._kept[key] = embedding
            self.size_bytes += size_bytes
        while self.size_bytes > self._limit_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.size_bytes -= _size_bytes(oldest)
        return embedding


def _size_bytes(embedding: Embedding) -> int:
    return sum(array.nbytes for array in embedding.values())


class PhraseCache:
    """Sentences already spoken, as 16-bit WAV files below one folder.

    A failure to read or write costs the cached sound, never the announcement: it is logged once and counted.
    """

    def __init__(self, folder: Path, limit_bytes: int, metrics: Metrics) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._metrics = metrics
        self._size_bytes = 0
        self._is_failing = False
        if limit_bytes:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._size_bytes = sum(path.stat().st_size for path in folder.glob("*.wav"))
                for partial in folder.glob("*.part"):
                    if time.time() - partial.stat().st_mtime > TOUCH_AFTER_S:
                        partial.unlink(missing_ok=True)  # a power cut's
            except OSError as error:
                self._failed(error)

    def get(self, key: str) -> Audio | None:
        """The sound under *key*, or None; a damaged file is removed."""
        if not self._limit_bytes:
            return None
        path = self._folder / f"{key}.wav"
        try:
            audio = read_wav(path)
            if time.time() - path.stat().st_mtime > TOUCH_AFTER_S:
                os.utime(path)
        except FileNotFoundError:
            self._metrics.cache_misses.labels("phrase").inc()
            return None
        except (OSError, ValueError) as error:
            log.warning("phrase cache: dropped a damaged file: %s", error)
            self._remove(path)
            return None
        self._metrics.cache_hits.labels("phrase").inc()
        return audio

    def has(self, key: str) -> bool:
        """Whether it is worth a `get`; counts as neither hit nor miss."""
        return bool(self._limit_bytes) and (self._folder / f"{key}.wav").exists()

    def put(self, key: str, audio: Audio) -> None:
        size_bytes = 44 + 2 * len(audio.samples)
        if size_bytes > self._limit_bytes:
            return
        path = self._folder / f"{key}.wav"
        try:
            if self._size_bytes + size_bytes > self._limit_bytes:
                self._make_room(size_bytes)
            # Written beside it and renamed: a power cut leaves either the whole sentence or none.
            # The process is in the name: `edgetts say` may write the same sentence beside the daemon.
            partial = path.with_suffix(f".{os.getpid()}.part")
            try:
                write_wav(partial, audio)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
            self._size_bytes += size_bytes
            self._is_failing = False
        except OSError as error:
            self._failed(error)

    def _make_room(self, size_bytes: int) -> None:
        """Drop the files unused for longest until a tenth of the limit is free."""
        files = sorted(
            (path.stat().st_mtime, path.stat().st_size, path) for path in self._folder.glob("*.wav")
        )
        self._size_bytes = sum(size for _, size, _ in files)
        for _, _, path in files:
            if self._size_bytes + size_bytes <= self._limit_bytes * 0.9:
                break
            self._remove(path)

    def _remove(self, path: Path) -> None:
        try:
            size_bytes = path.stat().st_size
            path.unlink()
            self._size_bytes -= size_bytes
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        self._metrics.warnings.labels("phrase_cache_unavailable").inc()
        if not self._is_failing:
            log.warning(
                "phrase cache in %s does not work, speaking goes on without it: %s", self._folder, error
            )
        self._is_failing = True
