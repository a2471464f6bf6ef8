"""GPT-SoVITS voices on small graphs of their contract, in both layouts: the loop against a plain one, pieces against
the whole, who is imitated, what is kept, and guards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_tts.app import build_synthesizer
from edge_tts.cache import EmbeddingCache
from edge_tts.config import CacheConfig, Config, StateConfig, VoicesConfig
from edge_tts.errors import InvalidFieldError, SynthesisError, VoiceLoadError
from edge_tts.metrics import Metrics
from edge_tts.models import gpt_sovits, gpt_sovits_files, gpt_sovits_tokens
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.gpt_sovits import GptSovits
from edge_tts.models.gpt_sovits_sampling import Sampling, choose
from edge_tts.models.gpt_sovits_tokens import END, Prompt
from edge_tts.models.session import open_session
from edge_tts.speech import Emotion, Prosody, Reference, Sentence, SpeakRequest
from edge_tts.text.phonemes import Phonemizer
from tests import gpt_sovits_t2s, tiny_gpt_sovits
from tests.doors_house import ROOMY
from tests.tiny_voices import heard, make_tools, sentence, sound, tiny_gpt_sovits_spec

HELLO = sentence("你好，今天天气怎么样？", "zh")
KINDS = ("host", "genie", "genie_pro_plus")


def tools(warnings: list[str] | None = None, *, stream: bool = True) -> ModelTools:
    metrics = Metrics()
    kept: list[str] = [] if warnings is None else warnings
    return ModelTools(
        Phonemizer(), EmbeddingCache(64 << 20, metrics), metrics, warn=kept.append, stream=stream
    )


def load(spec: VoiceSpec, warnings: list[str] | None = None, *, stream: bool = True) -> GptSovits:
    return gpt_sovits.load(spec, tools(warnings, stream=stream))


@pytest.fixture
def tiny(tmp_path: Path) -> VoiceSpec:
    return tiny_gpt_sovits_spec(tmp_path / "tiny")


def said(**prosody: Any) -> Sentence:
    return replace(HELLO, prosody=Prosody(**prosody))


def enrolled(folder: Path, emotion: str | None, pitch_hz: float, duration_s: float = 3.0) -> Reference:
    folder.mkdir(exist_ok=True)
    path = folder / f"{emotion or 'neutral'}.wav"
    tiny_gpt_sovits.clip(path, pitch_hz, duration_s)
    return Reference(
        "grandma", str(path), "你好。", hashlib.sha256(path.read_bytes()).hexdigest(), "zh", emotion
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_layout_speaks_of_itself_and_ends_by_itself(kind: str, tmp_path: Path) -> None:
    warnings: list[str] = []
    model = load(tiny_gpt_sovits_spec(tmp_path / "v", kind=kind), warnings)
    samples = sound(model, HELLO)
    # Some 24 tokens of 40 ms.
    assert 0.6 < len(samples) / 32000 < 1.6
    assert 1e-3 < np.abs(samples).max() <= 1
    assert warnings == []


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_pieces_equal_the_whole(speed: float, tiny: VoiceSpec) -> None:
    pieces = heard(load(tiny), said(speed=speed))
    whole = heard(load(tiny, stream=False), said(speed=speed))
    assert len(pieces) > len(whole) == 1
    np.testing.assert_allclose(
        np.concatenate([piece.samples for piece in pieces]), whole[0].samples, atol=1e-4
    )


def test_too_little_context_would_be_heard(tiny: VoiceSpec) -> None:
    settings = {"gpt_sovits": tiny.settings["gpt_sovits"] | {"margin_frames": 5}}
    assert (
        np.abs(sound(load(replace(tiny, settings=settings)), HELLO) - sound(load(tiny), HELLO)).max() > 1e-3
    )


def prompt(spec: VoiceSpec) -> Prompt:
    random = np.random.default_rng(1)
    ids = random.integers(0, 322, (2, 1, 9))
    bert = random.standard_normal((2, 9, 1024)).astype(np.float32)
    ssl = random.standard_normal((1, 768, 60)).astype(np.float32)
    return Prompt(ids[0], ids[1], bert[0], bert[1], ssl)


def test_the_memory_gives_what_seeing_everything_again_would(tiny: VoiceSpec) -> None:
    graphs = gpt_sovits_files.open_graphs(tiny, make_tools())
    asked = prompt(tiny)
    tokens = list(gpt_sovits_tokens.chosen(graphs, asked, Sampling(), 6, lambda warning: None))
    assert len(tokens) == 6
    prompts = graphs.encoder.run({"ssl_content": asked.ssl_content})["prompts"]
    bert = np.concatenate([asked.said_bert, asked.text_bert]).T[None]
    ids = np.concatenate([asked.said_ids, asked.text_ids], axis=1)
    random = np.random.default_rng(0)
    again: list[int] = []
    for _ in range(6):
        seen = np.concatenate([prompts, np.array([again], np.int64)], axis=1)
        logits = graphs.first.run({"x": ids, "prompts": seen, "bert": bert})["logits"].ravel()
        logits[END:] = -np.inf
        again.append(choose(logits, seen.ravel().tolist(), Sampling(), random))
    assert tokens == again


def test_a_seed_is_a_way_of_saying_it(tiny: VoiceSpec) -> None:
    np.testing.assert_array_equal(sound(load(tiny), HELLO), sound(load(tiny), HELLO))
    settings = {"gpt_sovits": tiny.settings["gpt_sovits"] | {"seed": 1}}
    other, first = sound(load(replace(tiny, settings=settings)), HELLO), sound(load(tiny), HELLO)
    assert len(other) != len(first) or np.abs(other - first).max() > 1e-3


def test_no_sound_is_so_short_that_the_clip_would_be_heard(tiny: VoiceSpec) -> None:
    # The decoder wants to end at once.
    gpt_sovits_t2s.host_t2s(tiny.folder, replace(gpt_sovits_t2s.TINY, end_after=-100))
    samples = sound(load(replace(tiny, sha256={})), HELLO)
    assert len(samples) == gpt_sovits_tokens.MIN_TOKENS * 2 * 640


def test_a_layout_that_ends_at_once_says_nothing_and_says_so(tmp_path: Path) -> None:
    spec = tiny_gpt_sovits_spec(tmp_path / "v", kind="genie")
    gpt_sovits_t2s.genie_t2s(spec.folder, gpt_sovits_t2s.TINY, end_at=-1000)
    warnings: list[str] = []
    assert not len(sound(load(replace(spec, sha256={}), warnings), HELLO))
    assert warnings[-1].startswith("unsaid: ")


@pytest.mark.parametrize("kind", ["host", "genie"])
def test_what_does_not_end_is_cut(kind: str, tmp_path: Path) -> None:
    spec = tiny_gpt_sovits_spec(tmp_path / "v", kind=kind)
    endless = replace(gpt_sovits_t2s.TINY, end_after=300)
    if kind == "host":
        gpt_sovits_t2s.host_t2s(spec.folder, endless)
    else:
        gpt_sovits_t2s.genie_t2s(spec.folder, endless, end_at=9999)
    warnings: list[str] = []
    samples = sound(load(replace(spec, sha256={}), warnings), sentence("你好", "zh"))
    assert len(samples) == gpt_sovits_tokens.most_tokens(6) * 2 * 640
    assert any(warning.startswith("endless_sentence: ") for warning in warnings)


@pytest.mark.parametrize("kind", KINDS)
def test_another_person_is_another_sound(kind: str, tmp_path: Path) -> None:
    model = load(tiny_gpt_sovits_spec(tmp_path / "v", kind=kind))
    own = sound(model, HELLO)
    grandma = sound(model, replace(HELLO, references=(enrolled(tmp_path / "grandma", None, 300.0),)))
    assert len(own) != len(grandma) or np.abs(own - grandma).max() > 1e-4


def test_an_emotion_is_the_clip_of_it(tiny: VoiceSpec, tmp_path: Path) -> None:
    warnings: list[str] = []
    model = load(tiny, warnings)
    neutral, happy = sound(model, HELLO), sound(model, said(emotion=Emotion("happy")))
    assert not np.array_equal(neutral, happy)
    np.testing.assert_array_equal(sound(model, said(emotion=Emotion("happy", 0.2))), neutral)
    both = (enrolled(tmp_path / "g", None, 300.0), enrolled(tmp_path / "g", "sad", 90.0))
    sad = sound(model, replace(said(emotion=Emotion("sad")), references=both))
    np.testing.assert_array_equal(sad, sound(model, replace(HELLO, references=both[1:])))
    assert warnings == []
    sound(model, replace(said(emotion=Emotion("happy")), references=both))
    assert warnings == ["unknown_emotion:happy"]


def test_what_a_voice_can_do_is_told_before_it_speaks(tmp_path: Path) -> None:
    tiny_gpt_sovits.build(tmp_path / "voices" / "tiny")
    tiny_gpt_sovits.build(tmp_path / "voices" / "genie", kind="genie")
    config = Config(
        voices=VoicesConfig(default="tiny", folders=(tmp_path / "voices",)),
        cache=CacheConfig(limit_mb=0),
        state=StateConfig(dir=tmp_path / "state"),
        memory=ROOMY,
    )
    synthesizer = build_synthesizer(config, Metrics())
    for emotion, pitch_hz in ((None, 300.0), ("sad", 90.0)):
        clip = enrolled(tmp_path / "g", emotion, pitch_hz)
        synthesizer.references.add("grandma", Path(clip.path), "你好。", emotion=emotion)

    def warnings(voice: str, **asked: Any) -> list[str]:
        found: list[str] = synthesizer.explain(SpeakRequest("你好。", voice=voice, **asked), "tiny")[
            "warnings"
        ]
        return found

    sad = Emotion("sad")
    assert warnings("tiny", emotion=sad, speed=1.2) == ["unknown_emotion:sad"]
    assert warnings("tiny", emotion=sad, reference="grandma") == []
    assert warnings("genie", speed=1.2, pitch=2.0) == [
        "unsupported_control:speed",
        "unsupported_control:pitch",
    ]


def test_a_voice_without_a_clip_asks_for_one(tmp_path: Path) -> None:
    model = load(tiny_gpt_sovits_spec(tmp_path / "v", has_clips=False))
    with pytest.raises(
        InvalidFieldError, match="reference: expected somebody enrolled: voice 'v' has no clip"
    ):
        sound(model, HELLO)
    assert len(sound(model, replace(HELLO, references=(enrolled(tmp_path / "g", None, 300.0),))))


def test_what_bert_understands_is_heard(tmp_path: Path) -> None:
    with_bert, without = (
        load(tiny_gpt_sovits_spec(tmp_path / str(has), has_bert=has)) for has in (True, False)
    )
    a, b = sound(with_bert, HELLO), sound(without, HELLO)
    assert len(a) != len(b) or not np.array_equal(a, b)


def test_long_text_is_said_in_parts(tiny: VoiceSpec) -> None:
    long = sentence("你好，" * 80, "zh")
    # 400 symbols of at most 120 each, some 25 tokens for each part here.
    assert len(sound(load(tiny), long)) > 3 * 20 * 2 * 640


def damaged(path: Path, change: Callable[[Any], None]) -> None:
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)


@pytest.mark.parametrize("role", ["t2s_encoder", "t2s_stage", "latent", "vocoder"])
def test_a_graph_of_another_contract_is_named(role: str, tiny: VoiceSpec) -> None:
    def change(model: Any) -> None:
        wanted = model.graph.output[0].name
        for node in model.graph.node:
            if wanted in node.output:
                node.output[list(node.output).index(wanted)] = "other"
        model.graph.output[0].name = "other"

    damaged(tiny.files[role], change)
    with pytest.raises(VoiceLoadError, match=f"{role}.*has no output"):
        load(replace(tiny, sha256={}))


def test_a_table_too_small_for_the_symbols_is_no_voice(tiny: VoiceSpec) -> None:
    def change(model: Any) -> None:
        for weight in model.graph.initializer:
            if list(weight.dims[:1]) == [732]:
                weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight)[:300], weight.name))

    damaged(tiny.files["latent"], change)
    with pytest.raises(VoiceLoadError, match="its graphs do not fit together"):
        load(replace(tiny, sha256={}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "gpt_sovits.seed: expected 0"),
        ({"top_k": 0}, "gpt_sovits.top_k: expected 1"),
        ({"temperature": "hot"}, "gpt_sovits.temperature: expected"),
        ({"margin": 3}, "unknown or too small: margin"),
        ({"clips": {"neutral": {"text": ""}}}, "clips: neutral: expected its text"),
        ({"clips": {}}, "no clip for happy"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, Any], message: str, tiny: VoiceSpec) -> None:
    with pytest.raises(VoiceLoadError, match=message):
        load(replace(tiny, settings={"gpt_sovits": tiny.settings["gpt_sovits"] | change}))


def test_a_missing_graph_is_named(tiny: VoiceSpec) -> None:
    files = {role: path for role, path in tiny.files.items() if role != "latent"}
    with pytest.raises(VoiceLoadError, match="lists no file for latent"):
        load(replace(tiny, files=files))


def test_a_step_without_its_memory_is_an_error(tiny: VoiceSpec) -> None:
    stage = open_session(tiny.files["t2s_stage"], None, threads=1)
    numbers = {name: np.array([1]) for name in ("y_len", "idx")}
    with pytest.raises(SynthesisError, match=r"t2s_stage\.onnx failed"):
        stage.step({"iy": np.array([[1]]), **numbers}, {}, {})
