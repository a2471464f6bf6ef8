"""Ids that come again."""

from __future__ import annotations

from edge_tts.journal_file import Entry
from edge_tts.moments import Moment, moment_now
from edge_tts.receipts import Receipts


async def test_an_id_is_forgotten_in_time_whatever_was_heard_since() -> None:
    """What was accepted before it was heard only now, and hid that its own time was over."""
    now = moment_now()
    old = Moment(now.wall_s - 700.0, now.boot, now.boot_s - 700.0)
    receipts = Receipts(
        600.0,
        [Entry(1, "heard late", now, 300.0, "a", None, None), Entry(2, "old", old, 300.0, "b", None, None)],
    )

    async def accept() -> str:
        return "new"

    assert (await receipts.once("a", accept)).is_duplicate
    assert (await receipts.once("b", accept)).job == "new"
