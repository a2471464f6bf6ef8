"""A sentence → the text tokens of CosyVoice: Qwen2's, and those added for sounds and (in 3) pronunciations."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_tts.errors import UnsupportedPronunciationError
from edge_tts.speech import Alphabet, Pronunciation, Sentence, Span
from edge_tts.text import arpabet, cosyvoice_tokens
from edge_tts.text.cosyvoice_tokens import IDS
from edge_tts.text.japanese import katakana
from edge_tts.text.languages import primary
from edge_tts.text.pinyin import INITIALS, parse

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_MARKS_AFTER = re.compile(r"[.,;:!?…。，！？；：、]+$")
_NAMES = {number: token for token, number in IDS.items()}


@dataclass(frozen=True)
class Reader:
    tokenizer: Tokenizer
    has_pronunciations: bool
    """False: what is written is said, whatever was given for it."""

    def ids(self, sentence: Sentence) -> tuple[list[int], tuple[str, ...]]:
        """Ids of what is said, and warnings. Raises UnsupportedPronunciationError for a tag that stands for a word, and
        for kanji if nothing is installed that reads them."""
        warnings: dict[str, None] = {}
        found: list[int] = []
        for span in sentence.spans:
            given = self._pronunciation(span, warnings)
            if given is None:
                found += self._written(span)
                continue
            found += _given(given, warnings)
            marks = _MARKS_AFTER.search(span.text)
            found += self.bpe(marks[0]) if marks else []
        return found, tuple(warnings)

    def instruction(self, text: str) -> tuple[int, ...]:
        """Ids of how something is to be said; none for nothing."""
        return (*self.bpe(text), IDS[cosyvoice_tokens.END_OF_PROMPT]) if text else ()

    def words(self, text: str, language: str) -> list[int]:
        """Ids of *text*; Japanese in katakana, or its kanji would be said in Chinese. Raises as `ids`."""
        return self.bpe(katakana(text) if primary(language) == "ja" else text)

    def bpe(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text).ids) if text else []

    def parts(self, ids: Sequence[int], most: int) -> Iterator[list[int]]:
        """*ids* in parts of at most *most* and about one length, cut behind marks where there are any."""
        start = 0
        while (n_left := len(ids) - start) > most:
            even = math.ceil(n_left / math.ceil(n_left / most))
            places = range(start + even // 2, start + min(even + even // 2, most) + 1)
            marked = [k for k in places if _MARKS_AFTER.search(self.shown(ids[start:k]))]
            whole = [k for k in places if self._is_whole(ids[start:k])]
            end = min(marked or whole or [start + even], key=lambda k: abs(k - start - even))
            yield list(ids[start:end])
            start = end
        yield list(ids[start:])

    def _is_whole(self, ids: Sequence[int]) -> bool:
        """Whether they end with neither half a syllable nor some bytes of a character."""
        return _NAMES.get(ids[-1], "")[1:-1] not in INITIALS and not self.shown(ids).endswith("\ufffd")

    def shown(self, ids: Sequence[int]) -> str:
        return "".join(
            "".join(_NAMES[number] for number in run) if is_added else self.tokenizer.decode(list(run))
            for is_added, run in itertools.groupby(ids, key=_NAMES.__contains__)
        )

    def _pronunciation(self, span: Span, warnings: dict[str, None]) -> Pronunciation | None:
        given = span.pronunciation
        if given is None or given.alphabet is Alphabet.SOUND or self.has_pronunciations:
            return given
        if span.text.startswith("["):
            raise UnsupportedPronunciationError(
                f"CosyVoice 2 cannot be told how to say {span.text}; write it in letters, or take a CosyVoice 3 voice"
            )
        warnings["unsupported_control:pronunciation"] = None
        return None

    def _written(self, span: Span) -> Iterator[int]:
        for part in cosyvoice_tokens.SOUND.split(span.text):
            # "[B]" alone is text, though there is a token of that name.
            yield from (
                [IDS[part]] if cosyvoice_tokens.SOUND.fullmatch(part) else self.words(part, span.language)
            )


def _given(given: Pronunciation, warnings: dict[str, None]) -> list[int]:
    if given.alphabet is Alphabet.SOUND:
        return [IDS[given.symbols]]
    if given.alphabet is Alphabet.PINYIN:
        ids: list[int] = []
        for written in given.symbols.split():
            found = cosyvoice_tokens.mandarin(parse(written))
            if found is None:
                warnings[f"unknown_phoneme: this voice has no {written}"] = None
            ids += found or []
        return ids
    symbols = given.symbols.split()
    unknown: list[str] = []
    if given.alphabet is Alphabet.IPA:
        words, unknown = arpabet.from_ipa(given.symbols)
        symbols = [symbol for word in words for symbol in word]
    ids, missing = cosyvoice_tokens.english(symbols)
    for symbol in (*unknown, *missing):
        warnings[f"unknown_phoneme: this voice has no sound near {symbol!r}"] = None
    return ids
