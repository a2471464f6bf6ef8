"""German dates, times and years. `DATES`, `TIMES` and `YEARS` are tried in that order."""

from __future__ import annotations

import re

from edge_tts.text import german_words as tables
from edge_tts.text.german_numbers import (
    AFTER_UNIT,
    SENTENCE_START,
    START,
    UNIT,
    cardinal,
    counted,
    full_stop,
    ordinal,
    year,
)
from edge_tts.text.rules import TIMESTAMPS, Rule, alternatives, is_followed_by, rule

MONTH = f"(?:{'|'.join(tables.MONTHS)}|Jänner)"


AFTER_TEN = r"(?i:(?:in|auf|an|von|bei|mit|seit|nach|vor|aus) der|am|vom|zum|beim|im|dem|den|des|ab|bis|seit|jeden|zur)"
"""What "3." is "dritten" after; it is "dritte" after the others."""

AFTER_TE = r"(?i:der|die|das|jedes|jede|eine)"
_DAY = (
    rf"(?:\b(?P<before>{AFTER_TEN}|{AFTER_TE})(?P<weekday> [A-Z][a-z]{{2,9}}tag,?| Mittwoch,?)? )?"
    rf"{START}(?P<d>\d{{1,2}})\."
)


def ending_after(before: str | None, alone: str) -> str:
    if before is None:
        return alone
    return "n" if re.fullmatch(AFTER_TEN, before) else ""


def _day(match: re.Match[str]) -> str:
    before = f"{match['before']}{match['weekday'] or ''} " if match["before"] else ""
    return before + ordinal(int(match["d"]), ending_after(match["before"], "r"))


def _date(match: re.Match[str]) -> str:
    day, month = int(match["d"]), int(match["m"])
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return match[0]
    is_number = not match["before"] and not match["y"] and len(match["m"]) == 1
    if is_number and is_followed_by(match, SENTENCE_START):
        return match[0]  # "Der Sensor meldet 21.5."
    spoken = f"{_day(match)} {tables.MONTHS[month - 1]}"
    if not match["y"]:
        return spoken + full_stop(match)
    return f"{spoken} {year(int(match['y']) + (2000 if len(match['y']) == 2 else 0))}"


def _pair(match: re.Match[str]) -> str:
    """ "am 3. und 4. Mai", "vom 24.-26.12." """
    month = int(match["m"] or 1)
    if not 1 <= month <= 12:
        return match[0]
    link = "bis" if match["link"] in "-–" else match["link"]
    second = "n" if link == "bis" else ending_after(match["before"], "r")
    spoken = f"{_day(match)} {link} {ordinal(int(match['d2']), second)} "
    return spoken + tables.MONTHS[month - 1] + full_stop(match) if match["m"] else spoken


def _iso_date(match: re.Match[str]) -> str:
    day, month = int(match["d"]), int(match["m"])
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return match[0]
    return f"{day}. {tables.MONTHS[month - 1]} {match['y']}"


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match["h"]), int(match["m"])
    if hour > 24 or minute > 59:
        return match[0]
    spoken = f"{'ein' if hour == 1 else cardinal(hour)} Uhr" + (f" {cardinal(minute)}" if minute else "")
    if int(match["s"] or 0):
        spoken += f" und {counted(str(int(match['s'])), 'f', 'Sekunde', 'Sekunden')}"
    return spoken


DATES: list[Rule] = [
    rule(
        rf"(?<=\d\. )({alternatives(tables.MONTH_ABBREVIATIONS)})\b\.?",
        lambda m: tables.MONTH_ABBREVIATIONS[m[1]] + full_stop(m),
    ),
    rule(rf"\b({alternatives(tables.DAYS)})(?:\.,?|,) ?(?=\d)", lambda m: f"{tables.DAYS[m[1]]}, "),
    rule(
        rf"\b({alternatives(tables.DAYS)})\.?\s?[-–]\s?({alternatives(tables.DAYS)})\b\.?",
        lambda m: f"{tables.DAYS[m[1]]} bis {tables.DAYS[m[2]]}{full_stop(m)}",
    ),
    *TIMESTAMPS,
    rule(rf"{START}(?P<y>\d{{4}})-(?P<m>\d\d)-(?P<d>\d\d)(?![\d-])", _iso_date),
    rule(
        rf"{_DAY} ?(?P<link>bis|und|oder|[-–]) ?(?P<d2>\d{{1,2}})\. ?(?:(?={MONTH})|(?P<m>\d\d?)\.(?!\d))",
        _pair,
    ),
    rule(rf"\b({alternatives(tables.DAYS)})\.(?= (?:bis|und|oder)\b)", lambda m: tables.DAYS[m[1]]),
    rule(
        rf"\b((?i:am|bis|oder|und|ab|jeden)) ({alternatives(tables.DAYS)})\.(?!(?<=Fr\.) [A-ZÄÖÜ])",
        lambda m: f"{m[1]} {tables.DAYS[m[2]]}{full_stop(m)}",
    ),
    rule(rf"{_DAY} ?(?P<m>\d\d?)\.(?: ?(?P<y>\d{{4}}|\d\d)(?![\d.:]*\d))?(?!\d)", _date),
    rule(rf"{_DAY} ?(?={MONTH})", lambda m: f"{_day(m)} "),
    rule(rf"\b({MONTH}),? ([12]\d{{3}})\b", lambda m: f"{m[1]} {year(int(m[2]))}"),
]
TIMES: list[Rule] = [
    rule(r"(?<=\d[:.]\d\d)( ?Uhr)? ?[-–] ?(?=\d\d?[:.]\d\d)", r"\1 bis "),
    rule(r"(?<![\w.,:])(\d\d?) ?[-–] ?(?=\d\d?(?:[:.]\d\d)? ?Uhr)", r"\1 bis "),
    rule(r"(?<![\w.,:])(?P<h>\d\d?)\.(?P<m>[0-5]\d)(?P<s>) Uhr\b", _time),
    rule(
        r"(?<![\w.,:])(?P<h>\d\d?):(?P<m>\d\d)(?::(?P<s>\d\d))?(?:\.\d{1,6})?(?: ?(?:Uhr|h|Z)\b)?(?![\w:])",
        _time,
    ),
    rule(r"(?<![\w.,:])1 Uhr\b", "ein Uhr"),
]

YEARS: list[Rule] = [
    rule(rf"{START}(\d{{2,4}})er\b", lambda m: year(int(m[1])) + "er"),
    rule(
        r"(?<![\w.,:])(1[1-9]\d\d|20\d\d) ?(?:[-–]|bis) ?(1[1-9]\d\d|20\d\d)(?![\w,.-]?\d)",
        lambda m: f"{year(int(m[1]))} bis {year(int(m[2]))}",
    ),
    # "1350" alone may be said as a year whatever it is; before a noun it counts: "1999 Gäste".
    rule(
        rf"{START}(1[1-9]\d\d)(?![\w%°€$£]|[.,:/-]\d| ?{UNIT}{AFTER_UNIT}| (?!n\. Chr)[A-ZÄÖÜ€$£<>=+×÷]| [-–] )",
        lambda m: year(int(m[1])),
    ),
]
