"""From learned networks to an installed voice: the graphs equal the networks, the 8-bit graphs are near them, the voice
speaks, the page and the card have everything."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch
import yaml
from numpy.typing import NDArray

from edge_tts.models import two_stage
from edge_tts.voice_folders import read_voice_yaml
from scripts.train import int8 as int8_stage
from scripts.train import model_card, report
from scripts.train.export import (
    LEARNED,
    SHAPES,
    ExportError,
    Networks,
    _compare,
    export,
    open_graph,
    random_inputs,
    run,
    write_graphs,
)
from scripts.train.f0 import f0
from scripts.train.figures import Clip
from scripts.train.int8 import Int8Error, balanced, int8, products, quantized
from scripts.train.licences import licence_of, warning_of
from scripts.train.mels import mels
from scripts.train.networks import Acoustic, Prosody, Vocoder
from scripts.train.phonemes import n_tokens, phonemes
from scripts.train.recipe import Corpus, Recipe, Utterance
from scripts.train.stage import Settings, Work, write_json
from scripts.train.voice_folder import VoiceFolderError, attribution, learned_from, write_voice
from tests.tiny_voices import make_tools, sentence, sound

TEXTS = {
    "anna": ("en-US", ("Open the door.", "Is it cold?", "The tea is ready.", "Good night, all.")),
    "bo": ("zh-CN", ("你好", "今天", "下雨", "天气很好")),
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """A training of two speakers up to its last learning stage; nobody has learned anything."""
    folder = tmp_path_factory.mktemp("train")
    corpora = (
        Corpus(folder, "anna", "en-US", "CC0-1.0", "her own"),
        Corpus(folder, "bo", "zh-CN", "CC-BY-SA-4.0"),
    )
    made = Work(Recipe("tiny", corpora), folder / "tiny", Settings(workers=1))
    _record(made)
    for stage in (phonemes, mels, f0):
        stage(made)
    torch.manual_seed(3)
    size = (n_tokens(made), 2)
    networks = Networks(Prosody(*size), Acoustic(*size), Vocoder())
    prosody, acoustic, vocoder = networks.prosody, networks.acoustic, networks.vocoder
    # Someone who has learned nothing at all would be unvoiced, or a burst.
    with torch.no_grad():
        prosody.dur.o.bias.fill_(1.6)
        acoustic.out.bias[:80].fill_(-4)
        acoustic.out.bias[81].fill_(1)
        vocoder.o.bias.copy_(torch.tensor([-5.0, 0.0, -6.0]).repeat_interleave(257).repeat(2))
    for name, (left_by, file) in LEARNED.items():
        torch.save(getattr(networks, name).state_dict(), made.stage(left_by) / file)
    return made


def _record(work: Work) -> None:
    """Buzzes in place of speech, each speaker at a pitch of its own."""
    chance = np.random.default_rng(1)
    utterances = []
    for number, (speaker, (_, texts)) in enumerate(TEXTS.items()):
        for index, text in enumerate(texts):
            each = Utterance(f"{speaker}/{index}", speaker, (text,), (), index == 0)
            time_s = np.arange(256 * 120) / 22050
            buzz = 0.1 * np.sign(np.sin(2 * np.pi * (120 + 80 * number + 10 * index) * time_s))
            path = work.stage("clean") / f"{each.id}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, buzz + 0.001 * chance.standard_normal(len(buzz)), 22050)
            utterances.append(each)
    write_json(
        work.stage("clean") / "utterances.json",
        [
            {"id": u.id, "speaker": u.speaker, "texts": u.texts, "sounds": [], "is_held_out": u.is_held_out}
            for u in utterances
        ],
    )


@pytest.fixture(scope="module")
def exported(work: Work) -> Path:
    export(work)
    return work.stage("export")


@pytest.fixture(scope="module")
def installed(work: Work, exported: Path) -> Path:
    int8(work)
    return work.folder / "voice"


GRAPHS = {
    "encoder": (two_stage.ENCODER_INPUTS, two_stage.ENCODER_OUTPUTS),
    "decoder": (two_stage.DECODER_INPUTS, two_stage.DECODER_OUTPUTS),
    "vocoder": (two_stage.VOCODER_INPUTS, two_stage.VOCODER_OUTPUTS),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_keeps_the_contract(name: str, exported: Path) -> None:
    model = onnx.load(exported / f"{name}.onnx")
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]
    for values, names in zip((model.graph.input, model.graph.output), GRAPHS[name], strict=True):
        shapes = {
            value.name: tuple(size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim)
            for value in values
        }
        assert shapes == {each: SHAPES[each] for each in names}


def test_every_product_of_the_networks_is_one_with_a_constant_matrix(exported: Path) -> None:
    # Weights of a convolution that are laid out in the run would stay float32, and cost time in each.
    for name in GRAPHS:
        model = onnx.load(exported / f"{name}.onnx")
        assert len(products(model)) == sum(node.op_type == "MatMul" for node in model.graph.node)
        assert not any(node.op_type == "Flatten" for node in model.graph.node)


def test_a_graph_that_says_otherwise_is_refused(exported: Path) -> None:
    torch.manual_seed(4)
    other = Vocoder()
    inputs = random_inputs(np.random.default_rng(0), 3, 5, 1)

    class Other(torch.nn.Module):
        def forward(self, mel: torch.Tensor, f0: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(vars(other(mel, f0)).values())

    with pytest.raises(ExportError, match=r"harmonic_log_magnitude .* off the network's"):
        _compare(exported / "vocoder.onnx", Other(), two_stage.VOCODER_INPUTS, inputs)


@pytest.mark.float_pack
@pytest.mark.skipif("EDGE_TTS_FLOAT_PACK" not in os.environ, reason="EDGE_TTS_FLOAT_PACK names no folder")
def test_the_first_bundled_voice_is_exported_as_it_was(tmp_path: Path) -> None:
    pack = Path(os.environ["EDGE_TTS_FLOAT_PACK"])
    checkpoints = pack.parents[1] / "voice-rd" / "checkpoints"
    if not checkpoints.is_dir():
        pytest.skip(f"{checkpoints} is not there")
    networks = Networks(Prosody(133, 3).eval(), Acoustic(133, 3).eval(), Vocoder().eval())
    # Prosody was the acoustic model's then.
    for network, file in (
        (networks.prosody, "acoustic.pt"),
        (networks.acoustic, "acoustic.pt"),
        (networks.vocoder, "vocoder.pt"),
    ):
        network.load_state_dict(torch.load(checkpoints / file, weights_only=True), strict=False)
    write_graphs(networks, tmp_path)
    inputs = random_inputs(np.random.default_rng(1), 30, 133, 3)
    for name in GRAPHS:
        own, given = (run(open_graph(folder / f"{name}.onnx"), inputs) for folder in (tmp_path, pack))
        for output in given:
            np.testing.assert_allclose(own[output], given[output], atol=1e-4)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_products_in_8_bits_are_all_but_the_first_and_last(
    name: str, work: Work, installed: Path
) -> None:
    before = onnx.load(work.stage("export") / f"{name}.onnx")
    after = onnx.load(installed / f"{name}.int8.onnx")
    kinds = [node.op_type for node in after.graph.node]
    n_exact = len(int8_stage.FLOAT_LAYERS[name])
    assert kinds.count("MatMulInteger") == len(products(before)) - n_exact
    assert kinds.count("MatMul") == n_exact
    # Only the encoder, which always sees whole phrases, may look at what is in the run.
    assert ("DynamicQuantizeLinear" in kinds) == (name == "encoder")
    assert (installed / f"{name}.int8.onnx").stat().st_size < 0.4 * before.ByteSize()


def test_balancing_changes_no_result(work: Work, exported: Path, tmp_path: Path) -> None:
    model = onnx.load(exported / "vocoder.onnx")
    seen = int8_stage.calibrate(work, exported, int8_stage.phrases(work)[0])["vocoder"]
    before = {name: each.high.max() - each.low.min() for name, each in seen.items()}
    found = balanced(model, [node.name for node in products(model)], seen)
    assert sum(each.high.max() - each.low.min() != before[name] for name, each in found.items()) == 7
    inputs = random_inputs(np.random.default_rng(2), 9, 5, 1)
    plain = run(open_graph(exported / "vocoder.onnx"), inputs)
    for name, value in run(open_graph(model.SerializeToString()), inputs).items():
        np.testing.assert_allclose(value, plain[name], atol=1e-4)


def test_the_errors_are_measured(work: Work, installed: Path) -> None:
    errors = json.loads((work.stage("int8") / "errors.json").read_text())["speakers"]
    assert set(errors) == {"anna", "bo"}
    for each in errors.values():
        assert 0 < each["max_log_duration"] < 0.1
        assert 0 < each["mel_db"] < 1
        assert each["sound_snr_db"] > 15


def test_8_bits_that_sound_otherwise_are_refused(
    work: Work, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A headroom of 200 leaves three steps for what is there.
    monkeypatch.setattr(int8_stage, "HEADROOM", 200.0)
    with pytest.raises(Int8Error, match=r"anna sounds .* dB"):
        int8(work)


def test_a_scale_that_was_pinned_does_not_move(exported: Path, work: Work) -> None:
    seen = int8_stage.calibrate(work, exported, int8_stage.phrases(work)[0])["decoder"]
    graph = open_graph(quantized(exported / "decoder.onnx", seen).SerializeToString())
    inputs = random_inputs(np.random.default_rng(5), 30, 5, 2)
    n_frames = inputs["frame_token"].shape[1]
    whole = run(graph, inputs)["mel"][:, : n_frames // 2 - two_stage.DECODER_MARGIN]
    half = {name: inputs[name][:, : n_frames // 2] for name in ("frame_token", "frame_position")}
    part = run(graph, inputs | half)["mel"][:, : whole.shape[1]]
    np.testing.assert_allclose(part, whole, atol=1e-3)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_installed_voice_speaks_and_its_pieces_equal_the_whole(installed: Path, language: str) -> None:
    spec = read_voice_yaml(installed / "voice.yaml")
    text = "Open the door, the tea is ready." if language == "en" else "今天天气很好，你好。"
    pieces, whole = (
        sound(two_stage.load(spec, make_tools(stream=stream)), sentence(text, language))
        for stream in (True, False)
    )
    assert len(pieces) == len(whole) > 22050 / 2
    assert 0.001 < np.sqrt(np.mean(whole**2)) < 0.9
    assert error_db(pieces, whole) < -35


def error_db(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean((found - wanted) ** 2) / np.mean(wanted**2)))


def test_the_voice_folder_says_what_it_is(installed: Path) -> None:
    document = yaml.safe_load((installed / "voice.yaml").read_text(encoding="utf-8"))
    assert document["name"] == "tiny"
    assert document["languages"] == ["en-US", "zh-CN"]
    assert document["default_speakers"] == {"en": "anna", "zh": "bo"}
    assert document["speakers"] == {"anna": 0, "bo": 1}
    assert document["licence"] == "CC-BY-SA-4.0"
    assert set(document["sha256"]) == set(document["files"].values())
    assert "happy" in document["emotions"]
    attribution = (installed / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "| anna | en-US | her own | CC0-1.0 |" in attribution
    assert "Pass changed versions on under the same licence" in attribution


def test_a_voice_that_is_too_large_is_refused(
    work: Work, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.train.voice_folder.MOST_BYTES", 1000)
    with pytest.raises(VoiceFolderError, match=r"0\.0 is the most"):
        write_voice(work, work.folder / "other", [installed / "encoder.int8.onnx"])
    assert not (work.folder / "other").exists()


@pytest.mark.parametrize(
    ("licences", "whole"),
    [
        (["CC0-1.0"], "CC0-1.0"),
        (["CC0-1.0", "CC-BY-4.0"], "CC-BY-4.0"),
        (["CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0"], "CC-BY-SA-4.0"),
        (["CC-BY-SA-3.0", "CC-BY-SA-4.0"], "CC-BY-SA-4.0"),
        (["CC-BY-NC-4.0", "CC-BY-SA-4.0"], "CC-BY-NC-4.0 AND CC-BY-SA-4.0"),
        (["CC-BY-NC-SA-4.0", "CC-BY-SA-4.0"], "CC-BY-NC-SA-4.0 AND CC-BY-SA-4.0"),
        (["CC-BY-NC-SA-4.0", "CC-BY-4.0"], "CC-BY-NC-SA-4.0"),
        (["own", "CC0-1.0"], "CC0-1.0 AND own"),
    ],
)
def test_the_licence_of_the_whole_covers_all(licences: list[str], whole: str) -> None:
    assert licence_of(licences) == whole


@pytest.mark.parametrize(
    ("licences", "same", "other"),
    [
        (["CC-BY-NC-SA-4.0", "CC-BY-SA-4.0"], "CC-BY-SA-4.0", "CC-BY-NC-SA-4.0"),
        (["CC0-1.0", "CC-BY-NC-4.0", "CC-BY-SA-4.0"], "CC-BY-SA-4.0", "CC-BY-NC-4.0"),
        (["CC-BY-NC-SA-4.0", "CC-BY-ND-4.0"], "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0"),
    ],
)
def test_licences_that_contradict_each_other_are_both_named(
    work: Work, licences: list[str], same: str, other: str
) -> None:
    wanted = f"{same} wants what is made from it to be passed on under itself, which {other} does not allow"
    assert warning_of(licences).startswith(wanted)
    corpora = tuple(
        replace(work.recipe.corpora[0], speaker=f"s{number}", licence=each)
        for number, each in enumerate(licences)
    )
    assert wanted in attribution(replace(work.recipe, corpora=corpora))


@pytest.mark.parametrize(
    "licences",
    [["CC0-1.0", "CC-BY-SA-4.0"], ["CC-BY-SA-3.0", "CC-BY-SA-4.0"], ["CC-BY-NC-4.0", "CC-BY-4.0"], ["own"]],
)
def test_licences_that_go_together_need_no_warning(licences: list[str]) -> None:
    assert warning_of(licences) == ""


def test_a_voice_inherits_the_licence_of_the_weights_it_started_from(work: Work, tmp_path: Path) -> None:
    for name in ("frontend.json", "acoustic.pt"):
        (tmp_path / name).touch()
    (tmp_path / "LICENCE").write_text("CC-BY-SA-4.0\nbo (CC-BY-SA-4.0)\n", encoding="utf-8")
    anna = replace(work.recipe.corpora[0], licence="CC0-1.0")
    recipe = replace(work.recipe, corpora=(anna,), start_from=tmp_path)
    assert licence_of(recipe.licences) == "CC-BY-SA-4.0"
    assert "It went on from weights that had learned from bo (CC-BY-SA-4.0)." in attribution(recipe)
    # And so does the voice that goes on from this one.
    assert learned_from(recipe) == "anna (CC0-1.0), bo (CC-BY-SA-4.0)"
    assert licence_of(replace(recipe, start_from=None).licences) == "CC0-1.0"


def test_the_page_has_pictures_and_sounds_and_needs_no_network(work: Work, installed: Path) -> None:
    report.report(work)
    folder = work.stage("report")
    page = (folder / "index.html").read_text(encoding="utf-8")
    for picture in (
        "phonemes/phonemes.png",
        "mels/mels.png",
        "f0/f0.png",
        "export/export.png",
        "int8/int8.png",
    ):
        assert f'alt="{picture}" src="data:image/png;base64,' in page
    assert "http" not in page.replace("https://", "http://").split("<style>")[1].split("</style>")[1]
    assert "天气很好" not in page
    assert "你好" in page
    for name in ("anna-said.flac", "bo-recorded.flac"):
        assert f'src="{name}"' in page
        assert soundfile.info(folder / name).duration > 0.3


def test_the_card_has_the_figures(work: Work) -> None:
    clips = [
        Clip("anna/0", "anna", "natural", "natural", {"OVRL": 3.456}),
        Clip("anna/0", "anna", "tiny speech", "speech", {"OVRL": 3.123}),
    ]
    card = model_card.model_card(work, clips, "It has never spoken.\n")
    assert "| anna | en-US | 4 | 0.00 | 1 | CC0-1.0 | her own |" in card
    assert "| DNSMOS overall (OVRL) | 3.46 | 3.12 |" in card
    assert "licence CC-BY-SA-4.0" in card
    assert "It started from nothing." in card
    assert card.endswith("It has never spoken.\n")
