from __future__ import annotations

import pytest

from edge_tts.errors import MarkupError
from edge_tts.speech import Alphabet, Emotion, Pronunciation, Prosody, Segment
from edge_tts.text import ssml


def words(text: str, language: str = "en") -> str:
    """What is said, parts separated by |, pauses as {s}, ends of sentences as ¶."""
    segments, _ = ssml.parse(text, language)

    def one(segment: Segment) -> str:
        said = f"{segment.text}={segment.pronunciation.symbols}" if segment.pronunciation else segment.text
        return said + (f"{{{segment.pause_s:g}}}" if segment.pause_s else "") + "¶" * segment.ends_sentence

    return "|".join(map(one, segments))


def manner(attributes: str) -> Prosody:
    (segment,), warnings = ssml.parse(f"<speak><prosody {attributes}>x</prosody></speak>")
    assert warnings == []
    return segment.prosody


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<speak>Hello</speak>", "Hello"),
        ("Hello", "Hello"),
        ('<?xml version="1.0" encoding="UTF-8"?>\n<speak>Hi</speak>', " |Hi"),
        ("<speak>a\n  b &amp; c</speak>", "a b & c"),
        ("<speak>a<!-- no --><?php no ?>b</speak>", "ab"),
        ("<speak><![CDATA[1 < 2]]></speak>", "1 < 2"),
        ("<speak>a<break/>b</speak>", "a|{0.4}|b"),
        ("<speak>a<break time='250ms'/>b<break time='1.5s'/></speak>", "a|{0.25}|b|{1.5}"),
        ("<speak>a<break strength='x-strong'/><break strength='none'/></speak>", "a|{1}"),
        ("<speak><s>a</s><s>b</s></speak>", "a|¶|¶|b|¶"),
        ("<speak>a<p>b</p></speak>", "a|¶|b|\n\n¶"),
        ("<speak>the <sub alias='World Wide Web'>WWW</sub>!</speak>", "the |World Wide Web|!"),
        ("<speak>a<mark name='m'/>b</speak>", "a|b"),
        ("<speak><metadata>secret</metadata><desc>x</desc>b</speak>", "b"),
        ("<speak><phoneme alphabet='ipa' ph='tə'>to</phoneme></speak>", "to=tə"),
        ("<speak><phoneme ph='tə'/></speak>", "tə=tə"),
        ("<speak><phoneme alphabet='x-sampa' ph='h@\"l@U'>hi</phoneme></speak>", "hi=həˈləʊ"),
        ("<speak><phoneme alphabet='pinyin' ph='nǐ hao3'>你好</phoneme></speak>", "你好=ni3 hao3"),
        ("<speak><phoneme alphabet='x-arpabet' ph='K L EH1 R'>x</phoneme></speak>", "x=K L EH1 R"),
        ("<ssml:speak xmlns:ssml='http://www.w3.org/2001/10/synthesis'>a</ssml:speak>", "a"),
    ],
)
def test_what_is_said(text: str, expected: str) -> None:
    assert words(text) == expected
    assert ssml.parse(text)[1] == []


@pytest.mark.parametrize(
    ("kind", "text", "language", "expected"),
    [
        ("characters", "Abc1", "de", "A B C 1"),
        ("spell-out", "a-b", "en", "eigh - B"),
        ("digits", "4711", "en", "4 7 1 1"),
        ("telephone", "+49 30-123", "de", "plus 4 9, 3 0, 1 2 3"),
        ("cardinal", "0042", "en", "forty-two"),
        ("cardinal", "1984", "zh", "1984"),
        ("ordinal", "3", "en", "third"),
        ("ordinal", "3.", "de-DE", "dritte"),
        ("ordinal", "3", "zh-CN", "第3"),
        ("time", "7:30", "en", "7:30"),
        ("ordinal", "soon", "en", "soon"),
    ],
)
def test_say_as(kind: str, text: str, language: str, expected: str) -> None:
    markup = f"<speak><say-as interpret-as='{kind}'>{text}</say-as></speak>"
    assert words(markup, language) == expected


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("mdy", "3/4/2026", "2026-03-04"),
        ("dmy", "3.4.2026", "2026-04-03"),
        ("md", "3/4", "3/4"),
        ("mdy", "3/4/26", "3/4/26"),
    ],
)
def test_dates_say_which_number_is_which(form: str, text: str, expected: str) -> None:
    assert words(f"<speak><say-as interpret-as='date' format='{form}'>{text}</say-as></speak>") == expected


def test_the_language_around_decides_how_a_number_is_said() -> None:
    markup = "<speak xml:lang='de-DE'><say-as interpret-as='ordinal'>3</say-as></speak>"
    assert words(markup, "en") == "dritte"
    assert ssml.parse(markup)[0][0].language == "de-DE"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("rate='slow'", Prosody(speed=0.75)),
        ("rate='x-fast'", Prosody(speed=1.75)),
        ("rate='80%'", Prosody(speed=0.8)),
        ("rate='+20%'", Prosody(speed=1.2)),
        ("rate='-20%'", Prosody(speed=0.8)),
        ("rate='1.5'", Prosody(speed=1.5)),
        ("pitch='+2st'", Prosody(pitch_semitones=2)),
        ("pitch='-3.5st'", Prosody(pitch_semitones=-3.5)),
        ("pitch='+100%'", Prosody(pitch_semitones=12)),
        ("pitch='x-low'", Prosody(pitch_semitones=-4)),
        ("range='low'", Prosody(pitch_range=0.7)),
        ("volume='soft'", Prosody(volume=0.5)),
        ("volume='+20dB' rate='medium'", None),
        ("volume='-20dB'", Prosody(volume=0.1)),
        ("volume='50%'", Prosody(volume=0.5)),
        ("volume='80'", Prosody(volume=0.8)),
        ("volume='silent'", Prosody(volume=0)),
    ],
)
def test_prosody(attributes: str, expected: Prosody | None) -> None:
    if expected is None:
        with pytest.raises(MarkupError, match="volume"):
            manner(attributes)
        return
    assert manner(attributes) == expected


def test_nested_prosody_multiplies() -> None:
    markup = "<speak><prosody rate='50%' pitch='high'><prosody rate='50%' pitch='high'>x</prosody></prosody></speak>"
    (segment,), _ = ssml.parse(markup)
    assert segment.prosody == Prosody(speed=0.25, pitch_semitones=4)


@pytest.mark.parametrize(
    "markup",
    [
        "<mstts:express-as style='cheerful' styledegree='0.5'>x</mstts:express-as>",
        "<m:express-as xmlns:m='http://www.w3.org/2001/mstts' style='joyful' styledegree='0.5'>x</m:express-as>",
        "<emotion category='happy' intensity='0.5'>x</emotion>",
    ],
)
def test_emotions_of_all_dialects(markup: str) -> None:
    (segment,), warnings = ssml.parse(markup)
    assert segment.prosody == Prosody(emotion=Emotion("happy", 0.5))
    assert warnings == []


def test_emphasis_voice_and_language() -> None:
    markup = "<speak><emphasis level='strong'>a</emphasis><voice name='kerstin' xml:lang='de-DE'>b</voice>c</speak>"
    a, b, c = ssml.parse(markup)[0]
    assert a.prosody.speed < 1 < a.prosody.pitch_semitones + 1
    assert (b.voice, b.language) == ("kerstin", "de-DE")
    assert c == Segment("c")


@pytest.mark.parametrize(
    ("markup", "said", "warning"),
    [
        ("<speak><blink>a</blink></speak>", "a", "unknown_element:blink"),
        ("<speak><audio src='x.wav'><desc>no</desc>a</audio></speak>", "a", "unsupported_audio"),
        ("<speak><say-as interpret-as='poem'>a</say-as></speak>", "a", "unsupported_say_as:poem"),
        ("<speak><voice gender='female'>a</voice></speak>", "a", "unsupported_attribute:voice.gender"),
        ("<prosody contour='(0%,+20Hz)'>a</prosody>", "a", "unsupported_attribute:prosody.contour"),
    ],
)
def test_what_is_not_supported_is_spoken_with_a_warning(markup: str, said: str, warning: str) -> None:
    assert words(markup) == said
    assert ssml.parse(markup)[1] == [warning]


@pytest.mark.parametrize(
    ("markup", "message"),
    [
        ("<speak>\n  3 < 4</speak>", "line 2, column 6"),
        ("<speak>Tom & Jerry</speak>", "line 1, column 13"),
        ("<speak>a", "mismatched tag"),
        ("<speak>&nbsp;</speak>", "undefined entity"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><speak>&b;</speak>", "not allowed"),
        ("<speak><break time='20s'/></speak>", "10 seconds"),
        ("<speak><break time='soon'/></speak>", "'soon'"),
        ("<speak><break strength='huge'/></speak>", "'huge'"),
        ("<speak><prosody rate='quick'>a</prosody></speak>", "rate 'quick'.*x-slow"),
        ("<speak><prosody rate='0'>a</prosody></speak>", "out of range"),
        ("<speak><prosody rate='-100%'>a</prosody></speak>", "out of range"),
        ("<speak><prosody pitch='+20Hz'>a</prosody></speak>", "semitones"),
        ("<speak><prosody pitch='+50st'>a</prosody></speak>", "out of range"),
        ("<speak><prosody rate=''>a</prosody></speak>", "rate ''"),
        ("<speak><prosody volume=''>a</prosody></speak>", "volume ''"),
        ("<speak><prosody volume='nan'>a</prosody></speak>", "'nan'"),
        ("<speak><emphasis level='very'>a</emphasis></speak>", "'very'"),
        ("<speak><emotion>a</emotion></speak>", "style or category"),
        ("<speak><emotion category='sad' intensity='-1'>a</emotion></speak>", "0 to 1"),
        ("<speak><phoneme alphabet='klingon' ph='x'>a</phoneme></speak>", "'klingon'"),
        ("<speak><phoneme>a</phoneme></speak>", "ph is missing"),
        ("<speak><phoneme alphabet='pinyin' ph='xyz1'>a</phoneme></speak>", "'xyz1'"),
        ("<speak><phoneme alphabet='x-sampa' ph='h$'>a</phoneme></speak>", "no X-SAMPA"),
        ("<speak><sub>a</sub></speak>", "alias"),
        ("<p>" * 200 + "a" + "</p>" * 200, "nested"),
    ],
)
def test_what_is_wrong_is_said(markup: str, message: str) -> None:
    with pytest.raises(MarkupError, match=message):
        ssml.parse(markup)


def test_a_billion_laughs_are_refused_at_once() -> None:
    laughs = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    with pytest.raises(MarkupError):
        ssml.parse(f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><speak>&l9;</speak>')


def test_a_pronunciation_keeps_its_word() -> None:
    (segment,), _ = ssml.parse("<phoneme alphabet='ipa' ph='x'>Clare</phoneme>")
    assert segment == Segment("Clare", pronunciation=Pronunciation(Alphabet.IPA, "x"))
