from __future__ import annotations

import subprocess
import sys
import threading
import unicodedata

import pytest

from edge_tts.errors import VoiceError
from edge_tts.text.phonemes import Clause, Phonemizer, espeak_voice


@pytest.fixture(scope="module")
def phonemizer() -> Phonemizer:
    return Phonemizer()


def terminators(phonemizer: Phonemizer, text: str, voice: str = "en-us") -> str:
    return "".join(clause.terminator or "∅" for clause in phonemizer.clauses(text, voice))


def test_a_sentence_is_read_clause_by_clause(phonemizer: Phonemizer) -> None:
    assert phonemizer.clauses("Hello there, how are you?", "en-us") == [
        Clause("həlˈoʊ ðˈɛɹ", ","),
        Clause("hˈaʊ ɑːɹ juː", "?"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One, two; three: four! Five? Six.", ",;:!?."),
        ("No punctuation", "∅"),
        ("Wow!!! Really?! Yes", "!!∅"),
        ("She said: \"Stop.\" (And he did.) 'Fine.'", ":..."),
        ("Hello, ärger; über", ",;∅"),
        ("um 5 ,", ","),
        ("One — two… three... four", ";..∅"),
    ],
)
def test_the_terminator_is_what_was_written(phonemizer: Phonemizer, text: str, expected: str) -> None:
    assert terminators(phonemizer, text) == expected


def test_nothing_to_say_is_no_clause(phonemizer: Phonemizer) -> None:
    assert [phonemizer.clauses(text, "de") for text in ("", "  ", "...", "\n\n")] == [[], [], [], []]


def test_unreadable_characters_lose_nothing_around_them(phonemizer: Phonemizer) -> None:
    # A NUL ends a C string: "good\0morning" was "good". ϖ crashed espeak-ng with French and Portuguese.
    plain = phonemizer.clauses("good morning", "en-us")
    for text in ("good\0morning", "good\x1bmorning", "good\ud800morning"):
        assert phonemizer.clauses(text, "en-us") == plain
    for voice in ("fr-fr", "pt-br", "en-us"):
        assert phonemizer.clauses("ϖ", voice)


def test_foreign_words_leave_no_flags_in_nfc(phonemizer: Phonemizer) -> None:
    (clause,) = phonemizer.clauses("他喜欢 music", "cmn")
    assert "(" not in clause.ipa
    assert unicodedata.is_normalized("NFC", clause.ipa)


@pytest.mark.parametrize(
    ("tag", "voice"),
    [
        ("en-US", "en-us"), ("en", "en-us"), ("en-GB", "en-gb"), ("en_AU", "en-us"), ("de", "de"),
        ("de-AT", "de"), ("pt-BR", "pt-br"), ("fr", "fr"), ("fr-FR", "fr-fr"), ("zh-CN", "cmn"), ("no", "nb"),
        ("es-MX", "es-mx"),
    ],
)  # fmt: skip
def test_every_mapped_tag_is_a_language_espeak_opens(phonemizer: Phonemizer, tag: str, voice: str) -> None:
    assert espeak_voice(tag) == voice
    assert phonemizer.clauses("a", voice)


def test_an_unknown_language_says_so(phonemizer: Phonemizer) -> None:
    with pytest.raises(VoiceError, match="'tlh-x'"):
        phonemizer.clauses("hello", "tlh-x")
    assert phonemizer.clauses("hello", "en-us")


def test_languages_do_not_leak_into_each_other(phonemizer: Phonemizer) -> None:
    german = phonemizer.clauses("Tag", "de")
    assert phonemizer.clauses("Tag", "en-us") != german
    # Others share the process-wide state; they must not inherit the first one's language, nor start without one.
    for _ in range(2):
        assert Phonemizer().clauses("Tag", "de") == german


@pytest.mark.parametrize(
    ("language", "before", "text", "expected"),
    [
        ("fr-fr", "10000", "12000", "duz mˈil"),
        ("en-us", "tonight minutes 21.5", "10 000", "tˈɛn zˈiəɹoʊzˈiəɹoʊ zˈiəɹoʊ"),
        ("hu", "Dr..", "Really?", "rˈɛɑjj"),
    ],
)
def test_a_text_is_read_as_if_it_were_the_first(
    phonemizer: Phonemizer, language: str, before: str, text: str, expected: str
) -> None:
    phonemizer.clauses(before, language)
    assert phonemizer.clauses(text, language)[0].ipa == expected


READING = """
from edge_tts.memory import rss_bytes
from edge_tts.text.phonemes import Phonemizer

phonemizer = Phonemizer()
for number in range(10_000):
    if number == 1000:
        before = rss_bytes()
    phonemizer.clauses(f"Number {number}.", "en-us")
print((rss_bytes() - before) >> 20)
"""


def test_reading_takes_no_memory_for_ever() -> None:
    # Setting the voice for each text took 12 MB.
    child = subprocess.run(
        [sys.executable, "-c", READING], check=True, capture_output=True, text=True, timeout=60
    )
    assert int(child.stdout) < 4


def test_many_texts_are_not_all_remembered_but_all_right(phonemizer: Phonemizer) -> None:
    first = phonemizer.clauses("number zero", "en-us")
    for number in range(300):
        phonemizer.clauses(f"number {number}", "en-us")
    assert phonemizer.clauses("number zero", "en-us") == first


def test_a_caller_cannot_change_what_is_remembered(phonemizer: Phonemizer) -> None:
    phonemizer.clauses("keep this", "en-us").clear()
    assert phonemizer.clauses("keep this", "en-us")


def test_a_second_thread_is_refused(phonemizer: Phonemizer) -> None:
    phonemizer.clauses("mine", "en-us")
    refused: list[RuntimeError] = []

    def intrude() -> None:
        try:
            phonemizer.clauses("mine", "en-us")
        except RuntimeError as error:
            refused.append(error)

    thread = threading.Thread(target=intrude)
    thread.start()
    thread.join(timeout=10)
    assert len(refused) == 1


@pytest.mark.parametrize(
    ("voice", "text"),
    [
        ("kl", "0" * 33),
        ("si", "磁\ufffd" * 27),
        ("da", "aing" * 42),
        ("ka", "It costs" + "..50" * 2000),
        ("nog", "t." * 5000),
    ],
)
def test_no_text_is_too_long_for_its_buffers(voice: str, text: str) -> None:
    """Each of these ended the process; so in one of its own."""
    code = "import sys; from edge_tts.text.phonemes import Phonemizer; print(len(Phonemizer().clauses(*sys.argv[1:])))"
    read = subprocess.run(
        [sys.executable, "-c", code, text, voice], check=False, capture_output=True, text=True, timeout=60
    )
    assert read.returncode == 0, read.stderr
    assert int(read.stdout) > 0


def test_a_language_without_a_dictionary_is_none(phonemizer: Phonemizer) -> None:
    with pytest.raises(VoiceError, match="no language 'kaa'; it knows for example en-us"):
        phonemizer.clauses("...", "kaa")


def test_a_long_text_loses_nothing_where_it_is_cut(phonemizer: Phonemizer) -> None:
    words = "the washing machine in the kitchen is done " * 20
    read = " ".join(clause.ipa for clause in phonemizer.clauses(words, "en-us"))
    assert read.replace("ˈ", "").count("wɑːʃɪŋ") == 20
