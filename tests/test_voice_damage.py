"""Voices from strangers and from failing disks: refused by name and reason, while the voice in use keeps speaking."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from click.testing import CliRunner
from onnx import helper, numpy_helper

from edge_tts.__main__ import cli
from edge_tts.config import Config, VoicesConfig
from edge_tts.errors import VoiceLoadError
from edge_tts.metrics import Metrics
from edge_tts.models import onnx_check, two_stage
from edge_tts.models.protobuf import GraphError
from edge_tts.voices import VoiceStore
from tests.damaged_voices import DAMAGES, GRAPH, empty, external, infinite, one_flipped_bit, piper_voice
from tests.doors_house import opened
from tests.tiny_two_stage import build_two_stage
from tests.tiny_voices import BUNDLED, build_piper, make_tools, sentence, sound, tiny_two_stage_spec


def store(folder: Path) -> VoiceStore:
    return VoiceStore((folder,), make_tools(), 4096 << 20, Metrics())


@pytest.mark.parametrize(("damage", "reason"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_a_damaged_voice_is_refused_listed_and_harms_no_other(
    tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    (tmp_path / "voices").mkdir()
    damage(piper_voice(tmp_path / "voices" / "v"))
    voices = store(tmp_path / "voices")
    hum = voices.loaded("hum").model
    with pytest.raises(VoiceLoadError, match=reason):
        voices.loaded("v")
    described = {voice["name"]: voice for voice in voices.describe()}
    assert str(tmp_path) in described["v"]["error"]
    assert "error" not in described["hum"]
    assert np.abs(sound(hum, sentence("Still here."))).max() > 0.1


@pytest.mark.parametrize(("damage", "reason"), [(one_flipped_bit, "was changed"), (external, "another file")])
def test_the_command_line_lists_it(tmp_path: Path, damage: Callable[[Path], None], reason: str) -> None:
    (tmp_path / "voices").mkdir()
    damage(piper_voice(tmp_path / "voices" / "v"))
    piper_voice(tmp_path / "voices" / "w")
    settings = {"cache": {"dir": "cache"}, "memory": {"limit_mb": 16_000}}
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump({"voices": {"folders": ["voices"], "default": "hum"}, **settings})
    )
    listed = CliRunner().invoke(cli, ["voices", "--config", str(tmp_path / "config.yaml")])
    assert listed.exit_code == 0, listed.output
    lines = {line.partition(":")[0]: line for line in listed.output.splitlines()}
    assert "cannot be used" in lines["v"]
    assert reason in lines["v"]


def test_a_voice_that_was_mended_is_taken(tmp_path: Path) -> None:
    folder = piper_voice(tmp_path / "v")
    voices = store(tmp_path)
    empty(folder)
    with pytest.raises(VoiceLoadError):
        voices.loaded("v")
    build_piper(folder / GRAPH)
    assert voices.loaded("v").model


def test_a_voice_in_use_keeps_speaking_whatever_happens_to_its_files(tmp_path: Path) -> None:
    folder = piper_voice(tmp_path / "v")
    voices = store(tmp_path)
    voices.loaded("v")
    for path in folder.iterdir():
        path.write_bytes(b"")
    assert "error" in next(voice for voice in voices.describe() if voice["name"] == "v")
    assert voices.spec("v").name == "v"
    assert sound(voices.loaded("v").model, sentence("Still here.")).size


async def test_the_daemon_speaks_on_when_a_damaged_voice_was_asked_for(
    config: Config, tmp_path: Path
) -> None:
    infinite(piper_voice(tmp_path / "v"))
    with_it = replace(config, voices=VoicesConfig(default="hum", folders=(tmp_path,)))
    async with opened(with_it) as house:
        for path in ("/api/tts", "/api/explain"):
            assert await house.code("POST", path, json={"text": "Hi", "voice": "v"}) == (
                503,
                "voice_load_failed",
            )
        _, outcome = await house.json("POST", "/api/say?wait=finished", json={"text": "Hi", "voice": "v"})
        assert (outcome["event_type"], outcome["code"]) == ("failed", "voice_load_failed")
        _, outcome = await house.json("POST", "/api/say?wait=finished", json={"text": "Hi"})
        assert outcome["event_type"] == "finished"
        _, listed = await house.json("GET", "/api/voices")
        assert "test phoneme" in next(voice["error"] for voice in listed["voices"] if voice["name"] == "v")


def test_a_description_of_another_voice(tmp_path: Path) -> None:
    """Graphs that know fewer tokens and speakers than frontend.json and voice.yaml say."""
    folder = tmp_path / "v"
    folder.mkdir()
    build_two_stage(folder, BUNDLED / "frontend.json", n_tokens=20, n_speakers=1)
    document = yaml.safe_load((BUNDLED / "voice.yaml").read_text())
    names = {role: f"{role}.onnx" for role in ("encoder", "decoder", "vocoder")}
    document |= {"name": "v", "files": names | {"frontend": "frontend.json"}, "sha256": {}}
    (folder / "voice.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(VoiceLoadError, match="do not fit together"):
        store(tmp_path).loaded("v")


def test_durations_without_end_are_refused_before_they_fill_the_memory(tmp_path: Path) -> None:
    spec = tiny_two_stage_spec(tmp_path)
    model = onnx.load(spec.files["encoder"])
    for node in model.graph.node:
        for number, name in enumerate(node.output):
            node.output[number] = "before" if name == "log_duration" else name
    model.graph.initializer.append(numpy_helper.from_array(np.array(25, np.float32), "longer"))
    model.graph.node.append(helper.make_node("Add", ["before", "longer"], ["log_duration"]))
    onnx.save(model, spec.files["encoder"])
    with pytest.raises(VoiceLoadError, match=r"the encoder yielded a sound of .* s"):
        two_stage.load(spec, make_tools())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("name: v\nname: w\n", r"name: given twice, first in line \d+, at line"),
        ("files: &a {}\nsha256: *a\n", "aliases are not taken"),
        ("name: 'v\\n'\n".replace("'", '"'), "printable"),
        (f"name: {'v' * 101}\n", "1 to 100"),
        ("sample_rate: .inf\n", "infinity"),
        ("sample_rate: 1\n", "expected 8000 to 96000 Hz, found 1"),
        ("languages: []\n", "at least one"),
        ("family: [hum]\n", "unknown family"),
        ("files: {model: ../x}\n", "without folders"),
        ("files: {model: ..}\n", "file name without folders|not a regular file"),
        ("files: {model: nothing.onnx}\n", "No such file"),
    ],
)
def test_what_voice_yaml_cannot_say(tmp_path: Path, changes: str, message: str) -> None:
    good = {"name": "v", "family": "hum", "languages": ["en-US"], "sample_rate": 22050, "files": {}}
    keys = {line.partition(":")[0] for line in changes.splitlines()}
    kept = {key: value for key, value in good.items() if key not in keys}
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "voice.yaml").write_text((yaml.safe_dump(kept) if kept else "") + changes)
    voices = store(tmp_path)
    assert set(voices.installed.voices) == {"hum"}
    [reason] = voices.installed.broken.values()
    with pytest.raises(VoiceLoadError, match=message):
        raise VoiceLoadError(tmp_path, reason)


def test_a_description_that_is_a_pipe_holds_nobody(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    os.mkfifo(tmp_path / "v" / "voice.yaml")
    assert "not a regular file" in store(tmp_path).installed.broken["v"]


def test_flipped_bits_never_end_in_anything_but_a_reason(tmp_path: Path) -> None:
    content = (piper_voice(tmp_path / "v") / GRAPH).read_bytes()
    random = np.random.default_rng(0)
    for position in random.integers(0, len(content), 300):
        flipped = bytearray(content)
        flipped[position] ^= 1 << int(random.integers(8))
        try:
            onnx_check.check(bytes(flipped))
        except GraphError:
            continue
