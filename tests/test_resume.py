"""What the service makes of what an earlier run left in the journal."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from edge_tts.config import Config, JournalConfig, QueueConfig
from edge_tts.errors import KeptForRestartError, QueueFullError
from edge_tts.journal import open_journal
from edge_tts.schedule import PREPARE_S
from edge_tts.speech import EventType, Priority, SpeakRequest
from tests.doors_house import until
from tests.fake_broker import (
    ACCEPTED_5,
    CONNECT,
    SUBSCRIBE,
    count_topics,
    listening,
    packet,
    publish_5,
    read_packet,
)
from tests.phone import BASE, at, ignored, opened
from tests.test_journal import busy_disk
from tests.test_service import LONG, outcome, say, serving, started

PUBACK = 4


async def leave(config: Config, *requests: SpeakRequest, begun: Sequence[int] = (), **fields: Any) -> None:
    """As a daemon that was killed: *requests* in the journal as job 0, 1, …, those of *begun* cut in speech."""
    async with open_journal(config) as journal:
        for number, request in enumerate(requests):
            ttl_s = 300.0 if request.ttl_s is None else request.ttl_s
            await journal.accept(f"old-{number}", request, ttl_s, fields.get("mark"))
        for number in begun:
            journal.begin(f"old-{number}")
            journal.progress(f"old-{number}", fields.get("sentence", 0))


async def test_what_waited_is_spoken_by_priority_and_age_under_its_name(config: Config) -> None:
    texts = ["One.", "Two.", "Fire!", "Three."]
    priorities = [Priority.MESSAGE, Priority.MESSAGE, Priority.IMPORTANT, Priority.MESSAGE]
    requests = [SpeakRequest(text, priority=each) for text, each in zip(texts, priorities, strict=True)]
    await leave(config, *requests)
    order = []
    async with serving(config) as service:
        for job in ("old-2", "old-0", "old-1", "old-3"):
            event = await outcome(service, job)
            assert (event.event_type, event.warnings) == (EventType.FINISHED, ("resumed",))
            order.append([each.event_type for each in service.jobs()].count(EventType.FINISHED))
    assert order == [1, 2, 3, 4]
    async with serving(config) as service:
        assert service.jobs() == []


async def test_a_full_queue_comes_back_whole(config: Config) -> None:
    # One more than may wait, as one of them was speaking.
    await leave(config, *(SpeakRequest(f"Number {number}.") for number in range(4)), begun=[0])
    async with serving(replace(config, queue=QueueConfig(max_jobs=3))) as service:
        for number in range(4):
            assert (await outcome(service, f"old-{number}")).event_type is EventType.FINISHED


async def test_it_goes_on_with_the_sentence_at_which_it_was_cut(config: Config) -> None:
    text = "This is the first sentence of all. This is the second one. And this is the third."
    await leave(config, SpeakRequest(text), begun=[0], sentence=2)
    async with serving(config) as service:
        whole = await outcome(service, await say(service, text))
        rest = await outcome(service, "old-0")
        last = await outcome(service, await say(service, "And this is the third."))
    assert (rest.event_type, rest.sentence, rest.n_sentences) == (EventType.FINISHED, 3, 3)
    assert rest.audio_ms == last.audio_ms
    assert rest.audio_ms is not None
    assert whole.audio_ms is not None
    assert rest.audio_ms < whole.audio_ms / 2


async def test_the_sentence_being_spoken_is_in_the_journal(config: Config) -> None:
    async with serving(config) as service:
        job = await say(service, "First. Second. " + LONG)
        await until(lambda: service.job(job).sentence == 3)
        [entry] = service._journal.entries
        assert (entry.sentence, entry.attempts) == (2, 1)
        service.stop()


async def test_what_two_crashes_cut_is_poison(config: Config) -> None:
    await leave(config, SpeakRequest("Cut once."), SpeakRequest("Cut twice."), begun=[0, 1, 1])
    async with serving(config) as service:
        event = await outcome(service, "old-1")
        assert (event.event_type, event.code) == (EventType.FAILED, "poison")
        assert (await outcome(service, "old-0")).event_type is EventType.FINISHED
    async with serving(config) as service:
        assert service.jobs() == []


async def test_what_cannot_be_spoken_any_more_says_why(config: Config) -> None:
    await leave(
        config, SpeakRequest("x", voice="gone"), SpeakRequest("Late.", ttl_s=0.0), SpeakRequest("Next.")
    )
    async with serving(config) as service:
        events = [await outcome(service, f"old-{number}") for number in range(3)]
    assert [event.code for event in events] == ["unknown_voice", "expired", None]


async def test_mute_holds_over_a_restart(config: Config) -> None:
    async with serving(config) as service:
        service.set_muted(True)
    await leave(config, SpeakRequest("Psst."), SpeakRequest("Fire!", priority=Priority.IMPORTANT))
    async with serving(config) as service:
        assert (await outcome(service, "old-0")).event_type is EventType.MUTED
        assert (await outcome(service, "old-1")).event_type is EventType.FINISHED


async def test_what_was_for_later_is_still_for_later(config: Config) -> None:
    at_s = time.time() + 1.0
    await leave(config, SpeakRequest("Tomorrow.", at=time.time() + 86400.0), SpeakRequest("Soon.", at=at_s))
    async with serving(config) as service:
        await started(service, "old-1")
        # A moment early is punctual.
        assert time.time() >= at_s - 0.05
        assert service.job("old-0").event_type is EventType.QUEUED
        assert service.stop("old-0") == 1


async def test_ids_are_remembered_and_names_not_used_again(config: Config) -> None:
    async with serving(config) as service:
        first = await service.submit(SpeakRequest("Once.", id="x"))
        await outcome(service, first.job)
    async with serving(config) as service:
        again = await service.submit(SpeakRequest("Once.", id="x"))
        assert (again.job, again.is_duplicate) == (first.job, True)
        other = await service.submit(SpeakRequest("Other."))
        assert other.job.partition("-")[0] != first.job.partition("-")[0]


async def test_a_stop_keeps_what_waits_and_tells_who_waits(config: Config) -> None:
    async with serving(config) as service:
        speaking = await say(service, LONG)
        await started(service, speaking)
        waiting = await say(service, "Later.")
        scheduled = await say(service, "Tomorrow.", at=time.time() + 86400.0)
        await service.wind_down()
        assert (await outcome(service, speaking)).event_type is EventType.INTERRUPTED
        for job in (waiting, scheduled):
            with pytest.raises(KeptForRestartError, match=f"{job} is kept"):
                await service.outcome(job)
    async with serving(config) as service:
        assert [event.job for event in service.jobs()] == [waiting, scheduled]
        assert (await outcome(service, waiting)).event_type is EventType.FINISHED


async def test_a_stop_keeps_what_has_its_turn_and_was_not_heard(config: Config) -> None:
    """The alarm of seven o'clock was lost to a restart two seconds before."""
    async with serving(config) as service:
        alarm = await say(service, "Seven.", at=time.time() + PREPARE_S + 1.0)
        await until(lambda: service.state.is_speaking)
        await service.wind_down()
        with pytest.raises(KeptForRestartError):
            await service.outcome(alarm)
    async with serving(config) as service:
        (entry,) = service._journal.entries
        assert entry.attempts == 0  # a stop is no crash
        assert (await outcome(service, alarm)).event_type is EventType.FINISHED


async def test_what_was_stopped_before_the_daemon_is_not_kept(config: Config) -> None:
    async with serving(config) as service:
        alarm = await say(service, "Seven.", at=time.time() + PREPARE_S + 1.0)
        await until(lambda: service.state.is_speaking)
        assert service.stop() == 1
        await service.wind_down()
        assert (await outcome(service, alarm)).event_type is EventType.INTERRUPTED


async def test_without_a_journal_a_stop_ends_what_waits(config: Config) -> None:
    async with serving(replace(config, journal=JournalConfig(enabled=False))) as service:
        service.pause()
        waiting = await say(service, "Later.")
        await service.wind_down()
        assert (await outcome(service, waiting)).event_type is EventType.INTERRUPTED


async def test_who_was_refused_is_not_in_the_journal(config: Config) -> None:
    async with serving(replace(config, queue=QueueConfig(max_jobs=1))) as service:
        service.pause()
        await say(service, "One.")
        with pytest.raises(Exception, match="1 requests"):
            await say(service, "Two.")
        assert len(service._journal.entries) == 1


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_who_was_refused_may_try_again_after_a_restart(config: Config, is_cancelled: bool) -> None:
    """The queue filled, or its caller hung up, while it was on its way to the disk; its id stayed in the journal."""
    async with serving(replace(config, queue=QueueConfig(max_jobs=1))) as service:
        service.pause()
        async with busy_disk(service._journal):
            first, second = (
                asyncio.create_task(service.submit(SpeakRequest(f"This is {name}.", id=name), mark=name))
                for name in "ab"
            )
            await until(lambda: len(service._journal.entries) == 2)
            if is_cancelled:
                second.cancel()
        await first
        with pytest.raises(asyncio.CancelledError if is_cancelled else QueueFullError):
            await second
    async with serving(config) as service:
        assert service.was_accepted("a")
        assert not service.was_accepted("b")
        again = await service.submit(SpeakRequest("This is b.", id="b"))
        assert not again.is_duplicate
        assert (await outcome(service, again.job)).event_type is EventType.FINISHED


async def test_what_an_earlier_run_left_is_begun_when_that_is_in_the_journal(config: Config) -> None:
    """A text that ends the daemon at once was not counted, and ended it for ever."""
    await leave(config, SpeakRequest("Once more.", at=time.time() + 0.3), begun=[0])
    async with serving(config) as service:
        async with busy_disk(service._journal):
            await until(lambda: service.state.is_speaking)
            # In its turn on the synth thread.
            await service.explain(SpeakRequest("Another one."))
            assert service.job("old-0").voice is None
        assert (await outcome(service, "old-0")).event_type is EventType.FINISHED


async def test_who_is_refused_replaces_nothing(config: Config) -> None:
    """The queue fills while both are on their way to the disk."""
    async with serving(replace(config, queue=QueueConfig(max_jobs=1))) as service:
        service.pause()
        scheduled = await say(service, "Later.", at=time.time() + 3600.0, replace="key")
        async with busy_disk(service._journal):
            submitting = [
                asyncio.create_task(say(service, "One.")),
                asyncio.create_task(say(service, "2", replace="key")),
            ]
            await until(lambda: len(service._journal.entries) == 3)
        with pytest.raises(QueueFullError):
            await asyncio.gather(*submitting)
        assert service.job(scheduled).event_type is EventType.QUEUED


# MQTT


class Deliverer:
    """A broker of MQTT 5 that sends *packets* to who subscribes and notes what is acknowledged."""

    def __init__(self, *packets: bytes) -> None:
        self._packets = packets
        self.acknowledged: list[int] = []

    async def serve(self, reader: Any, writer: Any) -> None:
        while True:
            kind, body = await read_packet(reader)
            if kind == CONNECT:
                writer.write(ACCEPTED_5)
            elif kind == SUBSCRIBE:
                writer.write(packet(0x90, body[:2] + b"\0" + b"\1" * count_topics(body[3:])))
                writer.write(b"".join(self._packets))
            elif kind == PUBACK:
                self.acknowledged.append(int.from_bytes(body[:2], "big"))


SAY = f"{BASE}/say".encode()


async def test_the_broker_is_told_when_it_is_on_the_disk_and_in_order(config: Config) -> None:
    retained = (
        bytes([publish_5(SAY, b"Old.", message_id=4)[0] | 1]) + publish_5(SAY, b"Old.", message_id=4)[1:]
    )
    broker = Deliverer(
        publish_5(SAY, b"One.", message_id=1),
        publish_5(SAY, b"\xff", message_id=2),
        publish_5(SAY, b"One.", message_id=1, is_dup=True),
        retained,
        publish_5(SAY, b"Two.", message_id=5),
    )
    async with listening(broker.serve) as port, opened(at(config, port)) as service:
        async with busy_disk(service._journal):
            await until(lambda: ignored(service, "retained") == 1)
            assert broker.acknowledged == []
        await until(lambda: len(broker.acknowledged) == 5)
        assert broker.acknowledged == [1, 2, 1, 4, 5]


async def test_what_is_sent_again_after_a_restart_is_spoken_once(config: Config) -> None:
    """Killed when it was on the disk, before the broker knew."""
    for text in (b"Once.", json.dumps({"text": "With an id.", "id": "x"}).encode()):
        broker = Deliverer(publish_5(SAY, text, message_id=1))
        async with listening(broker.serve) as port, opened(at(config, port)) as service:
            await until(lambda broker=broker: broker.acknowledged)  # type: ignore[misc]
            [job] = service.jobs()
            await outcome(service, job.job)
        broker = Deliverer(publish_5(SAY, text, message_id=1, is_dup=True))
        async with listening(broker.serve) as port, opened(at(config, port)) as service:
            await until(lambda broker=broker: broker.acknowledged)  # type: ignore[misc]
            assert ignored(service, "duplicate") == 1
            assert service.jobs() == []
