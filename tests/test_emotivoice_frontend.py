"""What EmotiVoice voices are given to say: a golden table of sentences, and the rules behind it."""

from __future__ import annotations

import itertools

import pytest

from edge_tts.config import TextConfig
from edge_tts.models.emotivoice_frontend import Reader
from edge_tts.speech import Alphabet, Pronunciation, Sentence, Span, SpeakRequest
from edge_tts.text import pinyin
from edge_tts.text.emotivoice_symbols import EDGE, Word, english, mandarin, pieces, spelled
from edge_tts.text.frontend import Frontend
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.phonemes import Phonemizer
from edge_tts.text.pinyin import Syllable
from edge_tts.text.pronouncing import PronouncingDictionary
from tests.golden_files import GOLDEN, cases

TOKENS = {
    token: number
    for number, token in enumerate((GOLDEN / "emotivoice_tokens.txt").read_text(encoding="utf-8").split())
}
WORDS = PronouncingDictionary(b"hello HH AH0 L OW1\nit's IH1 T S\nread R EH1 D\nworld W ER1 L D\n")
READER = Reader(TOKENS, WORDS, Phonemizer())
FRONTEND = Frontend(TextConfig(), Lexicon(None))


def read(text: str) -> str:
    """The tokens of each sentence, without its edges."""
    request = SpeakRequest(text)
    sentences, _ = FRONTEND.sentences(request, languages=("zh-CN", "en-US"), language="zh-CN")
    return " | ".join(" ".join(spelled(READER.words(each)[0])[1:-1]) for each in sentences if each.spans)


def words(sentence: Sentence) -> tuple[list[Word], tuple[str, ...]]:
    return READER.words(sentence)


def given(alphabet: Alphabet, symbols: str, mark: str = "") -> Sentence:
    return Sentence((Span(mark, "en", Pronunciation(alphabet, symbols)),), "en")


@pytest.mark.parametrize(("text", "expected"), cases("emotivoice.txt"))
def test_golden(text: str, expected: str) -> None:
    assert read(text) == expected


def test_the_ids_are_those_of_the_published_voices() -> None:
    assert len(TOKENS) == 502
    ids = {
        "_": 0,
        EDGE: 1,
        "sp0": 292,
        "sp1": 293,
        "sp3": 295,
        "engsp1": 148,
        "engsp4": 150,
        "eng_cn_sp": 144,
    }
    ids |= {"engsp0": 402, "?": 403, ".": 404, "!": 407}
    assert {name: TOKENS[name] for name in ids} == ids


def test_every_syllable_of_mandarin_has_tokens() -> None:
    said = {
        (each.initial, each.final) for code in range(0x4E00, 0xA000) for each in pinyin.syllables(chr(code))
    }
    assert len(said) > 400
    unknown = [
        missing
        for initial, final in said
        for tone in range(1, 6)
        for _, missing in mandarin([[Syllable(initial, final, tone)]], TOKENS)
        if missing
    ]
    assert unknown == []


def test_a_tone_that_was_never_learned_is_said_with_another() -> None:
    assert "ei2" in TOKENS
    few = {"n", "ei4"}
    ((word, unknown),) = mandarin([[Syllable("n", "ei", 2)]], few)
    assert (word.tokens, unknown) == (("n", "ei4"), [])


def test_what_a_voice_has_no_token_for_is_a_warning_and_the_rest_is_said() -> None:
    reader = Reader({"h", "ao3", "[K]"}, WORDS, Phonemizer())
    said, warnings = reader.words(Sentence((Span("你好", "zh"), Span("key", "en")), "zh"))
    assert [word.tokens for word in said] == [("h", "ao3"), ("[K]",)]
    assert warnings == ("unknown_phoneme: this voice has no ni2", "unknown_phoneme: this voice has no [IY1]")


def test_the_dictionary_is_asked_before_espeak() -> None:
    said, _ = words(Sentence((Span("Read", "en"),), "en"))
    assert said == [english(["R", "EH1", "D"])]
    unread, _ = Reader(TOKENS, PronouncingDictionary(b""), Phonemizer()).words(
        Sentence((Span("Read", "en"),), "en")
    )
    assert unread == [english(["R", "IY1", "D"])]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (given(Alphabet.ARPABET, "K L EH1 R", "?"), "[K] [L] [EH1] [R] ?"),
        (given(Alphabet.IPA, "klˈɛɹ", "！"), "[K] [L] [EH1] [R] !"),
        (given(Alphabet.PINYIN, "hao4 hao3"), "h ao4 sp0 h ao3"),
        # More than four syllables are more than one word.
        (given(Alphabet.PINYIN, "yi1 er4 san1 si4 wu3"), "i1 sp0 er4 sp0 s an1 sp0 s ii4 sp1 u3"),
        (Sentence((Span("Guten Tag", "de"),), "de"), "[G] [UW1] [T] [AH0] [N] engsp1 [T] [AA1] [K] ."),
    ],
)
def test_pronunciations_as_given_and_other_languages(sentence: Sentence, expected: str) -> None:
    assert " ".join(spelled(words(sentence)[0])[1:-1]) == expected


def test_what_is_cut_is_cut_behind_marks_and_nothing_is_lost() -> None:
    said = [Word(("h", "ao3"), is_english=False, mark="," if k == 12 else "") for k in range(20)]
    cut = list(pieces(said, 50))
    assert [len(piece) for piece in cut] == [13, 7]
    assert list(itertools.chain(*cut)) == said
    assert max(len(spelled(piece)) for piece in pieces(said, 11)) <= 11


def test_a_word_longer_than_the_limit_is_cut() -> None:
    cut = list(pieces([Word(("h", "ao3") * 30, is_english=False, mark="!")], 20))
    assert sum(len(word.tokens) for piece in cut for word in piece) == 60
    assert max(len(spelled(piece)) for piece in cut) <= 20
    assert cut[-1][-1].mark == "!"
