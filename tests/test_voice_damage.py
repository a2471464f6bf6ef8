"""Voices from strangers and from failing disks: refused by name and reason, while the voice in use keeps speaking."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from edge_tts.__main__ import cli
from edge_tts.config import Config, VoicesConfig
from edge_tts.errors import VoiceLoadError
from edge_tts.metrics import Metrics
from edge_tts.models import onnx_check, two_stage
from edge_tts.models.onnx_graph import GraphError
from edge_tts.voices import VoiceStore
from tests.doors_house import opened
from tests.tiny_two_stage import build_two_stage
from tests.tiny_voices import BUNDLED, build_piper, make_tools, sentence, sound, tiny_two_stage_spec

GRAPH, CONFIG = "v.onnx", "v.onnx.json"


def piper_voice(folder: Path) -> Path:
    """A Piper pair with the digest of its graph beside it."""
    folder.mkdir()
    build_piper(folder / GRAPH)
    return sign(folder)


def sign(folder: Path) -> Path:
    digest = hashlib.sha256((folder / GRAPH).read_bytes()).hexdigest()
    (folder / f"{GRAPH}.sha256").write_text(f"{digest}  {GRAPH}\n")
    return folder


def store(folder: Path) -> VoiceStore:
    return VoiceStore((folder,), make_tools(), 4096 << 20, Metrics())


# What happens to the files


def truncated(folder: Path) -> None:
    (folder / GRAPH).write_bytes((folder / GRAPH).read_bytes()[:-1000])


def one_flipped_bit(folder: Path) -> None:
    content = bytearray((folder / GRAPH).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / GRAPH).write_bytes(content)


def empty(folder: Path) -> None:
    (folder / GRAPH).write_bytes(b"")


def gone(folder: Path) -> None:
    (folder / GRAPH).rename(folder / "elsewhere")
    (folder / GRAPH).symlink_to(folder / "nowhere")


def link_out(folder: Path) -> None:
    outside = folder.parent / "outside"
    (folder / GRAPH).rename(outside)
    (folder / GRAPH).symlink_to(outside)


def link_to_a_secret(folder: Path) -> None:
    (folder / CONFIG).unlink()
    (folder / CONFIG).symlink_to("/etc/passwd")


def pipe(folder: Path) -> None:
    (folder / GRAPH).unlink()
    os.mkfifo(folder / GRAPH)


def pipe_of_configuration(folder: Path) -> None:
    (folder / CONFIG).unlink()
    os.mkfifo(folder / CONFIG)


def wrong_digest_file(folder: Path) -> None:
    (folder / f"{GRAPH}.sha256").write_text("d41d8cd98f00b204e9800998ecf8427e  v.onnx\n")


# What a stranger may write


def changed(change: Callable[[onnx.ModelProto], None]) -> Callable[[Path], None]:
    """The graph written anew, and signed."""

    def damage(folder: Path) -> None:
        model = onnx.load(folder / GRAPH)
        change(model)
        (folder / GRAPH).write_bytes(model.SerializeToString())
        sign(folder)

    damage.__name__ = change.__name__
    return damage


@changed
def external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


@changed
def unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[-1].op_type = "Frobnicate"


@changed
def operator_of_a_stranger(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("evil", 1))
    model.graph.node[-1].domain = "evil"


@changed
def opset_of_the_future(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


@changed
def not_a_number(model: onnx.ModelProto) -> None:
    weight = next(each for each in model.graph.initializer if len(each.dims) == 3)
    value = numpy_helper.to_array(weight).copy()
    value.flat[5] = np.nan
    weight.CopyFrom(numpy_helper.from_array(value, weight.name))


@changed
def infinite(model: onnx.ModelProto) -> None:
    for weight in model.graph.initializer:
        if len(weight.dims) == 3:
            value = np.full(list(weight.dims), np.inf, np.float32)
            weight.CopyFrom(numpy_helper.from_array(value, weight.name))


@changed
def huge_claim(model: onnx.ModelProto) -> None:
    weight = next(each for each in model.graph.initializer if len(each.dims) == 3)
    weight.dims[0] = 1 << 40


@changed
def another_contract(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "words"


def settings(**values: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        document = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps(document | values))

    damage.__name__ = "_".join(values)
    return damage


def graphs_in_graphs(folder: Path) -> None:
    """By hand: the onnx package makes no such thing."""
    inner = b""
    for number in (6, 5, 1) * 40:
        # The graph of a branch, the branch of an If, the If in a graph.
        length = len(inner)
        inner = bytes([number << 3 | 2, length & 0x7F | 0x80, length >> 7]) + inner
    length = len(inner)
    added = bytes([7 << 3 | 2, length & 0x7F | 0x80, length >> 7]) + inner
    (folder / GRAPH).write_bytes((folder / GRAPH).read_bytes() + added)
    sign(folder)


def nested(folder: Path) -> None:
    (folder / CONFIG).write_text("[" * 100_000)


IDS = {"^": [1], "_": [0], "$": [2], "a": [5000]}

DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (truncated, "is damaged or was changed: sha256 is"),
    (one_flipped_bit, "is damaged or was changed: sha256 is"),
    (empty, "is empty; install it again"),
    (gone, "cannot be read: No such file"),
    (link_out, "is a link to .*outside, outside of its folder"),
    (link_to_a_secret, "is a link to /etc/passwd, outside of its folder"),
    (pipe, "is not a regular file"),
    (pipe_of_configuration, "is not a regular file"),
    (wrong_digest_file, "begins with no digest"),
    (external, "lie in another file"),
    (unknown_operator, "Frobnicate"),
    (operator_of_a_stranger, "evil"),
    (opset_of_the_future, "(?i)opset"),
    (not_a_number, r"not numbers \(NaN\)"),
    (infinite, "does not speak a test phoneme"),
    (huge_claim, "claim another size"),
    (graphs_in_graphs, "graphs inside graphs"),
    (another_contract, "takes .*words"),
    (settings(phoneme_id_map=IDS), "knows .* phonemes, but its configuration has ids up to 5000"),
    (settings(num_speakers=3), "a Piper voice with 3 speaker"),
    (settings(phoneme_id_map={"a": [1]}), "lacks"),
    (settings(audio={"sample_rate": 10**12}), "sample_rate: expected 8000 to 96000"),
    (settings(audio={"sample_rate": 1e999}), "is no Piper configuration"),
    (settings(inference={"length_scale": 1e9}), "inference.length_scale: expected 0 to 10, found 1000000000"),
    (settings(inference={"noise_w": float("nan")}), "inference.noise_w: expected 0 to 10, found nan"),
    (nested, "is not JSON"),
]


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
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump({"voices": {"folders": ["voices"], "default": "hum"}, "cache": {"dir": "cache"}})
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
