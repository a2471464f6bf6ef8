"""The service with the real pipeline (the hum), the real player and the null sink."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_tts.app import build_synthesizer
from edge_tts.config import Config, JournalConfig, QueueConfig, StateConfig
from edge_tts.errors import (
    KeptForRestartError,
    QueueFullError,
    RequestError,
    ShuttingDownError,
    TextTooLongError,
    UnknownJobError,
    UnknownVoiceError,
)
from edge_tts.metrics import Metrics
from edge_tts.player import open_player
from edge_tts.renderer import open_renderer
from edge_tts.schedule import PREPARE_S
from edge_tts.service import Service, Update, open_service
from edge_tts.speech import EventType, JobEvent, Priority, SpeakRequest
from tests.busy import busy

LONG = "This is a long announcement that nobody in the house will ever want to hear to its end, is it not?"


@asynccontextmanager
async def serving(config: Config) -> AsyncIterator[Service]:
    metrics = Metrics()
    async with (
        open_player(config.audio, metrics) as player,
        open_renderer(lambda: build_synthesizer(config, metrics)) as renderer,
        open_service(config, renderer, player, metrics) as service,
    ):
        service.take_up()
        yield service


@pytest.fixture
async def service(config: Config) -> AsyncIterator[Service]:
    async with serving(config) as service:
        yield service


async def say(service: Service, text: str, **fields: Any) -> str:
    return (await service.submit(SpeakRequest(text, **fields))).job


async def started(service: Service, job: str) -> None:
    async with asyncio.timeout(10):
        while service.job(job).event_type is EventType.QUEUED:
            await asyncio.sleep(0.001)


async def outcome(service: Service, job: str) -> JobEvent:
    async with asyncio.timeout(20):
        return await service.outcome(job)


async def test_an_announcement_is_queued_started_finished(service: Service) -> None:
    with service.updates() as updates:
        job = await say(service, "Hello.", id="a", source="test")
        seen: list[Update] = []
        async for update in updates:
            seen.append(update)
            if isinstance(update, JobEvent) and update.event_type.is_outcome:
                break
    events = [update for update in seen if isinstance(update, JobEvent)]
    assert [event.event_type for event in events] == [EventType.QUEUED, EventType.STARTED, EventType.FINISHED]
    finished = events[-1]
    assert (finished.job, finished.id, finished.source, finished.voice) == (job, "a", "test", "hum")
    assert finished.audio_ms is not None
    assert finished.spoken_ms == pytest.approx(finished.audio_ms, abs=50)
    assert finished.first_audio_ms is not None
    assert finished.rtf is not None
    assert (finished.sentence, finished.n_sentences) == (1, 1)


async def test_the_null_sink_takes_real_time(service: Service) -> None:
    start_s = time.monotonic()
    event = await outcome(service, await say(service, "Hello there."))
    assert event.audio_ms is not None
    assert time.monotonic() - start_s >= event.audio_ms / 1000


async def test_important_interrupts_and_messages_wait(service: Service) -> None:
    long = await say(service, LONG)
    await started(service, long)
    waiting = await say(service, "Waiting.")
    fire = await say(service, "Fire!", priority=Priority.IMPORTANT)
    interrupted = await outcome(service, long)
    assert (interrupted.event_type, interrupted.code) == (EventType.INTERRUPTED, "priority")
    assert interrupted.spoken_ms is not None
    assert interrupted.audio_ms is not None
    assert interrupted.spoken_ms < 5000
    assert (await outcome(service, fire)).event_type is EventType.FINISHED
    assert service.job(waiting).event_type is not EventType.FINISHED
    assert (await outcome(service, waiting)).event_type is EventType.FINISHED


async def test_stop_ends_everything_skip_one_clear_the_rest(service: Service) -> None:
    jobs = [await say(service, LONG) for _ in range(3)]
    await started(service, jobs[0])
    assert service.skip() == 1
    assert (await outcome(service, jobs[0])).code == "cancelled"
    await started(service, jobs[1])
    assert service.clear() == 1
    assert (await outcome(service, jobs[2])).spoken_ms is None
    assert service.stop() == 1
    assert (await outcome(service, jobs[1])).event_type is EventType.INTERRUPTED
    assert service.stop() == 0


async def test_stop_of_one_by_job_or_id(service: Service) -> None:
    first = await say(service, LONG)
    second = await say(service, "Second.", id="two")
    third = await say(service, "Third.")
    await started(service, first)
    assert service.stop("two") == 1
    assert service.stop(third) == 1
    assert service.stop(first) == 1
    events = [await outcome(service, job) for job in (first, second, third)]
    assert {event.event_type for event in events} == {EventType.INTERRUPTED}
    assert service.stop("two") == 0
    with pytest.raises(UnknownJobError):
        service.stop("nobody")


async def test_the_same_id_is_spoken_once_even_at_the_same_moment(service: Service) -> None:
    receipts = await asyncio.gather(*(service.submit(SpeakRequest("Once.", id="x")) for _ in range(5)))
    assert len({receipt.job for receipt in receipts}) == 1
    assert sorted(receipt.is_duplicate for receipt in receipts) == [False, True, True, True, True]
    assert len(service.jobs()) == 1
    await outcome(service, receipts[0].job)
    assert (await service.submit(SpeakRequest("Once.", id="x"))).is_duplicate


async def test_a_refused_id_may_try_again(service: Service) -> None:
    with pytest.raises(UnknownVoiceError):
        await service.submit(SpeakRequest("Hi.", id="x", voice="nobody"))
    assert not (await service.submit(SpeakRequest("Hi.", id="x"))).is_duplicate


async def test_the_dedup_window_ends(config: Config) -> None:
    async with serving(replace(config, queue=QueueConfig(dedup_window_s=0.0))) as service:
        first = await service.submit(SpeakRequest("Hi.", id="x"))
        second = await service.submit(SpeakRequest("Hi.", id="x"))
        assert first.job != second.job
        service.stop()


async def test_replace_supersedes_the_unsaid_one(service: Service) -> None:
    long = await say(service, LONG)
    await started(service, long)
    old = await say(service, "Ten minutes left.", replace="washing")
    new = await say(service, "Done.", replace="washing")
    event = await outcome(service, old)
    assert (event.event_type, event.code) == (EventType.SUPERSEDED, "replaced")
    service.skip()
    assert (await outcome(service, new)).event_type is EventType.FINISHED


async def test_what_waits_too_long_expires_even_in_a_pause(service: Service) -> None:
    service.pause()
    job = await say(service, "Too late.", ttl_s=0.05)
    assert (await outcome(service, job)).event_type is EventType.EXPIRED
    service.resume()


async def test_what_waits_behind_a_long_one_expires_on_time(service: Service) -> None:
    long = await say(service, LONG)
    await started(service, long)
    job = await say(service, "Too late.", ttl_s=0.05)
    assert (await outcome(service, job)).event_type is EventType.EXPIRED
    assert service.job(long).event_type is EventType.STARTED
    service.stop()


async def test_pause_holds_and_resume_goes_on(service: Service) -> None:
    job = await say(service, "Hello there, how are you today?")
    await started(service, job)
    service.pause()
    assert service.state.is_paused
    quiet = await say(service, "Rain.", priority=Priority.NOTIFICATION)
    event = await outcome(service, quiet)
    assert event.event_type is EventType.SUPERSEDED
    service.resume()
    finished = await outcome(service, job)
    assert finished.event_type is EventType.FINISHED
    assert finished.audio_ms is not None
    assert finished.spoken_ms == pytest.approx(finished.audio_ms, abs=50)


async def test_mute_lets_only_the_important_through(service: Service) -> None:
    speaking = await say(service, LONG)
    await started(service, speaking)
    service.set_muted(True)
    event = await outcome(service, speaking)
    assert (event.event_type, event.code) == (EventType.INTERRUPTED, "muted")
    muted = await say(service, "Psst.")
    assert (await outcome(service, muted)).event_type is EventType.MUTED
    fire = await say(service, "Fire!", priority=Priority.IMPORTANT)
    assert (await outcome(service, fire)).event_type is EventType.FINISHED


async def test_repeat_says_the_last_one_again(service: Service) -> None:
    with pytest.raises(UnknownJobError):
        await service.repeat()
    await outcome(service, await say(service, "Again and again.", id="x"))
    again = (await service.repeat())[-1].job
    event = await outcome(service, again)
    assert (event.event_type, event.text) == (EventType.FINISHED, "Again and again.")


async def test_at_starts_at_its_time(service: Service) -> None:
    at = time.time() + 0.5
    job = await say(service, "Now.", at=at)
    assert service.job(job).event_type is EventType.QUEUED
    await started(service, job)
    assert at - 0.05 <= time.time() < at + 10
    later = await say(service, "Never.", at=time.time() + 3600)
    assert service.stop(later) == 1
    assert (await outcome(service, later)).code == "cancelled"


async def test_limits_are_errors_the_caller_sees(config: Config) -> None:
    async with serving(replace(config, queue=QueueConfig(max_jobs=1, max_text_characters=120))) as service:
        with pytest.raises(TextTooLongError, match="121 characters; the limit is 120"):
            await service.submit(SpeakRequest("x" * 121))
        speaking = await say(service, LONG)
        await started(service, speaking)
        await say(service, "One.")
        with pytest.raises(QueueFullError, match="1 requests are waiting"):
            await say(service, "Two.")
        service.stop()


async def test_what_the_user_set_survives_a_restart(config: Config) -> None:
    async with serving(config) as service:
        service.set_volume(33)
        service.set_muted(True)
        service.set_speed(1.5)
        with pytest.raises(RequestError, match="0 to 100, not 101"):
            service.set_volume(101)
        with pytest.raises(UnknownVoiceError):
            service.set_voice("nobody")
    async with serving(config) as service:
        assert (service.state.volume, service.state.is_muted, service.state.speed) == (33, True, 1.5)


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[1]",
        '{"volume": "loud"}',
        '{"volume": Infinity, "is_muted": false, "speed": 1, "voice": ""}',
    ],
)
async def test_a_damaged_state_file_is_a_fresh_start(damage: str, config: Config) -> None:
    config.state.folder.mkdir(parents=True)
    (config.state.folder / "state.json").write_text(damage)
    async with serving(config) as service:
        assert service.state.volume == config.audio.volume


async def test_a_state_folder_that_cannot_be_written_is_a_problem_not_an_end(
    config: Config, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    async with serving(replace(config, state=StateConfig(dir=tmp_path / "file" / "below"))) as service:
        service.set_volume(10)
        assert service.state.volume == 10
        assert [problem["code"] for problem in service.health()["problems"]] == [
            "journal_unavailable",
            "state_not_kept",
        ]


async def test_a_stream_ends_when_its_listener_leaves(service: Service) -> None:
    async with aclosing(service.stream(SpeakRequest(LONG))) as pieces:
        async for piece in pieces:
            assert piece.audio.duration_s > 0
            break
    async with aclosing(service.stream(SpeakRequest("Hello."))) as pieces:
        assert sum([piece.audio.duration_s async for piece in pieces]) > 0


async def test_ended_jobs_are_forgotten_beyond_the_history(config: Config) -> None:
    async with serving(replace(config, queue=QueueConfig(history=2))) as service:
        for _ in range(5):
            job = await say(service, "A.")
            service.stop()
            await outcome(service, job)
        await say(service, "B.")
        assert len(service.jobs()) <= 4
        service.stop()


async def test_leaving_ends_what_is_said_with_an_outcome(config: Config) -> None:
    async with serving(config) as service:
        job = await say(service, LONG)
        await started(service, job)
    assert service.job(job).event_type is EventType.INTERRUPTED


async def test_warnings_reach_the_outcome(service: Service) -> None:
    job = await say(service, "Hello.", style="like a pirate", chime="ding")
    warnings = (await outcome(service, job)).warnings
    assert set(warnings) == {"unsupported_control:style", "unknown_chime:ding"}


async def test_a_hanging_door_is_seen(service: Service) -> None:
    assert service.health()["is_live"]
    service.checks.append(lambda: "mqtt")
    assert service.stuck() == "mqtt"
    assert not service.health()["is_live"]


def busy_synth(service: Service) -> AbstractAsyncContextManager[None]:
    """The synth thread does something else inside the block, as loading a voice."""
    return busy(service._renderer.call)


async def test_a_stop_while_it_is_prepared_is_a_stop(service: Service) -> None:
    job = await say(service, LONG)
    # Taken from the queue at once, it waits for the synth thread to read its chime.
    async with busy_synth(service):
        async with asyncio.timeout(5):
            while not service.state.is_speaking:
                await asyncio.sleep(0)
        assert service.stop() == 1
    event = await outcome(service, job)
    assert (event.event_type, event.code) == (EventType.INTERRUPTED, "cancelled")
    assert (await outcome(service, await say(service, "Next."))).event_type is EventType.FINISHED


async def test_mute_ends_what_waits(service: Service) -> None:
    speaking = await say(service, LONG)
    await started(service, speaking)
    waiting = await say(service, "Waiting.")
    service.set_muted(True)
    assert (await outcome(service, waiting)).event_type is EventType.MUTED


async def test_leaving_while_the_synth_thread_is_busy_tells_who_waits(config: Config) -> None:
    async with serving(config) as service:
        job = await say(service, LONG)
        release = threading.Event()
        busy = asyncio.create_task(service._renderer.call(release.wait, 3))
        await asyncio.sleep(0)
    release.set()
    await busy
    with pytest.raises(KeptForRestartError):
        await service.outcome(job)


async def test_stopping_takes_no_more(service: Service) -> None:
    await service.wind_down()
    with pytest.raises(ShuttingDownError):
        await say(service, "Too late.")


async def test_ended_jobs_keep_no_timer_however_long_their_ttl(service: Service) -> None:
    job = await say(service, "A.", ttl_s=1e6)
    service.stop()
    await outcome(service, job)
    assert service._dispatcher.find(job).expiry is None


async def test_what_gives_way_before_its_time_is_said_after(service: Service) -> None:
    """It has its turn before its time, and was lost to a doorbell in these seconds of silence."""
    early = await say(service, "Early.", at=time.time() + PREPARE_S + 1.0)
    async with asyncio.timeout(10):
        while not service.state.is_speaking:
            await asyncio.sleep(0.001)
    bell = await say(service, "The door.", priority=Priority.IMPORTANT)
    assert (await outcome(service, bell)).event_type is EventType.FINISHED
    assert (await outcome(service, early)).event_type is EventType.FINISHED


async def test_what_gives_way_and_is_stopped_then_is_not_said_after(service: Service) -> None:
    early = await say(service, "Early.", at=time.time() + PREPARE_S + 1.0)
    async with asyncio.timeout(10):
        while not service.state.is_speaking:
            await asyncio.sleep(0.001)
    # No turn of the loop in between: it has not given way yet.
    await say(service, "The door.", priority=Priority.IMPORTANT)
    assert service.stop() == 2
    event = await outcome(service, early)
    assert (event.event_type, event.code) == (EventType.INTERRUPTED, "cancelled")


@pytest.mark.parametrize("priority", [Priority.MESSAGE, Priority.IMPORTANT])
async def test_what_has_its_turn_and_was_not_heard_is_replaced(service: Service, priority: Priority) -> None:
    """Both were said: the old one's event was still `queued`, and its time not yet come."""
    old = await say(service, "Old.", replace="k", at=time.time() + PREPARE_S + 1.0)
    async with asyncio.timeout(10):
        while not service.state.is_speaking:
            await asyncio.sleep(0.001)
    new = await say(service, "New.", replace="k", priority=priority)
    event = await outcome(service, old)
    assert (event.event_type, event.code) == (EventType.SUPERSEDED, "replaced")
    assert (await outcome(service, new)).event_type is EventType.FINISHED


async def test_what_waits_for_the_synth_thread_is_still_heard_at_its_time(service: Service) -> None:
    """It was late by as long as it had waited there, as for a piece of a slow voice."""
    at_s = time.time() + 3600.0
    async with busy_synth(service):
        saying = asyncio.create_task(say(service, "Now.", at=at_s))
        await asyncio.wait({saying}, timeout=1.0)
    assert await saying
    (scheduled,) = service._dispatcher._scheduled._scheduled.values()
    turn_s = scheduled.due_s - time.monotonic()
    assert turn_s == pytest.approx(at_s - time.time() - PREPARE_S, abs=0.5)


async def test_replace_also_takes_out_what_is_scheduled(service: Service) -> None:
    old = await say(service, "Old.", replace="k", at=time.time() + 3600)
    await say(service, "New.", replace="k")
    assert (await outcome(service, old)).code == "replaced"


async def test_too_many_scheduled_ones_are_refused(config: Config) -> None:
    async with serving(replace(config, queue=QueueConfig(max_jobs=1))) as service:
        await say(service, "Later.", at=time.time() + 3600)
        with pytest.raises(QueueFullError, match="1 requests"):
            await say(service, "Also later.", at=time.time() + 3600)
        # What is planned for tomorrow kept everything out, even what is important.
        assert (await outcome(service, await say(service, "Now."))).event_type is EventType.FINISHED


async def test_whose_caller_hangs_up_may_be_asked_again_by_another(service: Service) -> None:
    async with busy_synth(service):
        first, second = (
            asyncio.create_task(service.submit(SpeakRequest("Water!", id="x"))) for _ in range(2)
        )
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait({first})
    assert (await outcome(service, (await second).job)).event_type is EventType.FINISHED


async def test_a_kept_voice_that_is_gone_yields_to_the_configured_one(config: Config) -> None:
    config.state.folder.mkdir(parents=True)
    kept = {"volume": 50, "is_muted": False, "speed": 1.0, "voice": "gone", "configured_voice": "hum"}
    (config.state.folder / "state.json").write_text(json.dumps(kept))
    async with serving(config) as service:
        assert service.state.voice == "hum"
        assert service.state.volume == 50


async def test_callers_of_sound_leave_room_for_announcements(config: Config) -> None:
    """However many there are, they have one place in front of the synth thread between them."""
    # Without a journal: while the alarm waits for a slow disk, the synth thread serves all of them.
    async with serving(replace(config, journal=JournalConfig(enabled=False))) as service:
        async with busy_synth(service):
            streams = [service.stream(SpeakRequest(f"{LONG} {number}")) for number in range(20)]
            firsts = [asyncio.ensure_future(anext(stream)) for stream in streams]
            await asyncio.sleep(0.01)
            saying = asyncio.create_task(say(service, "Fire!", priority=Priority.IMPORTANT))
            await asyncio.sleep(0.01)
        await started(service, await saying)
        n_served = sum(first.done() for first in firsts)
        await asyncio.gather(*firsts)
        for stream in streams:
            await stream.aclose()
        assert n_served < 10


async def test_an_alarm_does_not_wait_for_the_plans_of_a_crowd(config: Config) -> None:
    # Without a journal: on a slow disk all of them share the alarm's commit.
    async with serving(replace(config, journal=JournalConfig(enabled=False))) as service:
        async with busy_synth(service):
            crowd = [asyncio.create_task(say(service, f"{LONG} {number}")) for number in range(20)]
            await asyncio.sleep(0.01)
            alarm = asyncio.create_task(say(service, "Fire!", priority=Priority.IMPORTANT))
            await asyncio.sleep(0.01)
        await alarm
        n_planned = sum(task.done() for task in crowd)
        await asyncio.gather(*crowd)
        service.stop()
        assert n_planned < 10


async def test_what_waits_for_its_plan_is_refused_when_the_queue_has_filled(config: Config) -> None:
    async with serving(replace(config, queue=QueueConfig(max_jobs=4))) as service:
        service.pause()
        async with busy_synth(service):
            crowd = [asyncio.create_task(say(service, LONG)) for _ in range(20)]
            await asyncio.sleep(0.01)
        answers = await asyncio.gather(*crowd, return_exceptions=True)
    accepted = [answer for answer in answers if isinstance(answer, str)]
    assert len(accepted) == 4
    assert {type(answer) for answer in answers} == {str, QueueFullError}


async def test_a_replacement_is_taken_by_a_full_queue(config: Config) -> None:
    """It was refused, as room was asked for before it was known that it needs none."""
    async with serving(replace(config, queue=QueueConfig(max_jobs=1))) as service:
        service.pause()
        old = await say(service, "Old.", replace="key")
        text = await say(service, "Old, too.", replace="key", priority=Priority.TEXT)
        message = await say(service, "New.")
        for job in (old, text):
            assert (await outcome(service, job)).event_type is EventType.SUPERSEDED
        later = time.time() + 3600.0
        scheduled = await say(service, "Later.", at=later, replace="later", priority=Priority.IMPORTANT)
        await say(service, "Later, too.", at=later, replace="later", priority=Priority.IMPORTANT)
        assert (await outcome(service, scheduled)).code == "replaced"
        assert service.job(message).event_type is EventType.QUEUED


async def test_repeat_takes_nobodys_place(service: Service) -> None:
    await outcome(service, await say(service, "Old.", replace="key"))
    service.pause()
    newer = await say(service, "New.", replace="key")
    await service.repeat()
    assert service.job(newer).event_type is EventType.QUEUED


async def test_the_outcome_of_a_stop_does_not_wait_for_the_synth_thread(service: Service) -> None:
    """The daemon's end did not either, and so nobody was told."""
    job = await say(service, LONG)
    await started(service, job)
    release = threading.Event()
    busy = asyncio.create_task(service._renderer.call(release.wait, 10))
    await asyncio.sleep(0)
    service.stop()
    event = await asyncio.wait_for(service.outcome(job), 5)
    assert not release.is_set()
    release.set()
    await busy
    assert event.event_type is EventType.INTERRUPTED
