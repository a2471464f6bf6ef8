from __future__ import annotations

import pytest

from edge_tts.text.sandhi import Word, in_context


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([("你好", 3, 3)], [2, 3]),
        ([("我", 3), ("很好", 3, 3)], [3, 2, 3]),
        ([("老李", 3, 3), ("买", 3), ("好", 3), ("酒", 3)], [2, 3, 2, 2, 3]),
        ([("一", 1), ("个", 5)], [2, 5]),
        ([("一", 1), ("天", 1)], [4, 1]),
        ([("一", 1)], [1]),
        ([("第", 4), ("一", 1), ("天", 1)], [4, 1, 1]),
        ([("不", 4), ("要", 4)], [2, 4]),
        ([("不", 4), ("好", 3)], [4, 3]),
        ([("好", 3), ("不", 4), ("好", 3)], [3, 5, 3]),
        ([("差不多", 4, 5, 1)], [4, 5, 1]),
        ([], []),
    ],
)
def test_tones_beside_their_neighbours(words: list[tuple[str, int]], expected: list[int]) -> None:
    assert in_context([Word(hanzi, tuple(tones)) for hanzi, *tones in words]) == expected
