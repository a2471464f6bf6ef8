"""A text that is spoken while it is being written: the same sentences as if it had come at once."""

from __future__ import annotations

import asyncio
from itertools import accumulate

import pytest

from edge_tts.errors import TextTooLongError
from edge_tts.growing_text import GrowingText
from edge_tts.text import sentences

TEXTS = [
    (
        "en",
        'Hello there. Dr. J. R. Smith said "Go!" and left... Did he? It is 3.5 °C, e.g. outside! So do I. Yes.',
    ),
    (
        "en",
        "First line.\n\nSecond one, without an end\n\n  \U0001f600 Third. . . (Really?) [pause 0.5s] Done",
    ),
    ("de", "Es war am 3. Oktober um 7.30 Uhr, z.B. in Bonn. Nr. 5 lebt! „Wirklich?“ Ja; und wie."),
    ("zh", "你好。今天天气很好！“真的吗？”他问：是的……再见。1.5公里。"),
]


@pytest.mark.parametrize(("language", "text"), TEXTS)
def test_what_is_complete_is_cut_where_the_whole_text_is(language: str, text: str) -> None:
    whole = sentences.split(text, language, max_characters=10_000, first_early=False)
    ends = {0, *accumulate(map(len, whole))}
    found = [len(sentences.complete(text[:n], language)) for n in range(len(text) + 1)]
    assert set(found) <= ends
    assert found == sorted(found)
    # All but the last, to which more could belong.
    assert found[-1] == len("".join(whole[:-1])) > 0


async def parts(text: GrowingText) -> list[str]:
    return [part async for part in text.parts()]


@pytest.mark.parametrize(("language", "text"), TEXTS)
async def test_nothing_of_it_is_lost(language: str, text: str) -> None:
    growing = GrowingText(1000, language=language)
    spoken = asyncio.create_task(parts(growing))
    for character in text:
        growing.add(character)
        await asyncio.sleep(0)
    growing.finish()
    assert "".join(await spoken) == text
    assert len(await spoken) > 1


async def test_markup_is_one_part() -> None:
    growing = GrowingText(1000, is_whole=True)
    for part in ("<speak>One. ", "Two. ", "</speak>"):
        growing.add(part)
    growing.finish()
    assert await parts(growing) == ["<speak>One. Two. </speak>"]


def test_it_grows_to_its_limit() -> None:
    growing = GrowingText(10)
    growing.add("a" * 10)
    with pytest.raises(TextTooLongError, match="11 characters"):
        growing.add("a")
