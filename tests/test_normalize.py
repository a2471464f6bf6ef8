from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.text.normalize import RULES, clean, normalize
from tests.golden_files import cases

# Each breaks a careless pattern: repeats that overlap, tokens that never end, pairs that never close.
HOSTILE = (
    "1", "1,", "1.", "1.000", "1:", "1/", "1-", "1 1/2 ", "12:30-", "$1", "1x", "x1", "1°", "20.11.", "0123 ", "+49 ",
    "a.", "a-", "a@", "@", "a.com.", "www.", "http://", "a_", "aB", "A ", "AB ", "AAA aaa ", "IV ", "e.g. ", "Dr. ",
    "*", "_", "**a ", "`", "[", "[a](", "<a ", "| ", "\n- ", "1\n", "- ", "--", "—", "...", "…", ". ", "'", "~", "½",
    "€", "&amp;", "am 3. ", "5 Min. ", "😀", "é\u0301", " ", "\n",
)  # fmt: skip


@pytest.mark.parametrize(("written", "expected"), cases("normalize_en.txt"))
def test_english(written: str, expected: str) -> None:
    assert normalize(written, "en") == expected


@pytest.mark.parametrize(("written", "expected"), cases("normalize_de.txt"))
def test_german(written: str, expected: str) -> None:
    assert normalize(written, "de") == expected


@pytest.mark.parametrize("tag", ["en-US", "EN", "en_GB"])
def test_a_language_tag_means_its_primary_language(tag: str) -> None:
    assert normalize("5 kg", tag) == "five kilograms"


def test_an_unknown_language_is_only_cleaned() -> None:
    assert normalize("**5 kg** 🎉 &  más", "es") == "5 kg & más"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (" and then ", " and then "),
        ("\n then", " then"),
        ("now 😀", "now"),
        ("😀", ""),
        ("", ""),
        (" \n ", " "),
    ],
)
def test_an_edge_keeps_one_space_so_that_stretches_of_markup_can_be_joined(
    written: str, expected: str
) -> None:
    assert normalize(written, "en") == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a\u200bb\u00adc\ufeff\x00d", "abcd"),
        ("e\u0301", "é"),
        ("٣ and ３", "3 and 3"),
        ("a\r\nb\u2028c\td", "a b c d"),
        ("one\n \n\ntwo", "one\n\ntwo"),
        ("👩‍👩‍👧 hi 👍🏽 there 🇩🇪❤️", "hi there"),
        ("done✅next", "done next"),
        ("**bold** __bold__ *it* _it_ ~~gone~~ ***both***", "bold bold it it gone both"),
        ("snake_case 5 * 3 *.txt", "snake_case 5 * 3 *.txt"),
        ("## Title ##\nText", "Title. Text"),
        ("![a cat](cat.png) and [a link](https://x.org \"t\")", "a cat and a link"),
        ("<https://x.org>", "https://x.org"),
        ("```python\nprint\n```", "print"),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |", "a, b. 1, 2."),
        ("> quoted", "quoted"),
        ("> 5 W", "> 5 W"),
        ("- [x] milk\n- bread!", "milk. bread!"),
        ("3. Oktober", "3. Oktober"),
        ("one<br>two &amp; <b>three</b>", "one two & three"),
        ("a\n---\nb", "a\n\nb"),
        ("x < y > z", "x < y > z"),
    ],
)  # fmt: skip
def test_cleaning(written: str, expected: str) -> None:
    assert clean(written) == expected


@given(st.text(), st.sampled_from(sorted(RULES)))
def test_any_text_has_a_normal_form_without_digits_or_stray_whitespace(text: str, language: str) -> None:
    spoken = normalize(text, language)
    assert "  " not in spoken
    assert not any(c in spoken for c in "\t\r\0")
    # Those of Japanese are read with what they count: 3分 is サンプン, 3本 サンボン.
    assert language == "ja" or not any(c in spoken for c in "0123456789")


@given(st.text(alphabet="abcxyz -ABC", max_size=60), st.sampled_from(["en", "de"]))
def test_letters_are_never_lost(text: str, language: str) -> None:
    def letters(of: str) -> str:
        return "".join(filter(str.isalpha, of)).lower().replace("eigh", "a")

    assert letters(normalize(text, language)) == letters(text)


@given(st.text(alphabet="0123456789.,:/-+ €$%°Ckmh²", max_size=40), st.sampled_from(["en", "de"]))
def test_every_digit_is_spoken(text: str, language: str) -> None:
    assert any(map(str.isalpha, normalize(text, language))) or not any(
        map(str.isdigit, text.replace("²", ""))
    )


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("pattern", HOSTILE)
def test_hostile_text_is_normalized_in_linear_time(pattern: str, language: str) -> None:
    def cpu_s(n_characters: int) -> float:
        text = pattern * (n_characters // len(pattern)) + "x"
        start = time.process_time()
        assert normalize(text, language)
        return time.process_time() - start

    # Four times the text: quadratic patterns need sixteen times as long, each time; a collection of garbage does once.
    assert any(cpu_s(16_000) < 8 * cpu_s(4_000) + 0.25 for _ in range(3))


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_number_of_1000_digits_is_read_digit_by_digit(language: str) -> None:
    assert len(normalize("7" * 1000, language).split()) == 1000


def test_what_costs_megabytes_is_loaded_on_first_use_only() -> None:
    # The emoji tables alone cost 8 MB; a house that never sends one never pays.
    program = (
        "import sys; from edge_tts.text.normalize import normalize; normalize('It is good & done.', 'en');"
        "print(*sorted({'emoji', 'cn2an', 'num2words', 'pypinyin'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
