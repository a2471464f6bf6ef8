"""English as spoken. `normalize` is all that the rest of the house sees; `_RULES` is the order of things."""

from __future__ import annotations

import re

from edge_tts.text import english_words as tables
from edge_tts.text.addresses import addresses, phones
from edge_tts.text.english_dates import DATES, TIMES, YEARS
from edge_tts.text.english_numbers import (
    AFTER_UNIT,
    NUMBER,
    START,
    UNIT,
    WORDS,
    cardinal,
    counted,
    ends_sentence,
    number,
    ordinal,
)
from edge_tts.text.rules import (
    ROMAN,
    Rule,
    alternatives,
    capitals,
    identifiers,
    is_after_digit,
    rewrite,
    roman,
    rule,
    symbols,
    table,
    with_capitals,
)


def normalize(text: str) -> str:
    """Clean English text as words."""
    return rewrite(text, _RULES)


# --- amounts


def _money(match: re.Match[str]) -> str:
    amount, sign = match["n"], match["c"]
    one, many, cent, cents = tables.CURRENCIES[sign]
    magnitude = tables.MAGNITUDES.get(match["x"] or "")
    whole, _, fraction = amount.replace(",", "").partition(".")
    if magnitude:
        spoken = f"{number(amount)} {magnitude} {many}"
    elif len(fraction) == 2 and cent:
        parts = [] if int(whole) == 0 else [counted(str(int(whole)), one, many)]
        parts += [] if int(fraction) == 0 and parts else [counted(str(int(fraction)), cent, cents)]
        spoken = " and ".join(parts)
    else:
        spoken = counted(amount, one, many)
    return spoken + (f" per {tables.UNITS[match['per']][0]}" if match["per"] else "")


def _measure(match: re.Match[str]) -> str:
    one, many = tables.UNITS[match["u"]]
    spoken = counted(match["n"], one, many)
    return spoken + (f" per {tables.UNITS[match['per']][0]}" if match["per"] else "")


_FRACTIONS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 8: "eighth", 16: "sixteenth"}
_VULGAR = {
    "½": "1/2",
    "⅓": "1/3",
    "⅔": "2/3",
    "¼": "1/4",
    "¾": "3/4",
    "⅕": "1/5",
    "⅛": "1/8",
    "⅜": "3/8",
    "⅝": "5/8",
}


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
_PER = rf"(?: ?/ ?(?P<per>{UNIT}){AFTER_UNIT})?"
_AMOUNTS: list[Rule] = [
    rule(r"(?<=[lLh])/100 ?km\b", " per hundred kilometres"),
    rule("[½⅓⅔¼¾⅕⅛⅜⅝]", lambda m: " " + _VULGAR[m[0]]),
    rule(r"(?<=[€$£\d])/(?=(?:month|week|day|night|hour|minute|year|person|piece)\b)", " per "),
    rule(r"(?<=\d) / (?=\d)", " divided by "),
    rule(r"(?<=\d)\^(?=\d)", " to the power of "),
    rule(rf"{START}(\d)['’](\d{{1,2}})(?:\"|”|''|(?!\w))", r"\1 foot \2"),
    rule(r"(?<=\s)['’](\d\d)(?![\w'’])", r"\1"),
    rule(
        r"\b((?i:code|pin|password|passcode)(?: is|:)? |(?:[Cc]all|[Dd]ial) (?=\d{3}\b))(\d{3,8})(?![\w.,:%]*\w)",
        lambda m: m[1] + WORDS.digits(m[2]),
    ),
    rule(r"(?<=\d) - (?=\d{1,15}(?:\.\d{1,9})? =)", " minus "),
    rule(rf"([$€£])({NUMBER}) ?[-–] ?\1?(?=\d)", r"\2 to \1"),
    rule(rf"{START}({NUMBER}(?:[°%]C?)?) ?(?:[-–]|\.\.\.?) ?(?=[-−+]?[$€£¥]?\d)(?!\d+-)", r"\1 to "),
    rule(r"(?<![\w)\]])[-−–](?=[$€£¥]?\d)", "minus "),
    rule(r"(?<![\w)\]])\+(?=[$€£¥]?\d)", "plus "),
    rule(rf"(?<!\w)(?P<c>{_CURRENCY}) ?(?P<n>{NUMBER}){_MAGNITUDE}{_PER}(?!\w)", _money),
    rule(rf"{START}(?P<n>{NUMBER}){_MAGNITUDE} ?(?P<c>{_CURRENCY}){_PER}(?!\w)", _money),
    rule(
        rf"{START}(?:(?P<w>\d{{1,4}}) )?(?P<t>\d{{1,4}})/(?P<b>\d{{1,4}})(?! ?/|[.,]?\d)"
        rf"(?: ?(?P<u>{UNIT}){AFTER_UNIT})?(?!\w)",
        _fraction,
    ),
    rule(r"(?<=\d )(min|mins|hrs?|secs?|ft|lbs?|oz|mi)\.(?!\s*\Z|\n| [A-Z])", r"\1"),
    # "4K" is a television, "42A" a bus; "3-m" and "5-h" are parts of names.
    rule(
        rf"{START}(?P<n>{NUMBER})[ -]?(?P<u>{UNIT})(?<!\d[KAB])(?<!\d-[mhsA])(?!\w){_PER}{AFTER_UNIT}",
        _measure,
    ),
    rule(
        rf"{START}(\d{{1,3}}(?:,\d{{3}}){{0,3}}|\d{{1,9}})(?:st|nd|rd|th)\b",
        lambda m: ordinal(int(m[1].replace(",", ""))),
    ),
    rule(
        r"(?<=[Vv]ersion )(\d{1,6})\.(\d{1,6})(?![\w.]*\d)",
        lambda m: f"{WORDS.integer(m[1])} point {WORDS.integer(m[2])}",
    ),
    rule(rf"{START}(\d{{1,5}})[x×](?=\d)", r"\1 by "),
    rule(rf"{START}(\d{{1,5}}) x (?=\d)", r"\1 times "),
    rule(rf"{START}(\d{{1,5}})x\b", r"\1 times"),
    rule(rf"{START}(\d{{1,3}}):(?=\d{{1,3}}(?![\w:]))", r"\1 to "),
    rule(rf"{START}{NUMBER}(?![\w]|,?\d)", lambda m: number(m[0])),
    rule(r"(?<![\w.])\.(\d{1,15})(?!\w)", lambda m: f"point {WORDS.digits(m[1])}"),
]

# --- abbreviations and roman numerals


_SPOKEN_IN_FULL = with_capitals(tables.ABBREVIATIONS)


def _abbreviation(match: re.Match[str]) -> str:
    spoken = _SPOKEN_IN_FULL[match[1]]
    # "1 min." is a measure.
    if match[1].rstrip(".") in tables.UNITS and is_after_digit(match):
        return match[0]
    is_end = match[1] in tables.CAN_END_A_SENTENCE and ends_sentence(match)
    return spoken + "." if is_end else spoken


def _street(match: re.Match[str]) -> str:
    return f"{match[1]} Street{'.' if ends_sentence(match) else ''}"


_ABBREVIATIONS: list[Rule] = [
    # "5 Main St. He left" has a house number, "Mount St. Helens" has none.
    rule(r"(?<!\w)(\d{1,5} [A-Z][a-z]{1,20}) (St)\.", _street),
    rule(r"\b([A-Z][a-z]{1,20}) (St)\.(?=[,;]|\s*\Z| [a-z])", _street),
    table(tables.TITLES, r"\b", r"\.?(?= ?[A-Z]| and (?:Mr|Ms|Dr|Prof))"),
    table(tables.TITLES_WITH_DOT, r"\b", r"\.(?= ?[A-Z])"),
    rule(r"\b(Jr|Sr)\.", lambda m: tables.TITLES[m[1]] + ("." if ends_sentence(m) else "")),
    rule(rf"(?<!\w)({alternatives(tables.NUMBERED)}) ?(?=\d)", lambda m: tables.NUMBERED[m[1]] + " "),
    rule(r"(?<!\w)#(?=[^\W\d])", "hashtag "),
    rule(rf"(?<!\w)({alternatives(_SPOKEN_IN_FULL)})(?!\w)", _abbreviation),
    rule(r"\b(and|either|both)/or\b", r"\1 or"),
    rule(
        rf"\b({alternatives(tables.RULERS)}) {ROMAN}", lambda m: f"{m[1]} the {ordinal(roman(m[2])).title()}"
    ),
    rule(
        rf"(?i:\b({alternatives(tables.NUMBERED_BY_ROMAN)})) {ROMAN}",
        lambda m: f"{m[1]} {cardinal(roman(m[2]))}",
    ),
    rule(r"(?<=[a-z] )(II|III|VII|VIII)\b", lambda m: cardinal(roman(m[1]))),
    rule(r"\bv(?=\d)", "version "),
]

_RULES: list[Rule] = [
    *addresses(WORDS)[:4],
    *_ABBREVIATIONS,
    *DATES,
    *TIMES,
    *addresses(WORDS)[4:],
    *phones(WORDS),
    *YEARS,
    *_AMOUNTS,
    *identifiers(WORDS),
    *capitals(WORDS),
    *symbols(WORDS),
]
