"""The alphabet of KAN-TTS voices: its tables, its readings of Mandarin and English, its flags and its pieces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.config import TextConfig
from edge_tts.models import sambert_frontend
from edge_tts.speech import Alphabet, Pronunciation, Sentence, Span, SpeakRequest
from edge_tts.text import pinyin
from edge_tts.text import sambert_symbols as alphabet
from edge_tts.text.chinese_words import regrouped
from edge_tts.text.frontend import Frontend
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.phonemes import Phonemizer
from edge_tts.text.sambert_symbols import Syllable, Word
from tests.golden_files import cases

LANGUAGES = ("zh-CN", "en-US")


@pytest.fixture(scope="module")
def phonemizer() -> Phonemizer:
    return Phonemizer()


def words_of(text: str, phonemizer: Phonemizer) -> Iterator[list[Word]]:
    frontend = Frontend(TextConfig(), Lexicon(None))
    for sentence in frontend.sentences(SpeakRequest(text), languages=LANGUAGES, language="zh-CN")[0]:
        words, warnings = sambert_frontend.words(sentence, phonemizer)
        assert warnings == ()
        yield words


@pytest.mark.parametrize(("text", "expected"), cases("sambert_zh.txt"))
def test_text_becomes_words_of_phones(text: str, expected: str, phonemizer: Phonemizer) -> None:
    assert " / ".join(" ".join(map(str, words)) for words in words_of(text, phonemizer)) == expected


def test_the_tables_have_the_order_that_the_voices_learned() -> None:
    # As in the published phone set: 140 names, four marks, padding, end and mask.
    assert len(alphabet.PHONES) == len(set(alphabet.PHONES)) == 147
    places = {
        "a_c": 0,
        "xx_c": 57,
        "y_c": 61,
        "ga": 62,
        "aa": 65,
        "zh": 103,
        "air_c": 104,
        "vr_c": 138,
        "pau": 139,
    }
    places |= {"#1": 140, "#4": 143, "_": 144, "~": 145, "[MASK]": 146}
    assert {name: alphabet.PHONES.index(name) for name in places} == places
    assert alphabet.TONES[:7] == ("tone1", "tone_none", "tone4", "tone2", "tone3", "tone5", "tone0")
    assert [len(each) for each in (alphabet.TONES, alphabet.SYLLABLE_FLAGS, alphabet.WORD_FLAGS)] == [
        10,
        8,
        8,
    ]
    emotions = {
        "none": 0,
        "neutral": 1,
        "angry": 2,
        "happy": 5,
        "sad": 6,
        "calm": 8,
        "serious": 12,
        "dominance": 23,
    }
    assert {name: alphabet.EMOTIONS.index(name) for name in emotions} == emotions
    assert len(alphabet.EMOTIONS) == 33


@pytest.mark.parametrize("final", sorted(pinyin.FINALS))
def test_every_final_has_a_phone(final: str) -> None:
    for initial in ("b", "x", "y", "" if final[0] in "aeo" else "l"):
        (word,) = alphabet.mandarin([[pinyin.Syllable(initial, final, 4)]])
        assert all(phone in alphabet.PHONES for phone in word.syllables[0].phones)


@pytest.mark.parametrize(
    ("syllable", "phones"),
    [
        ("zhi1", "zh_c ih_c"),
        ("zi1", "z_c ii_c"),
        ("shui3", "sh_c uei_c"),
        ("liu4", "l_c iou_c"),
        ("lun4", "l_c uen_c"),
        ("xu1", "xx_c v_c"),
        ("lüe4", "l_c ve_c"),
        ("yuan2", "y_c van_c"),
        ("wo3", "w_c o_c"),
        ("a1", "ga a_c"),
        ("er2", "ge er_c"),
        ("ou1", "go ou_c"),
    ],
)
def test_syllables_are_spelled_as_published(syllable: str, phones: str) -> None:
    (word,) = alphabet.mandarin([[pinyin.parse(syllable)]])
    assert " ".join(word.syllables[0].phones) == phones


def test_a_line_is_what_kan_tts_writes() -> None:
    words = [
        Word((Syllable(("n_c", "i_c"), 2), Syllable(("h_c", "ao_c"), 3)), 1),
        alphabet.english(["S", "T", "R", "EH1", "NG", "TH", "S"]),
        Word((Syllable(("ow",), 0),), 4),
    ]
    assert alphabet.line(alphabet.spelled(words), "neutral", "F7").split() == [
        f"{{{each}$emotion_neutral$F7}}"
        for each in (
            "n_c$tone2$s_begin$word_begin",
            "i_c$tone2$s_end$word_middle",
            "h_c$tone3$s_begin$word_middle",
            "ao_c$tone3$s_end$word_end",
            "#1$tone_none$s_none$word_none",
            "s$tone1$s_begin$word_begin",
            *(f"{phone}$tone1$s_middle$word_middle" for phone in ("t", "r", "eh", "ng", "th")),
            "s$tone1$s_end$word_end",
            "#1$tone_none$s_none$word_none",
            "ow$tone0$s_both$word_both",
            "#4$tone_none$s_none$word_none",
        )
    ]


def test_symbols_have_the_ids_of_the_tables() -> None:
    symbols = alphabet.spelled([Word((Syllable(("ga", "ai_c"), 4),), 4)])
    assert [symbol.ids for symbol in symbols] == [(62, 2, 0, 0), (1, 2, 1, 1), (143, 1, 2, 4)]


def test_words_that_the_dictionary_of_readings_lacks_are_words_all_the_same() -> None:
    (breath,) = pinyin.words("但是温度很高")
    assert ["".join(each.hanzi for each in word) for word in regrouped(breath)] == [
        "但是",
        "温度",
        "很",
        "高",
    ]


@given(st.text(alphabet="一不你好我们的了银行长重儿玩花是二ABc，。、1", max_size=60))
def test_any_mandarin_has_symbols_of_the_table_only(text: str) -> None:
    for breath in pinyin.words(text):
        words = alphabet.mandarin(regrouped(breath))
        assert all(symbol.ids for symbol in alphabet.spelled(words))


def test_long_sentences_are_cut_at_clauses_within_the_limit(phonemizer: Phonemizer) -> None:
    text = "今天天气很好，我们去公园散步吧，然后回家做饭吃，" * 8
    words = [word for sentence in words_of(text, phonemizer) for word in sentence]
    for limit in (60, 100, 800):
        pieces = alphabet.pieces(words, limit)
        assert all(len(alphabet.spelled(piece)) <= limit for piece in pieces)
        assert [s for piece in pieces for w in piece for s in w.syllables] == [
            s for w in words for s in w.syllables
        ]
        assert all(piece[-1].mark == 4 for piece in pieces)
    assert (
        len(alphabet.pieces(words, 60)) > len(alphabet.pieces(words, 100)) > len(alphabet.pieces(words, 800))
    )


@pytest.mark.parametrize(
    ("kind", "symbols"),
    [(Alphabet.PINYIN, "hao4 " * 300), (Alphabet.ARPABET, "AA1 " * 300), (Alphabet.ARPABET, "S " * 300)],
)
def test_a_given_pronunciation_however_long_fits(
    kind: Alphabet, symbols: str, phonemizer: Phonemizer
) -> None:
    span = Span("x", "zh", Pronunciation(kind, symbols.strip()))
    words, _ = sambert_frontend.words(Sentence((span,), "zh"), phonemizer)
    pieces = alphabet.pieces(words, 80)
    assert all(len(alphabet.spelled(piece)) <= 80 for piece in pieces)
    n_phones = sum(len(s.phones) for piece in pieces for word in piece for s in word.syllables)
    assert n_phones == (600 if kind is Alphabet.PINYIN else 300)


def test_what_has_no_sound_is_a_warning(phonemizer: Phonemizer) -> None:
    spans = (Span("好☃٣", "zh"), Span("x", "en", Pronunciation(Alphabet.IPA, "a☃")))
    words, warnings = sambert_frontend.words(Sentence(spans, "zh"), phonemizer)
    assert " ".join(map(str, words)) == "h_c ao_c3 #1 aa0 #4"
    assert warnings == (
        "unknown_phoneme: '٣' has no reading in Chinese",
        "unknown_phoneme: this voice has no sound near '☃'",
    )
