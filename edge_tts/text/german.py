"""German as spoken. `normalize` is all that the rest of the house sees; `_RULES` is the order of things."""

from __future__ import annotations

import re

from num2words import num2words

from edge_tts.text import german_words as tables
from edge_tts.text.rules import (
    ACRONYMS,
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
    ROMAN,
    rule,
    symbols,
    table,
)

_NUMBER = (
    r"(?:\d{1,3}(?:\.\d{3}){1,5}(?!\.?\d)(?:,\d{1,15})?"
    r"|\d{1,15}(?!\d)(?:,\d{1,15}|\.(?:\d{1,2}|\d{4,9})(?![\d.]*\d))?)"
)
_START = r"(?<![\w.,:])(?<![^\W\d_][-–])"
"""A number starts here: not in the middle of one, nor of a name ("CO2", "COVID-19")."""

_MONTH = f"(?:{'|'.join(tables.MONTHS)}|Jänner)"
_UNIT = alternatives(tables.UNITS)
_AFTER_UNIT = r"(?![\w²³°%]|-\w)"
_SENTENCE_START = re.compile(rf"""["“')\]]?(?:\Z|\n|\s+["„]?(?:{"|".join(tables.SENTENCE_STARTERS)})\b)""")


def normalize(text: str) -> str:
    """Clean German text as words."""
    return rewrite(text, _RULES)


def cardinal(value: int) -> str:
    # espeak-ng loses the stress of "zweitausendsechsundzwanzig" written as one word.
    return re.sub(r"(hundert|tausend)(?=\w)(?!tausend|st)", r"\1 ", str(num2words(value, lang="de")))


def ordinal(value: int, ending: str = "") -> str:
    """ "dritte" plus *ending*: "n", "r", "s"."""
    spoken = str(num2words(value, lang="de", to="ordinal"))
    return re.sub(r"(hundert|tausend)(?=\w)(?!tausend|st)", r"\1 ", spoken) + ending


def year(value: int) -> str:
    if not 1100 <= value < 2000:
        return cardinal(value)
    rest = f" {cardinal(value % 100)}" if value % 100 else ""
    return f"{cardinal(value // 100)}hundert{rest}"


def number(written: str) -> str:
    """A written number: "1.234,5", "21.5" as sensors write it, "007" digit by digit."""
    if "," not in written and not re.fullmatch(r"\d{1,3}(?:\.\d{3})+", written):
        written = written.replace(".", ",")
    whole, _, fraction = written.replace(".", "").partition(",")
    if len(whole) > 1 and whole[0] == "0":
        spoken = _WORDS.digits(whole)
    else:
        spoken = cardinal(int(whole)) if "." in written else _WORDS.integer(whole)
    return f"{spoken} Komma {_WORDS.digits(fraction)}" if fraction else spoken


_WORDS = Words(
    cardinal=cardinal,
    decimal=number,
    groups=".",
    signs=tables.SIGNS,
    point="Punkt",
    symbols=tables.SYMBOLS,
    acronyms=ACRONYMS | tables.ACRONYMS,
    spelled=SPELLED | tables.SPELLED,
    short_words=tables.SHORT_WORDS,
)


def _counted(written: str, gender: str, one: str, many: str) -> str:
    if written == "1":
        return f"{'eine' if gender == 'f' else 'ein'} {one}"
    return f"{number(written)} {many}"


def _stop(match: re.Match[str]) -> str:
    """The full stop, if the dot that ends the match is one too."""
    return "." if match[0].endswith(".") and is_followed_by(match, _SENTENCE_START) else ""


# --- dates and times

_AFTER_TEN = r"(?:[Aa]m|[Vv]om|[Zz]um|[Bb]eim|[Ii]m|[Dd]em|[Dd]en|[Dd]es|[Aa]b|[Bb]is|[Ss]eit|[Jj]eden|[Zz]ur)"
_AFTER_TE = r"(?:[Dd]er|[Dd]ie|[Dd]as|[Jj]ede|[Ee]ine)"
_DAY = rf"(?:\b(?P<before>{_AFTER_TEN}|{_AFTER_TE})(?P<weekday> [A-Z][a-z]{{2,9}}tag,?| Mittwoch,?)? )?{_START}(?P<d>\d{{1,2}})\."


def _ending(before: str | None, alone: str) -> str:
    if before is None:
        return alone
    return "n" if re.fullmatch(_AFTER_TEN, before) else ""


def _day(match: re.Match[str]) -> str:
    before = f"{match['before']}{match['weekday'] or ''} " if match["before"] else ""
    return before + ordinal(int(match["d"]), _ending(match["before"], "r"))


def _date(match: re.Match[str]) -> str:
    day, month = int(match["d"]), int(match["m"])
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return match[0]
    spoken = f"{_day(match)} {tables.MONTHS[month - 1]}"
    if not match["y"]:
        return spoken + _stop(match)
    return f"{spoken} {year(int(match['y']) + (2000 if len(match['y']) == 2 else 0))}"


def _pair(match: re.Match[str]) -> str:
    ending = _ending(match["before"], "r")
    second = "n" if match["link"] == "bis" else ending
    return f"{_day(match)} {match['link']} {ordinal(int(match['d2']), second)} "


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
    if match["s"]:
        spoken += f" und {_counted(str(int(match['s'])), 'f', 'Sekunde', 'Sekunden')}"
    return spoken


_DATES: list[Rule] = [
    table(tables.MONTH_ABBREVIATIONS, r"(?<=\d\. )", r"\b\.?"),
    rule(rf"\b({alternatives(tables.DAYS)})(?:\.,?|,) ?(?=\d)", lambda m: f"{tables.DAYS[m[1]]}, "),
    rule(
        rf"\b({alternatives(tables.DAYS)})\.?\s?[-–]\s?({alternatives(tables.DAYS)})\b\.?",
        lambda m: f"{tables.DAYS[m[1]]} bis {tables.DAYS[m[2]]}",
    ),
    rule(r"(?<=\d)T(?=\d\d:\d\d)", " "),
    rule(rf"{_START}(?P<y>\d{{4}})-(?P<m>\d\d)-(?P<d>\d\d)(?![\d-])", _iso_date),
    rule(rf"{_DAY} ?(?P<link>bis|und|oder|[-–]) ?(?P<d2>\d{{1,2}})\. ?(?={_MONTH})", _pair),
    rule(rf"{_DAY} ?(?P<m>\d\d?)\.(?: ?(?P<y>\d{{4}}|\d\d)(?![\d.:]*\d))?(?!\d)", _date),
    rule(rf"{_DAY} ?(?={_MONTH})", lambda m: f"{_day(m)} "),
    rule(rf"\b({_MONTH}),? ([12]\d{{3}})\b", lambda m: f"{m[1]} {year(int(m[2]))}"),
]
_TIMES: list[Rule] = [
    rule(r"(?<=\d[:.]\d\d)( ?Uhr)? ?[-–] ?(?=\d\d?[:.]\d\d)", r"\1 bis "),
    rule(r"(?<![\w.,:])(\d\d?) ?[-–] ?(?=\d\d?(?:[:.]\d\d)? ?Uhr)", r"\1 bis "),
    rule(r"(?<![\w.,:])(?P<h>\d\d?)\.(?P<m>[0-5]\d)(?P<s>) Uhr\b", _time),
    rule(r"(?<![\w.,:])(?P<h>\d\d?):(?P<m>\d\d)(?::(?P<s>\d\d))?(?:\.\d{1,6})?(?: ?(?:Uhr|h|Z)\b)?(?![\w:])", _time),
    rule(r"(?<![\w.,:])1 Uhr\b", "ein Uhr"),
]

_YEAR_BEFORE = (
    r"(?:[Jj]ahr(?:e|en|es|s)?|[Ss]eit|[Vv]on|[Bb]is|[Aa]nno|Sommer|Winter|Herbst|Frühjahr|Frühling|Ende|Anfang|Mitte"
    r"|[Aa]b|Baujahr|[Ii]n|©|\() ?"
)
_YEARS: list[Rule] = [
    rule(rf"{_START}(\d{{2,4}})er\b", lambda m: year(int(m[1])) + "er"),
    rule(
        r"(?<![\w.,:])(1[1-9]\d\d|20\d\d) ?(?:[-–]|bis) ?(1[1-9]\d\d|20\d\d)(?![\w,.-]?\d)",
        lambda m: f"{year(int(m[1]))} bis {year(int(m[2]))}",
    ),
    rule(
        rf"\b({_YEAR_BEFORE})(1[1-9]\d\d)(?![\w%°€$£]|[.,:/-]\d| ?{_UNIT}{_AFTER_UNIT}| (?!n\. Chr)[A-Z])",
        lambda m: m[1] + year(int(m[2])),
    ),
]

# --- amounts


def _money(match: re.Match[str]) -> str:
    amount = match["n"]
    name, cent = tables.CURRENCIES[match["c"]]
    whole, _, fraction = (amount.replace(".", "") if "," in amount else amount).replace(".", ",").partition(",")
    if match["x"]:
        one, many = tables.MAGNITUDES[match["x"]]
        spoken = f"{_counted(amount, 'f', one, many) if one else f'{number(amount)} {many}'} {name}"
    elif len(fraction) == 2 and cent:
        parts = [] if int(whole) == 0 else [_counted(str(int(whole)), "m", name, name)]
        if not parts:
            parts = [_counted(str(int(fraction)), "m", cent, cent)]
        elif int(fraction):
            parts.append(cardinal(int(fraction)))
        spoken = " ".join(parts)
    else:
        spoken = _counted(amount, "m", name, name)
    return spoken + _per(match)


def _per(match: re.Match[str]) -> str:
    return f" pro {tables.UNITS[match['per']][1]}" if match["per"] else ""


def _measure(match: re.Match[str]) -> str:
    return _counted(match["n"], *tables.UNITS[match["u"]]) + _per(match)


def _large(match: re.Match[str]) -> str:
    one, many = tables.MAGNITUDES[match["x"]]
    spoken = _counted(match["n"], "f", one, many) if one else f"{number(match['n'])} {many}"
    return spoken + _stop(match)


_PARTS = {2: "halb", 3: "drittel", 4: "viertel", 5: "fünftel", 6: "sechstel", 8: "achtel"}
_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8"}
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
_NOUN = rf"[A-ZÄÖÜ][a-zäöüß]{{0,30}}"


def _one(match: re.Match[str]) -> str:
    """ "1 Tür": German counts one with the article; most nouns in -e, -ung, -heit … are feminine."""
    return f"{'eine' if re.search(_FEMININE, match['noun']) else 'ein'} "


_CURRENCY = alternatives(tables.CURRENCIES)
_MAGNITUDE = rf"(?: ?(?P<x>{alternatives(tables.MAGNITUDES)})(?!\w))?"
_PER = rf"(?: ?(?:/|pro) ?(?P<per>{_UNIT}){_AFTER_UNIT})?"
_AMOUNTS: list[Rule] = [
    rule("[½⅓⅔¼¾⅕⅛⅜⅝]", lambda m: " " + _VULGAR[m[0]]),
    rule(r"(?<=\d) - (?=\d{1,15}(?:,\d{1,9})? =)", " minus "),
    rule(rf"{_START}({_NUMBER}(?:[°%]C?)?) ?(?:[-–]|\.\.\.?) ?(?=[-−+]?\d)(?!\d+-)", r"\1 bis "),
    rule(r"(?<![\w)\]])[-−–](?=[$€£¥]?\d)", "minus "),
    rule(r"(?<![\w)\]])\+(?=[$€£¥]?\d)", "plus "),
    rule(rf"(?<!\w)(?P<c>{_CURRENCY}) ?(?P<n>{_NUMBER}){_MAGNITUDE}{_PER}(?!\w)", _money),
    rule(rf"{_START}(?P<n>{_NUMBER}){_MAGNITUDE} ?(?P<c>{_CURRENCY}){_PER}(?!\w)", _money),
    rule(rf"{_START}(?P<n>{_NUMBER}) ?(?P<x>{alternatives(tables.MAGNITUDES)})(?!\w)", _large),
    rule(rf"{_START}1/2 (?={_NOUN}(?<=e)\b)", "eine halbe "),
    rule(
        rf"{_START}(?:(?P<w>\d{{1,4}}) )?(?P<t>\d{{1,4}})/(?P<b>\d{{1,4}})(?! ?/|[.,]?\d)"
        rf"(?: ?(?P<u>{_UNIT}){_AFTER_UNIT})?(?!\w)",
        _fraction,
    ),
    rule(rf"(?<=\d )(Std|Min|Sek)\.(?! ?\Z|\n| (?:{'|'.join(tables.SENTENCE_STARTERS)})\b)", r"\1"),
    rule(rf"{_START}(?P<n>{_NUMBER})[ -]?(?P<u>{_UNIT})(?<!\dK)(?<!\d-[mhsA])(?!\w){_PER}{_AFTER_UNIT}", _measure),
    rule(
        rf"\b(?P<before>{_AFTER_TEN}|{_AFTER_TE}) (?P<d>\d{{1,3}})\.(?=\s|\Z|[,;!?)])",
        lambda m: f"{m['before']} {ordinal(int(m['d']), _ending(m['before'], 'r'))}{_stop(m)}",
    ),
    *(
        rule(rf"{_START}(\d{{1,3}})\. ?(?=(?:{'|'.join(nouns.split())})\b)", lambda m, e=ending: ordinal(int(m[1]), e) + " ")
        for ending, nouns in tables.ORDINAL_NOUNS.items()
    ),
    rule(rf"(?<=Version )(\d{{1,6}})\.(\d{{1,6}})(?![\w.]*\d)", lambda m: f"{_WORDS.integer(m[1])} Punkt {_WORDS.integer(m[2])}"),
    rule(rf"{_START}(\d{{1,5}}) ?[x×] ?(?=\d)", r"\1 mal "),
    rule(rf"{_START}(\d{{1,5}})(?:x|-?mal)\b", lambda m: f"{'ein' if m[1] == '1' else cardinal(int(m[1]))}mal"),
    rule(rf"{_START}(\d{{1,5}})-(?=[a-zäöü]{{2}})", lambda m: "ein" if m[1] == "1" else cardinal(int(m[1]))),
    rule(rf"{_START}(\d{{1,3}}):(?=\d{{1,3}}(?![\w:]))", r"\1 zu "),
    rule(rf"{_START}1 (?=(?:[a-zäöüß]{{2,20}}(?:e|er|es) )?(?P<noun>{_NOUN}))", _one),
    rule(rf"{_START}{_NUMBER}(?![\w]|[.,]?\d)", lambda m: number(m[0])),
]

# --- abbreviations and roman numerals


def _abbreviation(match: re.Match[str]) -> str:
    return tables.ABBREVIATIONS[match[1]] + _stop(match)


def _ruler(article: str, names: str) -> Rule:
    return rule(
        rf"\b({'|'.join(names.split())}) {ROMAN}(?:\.|\b)",
        lambda m: f"{m[1]} {article} {ordinal(roman(m[2])).capitalize()}{_stop(m)}",
    )


_ABBREVIATIONS: list[Rule] = [
    table(tables.TITLES, r"\b", r"\.(?= ?[A-ZÄÖÜ])"),
    table(tables.NUMBERED, r"(?<!\w)", r" ?(?=\d)"),
    rule(r"(?<=[a-zäöüß])str\.", lambda m: f"straße{_stop(m)}"),
    rule(r"(?<!\w)#(?=[^\W\d])", "Hashtag "),
    rule(rf"(?<!\w)({alternatives(tables.ABBREVIATIONS)})(?!\w)", _abbreviation),
    rule(r"\b(und|beziehungsweise)/oder\b", r"\1 oder"),
    _ruler("der", tables.KINGS),
    _ruler("die", tables.QUEENS),
    rule(rf"\b({alternatives(tables.NUMBERED_BY_ROMAN)}) {ROMAN}\b", lambda m: f"{m[1]} {cardinal(roman(m[2]))}"),
    rule(r"\bv(?=\d)", "Version "),
]

_RULES: list[Rule] = [
    *addresses(_WORDS)[:4],
    *_DATES,
    *_ABBREVIATIONS,
    *_TIMES,
    *addresses(_WORDS)[4:],
    *phones(_WORDS),
    *_YEARS,
    *_AMOUNTS,
    *identifiers(_WORDS),
    *capitals(_WORDS),
    *symbols(_WORDS),
]
