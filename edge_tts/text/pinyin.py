"""Mandarin syllables: from characters (in context), from pinyin as written, and to an approximate IPA.

A syllable is an initial and a final as the voices spell them: after j q x y a final that begins with u begins
with ü, the final i is `ir` after zh ch sh r and `iz` after z c s, y and w are initials.
"""

from __future__ import annotations

import functools
import gc
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources

from edge_tts.errors import MarkupError
from edge_tts.text import sandhi
from edge_tts.text.sandhi import NUMERALS, Word

# Interjections without a vowel, the long spellings of textbooks, ê: said with what a voice has.
_SPELLINGS = {"m": "en", "n": "en", "ng": "eng", "hm": "hen", "hng": "heng", "ê": "ei", "r": "er"}
_LONG_FINALS = {"iou": "iu", "uei": "ui", "uen": "un"}
_TONE_MARKS = {"\u0304": 1, "\u0301": 2, "\u030c": 3, "\u0306": 3, "\u0300": 4}

_LETTERS = {
    "A": "ei1", "B": "bi4", "C": "xi1", "D": "di4", "E": "yi4", "F": "ai2 fu5", "G": "ji4", "H": "ei1 chi5",
    "I": "ai4", "J": "zhei4", "K": "kei4", "L": "ai2 lo5", "M": "ai2 mu5", "N": "en1", "O": "ou1", "P": "pi4",
    "Q": "kiu1", "R": "a4 er5", "S": "ai2 si5", "T": "ti4", "U": "you1", "V": "wei1", "W": "da2 bu5 liu5",
    "X": "ai2 ke5 si5", "Y": "wai1", "Z": "zei4",
}  # fmt: skip
"""What Mandarin speakers call the Latin letters."""

_IPA_INITIALS = {
    "zh": "dʒ", "ch": "tʃ", "sh": "ʃ", "b": "b", "p": "p", "m": "m", "f": "f", "d": "d", "t": "t", "n": "n",
    "l": "l", "g": "ɡ", "k": "k", "h": "h", "j": "dʒ", "q": "tʃ", "x": "ʃ", "r": "ɹ", "z": "dz", "c": "ts",
    "s": "s", "y": "j", "w": "w", "": "",
}  # fmt: skip
_IPA_FINALS = {
    "a": "ɑː", "ai": "aɪ", "an": "ɑːn", "ang": "ɑːŋ", "ao": "aʊ", "e": "ə", "ei": "eɪ", "en": "ən", "eng": "əŋ",
    "er": "ɑːɹ", "i": "iː", "ia": "jɑː", "ian": "jɛn", "iang": "jɑːŋ", "iao": "jaʊ", "ie": "jɛ", "in": "iːn",
    "ing": "iːŋ", "iong": "jʊŋ", "ir": "ɚ", "iu": "joʊ", "iz": "ə", "o": "ɔː", "ong": "ʊŋ", "ou": "oʊ", "u": "uː",
    "ua": "wɑː", "uai": "waɪ", "uan": "wɑːn", "uang": "wɑːŋ", "ui": "weɪ", "un": "wən", "uo": "wɔː", "ü": "yː",
    "üan": "yɛn", "üe": "yɛ", "ün": "yːn",
}  # fmt: skip
"""Near sounds that voices of English and German know; no tones."""

INITIALS = tuple(initial for initial in _IPA_INITIALS if initial)
"""Two letters before one: "zh" before "z"."""

FINALS = frozenset(_IPA_FINALS)
_ALONE = frozenset({"a", "ai", "an", "ang", "ao", "e", "ei", "en", "eng", "er", "o", "ou"})
"""Finals that need no initial."""


@dataclass(frozen=True, slots=True)
class Syllable:
    initial: str
    """"" or one of INITIALS."""

    final: str
    """One of FINALS."""

    tone: int
    """1 to 5; 5 is neutral."""

    hanzi: str = ""
    """The character it was read from; "" if it was written in pinyin."""


def parse(written: str) -> Syllable:
    """One syllable of pinyin: "hao4", "hào", "lv3", "lu:3"; no tone is the neutral one. Raises MarkupError."""
    letters, tone = _without_tone(written)
    initial, final = _split(_SPELLINGS.get(letters, letters))
    if not tone or final not in (FINALS if initial else _ALONE):
        raise MarkupError(f"{written!r} is no pinyin syllable; expected one such as hao4, hào or lü3")
    return Syllable(initial, final, tone)


def parse_tagged(groups: Sequence[str]) -> list[Syllable]:
    """The syllables of inline tags, each a syllable or an initial followed by its final: ["h", "ào"].

    A spoken r at the end ("huār") is a syllable of its own. Raises MarkupError.
    """
    written = []
    pending = ""
    for group in groups:
        if group.lower() in INITIALS and not pending:
            pending = group
        else:
            written.append(pending + group)
            pending = ""
    return [syllable for each in [*written, pending] if each for syllable in _with_spoken_r(each)]


def to_symbols(syllables: Sequence[Syllable]) -> str:
    """As written in a Pronunciation: "hua1 er5"; `parse` reads each part back."""
    plain = {"ir": "i", "iz": "i"}
    return " ".join(f"{each.initial}{plain.get(each.final, each.final)}{each.tone}" for each in syllables)


def to_ipa(symbols: str) -> str:
    """An approximation of pinyin ("hao4 ma5") in the sounds of European voices: "hˈaʊmɑː".

    Tones are lost, neutral syllables unstressed. Raises MarkupError.
    """
    return "".join(_one_to_ipa(parse(written)) for written in symbols.split())


def syllables(text: str) -> list[Syllable]:
    """The syllables of *text* as spoken, tone sandhi included. Latin letters are spelled.

    Anything but Chinese characters and letters says nothing and ends a breath: no tone acts across it.
    See `unreadable` for what cannot be said.
    """
    return [syllable for breath in words(text) for word in breath for syllable in word]


def words(text: str) -> list[list[list[Syllable]]]:
    """The same as breaths of words (of the dictionary; else single characters) of syllables."""
    return [_read_breath(breath) for breath in _breaths(text)]


def unreadable(text: str) -> str:
    """The letters and digits of *text* that `syllables` passes over."""
    return "".join(c for c in text if unicodedata.category(c)[0] in "LN" and not _is_said(c))


def _with_spoken_r(written: str) -> list[Syllable]:
    letters, tone = _without_tone(written)
    if len(letters) <= 2 or not letters.endswith("r"):
        return [parse(written)]
    return [parse(f"{letters.removesuffix('r')}{tone}"), Syllable("", "er", 5)]


def _without_tone(written: str) -> tuple[str, int]:
    """The letters in lower case with ü for v and u:, and the tone; 0 if there is something wrong with it."""
    tone: int | None = None
    letters = ""
    for character in unicodedata.normalize("NFD", written.lower().replace("u:", "ü").replace("v", "ü")):
        if character in _TONE_MARKS:
            tone = 0 if tone is not None else _TONE_MARKS[character]
        elif character.isdecimal():
            # "ha4o" has its number in the wrong place, "hao45" and "hào4" have two tones.
            is_wrong = tone is not None or not written.endswith(character) or int(character) > 5
            tone = 0 if is_wrong else int(character) or 5
        else:
            letters += character
    return unicodedata.normalize("NFC", letters), 5 if tone is None else tone


def _split(letters: str) -> tuple[str, str]:
    initial = next((each for each in INITIALS if letters.startswith(each)), "")
    final = letters.removeprefix(initial)
    final = _LONG_FINALS.get(final, final)
    if (initial in tuple("jqxy") and final.startswith("u")) or (initial in tuple("nl") and final == "ue"):
        final = "ü" + final[1:]
    elif final == "i" and initial in ("zh", "ch", "sh", "r"):
        final = "ir"
    elif final == "i" and initial in ("z", "c", "s"):
        final = "iz"
    elif final in ("ir", "iz"):
        final = ""  # ours, not pinyin
    return initial, final


def _one_to_ipa(syllable: Syllable) -> str:
    initial, final = _IPA_INITIALS[syllable.initial], _IPA_FINALS[syllable.final]
    # "yi", "yin", "yu": the y is only spelling; "you" is j + ou.
    if syllable.initial in ("y", "w") and final[0] in "iyu":
        initial = ""
    stress = "" if syllable.tone == 5 else "ˈ"
    vowel = next(index for index, sound in enumerate(final) if sound not in "jw")
    return initial + final[:vowel] + stress + final[vowel:]


def _is_said(character: str) -> bool:
    return character.upper() in _LETTERS or bool(_dictionary().read(character))


def _breaths(text: str) -> Iterator[str]:
    breath = ""
    for character in text:
        if _is_said(character):
            breath += character
        elif breath:
            yield breath
            breath = ""
    if breath:
        yield breath


def _read_breath(breath: str) -> list[list[Syllable]]:
    found: list[list[Syllable]] = []
    chinese: list[str] = []

    def finish() -> None:
        found.extend(_read_words(chinese))
        chinese.clear()

    for word in _dictionary().cut(breath):
        if word.upper() in _LETTERS:
            finish()
            found.append([parse(each) for each in _LETTERS[word.upper()].split()])
        else:
            chinese.append(word)
    finish()
    return found


def _read_words(words: Sequence[str]) -> list[list[Syllable]]:
    parsed = [[parse(each) for each in _in_context(words, index)] for index in range(len(words))]
    written = [Word(word, tuple(each.tone for each in one)) for word, one in zip(words, parsed, strict=True)]
    tones = iter(sandhi.in_context(written))
    return [
        [replace(each, tone=next(tones), hanzi=hanzi) for each, hanzi in zip(one, word, strict=True)]
        for word, one in zip(words, parsed, strict=True)
    ]


def _in_context(words: Sequence[str], index: int) -> list[str]:
    """The reading of one word; a few particles depend on their neighbours."""
    word = words[index]
    before = words[index - 1] if index else ""
    after = words[index + 1] if index + 1 < len(words) else ""
    if word == "得" and before:
        # 我得走 is "must"; 跑得快 is a particle.
        return ["dei3" if before[-1] in "我你您他她它们" else "de5"]
    if word == "地" and after and (len(before) > 1 or before in words[max(0, index - 2) : index - 1]):
        return ["de5"]  # 高兴地说, 慢慢地走; but 这块地
    if word in ("只", "行") and before and (before[-1] in NUMERALS or before[-1] in "这那每第"):
        return ["zhi1" if word == "只" else "hang2"]
    if word == "为" and (after[:1] in NUMERALS or before[-1:] in frozenset("度态式率值量数名号色")):
        return ["wei2"]  # 温度为五度; but 为您
    if word == "长":
        return ["zhang3" if after[:1] in frozenset("高胖满在出成着") else "chang2"]
    return _dictionary().read(word)


@dataclass(frozen=True)
class _Dictionary:
    """Words, and their readings separated by spaces."""

    words: Mapping[str, str]
    """Of two characters and more."""

    characters: Mapping[str, str]
    longest: int
    """Characters of the longest word."""

    def cut(self, text: str) -> Iterator[str]:
        """The longest known words of *text*, from left to right; the rest as single characters."""
        start = 0
        while start < len(text):
            lengths = range(min(self.longest, len(text) - start), 1, -1)
            length = next((n for n in lengths if text[start : start + n] in self.words), 1)
            yield text[start : start + length]
            start += length

    def read(self, word: str) -> list[str]:
        """One syllable for each character; [] if it is none with a reading."""
        return (self.words.get(word) or self.characters.get(word, "")).split()


@functools.cache
def _dictionary() -> _Dictionary:
    """Loaded at the first Chinese text, in 0.2 s."""
    table = _pypinyins_table()
    # Only now: what must be kept would sit between what is thrown away, and no memory would be given back.
    gc.collect()
    words: dict[str, str] = {}
    characters: dict[str, str] = {}
    for word, reading in _entries(table):
        (words if len(word) > 1 else characters)[word] = reading
    words |= _own_readings()
    return _Dictionary(words, characters, max(map(len, words)))


def _pypinyins_table() -> str:
    """pypinyin's readings as lines; as its own objects they take 50 MB, so these are let go at once."""
    from pypinyin.constants import PHRASES_DICT, PINYIN_DICT

    words = (f"{word} {' '.join(each[0] for each in readings)}" for word, readings in PHRASES_DICT.items())
    characters = (f"{chr(code)} {readings.split(',')[0]}" for code, readings in PINYIN_DICT.items())
    table = "\n".join([*words, *characters])
    for name in [name for name in sys.modules if name.split(".")[0] == "pypinyin"]:
        del sys.modules[name]
    return table


def _entries(table: str) -> Iterator[tuple[str, str]]:
    for line in table.split("\n"):
        word, reading = line.split(maxsplit=1)
        yield word, sys.intern(reading)


def _own_readings() -> dict[str, str]:
    table = resources.files("edge_tts.text").joinpath("readings_zh.txt").read_text(encoding="utf-8")
    return dict(_entries("\n".join(line for line in table.splitlines() if line and line[0] != "#")))
