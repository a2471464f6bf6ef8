"""English as spoken. `normalize` is all that the rest of the house sees; `_RULES` is the order of things."""

from __future__ import annotations

import re

from num2words import num2words

from edge_tts.text import english_words as tables
from edge_tts.text.rules import (
    ACRONYMS,
    ROMAN,
    SPELLED,
    Rule,
    Words,
    addresses,
    alternatives,
    capitals,
    identifiers,
    is_followed_by,
    phones,
    rewrite,
    roman,
    rule,
    symbols,
    table,
)

_NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,5}(?!,?\d)|\d{1,15}(?!\d))(?:\.\d{1,15})?"
_START = r"(?<![\w.,:])(?<![^\W\d_][-–])"
"""A number starts here: not in the middle of one, nor of a name ("CO2", "COVID-19")."""

_MONTH = f"(?:{'|'.join(tables.MONTHS)})"
_UNIT = alternatives(tables.UNITS)
_AFTER_UNIT = r"(?![\w²³°%]|-\w)"


def normalize(text: str) -> str:
    """Clean English text as words."""
    return rewrite(text, _RULES)


def cardinal(value: int) -> str:
    # num2words writes commas where nobody pauses: "one thousand, two hundred".
    return str(num2words(value, lang="en")).replace(",", "")


def ordinal(value: int) -> str:
    return str(num2words(value, lang="en", to="ordinal")).replace(",", "")


def year(value: int) -> str:
    if 1100 <= value < 2000 or 2010 <= value < 2100:
        return str(num2words(value, lang="en", to="year")).replace("oh-", "oh ")
    return cardinal(value)


def number(written: str) -> str:
    """A written number: "1,234.5", "007" digit by digit."""
    whole, _, fraction = written.replace(",", "").partition(".")
    if len(whole) > 1 and whole[0] == "0":
        spoken = _WORDS.digits(whole)
    else:
        # Thousands separators make even a long number one to be read as such.
        spoken = cardinal(int(whole)) if "," in written else _WORDS.integer(whole)
    return f"{spoken} point {_WORDS.digits(fraction)}" if fraction else spoken


_WORDS = Words(
    cardinal=cardinal,
    decimal=number,
    groups=",",
    signs=tables.SIGNS,
    point="point",
    symbols=tables.SYMBOLS,
    acronyms=ACRONYMS | tables.ACRONYMS,
    spelled=SPELLED | tables.SPELLED,
    short_words=tables.SHORT_WORDS,
    # espeak-ng reads a lone "A" as the article.
    letters={"A": "eigh"},
)


def _counted(written: str, one: str, many: str) -> str:
    return f"{number(written)} {one if written == '1' else many}"


# --- dates and times


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
    if match["s"]:
        spoken += f" and {_counted(str(int(match['s'])), 'second', 'seconds')}"
    # "at 7 p.m." may end the sentence; the dot of the abbreviation is then its full stop.
    stop = "." if match["half"] and match["half"].endswith(".") and _ends_sentence(match) else ""
    return f"{spoken} {half}{stop}" if half else spoken


_SENTENCE_START = re.compile(r"""["')\]]?(?:\Z|\s+["'(]?[A-Z]|\n)""")


def _ends_sentence(match: re.Match[str]) -> bool:
    return is_followed_by(match, _SENTENCE_START)


_HALF = r"(?P<half>[aApP]\.?\s?[mM]\b\.?)"
_DATES: list[Rule] = [
    table(tables.MONTH_ABBREVIATIONS, r"\b", r"\.?(?=\s\d)"),
    table(tables.MONTH_ABBREVIATIONS, r"(?<=\d )(?<!:\d\d )", r"\b\.?(?! ?[a-z])"),
    table(tables.DAY_ABBREVIATIONS, r"\b", rf"(?:\.|(?=, (?:{_MONTH}|\d)))(?=[\s,])"),
    rule(
        rf"\b({alternatives(tables.DAY_ABBREVIATIONS)})\s?[-–]\s?({alternatives(tables.DAY_ABBREVIATIONS)})\b",
        lambda m: f"{tables.DAY_ABBREVIATIONS[m[1]]} to {tables.DAY_ABBREVIATIONS[m[2]]}",
    ),
    rule(r"(?<=\d)T(?=\d\d:\d\d)", " "),
    rule(rf"{_START}(?P<y>\d{{4}})-(?P<m>\d\d)-(?P<d>\d\d)(?![\d-])", lambda m: _numeric_date(m, "d", "m")),
    rule(rf"{_START}(?P<m>\d\d?)/(?P<d>\d\d?)/(?P<y>\d{{4}}|\d\d)(?![\d/])", lambda m: _numeric_date(m, "d", "m")),
    rule(rf"{_START}(?P<d>\d\d?)\.(?P<m>\d\d?)\.(?P<y>\d{{4}})(?![\d.]*\d)", lambda m: _numeric_date(m, "d", "m")),
    rule(
        rf"\b(?P<m>{_MONTH}) (?P<d>\d\d?)(?:st|nd|rd|th)?(?:,? (?P<y>\d{{4}}))?(?![\w:/%°]|[.,-]\d)",
        lambda m: _date(int(m["d"]), tables.MONTHS.index(m["m"]) + 1, m["y"] or "") if int(m["d"]) < 32 else m[0],
    ),
    rule(
        rf"(?:\bthe )?{_START}(?P<d>[1-3]?\d)(?:st|nd|rd|th)?(?: of)? (?P<m>{_MONTH})\b(?:,? (?P<y>\d{{4}})\b)?",
        _day_first,
    ),
    rule(rf"\b({_MONTH}),? ([12]\d{{3}})\b", lambda m: f"{m[1]} {year(int(m[2]))}"),
]
_TIMES: list[Rule] = [
    rule(r"(?<=\d[:.]\d\d)( ?(?:[aApP]\.?[mM]\.?)?) ?[-–] ?(?=\d\d?[:.]\d\d)", r"\1 to "),
    rule(r"(?<=\d)( ?[aApP]\.?[mM]\.?) ?[-–] ?(?=\d)", r"\1 to "),
    rule(rf"{_START}(\d\d?) ?[-–] ?(?=\d\d?(?::\d\d)? ?[aApP]\.?[mM]\b)", r"\1 to "),
    rule(rf"{_START}(?P<h>\d\d?):(?P<m>\d\d)(?::(?P<s>\d\d))?(?:\.\d{{1,6}})?(?: ?{_HALF}|(?P<z>Z))?(?![\w:])", _time),
    rule(rf"{_START}(?P<h>1[0-2]|[1-9])(?P<m>)(?P<s>) ?{_HALF}(?!\w)", _time),
]

# --- years


_YEAR_BEFORE = (
    r"(?:[Ii]n|[Ss]ince|[Uu]ntil|[Bb]y|[Yy]ear|[Ff]rom|[Oo]f|[Ee]arly|[Ll]ate|[Mm]id|[Ss]pring|[Ss]ummer|[Aa]utumn"
    r"|[Ff]all|[Ww]inter|[Cc]irca|Christmas|Olympics|[Ee]lection|[Bb]orn|©|to|\() ?"
)


def _decade(match: re.Match[str]) -> str:
    written = match[1]
    value = int(written)
    spoken = year(value) if len(written) == 4 else cardinal(value)
    return spoken[:-1] + "ies" if spoken.endswith("y") else spoken + "s"


_YEARS: list[Rule] = [
    rule(rf"{_START}['’]?((?:1[1-9]|20)?[1-9]0|[12]\d00)['’]?s\b", _decade),
    rule(
        rf"{_START}(1[1-9]\d\d|20\d\d) ?[-–] ?(1[1-9]\d\d|20\d\d)(?![\w,.-]?\d)",
        lambda m: f"{year(int(m[1]))} to {year(int(m[2]))}",
    ),
    rule(rf"\b({_YEAR_BEFORE})(1[1-9]\d\d|20\d\d)(?![\w%°€$£]|[.,:/-]\d| ?{_UNIT}{_AFTER_UNIT}| [a-z]+s\b)",
         lambda m: m[1] + year(int(m[2]))),
    rule(rf"{_START}(\d{{1,4}})(?= (?:AD|BC|CE|BCE)\b)", lambda m: year(int(m[1]))),
]


# --- amounts


def _money(match: re.Match[str]) -> str:
    amount, sign = match["n"], match["c"]
    one, many, cent, cents = tables.CURRENCIES[sign]
    magnitude = tables.MAGNITUDES.get(match["x"] or "")
    whole, _, fraction = amount.replace(",", "").partition(".")
    if magnitude:
        spoken = f"{number(amount)} {magnitude} {many}"
    elif len(fraction) == 2 and cent:
        parts = [] if int(whole) == 0 else [_counted(str(int(whole)), one, many)]
        parts += [] if int(fraction) == 0 and parts else [_counted(str(int(fraction)), cent, cents)]
        spoken = " and ".join(parts)
    else:
        spoken = _counted(amount, one, many)
    return spoken + (f" per {tables.UNITS[match['per']][0]}" if match["per"] else "")


def _measure(match: re.Match[str]) -> str:
    one, many = tables.UNITS[match["u"]]
    spoken = _counted(match["n"], one, many)
    return spoken + (f" per {tables.UNITS[match['per']][0]}" if match["per"] else "")


_FRACTIONS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 8: "eighth", 16: "sixteenth"}
_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8"}


def _fraction(match: re.Match[str]) -> str:
    whole, top, bottom = match["w"], int(match["t"]), int(match["b"])
    unit = tables.UNITS.get(match["u"] or "")
    if (top, bottom) == (24, 7):
        return "twenty-four seven"
    name = _FRACTIONS.get(bottom)
    if name is None or top >= bottom:
        spoken = f"{cardinal(top)} {'out of' if top <= bottom else 'slash'} {cardinal(bottom)}"
        return (f"{cardinal(int(whole))}, {spoken}" if whole else spoken) + (f" {unit[1]}" if unit else "")
    parts = name if top == 1 else {"half": "halves"}.get(name, name + "s")
    if whole:
        spoken = f"{cardinal(int(whole))} and {'a' if top == 1 else cardinal(top)} {parts}"
        return f"{spoken} {unit[1]}" if unit else spoken
    return f"{cardinal(top)} {parts}" + (f" {unit[0]}" if unit else "")


_CURRENCY = alternatives(tables.CURRENCIES)
_MAGNITUDE = rf"(?: ?(?P<x>{alternatives(tables.MAGNITUDES)})(?!\w))?"
_PER = rf"(?: ?/ ?(?P<per>{_UNIT}){_AFTER_UNIT})?"
_AMOUNTS: list[Rule] = [
    rule("[½⅓⅔¼¾⅕⅛⅜⅝]", lambda m: " " + _VULGAR[m[0]]),
    rule(r"(?<=\d) - (?=\d{1,15}(?:\.\d{1,9})? =)", " minus "),
    rule(rf"([$€£])({_NUMBER}) ?[-–] ?\1?(?=\d)", r"\2 to \1"),
    rule(rf"{_START}({_NUMBER}(?:[°%]C?)?) ?(?:[-–]|\.\.\.?) ?(?=[-−+]?[$€£¥]?\d)(?!\d+-)", r"\1 to "),
    rule(r"(?<![\w)\]])[-−–](?=[$€£¥]?\d)", "minus "),
    rule(r"(?<![\w)\]])\+(?=[$€£¥]?\d)", "plus "),
    rule(rf"(?<!\w)(?P<c>{_CURRENCY}) ?(?P<n>{_NUMBER}){_MAGNITUDE}{_PER}(?!\w)", _money),
    rule(rf"{_START}(?P<n>{_NUMBER}){_MAGNITUDE} ?(?P<c>{_CURRENCY}){_PER}(?!\w)", _money),
    rule(
        rf"{_START}(?:(?P<w>\d{{1,4}}) )?(?P<t>\d{{1,4}})/(?P<b>\d{{1,4}})(?! ?/|[.,]?\d)(?: ?(?P<u>{_UNIT}){_AFTER_UNIT})?(?!\w)",
        _fraction,
    ),
    # "4K" is a television; "3-m" and "5-h" are parts of names.
    rule(rf"{_START}(?P<n>{_NUMBER})[ -]?(?P<u>{_UNIT})(?<!\dK)(?<!\d-[mhsA])(?!\w){_PER}{_AFTER_UNIT}", _measure),
    rule(rf"{_START}(\d{{1,3}}(?:,\d{{3}}){{0,3}}|\d{{1,9}})(?:st|nd|rd|th)\b", lambda m: ordinal(int(m[1].replace(",", "")))),
    rule(rf"(?<=[Vv]ersion )(\d{{1,6}})\.(\d{{1,6}})(?![\w.]*\d)", lambda m: f"{_WORDS.integer(m[1])} point {_WORDS.integer(m[2])}"),
    rule(rf"{_START}(\d{{1,5}}) ?[x×] ?(?=\d)", r"\1 by "),
    rule(rf"{_START}(\d{{1,5}})x\b", r"\1 times"),
    rule(rf"{_START}(\d{{1,3}}):(?=\d{{1,3}}(?![\w:]))", r"\1 to "),
    rule(rf"{_START}{_NUMBER}(?![\w]|,?\d)", lambda m: number(m[0])),
    rule(r"(?<![\w.])\.(\d{1,15})(?!\w)", lambda m: f"point {_WORDS.digits(m[1])}"),
]

# --- abbreviations and roman numerals


def _abbreviation(match: re.Match[str]) -> str:
    spoken = tables.ABBREVIATIONS[match[1]]
    return spoken + "." if match[1].endswith(".") and _ends_sentence(match) else spoken


def _street(match: re.Match[str]) -> str:
    return f"{match[1]} Street{'.' if _ends_sentence(match) else ''}"


_ABBREVIATIONS: list[Rule] = [
    # "5 Main St. He left" has a house number, "Mount St. Helens" has none.
    rule(r"(?<!\w)(\d{1,5} [A-Z][a-z]{1,20}) (St)\.", _street),
    rule(r"\b([A-Z][a-z]{1,20}) (St)\.(?=[,;]|\s*\Z| [a-z])", _street),
    table(tables.TITLES, r"\b", r"\.?(?= ?[A-Z])"),
    table(tables.TITLES_WITH_DOT, r"\b", r"\.(?= ?[A-Z])"),
    rule(r"\b(Jr|Sr)\.", lambda m: tables.TITLES[m[1]] + ("." if _ends_sentence(m) else "")),
    table(tables.NUMBERED, r"(?<!\w)", r" ?(?=\d)"),
    rule(r"(?<!\w)#(?=[^\W\d])", "hashtag "),
    rule(rf"(?<!\w)({alternatives(tables.ABBREVIATIONS)})(?!\w)", _abbreviation),
    rule(r"\b(and|either|both)/or\b", r"\1 or"),
    rule(rf"\b({alternatives(tables.RULERS)}) {ROMAN}", lambda m: f"{m[1]} the {ordinal(roman(m[2])).title()}"),
    rule(rf"(?i:\b({alternatives(tables.NUMBERED_BY_ROMAN)})) {ROMAN}", lambda m: f"{m[1]} {cardinal(roman(m[2]))}"),
    rule(r"\bv(?=\d)", "version "),
]

_RULES: list[Rule] = [
    *addresses(_WORDS)[:4],
    *_ABBREVIATIONS,
    *_DATES,
    *_TIMES,
    *addresses(_WORDS)[4:],
    *phones(_WORDS),
    *_YEARS,
    *_AMOUNTS,
    *identifiers(_WORDS),
    *capitals(_WORDS),
    *symbols(_WORDS),
]
