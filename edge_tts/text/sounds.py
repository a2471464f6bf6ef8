"""Sounds that are no words, `[breath]` or `<laughter>…</laughter>`, in the notation of CosyVoice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from edge_tts.speech import Alphabet, Span

SOUNDS = (
    *(
        "[breath]",
        "[noise]",
        "[laughter]",
        "[cough]",
        "[clucking]",
        "[accent]",
        "[quick_breath]",
        "[hissing]",
    ),
    *("[sigh]", "[vocalized-noise]", "[lipsmack]", "[mn]", "<laughter>", "</laughter>"),
)

_MARKS = re.compile(r"[.,;:!?…。，！？；：、]+")
_LATIN_MARKS = str.maketrans("。，！？；：、", ".,!?;:,")


def is_sound(span: Span) -> bool:
    return span.pronunciation is not None and span.pronunciation.alphabet is Alphabet.SOUND


def words_only(spans: Sequence[Span], warnings: dict[str, None]) -> list[Span]:
    """*spans* for a voice that makes words only; what stood around a sound is one text again."""
    found: list[Span] = []
    follows_sound = False
    for span in spans:
        if is_sound(span):
            warnings["unsupported_control:sounds"] = None
        elif follows_sound and found and found[-1].pronunciation is span.pronunciation is None:
            found[-1:] = _joined(found[-1], span)
        elif follows_sound and not found and span.pronunciation is None:
            found.append(replace(span, text=span.text.lstrip()))
        else:
            found.append(span)
        follows_sound = is_sound(span)
    return found


def _joined(before: Span, after: Span) -> list[Span]:
    """One span, or in two languages two; marks are of what they follow: "Well [sigh]." ends as "Well." does."""
    match = _MARKS.match(after.text)
    marks = match[0] if match else ""
    rest = after.text[len(marks) :]
    is_foreign = before.language != after.language
    if is_foreign and before.language != "zh":
        marks = marks.translate(_LATIN_MARKS)
    text = before.text.rstrip() if marks or rest.startswith(" ") else before.text
    if is_foreign and rest.strip():
        return [replace(before, text=text + marks), replace(after, text=rest)]
    return [replace(before, text=text + marks + rest)]
