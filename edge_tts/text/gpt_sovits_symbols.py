"""The alphabet of GPT-SoVITS v2: Mandarin initials and finals with tones, ARPAbet, Japanese phones, and marks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from edge_tts.text.pinyin import Syllable

_INITIALS, _FINALS, _JAPANESE, _VOWELS, _CONSONANTS = (
    table.split()
    for table in (
        "AA EE OO b c ch d f g h j k l m n p q r s sh t w x y z zh",
        "E En a ai an ang ao e ei en eng er i i0 ia ian iang iao ie in ing iong ir iu o ong ou u ua uai uan uang ui un "
        "uo v van ve vn",
        "I N U a b by ch cl d dy e f g gy h hy i j k ky m my n ny o p py r ry s sh t ts u v w y z",
        "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW",
        "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH",
    )
)
_OTHERS = ["_", "!", "?", "…", ",", ".", "-", "SP", "SP2", "SP3", "UNK", "ER", "IH"]

SYMBOLS: tuple[str, ...] = tuple(
    sorted({
        *_INITIALS, *_JAPANESE, *_CONSONANTS, *_OTHERS,
        *(f"{final}{tone}" for final, tone in product(_FINALS, "12345")),
        *(f"{vowel}{stress}" for vowel, stress in product(_VOWELS, "012")),
    })
)  # fmt: skip
"""In the order of their ids. Rises and falls of Japanese, Korean and Cantonese follow in the table that the voices
learned; nothing here says them."""

IDS = {symbol: number for number, symbol in enumerate(SYMBOLS)}

N_LEARNED = 732
"""Rows of the table of a v2 voice."""

MARKS = dict(zip("。！？；：，、…—,.!?;:~\n", ".!?,,,,…-,.!?,,….", strict=True))
"""Marks as written → as learned."""

_WRITTEN = {"iz": "i0", "ü": "v", "üan": "van", "üe": "ve", "ün": "vn"}
_AFTER_Y = {"an": "En", "e": "E"}
_WITHOUT_INITIAL = {"a": "AA", "e": "EE", "o": "OO"}


@dataclass(frozen=True, slots=True)
class Run:
    """Symbols said one after the other, all of Chinese characters or none."""

    symbols: tuple[str, ...]
    characters: tuple[str, ...] = ()
    """Of Chinese: what a BERT model reads, a character or a mark each."""

    repeats: tuple[int, ...] = ()
    """Symbols of each of *characters*."""

    def __str__(self) -> str:
        return " ".join(self.symbols)


def mandarin(syllable: Syllable) -> tuple[str, str] | None:
    """Initial and final; None for a syllable that the alphabet has no letters for."""
    final = _WRITTEN.get(syllable.final, syllable.final)
    if syllable.initial == "y":
        final = _AFTER_Y.get(final, final)
    initial = syllable.initial or _WITHOUT_INITIAL.get(final[0], "")
    said = initial, f"{final}{syllable.tone}"
    return said if all(symbol in IDS for symbol in said) else None


def english(symbols: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """ARPAbet as the voices learned it, and the symbols that they did not."""
    near = {"AX": "AH", "AXR": "ER", "IX": "IH", "UX": "UW", "DX": "T", "H": "HH", "WH": "W"}
    found: list[str] = []
    unknown = []
    for symbol in symbols:
        letters = symbol.rstrip("012")
        base = near.get(letters, letters)
        # A vowel without a digit is unstressed.
        spelled = base + (symbol[len(letters) :] or "0") if base in _VOWELS else base
        if spelled in IDS:
            found.append(spelled)
        else:
            unknown.append(symbol)
    return tuple(found), unknown


def japanese(phones: Sequence[str]) -> tuple[str, ...]:
    """Of Open JTalk's phones: a pause between words is a comma."""
    return tuple("," if phone == "pau" else phone if phone in IDS else "UNK" for phone in phones)


def is_mark(run: Run) -> bool:
    return len(run.symbols) == 1 and run.symbols[0] in MARKS.values()


def parts(runs: Sequence[Run], limit: int) -> Iterator[list[Run]]:
    """*runs* in parts of about *limit* symbols at most, cut behind marks where there are any."""
    pending: list[Run] = []
    for run in (short for each in runs for short in _short(each, limit)):
        if pending and sum(len(each.symbols) for each in (*pending, run)) > limit:
            marked = [k + 1 for k, each in enumerate(pending) if is_mark(each)]
            end = marked[-1] if marked and marked[-1] > len(pending) // 2 else len(pending)
            yield pending[:end]
            pending = pending[end:]
        pending.append(run)
    if pending:
        yield pending


def _short(run: Run, limit: int) -> Iterator[Run]:
    """*run* in pieces of at most *limit* symbols, each of whole characters."""
    if len(run.symbols) <= limit:
        yield run
        return
    sizes = run.repeats or (1,) * len(run.symbols)
    start = first = 0
    end = 0
    for index, size in enumerate(sizes):
        if end + size - start > limit:
            yield Run(run.symbols[start:end], run.characters[first:index], run.repeats[first:index])
            start, first = end, index
        end += size
    yield Run(run.symbols[start:], run.characters[first:], run.repeats[first:])
