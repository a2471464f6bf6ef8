"""What a two-stage voice has on disk beside its graphs: the token table and the speakers' pitch."""

from __future__ import annotations

import json
from dataclasses import dataclass

from edge_tts.errors import VoiceLoadError
from edge_tts.models.base import VoiceSpec
from edge_tts.models.files import read_verified
from edge_tts.models.two_stage_frontend import END, START


@dataclass(frozen=True)
class PitchRange:
    """A speaker's pitch: what the z-scores of the graphs mean."""

    log_f0_median: float
    """ln Hz."""

    log_f0_std: float


@dataclass(frozen=True)
class Frontend:
    """frontend.json: the token table and the speakers' pitch."""

    tokens: dict[str, int]
    pitch: dict[str, PitchRange]


def read_frontend(spec: VoiceSpec) -> Frontend:
    """Raises VoiceLoadError."""
    path = spec.files["frontend"]
    try:
        document = json.loads(read_verified(path, spec.sha256.get(path.name)).content)
        table = Frontend(
            tokens={str(symbol): int(number) for symbol, number in document["tokens"].items()},
            pitch={
                str(name): PitchRange(float(each["log_f0_median"]), float(each["log_f0_std"]))
                for name, each in document["stats"].items()
            },
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"is no frontend.json of a two-stage voice (needs tokens and stats): {error!r}"
        raise VoiceLoadError(path, reason) from error
    if not {START, END} <= set(table.tokens):
        raise VoiceLoadError(path, f"has no tokens {START} and {END}")
    if not spec.speakers or not set(spec.speakers) <= set(table.pitch):
        reason = (
            f"has the pitch of {', '.join(table.pitch)}; voice.yaml has {', '.join(spec.speakers) or 'none'}"
        )
        raise VoiceLoadError(path, reason)
    return table
