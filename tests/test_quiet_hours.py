"""Quiet hours: by the clock of the box, over midnight and daylight saving, and what they do to announcements."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from edge_tts.config import Config, parse_config
from edge_tts.errors import ConfigError
from edge_tts.quiet_hours import LOOK_EVERY_S, QuietHours, QuietHoursConfig
from edge_tts.speech import Priority

NIGHT = QuietHours(QuietHoursConfig("22:00", "07:00"))
NAP = QuietHours(QuietHoursConfig("13:00", "15:30"))


@pytest.fixture(autouse=True)
def _in_berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def at(written: str) -> float:
    """Unix seconds of a moment in Berlin, or with an offset of its own."""
    return datetime.fromisoformat(written).timestamp()


@pytest.mark.parametrize(
    ("hours", "moment", "are_on"),
    [
        (NIGHT, "2027-01-15T21:59:59", False),
        (NIGHT, "2027-01-15T22:00:00", True),
        (NIGHT, "2027-01-15T23:59:59", True),
        (NIGHT, "2027-01-16T00:00:00", True),
        (NIGHT, "2027-01-16T06:59:59", True),
        (NIGHT, "2027-01-16T07:00:00", False),
        (NIGHT, "2027-07-15T22:00:00", True),
        (NIGHT, "2027-07-15T21:59:59", False),
        (NAP, "2027-01-15T12:59:00", False),
        (NAP, "2027-01-15T13:00:00", True),
        (NAP, "2027-01-15T15:30:00", False),
        (NAP, "2027-01-15T23:00:00", False),
        # Clocks go forward on 28 March 2027 and back on 31 October: seven o'clock is seven o'clock.
        (NIGHT, "2027-03-28T06:59:59+02:00", True),
        (NIGHT, "2027-03-28T07:00:00+02:00", False),
        (NIGHT, "2027-10-31T06:59:59+01:00", True),
        (NIGHT, "2027-10-31T07:00:00+01:00", False),
        # A clock that was never set says nothing about the time of day.
        (NIGHT, "1970-01-01T00:00:30", False),
        (NIGHT, "2025-06-01T23:00:00", False),
    ],
)
def test_they_are_on_by_the_clock_of_the_place(hours: QuietHours, moment: str, are_on: bool) -> None:
    assert hours.are_on(at(moment)) is are_on


def test_in_the_hour_that_comes_twice_they_begin_twice() -> None:
    hours = QuietHours(QuietHoursConfig("02:30", "02:45"))
    moments = [at("2027-10-31T02:00:00+02:00") + 60 * minute for minute in range(120)]
    assert [hours.are_on(moment) for moment in moments] == 2 * (30 * [False] + 15 * [True] + 15 * [False])


def test_a_new_time_zone_counts_at_once() -> None:
    noon = at("2027-01-15T12:00:00+00:00")
    assert not NIGHT.are_on(noon)
    os.environ["TZ"] = "Asia/Tokyo"
    assert not NIGHT.are_on(noon - 3600)
    assert NIGHT.are_on(noon + 3600)


@pytest.mark.parametrize("day", ["2027-01-15", "2027-03-27", "2027-10-30"])
def test_the_next_change_is_never_missed(day: str) -> None:
    moment, end = at(f"{day}T12:00:00"), at(f"{day}T12:00:00") + timedelta(days=1).total_seconds()
    changes = []
    while moment < end:
        step_s = NIGHT.change_in_s(moment)
        assert 0 < step_s <= LOOK_EVERY_S
        if NIGHT.are_on(moment) != NIGHT.are_on(moment + step_s):
            changes.append(datetime.fromtimestamp(moment + step_s).strftime("%H:%M:%S"))
        moment += step_s
    assert changes == ["22:00:00", "07:00:00"]


def test_what_they_let_through() -> None:
    assert [NIGHT.silence(priority) for priority in Priority] == [False, True, True, True, True]
    low = QuietHours(QuietHoursConfig("22:00", "07:00", "message", 20))
    assert not any(low.silence(priority) for priority in Priority)
    assert [low.most_volume(priority) for priority in Priority] == [100, 100, 20, 20, 20]
    assert not QuietHours(QuietHoursConfig()).are_on(at("2027-01-15T23:00:00"))


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"begin": "22:00"}, "begin and end must be two times, or both null"),
        ({"begin": "22:00", "end": "22:00"}, "begin and end must be two times"),
        ({"begin": "10pm", "end": "07:00"}, "begin must be a time in quotes, as \"22:00\", not '10pm'"),
        ({"begin": "22:00", "end": "24:00"}, "end must be a time in quotes"),
        # YAML takes 22:00 without quotes for 1320: sixties, as of old.
        ({"begin": 1320, "end": "07:00"}, "begin must be a time in quotes"),
        ({"begin": "22:00", "end": "07:00", "volume": 101}, "volume must be 0 to 100"),
        ({"begin": "22:00", "end": "07:00", "lets_through": "urgent"}, "expected one of important, message"),
    ],
)
def test_a_section_that_cannot_be_meant_is_refused(
    section: dict[str, object], problem: str, config: Config
) -> None:
    with pytest.raises(ConfigError, match=f"quiet_hours.*{problem}"):
        parse_config({"quiet_hours": section}, config.state.folder)
