from __future__ import annotations

import pytest

from edge_tts.speech import Emotion, Prosody
from edge_tts.text.styles import KEYWORDS, prosody


@pytest.mark.parametrize("word", KEYWORDS)
def test_every_keyword_is_found_in_a_phrase(word: str) -> None:
    assert prosody(f"sehr {word.upper()}, please") == KEYWORDS[word].over(Prosody())


def test_keywords_add_up_once_each() -> None:
    said = prosody("slow, very slowly, and happy")
    assert said == Prosody(speed=0.8, emotion=Emotion("happy"))


# "h\u0131gh" was a KeyError: it is "high" to a pattern that ignores capitals, and not to lower().
@pytest.mark.parametrize("style", ["", "below the highlands", "like a pirate", "h\u0131gh"])
def test_parts_of_words_are_no_keywords(style: str) -> None:
    assert prosody(style) is None
