"""Voices that open their graphs in turn: what the budget counts of them, and what they really hold."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import yaml
from onnx import TensorProto, helper

from edge_tts.errors import MemoryBudgetError, VoiceLoadError
from edge_tts.memory import release_memory, rss_bytes, trim
from edge_tts.metrics import Metrics
from edge_tts.models import OPEN_BYTES, cosyvoice
from edge_tts.models.base import VoiceSpec
from edge_tts.models.cosyvoice_files import layout_of
from edge_tts.voices import LOADED_PER_FILE_BYTE, VoiceStore
from tests.tiny_voices import make_tools, sentence, tiny_cosyvoice_spec, tiny_gpt_sovits_spec

HELLO = sentence("Hello there.")
BALLAST_BYTES = 40 << 20


def sizes(spec: VoiceSpec) -> dict[str, int]:
    return {role: path.stat().st_size for role, path in spec.files.items()}


@pytest.mark.parametrize("generation", [2, 3])
def test_of_stages_the_largest_counts(generation: int, tmp_path: Path) -> None:
    spec = tiny_cosyvoice_spec(tmp_path / "v", generation=generation)
    stages = [sum(sizes(spec)[role] for role in stage) for stage in layout_of(spec).stages.values()]
    whole = sum(sizes(spec).values())
    assert len(stages) == 4
    assert OPEN_BYTES["cosyvoice"](spec) == whole - sum(stages) + max(stages)
    kept = replace(spec, settings={"cosyvoice": spec.settings["cosyvoice"] | {"keep_stages": True}})
    assert OPEN_BYTES["cosyvoice"](kept) == whole


def test_what_hears_clips_counts_once(tmp_path: Path) -> None:
    spec = tiny_gpt_sovits_spec(tmp_path / "v", kind="genie_pro_plus")
    hears = [sizes(spec)[role] for role in ("hubert", "speaker_encoder", "prompt_encoder")]
    assert OPEN_BYTES["gpt_sovits"](spec) == sum(sizes(spec).values()) - sum(hears) + max(hears)


def test_a_file_that_two_stages_share_counts_once(tmp_path: Path) -> None:
    spec = tiny_cosyvoice_spec(tmp_path / "v")
    beside = tmp_path / "weights.bin"
    beside.write_bytes(bytes(1 << 20))
    shared = {f"{role}_weights": beside for role in ("llm_decoder", "flow_estimator")}
    assert (
        OPEN_BYTES["cosyvoice"](replace(spec, files={**spec.files, **shared}))
        == OPEN_BYTES["cosyvoice"](spec) + beside.stat().st_size
    )


def with_ballast(spec: VoiceSpec) -> VoiceSpec:
    """Three of the stages larger by BALLAST_BYTES that the graph needs."""
    for role in ("llm_backbone_decode", "flow_estimator", "hift_decoder"):
        model = onnx.load(spec.files[role])
        graph = model.graph
        ballast = helper.make_tensor(
            "ballast", TensorProto.FLOAT, [BALLAST_BYTES // 4], bytes(BALLAST_BYTES), raw=True
        )
        place = helper.make_tensor("ballast_place", TensorProto.INT64, [1], [2])
        graph.initializer.extend([ballast, place])
        # What is looked up depends on the input, or it would be looked up once and the rest let go.
        source, made = graph.input[0].name, graph.output[0].name
        for node in graph.node:
            node.output[:] = [f"{name}_light" if name == made else name for name in node.output]
            node.input[:] = [f"{name}_light" if name == made else name for name in node.input]
        graph.node.extend(
            [
                helper.make_node("Shape", [source], ["ballast_shape"]),
                helper.make_node("Gather", ["ballast_shape", "ballast_place"], ["ballast_index"]),
                helper.make_node("Gather", ["ballast", "ballast_index"], ["ballast_found"]),
                helper.make_node("Add", [f"{made}_light", "ballast_found"], [made]),
            ]
        )
        onnx.save(model, spec.files[role])
    return replace(spec, sha256={})


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> VoiceSpec:
    return with_ballast(tiny_cosyvoice_spec(tmp_path_factory.mktemp("voices") / "heavy"))


def test_two_sentences_at_once_hold_one_stage_between_them(heavy: VoiceSpec) -> None:
    model = cosyvoice.load(heavy, make_tools())
    # The clip is heard, the tables of words are there.
    next(model.synthesize(HELLO))
    model = cosyvoice.load(heavy, make_tools())
    release_memory()
    empty_bytes, held = rss_bytes(), []
    first, second = model.synthesize(HELLO), model.synthesize(sentence("Good day."))
    # The first is left inside the flow, and finds another stage open when it goes on.
    for pieces in (itertools.islice(first, 6), second, first):
        n_samples = 0
        for piece in pieces:
            # Of what is held, not of what glibc keeps.
            trim()
            held.append(rss_bytes() - empty_bytes)
            n_samples += len(piece.samples)
    assert n_samples > 0
    assert BALLAST_BYTES // 2 < max(held) < 2 * BALLAST_BYTES


def test_the_budget_lets_in_what_fits_in_turn(heavy: VoiceSpec) -> None:
    needed = round(LOADED_PER_FILE_BYTE * OPEN_BYTES["cosyvoice"](heavy))
    assert needed < LOADED_PER_FILE_BYTE * heavy.size_bytes / 2

    def store(limit_bytes: int) -> VoiceStore:
        return VoiceStore((heavy.folder.parent,), make_tools(), limit_bytes, Metrics())

    release_memory()
    assert store(rss_bytes() + needed + (64 << 20)).loaded("heavy").memory_bytes == needed
    release_memory()
    with pytest.raises(MemoryBudgetError, match=f"needs about {needed >> 20} MB"):
        store(rss_bytes() + needed - (16 << 20)).loaded("heavy")


def test_settings_that_are_none_are_refused_by_name(tmp_path: Path) -> None:
    spec = tiny_cosyvoice_spec(tmp_path / "voices" / "v")
    path = spec.folder / "voice.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8")) | {"cosyvoice": ["keep_stages"]}
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    store = VoiceStore((tmp_path / "voices",), make_tools(), 1 << 40, Metrics())
    with pytest.raises(VoiceLoadError, match="cosyvoice"):
        store.loaded("v")
