"""Piper voices as downloaded: their configuration, their ids, and sound in pieces that equals the whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_tts.errors import UnknownSpeakerError, UnsupportedPronunciationError, VoiceLoadError
from edge_tts.models import piper
from edge_tts.models.piper import clustered, phoneme_ids
from edge_tts.speech import Alphabet, Pronunciation, Prosody, Sentence, Span
from tests.tiny_voices import build_piper, make_tools, sentence, sound

QUIET: dict[str, Any] = {"inference": {"noise_scale": 0, "length_scale": 1, "noise_w": 0}}
"""Without noise a Piper voice says the same each time."""

HELLO = sentence("Hello there, this is a short test.")


def load(path: Path, *, stream: bool = True, **build: Any) -> piper.Piper:
    build_piper(path, **build)
    return piper.load(piper.spec(path), make_tools(stream=stream))


def change_config(path: Path, **changes: Any) -> None:
    config = path.with_name(path.name + ".json")
    config.write_text(json.dumps(json.loads(config.read_text()) | changes))


@pytest.mark.parametrize("n_speakers", [1, 3])
def test_pieces_equal_the_whole(tmp_path: Path, n_speakers: int) -> None:
    path = tmp_path / "x.onnx"
    pieces = load(path, n_speakers=n_speakers, **QUIET)
    # Speed only makes it long enough for every size of piece.
    said = sentence("Hello there, this is a test of some length.", prosody=Prosody(speed=0.5))
    assert len(list(pieces.synthesize(said))) > 6
    whole = uncut(path)
    assert len(list(whole.synthesize(said))) == 1
    np.testing.assert_allclose(sound(pieces, said), sound(whole, said), atol=1e-4)


def uncut(path: Path) -> piper.Piper:
    """The same voice, whole: its graph gets a node that no part can be computed before."""
    model = onnx.load(path)
    first = next(node for node in model.graph.node if node.op_type == "ConvTranspose")
    # Twice reversed in time is what it was, but nothing that reads the graph can know.
    position = list(model.graph.node).index(first)
    minus_one = numpy_helper.from_array(np.array([-1], np.int64), "minus_one")
    far = numpy_helper.from_array(np.array([-(2**31)], np.int64), "far")
    axis = numpy_helper.from_array(np.array([2], np.int64), "time_axis")
    model.graph.initializer.extend([minus_one, far, axis])
    source = first.input[0]
    for k in range(2):
        reverse = onnx.helper.make_node(
            "Slice",
            [source, "minus_one", "far", "time_axis", "minus_one"],
            [f"reversed{k}"],
            name=f"reverse{k}",
        )
        model.graph.node.insert(position + k, reverse)
        source = f"reversed{k}"
    first.input[0] = source
    onnx.save(model, path)
    return piper.load(piper.spec(path), make_tools())


def test_a_graph_that_cannot_be_cut_is_said_in_one_piece(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = load(tmp_path / "x.onnx", opaque=True)
    assert len(list(model.synthesize(HELLO))) == 1
    assert "streams with more delay" in caplog.text


def test_the_first_piece_is_short(tmp_path: Path) -> None:
    assert next(iter(load(tmp_path / "x.onnx").synthesize(HELLO))).duration_s == pytest.approx(
        8 * 256 / 22050
    )


def test_ids_are_padded_between_and_after_the_start() -> None:
    ids = {"^": (1,), "_": (0,), "$": (2,), "a": (5,), "b": (6, 7)}
    assert phoneme_ids(["a", "b"], ids) == [1, 0, 5, 0, 6, 7, 0, 2]


def test_vowel_clusters_are_one_symbol_longest_first() -> None:
    assert list(clustered("baɪəb", ["aɪə", "aɪ"])) == ["b", "aɪə", "b"]


def test_symbols_the_voice_never_learned_are_said_by_their_parts(tmp_path: Path) -> None:
    model = load(tmp_path / "x.onnx")
    given = Span("joy", "en", Pronunciation(Alphabet.IPA, "ʤˈɔɪ"))
    explanation = model.explain(Sentence((given,), "en"))
    assert explanation.phonemes == "dʒˈɔɪ"
    assert not explanation.warnings


def test_a_symbol_without_any_near_sound_is_a_warning(tmp_path: Path) -> None:
    given = Span("?", "en", Pronunciation(Alphabet.IPA, "a☃"))
    explanation = load(tmp_path / "x.onnx").explain(Sentence((given,), "en"))
    assert explanation.phonemes.startswith("a")
    assert explanation.warnings == ("unknown_phoneme: this voice has no sound near '☃'",)


def test_a_voice_that_reads_letters(tmp_path: Path) -> None:
    model = load(tmp_path / "x.onnx", phoneme_type="text")
    assert model.explain(sentence("habe ich")).phonemes == "habe ich"
    given = Span("a", "en", Pronunciation(Alphabet.IPA, "a"))
    with pytest.raises(UnsupportedPronunciationError, match="reads letters"):
        model.explain(Sentence((given,), "en"))


@pytest.mark.parametrize(("speaker", "same_as"), [(None, "1"), ("speaker2", "2"), ("0", "0")])
def test_speakers_go_by_name_by_number_or_by_default(
    tmp_path: Path, speaker: str | None, same_as: str
) -> None:
    model = load(tmp_path / "x.onnx", n_speakers=3, default_speaker_id=1, **QUIET)
    named, numbered, other = (sound(model, replace(HELLO, speaker=s)) for s in (speaker, same_as, "speaker0"))
    np.testing.assert_array_equal(named, numbered)
    if same_as != "0":
        assert not np.array_equal(named, other[: len(named)])


@pytest.mark.parametrize("speaker", ["3", "-1", "nobody"])
def test_an_unknown_speaker_is_refused(tmp_path: Path, speaker: str) -> None:
    model = load(tmp_path / "x.onnx", n_speakers=3)
    with pytest.raises(UnknownSpeakerError, match="speaker0, speaker1, speaker2"):
        next(iter(model.synthesize(replace(HELLO, speaker=speaker))))


def test_a_draw_out_of_range_is_drawn_again_without_noise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = load(tmp_path / "x.onnx", fragile=True)
    assert np.abs(sound(model, HELLO)).max() > 0.01
    assert "trying again without duration noise" in caplog.text


def test_the_spec_comes_from_the_configuration_alone(tmp_path: Path) -> None:
    build_piper(tmp_path / "en_US-tiny-low.onnx", n_speakers=2)
    (tmp_path / "MODEL_CARD").write_text("# Model card\n\n* License: CC0\n")
    (tmp_path / "en_US-tiny-low.onnx").write_bytes(b"not read")
    spec = piper.spec(tmp_path / "en_US-tiny-low.onnx")
    assert (spec.name, spec.family, spec.languages) == ("en_US-tiny-low", "piper", ("en-US",))
    assert (spec.sample_rate, spec.speakers, spec.licence) == (22050, {"speaker0": 0, "speaker1": 1}, "CC0")


def test_the_configuration_may_be_called_config_json(tmp_path: Path) -> None:
    folder = tmp_path / "lessac"
    folder.mkdir()
    build_piper(folder / "model.onnx")
    (folder / "model.onnx.json").rename(folder / "config.json")
    assert piper.spec(folder / "model.onnx").name == "lessac"


BAD_CONFIGURATIONS = [
    pytest.param({"phoneme_type": "pinyin"}, "phonemes of type 'pinyin'; supported: espeak, text", id="type"),
    pytest.param({"phoneme_id_map": {"a": [3]}}, r"phoneme_id_map lacks \^ _ \$", id="no marks"),
    pytest.param({"phoneme_id_map": None}, "no Piper configuration", id="no map"),
    pytest.param({"espeak": {}}, "has no espeak.voice", id="no voice"),
    pytest.param({"inference": {"noise_scale": "much"}}, "no Piper configuration", id="no number"),
    pytest.param({"audio": {}}, "no Piper configuration", id="no rate"),
]


@pytest.mark.parametrize(("changes", "reason"), BAD_CONFIGURATIONS)
def test_a_configuration_that_cannot_be_spoken_is_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    build_piper(tmp_path / "x.onnx", **changes)
    with pytest.raises(VoiceLoadError, match=rf"x.onnx.json: .*{reason}"):
        piper.spec(tmp_path / "x.onnx")


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"'])
def test_a_configuration_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    build_piper(tmp_path / "x.onnx")
    (tmp_path / "x.onnx.json").write_text(content)
    with pytest.raises(VoiceLoadError, match=r"x.onnx.json: "):
        piper.spec(tmp_path / "x.onnx")


def test_the_configuration_of_another_voice_is_refused(tmp_path: Path) -> None:
    # ids beyond the embedding crash onnxruntime in the middle of a sentence (rhasspy/piper#124)
    with pytest.raises(VoiceLoadError, match="ids up to 400: it belongs to another voice"):
        load(tmp_path / "x.onnx", phoneme_id_map={"^": [1], "_": [0], "$": [2], "a": [400]})
    build_piper(tmp_path / "y.onnx")
    change_config(tmp_path / "y.onnx", num_speakers=2)
    with pytest.raises(VoiceLoadError, match="2 speaker"):
        piper.load(piper.spec(tmp_path / "y.onnx"), make_tools())


@pytest.mark.parametrize("kept", [0, 1000, 50_000])
def test_a_truncated_graph_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "x.onnx"
    build_piper(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(VoiceLoadError, match=r"x.onnx: "):
        piper.load(piper.spec(path), make_tools())


def test_weights_that_lead_to_no_sound_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    build_piper(path)
    model = onnx.load(path)
    for weight in model.graph.initializer:
        if len(weight.dims) == 3:
            weight.CopyFrom(
                numpy_helper.from_array(np.full(list(weight.dims), np.inf, np.float32), weight.name)
            )
    onnx.save(model, path)
    with pytest.raises(VoiceLoadError, match=r"x.onnx: does not speak a test phoneme"):
        piper.load(piper.spec(path), make_tools())
