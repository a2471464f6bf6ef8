"""`edgetts tune`: how many processor threads make voices fastest on this machine, found by speaking into nothing."""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edge_tts.app import build_synthesizer, rehearse
from edge_tts.config import Config
from edge_tts.metrics import Metrics
from edge_tts.speech import SpeakRequest

LEAST_SENTENCES = 3

AS_FAST = 1.05
"""Slower by less is as fast: it leaves a processor to the doors and the loudspeaker, and noise is no reason."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a voice reaches with so many threads."""

    threads: int
    first_audio_ms: float
    rtf: float


def thread_counts() -> range:
    return range(1, len(os.sched_getaffinity(0)) + 1)


def measure(config: Config, voice: str, threads: int, seconds: float) -> Pace:
    """Let *voice* speak for *seconds*, and LEAST_SENTENCES. Raises RequestError or VoiceError."""
    config = replace(
        config,
        voices=replace(config.voices, threads=threads),
        cache=replace(config.cache, limit_mb=0, embeddings_limit_mb=0),
    )
    synthesizer = build_synthesizer(config, Metrics())
    rehearse(config, synthesizer, voice)
    first_s: list[float] = []
    total_s = audio_s = 0.0
    end_s = time.monotonic() + seconds
    for number in itertools.count():
        if number >= LEAST_SENTENCES and time.monotonic() > end_s:
            break
        text = f"Number {number}: the washing machine in the kitchen is done, please take the laundry out tonight."
        start_s = time.perf_counter()
        for piece in synthesizer.render(synthesizer.plan(SpeakRequest(text), voice)):
            if len(first_s) == number and len(piece.audio.samples):
                first_s.append(time.perf_counter() - start_s)
            audio_s += piece.audio.duration_s
        total_s += time.perf_counter() - start_s
    return Pace(threads, statistics.median(first_s) * 1000, total_s / audio_s)


def fastest(paces: Mapping[str, Sequence[Pace]]) -> int:
    """The fewest threads with which the voices are AS_FAST as with the best number for all of them."""
    slowness: dict[int, float] = {}
    for measured in paces.values():
        best = min(pace.rtf for pace in measured)
        for pace in measured:
            slowness[pace.threads] = slowness.get(pace.threads, 0.0) + pace.rtf / best
    return min(threads for threads, slow in slowness.items() if slow <= min(slowness.values()) * AS_FAST)
