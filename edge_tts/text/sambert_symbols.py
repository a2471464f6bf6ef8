"""The alphabet of KAN-TTS' Mandarin voices: each phone with its tone and its place in syllable and word, and marks.

The order of the lists is that of the ids the voices learned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from edge_tts.text import arpabet, pinyin

_PARTS = "a ai an ang ao b c ch d e ei en eng er f g h i ia ian iang iao ie ih ii in ing io iong iou j k l m n o ong "
_PARTS += "ou p q r s sh t u ua uai uan uang uei uen ueng uo v van ve vn xx z zh w y"
_GLOTTAL = "ga ge go"
_ENGLISH = (
    "aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh"
)
_WITH_R = "air angr anr aor ar eir engr enr iangr ianr iaor iar ier ihr iir ingr inr iongr iour ir ongr or our uair "
_WITH_R += "uangr uanr uar ueir uenr uor ur vanr ver vnr vr"
MARKS = ("#1", "#2", "#3", "#4")
"""After a word, a prosodic phrase, a clause, a sentence."""

_SPECIALS = ("_", "~", "[MASK]")


def _of_mandarin(names: str) -> list[str]:
    return [f"{name}_c" for name in names.split()]


PHONES = (
    *_of_mandarin(_PARTS),
    *_GLOTTAL.split(),
    *_ENGLISH.split(),
    *_of_mandarin(_WITH_R),
    "pau",
    *MARKS,
    *_SPECIALS,
)
TONES = ("tone1", "tone_none", "tone4", "tone2", "tone3", "tone5", "tone0", *_SPECIALS)
"""Tone 5 is the neutral one; of English syllables, 1 is stressed and 0 is not."""

SYLLABLE_FLAGS = ("s_begin", "s_end", "s_none", "s_both", "s_middle", *_SPECIALS)
WORD_FLAGS = ("word_begin", "word_end", "word_middle", "word_both", "word_none", *_SPECIALS)
EMOTIONS = (
    *(
        "none",
        "neutral",
        "angry",
        "disgust",
        "fear",
        "happy",
        "sad",
        "surprise",
        "calm",
        "gentle",
        "relax",
        "lyrical",
    ),
    *(
        "serious",
        "disgruntled",
        "satisfied",
        "disappointed",
        "excited",
        "anxiety",
        "jealousy",
        "hate",
        "pity",
    ),
    *("pleasure", "arousal", "dominance", *(f"placeholder{number}" for number in range(1, 10))),
)
_IDS = [
    {name: number for number, name in enumerate(names)}
    for names in (PHONES, TONES, SYLLABLE_FLAGS, WORD_FLAGS)
]

_INITIALS = {"x": "xx"}
_FINALS = {
    "iu": "iou", "ui": "uei", "un": "uen", "ir": "ih", "iz": "ii", "ü": "v", "üan": "van", "üe": "ve", "ün": "vn",
}  # fmt: skip
"""Finals that are written otherwise than in pinyin."""

_OPENERS = frozenset("和与或跟在把被对从向往给为由按将让使用比但而却所因如若即虽并且就都也还又才再已正")
"""Prepositions, conjunctions and adverbs that a prosodic phrase begins with."""

_PHRASE_SYLLABLES = 7
_SHORTEST_PHRASE = 3
MAX_WORD_PHONES = 40
"""A longer word, which only a given pronunciation can be, is cut."""


@dataclass(frozen=True, slots=True)
class Syllable:
    phones: tuple[str, ...]
    tone: int
    """0 to 5, see TONES."""

    hanzi: str = ""

    def __str__(self) -> str:
        return f"{' '.join(self.phones)}{self.tone}"


@dataclass(frozen=True, slots=True)
class Word:
    """What is said without a boundary inside: a word and the particles that lean on it."""

    syllables: tuple[Syllable, ...]
    mark: int = 1
    """1 to 4: the boundary after it, see MARKS."""

    @property
    def n_symbols(self) -> int:
        return sum(len(syllable.phones) for syllable in self.syllables) + 1

    def __str__(self) -> str:
        return f"{' - '.join(map(str, self.syllables))} #{self.mark}"


@dataclass(frozen=True, slots=True)
class Symbol:
    """One step of the acoustic model."""

    phone: str
    tone: str
    syllable_flag: str
    word_flag: str

    @property
    def ids(self) -> tuple[int, ...]:
        """Phone, tone, syllable flag, word flag."""
        names = (self.phone, self.tone, self.syllable_flag, self.word_flag)
        return tuple(ids[name] for ids, name in zip(_IDS, names, strict=True))

    @property
    def is_mark(self) -> bool:
        return self.phone in MARKS


def mandarin(breath: Iterable[Sequence[pinyin.Syllable]]) -> list[Word]:
    """The words of one breath (dictionary words, tones as spoken), the last with mark 1."""
    words: list[list[Syllable]] = []
    for word in breath:
        spoken = [_syllable(each) for each in word]
        if words and (_is_r(word[0]) or (len(word) == 1 and word[0].tone == 5)):
            # Neutral syllables lean on the word before them: 我的, 走了.
            words[-1] += spoken
        else:
            words.append(spoken)
    return _with_phrases([Word(tuple(_with_r(word))) for word in _paired(words)])


def _syllable(syllable: pinyin.Syllable) -> Syllable:
    final = _FINALS.get(syllable.final, syllable.final)
    initial = f"{_INITIALS.get(syllable.initial, syllable.initial)}_c" if syllable.initial else f"g{final[0]}"
    return Syllable((initial, f"{final}_c"), syllable.tone, syllable.hanzi)


def _is_r(syllable: pinyin.Syllable) -> bool:
    return (syllable.initial, syllable.final, syllable.tone) == ("", "er", 5)


def _with_r(word: Sequence[Syllable]) -> Iterator[Syllable]:
    """*word* with every r of 花儿 in the syllable before it, if its final can have one."""
    pending: Syllable | None = None
    for syllable in word:
        if pending is not None and (syllable.phones, syllable.tone) == (("ge", "er_c"), 5):
            final = f"{pending.phones[-1].removesuffix('_c')}r_c"
            if final in _IDS[0] and pending.phones[-1] != "er_c":
                pending = replace(pending, phones=(*pending.phones[:-1], final))
                continue
        if pending is not None:
            yield pending
        pending = syllable
    if pending is not None:
        yield pending


def _paired(words: Sequence[list[Syllable]]) -> list[list[Syllable]]:
    """Neighbours of one syllable form a foot, from the right: 我|很好, 我给|你买."""
    found: list[list[Syllable]] = []
    is_open = False
    for word in reversed(words):
        if is_open and len(word) == 1:
            found[-1] = word + found[-1]
            is_open = False
        else:
            found.append(word)
            is_open = len(word) == 1
    return found[::-1]


def _with_phrases(words: Sequence[Word]) -> list[Word]:
    """Mark 2 where a long run of words has its next natural boundary."""
    lengths = [len(word.syllables) for word in words]
    found: list[Word] = []
    n_said = 0
    for index, word in enumerate(words):
        n_said += lengths[index]
        opens = index + 1 < len(words) and words[index + 1].syllables[0].hanzi in _OPENERS
        is_boundary = n_said >= (_SHORTEST_PHRASE + 1 if opens else _PHRASE_SYLLABLES)
        if is_boundary and sum(lengths[index + 1 :]) >= _SHORTEST_PHRASE:
            found.append(replace(word, mark=2))
            n_said = 0
        else:
            found.append(word)
    return found


def english(symbols: Sequence[str]) -> Word:
    """One word of ARPAbet; only the first degree of stress is known."""
    return Word(tuple(_english_syllable(each) for each in arpabet.syllables(symbols)))


def _english_syllable(symbols: Sequence[str]) -> Syllable:
    return Syllable(
        tuple(each.rstrip("012").lower() for each in symbols), int(any("1" in each for each in symbols))
    )


def spelled(words: Sequence[Word]) -> list[Symbol]:
    """The symbols of *words*, each with its mark behind it."""
    return [symbol for word in words for symbol in _symbols(word)]


def _symbols(word: Word) -> Iterator[Symbol]:
    last = len(word.syllables) - 1
    for number, syllable in enumerate(word.syllables):
        end = len(syllable.phones) - 1
        for index, phone in enumerate(syllable.phones):
            opens, closes = (number, index) == (0, 0), (number, index) == (last, end)
            word_flag = {(True, True): "both", (True, False): "begin", (False, True): "end"}.get(
                (opens, closes), "middle"
            )
            flag = "both" if end == 0 else {0: "begin", end: "end"}.get(index, "middle")
            yield Symbol(phone, f"tone{syllable.tone}", f"s_{flag}", f"word_{word_flag}")
    yield Symbol(f"#{word.mark}", "tone_none", "s_none", "word_none")


def line(symbols: Iterable[Symbol], emotion: str, speaker: str) -> str:
    """As KAN-TTS writes it: `{n_c$tone2$s_begin$word_begin$emotion_neutral$F7} …`."""
    return " ".join(
        f"{{{each.phone}${each.tone}${each.syllable_flag}${each.word_flag}$emotion_{emotion}${speaker}}}"
        for each in symbols
    )


def pieces(words: Sequence[Word], limit: int) -> list[list[Word]]:
    """*words* in as few runs of at most *limit* symbols as there can be, cut at clauses where there are any; each ends
    with mark 4."""
    found: list[list[Word]] = []
    rest = [part for word in words for part in _short(word)]
    while rest:
        end = size = 0
        while end < len(rest) and size + rest[end].n_symbols <= limit:
            size += rest[end].n_symbols
            end += 1
        if end < len(rest):
            end = max(end, 1)
            # A clause, else a phrase, in the second half.
            clauses = [(rest[k - 1].mark, k) for k in range(end // 2 + 1, end + 1) if rest[k - 1].mark > 1]
            end = max(clauses)[1] if clauses else end
        found.append([*rest[: end - 1], replace(rest[end - 1], mark=4)])
        rest = rest[end:]
    return found


def _short(word: Word) -> Iterator[Word]:
    """*word* in parts of at most MAX_WORD_PHONES phones."""
    part: list[Syllable] = []
    for syllable in word.syllables:
        for start in range(0, len(syllable.phones), MAX_WORD_PHONES):
            cut = replace(syllable, phones=syllable.phones[start : start + MAX_WORD_PHONES])
            if part and sum(len(each.phones) for each in (*part, cut)) > MAX_WORD_PHONES:
                yield Word(tuple(part))
                part = []
            part.append(cut)
    yield Word(tuple(part), word.mark)
