"""What a GPT-SoVITS voice computes about clips, kept on disk beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_tts.cache import EmbeddingCache
from edge_tts.errors import BadClipError
from edge_tts.metrics import Metrics
from edge_tts.models import gpt_sovits, packs
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.speech import Reference
from edge_tts.text.phonemes import Phonemizer
from tests.test_gpt_sovits import HELLO, enrolled, load
from tests.tiny_voices import sound, tiny_gpt_sovits_spec


@pytest.fixture
def tiny(tmp_path: Path) -> VoiceSpec:
    return tiny_gpt_sovits_spec(tmp_path / "tiny")


def test_a_clip_is_heard_once_and_kept_on_disk(tiny: VoiceSpec, tmp_path: Path) -> None:
    metrics = Metrics()

    def heard() -> float:
        return sum(
            sample.value
            for metric in metrics.stages.collect()
            for sample in metric.samples
            if sample.name.endswith("_count") and sample.labels["stage"] == "enrolment"
        )

    asked = replace(HELLO, references=(enrolled(tmp_path / "g", None, 300.0),))
    first = sound(load(tiny), asked)
    assert len(list((tmp_path / "g").glob("neutral.gpt_sovits.*.npz"))) == 1
    restarted = gpt_sovits.load(tiny, ModelTools(Phonemizer(), EmbeddingCache(1 << 26, metrics), metrics))
    np.testing.assert_array_equal(sound(restarted, asked), first)
    assert heard() == 0
    # Another clip under the same name, and a pack that a power cut damaged, are heard again.
    for pack in (tmp_path / "g").glob("*.npz"):
        pack.write_bytes(pack.read_bytes()[:1000])
    damaged = gpt_sovits.load(tiny, ModelTools(Phonemizer(), EmbeddingCache(1 << 26, metrics), metrics))
    np.testing.assert_array_equal(sound(damaged, asked), first)
    assert heard() == 1
    sound(damaged, replace(HELLO, references=(enrolled(tmp_path / "g", None, 90.0),)))
    assert heard() == 2


def test_packs_of_one_clip_are_few(tiny: VoiceSpec, tmp_path: Path) -> None:
    model = load(tiny)
    for pitch_hz in range(100, 170, 10):
        sound(model, replace(HELLO, references=(enrolled(tmp_path / "g", None, pitch_hz),)))
    assert len(list((tmp_path / "g").glob("*.npz"))) == packs.KEPT


def test_a_clip_that_is_gone_is_told(tiny: VoiceSpec) -> None:
    gone = Reference("grandma", str(tiny.folder / "gone.wav"), "你好。", "0" * 64, "zh")
    with pytest.raises(BadClipError, match="the clip of grandma cannot be read any more"):
        sound(load(tiny), replace(HELLO, references=(gone,)))


def test_a_clip_longer_than_was_taught_is_a_warning(tiny: VoiceSpec, tmp_path: Path) -> None:
    warnings: list[str] = []
    long = enrolled(tmp_path / "g", None, 200.0, duration_s=12.0)
    sound(load(tiny, warnings), replace(HELLO, references=(long,)))
    assert warnings == ["clip_length: grandma speaks for 12.0 s; this voice imitates 3 to 10 s best"]


def test_a_place_that_cannot_be_written_to_costs_only_the_keeping(tmp_path: Path) -> None:
    clip = tmp_path / "gone" / "neutral.wav"
    made = packs.pack(clip, "family", "key", lambda: {"x": np.ones(3, np.float32)})
    np.testing.assert_array_equal(made["x"], np.ones(3))
    assert not clip.parent.exists()


def test_graphs_without_a_listed_hash_are_read_once_not_for_each_sentence(tmp_path: Path) -> None:
    graph = tmp_path / "hubert.onnx"
    graph.write_bytes(b"as it is")
    (tmp_path / "neutral.wav").touch()
    spec = VoiceSpec("v", "gpt_sovits", tmp_path, {"hubert": graph}, 32000, ("zh-CN",))
    clip = Reference("anna", str(tmp_path / "neutral.wav"), "Hello.", "5eed")
    known = packs.Packs(spec, ("hubert", "speaker_encoder"), EmbeddingCache(1 << 20, Metrics()))
    first = known.of(clip, lambda _: {"heard": np.ones(3, np.float32)})
    graph.unlink()
    assert known.of(clip, lambda _: {}) is first
