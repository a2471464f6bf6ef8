"""The queue against speech-dispatcher's rules (doc/ssip.texi), one table for all pairs of priorities."""

from __future__ import annotations

import pytest

from edge_tts.errors import QueueFullError
from edge_tts.jobs import ORDER, Job, JobQueue
from edge_tts.speech import EventType, JobEvent, Priority, SpeakRequest
from edge_tts.synthesizer import Plan

IMPORTANT, MESSAGE, TEXT, NOTIFICATION, PROGRESS = ORDER

# What a new message does to one that speaks, and to one that waits, by (new, old). "stays" is the default.
SPEAKING = {
    IMPORTANT: {MESSAGE: "ends", TEXT: "ends", NOTIFICATION: "ends", PROGRESS: "ends"},
    MESSAGE: {TEXT: "ends", NOTIFICATION: "ends", PROGRESS: "ends"},
    TEXT: {TEXT: "ends", NOTIFICATION: "ends", PROGRESS: "ends"},
    NOTIFICATION: {
        IMPORTANT: "refuses", MESSAGE: "refuses", TEXT: "refuses", NOTIFICATION: "ends", PROGRESS: "refuses",
    },
    PROGRESS: dict.fromkeys(ORDER, "holds"),
}  # fmt: skip
WAITING = SPEAKING | {IMPORTANT: {NOTIFICATION: "ends", PROGRESS: "ends"}}


def job(name: str, priority: Priority = MESSAGE, *, replace: str | None = None, source: str = "test") -> Job:
    request = SpeakRequest(name, priority=priority, replace=replace, source=source)
    event = JobEvent(EventType.QUEUED, name, None, name, "test", priority=priority)
    return Job(name, request, Plan("hum", (), ()), 0.0, 300.0, priority, event)


def spoken_order(queue: JobQueue) -> list[str]:
    names = []
    while (speaking := queue.next()) is not None:
        names.append(speaking.name)
        queue.done()
    return names


@pytest.mark.parametrize("old", ORDER)
@pytest.mark.parametrize("new", ORDER)
async def test_a_new_message_meets_one_that_speaks(new: Priority, old: Priority) -> None:
    queue = JobQueue(10)
    queue.arrive(job("old", old))
    assert queue.next() is not None
    endings = queue.arrive(job("new", new))
    expected = SPEAKING[new].get(old, "stays")
    ended = [(ending.job.name, ending.event_type) for ending in endings]
    assert (
        ended
        == {
            "ends": [("old", EventType.INTERRUPTED)],
            "refuses": [("new", EventType.SUPERSEDED)],
            "holds": [],
            "stays": [],
        }[expected]
    )
    assert (queue.held_progress is not None) == (expected == "holds")


@pytest.mark.parametrize("old", ORDER)
@pytest.mark.parametrize("new", ORDER)
async def test_a_new_message_meets_one_that_waits(new: Priority, old: Priority) -> None:
    queue = JobQueue(10)
    queue.arrive(job("old", old))
    endings = queue.arrive(job("new", new))
    expected = WAITING[new].get(old, "stays")
    ended = [(ending.job.name, ending.event_type) for ending in endings]
    assert (
        ended
        == {
            "ends": [("old", EventType.SUPERSEDED)],
            "refuses": [("new", EventType.SUPERSEDED)],
            "holds": [],
            "stays": [],
        }[expected]
    )


async def test_the_urgent_speak_first_and_equals_in_order() -> None:
    queue = JobQueue(10)
    for name, priority in [
        ("m1", MESSAGE),
        ("t", TEXT),
        ("i1", IMPORTANT),
        ("m2", MESSAGE),
        ("i2", IMPORTANT),
    ]:
        queue.arrive(job(name, priority))
    # m2 came after t and cancelled it.
    assert spoken_order(queue) == ["i1", "i2", "m1", "m2"]


async def test_who_has_ended_ends_nobody_and_is_ended_by_nobody() -> None:
    """Its voice may be busy for seconds after the last sound."""
    queue = JobQueue(10)
    for ended, then in ((MESSAGE, NOTIFICATION), (TEXT, IMPORTANT)):
        queue.arrive(job("heard", ended))
        speaking = queue.next()
        assert speaking is not None
        speaking.end(EventType.FINISHED)
        assert queue.arrive(job("now", then)) == []
        queue.done()
        queue.next()
        queue.done()


async def test_the_last_of_a_series_of_progress_is_heard() -> None:
    queue = JobQueue(10)
    queue.arrive(job("10 %", PROGRESS))
    queue.next()
    assert queue.arrive(job("50 %", PROGRESS)) == []
    (ending,) = queue.arrive(job("100 %", PROGRESS))
    assert (ending.job.name, ending.event_type) == ("50 %", EventType.SUPERSEDED)
    queue.done()
    last = queue.next()
    assert last is not None
    assert (last.name, last.priority) == ("100 %", MESSAGE)


async def test_replace_takes_out_the_unsaid_one_whatever_its_priority() -> None:
    queue = JobQueue(10)
    queue.arrive(job("washing: 10 minutes left", replace="washing"))
    queue.arrive(job("other"))
    endings = queue.arrive(job("washing: done", IMPORTANT, replace="washing"))
    assert [(ending.job.name, ending.code) for ending in endings] == [
        ("washing: 10 minutes left", "replaced")
    ]
    assert spoken_order(queue) == ["washing: done", "other"]


async def test_a_full_queue_refuses_but_not_the_important() -> None:
    queue = JobQueue(2)
    queue.arrive(job("1"))
    queue.arrive(job("2"))
    with pytest.raises(QueueFullError, match="2 requests are waiting"):
        queue.arrive(job("3"))
    queue.arrive(job("fire", IMPORTANT))
    assert spoken_order(queue) == ["fire", "1", "2"]


async def test_a_replacement_fits_into_a_full_queue() -> None:
    queue = JobQueue(1)
    queue.arrive(job("old", replace="k"))
    queue.arrive(job("new", replace="k"))
    assert spoken_order(queue) == ["new"]


async def test_clear_takes_everything_that_waits() -> None:
    queue = JobQueue(10)
    queue.arrive(job("speaking"))
    queue.next()
    queue.arrive(job("waiting"))
    queue.arrive(job("held", PROGRESS))
    assert {cleared.name for cleared in queue.clear()} == {"waiting", "held"}
    assert len(queue) == 0
    assert queue.speaking is not None


async def test_a_door_that_fills_the_queue_leaves_a_quarter_to_each_other() -> None:
    queue = JobQueue(8)
    for number in range(8):
        queue.arrive(job(f"mqtt {number}", source="mqtt"))
    with pytest.raises(QueueFullError):
        queue.arrive(job("mqtt again", source="mqtt"))
    for number in range(2):
        queue.arrive(job(f"http {number}", source="http"))
    with pytest.raises(QueueFullError, match="8 requests are waiting"):
        queue.arrive(job("http again", source="http"))
    assert len(queue) == 10
