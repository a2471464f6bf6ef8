"""What CosyVoice voices are given to say, and how: golden tables of texts and of instructions."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from edge_tts.config import TextConfig
from edge_tts.metrics import Metrics
from edge_tts.models import cosyvoice
from edge_tts.models.cosyvoice import CosyVoice
from edge_tts.speech import Emotion, Prosody, SpeakRequest
from edge_tts.text.cosyvoice_tokens import IDS, INSTRUCTIONS
from edge_tts.text.frontend import Frontend
from edge_tts.text.lexicon import Lexicon
from tests.golden_files import cases
from tests.tiny_voices import make_tools, sentence, tiny_cosyvoice_spec

LANGUAGES = ("zh-CN", "en-US")
FIRST_ADDED = 151644


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> CosyVoice:
    spec = tiny_cosyvoice_spec(tmp_path_factory.mktemp("voice") / "tiny")
    return cosyvoice.load(spec, make_tools(metrics=Metrics()))


def shown(voice: CosyVoice, ids: tuple[int, ...] | list[int]) -> str:
    """Text as it is, added tokens in {}."""
    return "".join(
        "".join(f"{{{voice._reader.shown([number])}}}" for number in run)
        if is_added
        else voice._reader.shown(list(run))
        for is_added, run in itertools.groupby(ids, key=lambda number: number >= FIRST_ADDED)
    )


@pytest.mark.parametrize(("text", "expected"), cases("cosyvoice.txt"))
def test_text_becomes_tokens(text: str, expected: str, voice: CosyVoice) -> None:
    frontend = Frontend(TextConfig(), Lexicon(None))
    found = frontend.sentences(SpeakRequest(text), languages=LANGUAGES, language="zh-CN")[0]
    read = [voice._reader.ids(each) for each in found if each.spans]
    assert " / ".join(shown(voice, ids) for ids, _ in read) == expected
    assert all(warnings == () for _, warnings in read)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("火災発生。", "カサイ ハッセー."),
        ("今日は[laughter]晴れです！", "キョー ワ{[laughter]}ハレ デス!"),
        ("合計は¥1,980です。", "ゴーケー ワ セン キュー ヒャク ハチ ジュー エン デス."),
    ],
)
def test_japanese_is_given_in_katakana(text: str, expected: str, voice: CosyVoice) -> None:
    """Or its kanji would be said in Chinese."""
    languages = (*LANGUAGES, "ja-JP")
    found = Frontend(TextConfig(), Lexicon(None)).sentences(
        SpeakRequest(text, language="ja-JP"), languages=languages, language="ja-JP"
    )[0]
    assert [shown(voice, voice._reader.ids(each)[0]) for each in found if each.spans] == [expected]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        # What was left over was said by itself: a mark, or one syllable.
        ("a" * 120 + "。", "a"),
        ("你" * 61, "你"),
        ("好" * 25 + "，" + "你" * 40, "，"),
    ],
)
def test_a_long_text_is_cut_in_parts_of_like_length_and_never_inside_a_character(
    text: str, ends: str, voice: CosyVoice
) -> None:
    ids = voice._reader.ids(sentence(text, "zh"))[0]
    parts = list(voice._reader.parts(ids, 120))
    assert [number for part in parts for number in part] == ids
    assert 2 * min(map(len, parts)) >= max(map(len, parts))
    assert max(map(len, parts)) <= 120
    assert all(voice._reader.shown(part).endswith(ends) for part in parts[:-1])


def test_a_long_row_of_syllables_is_cut_between_two(voice: CosyVoice) -> None:
    ids = [IDS["[ā]"], *[IDS["[h]"], IDS["[ào]"]] * 70]
    parts = list(voice._reader.parts(ids, 120))
    assert [voice._reader.shown(part)[-4:] for part in parts] == ["[ào]"] * 2


@pytest.mark.parametrize(("asked", "expected"), cases("cosyvoice_instructions.txt"))
def test_how_it_is_said_becomes_an_instruction(asked: str, expected: str, voice: CosyVoice) -> None:
    """*asked*: a style, or emotion=name or emotion=name:intensity."""
    said = sentence("你好。", "zh")
    if asked.startswith("emotion="):
        name, _, intensity = asked.removeprefix("emotion=").partition(":")
        said = replace(said, prosody=Prosody(emotion=Emotion(name, float(intensity or 1))))
    else:
        said = replace(said, style=asked)
    clip = voice._whom(said)
    prompt = voice._prompt(said, [1], clip, voice._packs.of(clip, voice._hear))
    assert shown(voice, prompt.before) == expected


def test_every_instruction_has_its_line() -> None:
    asked = {str(case.values[0]) for case in cases("cosyvoice_instructions.txt")}
    assert asked >= INSTRUCTIONS.keys()
