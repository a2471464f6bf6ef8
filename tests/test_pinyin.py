from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.errors import MarkupError
from edge_tts.text import pinyin
from edge_tts.text.pinyin import Syllable
from tests.golden_files import cases

# What the bundled voice was trained with; a syllable outside it could not be said.
INITIALS = "zh ch sh b p m f d t n l g k h j q x r z c s y w"
FINALS = (
    "a ai an ang ao e ei en eng er i ia ian iang iao ie in ing iong ir iu iz o ong ou u ua uai uan uang ui un uo "
    "ü üan üe ün"
)


def spelled_by_rule(expected: str) -> str:
    return pinyin.to_symbols([pinyin.parse(each) for each in expected.split()])


@pytest.mark.parametrize(("text", "expected"), cases("pinyin_zh.txt"))
def test_characters_in_context(text: str, expected: str) -> None:
    assert pinyin.to_symbols(pinyin.syllables(text)) == spelled_by_rule(expected)


def test_every_syllable_of_the_dictionary_can_be_said() -> None:
    from pypinyin.constants import PHRASES_DICT, PINYIN_DICT

    known = {reading for readings in PINYIN_DICT.values() for reading in readings.split(",")}
    known |= {reading for word in PHRASES_DICT.values() for readings in word for reading in readings}
    assert len(known) > 1500
    for syllable in known:
        parsed = pinyin.parse(syllable)
        assert parsed.initial in ["", *INITIALS.split()]
        assert parsed.final in FINALS.split()
        assert parsed.tone in range(1, 6)
        assert pinyin.to_ipa(syllable)


def test_our_own_table_has_one_syllable_for_each_character() -> None:
    for word, reading in pinyin._own_readings().items():
        assert len([pinyin.parse(each) for each in reading.split()]) == len(word), word


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ("hao4", ("h", "ao", 4)),
        ("hào", ("h", "ao", 4)),
        ("HAO4", ("h", "ao", 4)),
        ("ma", ("m", "a", 5)),
        ("ma0", ("m", "a", 5)),
        ("lv3", ("l", "ü", 3)),
        ("lu:3", ("l", "ü", 3)),
        ("lǚ", ("l", "ü", 3)),
        ("nve4", ("n", "üe", 4)),
        ("lue4", ("l", "üe", 4)),
        ("yuan2", ("y", "üan", 2)),
        ("you3", ("y", "ou", 3)),
        ("jiong3", ("j", "iong", 3)),
        ("zhi1", ("zh", "ir", 1)),
        ("zi1", ("z", "iz", 1)),
        ("ér", ("", "er", 2)),
        ("r5", ("", "er", 5)),
        ("ān", ("", "an", 1)),
        ("zhuang1", ("zh", "uang", 1)),
    ],
)
def test_written_pinyin(symbols: str, expected: tuple[str, str, int]) -> None:
    assert pinyin.parse(symbols) == Syllable(*expected)


@pytest.mark.parametrize(
    "symbols",
    [
        "hao6",
        "hao45",
        "hào4",
        "ha4o",
        "xyz1",
        "iang4",
        "hir4",
        "zh",
        "q1",
        "你",
        "hao4!",
        "4",
        "",
        "ni3 hao3",
    ],
)
def test_what_is_no_pinyin_is_named(symbols: str) -> None:
    with pytest.raises(MarkupError, match=repr(symbols)):
        pinyin.parse(symbols)


def test_tags_join_an_initial_with_its_final() -> None:
    assert pinyin.parse_tagged(["h", "ào"]) == [Syllable("h", "ao", 4)]
    assert pinyin.parse_tagged(["n", "i3", "hǎo", "ān"]) == [pinyin.parse(s) for s in ("ni3", "hao3", "an1")]
    assert pinyin.parse_tagged(["huār"]) == [Syllable("h", "ua", 1), Syllable("", "er", 5)]
    with pytest.raises(MarkupError):
        pinyin.parse_tagged(["h"])


@pytest.mark.parametrize(
    ("symbols", "ipa"),
    [
        ("hao4", "hˈaʊ"),
        ("ni3 hao3", "nˈiːhˈaʊ"),
        ("yuan2", "ˈyɛn"),
        ("wu3", "ˈuː"),
        ("you3", "jˈoʊ"),
        ("ma5", "mɑː"),
    ],
)
def test_a_voice_without_mandarin_gets_near_sounds(symbols: str, ipa: str) -> None:
    assert pinyin.to_ipa(symbols) == ipa


def test_each_syllable_knows_its_character() -> None:
    assert "".join(s.hanzi for s in pinyin.syllables("你好，世界！")) == "你好世界"


def test_what_cannot_be_said_is_told() -> None:
    assert pinyin.unreadable("你好，カナ A 3。") == "カナ3"


@given(st.text(alphabet="一不好你我了得地的儿只行长，。 aB三百", max_size=20))
def test_every_character_gets_its_syllable(text: str) -> None:
    syllables = pinyin.syllables(text)
    hanzi = [c for c in text if c in "一不好你我了得地的儿只行长三百"]
    assert [s.hanzi for s in syllables if s.hanzi] == hanzi


def test_words_keep_together_what_the_dictionary_knows() -> None:
    breaths = pinyin.words("我们去北京，好吗")
    assert [["".join(each.hanzi for each in word) for word in breath] for breath in breaths] == [
        ["我们", "去", "北京"],
        ["好", "吗"],
    ]
    assert pinyin.to_symbols(breaths[0][0]) == "wo3 men5"
