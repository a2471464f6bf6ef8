from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from edge_tts.app import build_synthesizer
from edge_tts.audio import join
from edge_tts.config import CacheConfig, Config, StateConfig, VoicesConfig
from edge_tts.errors import NothingToSayError, SpeechError, UnknownReferenceError, VoiceLoadError
from edge_tts.metrics import Metrics
from edge_tts.speech import Audio, Emotion, Piece, SpeakRequest
from edge_tts.synthesizer import Synthesizer
from tests.doors_house import ROOMY
from tests.test_references import SAMPLE_RATE, buzz

VOICES: dict[str, dict[str, Any]] = {
    "one": {"languages": ["en-US"]},
    "choir": {
        "languages": ["en-US", "de-DE", "zh-CN"],
        "speakers": {"ann": 0, "bea": 1, "cai": 2},
        "default_speakers": {"en": "ann", "de": "bea", "zh": "cai"},
    },
}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def synthesizer(tmp_path: Path, metrics: Metrics) -> Synthesizer:
    for name, changes in VOICES.items():
        (tmp_path / name).mkdir()
        document = {"name": name, "family": "hum", "sample_rate": 22050, "files": {}, **changes}
        (tmp_path / name / "voice.yaml").write_text(yaml.safe_dump(document))
    config = Config(
        voices=VoicesConfig(default="one", folders=(tmp_path,)),
        cache=CacheConfig(dir=tmp_path / "cache"),
        state=StateConfig(dir=tmp_path / "state"),
        memory=ROOMY,
    )
    return build_synthesizer(config, metrics)


def rendered(synthesizer: Synthesizer, request: SpeakRequest) -> list[Piece]:
    return list(synthesizer.render(synthesizer.plan(request, "one")))


def sound(pieces: list[Piece]) -> Audio:
    return join([piece.audio for piece in pieces], 22050)


def test_sentences_come_in_order_with_pauses_between_and_none_at_the_end(synthesizer: Synthesizer) -> None:
    pieces = rendered(synthesizer, SpeakRequest("One is here. Two is here."))
    assert {(piece.sentence, piece.n_sentences) for piece in pieces} == {(0, 2), (1, 2)}
    assert [piece.sentence for piece in pieces] == sorted(piece.sentence for piece in pieces)
    last_of_first = [piece for piece in pieces if piece.sentence == 0][-1]
    assert not last_of_first.audio.samples.any()
    assert pieces[-1].audio.samples.any()


def test_the_second_time_comes_from_the_cache_and_sounds_the_same(
    synthesizer: Synthesizer, metrics: Metrics
) -> None:
    first, second = (rendered(synthesizer, SpeakRequest("The door is open.")) for _ in range(2))
    np.testing.assert_allclose(sound(second).samples, sound(first).samples, atol=1 / 32767)
    assert b'edge_tts_cache_hits_total{cache="phrase"} 1.0' in metrics.text()


@pytest.mark.parametrize(
    "other",
    [{"speed": 1.5}, {"pitch": 2.0}, {"voice": "choir"}, {"text": "The door is shut."}],
    ids=str,
)
def test_what_sounds_different_is_cached_apart(
    other: dict[str, Any], synthesizer: Synthesizer, metrics: Metrics
) -> None:
    request = SpeakRequest("The door is open.")
    rendered(synthesizer, request)
    rendered(synthesizer, replace(request, **other))
    assert b'edge_tts_cache_misses_total{cache="phrase"} 2.0' in metrics.text()


def test_a_listener_who_leaves_early_leaves_no_half_sentence_in_the_cache(synthesizer: Synthesizer) -> None:
    plan = synthesizer.plan(
        SpeakRequest("A sentence of quite some length, so that it comes in pieces."), "one"
    )
    pieces = synthesizer.render(plan)
    next(pieces)
    pieces.close()
    whole = sound(list(synthesizer.render(plan)))
    again = sound(list(synthesizer.render(plan)))
    assert len(whole.samples) == len(again.samples)


def test_each_language_has_its_speaker(synthesizer: Synthesizer) -> None:
    def speakers(**request: Any) -> list[str | None]:
        plan = synthesizer.plan(SpeakRequest(voice="choir", **request), "one")
        return [
            sentence.speaker or VOICES["choir"]["default_speakers"][sentence.language]
            for sentence in plan.sentences
        ]

    assert speakers(text="The door is open.") == ["ann"]
    assert speakers(text="Die Tür ist offen.", language="de") == ["bea"]
    assert speakers(text="门开了。") == ["cai"]
    assert speakers(text="The door is open. 门开了。") == ["ann", "cai"]
    assert speakers(text="The door is open.", speaker="cai") == ["cai"]
    assert speakers(text="The door is open.", speaker="1") == ["bea"]


def test_a_speaker_brings_its_language(synthesizer: Synthesizer) -> None:
    plan = synthesizer.plan(SpeakRequest("Um 3 Uhr.", voice="choir", speaker="bea"), "one")
    assert plan.sentences[0].language == "de"
    assert "drei" in plan.sentences[0].text


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"voice": "nobody"}, "unknown_voice", "no voice named 'nobody'; installed: choir, hum, one"),
        ({"speaker": "nobody", "voice": "choir"}, "unknown_speaker", "it has: ann, bea, cai"),
        ({"language": "fr"}, "unknown_language", "it speaks: en-US"),
        ({"text": ""}, "nothing_to_say", ""),
        ({"text": "<speak>", "format": "ssml"}, "bad_markup", ""),
    ],
)
def test_what_cannot_be_said_is_refused_before_anything_is_said(
    changes: dict[str, Any], code: str, message: str, synthesizer: Synthesizer
) -> None:
    with pytest.raises(SpeechError) as caught:
        synthesizer.plan(replace(SpeakRequest("Hello."), **changes), "one")
    assert caught.value.code == code
    assert message in str(caught.value)


def test_what_the_voice_cannot_do_is_a_warning_and_speech_is_still_made(
    synthesizer: Synthesizer, tmp_path: Path
) -> None:
    asked = SpeakRequest("Hello.", emotion=Emotion("happy"), style="like a pirate", reference="anna")
    with pytest.raises(UnknownReferenceError):
        synthesizer.plan(asked, "one")
    soundfile.write(tmp_path / "clip.wav", buzz(4), SAMPLE_RATE)
    synthesizer.references.add("anna", tmp_path / "clip.wav", "Hello.")
    warnings = [warning for piece in rendered(synthesizer, asked) for warning in piece.warnings]
    assert warnings == [f"unsupported_control:{name}" for name in ("style", "emotion", "reference")]


def test_what_cannot_be_read_is_a_warning_each_time(tmp_path: Path, metrics: Metrics) -> None:
    synthesizer = build_synthesizer(Config(cache=CacheConfig(dir=tmp_path), memory=ROOMY), metrics)
    voice = "kathleen-kerstin-yuetan"
    for _ in range(2):
        plan = synthesizer.plan(SpeakRequest("Say [[ hǂə ]] to him."), voice)
        warnings = [warning for piece in synthesizer.render(plan) for warning in piece.warnings]
        assert warnings == ["unknown_phoneme: this voice has no sound near 'ǂ'"]
    with pytest.raises(NothingToSayError):
        list(synthesizer.render(synthesizer.plan(SpeakRequest("[[ ǂ ]]"), voice)))
    pieces = list(synthesizer.render(synthesizer.plan(SpeakRequest("Click. [[ ǂ ]]"), voice)))
    assert any(warning.startswith("silent_sentence") for piece in pieces for warning in piece.warnings)


def test_warnings_of_a_plan_that_failed_are_not_the_next_ones(
    synthesizer: Synthesizer, tmp_path: Path
) -> None:
    (tmp_path / "bad").mkdir()
    document = {"name": "bad", "family": "two_stage", "sample_rate": 22050, "languages": ["en"], "files": {}}
    (tmp_path / "bad" / "voice.yaml").write_text(yaml.safe_dump(document))
    text = '<speak><emotion category="happy">Hi.</emotion><voice name="bad">Ho.</voice></speak>'
    plan = synthesizer.plan(SpeakRequest(text, format="ssml"), "one")
    with pytest.raises(VoiceLoadError):
        list(synthesizer.render(plan))
    pieces = rendered(synthesizer, SpeakRequest("Fine."))
    assert not any(piece.warnings for piece in pieces)


def test_a_voice_replaced_on_disk_does_not_speak_from_the_old_ones_cache(
    synthesizer: Synthesizer, tmp_path: Path
) -> None:
    (tmp_path / "one" / "weights").write_text("old")
    description = tmp_path / "one" / "voice.yaml"
    document = yaml.safe_load(description.read_text()) | {"files": {"weights": "weights"}}
    description.write_text(yaml.safe_dump(document))
    synthesizer.voices.rescan()
    before = synthesizer.voices.loaded("one").identity
    (tmp_path / "one" / "weights").write_text("new")
    os.utime(tmp_path / "one" / "weights", (1, 1))
    synthesizer.voices.rescan()
    # The old model still speaks, and under its own name.
    assert synthesizer.voices.loaded("one").identity == before


def test_repeat_says_it_again(synthesizer: Synthesizer) -> None:
    once = sound(rendered(synthesizer, SpeakRequest("Fire.")))
    thrice = sound(rendered(synthesizer, SpeakRequest("Fire.", repeat=3)))
    assert thrice.duration_s > 3 * once.duration_s


def test_explain_makes_no_sound_and_says_what_will_be_said(
    synthesizer: Synthesizer, metrics: Metrics
) -> None:
    explained = synthesizer.explain(SpeakRequest("It is 21.5°C. 3 doors."), "one")
    assert "twenty-one point five degrees" in explained["normalized"].replace("twenty one", "twenty-one")
    assert len(explained["sentences"]) == 2
    spoken_s = sound(rendered(synthesizer, SpeakRequest("It is 21.5°C. 3 doors."))).duration_s
    assert explained["duration_s"] == pytest.approx(spoken_s, rel=0.15)
    assert explained["warnings"] == []
