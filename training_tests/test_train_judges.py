"""The judges of voices: each finds what was put in, and finds nothing where nothing is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from edge_tts.models.source_filter import HOP
from scripts.train.announcements import ANNOUNCEMENTS
from scripts.train.defects import clicks, clipped, pinned
from scripts.train.distances import aligned_distance, best_path, distance
from scripts.train.evaluate import Voice
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
from tests.tiny_voices import BUNDLED

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
        *(
            voice.say(ANNOUNCEMENTS[language][1], speaker, language)[0].samples
            for language, speaker in voice.spec.default_speakers.items()
        ),
    ):
        assert (clicks(at_level(samples)), clipped(samples), pinned(samples)) == (0, 0, 0)


@pytest.mark.parametrize("f0_hz", [80, 120, 400])
def test_pulses_of_a_voice_are_no_clicks(f0_hz: float) -> None:
    assert clicks(at_level(vowel(f0_hz))) == 0


def smoothest(samples: Floats, near: int) -> int:
    """Within half a second after *near*: the middle of the 50 ms with the smallest jumps. In a sibilant no small
    click is heard."""
    jumps = np.abs(np.diff(samples, 2, prepend=0, append=0))[near : near + SAMPLE_RATE // 2]
    windows = np.lib.stride_tricks.sliding_window_view(jumps, SAMPLE_RATE // 20)
    return near + int(np.argmin(windows.max(axis=1))) + SAMPLE_RATE // 40


def test_injected_clicks_are_found_and_counted(speech: Floats) -> None:
    levelled = at_level(speech)
    for near in (SAMPLE_RATE // 2, 2 * SAMPLE_RATE, 3 * SAMPLE_RATE):
        start = smoothest(levelled, near)
        one = levelled.copy()
        one[start] += 0.5
        assert clicks(one) == 1
        step = levelled.copy()
        step[start:] += 0.5 * np.exp(-np.arange(len(step) - start) / SAMPLE_RATE).astype(np.float32)
        step[-SAMPLE_RATE:] *= np.linspace(1, 0, SAMPLE_RATE, dtype=np.float32)
        assert clicks(step) == 1
        one[smoothest(levelled, start + SAMPLE_RATE // 10)] -= 0.5
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
