"""Weights in a file beside their graph: what is said with them, and what is wrong with such files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from edge_tts.errors import VoiceLoadError
from edge_tts.models.base import VoiceSpec
from edge_tts.models.gpt_sovits_files import open_bytes
from edge_tts.models.opening import Opener
from edge_tts.voice_folders import verify
from tests.test_gpt_sovits import HELLO, load
from tests.tiny_voices import sound, tiny_gpt_sovits_spec
from tests.weights_beside import beside, scaling, signed

FACTORS = (0.1, 2.0, -3.3)


@pytest.fixture
def voice(tmp_path: Path) -> VoiceSpec:
    """With the graphs a and b."""
    files = {role: scaling(tmp_path / f"{role}.onnx", FACTORS) for role in "ab"}
    return VoiceSpec("v", "hum", tmp_path, files, 16000, ("en-US",))


def said(spec: VoiceSpec, role: str) -> np.ndarray:
    return Opener(spec, threads=1).open(role).run({"x": np.ones(3, np.float32)})["y"]


@pytest.mark.parametrize("kind", ["<f4", "<f2"])
def test_weights_beside_are_those_of_the_graph(kind: str, voice: VoiceSpec) -> None:
    apart = beside(voice, {"w.bin": "ab"}, kind)
    verify(apart)
    for role in "ab":
        np.testing.assert_array_equal(said(apart, role), np.array(FACTORS, kind).astype(np.float32))


@pytest.mark.parametrize("kind", ["i1", "u1"])
def test_weights_beside_may_be_those_of_8_bits(kind: str, voice: VoiceSpec) -> None:
    values = np.array([1, 2, 100], kind)
    weight = numpy_helper.from_array(values, "factors")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="w.bin")
    model = onnx.load(voice.files["a"])
    (node,) = model.graph.node
    node.op_type = "DequantizeLinear"
    node.input[:] = ["factors", "scale"]
    model.graph.node.add(op_type="Mul", input=["x", "scaled"], output=["y"])
    node.output[:] = ["scaled"]
    scale = numpy_helper.from_array(np.array(0.5, np.float32), "scale")
    del model.graph.initializer[:]
    model.graph.initializer.extend([weight, scale])
    voice.files["a"].write_bytes(model.SerializeToString())
    (voice.folder / "w.bin").write_bytes(values.tobytes())
    apart = signed(replace(voice, files={**voice.files, "a_weights": voice.folder / "w.bin"}))
    np.testing.assert_array_equal(said(apart, "a"), values / 2)


def test_what_was_computed_with_other_weights_is_not_taken_for_theirs(voice: VoiceSpec) -> None:
    apart = beside(voice, {"w.bin": "ab"})
    before = Opener(apart, 1).open("a").sha256
    (voice.folder / "w.bin").write_bytes(np.zeros(3, "<f4").tobytes())
    assert Opener(signed(apart), 1).open("a").sha256 != before


def _gone(spec: VoiceSpec) -> VoiceSpec:
    return replace(spec, files={role: path for role, path in spec.files.items() if role != "a_weights"})


def _unlisted(spec: VoiceSpec) -> VoiceSpec:
    return replace(spec, sha256={})


def _changed(spec: VoiceSpec) -> VoiceSpec:
    (spec.folder / "w.bin").write_bytes(b"\1" * (spec.folder / "w.bin").stat().st_size)
    return spec


def _cut(spec: VoiceSpec) -> VoiceSpec:
    (spec.folder / "w.bin").write_bytes((spec.folder / "w.bin").read_bytes()[:4])
    return signed(spec)


def _link(spec: VoiceSpec) -> VoiceSpec:
    outside = spec.folder.parent / "outside.bin"
    (spec.folder / "w.bin").rename(outside)
    (spec.folder / "w.bin").symlink_to(outside)
    return spec


def _not_a_number(spec: VoiceSpec) -> VoiceSpec:
    (spec.folder / "w.bin").write_bytes(np.full(3, np.nan, "<f2").tobytes())
    return signed(spec)


def _entry(key: str, value: str) -> Callable[[VoiceSpec], VoiceSpec]:
    def change(spec: VoiceSpec) -> VoiceSpec:
        model = onnx.load(spec.files["a"], load_external_data=False)
        for each in model.graph.initializer[0].external_data:
            each.value = value if each.key == key else each.value
        spec.files["a"].write_bytes(model.SerializeToString())
        return signed(spec)

    return change


def _scattered(spec: VoiceSpec) -> VoiceSpec:
    """A file for each weight, as some exporters write: read from one, each would have the values of another."""
    model = onnx.load(spec.files["a"], load_external_data=False)
    second = model.graph.initializer.add()
    second.CopyFrom(model.graph.initializer[0])
    second.name = "unused"
    next(each for each in second.external_data if each.key == "location").value = "unused.bin"
    spec.files["a"].write_bytes(model.SerializeToString())
    return signed(spec)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_gone, r"lie in another file, 'weights_fp32.bin', which is not in voice.yaml \(as x_weights"),
        (_unlisted, "lists no sha256 of it; if it is as it was published, [0-9a-f]{64}"),
        (_changed, "w.bin: is damaged or was changed"),
        (_cut, "end at byte 12 of another file, which has 4"),
        (_link, "outside.bin, outside of its folder"),
        (_not_a_number, r"not numbers \(NaN\)"),
        (_entry("offset", "-8"), "from '-8' on"),
        (_entry("offset", "9" * 5000), "from '999"),
        (_entry("offset", str(2**62)), "end at byte"),
        (_scattered, r"in 2 other files \(unused.bin, weights_fp32.bin"),
        (_entry("length", "8"), "claim 8 bytes .* expected 12"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_with_them_is_said(
    damage: Callable[[VoiceSpec], VoiceSpec], reason: str, voice: VoiceSpec, tmp_path: Path
) -> None:
    folder = tmp_path / "v"
    folder.mkdir()
    files = {role: path.rename(folder / path.name) for role, path in voice.files.items()}
    damaged = damage(beside(replace(voice, folder=folder, files=files), {"w.bin": "ab"}))
    for read in (verify, lambda spec: Opener(spec, 1).open("a")):
        with pytest.raises(VoiceLoadError, match=reason):
            read(damaged)


def test_the_location_that_a_stranger_wrote_is_never_opened(voice: VoiceSpec) -> None:
    apart = beside(voice, {"w.bin": "ab"}, "<f4")
    strange = _entry("location", "../../../../etc/passwd")(apart)
    np.testing.assert_array_equal(said(strange, "a"), np.array(FACTORS, np.float32))


GENIE = {
    "t2s_encoder_fp32.bin": ("t2s_encoder",), "t2s_shared_fp16.bin": ("t2s_first", "t2s_stage"),
    "vits_fp16.bin": ("vits",), "chinese-hubert-base_weights_fp16.bin": ("hubert",),
}  # fmt: skip
PACKS = {"genie": GENIE, "genie_pro_plus": GENIE | {"prompt_encoder_fp16.bin": ("prompt_encoder",)}}


def test_a_pack_of_genie_speaks_as_if_its_weights_were_inside(tmp_path: Path) -> None:
    inside = tiny_gpt_sovits_spec(tmp_path / "v", kind="genie")
    expected = sound(load(inside), HELLO)
    np.testing.assert_array_equal(sound(load(beside(inside, GENIE, "<f4")), HELLO), expected)


@pytest.mark.parametrize("kind", PACKS)
def test_a_pack_of_genie_in_halves_speaks(kind: str, tmp_path: Path) -> None:
    in_halves = beside(tiny_gpt_sovits_spec(tmp_path / "v", kind=kind), PACKS[kind])
    assert np.abs(sound(load(in_halves), HELLO)).max() > 1e-3


def test_what_is_loaded_is_counted_as_it_will_be(tmp_path: Path) -> None:
    roles = ("t2s_encoder", "t2s_first", "t2s_stage", "vits", "hubert")
    inside = tiny_gpt_sovits_spec(tmp_path / "v", kind="genie", has_bert=False, has_clips=False)
    sizes = [inside.files[role].stat().st_size for role in roles]
    expected = open_bytes(inside)
    apart = beside(inside, GENIE)
    assert [inside.files[role].stat().st_size < size for role, size in zip(roles, sizes, strict=True)] == [
        True
    ] * 5
    # The weights of both decoders twice, in float32; places and names take a little.
    assert open_bytes(apart) == pytest.approx(expected, rel=0.2)
    assert open_bytes(apart) > 1.5 * (apart.size_bytes - apart.files["hubert_weights"].stat().st_size)
