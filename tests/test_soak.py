"""The soak and the load in small: that they find what they look for, and find nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_tts.config import Config, VoicesConfig
from edge_tts.service import Service
from edge_tts.speech import SpeakRequest
from scripts import load_report, load_run, soak_report, soak_run
from scripts.crowd import Book
from scripts.household import Sample, running
from tests.test_service import say, serving

UNKNOWN_WHEN_SHORT = ("first sound", "latest alarm", "idle", "threads")
"""These depend on what else the machine does, or need longer; the commands themselves judge them."""


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.voice
async def test_random_announcements_all_end_once(tmp_path: Path) -> None:
    with running(tmp_path, soak_run.CONFIG, None) as house:
        run = await soak_run.soak(house, 60, None, idle_s=5)
    broken = {each.name for each in soak_report.figures(run) if each.is_broken}
    assert {name for name in broken if not name.startswith(UNKNOWN_WHEN_SHORT)} == set()
    assert run.book.n_ended > 30
    assert "| peak RSS |" in soak_report.page(run, None)


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.voice
async def test_everybody_at_once_is_served_or_refused(tmp_path: Path) -> None:
    with running(tmp_path, load_run.CONFIG, None) as house:
        run = await load_run.load(house, 20, 200)
    broken = {each.name for each in load_report.figures(run) if each.is_broken}
    assert {name for name in broken if not name.startswith(UNKNOWN_WHEN_SHORT)} == set()
    assert any(each.refusals for each in run.book.requests.values())
    assert "| mqtt, important |" in load_report.page(run, 20, 200)


def test_the_slope_is_found_with_its_error() -> None:
    noise_mb = (0.5, -0.5) * 50
    rss_mb = [200 + n / 100 * 3.0 + noise_mb[n] for n in range(100)]
    gradient, error = soak_report.slope([n * 100 for n in range(100)], rss_mb)
    assert gradient == pytest.approx(3.0, abs=3 * error)
    assert 0 < error < 1


async def test_what_is_lost_or_doubled_is_found() -> None:
    book = Book()
    lost, once, twice, both = (
        book.add(name, "http", "message") for name in ("lost", "once", "twice", "both")
    )
    ending = {"event_type": "finished"}
    for name in ("once", "twice", "twice", "both"):
        book.event({**ending, "id": name})
    book.refused(both, "queue_full")
    assert book.lost == [lost]
    assert book.doubled == [twice, both]
    assert once.code == "finished"
    run = load_report.Load(book, [], 0, 100, 100)
    assert {each.name for each in load_report.figures(run) if each.is_broken} >= {"lost, doubled"}


def test_what_grows_is_found() -> None:
    sample = Sample(0.0, 100, 90, 8, 20, 1, 1, 0)
    grown = Sample(9.0, 600, 590, 9, 50, 99, 99, 60)
    run = soak_report.Soak(
        before=sample,
        samples=[sample] * 5 + [grown],
        ended=[1] * 6,
        rests=[(number * 2000, replace(sample, rss_mb=100 + number)) for number in range(1, 6)],
        after=grown,
        book=Book(),
        asked=Counter(),
        wrong=Counter({"a sound broke off": 1}),
        first_sound_ms=[1.0] * 4 + [9.0] * 4,
        n_mqtt_outcomes=0,
        duration_s=60,
        peak_mb=600,
        idle={"with a broker": {"python 7": 9.0}},
    )
    broken = [each.name.split(",")[0] for each in soak_report.figures(run) if each.is_broken]
    names = "wrong answers, peak RSS, RSS at rest, threads, open files, cache on the disk, state, queue"
    assert broken == [*names.split(", "), "first sound", "idle"]


@pytest.mark.voice
async def test_a_text_sounds_the_same_under_load(config: Config) -> None:
    text = "The front door has been open for more than ten minutes."
    config = replace(config, voices=VoicesConfig(), cache=replace(config.cache, limit_mb=0))
    async with serving(config) as service:
        alone = await sound(service, text)
        job = await say(service, "One two three four five six seven. " * 20)
        crowd = [sound(service, f"{text} {number}") for number in range(6)]
        [*_, crowded] = await asyncio.gather(*crowd, sound(service, text))
        assert not service.job(job).event_type.is_outcome, "it was to speak all the time"
        service.stop()
    np.testing.assert_array_equal(crowded, alone)


async def sound(service: Service, text: str) -> NDArray[np.float32]:
    async with aclosing(service.stream(SpeakRequest(text))) as pieces:
        return np.concatenate([piece.audio.samples async for piece in pieces])
