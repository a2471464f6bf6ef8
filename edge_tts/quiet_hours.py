"""When only what is important is heard. By the wall clock of the place, so over midnight and daylight saving."""

from __future__ import annotations

import time
import typing
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as time_of_day

from edge_tts.schema import between

if typing.TYPE_CHECKING:  # numpy comes with it, and who only reads the configuration needs none
    from edge_tts.speech import Priority

BUILT_S = datetime.fromisoformat("2026-11-01T00:00:00Z").timestamp()
"""A clock that shows less was never set: a box without a battery starts in 1970, or where it was switched off."""

LOOK_EVERY_S = 300.0
"""At least; the clock may be set at any time, and nothing tells."""


def is_clock_set(wall_s: float) -> bool:
    return wall_s >= BUILT_S


@dataclass(frozen=True)
class QuietHoursConfig:
    begin: str | None = None
    """As "22:00", by the clock and in the time zone of this box; null: there are none."""

    end: str | None = None
    """As "07:00", the next day if that is earlier than `begin`."""

    lets_through: typing.Literal["important", "message", "text", "notification"] = "important"
    """Announcements of this priority and higher are spoken as ever."""

    volume: int | None = None
    """0 to 100: the others are spoken at this volume at most; null: they are not spoken."""

    def __post_init__(self) -> None:
        begin, end = self.times
        if (begin is None) != (end is None) or (begin is not None and begin == end):
            raise ValueError(
                f"begin and end must be two times, or both null, not {self.begin} and {self.end}"
            )
        if self.volume is not None:
            between("volume", self.volume, 0, 100)

    @property
    def times(self) -> tuple[time_of_day | None, time_of_day | None]:
        """Begin and end."""
        return _time_of_day("begin", self.begin), _time_of_day("end", self.end)


def _time_of_day(name: str, written: str | None) -> time_of_day | None:
    try:
        return None if written is None else datetime.strptime(written, "%H:%M").time()
    except ValueError as error:
        raise ValueError(f'{name} must be a time in quotes, as "22:00", not {written!r}') from error


class QuietHours:
    def __init__(self, config: QuietHoursConfig) -> None:
        self._config = config

    @property
    def are_set(self) -> bool:
        return self._config.begin is not None

    def are_on(self, wall_s: float) -> bool:
        """Whether it is quiet at that time, in Unix seconds; never by a clock that is not set."""
        begin, end = self._config.times
        if begin is None or end is None or not is_clock_set(wall_s):
            return False
        # The zone may have been changed since the start.
        time.tzset()
        now = datetime.fromtimestamp(wall_s).time()
        return begin <= now < end if begin < end else now >= begin or now < end

    def silence(self, priority: Priority) -> bool:
        """Whether what is of that priority is not spoken while they are on."""
        return self._config.volume is None and self._concern(priority)

    def most_volume(self, priority: Priority) -> float:
        """0 to 100, while they are on."""
        volume = self._config.volume
        return volume if volume is not None and self._concern(priority) else 100.0

    def _concern(self, priority: Priority) -> bool:
        order = [str(each) for each in type(priority)]
        return order.index(priority) > order.index(self._config.lets_through)

    def change_in_s(self, wall_s: float) -> float:
        """Until they begin or end, or the clock is worth another look."""
        today = datetime.fromtimestamp(wall_s).date()
        moments = [
            datetime.combine(today + timedelta(days), at).timestamp()
            for at in self._config.times
            if at is not None
            for days in (0, 1)
        ]
        return min([LOOK_EVERY_S, *(moment - wall_s for moment in moments if moment > wall_s)])
