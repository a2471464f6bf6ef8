"""The table of model families: what the pipeline expects of each, whatever its architecture."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from edge_tts.memory import release_memory
from edge_tts.models import FAMILIES
from edge_tts.models.base import SpeechModel
from edge_tts.speech import Prosody, Sentence
from tests.tiny_voices import Samples, make_tools, sentence, sound, tiny_spec

HELLO = sentence("Hello there, this is a short test.")


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> SpeechModel:
    family: str = request.param
    return FAMILIES[family](tiny_spec(family, tmp_path), make_tools())


def said(speed: float = 1.0, semitones: float = 0.0) -> Sentence:
    return sentence(
        "Hello there, this is a short test.", prosody=Prosody(speed=speed, pitch_semitones=semitones)
    )


def test_a_faster_voice_is_shorter(model: SpeechModel) -> None:
    assert len(sound(model, said(speed=2.0))) < 0.8 * len(sound(model, said()))


def test_pieces_are_float32_mono_at_the_sample_rate_of_the_model(model: SpeechModel) -> None:
    pieces = list(model.synthesize(HELLO))
    # Those without samples say that work goes on.
    assert len([piece for piece in pieces if len(piece.samples)]) > 1
    assert {piece.sample_rate for piece in pieces} == {model.sample_rate}
    assert all(piece.samples.dtype == np.float32 and piece.samples.ndim == 1 for piece in pieces)
    assert len(pieces[-1].samples)


def test_a_sentence_may_be_left_half_said(model: SpeechModel) -> None:
    whole = sum(len(piece.samples) for piece in model.synthesize(said(speed=1.5)))
    pieces = model.synthesize(HELLO)
    next(piece for piece in pieces if len(piece.samples))
    assert isinstance(pieces, Generator)
    pieces.close()
    assert sum(len(piece.samples) for piece in model.synthesize(said(speed=1.5))) == pytest.approx(
        whole, rel=0.2
    )


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "piper"])
def test_two_sentences_said_at_once_do_not_disturb_each_other(family: str, tmp_path: Path) -> None:
    # Piper draws its noise inside the graph, so no two of its sentences are equal.
    model = FAMILIES[family](tiny_spec(family, tmp_path), make_tools())
    first, second = HELLO, sentence("Quite another text, and longer too, to be said.")
    alone = sound(model, first), sound(model, second)
    made: tuple[list[Samples], list[Samples]] = ([], [])
    for both in itertools.zip_longest(model.synthesize(first), model.synthesize(second)):
        for piece, samples in zip(both, made, strict=True):
            samples.extend([piece.samples] if piece else [])
    for samples, expected in zip(made, alone, strict=True):
        np.testing.assert_array_equal(np.concatenate(samples), expected)


@pytest.mark.parametrize("speed", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("semitones", [-12.0, 0.0, 12.0])
def test_any_prosody_of_a_request_gives_finite_sound_within_full_scale(
    model: SpeechModel, speed: float, semitones: float
) -> None:
    samples = sound(model, said(speed, semitones))
    assert np.isfinite(samples).all()
    assert 1e-3 < np.abs(samples).max() <= 1


def test_nothing_to_say_is_no_sound(model: SpeechModel) -> None:
    assert not len(sound(model, Sentence((), "en")))


def test_explaining_makes_no_sound_but_tells_the_phonemes(model: SpeechModel) -> None:
    explanation = model.explain(HELLO)
    assert explanation.phonemes
    assert not explanation.warnings
    if explanation.duration_s is not None:
        made_s = len(sound(model, HELLO)) / model.sample_rate
        assert explanation.duration_s == pytest.approx(made_s, abs=1e-3)


def test_controls_are_those_of_the_contract(model: SpeechModel) -> None:
    assert model.controls <= {"speed", "pitch", "energy", "emotion", "style", "reference", "sounds"}
    assert "speed" in model.controls


class MallocInfo(ctypes.Structure):
    """glibc's struct mallinfo2: ten numbers, in the order of malloc.h."""

    _fields_ = [
        ("before", ctypes.c_size_t * 4),
        ("hblkhd", ctypes.c_size_t),
        ("between", ctypes.c_size_t * 2),
        ("uordblks", ctypes.c_size_t),
        ("after", ctypes.c_size_t * 2),
    ]


def used_bytes() -> int:
    """What is allocated, whether or not it was ever touched: more exact than the RSS."""
    release_memory()
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        pytest.skip("this C library does not tell what is allocated")
    library.mallinfo2.restype = MallocInfo
    info = library.mallinfo2()
    return int(info.uordblks + info.hblkhd)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_voice_that_goes_leaves_nothing(family: str, tmp_path: Path) -> None:
    # Two voices that do not fit together change places with every announcement, for years.
    spec, tools = tiny_spec(family, tmp_path), make_tools()

    def come_and_go(times: int) -> None:
        for _ in range(times):
            sound(FAMILIES[family](spec, tools), HELLO)

    come_and_go(5)
    before_bytes = used_bytes()
    come_and_go(10)
    assert used_bytes() - before_bytes < 10 * 16_000
