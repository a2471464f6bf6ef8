"""The alphabet of EmotiVoice's voices: ARPAbet in brackets, Mandarin initials and finals with tones, and the gaps
between syllables, words and clauses."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from edge_tts.text import pinyin

EDGE = "<sos/eos>"
SYLLABLE_GAP, WORD_GAP, PAUSE = "sp0", "sp1", "sp3"
ENGLISH_GAP, ENGLISH_PAUSE = "engsp1", "engsp4"
TO_CHINESE = "eng_cn_sp"
GAPS = frozenset({WORD_GAP, PAUSE, ENGLISH_GAP, ENGLISH_PAUSE, TO_CHINESE})

_FINALS = {
    "iz": "ii", "ui": "uei", "iu": "iou", "un": "uen", "ü": "v", "üan": "van", "üe": "ve", "ün": "vn",
}  # fmt: skip
"""Finals that are written otherwise than in pinyin."""

_WITHOUT_INITIAL = frozenset({"i", "in", "ing", "ü", "üan", "ün", "u"})
"""After y and w, which are spelling only."""


@dataclass(frozen=True, slots=True)
class Word:
    """What is said without a gap of words inside."""

    tokens: tuple[str, ...]
    is_english: bool
    mark: str = ""
    """Behind it: one of , . ? ! or none."""

    def __str__(self) -> str:
        return " ".join(self.tokens) + self.mark


def english(symbols: Iterable[str]) -> Word:
    """One word of ARPAbet."""
    return Word(tuple(f"[{symbol}]" for symbol in symbols), is_english=True)


def mandarin(
    breath: Iterable[Sequence[pinyin.Syllable]], known: Container[str]
) -> Iterator[tuple[Word, list[str]]]:
    """The words of one breath (dictionary words, tones as spoken), each with the syllables that cannot be said with
    *known* tokens."""
    words: list[list[pinyin.Syllable]] = []
    for word in breath:
        if words and len(word) == 1 and word[0].tone == 5:
            # Particles belong to the word before them in what the voices learned: 我的, 走了.
            words[-1] += word
        else:
            words.append(list(word))
    for word in words:
        said, unknown = _syllables(word, known)
        if said or unknown:
            tokens = [token for each in said for token in (SYLLABLE_GAP, *each)][1:]
            yield Word(tuple(tokens), is_english=False), unknown


def _syllables(
    word: Sequence[pinyin.Syllable], known: Container[str]
) -> tuple[list[tuple[str, ...]], list[str]]:
    """The tokens of each syllable, and the syllables there are none for."""
    said: list[tuple[str, ...]] = []
    unknown: list[str] = []
    for syllable in word:
        if said and (syllable.initial, syllable.final, syllable.tone) == ("", "er", 5):
            # The r of 花儿 is a part of the final, where the voice learned that.
            *initial, final = said[-1]
            joined = f"{final[:-1]}r{final[-1]}"
            if joined in known and not final.startswith("er"):
                said[-1] = (*initial, joined)
                continue
        tokens = _tokens(syllable, known)
        if all(token in known for token in tokens):
            said.append(tokens)
        else:
            unknown.append(pinyin.to_symbols([syllable]))
    return said, unknown


def _tokens(syllable: pinyin.Syllable, known: Container[str]) -> tuple[str, ...]:
    initial, final = _spelled(syllable.initial, syllable.final)
    # Of rare finals not every tone was learned; the neutral one is nearest to none.
    tones = (syllable.tone, 5, 1, 4, 2, 3)
    tone = next((tone for tone in tones if f"{final}{tone}" in known), syllable.tone)
    return (*([initial] if initial else []), f"{final}{tone}")


def _spelled(initial: str, final: str) -> tuple[str, str]:
    if final == "ir":
        return initial, "ii" if initial == "r" else "iii"
    if initial in ("y", "w") and final in _WITHOUT_INITIAL:
        return "", _FINALS.get(final, final)
    if initial == "w" or (initial == "y" and final not in ("o", "ai", "üe")):
        return "", {"y": "i", "w": "u"}[initial] + final
    # 月 is "y ve4" to them.
    return initial, _FINALS.get(final, final)


def spelled(words: Sequence[Word]) -> list[str]:
    """The tokens of *words*, with the gaps between them and an edge on both sides."""
    found = [EDGE]
    for word, after in zip(words, [*words[1:], None], strict=True):
        found += [*word.tokens, *_gap(word, after)]
    return [*found, EDGE]


def _gap(word: Word, after: Word | None) -> list[str]:
    if after is None:
        # English was taught with the mark at its end, Chinese without.
        return [word.mark or "."] if word.is_english and word.mark != "," else []
    if not word.is_english:
        return [PAUSE if word.mark else WORD_GAP]
    if not after.is_english:
        return [TO_CHINESE]
    return [ENGLISH_PAUSE if word.mark else ENGLISH_GAP]


def pieces(words: Sequence[Word], limit: int) -> Iterator[list[Word]]:
    """*words* in as few runs of at most *limit* tokens as there can be, cut behind marks where there are any."""
    rest = [part for word in words for part in _short(word, limit - 3)]
    while rest:
        end, size = 0, 2
        while end < len(rest) and (size := size + len(rest[end].tokens) + 1) <= limit:
            end += 1
        marked = [k for k in range(end // 2 + 1, end + 1) if rest[k - 1].mark]
        end = marked[-1] if marked and end < len(rest) else end
        yield rest[:end]
        rest = rest[end:]


def _short(word: Word, limit: int) -> Iterator[Word]:
    """*word* in parts of at most *limit* tokens: a given pronunciation may be any length."""
    for start in range(0, len(word.tokens), limit):
        tokens = word.tokens[start : start + limit]
        is_last = start + limit >= len(word.tokens)
        yield Word(tokens, word.is_english, word.mark if is_last else "")
