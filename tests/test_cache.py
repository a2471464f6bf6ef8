from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from edge_tts.cache import EmbeddingCache, PhraseCache, digest
from edge_tts.metrics import Metrics
from edge_tts.speech import Audio


def sound(seed: int, n_samples: int = 1000) -> Audio:
    return Audio(np.random.default_rng(seed).uniform(-0.5, 0.5, n_samples).astype(np.float32), 22050)


def test_a_phrase_comes_back_after_a_restart(tmp_path: Path) -> None:
    PhraseCache(tmp_path, 1 << 20, Metrics()).put("a", sound(1))
    again = PhraseCache(tmp_path, 1 << 20, Metrics()).get("a")
    assert again is not None
    np.testing.assert_allclose(again.samples, sound(1).samples, atol=1 / 32767)


def test_the_least_recently_used_phrases_make_room(tmp_path: Path) -> None:
    cache = PhraseCache(tmp_path, 10_000, Metrics())
    for age, name in enumerate(["a", "b", "c", "d"]):
        cache.put(name, sound(age))
        # Each a day older than the next; "a" was heard just now.
        used_s = time.time() - 86400 * (4 - age)
        os.utime(tmp_path / f"{name}.wav", (used_s, used_s))
    assert cache.get("a") is not None
    cache.put("e", sound(9))
    assert cache.get("a") is not None
    assert cache.get("b") is None
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10_000


def test_a_phrase_larger_than_the_cache_is_not_kept(tmp_path: Path) -> None:
    cache = PhraseCache(tmp_path, 1000, Metrics())
    cache.put("a", sound(1))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_phrase_is_dropped_not_spoken(tmp_path: Path) -> None:
    cache = PhraseCache(tmp_path, 1 << 20, Metrics())
    cache.put("a", sound(1))
    path = tmp_path / "a.wav"
    path.write_bytes(path.read_bytes()[:500])
    assert cache.get("a") is None
    assert not path.exists()


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    metrics = Metrics()
    cache = PhraseCache(tmp_path / "file" / "below", 1 << 20, metrics)
    cache.put("a", sound(1))
    assert cache.get("a") is None
    assert b'edge_tts_warnings_total{warning="phrase_cache_unavailable"}' in metrics.text()


def test_no_limit_no_files(tmp_path: Path) -> None:
    cache = PhraseCache(tmp_path / "none", 0, Metrics())
    cache.put("a", sound(1))
    assert cache.get("a") is None
    assert not (tmp_path / "none").exists()


def test_an_embedding_is_computed_once_and_the_cache_stays_small() -> None:
    computed: list[int] = []
    cache = EmbeddingCache(limit_bytes=3 * 400, metrics=Metrics())

    def embed(number: int) -> None:
        def compute() -> dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]]:
            computed.append(number)
            return {"x": np.zeros(100, np.float32)}

        cache.get(str(number), compute)

    for number in [1, 2, 3, 1, 4, 1, 2]:
        embed(number)
    # 4 pushed out 2, the least recently used.
    assert computed == [1, 2, 3, 4, 2]
    assert cache.size_bytes <= 1200


def test_too_large_an_embedding_is_made_and_not_kept() -> None:
    cache = EmbeddingCache(limit_bytes=10, metrics=Metrics())
    assert len(cache.get("a", lambda: {"x": np.zeros(100, np.float32)})["x"]) == 100
    assert cache.size_bytes == 0


@pytest.mark.parametrize("other", [("a", 2), ("a", 1, None), ("a1",), ({"a": 1},)])
def test_different_content_has_a_different_key(other: tuple[object, ...]) -> None:
    assert digest("a", 1) != digest(*other)
