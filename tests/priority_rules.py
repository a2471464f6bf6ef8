"""The rules of docs/requests.md (Priorities) once more, written from there: who is heard, in which order, and how each
ends. Knows nothing of the daemon, nor of time: what speaks does so until it is told to have finished."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

ORDER = ("important", "message", "text", "notification", "progress")

# What each ends when it arrives, be it waiting or speaking.
ENDS = {
    "important": {"notification", "progress"},
    "message": {"text", "notification", "progress"},
    "text": {"text", "notification", "progress"},
    "notification": {"notification"},
    "progress": set[str](),
}


@dataclass(frozen=True)
class Wish:
    """An announcement that somebody wants."""

    name: str
    priority: str = "message"
    replace: str | None = None


@dataclass
class Rules:
    """Tell it what happens; `heard` and `outcomes` are what must come of it."""

    is_muted: bool = False
    is_paused: bool = False
    speaking: Wish | None = None
    waiting: list[Wish] = field(default_factory=list)
    last_progress: Wish | None = None
    heard: list[str] = field(default_factory=list)
    """Names, in the order of their beginning."""

    outcomes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name → outcome and code; finished has none."""

    def arrive(self, wish: Wish) -> None:
        present = [*self.waiting, *([self.speaking] if self.speaking else [])]
        if self.is_muted and wish.priority != "important":
            self._end(wish, "muted", "muted")
        elif self.is_paused and wish.priority in ("notification", "progress"):
            self._end(wish, "superseded", "paused")
        elif wish.priority == "notification" and any(other.priority != "notification" for other in present):
            self._end(wish, "superseded", "priority")
        elif wish.priority == "progress" and present:
            if self.last_progress:
                self._end(self.last_progress, "superseded", "priority")
            self.last_progress = wish
        else:
            self._enter(wish)

    def _enter(self, wish: Wish) -> None:
        for other in list(self.waiting):
            if wish.replace is not None and other.replace == wish.replace:
                self._drop(other, "superseded", "replaced")
            elif other.priority in ENDS[wish.priority]:
                self._drop(other, "superseded", "priority")
        if wish.priority == "important":
            self.is_paused = False
        if self.speaking and self._is_ended_by(wish, self.speaking):
            self._end_speaking("interrupted", "priority", next_speaks=False)
        self.waiting.append(wish)
        self.waiting.sort(key=lambda other: ORDER.index(other.priority))
        self._next()

    def _is_ended_by(self, wish: Wish, speaking: Wish) -> bool:
        if wish.priority == "important":
            return speaking.priority != "important"
        return speaking.priority in ENDS[wish.priority]

    def _next(self) -> None:
        if self.speaking or self.is_paused:
            return
        if self.waiting:
            self.speaking = self.waiting.pop(0)
        elif self.last_progress:
            # All is quiet: "100 %" is said, and is a message from now on.
            self.speaking, self.last_progress = replace(self.last_progress, priority="message"), None
        if self.speaking:
            self.heard.append(self.speaking.name)

    def _end(self, wish: Wish, outcome: str, code: str = "") -> None:
        assert wish.name not in self.outcomes
        self.outcomes[wish.name] = (outcome, code)

    def _drop(self, wish: Wish, outcome: str, code: str) -> None:
        self.waiting.remove(wish)
        self._end(wish, outcome, code)

    def _end_speaking(self, outcome: str, code: str = "", *, next_speaks: bool = True) -> None:
        assert self.speaking is not None
        self._end(self.speaking, outcome, code)
        self.speaking = None
        if next_speaks:
            self._next()

    # Commands, and time

    def cancel(self, wish: Wish) -> None:
        """One that waits."""
        self._drop(wish, "interrupted", "cancelled")

    def skip(self) -> None:
        self._end_speaking("interrupted", "cancelled")

    def mute(self) -> None:
        self.is_muted = True
        for wish in [wish for wish in self.waiting if wish.priority != "important"]:
            self._drop(wish, "muted", "muted")
        if self.last_progress:
            self._end(self.last_progress, "muted", "muted")
            self.last_progress = None
        if self.speaking and self.speaking.priority != "important":
            self._end_speaking("interrupted", "muted")

    def unmute(self) -> None:
        self.is_muted = False

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False
        self._next()

    def finish(self) -> None:
        """Time passes until all has been said."""
        while self.speaking:
            self._end_speaking("finished")
