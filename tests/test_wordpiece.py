"""WordPiece: texts as BERT's own tokenizer cuts them."""

from __future__ import annotations

import pytest

from edge_tts.text.wordpiece import END, START, UNKNOWN, WordPiece

PIECES = [
    "[PAD]",
    UNKNOWN,
    START,
    END,
    *"你好开心，。!'",
    "happy",
    "un",
    "##happi",
    "##ness",
    "##ly",
    "cafe",
    "2",
    "##1",
]
IDS = {piece: number for number, piece in enumerate(PIECES)}
NAMES = {number: piece for piece, number in IDS.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("你好", "你 好"),
        ("开心，你好。", "开 心 ， 你 好 。"),
        ("Happy", "happy"),
        ("  happy\tHAPPY\n", "happy happy"),
        ("Unhappiness", "un ##happi ##ness"),
        ("Café", "cafe"),
        ("happy!!", "happy ! !"),
        ("happy你happy", "happy 你 happy"),
        ("21", "2 ##1"),
        ("xyz happy", "[UNK] happy"),
        # A word is known as a whole or not at all.
        ("unx", "[UNK]"),
        ("h\u200bappy\u0000", "happy"),
        ("a" * 101, "[UNK]"),
        ("你〇happy\ufffd", "你 [UNK]"),
    ],
)
def test_pieces(text: str, expected: str) -> None:
    ids = WordPiece(IDS).read(text)
    assert [ids[0], ids[-1]] == [IDS[START], IDS[END]]
    assert " ".join(NAMES[number] for number in ids[1:-1]) == expected


def test_a_vocabulary_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[CLS\], \[SEP\]"):
        WordPiece({UNKNOWN: 0})
