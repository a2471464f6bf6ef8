"""Japanese as spoken. `normalize` writes out what Open JTalk reads wrong; `phones` and `katakana` are its reading.

Reading needs the extra `japanese`: hundreds of MB of dictionaries, not for a house without Japanese.
"""

from __future__ import annotations

import re
from typing import Any

from edge_tts.errors import UnsupportedPronunciationError
from edge_tts.text.chinese import HAN
from edge_tts.text.rules import Rule, alternatives, rewrite, rule

MARKS = re.compile(r"((?:[。！？、，…!?\s]|(?<!\d)[,.]|[,.](?!\d))+)")
"""What sentences are divided by, but not numbers; Open JTalk would make pauses of it all."""

_KANJI = re.compile(f"[{HAN}々]")
_CURRENCIES = {"¥": "円", "￥": "円", "$": "ドル", "€": "ユーロ", "£": "ポンド"}
_ALONE = r"(?<![A-Za-z\d.,:/-])"
_END = r"(?![A-Za-z\d:/-]|[.,]\d)"
_HALF = r"(?P<{0}>[AaPp]\.?[Mm]\.?)"
_PAUSE = "、"
_DOORS = (
    "ドア", "扉", "戸", "窓", "玄関", "門", "ゲート", "シャッター", "ガレージ", "カーテン", "ブラインド", "鍵",
    "冷蔵庫", "冷凍庫", "引き出し", "蓋", "ふた", "ポスト",
)  # fmt: skip


def normalize(text: str) -> str:
    """Clean Japanese text with what is said for figures and signs."""
    return rewrite(text, _RULES)


def phones(text: str) -> list[str]:
    """Open JTalk's phones, devoiced vowels in capitals, "pau" for a pause. Raises UnsupportedPronunciationError."""
    return str(_reader().g2p(text)).split()


def katakana(text: str) -> str:
    """*text* as it sounds, words apart, marks as they were: は the particle becomes ワ. Without the extra kana stay as
    they are; raises UnsupportedPronunciationError if there are kanji."""
    try:
        reader = _reader()
    except UnsupportedPronunciationError:
        if _KANJI.search(text):
            raise
        return text
    return "".join(part if MARKS.fullmatch(part) else _katakana(reader, part) for part in MARKS.split(text))


def _katakana(reader: Any, text: str) -> str:
    # "’" is behind a devoiced syllable.
    words = " ".join(word["pron"].replace("’", "") for word in reader.run_frontend(text))
    return words.replace(f" {_PAUSE} ", _PAUSE).strip(f"{_PAUSE} ")


def _reader() -> Any:
    try:
        import pyopenjtalk
    except ModuleNotFoundError as error:
        raise UnsupportedPronunciationError(
            "Japanese is read by pyopenjtalk, which is not installed: pip install 'edge-tts-appliance[japanese]'"
        ) from error
    return pyopenjtalk


def _date(match: re.Match[str]) -> str:
    if not _is_day(match["m"], match["d"]):
        return match[0]
    return f"{match['y']}年{int(match['m'])}月{int(match['d'])}日"


def _day_or_fraction(match: re.Match[str]) -> str:
    # "11/21" is a day, "1/2" a half.
    if _is_day(match["m"], match["d"]) and len(match["d"]) == 2:
        return f"{int(match['m'])}月{int(match['d'])}日"
    return f"{match['d']}分の{match['m']}"


def _is_day(month: str, day: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def _time(match: re.Match[str]) -> str:
    hour, minute, second = (int(match[name] or 0) for name in ("h", "m", "s"))
    # Shops are open until 26:00.
    if hour > 29 or minute > 59 or second > 59:
        return match[0]
    half = (match["before"] or match["after"] or "")[:1].lower()
    spoken = {"a": "午前", "p": "午後"}.get(half, "") + f"{hour or '零'}時"
    if minute or second:
        spoken += f"{minute}分"
    return spoken + (f"{second}秒" if second else "")


_RULES: list[Rule] = [
    # アク; only flowers and shops ヒラク.
    rule(rf"({alternatives(_DOORS)}[がはもの])開(?=[いかきくけこ])", r"\1あ"),
    rule(rf"{_ALONE}(?P<y>\d{{4}})([-/])(?P<m>\d\d?)\2(?P<d>\d\d?){_END}", _date),
    rule(rf"{_ALONE}(?P<m>\d\d?)/(?P<d>\d\d?){_END}", _day_or_fraction),
    rule(
        rf"{_ALONE}(?:{_HALF.format('before')} ?)?(?P<h>\d\d?)[:：](?P<m>\d\d)(?:[:：](?P<s>\d\d))?"
        rf"(?: ?{_HALF.format('after')}(?![A-Za-z]))?{_END}",
        _time,
    ),
    # Versions and addresses have no thousands.
    rule(r"(?<![\d.])\d++(?:\.\d++){2,}", lambda match: match[0].replace(".", "点")),
    rule(r"([¥￥$€£])(\d[\d,]*+(?:\.\d++)?)", lambda match: match[2] + _CURRENCIES[match[1]]),
    rule(r"(?<=[\d%％℃度円秒分時日週月年人回階個])\s?[〜～~]\s?(?=\d)", "から"),
    rule(r"(?<![A-Za-z\d.)）\]])[-−–－](?=\d)", "マイナス"),
    rule(r"(?<![A-Za-z\d.)）\]])[+＋](?=\d)", "プラス"),
    rule(r"(?<=\d) ?°C?(?![A-Za-z])", "度"),
]
