"""Stage phonemes: texts → tokens and accents, by the front end that speaks at run time, so that training and speaking
cannot differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from edge_tts.config import TextConfig
from edge_tts.errors import SpeechError
from edge_tts.models.two_stage_frontend import END, START, Phrase, phrases
from edge_tts.speech import SpeakRequest
from edge_tts.text.frontend import Frontend
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.phonemes import Phonemizer
from scripts.train import pictures
from scripts.train.dropped import write_dropped
from scripts.train.stage import Work, write_json

RARELY = 10
"""A symbol seen in fewer recordings is said by the nearest that is seen in more."""


class Everything(Mapping[str, int]):
    """Knows every symbol: to find out which there are."""

    def __contains__(self, symbol: object) -> bool:
        return True

    def __getitem__(self, symbol: str) -> int:
        return 0

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True)
class Spoken:
    """The tokens of an utterance."""

    id: str
    speaker: str
    symbols: tuple[str, ...]
    accents: tuple[int, ...]
    is_held_out: bool


def phonemes(work: Work) -> None:
    """Writes tokens.json (symbol → number), spoken.json, and dropped.json: what cannot be said (id → why). Raises
    RecipeError if that is most of a speaker's."""
    folder = work.stage("phonemes")
    reader = Reader()
    utterances = work.utterances()
    languages = {corpus.speaker: corpus.language for corpus in work.recipe.corpora}
    seen: Counter[str] = Counter()
    dropped: dict[str, str] = {}
    for each in utterances:
        try:
            symbols = reader.read(each.texts, languages[each.speaker], Everything()).symbols
        except SpeechError as error:
            dropped[each.id] = str(error)
            continue
        if len(each.texts) == 1:
            seen.update(set(symbols))
    tokens = dict(_tokens_to_start_from(work.recipe.start_from))
    for symbol in sorted(
        {START, END, " ", *(s for s, n in seen.items() if n >= min(RARELY, len(utterances) // 20))}
    ):
        tokens.setdefault(symbol, max(tokens.values(), default=0) + 1)
    spoken = []
    for each in tqdm(utterances, "phonemes", mininterval=1):
        if each.id in dropped:
            continue
        phrase = reader.read(each.texts, languages[each.speaker], tokens)
        if len(phrase.symbols) > 2:
            spoken.append(Spoken(each.id, each.speaker, phrase.symbols, phrase.accents, each.is_held_out))
        else:
            dropped[each.id] = "nothing in its text can be said"
    write_dropped(work, "phonemes", [each.id for each in utterances], dropped)
    write_json(folder / "tokens.json", tokens)
    write_json(folder / "warnings.json", sorted(reader.warnings))
    write_json(folder / "spoken.json", [vars(each) for each in spoken])
    used = Counter(symbol for each in spoken for symbol in each.symbols)
    pictures.counts(folder / "phonemes.png", "recorded tokens", used)


def _tokens_to_start_from(folder: Path | None) -> dict[str, int]:
    if folder is None:
        return {}
    document: dict[str, Any] = json.loads((folder / "frontend.json").read_text(encoding="utf-8"))
    return dict(document["tokens"])


def read_spoken(work: Work) -> list[Spoken]:
    document = json.loads((work.stage("phonemes") / "spoken.json").read_text(encoding="utf-8"))
    return [
        Spoken(
            each["id"], each["speaker"], tuple(each["symbols"]), tuple(each["accents"]), each["is_held_out"]
        )
        for each in document
    ]


def read_tokens(work: Work) -> dict[str, int]:
    return dict(json.loads((work.stage("phonemes") / "tokens.json").read_text(encoding="utf-8")))


def n_tokens(work: Work) -> int:
    """Rows of an embedding for all of them."""
    return max(read_tokens(work).values()) + 1


class Reader:
    """Text → one phrase."""

    def __init__(self) -> None:
        self._frontend = Frontend(TextConfig(), Lexicon(None))
        self._phonemizer = Phonemizer()
        self.warnings: set[str] = set()

    def read(self, texts: tuple[str, ...], language: str, known: Mapping[str, int]) -> Phrase:
        """What is said in one recording, without a break: at run time the sentences of a text are apart."""
        symbols: list[str] = []
        accents: list[int] = []
        for text in texts:
            sentences, warnings = self._frontend.sentences(
                SpeakRequest(text, language=language), languages=[language], language=language
            )
            self.warnings.update(warnings)
            for sentence in sentences:
                found, warnings_ = phrases(sentence, known, self._phonemizer)
                self.warnings.update(warnings_)
                for phrase in found:
                    if symbols and not phrase.symbols[1].startswith("@"):
                        symbols.append(" ")
                        accents.append(0)
                    symbols += phrase.symbols[1:-1]
                    accents += phrase.accents[1:-1]
        return Phrase((START, *symbols, END), (0, *accents, 0))
