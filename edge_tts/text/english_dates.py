"""English dates, times and years. `DATES`, `TIMES` and `YEARS` are tried in that order."""

from __future__ import annotations

import re

from edge_tts.text import english_words as tables
from edge_tts.text.english_numbers import (
    AFTER_UNIT,
    START,
    UNIT,
    cardinal,
    counted,
    ends_sentence,
    ordinal,
    year,
)
from edge_tts.text.rules import TIMESTAMPS, Rule, alternatives, rule, table

MONTH = f"(?:{'|'.join(tables.MONTHS)})"


def _date(day: int, month: int, year_written: str) -> str:
    spoken = f"{tables.MONTHS[month - 1]} {ordinal(day)}"
    if not year_written:
        return spoken
    value = int(year_written) + (2000 if len(year_written) == 2 else 0)
    return f"{spoken}, {year(value)}"


def _numeric_date(match: re.Match[str], day: str, month: str) -> str:
    d, m = int(match[day]), int(match[month])
    if m > 12 and d <= 12 and "/" in match[0]:
        d, m = m, d
    if not (1 <= m <= 12 and 1 <= d <= 31):
        return match[0]
    return _date(d, m, match["y"] or "")


def _day_first(match: re.Match[str]) -> str:
    spoken = f"the {ordinal(int(match['d']))} of {match['m']}"
    return f"{spoken} {year(int(match['y']))}" if match["y"] else spoken


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match["h"]), int(match["m"] or 0)
    half = (match["half"] or "").replace(".", "").upper()
    if hour > 24 or minute > 59:
        return match[0]
    if minute:
        spoken = f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    elif half:
        spoken = cardinal(hour)
    elif hour in (0, 24):
        spoken = "midnight"
    else:
        spoken = f"{cardinal(hour)} o'clock" if hour < 13 else f"{cardinal(hour)} hundred"
    if int(match["s"] or 0):
        spoken += f" and {counted(str(int(match['s'])), 'second', 'seconds')}"
    # "at 7 p.m." may end the sentence; the dot of the abbreviation is then its full stop.
    stop = "." if match["half"] and match["half"].endswith(".") and ends_sentence(match) else ""
    return f"{spoken} {half}{stop}" if half else spoken


_HALF = r"(?P<half>[aApP]\.?\s?[mM]\b\.?)"
DATES: list[Rule] = [
    table(tables.MONTH_ABBREVIATIONS, r"\b", r"\.?(?=\s\d)"),
    rule(
        rf"(?<=\d )({alternatives(tables.MONTH_ABBREVIATIONS)})\b\.?(?! ?[a-z])",
        lambda m: tables.MONTH_ABBREVIATIONS[m[1]] + ("." if m[0].endswith(".") and ends_sentence(m) else ""),
    ),
    table(tables.DAY_ABBREVIATIONS, r"\b", rf"(?:\.|(?=, (?:{MONTH}|\d)))(?=[\s,])"),
    rule(
        rf"\b({alternatives(tables.DAY_ABBREVIATIONS)})\s?[-–]\s?({alternatives(tables.DAY_ABBREVIATIONS)})\b",
        lambda m: f"{tables.DAY_ABBREVIATIONS[m[1]]} to {tables.DAY_ABBREVIATIONS[m[2]]}",
    ),
    *TIMESTAMPS,
    rule(rf"{START}(?P<y>\d{{4}})-(?P<m>\d\d)-(?P<d>\d\d)(?![\d-])", lambda m: _numeric_date(m, "d", "m")),
    rule(
        rf"{START}(?P<m>\d\d?)/(?P<d>\d\d?)/(?P<y>\d{{4}}|\d\d)(?![\d/])",
        lambda m: _numeric_date(m, "d", "m"),
    ),
    rule(
        r"(?<=\b(?:on|by) )(?P<m>\d\d?)/(?P<d>\d\d?)(?P<y>)(?![\w/]|[.,]\d)",
        lambda m: _numeric_date(m, "d", "m"),
    ),
    rule(
        rf"{START}(?P<d>\d\d?)\.(?P<m>\d\d?)\.(?P<y>\d{{4}})(?![\d.]*\d)",
        lambda m: _numeric_date(m, "d", "m"),
    ),
    rule(
        rf"\b(?P<m>{MONTH}) (?P<d>\d\d?)(?:st|nd|rd|th)?(?:,? (?P<y>\d{{4}}))?(?![\w:/%°]|[.,-]\d)",
        lambda m: (
            _date(int(m["d"]), tables.MONTHS.index(m["m"]) + 1, m["y"] or "") if int(m["d"]) < 32 else m[0]
        ),
    ),
    rule(
        rf"(?:\bthe )?{START}(?P<d>[1-3]?\d)(?:st|nd|rd|th)?(?: of)? (?P<m>{MONTH})\b(?:,? (?P<y>\d{{4}})\b)?",
        _day_first,
    ),
    rule(rf"\b({MONTH}),? ([12]\d{{3}})\b", lambda m: f"{m[1]} {year(int(m[2]))}"),
]
TIMES: list[Rule] = [
    rule(r"(?<=\d[:.]\d\d)( ?(?:[aApP]\.?[mM]\.?)?) ?[-–] ?(?=\d\d?[:.]\d\d)", r"\1 to "),
    rule(r"(?<=\d)( ?[aApP]\.?[mM]\.?) ?[-–] ?(?=\d)", r"\1 to "),
    rule(rf"{START}(\d\d?) ?[-–] ?(?=\d\d?(?::\d\d)? ?[aApP]\.?[mM]\b)", r"\1 to "),
    rule(
        rf"{START}(?P<h>\d\d?):(?P<m>\d\d)(?::(?P<s>\d\d))?(?:\.\d{{1,6}})?(?: ?{_HALF}|(?P<z>Z))?(?![\w:])",
        _time,
    ),
    rule(rf"{START}(?P<h>1[0-2]|[1-9])(?P<m>)(?P<s>) ?{_HALF}(?!\w)", _time),
]

# --- years


_YEAR_BEFORE = (
    r"(?:[Ii]n|[Ss]ince|[Uu]ntil|[Bb]y|[Yy]ear|[Ff]rom|[Oo]f|[Ee]arly|[Ll]ate|[Mm]id|[Ss]pring|[Ss]ummer|[Aa]utumn"
    r"|[Ff]all|[Ww]inter|[Cc]irca|[Bb]etween|Christmas|Olympics|[Ee]lection|[Bb]orn|©|to|\() ?"
)


def _decade(match: re.Match[str]) -> str:
    written = match[1]
    value = int(written)
    spoken = year(value) if len(written) == 4 else cardinal(value)
    return spoken[:-1] + "ies" if spoken.endswith("y") else spoken + "s"


YEARS: list[Rule] = [
    rule(rf"{START}['’]?((?:1[1-9]|20)?[1-9]0|[12]\d00)['’]?s\b", _decade),
    rule(
        r"\b([Bb]etween) (1[1-9]\d\d|20\d\d) and (1[1-9]\d\d|20\d\d)(?![\w,.-]?\d)",
        lambda m: f"{m[1]} {year(int(m[2]))} and {year(int(m[3]))}",
    ),
    rule(
        rf"{START}(1[1-9]\d\d|20\d\d) ?[-–] ?(1[1-9]\d\d|20\d\d)(?![\w,.-]?\d)",
        lambda m: f"{year(int(m[1]))} to {year(int(m[2]))}",
    ),
    rule(
        rf"\b({_YEAR_BEFORE})(1[1-9]\d\d|20\d\d)(?![\w%°€$£]|[.,:/-]\d| ?{UNIT}{AFTER_UNIT}| [a-z]+s\b)",
        lambda m: m[1] + year(int(m[2])),
    ),
    rule(rf"{START}(\d{{1,4}})(?= (?:AD|BC|CE|BCE)\b)", lambda m: year(int(m[1]))),
]
