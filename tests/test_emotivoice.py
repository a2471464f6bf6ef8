"""EmotiVoice voices on small graphs of their contract: pieces, prompts, prosody, and the guards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from edge_tts.cache import EmbeddingCache
from edge_tts.errors import SynthesisError, UnknownSpeakerError, VoiceLoadError
from edge_tts.metrics import Metrics
from edge_tts.models import emotivoice
from edge_tts.models.base import ModelTools
from edge_tts.models.emotivoice import EmotiVoice, frames_of, load, runs
from edge_tts.speech import Emotion, Prosody, Sentence
from edge_tts.text.phonemes import Phonemizer
from tests import tiny_emotivoice
from tests.tiny_voices import make_tools, read_spec, sentence, sound

HELLO = sentence("Hello there, this is a short test.")
NI_HAO = sentence("你好，世界。", "zh")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be written to."""
    folder = tmp_path_factory.mktemp("voice") / "tiny"
    tiny_emotivoice.build(folder)
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    tiny_emotivoice.build(tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture(scope="module")
def voice(folder: Path) -> EmotiVoice:
    return load(read_spec(folder), make_tools())


def with_warnings(folder: Path) -> tuple[EmotiVoice, list[str]]:
    warned: list[str] = []
    return load(read_spec(folder), replace(make_tools(), warn=warned.append)), warned


def unchecked(folder: Path) -> EmotiVoice:
    """A voice whose files were changed on purpose."""
    return load(read_spec(folder, sha256={}), make_tools())


def happy(intensity: float) -> Sentence:
    return replace(HELLO, prosody=Prosody(emotion=Emotion("happy", intensity)))


def is_other(voice: EmotiVoice, asked: Sentence, than: Sentence = HELLO) -> bool:
    one, other = sound(voice, asked), sound(voice, than)
    return len(one) != len(other) or float(np.abs(one - other).max()) > 1e-3


@pytest.mark.parametrize("said", [HELLO, NI_HAO])
def test_pieces_together_are_the_whole(folder: Path, voice: EmotiVoice, said: Sentence) -> None:
    whole = sound(load(read_spec(folder), make_tools(stream=False)), said)
    assert len(list(voice.synthesize(said))) > 2
    np.testing.assert_allclose(sound(voice, said), whole, atol=1e-5)


def test_the_duration_is_known_beforehand(voice: EmotiVoice) -> None:
    assert voice.explain(NI_HAO).duration_s == pytest.approx(len(sound(voice, NI_HAO)) / 16000)
    assert voice.explain(NI_HAO).phonemes == "n i2 sp0 h ao3 sp3 sh iii4 sp0 j ie4"


def test_a_style_in_words_is_heard_and_read_once(folder: Path) -> None:
    metrics = Metrics()
    tools = ModelTools(Phonemizer(), EmbeddingCache(1 << 20, metrics), metrics)
    voice = load(read_spec(folder), tools)
    assert is_other(voice, replace(HELLO, style="悲伤"))
    misses = metrics.cache_misses.labels("embedding")._value.get()
    sound(voice, replace(HELLO, style="悲伤"))
    assert metrics.cache_misses.labels("embedding")._value.get() == misses


def test_an_emotion_is_its_prompt_and_grows_with_its_intensity(voice: EmotiVoice) -> None:
    np.testing.assert_array_equal(sound(voice, happy(1)), sound(voice, replace(HELLO, style="开心")))
    np.testing.assert_array_equal(sound(voice, happy(0)), sound(voice, HELLO))
    assert is_other(voice, happy(0.5))
    assert is_other(voice, happy(0.5), happy(1))


def test_style_and_emotion_are_asked_for_together(voice: EmotiVoice) -> None:
    both = replace(happy(1), style="普通")
    np.testing.assert_array_equal(sound(voice, both), sound(voice, replace(HELLO, style="开心，普通")))


def test_an_emotion_that_the_voice_does_not_have_is_neutral(voice: EmotiVoice) -> None:
    bored = replace(HELLO, prosody=Prosody(emotion=Emotion("bored")))
    np.testing.assert_array_equal(sound(voice, bored), sound(voice, HELLO))
    assert voice.explain(bored).warnings[0].startswith("unknown_emotion")


def test_a_preset_may_have_a_speed(voice: EmotiVoice) -> None:
    sad = replace(HELLO, prosody=Prosody(emotion=Emotion("sad")))
    natural = replace(HELLO, style="悲伤")
    assert len(sound(voice, sad)) > len(sound(voice, natural))


def test_a_style_longer_than_the_model_reads_is_cut_with_a_warning(folder: Path) -> None:
    voice, warned = with_warnings(folder)
    assert len(sound(voice, replace(HELLO, style="开心" * 400)))
    assert [warning.split(":")[0] for warning in warned] == ["long_style"]


def test_pitch_and_energy_are_moved_where_the_graph_lets_them(voice: EmotiVoice) -> None:
    assert {"pitch", "energy"} <= voice.controls
    for prosody in (Prosody(pitch_semitones=4), Prosody(pitch_range=0.2), Prosody(energy=1.5)):
        assert is_other(voice, replace(HELLO, prosody=prosody))


def test_semitones_are_a_factor_of_hertz() -> None:
    hertz = np.array([0.0, 110.0, 225.089, 300.0])
    scale, shift, _ = (
        float(each[0]) for each in emotivoice.prosody_inputs(Prosody(pitch_semitones=-5)).values()
    )
    moved = (hertz - 225.089) / 53.78 * scale + shift
    np.testing.assert_allclose(moved * 53.78 + 225.089, hertz * 2 ** (-5 / 12), atol=1e-3)


def test_a_graph_of_the_community_has_no_pitch_but_speaks(tmp_path: Path) -> None:
    tiny_emotivoice.build(tmp_path / "voice", has_prosody=False)
    voice = load(read_spec(tmp_path / "voice"), make_tools())
    assert voice.controls == {"speed", "emotion", "style"}
    assert len(sound(voice, HELLO))


def test_speakers_are_chosen_by_name_or_number(voice: EmotiVoice) -> None:
    by_name, by_number = (sound(voice, replace(HELLO, speaker=asked)) for asked in ("s3", "3"))
    np.testing.assert_array_equal(by_name, by_number)
    assert is_other(voice, replace(HELLO, speaker="s3"))
    with pytest.raises(UnknownSpeakerError):
        sound(voice, replace(HELLO, speaker="s5"))


def test_an_error_does_not_list_two_thousand_speakers() -> None:
    error = UnknownSpeakerError("nobody", "crowd", map(str, range(2013)))
    assert str(error).endswith(" and 1993 more")
    assert len(str(error)) < 200


def test_a_language_may_have_a_speaker_of_its_own(folder: Path, voice: EmotiVoice) -> None:
    mixed = load(read_spec(folder, default_speakers={"zh": "s2"}), make_tools())
    np.testing.assert_array_equal(sound(mixed, NI_HAO), sound(voice, replace(NI_HAO, speaker="s2")))
    np.testing.assert_array_equal(sound(mixed, HELLO), sound(voice, HELLO))


def test_speed_swallows_no_sound_and_gaps_may_be_none() -> None:
    natural = np.array([0, 1, 2, 10])
    assert frames_of(natural, 4.0).tolist() == [0, 1, 1, 2]
    assert frames_of(natural, 0.5).tolist() == [0, 2, 4, 20]


@pytest.mark.parametrize(
    ("frames", "reason"), [([0, 0], "no sound any length"), ([1, 9999], "9999 frames"), ([-3, 1], "0 to 300")]
)
def test_durations_that_are_no_speech_are_refused(frames: list[int], reason: str) -> None:
    with pytest.raises(SynthesisError, match=reason):
        frames_of(np.array(frames), 1.0)


def test_a_voice_that_gives_no_sound_any_length_is_not_loaded(tmp_path: Path) -> None:
    tiny_emotivoice.build(tmp_path / "voice", log_frames=-30)
    with pytest.raises(VoiceLoadError, match="no sound any length"):
        load(read_spec(tmp_path / "voice"), make_tools())


def test_what_is_decoded_at_once_is_bounded_and_cut_behind_gaps() -> None:
    frames = np.array([10, 10, 0, 30, 30, 0, 100, 5, 0])
    is_gap = [False, False, True, False, False, True, False, False, False]
    parts = list(runs(frames, is_gap, 60))
    assert parts == [(0, 3), (3, 6), (6, 7), (7, 9)]
    # What has no frames at all is not decoded.
    assert list(runs(np.array([5, 0, 0]), [False] * 3, 5)) == [(0, 3)]
    assert list(runs(np.array([0, 70]), [True, False], 60)) == [(1, 2)]


def test_a_long_slow_sentence_is_decoded_in_parts(voice: EmotiVoice) -> None:
    slow = sentence("Hello there, " * 30, prosody=Prosody(speed=0.25))
    pieces = list(voice.synthesize(slow))
    n_frames = sum(len(piece.samples) for piece in pieces) / 256
    assert n_frames > 2 * emotivoice.MAX_FRAMES
    assert voice.explain(slow).duration_s == pytest.approx(n_frames * 256 / 16000)


def test_more_tokens_than_the_encoder_is_given_are_several_runs(voice: EmotiVoice) -> None:
    phonemes = voice.explain(sentence("Hello world, " * 60)).phonemes
    assert [len(run.split()) + 2 <= emotivoice.MAX_TOKENS for run in phonemes.split(" | ")] == [True, True]


def without(role: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "voice.yaml"
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text(
            "\n".join(line for line in lines if not line.startswith(f"  {role}:")), encoding="utf-8"
        )

    return change


def text_of(name: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return change


def renamed_input(folder: Path) -> None:
    graph = onnx.load(folder / "am_encoder.onnx")
    graph.graph.input[0].name = "phonemes"
    for node in graph.graph.node:
        node.input[:] = ["phonemes" if name == "inputs_ling" else name for name in node.input]
    onnx.save(graph, folder / "am_encoder.onnx")


def few_tokens(folder: Path) -> None:
    with (folder / "tokenlist").open("a", encoding="utf-8") as file:
        file.write("\nextra")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without("voc"), "lists no file for voc"),
        (text_of("tokenlist", b"a\nb\n"), "has no <sos/eos>"),
        (text_of("tokenlist", b"\xff\xfe"), "no text in UTF-8"),
        (text_of("vocab.txt", b"a\nb\n"), r"no vocabulary of a BERT model: has no \[CLS\]"),
        (text_of("lexicon.txt", b"b B\na AH0\n"), "no pronouncing dictionary: line 2"),
        (renamed_input, "takes the inputs .*phonemes"),
        (few_tokens, "do not fit together or to its tokens"),
    ],
)
def test_a_folder_that_is_wrong_is_refused_with_the_reason(
    own: Path, change: Callable[[Path], None], reason: str
) -> None:
    change(own)
    with pytest.raises(VoiceLoadError, match=reason):
        unchecked(own)


def test_a_changed_file_is_refused(own: Path) -> None:
    (own / "lexicon.txt").write_bytes(b"hello HH AH0\n")
    with pytest.raises(VoiceLoadError, match=r"lexicon.txt.*was changed"):
        load(read_spec(own), make_tools())


def test_a_dictionary_is_not_necessary(own: Path) -> None:
    without("lexicon")(own)
    assert unchecked(own).explain(sentence("Read")).phonemes == "[R] [IY1] [D] ."


def test_speakers_that_the_graph_does_not_have_are_refused(own: Path) -> None:
    with pytest.raises(VoiceLoadError, match="do not fit"):
        load(read_spec(own, speakers={"a": 0, "b": 5}), make_tools())
    with pytest.raises(VoiceLoadError, match="from 0"):
        load(read_spec(own, speakers={}), make_tools())


def test_a_vocoder_of_unknown_reach_makes_the_sentence_whole(own: Path) -> None:
    model = onnx.load(own / "voc.onnx")
    nodes = model.graph.node
    last = nodes.pop()
    nodes.append(helper.make_node("Softsign", last.input, ["soft"]))
    nodes.append(helper.make_node("Identity", ["soft"], last.output))
    onnx.save(model, own / "voc.onnx")
    assert len(list(unchecked(own).synthesize(HELLO))) == 1


def test_a_cache_of_vectors_belongs_to_the_files_of_the_voice(folder: Path, tmp_path: Path) -> None:
    tools = make_tools()
    first = load(read_spec(folder), tools)
    sound(first, replace(HELLO, style="开心"))
    tiny_emotivoice.build(tmp_path / "other", replace(tiny_emotivoice.TINY, bert_units=10))
    other = load(read_spec(tmp_path / "other"), tools)
    # Vectors of the other width would not fit.
    assert len(sound(other, replace(HELLO, style="开心")))
