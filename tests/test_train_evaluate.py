"""The judges of voices: each finds what was put in, and finds nothing where nothing is wrong."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
import yaml

from edge_tts.models.source_filter import HOP
from scripts.train import scoreboard
from scripts.train.bare_pack import with_voice_yaml
from scripts.train.clean import MARGIN_S, trimmed
from scripts.train.defects import clicks, clipped, pinned
from scripts.train.distances import aligned_distance, best_path, distance
from scripts.train.evaluate import Voice, held_out, labels, main
from scripts.train.f0 import pitch
from scripts.train.features import SAMPLE_RATE, Floats, log_mel
from scripts.train.judges import (
    JUDGED_RATE,
    LEVEL_DB,
    WINDOW,
    Dnsmos,
    at_level,
    for_judges,
    p808_features,
    windows,
    word_errors,
    words,
)
from scripts.train.recipe import RecipeError
from scripts.train.scoreboard import COPY, NATURAL, SPEECH, Clip
from tests.tiny_voices import BUNDLED

TEXTS = {
    "kathleen": "The washing machine in the cellar is done.",
    "kerstin": "Die Waschmaschine im Keller ist fertig.",
    "yuetan": "洗衣机已经洗好了。",
}
FORMANTS = (700.0, 1200.0, 2600.0)


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice("bundled", BUNDLED)


@pytest.fixture(scope="module")
def speech(voice: Voice) -> Floats:
    """Clean English speech at SAMPLE_RATE."""
    text = "Good morning! It is a quarter past six, and the coffee will be ready soon."
    audio, _ = voice.say(text, "kathleen", "en")
    assert audio.sample_rate == SAMPLE_RATE
    return audio.samples


@pytest.fixture(scope="module")
def work(voice: Voice, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is left of a training: a held-out recording of each speaker, said by the bundled voice itself, and one that
    was trained on."""
    folder = tmp_path_factory.mktemp("work") / "clean"
    listed = []
    for speaker, text in TEXTS.items():
        samples = trimmed(voice.say(text, speaker, voice.language(speaker))[0].samples, MARGIN_S)
        (folder / speaker).mkdir(parents=True)
        soundfile.write(folder / speaker / "one.flac", samples, SAMPLE_RATE)
        listed.append(utterance(f"{speaker}/one", speaker, text, is_held_out=True))
        listed.append(utterance(f"{speaker}/two", speaker, "never read", is_held_out=False))
    (folder / "utterances.json").write_text(json.dumps(listed), encoding="utf-8")
    return folder.parent


def utterance(identity: str, speaker: str, text: str, *, is_held_out: bool) -> dict[str, object]:
    return {
        "id": identity,
        "speaker": speaker,
        "texts": [text],
        "sounds": ["raw.wav"],
        "is_held_out": is_held_out,
    }


def vowel(f0_hz: float = 120.0, formant_factor: float = 1.0, duration_s: float = 1.0) -> Floats:
    """Soft pulses through three resonances."""
    n_samples = round(duration_s * SAMPLE_RATE) // HOP * HOP
    cycles = np.arange(n_samples) * f0_hz / SAMPLE_RATE
    samples = scipy.signal.lfilter([1], [1, -1.9, 0.9025], np.diff(np.floor(cycles), prepend=0))
    for formant_hz in FORMANTS:
        samples = scipy.signal.lfilter(
            *scipy.signal.iirpeak(formant_hz * formant_factor, 8, SAMPLE_RATE), samples
        )
    return np.asarray(0.3 * samples / np.abs(samples).max(), np.float32)


# Distances


def test_a_sound_is_at_no_distance_from_itself(speech: Floats) -> None:
    f0_hz = pitch(speech)
    found = distance(speech, f0_hz, speech, f0_hz)
    assert (found.mel_cepstral_db, found.pitch_semitones, found.voicing_percent) == (0, 0, 0)


def test_mel_cepstral_distortion_grows_with_a_formant_shift() -> None:
    natural = vowel()
    f0_hz = pitch(natural)
    found = [
        distance(natural, f0_hz, vowel(formant_factor=factor), f0_hz).mel_cepstral_db
        for factor in (1.0, 1.05, 1.1, 1.2)
    ]
    assert found[0] == 0
    assert found == sorted(set(found))


def test_mel_cepstral_distortion_is_the_root_mean_square_of_decibels() -> None:
    # One cosine over the bands, 3 dB from zero to peak: ln of magnitudes, 20 / ln 10 dB each.
    bands = np.cos(np.pi * 5 * (np.arange(80) + 0.5) / 80) * 3 * np.log(10) / 20
    flat, waved = np.zeros((10, 80), np.float32), np.tile(bands, (10, 1)).astype(np.float32)
    nothing = np.zeros(10, np.float32)
    found = aligned_distance(flat, nothing, waved, nothing)
    assert found.mel_cepstral_db == pytest.approx(3 / np.sqrt(2), rel=1e-5)


def test_level_is_no_distance(speech: Floats) -> None:
    f0_hz = pitch(speech)
    # Loud enough that no band is at the floor in one of them only.
    loud = speech + np.random.default_rng(0).normal(0, 1e-2, len(speech)).astype(np.float32)
    assert distance(loud, f0_hz, loud * np.float32(0.5), f0_hz).mel_cepstral_db < 0.01


@pytest.mark.parametrize("semitones", [-4.0, -0.5, 1.0, 3.0])
def test_the_pitch_error_of_a_known_shift_is_that_shift(speech: Floats, semitones: float) -> None:
    mel, f0_hz = log_mel(speech), pitch(speech)
    found = aligned_distance(mel, f0_hz, mel, f0_hz * np.float32(2 ** (semitones / 12)))
    assert found.pitch_semitones == pytest.approx(abs(semitones), abs=1e-4)
    assert found.voicing_percent == 0


def test_the_pitch_error_of_a_sound_that_is_shifted() -> None:
    low, high = vowel(120), vowel(120 * 2 ** (2 / 12))
    assert distance(low, pitch(low), high, pitch(high)).pitch_semitones == pytest.approx(2, abs=0.05)


def test_voicing_errors_count_frames_voiced_in_one_only() -> None:
    mel = log_mel(vowel())
    voiced = np.full(len(mel), 120, np.float32)
    half = voiced * (np.arange(len(mel)) < len(mel) // 2)
    found = aligned_distance(mel, voiced, mel, half)
    assert found.voicing_percent == pytest.approx(50, abs=1)
    assert found.pitch_semitones == 0
    assert np.isnan(aligned_distance(mel, voiced, mel, 0 * voiced).pitch_semitones)


def test_speaking_at_half_the_pace_is_aligned() -> None:
    mel = np.random.default_rng(0).normal(0, 1, (40, 80)).astype(np.float32)
    slow = np.repeat(mel, 2, axis=0)
    found = aligned_distance(mel, np.zeros(40, np.float32), slow, np.zeros(80, np.float32))
    assert found.mel_cepstral_db == 0


def test_the_best_path_is_the_cheapest_of_all() -> None:
    random = np.random.default_rng(0)
    for n_rows, n_columns in ((1, 1), (1, 5), (4, 1), (5, 4), (4, 6)):
        cost = random.random((n_rows, n_columns))
        rows, columns = best_path(cost)
        assert (rows[0], columns[0], rows[-1], columns[-1]) == (0, 0, n_rows - 1, n_columns - 1)
        assert {tuple(step) for step in np.diff([rows, columns]).T} <= {(0, 1), (1, 0), (1, 1)}
        assert cost[rows, columns].sum() == pytest.approx(cheapest(cost, 0, 0))


def cheapest(cost: np.ndarray, row: int, column: int) -> float:
    """By trying every path."""
    if (row + 1, column + 1) == cost.shape:
        return float(cost[row, column])
    ends = [(row + 1, column), (row, column + 1), (row + 1, column + 1)]
    inside = [end for end in ends if end[0] < cost.shape[0] and end[1] < cost.shape[1]]
    return float(cost[row, column]) + min(cheapest(cost, *end) for end in inside)


# Defects


def test_clean_speech_has_no_defects(voice: Voice, speech: Floats) -> None:
    for samples in (
        speech,
        *(voice.say(text, speaker, voice.language(speaker))[0].samples for speaker, text in TEXTS.items()),
    ):
        assert (clicks(at_level(samples)), clipped(samples), pinned(samples)) == (0, 0, 0)


@pytest.mark.parametrize("f0_hz", [80, 120, 400])
def test_pulses_of_a_voice_are_no_clicks(f0_hz: float) -> None:
    assert clicks(at_level(vowel(f0_hz))) == 0


def test_injected_clicks_are_found_and_counted(speech: Floats) -> None:
    levelled = at_level(speech)
    for start in (SAMPLE_RATE // 2, 2 * SAMPLE_RATE, 3 * SAMPLE_RATE):
        one = levelled.copy()
        one[start] += 0.5
        assert clicks(one) == 1
        step = levelled.copy()
        step[start:] += 0.5 * np.exp(-np.arange(len(step) - start) / SAMPLE_RATE).astype(np.float32)
        step[-SAMPLE_RATE:] *= np.linspace(1, 0, SAMPLE_RATE, dtype=np.float32)
        assert clicks(step) == 1
        one[start + SAMPLE_RATE // 10] -= 0.5
        assert clicks(one) == 2


def test_a_click_at_an_end_is_found() -> None:
    silent = np.zeros(SAMPLE_RATE, np.float32)
    assert clicks(silent) == 0
    for where in (0, 1, -1):
        samples = silent.copy()
        samples[where] = 0.1
        assert clicks(samples) == 1


def test_clipped_runs_are_counted() -> None:
    loud = np.sin(2 * np.pi * 100 * np.arange(SAMPLE_RATE // 10) / SAMPLE_RATE).astype(np.float32)
    assert clipped(loud * np.float32(0.99)) == 0
    # Ten periods, each with a crest and a trough.
    assert clipped(np.clip(2 * loud, -1, 1)) == 20


def test_pinned_runs_are_counted_where_there_is_sound(speech: Floats) -> None:
    samples = speech.copy()
    samples[1000:1003] = 0.25
    assert pinned(samples) == 0
    samples[1000:1004] = 0.25
    samples[2000:2500] = -0.5
    assert pinned(samples) == 2
    assert pinned(np.full(100, 1e-4, np.float32)) == pinned(np.zeros(100, np.float32)) == 0


# Judges


@pytest.mark.parametrize("gain", [0.05, 1.0, 4.0])
def test_the_level_of_speech_is_not_judged(speech: Floats, gain: float) -> None:
    paused = np.concatenate([speech, np.zeros(5 * SAMPLE_RATE, np.float32)])
    levelled = at_level(paused * np.float32(gain))
    assert np.abs(levelled - at_level(paused)).max() < 1e-5
    # Of speech, not of the pause after it.
    assert 20 * np.log10(np.sqrt(np.mean(levelled[: len(speech)] ** 2))) == pytest.approx(LEVEL_DB, abs=1.5)
    assert not at_level(np.zeros(1000, np.float32)).any()


def test_windows_of_short_and_long_sounds() -> None:
    (short,) = windows(np.arange(5, dtype=np.float32))
    assert len(short) == WINDOW
    assert short[:7].tolist() == [0, 1, 2, 3, 4, 0, 1]
    long = windows(np.arange(WINDOW + 2 * JUDGED_RATE + 5, dtype=np.float32))
    assert [int(window[0]) for window in long] == [0, JUDGED_RATE, 2 * JUDGED_RATE]
    assert {len(window) for window in long} == {WINDOW}


def test_what_the_p808_model_sees() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(WINDOW) / JUDGED_RATE).astype(np.float32)
    features = p808_features(tone)
    assert features.shape == (900, 120)
    assert (features.max(), features.min()) == (1.0, -1.0)
    # 1 kHz is mel 15 of Slaney's scale, 8 kHz is 45.2: a third of the way up.
    assert set(features[2:-2].argmax(axis=1)) == {39}


needs_dnsmos = pytest.mark.skipif(
    "EDGE_TTS_QUALITY" not in os.environ, reason="EDGE_TTS_QUALITY names no folder"
)


@needs_dnsmos
def test_dnsmos_likes_speech_and_dislikes_noise(speech: Floats) -> None:
    dnsmos = Dnsmos(Path(os.environ["EDGE_TTS_QUALITY"]))
    noise = np.random.default_rng(0).normal(0, 0.1, len(speech)).astype(np.float32)
    clean, noisy = dnsmos.judge(for_judges(speech)), dnsmos.judge(for_judges(speech + noise))
    assert 3.0 < clean["SIG"] < 4.5
    assert 3.2 < clean["P808"] < 4.5
    for name in ("SIG", "BAK", "OVRL", "P808"):
        assert 1 <= noisy[name] < clean[name] - 0.5, name


def test_words_are_compared_without_punctuation_and_case() -> None:
    assert words("“It’s ten o'clock,” he said – 'Now!'") == ["it's", "ten", "o'clock", "he", "said", "now"]
    assert words("...") == []


@pytest.mark.parametrize(
    ("said", "heard", "n_errors"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a x c", 1),
        ("a b c", "a c", 1),
        ("a b c", "a b b c", 1),
        ("a b c", "", 3),
        ("", "a b", 2),
        ("a b c d", "b c d e", 2),
    ],
)
def test_word_errors(said: str, heard: str, n_errors: int) -> None:
    assert word_errors(said.split(), heard.split()) == n_errors


# Tables


def clip(column: str, kind: str, **scores: float) -> Clip:
    return Clip("ann/one", "ann", column, kind, scores)


def test_word_errors_are_of_all_words_not_of_all_sentences() -> None:
    clips = [clip(NATURAL, NATURAL, words=9, word_errors=0), clip(NATURAL, NATURAL, words=1, word_errors=1)]
    assert scoreboard.summary(clips)["ann"][NATURAL]["word_errors"] == pytest.approx(10)


def test_what_was_not_measured_is_a_dash_or_no_row() -> None:
    table = scoreboard.markdown(
        [clip(NATURAL, NATURAL, SIG=4), clip("x speech", SPEECH, SIG=3.456, rtf=0.01)]
    )
    assert "| DNSMOS speech (SIG) | 4.00 | 3.46 |" in table
    assert "| RTF, one thread, median | – | 0.0100 |" in table
    assert "P.808" not in table


def test_a_plot_is_the_same_every_time(tmp_path: Path) -> None:
    clips = [clip(NATURAL, NATURAL, SIG=4.0), clip("x speech", SPEECH, SIG=3.0, mcd_db=5.0)]
    for name in ("one.svg", "two.svg"):
        scoreboard.plot(clips, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


# The command


def test_held_out_texts_are_taken_once_and_in_order(work: Path, tmp_path: Path) -> None:
    assert [(each.id, each.text) for each in held_out(work, 20)] == [
        (f"{speaker}/one", text) for speaker, text in TEXTS.items()
    ]
    twice = [utterance(f"ann/{n}", "ann", text, is_held_out=True) for n, text in enumerate("aabbc")]
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "utterances.json").write_text(json.dumps(twice))
    assert [each.id for each in held_out(tmp_path, 2)] == ["ann/0", "ann/2"]


def test_the_language_is_that_of_the_recordings(tmp_path: Path) -> None:
    # A second German speaker: voice.yaml has room for one speaker of a language.
    (tmp_path / "clean").mkdir()
    about = {"speaker": "ann", "language": "de-DE", "licence": "CC0-1.0"}
    (tmp_path / "speaker.yaml").write_text(yaml.safe_dump(about))
    for sounds in ("wavs/1.wav", "1.wav"):
        listed = utterance("ann/1", "ann", "Hallo.", is_held_out=True) | {"sounds": [str(tmp_path / sounds)]}
        (tmp_path / "clean" / "utterances.json").write_text(json.dumps([listed]))
        assert [each.language for each in held_out(tmp_path, 1)] == ["de-DE"]


def test_labels_are_as_short_as_they_can_be() -> None:
    assert labels([Path("/a/one"), Path("/a/two")]) == ["one", "two"]
    assert labels([Path("/a/one"), Path("/b/one")]) == ["a/one", "b/one"]
    with pytest.raises(RecipeError, match="same folder twice"):
        labels([Path("/a/one"), Path("/a/one")])


@pytest.mark.slow
def test_two_voices_are_judged_beside_natural_speech(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(BUNDLED, pack)
    (pack / "voice.yaml").unlink()
    outputs = {name: tmp_path / f"scores.{name}" for name in ("markdown", "json")} | {
        "plot": tmp_path / "plot.svg"
    }
    options = [f"--{name}={path}" for name, path in outputs.items()]
    status = main([str(BUNDLED), str(pack), "--recordings", str(work), "--texts", "1", *options])
    assert status == 0
    table = outputs["markdown"].read_text(encoding="utf-8")
    assert table in capsys.readouterr().out
    assert outputs["plot"].read_text(encoding="utf-8").startswith("<?xml")
    document = json.loads(outputs["json"].read_text(encoding="utf-8"))
    assert len(document["clips"]) == 3 * 5
    for speaker in TEXTS:
        assert f"### {speaker}, 1 held-out recordings" in table
        own = document["summary"][speaker]
        assert list(own) == [
            NATURAL,
            *(f"{name} {kind}" for name in (BUNDLED.name, "pack") for kind in (COPY, SPEECH)),
        ]
        assert "mcd_db" not in own[NATURAL]
        for name in (BUNDLED.name, "pack"):
            said, copied = own[f"{name} {SPEECH}"], own[f"{name} {COPY}"]
            # The recording was said by the very voice: its 16 bits, and a limiter that one of both has, differ.
            assert said["mcd_db"] < 0.6 < copied["mcd_db"] < 3
            assert said["f0_semitones"] < 0.2
            assert said["seconds"] == pytest.approx(own[NATURAL]["seconds"], abs=0.4)
            assert (said["clicks"], said["clipped"], said["pinned"]) == (0, 0, 0)
            assert 0 < said["rtf"] < 1
            assert said["size_mb"] == pytest.approx(11.1, abs=1)
    english = document["summary"]["kathleen"]
    assert all(of["word_errors"] <= 25 for of in english.values())
    assert "word_errors" not in document["summary"]["kerstin"][NATURAL]


def test_a_folder_that_is_no_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(BUNDLED), "--recordings", str(tmp_path)]) == 1
    assert "utterances.json cannot be read" in capsys.readouterr().err


def test_speakers_that_no_voice_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "clean").mkdir()
    listed = [utterance("ann/1", "ann", "Hello.", is_held_out=True)]
    (tmp_path / "clean" / "utterances.json").write_text(json.dumps(listed))
    assert main([str(BUNDLED), "--recordings", str(tmp_path)]) == 1
    assert "whose are kathleen, kerstin, yuetan" in capsys.readouterr().err


def test_a_folder_that_is_no_voice(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no voice\.yaml"):
        with_voice_yaml(tmp_path, tmp_path / "made")
    (tmp_path / "frontend.json").write_text(json.dumps({"speakers": {"ann": 0}}))
    with pytest.raises(RecipeError, match="what language ann speaks"):
        with_voice_yaml(tmp_path, tmp_path / "made")
