from __future__ import annotations

import pytest

from edge_tts.errors import MarkupError
from edge_tts.text import xsampa


@pytest.mark.parametrize(
    ("symbols", "ipa"),
    [
        ('h@"l@U', "həˈləʊ"),
        ('"mO6g@n', "ˈmɔɐɡən"),
        ("tSI%k{goU", "tʃɪˌkæɡoʊ"),
        ("r\\i:d", "ɹiːd"),
        ("E~", "ɛ̃"),
        ("n=", "n̩"),
        ("3`", "ɝ"),
        ("z`", "ʐ"),
        ("T D S Z N", "θ ð ʃ ʒ ŋ"),
        ("a-b", "ab"),
    ],
)
def test_symbols_as_ipa(symbols: str, ipa: str) -> None:
    assert xsampa.to_ipa(symbols) == ipa


def test_what_is_no_symbol_is_named() -> None:
    with pytest.raises(MarkupError, match=r"'\$'"):
        xsampa.to_ipa("a$")
