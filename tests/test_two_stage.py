"""The two-stage voice: its sound against a plain float64 reference, its pieces against the whole, its prosody by ear of
numbers."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edge_tts.errors import UnknownSpeakerError, UnsupportedPronunciationError, VoiceLoadError
from edge_tts.metrics import Metrics
from edge_tts.models import two_stage
from edge_tts.models.base import VoiceSpec
from edge_tts.models.session import open_session
from edge_tts.models.source_filter import Filters, SourceFilter
from edge_tts.models.two_stage_frontend import Phrase
from edge_tts.speech import Alphabet, Emotion, Pronunciation, Prosody, Sentence, Span
from tests import two_stage_reference as reference
from tests.tiny_voices import BUNDLED, make_tools, read_spec, sentence, sound, tiny_two_stage_spec

HELLO = sentence("Hello there, this is a short test of a voice.")
SEED = two_stage.NOISE_SEED


def load(spec: VoiceSpec, *, stream: bool = True, metrics: Metrics | None = None) -> two_stage.TwoStage:
    return two_stage.load(spec, make_tools(stream=stream, metrics=metrics))


@pytest.fixture
def tiny(tmp_path: Path) -> VoiceSpec:
    return tiny_two_stage_spec(tmp_path)


@pytest.fixture(scope="module")
def bundled() -> two_stage.TwoStage:
    return load(read_spec(BUNDLED))


def random_filters(n_frames: int) -> tuple[NDArray[np.float32], Filters]:
    """A pitch with voiced and unvoiced stretches, and smooth filters for it."""
    random = np.random.default_rng(7)
    f0_hz = (180 + 60 * np.sin(np.arange(n_frames) / 7)).astype(np.float32)
    f0_hz[random.random(n_frames) < 0.2] = 0
    f0_hz[n_frames // 2 : n_frames // 2 + 9] = 0
    harmonic, phase, noise = (
        random.standard_normal((2 * n_frames, 257)).astype(np.float32) for _ in range(3)
    )
    return f0_hz, Filters(harmonic * 0.5 - 5, phase, noise * 0.5 - 6)


def in_pieces(f0_hz: NDArray[np.float32], filters: Filters, sizes: list[int]) -> NDArray[np.float32]:
    source = SourceFilter(22050, SEED)
    made, start = [], 0
    for size in sizes:
        end = start + size
        part = Filters(
            *(
                getattr(filters, name)[2 * start : 2 * end]
                for name in ("harmonic_log_magnitude", "phase_offset", "noise_log_magnitude")
            )
        )
        made.append(source.feed(f0_hz[start:end], part, float(f0_hz[end]) if end < len(f0_hz) else None))
        start = end
    return np.concatenate(made)


@pytest.mark.parametrize("n_frames", [3, 40])
def test_one_shot_equals_the_float64_reference(n_frames: int) -> None:
    f0_hz, filters = random_filters(n_frames)
    expected = reference.waveform(
        f0_hz.astype(float),
        filters.harmonic_log_magnitude.astype(float),
        filters.phase_offset.astype(float),
        filters.noise_log_magnitude.astype(float),
        SEED,
    )
    made = in_pieces(f0_hz, filters, [n_frames])
    assert made.dtype == np.float32
    assert len(made) == n_frames * 256
    np.testing.assert_allclose(made, expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("sizes", [[2] * 20, [3, 37], [37, 3], [8, 16, 16]])
def test_filtering_in_pieces_equals_one_shot(sizes: list[int]) -> None:
    f0_hz, filters = random_filters(40)
    np.testing.assert_allclose(in_pieces(f0_hz, filters, sizes), in_pieces(f0_hz, filters, [40]), atol=1e-6)


@pytest.mark.parametrize("speed", [0.4, 1.0, 3.0])
def test_pieces_equal_one_shot_in_float32(tiny: VoiceSpec, speed: float) -> None:
    said = replace(HELLO, prosody=Prosody(speed=speed))
    pieces, whole = sound(load(tiny), said), sound(load(tiny, stream=False), said)
    assert np.abs(whole).max() > 0.01
    np.testing.assert_allclose(pieces, whole, atol=1e-4)


def test_too_little_context_would_be_heard(tiny: VoiceSpec) -> None:
    # Guards the test above: the small graphs look as far as the real ones, so a smaller margin would fail it.
    vocoder = open_session(tiny.files["vocoder"], None, threads=1)
    mel = np.random.default_rng(1).standard_normal((1, 90, 80)).astype(np.float32)

    def phase(low: int, high: int) -> NDArray[np.float32]:
        f0 = np.zeros((1, high - low), np.float32)
        return np.asarray(vocoder.run({"mel": mel[:, low:high], "f0": f0})["phase_offset"][0], np.float32)

    whole = phase(0, 90)[2 * 40 : 2 * 50]
    parts = {margin: phase(40 - margin, 50 + margin)[2 * margin : -2 * margin] for margin in (20, 10)}
    errors = {margin: np.abs(part - whole).max() for margin, part in parts.items()}
    assert errors[two_stage.VOCODER_MARGIN] < 1e-5
    assert errors[10] > 1e-4


@pytest.mark.voice
def test_pieces_of_the_bundled_voice_are_near_one_shot(bundled: two_stage.TwoStage) -> None:
    # Rounding to int8 may fall either way. With dynamic scales it was -3 dB: the pitch of a piece differed by enough
    # for its pulses to run away from those of the whole sentence.
    pieces, whole = sound(bundled, HELLO), sound(load(read_spec(BUNDLED), stream=False), HELLO)
    error_db = 10 * np.log10(np.mean((pieces - whole) ** 2) / np.mean(whole**2))
    assert error_db < -35


@pytest.mark.float_pack
@pytest.mark.skipif("EDGE_TTS_FLOAT_PACK" not in os.environ, reason="EDGE_TTS_FLOAT_PACK names no folder")
def test_the_float_graphs_say_the_stored_example() -> None:
    folder = Path(os.environ["EDGE_TTS_FLOAT_PACK"])
    names = {role: f"{role}.onnx" for role in ("encoder", "decoder", "vocoder")} | {
        "frontend": "frontend.json"
    }
    files = {role: folder / name for role, name in names.items()}
    spec = replace(read_spec(BUNDLED), folder=folder, files=files, sha256={}, gain_db=0.0)
    example = json.loads((folder / "example.json").read_text())
    phrase = Phrase(tuple(example["phonemes"]), tuple(example["accents"]))
    models = load(spec), load(spec, stream=False)
    said = [list(model.say(phrase, example["speaker"], Prosody())) for model in models]
    assert len(said[0]) > 3
    pieces, whole = (np.concatenate([piece.samples for piece in each]) for each in said)
    np.testing.assert_allclose(pieces, whole, atol=1e-4)
    stored, _ = soundfile.read(folder / "example.wav", dtype="float32")
    # The product fades 5 ms at both ends.
    np.testing.assert_allclose(whole[200:-200], stored[200:-200], atol=1e-3)


def f0_of(model: two_stage.TwoStage, said: Sentence) -> NDArray[np.float32]:
    """Pitch of the voiced frames, in semitones above 1 Hz."""
    hertz = model.pitch_hz(said)
    return 12 * np.log2(hertz[hertz > 0])


def rms_db(samples: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(samples**2)))


@pytest.mark.voice
@pytest.mark.parametrize("semitones", [-12, -5, 3, 12])
def test_pitch_moves_by_what_was_asked(bundled: two_stage.TwoStage, semitones: float) -> None:
    natural = f0_of(bundled, HELLO).mean()
    moved = f0_of(bundled, replace(HELLO, prosody=Prosody(pitch_semitones=semitones))).mean()
    assert moved - natural == pytest.approx(semitones, abs=1)


@pytest.mark.voice
def test_pitch_range_and_energy_move_what_they_name(bundled: two_stage.TwoStage) -> None:
    flat, lively = (f0_of(bundled, replace(HELLO, prosody=Prosody(pitch_range=k))).std() for k in (0.3, 1.5))
    assert flat < 0.6 * lively
    soft, loud = (rms_db(sound(bundled, replace(HELLO, prosody=Prosody(energy=k)))) for k in (-0.3, 0.3))
    assert loud - soft > 3


@pytest.mark.voice
@pytest.mark.parametrize(
    ("emotion", "pitch", "loudness", "length"),
    [
        ("happy", +1, +1, -1),
        ("sad", -1, -1, +1),
        ("angry", +1, +1, -1),
        ("calm", -1, -1, +1),
        ("excited", +1, +1, -1),
        ("soft", -1, -1, +1),
    ],
)
def test_an_emotion_moves_the_right_way_and_grows_with_intensity(
    bundled: two_stage.TwoStage, emotion: str, pitch: int, loudness: int, length: int
) -> None:
    measured = []
    for intensity in (0.0, 0.5, 1.0):
        said = replace(HELLO, prosody=Prosody(emotion=Emotion(emotion, intensity)))
        samples = sound(bundled, said)
        measured.append(
            (pitch * f0_of(bundled, said).mean(), loudness * rms_db(samples), length * len(samples))
        )
    neutral, half, full = measured
    assert sound(bundled, HELLO).shape == (abs(neutral[2]),)
    assert all(a < b < c for a, b, c in zip(neutral, half, full, strict=True))


def test_an_unknown_emotion_is_said_neutrally_with_a_warning(tiny: VoiceSpec) -> None:
    model = load(tiny)
    said = replace(HELLO, prosody=Prosody(emotion=Emotion("smug")))
    np.testing.assert_array_equal(sound(model, said), sound(model, HELLO))
    (warning,) = model.explain(said).warnings
    assert warning.startswith(
        "unknown_emotion: voice 'kathleen-kerstin-yuetan' has no 'smug'; it has: angry, calm"
    )


@pytest.mark.voice
@pytest.mark.parametrize(("language", "speaker"), [("en", "kathleen"), ("de", "kerstin"), ("zh", "yuetan")])
def test_each_language_has_its_speaker_unless_one_is_named(
    bundled: two_stage.TwoStage, language: str, speaker: str
) -> None:
    said = sentence("你好" if language == "zh" else "Hallo", language)
    default, named, numbered = (
        sound(bundled, replace(said, speaker=s))
        for s in (None, speaker, str(["kathleen", "kerstin", "yuetan"].index(speaker)))
    )
    np.testing.assert_array_equal(default, named)
    np.testing.assert_array_equal(default, numbered)


def test_an_unknown_speaker_is_refused(tiny: VoiceSpec) -> None:
    with pytest.raises(UnknownSpeakerError, match="kathleen, kerstin, yuetan"):
        next(iter(load(tiny).synthesize(replace(HELLO, speaker="nobody"))))


def test_explaining_and_then_speaking_encodes_once(tiny: VoiceSpec) -> None:
    metrics = Metrics()
    model = load(tiny, metrics=metrics)

    def encoder_runs() -> float:
        return metrics.registry.get_sample_value("edge_tts_stage_seconds_count", {"stage": "encoder"}) or 0

    before = encoder_runs()
    explanation = model.explain(HELLO)
    sound(model, replace(HELLO, prosody=Prosody(speed=2.0, pitch_semitones=3)))
    assert encoder_runs() == before + 1
    assert explanation.duration_s == pytest.approx(len(sound(model, HELLO)) / 22050)


def test_the_first_piece_is_short_and_the_ends_are_faded(tiny: VoiceSpec) -> None:
    pieces = list(load(tiny).synthesize(HELLO))
    assert pieces[0].duration_s < 0.2
    assert pieces[0].samples[0] == 0
    assert pieces[-1].samples[-1] == 0


@pytest.mark.parametrize(
    ("text", "language", "phonemes"),
    [
        ("Open the door, please.", "en", "ˈoʊpən ðə dˈɔːɹ, plˈiːz."),
        ("Ist es zu kalt?", "de", "ɪst ɛs tsuː kˈalt?"),
        ("你好", "zh", "ni2 hao3"),
        ("知道，好吗？", "zh", "zhir1 dao5 | hao3 ma5"),
    ],
)
def test_text_becomes_the_symbols_the_voice_learned(
    tiny: VoiceSpec, text: str, language: str, phonemes: str
) -> None:
    explanation = load(tiny).explain(sentence(text, language))
    assert (explanation.phonemes, explanation.warnings) == (phonemes, ())


@pytest.mark.parametrize(
    ("alphabet", "symbols", "phonemes"),
    [
        (Alphabet.IPA, "ʤˈɔɪ", "dʒˈɔɪ"),
        (Alphabet.IPA, "gɑːʁ", "ɡɑːr"),
        (Alphabet.ARPABET, "K L EH1 R", "klˈɛɹ"),
        (Alphabet.PINYIN, "hao4 de5", "hao4 de5"),
    ],
)
def test_given_pronunciations_are_said(
    tiny: VoiceSpec, alphabet: Alphabet, symbols: str, phonemes: str
) -> None:
    span = Span("x", "en", Pronunciation(alphabet, symbols))
    explanation = load(tiny).explain(Sentence((span,), "en"))
    assert (explanation.phonemes, explanation.warnings) == (phonemes, ())


def test_an_empty_pronunciation_is_refused_before_the_first_piece(tiny: VoiceSpec) -> None:
    span = Span("x", "en", Pronunciation(Alphabet.IPA, " "))
    with pytest.raises(UnsupportedPronunciationError, match="has no symbols"):
        next(iter(load(tiny).synthesize(Sentence((span,), "en"))))


def test_a_symbol_without_any_near_sound_is_a_warning(tiny: VoiceSpec) -> None:
    span = Span("x", "en", Pronunciation(Alphabet.IPA, "a☃"))
    explanation = load(tiny).explain(Sentence((span,), "en"))
    assert explanation.warnings == ("unknown_phoneme: this voice has no sound near '☃'",)


def test_chinese_pauses_where_it_has_punctuation(tiny: VoiceSpec) -> None:
    model = load(tiny)
    first, second = (len(sound(model, sentence(text, "zh"))) for text in ("知道", "好吗"))
    both = len(sound(model, sentence("知道，好吗。", "zh")))
    assert both - first - second == pytest.approx(0.16 * 22050, abs=1)


def test_two_languages_in_one_sentence(tiny: VoiceSpec) -> None:
    mixed = Sentence((Span("Hello ", "en"), Span("你好", "zh")), "en")
    assert load(tiny).explain(mixed).phonemes == "həlˈoʊ | ni2 hao3"


def damaged(spec: VoiceSpec, role: str, content: bytes) -> VoiceSpec:
    spec.files[role].write_bytes(content)
    return spec


def test_a_front_end_of_another_voice_is_refused(tiny: VoiceSpec) -> None:
    table = json.loads(tiny.files["frontend"].read_text())
    for changed, reason in (
        ({}, "no frontend.json of a two-stage voice"),
        ([], "no frontend.json of a two-stage voice"),
        (table | {"stats": {"other": {"log_f0_median": 5, "log_f0_std": 0.2}}}, "has the pitch of other"),
        (table | {"tokens": {"a": 1}}, "has no tokens"),
        (table | {"tokens": table["tokens"] | {"a": 500}}, "do not fit together"),
    ):
        with pytest.raises(VoiceLoadError, match=reason):
            load(damaged(tiny, "frontend", json.dumps(changed).encode()))


def test_more_speakers_than_the_graphs_have_are_refused_wherever_they_stand(tiny: VoiceSpec) -> None:
    for numbers in ((9, 1, 2), (0, 9, 2), (0, 1, 9)):
        with pytest.raises(VoiceLoadError, match="do not fit together"):
            load(replace(tiny, speakers=dict(zip(tiny.speakers, numbers, strict=True))))


def test_graphs_in_each_others_place_are_refused(tiny: VoiceSpec) -> None:
    swapped = replace(tiny, files={**tiny.files, "decoder": tiny.files["vocoder"]})
    with pytest.raises(
        VoiceLoadError, match=r"vocoder.onnx: takes the inputs f0, mel; expected accents|energy"
    ):
        load(swapped)
    with pytest.raises(VoiceLoadError, match="lists no file for decoder"):
        load(replace(tiny, files={role: path for role, path in tiny.files.items() if role != "decoder"}))


@pytest.mark.voice
def test_a_bundled_file_with_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    spec = read_spec(BUNDLED)
    content = bytearray(spec.files["vocoder"].read_bytes())
    content[len(content) // 2] ^= 1
    changed = tmp_path / spec.files["vocoder"].name
    changed.write_bytes(content)
    with pytest.raises(VoiceLoadError, match="is damaged or was changed"):
        load(replace(spec, files={**spec.files, "vocoder": changed}))
