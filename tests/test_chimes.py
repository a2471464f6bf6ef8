"""The bundled chimes, and those of the user."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_tts import chimes
from edge_tts.audio import write_wav
from edge_tts.checks import run_checks
from edge_tts.errors import UnknownChimeError
from edge_tts.speech import silence
from scripts import chimes_run


def test_the_script_makes_them_bit_for_bit(tmp_path: Path) -> None:
    chimes_run.main(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in chimes.BUNDLED_DIR.iterdir()}
    assert {name.removesuffix(".wav") for name in made} == set(chimes.BUNDLED)


@pytest.mark.parametrize("name", chimes.BUNDLED)
def test_a_bundled_chime_is_short_soft_and_clean(name: str, tmp_path: Path) -> None:
    sound = chimes.read(name, tmp_path)
    assert sound.sample_rate == 48000
    assert 0.5 <= sound.duration_s <= 1.5
    assert (chimes.BUNDLED_DIR / f"{name}.wav").stat().st_size < 100_000
    peak = np.abs(sound.samples).max()
    assert 0.4 < peak <= 10 ** (-6 / 20)
    # No click: silent at both ends, and never steeper than a sine of that peak at 2 kHz.
    assert np.abs(sound.samples[[0, -1]]).max() < 1e-3
    assert np.abs(np.diff(sound.samples)).max() < peak * 2 * np.pi * 2000 / sound.sample_rate
    power = np.abs(np.fft.rfft(sound.samples)) ** 2
    hertz = np.fft.rfftfreq(len(sound.samples), 1 / sound.sample_rate)
    # What small loudspeakers can play, and nothing that hurts.
    assert power[(hertz > 250) & (hertz < 3000)].sum() > 0.95 * power.sum()


def test_own_sounds_are_listed_and_win(tmp_path: Path) -> None:
    for name in ("bell.wav", "doorbell.flac", "notes.txt"):
        (tmp_path / name).touch()
    write_wav(tmp_path / "bell.wav", silence(0.25, 8000))
    assert chimes.names(tmp_path) == ("gong", "bell", "soft", "doorbell")
    assert chimes.read("bell", tmp_path).duration_s == 0.25
    assert chimes.read("gong", tmp_path).duration_s == 1.0
    assert chimes.names(tmp_path / "none") == chimes.BUNDLED


@pytest.mark.parametrize(
    "name", ["", "ding", "../outside", "/bell", "a/../bell", "..", "x" * 5000, "bell\0", "\ud800"]
)
def test_what_is_no_chime_is_refused_with_those_there_are(name: str, tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    write_wav(tmp_path / "outside.wav", silence(0.1, 8000))
    with pytest.raises(UnknownChimeError, match=r"there are: gong, bell, soft$"):
        chimes.read(name, tmp_path / "sounds")


@pytest.mark.parametrize(
    ("chime", "is_ok", "message"),
    [
        ("null", True, "none is configured; there are: gong, bell, soft"),
        ("bell", True, "bell lasts 1.0 s"),
        ("ding", False, "chime 'ding': there is none of that name; there are: gong, bell, soft"),
    ],
)
def test_the_command_checks_what_is_configured(chime: str, is_ok: bool, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"audio: {{sink: null, chime: {chime}}}\nvoices: {{default: hum}}\nmqtt: {{url: null}}\n")
    (result,) = [result for result in run_checks(path) if result.what == "chime"]
    assert (result.is_ok, result.message) == (is_ok, message)


def test_a_sound_that_is_too_long_or_broken_is_refused_with_the_reason(tmp_path: Path) -> None:
    write_wav(tmp_path / "siren.wav", silence(chimes.MAX_CHIME_S + 1, 8000))
    (tmp_path / "broken.mp3").write_text("no sound")
    with pytest.raises(UnknownChimeError, match="it lasts 31 s, at most 30 are played"):
        chimes.read("siren", tmp_path)
    with pytest.raises(UnknownChimeError, match="broken"):
        chimes.read("broken", tmp_path)
