from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from edge_tts.speech import Alphabet, Pronunciation, Prosody, Segment
from edge_tts.text.lexicon import Lexicon, parse

FILE = """
Kerstin: Kärstin
gif: {ipa: dʒɪf}
NAS: {arpabet: N AE1 S}
mA: Milliampere
重阳: {pinyin: chong2 yáng}
重阳节: 九月九
Playlist: {language: en}
Café: Kaffee
living room: lounge
5G: five gee
C++: see plus plus
µg: Mikrogramm
kir: Aperitif
İzmir: Ismir
"""


@pytest.fixture
def lexicon(tmp_path: Path) -> Lexicon:
    path = tmp_path / "lexicon.yaml"
    path.write_text(FILE, encoding="utf-8")
    return Lexicon(path)


def shown(segments: list[Segment]) -> str:
    def one(segment: Segment) -> str:
        given = f"={segment.pronunciation.symbols}" if segment.pronunciation else ""
        language = f"@{segment.language}" if segment.language else ""
        return segment.text + given + language

    return "|".join(map(one, segments))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hallo Kerstin!", "Hallo Kärstin!"),
        ("KERSTIN und kerstin", "Kärstin und Kärstin"),
        ("Kerstins Haus", "Kerstins Haus"),
        ("A gif here", "A |gif=dʒɪf| here"),
        ("gifts", "gifts"),
        ("the NAS is full", "the |NAS=N AE1 S| is full"),
        ("the nas is full", "the nas is full"),
        ("用NAS存储", "用|NAS=N AE1 S|存储"),
        ("5 mA, ma", "5 Milliampere, ma"),
        ("今天重阳登高", "今天|重阳=chong2 yang2|登高"),
        ("今天重阳节", "今天九月九"),
        ("Meine Playlist läuft", "Meine |Playlist@en| läuft"),
        ("Im Cafe\u0301 sitzen", "Im Kaffee sitzen"),
        ("The Living Room light", "The lounge light"),
        ("5G and C++", "five gee and see plus plus"),
        ("gif gif", "gif=dʒɪf| |gif=dʒɪf"),
        # The micro sign and the Greek letter, i with and without its dot: once a KeyError.
        ("5 \u00b5g, 5 \u03bcg", "5 Mikrogramm, 5 Mikrogramm"),
        ("KIR, K\u0130R, k\u0131r", "Aperitif, Aperitif, Aperitif"),
        ("\u0130zmir, izmir", "Ismir, Ismir"),
    ],
)
def test_words_are_replaced_whole(lexicon: Lexicon, text: str, expected: str) -> None:
    assert shown(lexicon.apply([Segment(text)])) == expected


def test_markup_is_kept(lexicon: Lexicon) -> None:
    slow = Prosody(speed=0.5)
    given = Segment("gif", pronunciation=Pronunciation(Alphabet.IPA, "ɡɪf"))
    spelled = Segment("g i f gif", is_verbatim=True)
    parts = lexicon.apply([Segment("a gif", prosody=slow, pause_s=2, ends_sentence=True), given, spelled])
    assert parts[:2] == [
        Segment("a ", prosody=slow),
        Segment(
            "gif",
            prosody=slow,
            pause_s=2,
            ends_sentence=True,
            pronunciation=Pronunciation(Alphabet.IPA, "dʒɪf"),
        ),
    ]
    assert parts[2:] == [given, spelled]


def test_a_pause_without_text_stays(lexicon: Lexicon) -> None:
    assert lexicon.apply([Segment(pause_s=1)]) == [Segment(pause_s=1)]


def test_no_file_changes_nothing() -> None:
    assert Lexicon(None).apply([Segment("gif")]) == [Segment("gif")]


def rewrite(path: Path, text: str) -> None:
    """With another modification time, whatever the file system's resolution."""
    later_ns = path.stat().st_mtime_ns + 10**9 if path.exists() else 10**18
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(later_ns, later_ns))


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.yaml"
    rewrite(path, "one: two")
    lexicon = Lexicon(path)
    rewrite(path, "one: six")
    assert shown(lexicon.apply([Segment("one")])) == "six"
    rewrite(path, "")
    assert shown(lexicon.apply([Segment("one")])) == "one"


def test_a_broken_file_leaves_the_last_good_one_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "lexicon.yaml"
    rewrite(path, "one: two")
    lexicon = Lexicon(path)
    rewrite(path, "one: [")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert shown(lexicon.apply([Segment("one")])) == "two"
    assert len(caplog.records) == 1
    assert lexicon.problem is not None
    rewrite(path, "one: three")
    assert shown(lexicon.apply([Segment("one")])) == "three"
    assert lexicon.problem is None


@pytest.mark.parametrize(
    ("document", "text", "expected"),
    [
        (r"/(\d+) ?kWh/: \1 units", "It used 12 kWh and 3kWh.", "It used 12 units and 3 units."),
        (r"/(?P<h>\d+):(?P<m>\d+)h/: \g<m> past \g<h>", "At 7:30h.", "At 30 past 7."),
        ("/(?i)foo/: bar", "Foo FOO foo", "bar bar bar"),
        ("/foo/: bar", "Foo foo", "Foo bar"),
        ("/ ?\\(.*?\\)/: ''", "Rain (heavy) soon (or not).", "Rain soon."),
        # In the order of the file, and then the words.
        ("/a/: b\n/b/: c\nc: word", "a b c", "word word word"),
        # Composed characters are one, however they were typed.
        ("/Bär/: bear", "Ba\u0308r", "bear"),
        ("/km/h/: kilometres an hour", "50 km/h", "50 kilometres an hour"),
        ("/: slash", "a / b", "a slash b"),
    ],
)
def test_rules_by_regular_expression(document: str, text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "lexicon.yaml"
    path.write_text(document, encoding="utf-8")
    lexicon = Lexicon(path)
    assert lexicon.problem is None
    assert shown(lexicon.apply([Segment(text)])) == expected


def test_rules_leave_what_is_given_verbatim(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.yaml"
    path.write_text("/./: x", encoding="utf-8")
    given = [
        Segment("gif", pronunciation=Pronunciation(Alphabet.IPA, "ɡ")),
        Segment("g i f", is_verbatim=True),
    ]
    assert Lexicon(path).apply(given) == given


def test_a_rule_that_takes_for_ever_is_left_out_and_told(tmp_path: Path) -> None:
    """One text would have ended the daemon: a call of its thread has a deadline."""
    path = tmp_path / "lexicon.yaml"
    rewrite(path, "/(a|aa)+c/: x\nb: word")
    lexicon = Lexicon(path)
    told: list[str | None] = []
    lexicon.on_problem = told.append
    assert shown(lexicon.apply([Segment("a" * 5000 + " b")])) == "a" * 5000 + " word"
    assert told == ["/(a|aa)+c/ takes too long and is left out until the file is changed"]
    assert shown(lexicon.apply([Segment("ac b")])) == "ac word"
    rewrite(path, "/ac/: x")
    assert shown(lexicon.apply([Segment("ac")])) == "x"
    assert told[1:] == [None]


def test_rules_cannot_fill_the_memory(tmp_path: Path) -> None:
    """Of a line, two of them made gigabytes."""
    path = tmp_path / "lexicon.yaml"
    rewrite(path, f"/[a-z]/: {'x' * 1000}\n/[x-z]/: {'y' * 1000}\nb: word")
    lexicon = Lexicon(path)
    assert len(shown(lexicon.apply([Segment("a" * 50)]))) == 50_000
    assert lexicon.problem is not None
    assert lexicon.problem.startswith("/[x-z]/ makes a text longer than 100000 characters and is left out")
    with pytest.raises(ValueError, match=r"^/a/: .*more than 1000 characters, at line 1"):
        parse(f"/a/: {'x' * 1001}")


def test_a_missing_file_is_a_problem_until_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.yaml"
    lexicon = Lexicon(path)
    assert lexicon.problem is not None
    rewrite(path, "one: two")
    assert shown(lexicon.apply([Segment("one")])) == "two"
    path.unlink()
    assert shown(lexicon.apply([Segment("one")])) == "two"
    assert lexicon.problem is not None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("- one\n- two", "word: respelling"),
        ("no: noo", "quotes"),
        ("one: 5", "one: expected"),
        ("one: {sampa: wVn}", "one: expected a respelling or one of arpabet, ipa, language"),
        ('one: {sound: "[breath]"}', "one: expected a respelling or one of arpabet, ipa, language"),
        ("one: {ipa: wʌn, pinyin: wan1}", "contradict"),
        ("one: {pinyin: xyz1}", "one: 'xyz1'"),
        ("one: {arpabet: W XX1}", "one: 'XX1'"),
        ("one: {ipa: 5}", "one: every value"),
        ("one: ''", "one: expected"),
        ("'/(/': x", r"/\(/: missing \) at position 1, at line 1"),
        ("a: b\n/x*/: y", "/x\\*/: it matches where there is nothing, at line 2"),
        ("/(a)/: 5", r"/\(a\)/: expected the text that takes its place"),
        (r"/(a)/: \2", r"/\(a\)/: \\2 names no group of it"),
        (r"/(?P<n>a)/: \g<m>", r"\\m names no group of it"),
        (r"/(a)/: \q", r"\\q names no group of it"),
    ],
)
def test_a_wrong_entry_is_named(document: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(document)


@pytest.mark.parametrize("document", ["a: " + "[" * 3000, "a: " + "9" * 5000, "a: 2026-13-45", "a: &b [*b]"])
def test_what_no_reader_of_yaml_takes_is_told(document: str, tmp_path: Path) -> None:
    # Brackets 3000 deep were a RecursionError, which every request that followed ended in.
    path = tmp_path / "lexicon.yaml"
    path.write_text(document)
    lexicon = Lexicon(path)
    assert lexicon.apply([Segment("a")]) == [Segment("a")]
    assert lexicon.problem is not None
    assert lexicon.problem.startswith(f"{path}: ")
