from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.config import TextConfig
from edge_tts.errors import MarkupError, NothingToSayError
from edge_tts.speech import Emotion, Prosody, Sentence, SpeakRequest
from edge_tts.text.frontend import Frontend, without_style
from edge_tts.text.lexicon import Lexicon

ALL = ("en-US", "de-DE", "zh-CN")
CONFIG = TextConfig(sentence_pause_ms=200, paragraph_pause_ms=600)
FRONTEND = Frontend(CONFIG, Lexicon(None))


def read(text: str, language: str = "en-US", **fields: object) -> tuple[list[Sentence], list[str]]:
    request = SpeakRequest(text, **fields)  # type: ignore[arg-type]
    return FRONTEND.sentences(request, languages=ALL, language=language)


def shown(sentences: list[Sentence]) -> list[str]:
    """ "en: She |zh: 你好|… (0.2)": spans with their language, given symbols, and the pause."""

    def span(sentence: Sentence) -> str:
        parts = [
            f"{each.language}: {each.text}" + (f"={each.pronunciation.symbols}" if each.pronunciation else "")
            for each in sentence.spans
        ]
        return "|".join(parts) + f" ({sentence.pause_s:g})"

    return [span(sentence) for sentence in sentences]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello. World", ["en: Hello. (0.2)", "en: World (0)"]),
        ("It is 21.5°C.", ["en: It is twenty-one point five degrees Celsius. (0.2)"]),
        ("One.\n\nTwo.", ["en: One. (0.6)", "en: Two. (0.2)"]),
        ("One\n\nTwo", ["en: One (0.6)", "en: Two (0)"]),
        ("one [pause 1s] two", ["en: one (1)", "en: two (0)"]),
        ("[pause 2s]one", [" (2)", "en: one (0)"]),
        ("one [pause 1s][pause 2s]", ["en: one (3)"]),
        ("She said 你好 to me.", ["en: She said |zh: 你好 |en: to me. (0.2)"]),
        ("请打开Wi-Fi，谢谢。", ["zh: 请打开|en: Wi-Fi, |zh: 谢谢。 (0.2)"]),
        ("Is it [[ kˈleə ]]? Yes", ["en: Is it |en: [[ kˈleə ]]?=kˈleə (0.2)", "en: Yes (0)"]),
        ("她[h][ào]干净。", ["zh: 她|zh: [h][ào]=hao4|zh: 干净。 (0.2)"]),
        ("[K][L][EH1][R]", ["en: [K][L][EH1][R]=K L EH1 R (0)"]),
        ("你好。", ["zh: 你好。 (0.2)"]),
        ("😀 Hi 😀", ["en: Hi (0)"]),
        ("... Well.", ["en: Well. (0.2)"]),
    ],
)
def test_plain_text(text: str, expected: list[str]) -> None:
    sentences, warnings = read(text)
    assert shown(sentences) == expected
    assert warnings == []


def test_the_first_clause_of_a_long_text_comes_early() -> None:
    text = (
        "In the morning, the washing machine has finished its long programme, so please take the laundry out."
    )
    first, *_ = shown(read(text)[0])
    assert first.endswith(", (0.08)")
    later = shown(read("Well. " + text)[0])
    assert len(later) == 2


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<speak><p>One</p><p>Two</p></speak>", ["en: One (0.6)", "en: Two (0.6)"]),
        ("<speak><s>One</s><s>Two</s></speak>", ["en: One (0.2)", "en: Two (0.2)"]),
        ("<speak>One <break time='1s'/> two</speak>", ["en: One (1)", "en: two (0)"]),
        (
            "<speak>Say <lang xml:lang='de-DE'>Guten Tag</lang> now.</speak>",
            ["en: Say |de: Guten Tag|en:  now. (0.2)"],
        ),
        ("<speak>Go <emphasis>there</emphasis>!</speak>", ["en: Go (0)", "en: there! (0.2)"]),
        (
            "<speak><emphasis>a</emphasis> <emphasis>b</emphasis></speak>",
            ["en: a b (0)"],
        ),
        ("<speak>\n  One.\n\n  Two.\n</speak>", ["en: One. (0.2)", "en: Two. (0.2)"]),
        (
            "<speak><phoneme alphabet='pinyin' ph='hao4'>好</phoneme>奇</speak>",
            ["zh: 好=hao4|zh: 奇 (0)"],
        ),
    ],
)
def test_ssml(markup: str, expected: list[str]) -> None:
    assert shown(read(markup, format="ssml")[0]) == expected


def test_a_language_the_voice_does_not_speak_is_warned_about() -> None:
    sentences, warnings = read("<speak><lang xml:lang='fr'>bonjour</lang></speak>", format="ssml")
    assert shown(sentences) == ["en: bonjour (0)"]
    assert warnings == ["unsupported_language:fr"]


def test_another_voice_ends_the_sentence() -> None:
    sentences, _ = read("<speak>One <voice name='kerstin'>zwei</voice> three</speak>", format="ssml")
    assert [sentence.voice for sentence in sentences] == [None, "kerstin", None]


def test_markup_is_relative_to_the_request() -> None:
    sad = Emotion("sad", 0.5)
    markup = (
        "<speak>a<prosody rate='200%' pitch='+2st'>b</prosody><emotion category='happy'>c</emotion></speak>"
    )
    plain, prosody, emotion = read(markup, format="ssml", speed=1.5, pitch=1.0, emotion=sad)[0]
    assert plain.prosody == Prosody(speed=1.5, pitch_semitones=1.0, emotion=sad)
    assert prosody.prosody == Prosody(speed=3.0, pitch_semitones=3.0, emotion=sad)
    assert emotion.prosody.emotion == Emotion("happy")


def test_what_multiplies_stays_possible() -> None:
    (sentence,) = read(
        "<speak><prosody rate='400%' pitch='+20st'>x</prosody></speak>", format="ssml", speed=4.0, pitch=12.0
    )[0]
    assert (sentence.prosody.speed, sentence.prosody.pitch_semitones) == (4.0, 24.0)


def test_a_style_is_its_keywords_and_an_emotion_by_name_wins() -> None:
    (asked,), _ = read("Hi", style="speak slowly and sad", emotion=Emotion("happy"), speed=1.5)
    sentence, warnings = without_style(asked)
    assert sentence.prosody == Prosody(speed=1.5 * 0.8, emotion=Emotion("happy"))
    assert warnings == []
    assert without_style(read("Hi", style="like a pirate")[0][0])[1] == ["unsupported_control:style"]


@pytest.mark.parametrize("text", ["", "  ", "\n\n", "😀", "...", "[pause 1s]", "“”", "\u200b"])
def test_nothing_to_say_is_an_error(text: str) -> None:
    with pytest.raises(NothingToSayError):
        read(text)


def test_an_unknown_format_says_what_is_known() -> None:
    with pytest.raises(MarkupError, match="text or ssml"):
        read("x", format="html")


def test_the_lexicon_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.yaml"
    path.write_text("gif: {ipa: dʒɪf}\nPlaylist: {language: en}\nMüller: Miller\n", encoding="utf-8")
    frontend = Frontend(CONFIG, Lexicon(path))
    request = SpeakRequest("Die Playlist von Müller hat ein gif.")
    sentences, _ = frontend.sentences(request, languages=ALL, language="de-DE")
    assert shown(sentences) == ["de: Die |en: Playlist|de:  von Miller hat ein |de: gif.=dʒɪf (0.2)"]


def test_a_voice_of_one_language_gets_it_all() -> None:
    sentences, _ = FRONTEND.sentences(SpeakRequest("Hello 你好."), languages=["en-US"], language="en-US")
    assert {span.language for sentence in sentences for span in sentence.spans} == {"en"}


@given(st.text(alphabet="ab你好, .!?\n[]0", max_size=40))
def test_no_word_is_lost_and_no_sentence_empty(text: str) -> None:
    letters = [c for c in text if c in "ab你好"]
    try:
        sentences, _ = read(text)
    except NothingToSayError:
        assert not letters
        return
    spoken = "".join(sentence.text for sentence in sentences)
    # Capital or not, spelled or not: every letter of a word has its place. Tags like [a0] may be pinyin.
    assert all(spoken.count(c) >= letters.count(c) for c in "你好")
    assert all(sentence.spans for sentence in sentences)
