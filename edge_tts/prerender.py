"""Lines of a file, made once and kept in the phrase cache: a voice that is slower than speech then speaks at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from edge_tts.errors import SpeechError
from edge_tts.speech import SpeakRequest
from edge_tts.synthesizer import Synthesizer


@dataclass(frozen=True)
class Progress:
    """Where the work stands after a sentence; of a line that cannot be said, the only one."""

    line: int
    """From 1, as an editor counts; lines without text count too."""

    sentence: int
    """From 1."""

    n_sentences: int
    audio_s: float = 0.0
    synthesis_s: float = 0.0
    warnings: tuple[str, ...] = ()
    error: SpeechError | None = None


def prerender(
    synthesizer: Synthesizer, text: str, asked: SpeakRequest, default_voice: str
) -> Iterator[Progress]:
    """Say each line of *text*, otherwise as *asked*, to nobody. A line that cannot be said keeps no other back."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield from _line(synthesizer, number, replace(asked, text=line.strip()), default_voice)
        except SpeechError as error:
            yield Progress(number, 0, 0, error=error)


def _line(
    synthesizer: Synthesizer, number: int, request: SpeakRequest, default_voice: str
) -> Iterator[Progress]:
    plan = synthesizer.plan(request, default_voice)
    reached = Progress(number, 1, len(plan.sentences), warnings=plan.warnings)
    for piece in synthesizer.render(plan):
        if piece.sentence + 1 > reached.sentence:
            yield reached
            reached = Progress(number, piece.sentence + 1, piece.n_sentences)
        reached = replace(
            reached,
            audio_s=reached.audio_s + piece.audio.duration_s,
            synthesis_s=reached.synthesis_s + piece.synthesis_s,
            warnings=tuple(dict.fromkeys([*reached.warnings, *piece.warnings])),
        )
    yield reached
