from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.text.languages import by_script, primary

ALL = ("en-US", "de-DE", "zh-CN")


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("", "en", []),
        ("Hello world.", "en", [("Hello world.", "en")]),
        ("你好，世界。", "en", [("你好，世界。", "zh")]),
        ("Hello 你好, world", "en-US", [("Hello ", "en"), ("你好, ", "zh"), ("world", "en")]),
        ("Sie heißt 王小明.", "de-DE", [("Sie heißt ", "de"), ("王小明.", "zh")]),
        ("请打开Wi-Fi，谢谢。", "zh-CN", [("请打开", "zh"), ("Wi-Fi，", "en"), ("谢谢。", "zh")]),
        ("温度是21.5°C，湿度45%。", "zh", [("温度是21.5°C，湿度45%。", "zh")]),
        ("还有10km，约5 min。", "zh", [("还有10km，约5 min。", "zh")]),
        ("室外-5°C。", "zh", [("室外-5°C。", "zh")]),
        ("5kg大米，2m布", "zh", [("5kg大米，2m布", "zh")]),
        ("大米5kgs好", "zh", [("大米5", "zh"), ("kgs", "en"), ("好", "zh")]),
        ("用USB3接口", "zh", [("用", "zh"), ("USB3", "en"), ("接口", "zh")]),
        (
            "打开 www.example.com/a1 看看",
            "zh",
            [("打开 ", "zh"), ("www.example.com/a1 ", "en"), ("看看", "zh")],
        ),
        ("There are 3种 of it", "en", [("There are ", "en"), ("3种 ", "zh"), ("of it", "en")]),
        ("“3.5%的”rest", "en", [("“3.5%的”", "zh"), ("rest", "en")]),
        ("12:30", "zh", [("12:30", "zh")]),
        ("12:30", "de", [("12:30", "de")]),
        ("日本語のテキスト", "ja", [("日本語のテキスト", "ja")]),
        ("Привет 你好", "en", [("Привет ", "en"), ("你好", "zh")]),
    ],
)
def test_runs_by_script(text: str, default: str, expected: list[tuple[str, str]]) -> None:
    assert by_script(text, default, ALL) == expected


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("洗濯が終わりました。", "zh-CN", [("洗濯が終わりました。", "ja")]),
        ("你好。東京は晴れです！北京。", "zh", [("你好。", "zh"), ("東京は晴れです！", "ja"), ("北京。", "zh")]),
        ("Hello! テスト", "en", [("Hello!", "en"), (" テスト", "ja")]),
        ("火災発生。", "ja-JP", [("火災発生。", "ja")]),
        ("火災発生。", "zh-CN", [("火災発生。", "zh")]),
        ("5・6", "zh", [("5・6", "zh")]),
    ],
)  # fmt: skip
def test_kana_tell_a_japanese_sentence(text: str, default: str, expected: list[tuple[str, str]]) -> None:
    assert by_script(text, default, [*ALL, "ja-JP"]) == expected


def test_without_mandarin_nothing_is_split() -> None:
    assert by_script("Hello 你好", "en", ["en-US"]) == [("Hello 你好", "en")]


def test_a_voice_of_mandarin_only_says_it_all() -> None:
    assert by_script("你好 hello", "zh-CN", ["zh-CN"]) == [("你好 hello", "zh")]


@given(
    st.text(alphabet="ab 你好，。.!3%°Ckm\n'é-はー", max_size=30),
    st.sampled_from(["en", "zh-CN", "de", "ja"]),
    st.booleans(),
)
def test_the_runs_are_the_text(text: str, default: str, has_japanese: bool) -> None:
    runs = by_script(text, default, [*ALL, "ja-JP"] if has_japanese else ALL)
    assert "".join(run for run, _ in runs) == text
    assert all(run for run, _ in runs)
    assert all(left != right for (_, left), (_, right) in pairwise(runs))


def test_hostile_text_takes_no_time() -> None:
    for text in ("1" * 20000, "a." * 10000, "1." * 10000, "3 k" * 7000, "“" * 10000):
        assert "".join(run for run, _ in by_script(text, "zh", ALL)) == text


def test_primary_subtags() -> None:
    assert [primary(tag) for tag in ("zh-CN", "de_DE", "EN")] == ["zh", "de", "en"]
