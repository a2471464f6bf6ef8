"""When others are quieted and when they get back what they had; how is each way's own. On the event loop."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from edge_tts.errors import OthersError

log = logging.getLogger(__name__)

LIMIT_S = 0.3
"""No announcement waits longer for the others."""

ATTEMPT_S = 3.0
"""An attempt goes on while we speak already: Snapcast's rooms hear us only after it."""

IDLE_S = 1.0
"""They get back what they had after so long without an announcement: music does not pump in a series."""

RETRY_S = (2.0, 10.0, 60.0)
"""Pauses between attempts to give back to who does not answer or is gone; then the next announcement or start tries."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to one of the others; survives our end."""

    of: str
    """Who, by a name that nobody else gets as long as it is there."""

    kind: str
    """What of it may come back under another name: its program, its stream."""

    before: Any
    """What it had, to be given back. JSON."""


class Way(Protocol):
    """Both methods may be cancelled at any moment, and raise OthersError having done what they could."""

    async def quiet(self, known: Mapping[str, Change], keep: Callable[[list[Change]], None]) -> None:
        """Quiet everybody but the *known*, by name; *keep* gets what is to be done before it is done."""
        ...

    async def give_back(self, changes: Collection[Change]) -> list[Change]:
        """Undo *changes*, but for what somebody else has changed meanwhile. Returns those of somebody who is gone and
        may come back as we left him."""
        ...


class Others:
    def __init__(self, way: Way | None = None, path: Path | None = None) -> None:
        """*path* remembers what must be undone if this process cannot."""
        self.problem: str | None = None
        self.on_problem: Callable[[str | None], None] = lambda message: None
        """Called with what keeps us from quieting the others, and with None when it works again."""

        self._way = way
        self._path = path
        self._changes = self._kept()
        self._is_needed = False
        self._timer: asyncio.TimerHandle | None = None
        self._quieting: asyncio.Task[None] | None = None
        self._giving_back: asyncio.Task[None] | None = None

    async def quiet(self) -> None:
        """To be awaited before sound; comes back within `LIMIT_S` whatever happens."""
        if self._way is None:
            return
        self._is_needed = True
        self._cancel_timer()
        if self._quieting is None or self._quieting.done():
            self._quieting = asyncio.ensure_future(self._quiet(self._way, self._giving_back))
        await asyncio.wait({self._quieting}, timeout=LIMIT_S)

    async def settled(self) -> None:
        """When the attempt is over that `quiet` may not have waited for: whether there is a `problem` is known then."""
        if self._quieting is not None:
            await asyncio.wait({self._quieting})

    async def _quiet(self, way: Way, begun_before: asyncio.Task[None] | None) -> None:
        if begun_before:
            # Music that is just coming back is quieted when it is back.
            await asyncio.wait({begun_before})
        self._cancel_timer()
        await self._attempt(way.quiet(self._changes, self._add), ATTEMPT_S)
        if not self._is_needed:
            self._give_back_in(IDLE_S)

    def release(self) -> None:
        """No more sound for now: soon they get back what they had."""
        self._is_needed = False
        self._give_back_in(IDLE_S)

    def _give_back_in(self, delay_s: float, attempt: int = 0) -> None:
        self._cancel_timer()
        if self._changes:
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._begin_to_give_back, attempt)

    def _cancel_timer(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _begin_to_give_back(self, attempt: int) -> None:
        self._giving_back = asyncio.ensure_future(self._give_back(attempt, self._quieting))

    async def _give_back(self, attempt: int, begun_before: asyncio.Task[None] | None) -> None:
        # Not whatever there is by now: an announcement of this very moment waits for us.
        if begun_before:
            await asyncio.wait({begun_before})
        if self._way is None or not self._changes or self._is_needed:
            return
        await self._attempt(self._undo(self._way), ATTEMPT_S)
        if not self._is_needed and attempt < len(RETRY_S):
            self._give_back_in(RETRY_S[attempt], attempt + 1)

    async def _undo(self, way: Way) -> None:
        left = await way.give_back(self._changes.values())
        self._changes = {change.of: change for change in left}
        self._keep()

    async def _attempt(self, work: Coroutine[Any, Any, None], limit_s: float) -> None:
        """Others are not worth an announcement: what goes wrong is told, not raised."""
        problem = None
        try:
            async with asyncio.timeout(limit_s):
                await work
        except TimeoutError:
            problem = f"they do not answer within {limit_s:.1f} s"
        except OthersError as error:
            problem = str(error)
        except Exception:
            log.exception("other players")
            problem = "an unexpected error; see the log"
        if problem and problem != self.problem:
            log.warning("other players: %s", problem)
        self.problem = problem
        self.on_problem(problem)

    def _add(self, changes: list[Change]) -> None:
        self._changes |= {change.of: change for change in changes}
        self._keep()

    def _keep(self) -> None:
        """For the next run, should this one end badly."""
        if self._path is None:
            return
        document = json.dumps([asdict(change) for change in self._changes.values()])
        partial = self._path.with_suffix(".part")
        try:
            if not self._changes:
                self._path.unlink(missing_ok=True)
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(document, encoding="utf-8")
            partial.replace(self._path)
        except OSError as error:
            log.warning("other players: what they had cannot be kept: %s", error)

    def _kept(self) -> dict[str, Change]:
        """What an earlier run did and did not undo."""
        try:
            document = "[]" if self._path is None else self._path.read_text(encoding="utf-8")
            changes = [Change(**each) for each in json.loads(document)]
            return {change.of: change for change in changes}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError) as error:
            log.warning("other players: %s cannot be used: %r", self._path, error)
            return {}

    async def close(self) -> None:
        """Give back at once."""
        self._is_needed = True  # no further attempt
        self._cancel_timer()
        for task in (self._quieting, self._giving_back):
            if task:
                await asyncio.wait({task}, timeout=LIMIT_S)
                task.cancel()
        if self._way and self._changes:
            await self._attempt(self._undo(self._way), LIMIT_S)
