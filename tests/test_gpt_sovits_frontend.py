"""The alphabet of GPT-SoVITS voices, and what becomes of text in it."""

from __future__ import annotations

import re

import pytest

from edge_tts.config import TextConfig
from edge_tts.models.gpt_sovits_frontend import Reader
from edge_tts.speech import Alphabet, Pronunciation, Reference, Sentence, Span, SpeakRequest
from edge_tts.text import gpt_sovits_symbols as alphabet
from edge_tts.text import pinyin
from edge_tts.text.chinese import HAN
from edge_tts.text.frontend import Frontend
from edge_tts.text.gpt_sovits_symbols import Run
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.phonemes import Phonemizer
from edge_tts.text.pronouncing import PronouncingDictionary
from tests.golden_files import cases
from tests.tiny_gpt_sovits import LEXICON

LANGUAGES = ("zh-CN", "en-US", "ja-JP")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(PronouncingDictionary(LEXICON.encode()), Phonemizer(), LANGUAGES)


def symbols(reader: Reader, text: str, language: str) -> str:
    frontend = Frontend(TextConfig(), Lexicon(None))
    request = SpeakRequest(text, language=language)
    found = []
    for sentence in frontend.sentences(request, languages=LANGUAGES, language=language)[0]:
        runs, warnings = reader.runs(sentence)
        assert warnings == ()
        found.append(" | ".join(map(str, runs)))
    return " / ".join(found)


@pytest.mark.parametrize(("text", "expected"), cases("gpt_sovits.txt"))
def test_text_becomes_symbols(text: str, expected: str, reader: Reader) -> None:
    assert symbols(reader, text, "zh-CN" if re.search(f"[{HAN}]", text) else "en-US") == expected


@pytest.mark.parametrize(("text", "expected"), cases("gpt_sovits_ja.txt"))
def test_japanese_becomes_symbols(text: str, expected: str, reader: Reader) -> None:
    assert symbols(reader, text, "ja-JP") == expected


def test_the_table_has_the_order_that_the_voices_learned() -> None:
    assert len(alphabet.SYMBOLS) == 322
    places = {"!": 0, ",": 1, ".": 3, "AA": 5, "ER": 37, "UNK": 86, "_": 95, "a1": 97, "zh": 320, "…": 321}
    assert {name: alphabet.IDS[name] for name in places} == places


def test_every_syllable_that_can_be_written_is_two_symbols() -> None:
    for initial in ("", *pinyin.INITIALS):
        for final in pinyin.FINALS:
            said = alphabet.mandarin(pinyin.Syllable(initial, final, 3))
            assert said is None or all(symbol in alphabet.IDS for symbol in said)
    # Rare but real; no voice learned them.
    assert alphabet.mandarin(pinyin.parse("yai2")) == ("y", "ai2")


def test_what_the_user_gives_is_said(reader: Reader) -> None:
    given = [
        (Alphabet.PINYIN, "hao4 qi2", "h ao4 q i2"),
        (Alphabet.ARPABET, "K L EH1 R AX DX", "K L EH1 R AH0 D"),
        (Alphabet.IPA, "ˈhɛlmut", "HH EH1 L M UW0 T"),
    ]
    for symbols_of, written, expected in given:
        span = Span("x.", "en", Pronunciation(symbols_of, written))
        assert str(reader.runs(Sentence((span,), "en"))[0][1]) == expected


def test_what_has_no_sound_is_a_warning_and_only_marks_are_nothing(reader: Reader) -> None:
    assert reader.runs(Sentence((Span("你ก好", "zh"),), "zh"))[1] == (
        "unknown_phoneme: 'ก' has no reading in Chinese",
    )
    assert reader.runs(Sentence((Span("。！", "zh"),), "zh")) == ([], ())


def test_bert_reads_characters_and_marks_with_their_symbols(reader: Reader) -> None:
    runs = reader.runs(Sentence((Span("你好，世界", "zh"), Span(" hello", "en")), "zh"))[0]
    assert [run.characters for run in runs] == [
        ("。",), ("你", "好"), ("，",), ("世", "界"), (), ()
    ]  # fmt: skip
    assert all(sum(run.repeats) == len(run.symbols) for run in runs if run.characters)


def test_bert_is_not_asked_about_marks_of_other_languages(reader: Reader) -> None:
    # The voices learned nothing of it there; and it is their largest graph.
    runs = reader.runs(Sentence((Span("Hello, there", "en"),), "en"))[0]
    assert [(str(run), run.characters) for run in runs if alphabet.is_mark(run)] == [
        (".", ()),
        (",", ()),
        (".", ()),
    ]


def test_the_words_of_a_clip_are_read_in_its_language(reader: Reader) -> None:
    clip = Reference("grandma", "grandma.wav", "今天10°C", "0" * 64, "zh")
    assert "sh e4 sh ir4 d u4" in " ".join(map(str, reader.runs_of(clip)))


def test_long_text_is_cut_behind_marks_and_nothing_is_lost() -> None:
    words = [Run(("h", "ao3") * 6, ("好",) * 6, (2,) * 6), Run((",",), ("，",), (1,))] * 9
    parts = list(alphabet.parts(words, 30))
    assert [run for part in parts for run in part] == words
    assert all(sum(len(run.symbols) for run in part) <= 30 and alphabet.is_mark(part[-1]) for part in parts)
    long = Run(("h", "ao3") * 50, ("好",) * 50, (2,) * 50)
    cut = [run for part in alphabet.parts([long], 31) for run in part]
    assert all(len(run.symbols) <= 31 and sum(run.repeats) == len(run.symbols) for run in cut)
    assert tuple(symbol for run in cut for symbol in run.symbols) == long.symbols
