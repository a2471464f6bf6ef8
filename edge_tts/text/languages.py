"""Which language a stretch of text is in, as far as its script shows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from edge_tts.text.chinese import HAN, UNITS
from edge_tts.text.rules import alternatives

_KANA = re.compile(r"[\u3041-\u30fa\u30fd-\u30ff\u31f0-\u31ff]")
_SENTENCE_END = re.compile(r"(?<=[。！？!?\n])")
_KANA_OR_HANGUL = re.compile(r"[\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af]")
# "3种" is Chinese, number and all; "21.5 km" is read in the language around it.
_NUMBER = r"(?<![\d.,:/%-])[-−]?\d[\d.,:/%-]*+"
# Chinese has no spaces: "5kg大米".
_UNIT = rf"(?:{alternatives(UNITS)}|°[CF])(?!(?![{HAN}])[^\W\d_])"
_TOKEN = re.compile(
    rf"(?P<chinese>(?:{_NUMBER} ?)?[{HAN}]++)"
    rf"|(?P<neutral>{_NUMBER} ?{_UNIT})"
    # A Latin word keeps its digits, dots and hyphens: USB3, Wi-Fi, www.example.com/a1.
    rf"|(?P<latin>(?![{HAN}])[^\W\d_](?:(?![{HAN}])[\w'’]|[./:@&+-](?=[A-Za-z0-9]))*+)",
)


def primary(language: str) -> str:
    """The primary subtag: "zh-CN" → "zh"."""
    return language.replace("_", "-").split("-")[0].lower()


def closest(language: str, tags: Sequence[str]) -> str | None:
    """The entry of *tags* that is *language*, or at least shares its primary subtag."""
    lowered = language.lower().replace("_", "-")
    same = (tag for tag in tags if tag.lower() == lowered)
    return next(same, None) or next((tag for tag in tags if primary(tag) == primary(language)), None)


def by_script(text: str, default: str, available: Sequence[str]) -> list[tuple[str, str]]:
    """Runs of *text* with their primary language; joined, the runs are *text*.

    Chinese characters are "zh" if that is *available* (language tags); digits, spaces and punctuation go with
    what they stand beside. Latin words inside a Chinese *default* are in the first other available language. A sentence
    with kana is "ja", if that is available.
    """
    home = primary(default)
    languages = [primary(language) for language in available]
    if "ja" not in languages or home == "ja":
        return _by_script(text, home, languages)
    runs: list[tuple[str, str]] = []
    for has_kana, parts in itertools.groupby(
        _SENTENCE_END.split(text), lambda part: bool(_KANA.search(part))
    ):
        together = "".join(parts)
        runs += [(together, "ja")] if has_kana else _by_script(together, home, languages)
    return runs


def _by_script(text: str, home: str, languages: Sequence[str]) -> list[tuple[str, str]]:
    # In Japanese and Korean, Chinese characters are no Chinese.
    is_other = home in ("ja", "ko") or (home != "zh" and _KANA_OR_HANGUL.search(text))
    if "zh" not in languages or is_other:
        return [(text, home)] if text else []
    latin = home if home != "zh" else next((each for each in languages if each != "zh"), "zh")
    runs: list[tuple[str, str]] = []
    start = 0
    language: str | None = None
    for match in _TOKEN.finditer(text):
        spoken_in = {"chinese": "zh", "latin": latin}.get(match.lastgroup or "")
        if spoken_in is None or spoken_in == language:
            continue
        if language is not None:
            runs.append((text[start : match.start()], language))
            start = match.start()
        language = spoken_in
    if start < len(text):
        runs.append((text[start:], language or home))
    return runs
