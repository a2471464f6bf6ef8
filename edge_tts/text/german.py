"""German as spoken. `normalize` is all that the rest of the house sees; `_RULES` is the order of things."""

from __future__ import annotations

import re

from edge_tts.text import german_words as tables
from edge_tts.text.addresses import addresses, phones
from edge_tts.text.german_dates import AFTER_TE, AFTER_TEN, DATES, TIMES, YEARS, ending_after
from edge_tts.text.german_numbers import (
    AFTER_UNIT,
    NUMBER,
    START,
    UNIT,
    WORDS,
    cardinal,
    counted,
    full_stop,
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
    """Clean German text as words."""
    return rewrite(text, _RULES)


# --- amounts


def _money(match: re.Match[str]) -> str:
    amount = match["n"]
    name, cent = tables.CURRENCIES[match["c"]]
    whole, _, fraction = (
        (amount.replace(".", "") if "," in amount else amount).replace(".", ",").partition(",")
    )
    if match["x"]:
        one, many = tables.MAGNITUDES[match["x"]]
        spoken = f"{counted(amount, 'f', one, many) if one else f'{number(amount)} {many}'} {name}"
    elif len(fraction) == 2 and cent:
        parts = [] if int(whole) == 0 else [counted(str(int(whole)), "m", name, name)]
        if not parts:
            parts = [counted(str(int(fraction)), "m", cent, cent)]
        elif int(fraction):
            parts.append(cardinal(int(fraction)))
        spoken = " ".join(parts)
    else:
        spoken = counted(amount, "m", name, name)
    return spoken + _per(match) + full_stop(match)


def _per(match: re.Match[str]) -> str:
    return f" pro {tables.UNITS[match['per']][1]}" if match["per"] else ""


def _measure(match: re.Match[str]) -> str:
    return counted(match["n"], *tables.UNITS[match["u"]]) + _per(match)


def _large(match: re.Match[str]) -> str:
    one, many = tables.MAGNITUDES[match["x"]]
    spoken = counted(match["n"], "f", one, many) if one else f"{number(match['n'])} {many}"
    return spoken + full_stop(match)


_PARTS = {2: "halb", 3: "drittel", 4: "viertel", 5: "fünftel", 6: "sechstel", 8: "achtel"}
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
_HALF = {"f": "eine halbe", "n": "ein halbes", "m": "ein halber"}


def _fraction(match: re.Match[str]) -> str:
    whole, top, bottom = match["w"], int(match["t"]), int(match["b"])
    gender, one, many = tables.UNITS.get(match["u"] or "", ("", "", ""))
    if (top, bottom) == (24, 7):
        return "vierundzwanzig sieben"
    if bottom not in _PARTS or top >= bottom:
        link = "von" if top <= bottom else "Schrägstrich"
        spoken = f"{cardinal(top)} {link} {cardinal(bottom)}"
        return (f"{cardinal(int(whole))}, {spoken} {many}" if whole else f"{spoken} {many}").strip()
    part = f"{'ein' if top == 1 else cardinal(top)} {_PARTS[bottom]}"
    if not whole:
        return f"{_HALF[gender]} {one}" if (top, bottom) == (1, 2) and one else f"{part} {one}".strip()
    if (top, bottom) == (1, 2):
        return f"{'ein' if whole == '1' else cardinal(int(whole))}einhalb {many}".strip()
    return f"{cardinal(int(whole))} und {part} {many}".strip()


_FEMININE = r"(?:(?:e|ung|heit|keit|ion|schaft|tät|[Tt]ür|[Pp]erson|[Nn]achricht|[Uu]hr|[Mm]ail)\b)"
_NOUN = r"[A-ZÄÖÜ][a-zäöüß]{0,30}"


def _one(match: re.Match[str]) -> str:
    """ "1 Tür": German counts one with the article; most nouns in -e, -ung, -heit … are feminine."""
    return f"{'eine' if re.search(_FEMININE, match['noun']) else 'ein'} "


def _ordinal_after(match: re.Match[str]) -> str:
    stop = full_stop(match)
    if stop and match["before"].lower() in ("bis", "ab", "seit"):
        return match[0]  # "Von 5 bis 7."
    return f"{match['before']} {ordinal(int(match['d']), ending_after(match['before'], 'r'))}{stop}"


def _ordinal_before(nouns: frozenset[str], ending: str) -> Rule:
    pattern = rf"{START}(\d{{1,3}})\. ?(?={alternatives(nouns)}\b)"
    return rule(pattern, lambda match: ordinal(int(match[1]), ending) + " ")


_CURRENCY = alternatives(tables.CURRENCIES)
_MAGNITUDE = rf"(?: ?(?P<x>{alternatives(tables.MAGNITUDES)})(?!\w))?"
_PER = rf"(?: ?(?:/|pro) ?(?P<per>{UNIT}){AFTER_UNIT})?"
_AMOUNTS: list[Rule] = [
    rule(r"(?<=[lh])/100 ?km\b", " pro hundert Kilometer"),
    rule("[½⅓⅔¼¾⅕⅛⅜⅝]", lambda m: " " + _VULGAR[m[0]]),
    rule(rf"(?<=\d),(?:[-–—]|--)(?= ?{_CURRENCY})", ""),
    rule(r"(?<=\d),(?:[-–—]|--)(?![\w-])", " €"),  # "Das kostet 3,-."
    rule(r"(?<=[€$£\d])/(?=(?:Monat|Woche|Tag|Nacht|Stunde|Minute|Jahr|Person|Stück)\b)", " pro "),
    rule(rf"{START}(\d{{1,3}}) ?%(?=ig)", lambda m: f"{cardinal(int(m[1]))}prozent"),
    rule(rf"{START}(\d{{1,3}})\.(?=,| (?:und|oder|bis) \d{{1,3}}\. )", lambda m: ordinal(int(m[1]))),
    rule(r"(?<=\d) / (?=\d)", " geteilt durch "),
    rule(r"(?<=\d)\^(?=\d)", " hoch "),
    rule(
        r"\b((?i:code|pin|passwort|kennwort|notruf)(?: ist| lautet|:)? )(\d{3,8})(?![\w.,:%]*\w)",
        lambda m: m[1] + WORDS.digits(m[2]),
    ),
    rule(r"(?<=\d) - (?=\d{1,15}(?:,\d{1,9})? =)", " minus "),
    rule(rf"{START}({NUMBER}(?:[°%]C?)?) ?(?:[-–]|\.\.\.?) ?(?=[-−+]?\d)(?!\d+-)", r"\1 bis "),
    rule(r"(?<![\w)\]])[-−–](?=[$€£¥]?\d)", "minus "),
    rule(r"(?<![\w)\]])\+(?=[$€£¥]?\d)", "plus "),
    rule(rf"(?<!\w)(?P<c>{_CURRENCY}) ?(?P<n>{NUMBER}){_MAGNITUDE}{_PER}(?!\w)", _money),
    rule(rf"{START}(?P<n>{NUMBER}){_MAGNITUDE} ?(?P<c>{_CURRENCY}){_PER}(?!\w)", _money),
    rule(rf"{START}(?P<n>{NUMBER}) ?(?P<x>{alternatives(tables.MAGNITUDES)})(?!\w)", _large),
    rule(rf"{START}1/2 (?={_NOUN}(?<=e)\b)", "eine halbe "),
    rule(
        rf"{START}(?:(?P<w>\d{{1,4}}) )?(?P<t>\d{{1,4}})/(?P<b>\d{{1,4}})(?! ?/|[.,]?\d)"
        rf"(?: ?(?P<u>{UNIT}){AFTER_UNIT})?(?!\w)",
        _fraction,
    ),
    rule(rf"(?<=\d )(Std|Min|Sek)\.(?! ?\Z|\n| {alternatives(tables.SENTENCE_STARTERS)}\b)", r"\1"),
    rule(
        rf"{START}(?P<n>{NUMBER})[ -]?(?P<u>{UNIT})(?<!\d[KAB])(?<!\d-[mhsA])(?!\w){_PER}{AFTER_UNIT}",
        _measure,
    ),
    rule(
        rf"\b(?P<before>{AFTER_TEN}|{AFTER_TE}) (?P<d>\d{{1,3}})\.(?=\s|\Z|[,;!?)])",
        _ordinal_after,
    ),
    *(_ordinal_before(nouns, ending) for ending, nouns in tables.ORDINAL_NOUNS.items()),
    rule(
        r"(?<=Version )(\d{1,6})\.(\d{1,6})(?![\w.]*\d)",
        lambda m: f"{WORDS.integer(m[1])} Punkt {WORDS.integer(m[2])}",
    ),
    rule(rf"{START}(\d{{1,5}}) ?[x×] ?(?=\d)", r"\1 mal "),
    rule(
        rf"{START}(\d{{1,5}})(?:x|-?mal)\b", lambda m: f"{'ein' if m[1] == '1' else cardinal(int(m[1]))}mal"
    ),
    rule(rf"{START}(\d{{1,5}})-(?=[a-zäöü]{{2}})", lambda m: "ein" if m[1] == "1" else cardinal(int(m[1]))),
    rule(rf"{START}(\d{{1,3}}):(?=\d{{1,3}}(?![\w:]))", r"\1 zu "),
    rule(rf"{START}1 (?=(?:[a-zäöüß]{{2,20}}(?:e|er|es) )?(?P<noun>{_NOUN}))", _one),
    rule(rf"{START}{NUMBER}(?![\w]|[.,]?\d)", lambda m: number(m[0])),
]

# --- abbreviations and roman numerals


_COUNTABLE = frozenset(tables.UNITS) | frozenset(tables.MAGNITUDES)
_SPOKEN_IN_FULL = with_capitals(tables.ABBREVIATIONS)


def _abbreviation(match: re.Match[str]) -> str:
    # "5 Min." is a measure.
    if match[1].rstrip(".") in _COUNTABLE and is_after_digit(match):
        return match[0]
    stop = full_stop(match) if match[1] in tables.CAN_END_A_SENTENCE else ""
    return _SPOKEN_IN_FULL[match[1]] + stop


def _ruler(article: str, names: frozenset[str]) -> Rule:
    return rule(
        rf"\b({'|'.join(sorted(names))}) {ROMAN}(?:\.|\b)",
        lambda m: f"{m[1]} {article} {ordinal(roman(m[2])).capitalize()}{full_stop(m)}",
    )


_ABBREVIATIONS: list[Rule] = [
    table(tables.TITLES, r"\b", r"\.(?= ?[A-ZÄÖÜ])"),
    rule(rf"(?<!\w)({alternatives(tables.NUMBERED)}) ?(?=\d)", lambda m: tables.NUMBERED[m[1]] + " "),
    rule(r"(?<=[a-zäöüß])str\.", lambda m: f"straße{full_stop(m)}"),
    rule(r"(?<!\w)#(?=[^\W\d])", "Hashtag "),
    rule(rf"(?<!\w)({alternatives(_SPOKEN_IN_FULL)})(?!\w)", _abbreviation),
    rule(r"\b(und|beziehungsweise)/oder\b", r"\1 oder"),
    _ruler("der", tables.KINGS),
    _ruler("die", tables.QUEENS),
    rule(
        rf"\b({alternatives(tables.NUMBERED_BY_ROMAN)}) {ROMAN}\b",
        lambda m: f"{m[1]} {cardinal(roman(m[2]))}",
    ),
    rule(r"(?<=[a-z] )(II|III|VII|VIII)\b", lambda m: cardinal(roman(m[1]))),
    rule(r"\bv(?=\d)", "Version "),
]

_RULES: list[Rule] = [
    *addresses(WORDS)[:4],
    *DATES,
    *_ABBREVIATIONS,
    *TIMES,
    *addresses(WORDS)[4:],
    *phones(WORDS),
    *YEARS,
    *_AMOUNTS,
    *identifiers(WORDS),
    *capitals(WORDS),
    *symbols(WORDS),
]
