"""What makes an announcement bearable in a house: chimes, quiet hours, volumes, repeating, and nothing twice."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_tts import chimes
from edge_tts.announcer import MAX_REPEATED
from edge_tts.app import build_synthesizer
from edge_tts.audio import read_wav, volume_gain
from edge_tts.config import AudioConfig, Config, QueueConfig, TextConfig
from edge_tts.doors.base import chime_request
from edge_tts.doors.mqtt_chime import chime_fields
from edge_tts.errors import InvalidFieldError, UnknownJobError
from edge_tts.jobs import Job, new_job
from edge_tts.metrics import Metrics
from edge_tts.player import Player
from edge_tts.quiet_hours import QuietHoursConfig
from edge_tts.receipts import REMEMBERED_TEXTS, SameTexts
from edge_tts.renderer import open_renderer
from edge_tts.service import Service, open_service
from edge_tts.speech import EventType, Priority, SpeakRequest
from edge_tts.threads import one_thread
from tests.doors_house import House, until
from tests.doors_house import opened as opened_http
from tests.fake_sink import FakeSink
from tests.house import likeness
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone, at, opened, problems
from tests.test_service import LONG, outcome, say, serving


def quick(config: Config, **settings: Any) -> Config:
    """On a null sink ten times as fast as life."""
    return replace(config, audio=replace(config.audio, null_pace=10.0), **settings)


def to_files(config: Config, folder: Path, **audio: Any) -> Config:
    return replace(config, audio=AudioConfig(sink="wav", wav_dir=folder / "wav", volume=100, **audio))


def heard(config: Config, job: str) -> NDArray[np.float64]:
    return read_wav(config.audio.wav_dir / f"{job}.wav").samples.astype(np.float64)


def quiet_now(**settings: Any) -> QuietHoursConfig:
    """From an hour ago to an hour from now, by the clock of the place."""
    begin, end = (time.strftime("%H:%M", time.localtime(time.time() + hours * 3600)) for hours in (-1, 1))
    return QuietHoursConfig(begin, end, **settings)


# --- chimes ------------------------------------------------------------------------------------------------


async def test_a_chime_by_itself_goes_through_the_queue(config: Config) -> None:
    async with opened_http(quick(config)) as house:
        assert await house.json("GET", "/api/chimes") == (200, {"chimes": list(chimes.BUNDLED)})
        status, event = await house.json("POST", "/api/chime?wait=finished", json={"name": "bell"})
        assert (status, event["event_type"], event["spoken_ms"]) == (200, "finished", 1000)
        status, receipt = await house.json("POST", "/api/chime", json={"speed": 2})
        assert (status, receipt["warnings"]) == (202, ["unknown_field:speed"])
        event = await outcome(house.service, receipt["job"])
        assert (event.event_type, event.text) == (EventType.FINISHED, "default")
        assert await house.code("POST", "/api/chime", json={"name": "ding"}) == (400, "unknown_chime")
        assert await house.code("POST", "/api/chime", json={"name": False}) == (400, "bad_request")


def test_the_fields_of_a_chime() -> None:
    request, warnings = chime_request({"name": "bell", "volume": 0.5, "priority": "important"}, source="x")
    assert (request.text, request.volume, request.priority, warnings) == (
        "bell",
        50.0,
        Priority.IMPORTANT,
        (),
    )
    with pytest.raises(InvalidFieldError, match=r"^volume: "):
        chime_request({"volume": "loud"}, source="x")


@pytest.mark.parametrize(("level", "volume"), [(0, 0), (0.007, 1), (0.4, 40), (1, 100)])
def test_how_loud_a_siren_is(level: float, volume: int) -> None:
    """Less than a percent was taken for a scale: 0.7 % was 70 %."""
    fields = chime_fields(json.dumps({"state": "ON", "volume_level": level}).encode())
    del fields["state"]
    assert chime_request(fields, source="x")[0].volume == volume


@pytest.mark.parametrize(
    ("configured", "asked", "played"),
    [
        (None, None, None),
        (None, "default", "gong"),
        (None, "soft", "soft"),
        ("bell", None, "bell"),
        ("bell", "default", "bell"),
        ("bell", "", None),
    ],
)
async def test_which_chime_comes_before_the_words(
    configured: str | None, asked: str | None, played: str | None, config: Config, tmp_path: Path
) -> None:
    config = to_files(config, tmp_path, chime=configured)
    async with serving(config) as service:
        plain, chimed = await say(service, "Hi.", chime=""), await say(service, "Hi.", chime=asked)
        assert (await outcome(service, chimed)).warnings == ()
    before = heard(config, chimed)[: -len(heard(config, plain))]
    if played is None:
        assert len(before) == 0
        return
    scores = {name: likeness(before, _chime_at(name, 22050)) for name in chimes.BUNDLED}
    assert max(scores, key=lambda name: scores[name]) == played
    assert scores[played] > 0.99


def _chime_at(name: str, sample_rate: int) -> NDArray[np.float64]:
    import soxr

    sound = chimes.read(name, Path("nowhere"))
    return np.asarray(soxr.resample(sound.samples.astype(np.float64), sound.sample_rate, sample_rate))


# --- quiet hours -------------------------------------------------------------------------------------------


async def test_quiet_hours_keep_all_but_what_is_important(config: Config) -> None:
    async with serving(quick(config, quiet_hours=quiet_now())) as service:
        for priority in Priority:
            event = await outcome(service, await say(service, "Psst.", priority=priority))
            expected = (
                (EventType.FINISHED, None)
                if priority is Priority.IMPORTANT
                else (EventType.MUTED, "quiet_hours")
            )
            assert (event.event_type, event.code) == expected
        assert service.state.is_quiet
        # Judged by the time it is for.
        later = await say(service, "Good morning.", at=time.time() + 2 * 3600)
        assert service.job(later).event_type is EventType.QUEUED


async def test_quiet_hours_may_lower_the_volume_instead(config: Config, tmp_path: Path) -> None:
    config = to_files(config, tmp_path)
    config = replace(config, quiet_hours=quiet_now(volume=20))
    async with serving(config) as service:
        requests: list[dict[str, Any]] = [
            {"priority": Priority.IMPORTANT},
            {},
            {"volume": 90.0},
            {"volume": 10.0},
        ]
        jobs = [await say(service, "Psst.", **request) for request in requests]
        for job in jobs:
            assert (await outcome(service, job)).event_type is EventType.FINISHED
    peaks = [np.abs(heard(config, job)).max() for job in jobs]
    assert [peak / peaks[0] for peak in peaks] == pytest.approx(
        [volume_gain(volume) for volume in (100, 20, 20, 10)], rel=0.01
    )


async def test_the_sender_is_told_whatever_becomes_of_it(
    config: Config, broker: Mosquitto, phone: Phone
) -> None:
    """By the answer to their own topic with their own data, the event and the states."""
    queue = QueueConfig(same_text_window_s=60.0)
    config = quick(config, quiet_hours=quiet_now(lets_through="text"), queue=queue)
    async with opened(at(config, broker.port)):
        await until(lambda: phone.latest("status") == "online")
        requests: list[tuple[dict[str, Any], str, str | None]] = [
            ({"text": "Psst.", "priority": "notification"}, "muted", "quiet_hours"),
            ({"text": "Dinner."}, "finished", None),
            ({"text": "Dinner."}, "superseded", "duplicate_text"),
            ({"text": "Too late.", "at": "2026-11-20T12:00:00Z"}, "expired", "expired"),
        ]
        for number, (request, event_type, code) in enumerate(requests):
            data = bytes([number, 0x17])
            phone.publish(f"{BASE}/say", json.dumps(request), ResponseTopic="reply/me", CorrelationData=data)
            answer = await answer_to(phone, data)
            for told in (answer, await phone.event(event_type)):
                assert (told["event_type"], told.get("code")) == (event_type, code)
        await until(lambda: phone.latest("quiet_hours") == "ON")


async def answer_to(phone: Phone, data: bytes) -> dict[str, Any]:
    def found() -> list[bytes]:
        answers: list[Any] = [message for message in phone.messages if message.topic == "reply/me"]
        return [answer.payload for answer in answers if answer.properties.CorrelationData == data]

    await until(found, 20)
    return dict(json.loads(found()[0]))


# --- the same text once ------------------------------------------------------------------------------------


async def test_the_same_text_from_the_same_door_is_said_once(config: Config) -> None:
    async with serving(quick(config, queue=QueueConfig(same_text_window_s=60.0))) as service:
        first = await say(service, "The dryer is done.", source="mqtt")
        again = await say(service, " The dryer is done. ", source="mqtt")
        event = await outcome(service, again)
        assert (event.event_type, event.code) == (EventType.SUPERSEDED, "duplicate_text")
        assert (await outcome(service, first)).event_type is EventType.FINISHED
        others: list[dict[str, Any]] = [
            {"source": "http"},
            {"source": "mqtt", "id": "2"},
            {"source": "mqtt", "priority": Priority.IMPORTANT},
            {"source": "mqtt", "text": "The washer is done."},
        ]
        for fields in others:
            # One after the other: what is important would cut in.
            job = await say(service, **{"text": "The dryer is done.", **fields})
            assert (await outcome(service, job)).event_type is EventType.FINISHED
        # What was said counts, what was not does not.
        assert (await outcome(service, await say(service, "The washer is done.", source="mqtt"))).code == (
            "duplicate_text"
        )
        assert (await outcome(service, (await service.repeat())[0].job)).event_type is EventType.FINISHED
        assert (await outcome(service, (await service.repeat())[0].job)).event_type is EventType.FINISHED


async def test_a_text_that_was_not_heard_may_come_again(config: Config) -> None:
    async with serving(quick(config, queue=QueueConfig(same_text_window_s=60.0))) as service:
        service.pause()
        cleared = await say(service, "One.")
        service.clear()
        assert (await outcome(service, cleared)).code == "cancelled"
        late = await say(service, "Two.", ttl_s=0.05)
        assert (await outcome(service, late)).event_type is EventType.EXPIRED
        service.resume()
        for text in ("One.", "Two."):
            assert (await outcome(service, await say(service, text))).event_type is EventType.FINISHED


async def test_by_default_every_text_is_said(config: Config) -> None:
    async with serving(quick(config)) as service:
        jobs = [await say(service, "Again.") for _ in range(3)]
        assert {(await outcome(service, job)).event_type for job in jobs} == {EventType.FINISHED}


def waiting(number: int, text: str) -> Job:
    return new_job(str(number), SpeakRequest(text, source="mqtt"), None, time.monotonic(), 60.0, 0.0)


async def test_texts_that_are_remembered() -> None:
    texts = SameTexts(60.0)
    for number in range(REMEMBERED_TEXTS + 10):
        texts.remember(waiting(number, f"Text {number}."))
    assert len(texts) == REMEMBERED_TEXTS
    assert not texts.is_repeated(waiting(-1, "Text 9."))
    assert texts.is_repeated(waiting(-1, "Text 10."))


# --- once more ---------------------------------------------------------------------------------------------


async def test_the_last_ones_are_repeated_in_their_order(config: Config) -> None:
    async with opened_http(quick(config)) as house:
        assert await house.code("POST", "/api/repeat", json={"count": 2}) == (404, "unknown_job")
        for text in ("One.", "Two.", "Three.", "Two."):
            await outcome(house.service, await say(house.service, text, id=None, repeat=2))
        assert await said_again(house, {"count": 3}) == ["One.", "Three.", "Two."]
        # What was repeated is no other announcement.
        assert await said_again(house, {"count": 2}) == ["Three.", "Two."]
        assert await said_again(house, {}) == ["Two."]
        assert await house.code("POST", "/api/repeat", json={"count": 11}) == (400, "bad_request")


async def said_again(house: House, body: dict[str, Any]) -> list[str]:
    status, answer = await house.json("POST", "/api/repeat", json=body)
    assert status == 200
    assert answer["job"] == answer["jobs"][-1]
    return [(await outcome(house.service, job)).text for job in answer["jobs"]]


@pytest.mark.parametrize("priority", Priority)
async def test_none_of_several_repeated_ends_another(config: Config, priority: Priority) -> None:
    """Of three texts only the last one was heard again."""
    async with opened_http(quick(config)) as house:
        for text in ("One.", "Two.", "Three."):
            await outcome(house.service, await say(house.service, text, priority=priority))
        for _ in range(2):
            jobs = [receipt.job for receipt in await house.service.repeat(3)]
            events = [await outcome(house.service, job) for job in jobs]
            assert [(event.text, event.event_type) for event in events] == [
                (text, EventType.FINISHED) for text in ("One.", "Two.", "Three.")
            ]


async def test_nothing_to_repeat(config: Config) -> None:
    async with serving(config) as service:
        with pytest.raises(UnknownJobError):
            await service.repeat(3)


async def test_what_can_be_repeated(config: Config) -> None:
    async with serving(quick(config)) as service:
        await outcome(service, (await service.chime(SpeakRequest("bell"))).job)
        assert [request.text for request, _ in service._announcer.spoken] == ["bell"]
        for number in range(MAX_REPEATED + 2):
            await outcome(service, await say(service, f"{number}!"))
        # A sound is kept only while it is the last: it is large.
        spoken = list(service._announcer.spoken)
        texts = [f"{number}!" for number in range(2, MAX_REPEATED + 2)]
        assert [request.text for request, _ in spoken] == texts
        assert {sound for _, sound in spoken} == {None}


# --- volumes -----------------------------------------------------------------------------------------------


@pytest.fixture
def sink() -> Iterator[FakeSink]:
    sink = FakeSink(22050)
    sink.gate = threading.Event()
    yield sink
    sink.gate.set()


@asynccontextmanager
async def with_sink(config: Config, sink: FakeSink) -> AsyncIterator[Service]:
    metrics = Metrics()
    with one_thread("playback", 10.0) as thread:
        player = Player(config.audio, sink, metrics, thread)
        async with (
            open_renderer(lambda: build_synthesizer(config, metrics)) as renderer,
            open_service(config, renderer, player, metrics) as service,
        ):
            yield service


@pytest.mark.parametrize("priority", [Priority.MESSAGE, Priority.IMPORTANT])
async def test_a_volume_of_ones_own_ends_with_the_message(
    priority: Priority, config: Config, sink: FakeSink
) -> None:
    """Also if the user turns the volume meanwhile: what was set last is what is heard next."""
    assert sink.gate is not None
    async with with_sink(config, sink) as service:
        service.set_volume(100)
        own = await say(service, LONG, volume=25.0, priority=priority)
        # Its first block is on its way, and stays there.
        assert await asyncio.to_thread(sink.wrote.wait, 10)
        service.set_volume(50)
        sink.gate.set()
        await outcome(service, own)
        n_blocks = len(sink.blocks)
        assert service.state.volume == 50
        await outcome(service, await say(service, LONG))
    peaks = [
        np.abs(np.concatenate(blocks)).max() for blocks in (sink.blocks[:n_blocks], sink.blocks[n_blocks:])
    ]
    assert peaks[0] / peaks[1] == pytest.approx(volume_gain(25) / volume_gain(50), rel=0.02)


async def test_an_important_one_leaves_the_volume_as_it_was(config: Config, sink: FakeSink) -> None:
    assert sink.gate is not None
    sink.gate.set()
    async with with_sink(config, sink) as service:
        service.set_volume(30)
        service.set_muted(True)
        loud = await outcome(service, await say(service, "Fire!", volume=100.0, priority=Priority.IMPORTANT))
        assert loud.event_type is EventType.FINISHED
        n_blocks = len(sink.blocks)
        service.set_muted(False)
        await outcome(service, await say(service, "Fire!"))
        assert service.state.volume == 30
    peaks = [
        np.abs(np.concatenate(blocks)).max() for blocks in (sink.blocks[:n_blocks], sink.blocks[n_blocks:])
    ]
    assert peaks[1] / peaks[0] == pytest.approx(volume_gain(30), rel=0.02)


# --- the lexicon, while the daemon runs --------------------------------------------------------------------


async def test_the_lexicon_and_its_rules_change_while_it_runs(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "lexicon.yaml"
    path.write_text(r"'/(\d+) ?PS\b/': \1 horsepower", encoding="utf-8")
    config = quick(config, text=TextConfig(lexicon=path))
    async with opened_http(config) as house:
        assert await normalized(house, "It has 90 PS.") == "It has ninety horsepower."
        path.write_text("'/(/': broken\nPS: never", encoding="utf-8")
        assert await normalized(house, "It has 90 PS.") == "It has ninety horsepower."
        await until(lambda: "lexicon_broken" in problems(house.service))
        assert "missing )" in problems(house.service)["lexicon_broken"]
        assert "stays in force" in problems(house.service)["lexicon_broken"]
        path.write_text("PS: ponies, all of them", encoding="utf-8")
        assert await normalized(house, "It has 90 PS.") == "It has ninety ponies, all of them."
        await until(lambda: "lexicon_broken" not in problems(house.service))


async def normalized(house: House, text: str) -> str:
    status, explanation = await house.json("POST", "/api/explain", json={"text": text})
    assert status == 200
    return str(explanation["normalized"])


async def test_a_lexicon_that_was_broken_before_the_start_is_told(config: Config, tmp_path: Path) -> None:
    async with serving(quick(config, text=TextConfig(lexicon=tmp_path / "none.yaml"))) as service:
        assert "cannot be read" in problems(service)["lexicon_broken"]
        assert await service.explain(SpeakRequest("Hello."))
