"""KAN-TTS voices on small graphs of their contract: the loops against plain ones, pieces against the whole, controls
and guards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_tts.errors import SynthesisError, UnknownSpeakerError, VoiceLoadError
from edge_tts.metrics import Metrics
from edge_tts.models import sambert, sambert_steps
from edge_tts.models.base import VoiceSpec
from edge_tts.models.sambert_config import Floats, SambertConfig, read_config, read_host
from edge_tts.models.sambert_source import Source, voiced
from edge_tts.models.session import Session, open_session
from edge_tts.speech import Emotion, Prosody, Sentence, Span
from edge_tts.text.sambert_symbols import Symbol
from tests import sambert_layers, tiny_sambert
from tests.tiny_sambert import TINY, nsf, with_vector
from tests.tiny_voices import make_tools, sentence, sound, tiny_sambert_spec

HELLO = sentence("你好，今天天气怎么样？", "zh")
KINDS = {"mel": TINY, "nsf": nsf(TINY), "vector": with_vector(nsf(TINY))}


def load(spec: VoiceSpec, *, stream: bool = True, metrics: Metrics | None = None) -> sambert.Sambert:
    return sambert.load(spec, make_tools(stream=stream, metrics=metrics))


@pytest.fixture
def tiny(tmp_path: Path) -> VoiceSpec:
    return tiny_sambert_spec(tmp_path)


def graph(spec: VoiceSpec, role: str) -> Session:
    return open_session(spec.files[role], None, threads=1)


def said(**prosody: Any) -> Sentence:
    return replace(HELLO, prosody=Prosody(**prosody))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("speed", [0.4, 1.0, 3.0])
def test_pieces_equal_one_shot(kind: str, speed: float, tmp_path: Path) -> None:
    spec = tiny_sambert_spec(tmp_path, KINDS[kind])
    pieces, whole = (sound(load(spec, stream=stream), said(speed=speed)) for stream in (True, False))
    assert np.abs(whole).max() > 0.01
    np.testing.assert_allclose(pieces, whole, atol=1e-4)


def test_too_little_context_would_be_heard(tiny: VoiceSpec) -> None:
    # Guards the test above: the small vocoder looks as far back as its voice.yaml says.
    less = {"sambert": tiny.settings["sambert"] | {"margin_left_frames": 6}}
    pieces, whole = sound(load(replace(tiny, settings=less)), HELLO), sound(load(tiny), HELLO)
    assert np.abs(pieces - whole).max() > 1e-3


def everything_shown(decoder: Session, memory: Floats, band: int, config: SambertConfig) -> Floats:
    """`decode` as the contract has it: all of the memory and all that was made, at every step."""
    n = len(memory)
    cache = np.zeros(
        (1, config.decoder_layers, config.decoder_heads, n, config.decoder_head_units), np.float32
    )
    x_k, x_v = cache, cache.copy()
    frame, made = np.zeros((1, 1, config.n_mels), np.float32), []
    for step in range(n):
        numbers = {"step": step, "x_band": band, "h_band": band, "mem_len": n}
        inputs = {"mel_frame": frame, "memory_step": memory[None, step : step + 1], "memory": memory[None]}
        outputs = decoder.run(
            {**inputs, "x_k": x_k, "x_v": x_v, **{name: np.array([value]) for name, value in numbers.items()}}
        )
        made.append(outputs["dec_out"][0, 0])
        frame = made[-1][None, None, -config.n_mels :]
        for layer in range(config.decoder_layers):
            x_k[0, layer, :, step] = outputs[f"k{layer}"][0, :, 0]
            x_v[0, layer, :, step] = outputs[f"v{layer}"][0, :, 0]
    return np.concatenate(made).reshape(-1, config.n_mels)


@pytest.mark.parametrize("band", [0, 1, 3, 40])
def test_the_band_is_all_that_the_decoder_needs_to_see(tiny: VoiceSpec, band: int) -> None:
    config, decoder = read_config(tiny), graph(tiny, "am_dec")
    memory = np.random.default_rng(1).standard_normal((17, 5 * TINY.units)).astype(np.float32)
    expected = everything_shown(decoder, memory, band, config)
    np.testing.assert_allclose(sambert_steps.decode(decoder, memory, band, config), expected, atol=1e-5)


def test_the_memory_is_text_with_its_place_in_the_phone_and_the_manner() -> None:
    text = np.arange(12, dtype=np.float32).reshape(3, 4)
    manner = np.array([7, 8], np.float32)
    timescales = np.array([1, 1, 100, 100], np.float32)
    memory = sambert_steps.memory_of(text, manner, np.array([2, 0, 5]), timescales, 3)
    rows = []
    for phone, place in [(0, 1), (0, 2), (2, 1), (2, 2), (2, 3), (2, 4), (2, 5), (None, 0), (None, 0)]:
        angle = place / timescales
        encoded = np.array([np.sin(angle[0]), np.cos(angle[1]), np.sin(angle[2]), np.cos(angle[3])])
        rows.append(encoded + (0 if phone is None else text[phone]))
    expected = [np.concatenate([*rows[k : k + 3], manner]) for k in (0, 3, 6)]
    np.testing.assert_allclose(memory, expected, rtol=1e-6)


SPOKEN, MARK = Symbol("a_c", "tone1", "s_end", "word_end"), Symbol("#1", "tone_none", "s_none", "word_none")


def test_frames_are_rounded_and_speed_swallows_no_phone() -> None:
    natural = np.array([7.4, 7.5, 1.0, 1.0, 0.4], np.float32)
    symbols = [SPOKEN, SPOKEN, SPOKEN, MARK, SPOKEN]
    assert sambert_steps.whole_frames(natural, symbols, 1.0).tolist() == [7, 8, 1, 1, 0]
    # A mark may fall silent; a phone that the voice leaves out stays out.
    assert sambert_steps.whole_frames(natural, symbols, 4.0).tolist() == [2, 2, 1, 0, 0]


def test_no_length_at_all_is_an_error() -> None:
    with pytest.raises(SynthesisError, match="gives no phone any length"):
        sambert_steps.whole_frames(np.zeros(2, np.float32), [SPOKEN, MARK], 1.0)


def test_a_phone_of_minutes_is_an_error(tiny: VoiceSpec) -> None:
    content = tiny.files["duration"].read_bytes()
    # The centre of ln(frames + 1).
    tiny.files["duration"].write_bytes(content.replace(np.float32(2.1).tobytes(), np.float32(9).tobytes()))
    with pytest.raises(VoiceLoadError, match=r"a phone \d+ frames long"):
        load(replace(tiny, sha256={}))


@pytest.mark.parametrize("kind", KINDS)
def test_every_emotion_is_another_sound_and_grows_with_intensity(kind: str, tmp_path: Path) -> None:
    model = load(tiny_sambert_spec(tmp_path, KINDS[kind]))
    neutral = sound(model, HELLO)
    np.testing.assert_array_equal(sound(model, said(emotion=Emotion("happy", 0.0))), neutral)
    happy, sad = (sound(model, said(emotion=Emotion(name))) for name in ("happy", "sad"))
    half = sound(model, said(emotion=Emotion("happy", 0.5)))
    assert not any(
        np.array_equal(a, b) for a, b in [(happy, neutral), (sad, neutral), (half, happy), (happy, sad)]
    )


def test_intensity_goes_from_neutral_to_the_emotion(tiny: VoiceSpec) -> None:
    rows = sambert.read_manners(tiny, graph(tiny, "am_enc"), read_host(tiny, read_config(tiny)))
    neutral, happy = rows.emotions[1], rows.emotions[5]
    np.testing.assert_allclose(rows.emotion(5, 0.5), (neutral + happy) / 2, rtol=1e-5)
    np.testing.assert_allclose(rows.emotion(5, 1.0), happy, rtol=1e-5)


def test_an_emotion_may_have_a_number_and_a_preset_of_its_own(tiny: VoiceSpec) -> None:
    own = {**tiny.emotions, "furious": {"id": 2, "speed": 2.0}}
    model = load(replace(tiny, emotions=own))
    furious = sound(model, said(emotion=Emotion("furious")))
    np.testing.assert_array_equal(furious, sound(model, said(emotion=Emotion("angry"), speed=2.0)))


def test_an_unknown_emotion_is_said_neutrally_with_a_warning(tiny: VoiceSpec) -> None:
    model = load(tiny)
    np.testing.assert_array_equal(sound(model, said(emotion=Emotion("smug"))), sound(model, HELLO))
    (warning,) = model.explain(said(emotion=Emotion("smug"))).warnings
    assert warning.startswith("unknown_emotion: ")


def test_pitch_moves_as_in_hertz() -> None:
    # 200 Hz with a deviation of 50 Hz: an octave up is 400 Hz, a flat range is the mean.
    pitch = np.array([0.0, 1.0], np.float32)
    for prosody, hertz in [
        (Prosody(pitch_semitones=12), [400, 500]),
        (Prosody(pitch_range=0.0), [200, 200]),
        (Prosody(pitch_semitones=-12, pitch_range=2.0), [100, 150]),
    ]:
        np.testing.assert_allclose(200 + 50 * sambert._moved(pitch, prosody, 4.0), hertz)


@pytest.mark.parametrize("prosody", [{"pitch_semitones": 3.0}, {"pitch_range": 0.3}, {"energy": 1.0}])
def test_pitch_and_energy_are_heard(tiny: VoiceSpec, prosody: dict[str, float]) -> None:
    model = load(tiny)
    assert not np.array_equal(sound(model, said(**prosody)), sound(model, HELLO))


def test_speakers_sound_different_and_an_unknown_one_is_refused(tiny: VoiceSpec) -> None:
    model = load(tiny)
    default, named, numbered, other = (
        sound(model, replace(HELLO, speaker=speaker)) for speaker in (None, "F7", "0", "M7")
    )
    np.testing.assert_array_equal(default, named)
    np.testing.assert_array_equal(default, numbered)
    assert not np.array_equal(default, other)
    with pytest.raises(UnknownSpeakerError, match="F7, M7"):
        sound(model, replace(HELLO, speaker="nobody"))


def test_a_text_is_encoded_once(tiny: VoiceSpec) -> None:
    metrics = Metrics()
    model = load(tiny, metrics=metrics)

    def encoder_runs() -> float:
        return metrics.registry.get_sample_value("edge_tts_stage_seconds_count", {"stage": "encoder"}) or 0

    before = encoder_runs()
    explanation = model.explain(HELLO)
    sound(model, said(speed=2.0, pitch_semitones=3, emotion=Emotion("sad")))
    assert encoder_runs() == before + 1
    assert explanation.phonemes.startswith("n_c i_c2 - h_c ao_c3 #3 j_c in_c1 ")
    assert explanation.duration_s == pytest.approx(len(sound(model, HELLO)) / 16000)


def test_more_symbols_than_there_are_positions_are_said_in_parts(tiny: VoiceSpec) -> None:
    text = "今天天气很好，我们去公园散步吧，" * 6
    model = load(tiny)
    explanation = model.explain(sentence(text, "zh"))
    assert explanation.phonemes.count("#4") >= 4
    assert explanation.duration_s == pytest.approx(len(sound(model, sentence(text, "zh"))) / 16000)


def test_two_languages_in_one_sentence(tiny: VoiceSpec) -> None:
    mixed = Sentence((Span("打开", "zh"), Span("Hello", "en")), "zh")
    assert load(tiny).explain(mixed).phonemes == "d_c a_c3 - k_c ai_c1 #1 hh ah0 - l ow1 #4"


def test_pitch_and_voicing_come_out_of_the_mel() -> None:
    mel = np.zeros((3, 82), np.float32)
    mel[:, -2], mel[:, -1] = [-5, 0, 1], [0.59, 0.6, 2]
    made = voiced(mel, np.array([200, 50], np.float32))
    assert made[:, -2].tolist() == [30, 200, 250]
    assert made[:, -1].tolist() == [0, 1, 1]


def test_the_source_goes_on_where_it_stood() -> None:
    config = SambertConfig(hop_samples=200, margin_left_frames=0, margin_right_frames=0, n_mels=82)
    mel = np.full((150, 82), 210, np.float32)
    source = Source(mel, config, 16000)
    whole, part = source.inputs(0, 150), source.inputs(60, 130)
    np.testing.assert_array_equal(part["noise"], whole["noise"][..., 60 * 200 : 130 * 200])
    np.testing.assert_array_equal(part["phase"], whole["phase"][..., 60:130])
    assert whole["phase"][0, 0, :2] == pytest.approx([0, 210 * 200 / 16000 % 1], abs=1e-6)
    assert whole["noise"].std() == pytest.approx(1, abs=0.01)


def settings(spec: VoiceSpec, **changes: Any) -> VoiceSpec:
    return replace(spec, settings={"sambert": spec.settings["sambert"] | changes})


def broken(spec: VoiceSpec) -> Iterator[tuple[VoiceSpec, str]]:
    files = spec.files
    yield replace(spec, settings={}), "no mapping `sambert`; `edgetts convert sambert` writes it"
    yield settings(spec, hop=200), "sambert.hop: unknown key; known: decoder_head_units"
    yield settings(spec, hop_samples=0), "hop_samples: expected a number of at least 1, found 0"
    yield settings(spec, n_mels="80"), "n_mels: expected a number of at least 1, found '80'"
    yield settings(spec, hop_samples=160), r"makes \d+ samples of \d+ frames; the voice says 160 each"
    yield settings(spec, decoder_heads=4), "do not fit together"
    yield settings(spec, decoder_layers=12), "am_dec.onnx: has no output k10"
    yield settings(spec, n_mels=82), r"f0: expected the shape \(2,\), found None"
    yield replace(spec, speakers={}), "names no speakers"
    yield replace(spec, speakers={"F7": 700}), "do not fit together"
    yield replace(spec, emotions={"smug": {}}), "emotions.smug has no id"
    yield replace(spec, emotions={"smug": {"id": 40}}), "do not fit together"
    yield (
        replace(spec, files={**files, "am_dec": files["voc"]}),
        "voc.onnx: takes the inputs mel; expected h_band",
    )
    yield (
        replace(spec, files={role: path for role, path in files.items() if role != "host"}),
        "lists no file for host",
    )
    yield replace(spec, files={**files, "host": files["voc"]}, sha256={}), "is no host.npz of a sambert voice"


def test_what_does_not_fit_is_refused_with_its_reason(tiny: VoiceSpec) -> None:
    for spec, reason in broken(tiny):
        with pytest.raises(VoiceLoadError, match=reason):
            load(spec)


def test_a_changed_file_is_refused(tiny: VoiceSpec) -> None:
    for role in ("host", "postnet"):
        path = tiny.files[role]
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(VoiceLoadError, match="is damaged or was changed"):
            load(tiny)
        path.write_bytes(content)


def test_weights_that_are_no_numbers_are_refused(tiny: VoiceSpec) -> None:
    arrays = tiny_sambert.host(sambert_layers.TINY) | {"pitch_bias": np.full(TINY.units, np.nan, np.float32)}
    np.savez(tiny.files["host"], allow_pickle=False, **arrays)
    with pytest.raises(VoiceLoadError, match="pitch_bias is not finite"):
        load(replace(tiny, sha256={}))
