from __future__ import annotations

from edge_tts.speech import Alphabet, Pronunciation, Segment, Span
from edge_tts.text.spans import Part, Speech, cut, is_said, main_language

IPA = Pronunciation(Alphabet.IPA, "a b")


def test_pieces_cut_spans_but_never_a_pronunciation() -> None:
    parts = [
        Part(Span("One. Two ", "en"), "One. Two "),
        Part(Span("[[ a. b ]].", "en", IPA), "aaaaaaaaaa."),
        Part(Span(" 三。", "zh"), " 三。"),
    ]
    assert list(cut(parts, ["One. ", "Two aaaaaaaaaa. ", "三。"])) == [
        (Span("One.", "en"),),
        (Span("Two ", "en"), Span("[[ a. b ]].", "en", IPA)),
        (Span("三。", "zh"),),
    ]


def test_the_main_language_counts_what_takes_long_to_say() -> None:
    assert main_language([Span("请打开", "zh"), Span("Wi-Fi", "en")]) == "zh"
    assert main_language([Span("Hello everybody", "en"), Span("好", "zh")]) == "en"
    assert main_language([]) is None


def test_marks_alone_are_not_said() -> None:
    assert not is_said([Span("…!", "en")])
    assert is_said([Span("…", "en", IPA)])


def test_symbols_are_said_in_a_language_that_has_them() -> None:
    speech = Speech(("zh-CN", "de-DE", "en-US"), "zh-CN", {})
    tags = [
        Segment("[hao4]", pronunciation=Pronunciation(Alphabet.PINYIN, "hao4")),
        Segment("[EH1]", pronunciation=Pronunciation(Alphabet.ARPABET, "EH1")),
    ]
    assert [part.span.language for part in speech.parts(tags)] == ["zh", "en"]
    only = Speech(("de-DE",), "de-DE", {})
    assert [part.span.language for part in only.parts(tags)] == ["de", "de"]


def test_marks_after_a_tag_stay() -> None:
    speech = Speech(("zh-CN", "en-US"), "zh-CN", {})
    breath = Segment("[breath]", pronunciation=Pronunciation(Alphabet.SOUND, "[breath]"))
    hao = Segment("[hao4]", pronunciation=Pronunciation(Alphabet.PINYIN, "hao4"))

    def texts(tag: Segment, after: str) -> list[str]:
        return [part.span.text for part in speech.parts([tag, Segment(after)])]

    # No sentence begins with a comma, so none of these would be left of a text by itself.
    assert texts(breath, "，再见。") == ["[breath]", "，再见。"]
    assert texts(hao, "，再见。") == ["[hao4]，", "再见。"]
    assert texts(breath, ", hello") == ["[breath]", ", hello"]


def test_html_around_chinese_is_no_english_word() -> None:
    (part,) = Speech(("zh-CN", "en-US"), "zh-CN", {}).parts([Segment("<strong>重要</strong>")])
    assert part.span == Span("重要", "zh")
