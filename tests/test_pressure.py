"""The light voice, when time or memory is short."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edge_tts.app import build_synthesizer
from edge_tts.audio import join
from edge_tts.config import CacheConfig, Config, MemoryConfig, PressureConfig, StateConfig, VoicesConfig
from edge_tts.errors import ConfigError, MemoryBudgetError
from edge_tts.memory import release_memory, rss_bytes
from edge_tts.metrics import Metrics
from edge_tts.speech import Audio, Piece, Priority, SpeakRequest
from edge_tts.synthesizer import Synthesizer
from tests.test_service import outcome, say, serving

LARGE_BYTES = 1 << 30
NOTIFICATION = Priority.NOTIFICATION
Build = Callable[..., Synthesizer]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Voices: usual; light; large, which fits into no budget. All of them hum, each at its sample rate."""
    for name, sample_rate, languages, size_bytes in (
        ("usual", 22050, ["en-US", "de-DE"], 1),
        ("light", 16000, ["en-GB"], 1),
        ("large", 24000, ["en-US", "de-DE"], LARGE_BYTES),
    ):
        folder = tmp_path / name
        folder.mkdir()
        document = {"name": name, "family": "hum", "sample_rate": sample_rate, "languages": languages}
        (folder / "voice.yaml").write_text(yaml.safe_dump(document | {"files": {"ballast": "ballast"}}))
        with (folder / "ballast").open("wb") as ballast:
            ballast.truncate(size_bytes)

    def build(**settings: Any) -> Synthesizer:
        config = Config(
            voices=VoicesConfig(default="usual", folders=(tmp_path,)),
            cache=CacheConfig(dir=tmp_path / "cache"),
            state=StateConfig(dir=tmp_path / "state"),
            memory=MemoryConfig(limit_mb=(rss_bytes() >> 20) + 200),
            pressure=PressureConfig(light_voice="light"),
        )
        return build_synthesizer(replace(config, **settings), Metrics())

    return build


def spoken(synthesizer: Synthesizer, is_crowded: bool = False, **fields: Any) -> tuple[Audio, set[str]]:
    """The sound and its warnings."""
    plan = synthesizer.plan(SpeakRequest(**{"text": "Dinner is ready.", **fields}), "usual")
    pieces: list[Piece] = list(synthesizer.render(replace(plan, is_crowded=is_crowded)))
    audio = join([piece.audio for piece in pieces], pieces[0].audio.sample_rate)
    return audio, {warning for piece in pieces for warning in piece.warnings}


@pytest.mark.parametrize(
    ("priority", "is_crowded", "is_degraded"),
    [
        (Priority.NOTIFICATION, True, True),
        (Priority.PROGRESS, True, True),
        (Priority.MESSAGE, True, False),
        (Priority.IMPORTANT, True, False),
        (Priority.NOTIFICATION, False, False),
    ],
)
def test_what_matters_least_gives_way_to_a_crowd(
    build: Build, priority: Priority, is_crowded: bool, is_degraded: bool
) -> None:
    audio, warnings = spoken(build(), is_crowded, priority=priority)
    assert warnings == ({"degraded_voice:light"} if is_degraded else set())
    assert audio.sample_rate == (16000 if is_degraded else 22050)


def test_what_was_spoken_before_is_spoken_so_again(build: Build) -> None:
    synthesizer = build()
    before, _ = spoken(synthesizer)
    again, warnings = spoken(synthesizer, is_crowded=True, priority=NOTIFICATION)
    np.testing.assert_allclose(again.samples, before.samples, atol=1 / 32767)
    assert warnings == set()


def test_what_was_spoken_before_needs_no_voice_in_memory(build: Build) -> None:
    spoken(build())
    another = build()
    _, warnings = spoken(another)
    assert warnings == set()
    assert not another.voices.is_loaded("usual")


def test_a_voice_that_does_not_fit_is_replaced_whatever_the_priority(build: Build) -> None:
    _, warnings = spoken(build(), voice="large", priority=Priority.IMPORTANT)
    assert warnings == {"degraded_voice:light"}


def test_without_a_light_voice_it_is_an_error(build: Build) -> None:
    with pytest.raises(MemoryBudgetError, match="'large' needs about"):
        spoken(build(pressure=PressureConfig()), voice="large")


def test_a_language_that_the_light_voice_does_not_speak_is_not_given_to_it(build: Build) -> None:
    synthesizer = build()
    _, warnings = spoken(synthesizer, True, text="Guten Tag.", language="de-DE", priority=NOTIFICATION)
    assert warnings == set()
    with pytest.raises(MemoryBudgetError):
        spoken(synthesizer, text="Guten Tag.", language="de-DE", voice="large")


def test_above_the_budget_what_matters_least_gives_way_then_nothing_new_is_loaded(build: Build) -> None:
    # What earlier tests have left may go at any moment, and others may need the memory that this process has.
    release_memory()
    synthesizer = build(memory=MemoryConfig(limit_mb=(rss_bytes() >> 20) + 64))
    spoken(synthesizer, voice="light")
    hoard = np.ones(256 << 20, np.uint8)
    assert synthesizer.voices.is_above_budget
    _, warnings = spoken(synthesizer, text="New.", priority=NOTIFICATION)
    assert warnings == {"degraded_voice:light"}
    # Whatever its priority, for a voice that is not in memory there is no room now, nor for the light one again.
    with pytest.raises(MemoryBudgetError):
        spoken(synthesizer, text="Newer.")
    del hoard


def test_a_light_voice_that_is_not_installed_stops_the_start(build: Build) -> None:
    with pytest.raises(ConfigError, match=r"light_voice: no voice named 'lihgt'; installed: hum, l"):
        build(pressure=PressureConfig(light_voice="lihgt"))


async def test_the_outcome_tells_which_voice_spoke(config: Config) -> None:
    voices = config.cache.dir
    assert voices is not None
    (voices / "usual").mkdir(parents=True)
    document = {"name": "usual", "family": "hum", "sample_rate": 22050, "languages": ["en-US"], "files": {}}
    (voices / "usual" / "voice.yaml").write_text(yaml.safe_dump(document))
    pressure = PressureConfig(light_voice="hum", queue_longer_than=0, priority="message")
    config = replace(config, voices=VoicesConfig("usual", (voices,)), pressure=pressure)
    async with serving(config) as service:
        service.pause()
        first, second = await say(service, "One."), await say(service, "Two.")
        async with aclosing(service.stream(SpeakRequest("Three."))) as pieces:
            assert {warning async for piece in pieces for warning in piece.warnings} == {"degraded_voice:hum"}
        service.resume()
        assert (await outcome(service, first)).warnings == ("degraded_voice:hum",)
        # Nobody waits behind it.
        assert (await outcome(service, second)).warnings == ()
