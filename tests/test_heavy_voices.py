"""Voices that are slower than they are heard: a real graph, the real pipeline, the null sink at real-time pace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from edge_tts.__main__ import cli
from edge_tts.app import build_synthesizer
from edge_tts.config import Config, PressureConfig, TextConfig, VoicesConfig
from edge_tts.metrics import Metrics
from edge_tts.prerender import prerender
from edge_tts.service import Service
from edge_tts.speech import EventType, JobEvent, Piece, Priority, SpeakRequest
from edge_tts.synthesizer import Synthesizer
from tests import tiny_gpt_sovits
from tests.doors_house import opened, until
from tests.heavy_voice import build_heavy
from tests.test_service import outcome, say, serving

TEXT = "Dinner is ready. The garden door is open. It rains tonight. The washing machine is done."
LONG = " ".join(f"This is sentence number {number}." for number in range(40))
NOTIFICATION = Priority.NOTIFICATION


@pytest.fixture
def config(config: Config, tmp_path: Path) -> Config:
    """Voices: hum; heavy; light, which hums too."""
    voices = tmp_path / "voices"
    (voices / "light").mkdir(parents=True)
    light = {"name": "light", "family": "hum", "sample_rate": 16000, "languages": ["en-GB"], "files": {}}
    (voices / "light" / "voice.yaml").write_text(yaml.safe_dump(light))
    build_heavy(voices / "heavy.onnx")
    # Pauses cost nothing: with them it would seem quicker than it is.
    return replace(config, voices=VoicesConfig("hum", (voices,)), text=TextConfig(sentence_pause_ms=0))


@pytest.fixture
async def service(config: Config) -> AsyncIterator[Service]:
    async with serving(config) as service:
        yield service


@pytest.fixture
def synthesizer(config: Config) -> Synthesizer:
    return build_synthesizer(config, Metrics())


def falling_back(config: Config, **pressure: Any) -> Config:
    voices = replace(config.voices, heavy="fallback")
    return replace(config, voices=voices, pressure=PressureConfig(**pressure))


def rendered(synthesizer: Synthesizer, text: str, **fields: Any) -> list[Piece]:
    """As an announcement of the heavy voice."""
    plan = synthesizer.plan(SpeakRequest(text, voice="heavy", **fields), "hum")
    return list(synthesizer.render(replace(plan, is_announcement=True)))


def warnings_of(pieces: list[Piece]) -> list[str]:
    return [warning for piece in pieces for warning in piece.warnings]


def n_made(service: Service) -> float:
    """Sentences that the heavy voice made for somebody."""
    return service.metrics.registry.get_sample_value("edge_tts_rtf_count", {"voice": "heavy"}) or 0.0


async def half_made(service: Service, **fields: Any) -> str:
    """A long announcement of the heavy voice, which is being made."""
    job = await say(service, LONG, voice="heavy", **fields)
    await until(lambda: service.job(job).sentence > 2, 60)
    return job


def test_the_pace_of_a_voice_is_known_when_it_is_loaded(synthesizer: Synthesizer) -> None:
    voices = synthesizer.voices
    assert {voice["rtf"] for voice in voices.describe()} == {None}
    voices.try_all()
    rtf = {voice["name"]: voice["rtf"] for voice in voices.describe()}
    assert rtf["heavy"] > 1
    assert rtf["hum"] < 1
    assert [name for name in rtf if voices.is_slow(name)] == ["heavy"]


def test_the_pace_follows_what_the_voice_says(synthesizer: Synthesizer) -> None:
    voices = synthesizer.voices
    hum = voices.loaded("hum")
    for _ in range(20):
        voices.note_rtf(hum.identity, 3.0)
    assert voices.rtf("hum") == pytest.approx(3, rel=0.01)
    assert voices.is_slow("hum")
    list(synthesizer.render(synthesizer.plan(SpeakRequest("Quick."), "hum")))
    assert (voices.rtf("hum") or 0) < 2.5


def test_a_voice_that_needs_a_clip_is_waited_for_until_its_pace_is_known(
    config: Config, tmp_path: Path
) -> None:
    tiny_gpt_sovits.build(config.voices.folders[0] / "mimic", has_clips=False)
    tiny_gpt_sovits.clip(tmp_path / "clip.wav", 300.0)
    config = replace(config, cache=replace(config.cache, limit_mb=0))
    synthesizer = build_synthesizer(config, Metrics())
    synthesizer.references.add("grandma", tmp_path / "clip.wav", "你好。", emotion=None)
    request = SpeakRequest("你好。", voice="mimic", reference="grandma")
    plan = replace(synthesizer.plan(request, "hum"), is_announcement=True)
    first = next(synthesizer.render(plan))
    assert synthesizer.voices.rtf("mimic") is None
    assert not len(first.audio.samples)
    list(synthesizer.render(plan))
    assert synthesizer.voices.rtf("mimic") is not None


def test_the_command_line_shows_the_pace(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    settings = {"cache": {"dir": "cache"}, "state": {"dir": "state"}, "memory": {"limit_mb": 16_000}}
    path.write_text(yaml.safe_dump({"voices": {"folders": ["voices"], "default": "hum"}, **settings}))
    listed = CliRunner().invoke(cli, ["voices", "--config", str(path)])
    assert listed.exit_code == 0, listed.output
    rtf = {line.partition(":")[0]: float(line.rpartition("RTF ")[2]) for line in listed.output.splitlines()}
    assert rtf["heavy"] > 1 > rtf["light"]


async def test_all_of_it_is_made_before_it_starts(service: Service) -> None:
    with service.updates() as updates:
        job = await say(service, TEXT, voice="heavy")
        seen: list[tuple[EventType, float]] = []
        async for update in updates:
            if isinstance(update, JobEvent):
                seen.append((update.event_type, n_made(service)))
                if update.event_type.is_outcome:
                    break
    assert seen == [(EventType.QUEUED, 0), (EventType.STARTED, 4), (EventType.FINISHED, 4)]
    event = service.job(job)
    assert event.rtf is not None
    assert event.rtf > 1
    assert event.audio_ms == event.spoken_ms
    (warning,) = event.warnings
    assert warning.startswith("slow_voice:heavy: ")
    assert float(warning.split()[1]) > 1


async def test_what_was_spoken_before_starts_at_once(service: Service) -> None:
    await outcome(service, await say(service, TEXT, voice="heavy"))
    again = await outcome(service, await say(service, TEXT, voice="heavy"))
    assert n_made(service) == 4
    assert again.warnings == ()
    assert again.first_audio_ms is not None


def test_what_was_prerendered_needs_no_voice(config: Config, synthesizer: Synthesizer) -> None:
    for progress in prerender(synthesizer, TEXT, SpeakRequest("", voice="heavy"), "hum"):
        assert progress.error is None
    another = build_synthesizer(config, Metrics())
    pieces = rendered(another, TEXT)
    assert all(len(piece.audio.samples) for piece in pieces)
    assert not another.voices.is_loaded("heavy")


def test_a_repeated_sentence_is_made_once(config: Config) -> None:
    config = replace(config, cache=replace(config.cache, limit_mb=0))
    pieces = rendered(build_synthesizer(config, Metrics()), "Dinner is ready.", repeat=3)
    heard = [piece for piece in pieces if len(piece.audio.samples)]
    assert {piece.sentence for piece in heard} == {0, 1, 2}
    assert {piece.sentence for piece in pieces if piece.synthesis_s} == {0}
    assert all(not piece.synthesis_s for piece in heard)


async def test_progress_is_told_and_what_was_not_heard_is_not_taken_for_heard(config: Config) -> None:
    async with opened(config) as house:
        job = await half_made(house.service)
        status, event = await house.json("GET", f"/api/jobs/{job}")
        assert (status, event["event_type"], event["n_sentences"]) == (200, "queued", 40)
        assert 2 < event["sentence"] < 40
        (entry,) = (entry for entry in house.service._journal.entries if entry.name == job)
        assert entry.sentence == 0
        house.service.stop()


async def test_it_is_stopped_while_it_is_made(service: Service) -> None:
    job = await half_made(service)
    assert service.stop() == 1
    event = await outcome(service, job)
    assert (event.event_type, event.code, event.spoken_ms) == (EventType.INTERRUPTED, "cancelled", 0)
    assert event.sentence < 40
    assert event.first_audio_ms is None
    assert [warning.split(": ")[0] for warning in event.warnings] == ["slow_voice:heavy"]
    assert (await outcome(service, await say(service, "Next."))).event_type is EventType.FINISHED
    assert n_made(service) < 40


async def test_what_is_important_does_not_wait_for_it(service: Service) -> None:
    job = await half_made(service, priority=Priority.TEXT)
    fire = await say(service, "Fire!", priority=Priority.IMPORTANT)
    assert (await outcome(service, fire)).event_type is EventType.FINISHED
    interrupted = await outcome(service, job)
    assert (interrupted.event_type, interrupted.code) == (EventType.INTERRUPTED, "priority")
    assert n_made(service) < 40


async def test_a_caller_gets_the_sound_as_it_is_made(service: Service) -> None:
    request = SpeakRequest(TEXT, voice="heavy")
    async with aclosing(service.stream(request)) as pieces:
        first = await anext(pieces)
    assert len(first.audio.samples)
    assert first.synthesis_s > 0
    assert n_made(service) < 4


@pytest.mark.parametrize(
    ("light", "fields", "speaker"),
    [
        (None, {}, "hum"),
        ("light", {}, "light"),
        ("light", {"priority": Priority.PROGRESS}, "light"),
    ],
)
def test_what_matters_least_is_said_by_another(
    config: Config, light: str | None, fields: dict[str, Any], speaker: str
) -> None:
    synthesizer = build_synthesizer(falling_back(config, light_voice=light), Metrics())
    pieces = rendered(synthesizer, "The garden door is open.", **{"priority": NOTIFICATION, **fields})
    assert warnings_of(pieces) == [f"fallback_voice:{speaker}"]
    assert {piece.audio.sample_rate for piece in pieces} == {16000 if speaker == "light" else 22050}
    assert all(len(piece.audio.samples) for piece in pieces)


@pytest.mark.parametrize(
    ("changes", "priority"),
    [
        ({"heavy": "fallback"}, Priority.MESSAGE),
        ({"heavy": "wait"}, NOTIFICATION),
        # Nobody else is there to say it.
        ({"heavy": "fallback", "default": "heavy"}, NOTIFICATION),
    ],
)
def test_all_else_waits_for_its_voice(config: Config, changes: dict[str, Any], priority: Priority) -> None:
    voices = replace(config.voices, **changes)
    pieces = rendered(build_synthesizer(replace(config, voices=voices), Metrics()), TEXT, priority=priority)
    assert [warning.split(": ")[0] for warning in warnings_of(pieces)] == ["slow_voice:heavy"]
    n_soundless = next(number for number, piece in enumerate(pieces) if len(piece.audio.samples))
    assert {piece.sentence for piece in pieces[:n_soundless]} == {0, 1, 2, 3}


def test_what_was_spoken_before_is_not_given_to_another(config: Config) -> None:
    synthesizer = build_synthesizer(falling_back(config), Metrics())
    rendered(synthesizer, "Dinner is ready.")
    assert warnings_of(rendered(synthesizer, "Dinner is ready.", priority=NOTIFICATION)) == []


def test_a_language_that_the_others_do_not_speak_waits(config: Config) -> None:
    build_heavy(config.voices.folders[0] / "schwer.onnx", language="de_DE")
    synthesizer = build_synthesizer(falling_back(config, light_voice="light"), Metrics())
    plan = synthesizer.plan(
        SpeakRequest("Das Essen ist fertig.", voice="schwer", priority=NOTIFICATION), "hum"
    )
    pieces = list(synthesizer.render(replace(plan, is_announcement=True)))
    assert [warning.split(": ")[0] for warning in warnings_of(pieces)] == ["slow_voice:schwer"]
