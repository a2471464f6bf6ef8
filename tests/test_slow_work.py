"""Work that takes long inside one sentence: it goes on visibly, piece by piece, whoever waits for it."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from edge_tts.app import build_synthesizer
from edge_tts.config import CacheConfig, Config, VoicesConfig
from edge_tts.metrics import Metrics
from edge_tts.speech import EventType, SpeakRequest
from tests.doors_house import opened
from tests.test_service import outcome, say, serving
from tests.tiny_voices import tiny_spec

FAMILIES = ("cosyvoice", "gpt_sovits")
TEXT = "今天天气怎么样？"


@pytest.fixture
def config(config: Config, tmp_path: Path) -> Config:
    """Voices: hum, and one of each family that makes tokens one by one."""
    for family in FAMILIES:
        tiny_spec(family, tmp_path / "voices" / family)
    voices = VoicesConfig("hum", (tmp_path / "voices",))
    return replace(config, voices=voices, cache=replace(config.cache, limit_mb=0))


@pytest.mark.parametrize("family", FAMILIES)
def test_work_without_sound_yet_is_told_with_its_pace(family: str, config: Config) -> None:
    synthesizer = build_synthesizer(config, Metrics())
    synthesizer.voices.loaded(family)
    # Slow or not, by what it says of itself.
    synthesizer.voices.note_rtf(synthesizer.voices.identity(family), 100.0)
    plan = synthesizer.plan(SpeakRequest(f"{TEXT} 好。", voice=family), "hum")
    pieces = list(synthesizer.render(replace(plan, is_announcement=True)))
    first = next(place for place, piece in enumerate(pieces) if len(piece.audio.samples))
    told = [(piece.sentence, piece.tokens_per_s) for piece in pieces[:first] if piece.tokens_per_s]
    assert {sentence for sentence, _ in told} == {0, 1}
    assert all(pace > 0 for _, pace in told)
    # What was made is heard without the signs of work.
    assert all(len(piece.audio.samples) for piece in pieces[first:])
    assert all(piece.tokens_per_s is None for piece in pieces[first:])


@pytest.mark.parametrize("family", FAMILIES)
async def test_an_outcome_tells_the_pace(family: str, config: Config) -> None:
    async with serving(config) as service:
        event = await outcome(service, await say(service, TEXT, voice=family))
        assert event.event_type is EventType.FINISHED
        assert event.tokens_per_s is not None
        assert event.tokens_per_s > 0
        assert event.to_json()["tokens_per_s"] == event.tokens_per_s
        hum = await outcome(service, await say(service, "Hello."))
        assert "tokens_per_s" not in hum.to_json()


async def test_the_pace_is_told_over_http(config: Config) -> None:
    async with opened(config) as house:
        job = await say(house.service, TEXT, voice="gpt_sovits")
        await outcome(house.service, job)
        status, event = await house.json("GET", f"/api/jobs/{job}")
        assert status == 200
        assert event["tokens_per_s"] > 0


@pytest.mark.parametrize("family", FAMILIES)
async def test_who_takes_the_sound_gets_nothing_but_sound(family: str, config: Config) -> None:
    async with (
        serving(config) as service,
        aclosing(service.stream(SpeakRequest(TEXT, voice=family))) as pieces,
    ):
        assert all([len(piece.audio.samples) > 0 async for piece in pieces])


def test_a_cached_sentence_has_no_pace(config: Config) -> None:
    synthesizer = build_synthesizer(replace(config, cache=CacheConfig(dir=config.cache.dir)), Metrics())
    request = SpeakRequest(TEXT, voice="cosyvoice")
    paces = [
        [piece.tokens_per_s for piece in synthesizer.render(synthesizer.plan(request, "hum"))]
        for _ in range(2)
    ]
    assert any(paces[0])
    assert not any(paces[1])
