"""Counters and stage timers, in Prometheus' terms.

One `Metrics` object is built in `app` and handed down; nothing here is global, so tests can build their own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from edge_tts.memory import peak_rss_bytes, rss_bytes

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class StageTimer(Protocol):
    """Times a stage of the pipeline: `with timer.stage("encoder"): …`."""

    def stage(self, name: str) -> AbstractContextManager[object]: ...


class Metrics:
    """All counters of the daemon; `text()` is the Prometheus exposition."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.stages = Histogram(
            "edge_tts_stage_seconds",
            "Time spent in one stage of the pipeline, per run",
            ["stage"],
            buckets=_SECONDS,
            registry=r,
        )
        self.first_audio = Histogram(
            "edge_tts_first_audio_seconds",
            "From acceptance of a request, less its time in the queue, to its first samples",
            ["voice"],
            buckets=_SECONDS,
            registry=r,
        )
        self.queue_time = Histogram(
            "edge_tts_queue_seconds",
            "From acceptance to the start",
            buckets=(*_SECONDS, 60, 120, 300),
            registry=r,
        )
        self.rtf = Histogram(
            "edge_tts_rtf",
            "Synthesis time per second of audio, per sentence",
            ["voice"],
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=r,
        )
        self.events = Counter(
            "edge_tts_jobs_total", "Job events by type", ["event_type", "source"], registry=r
        )
        self.rejected = Counter(
            "edge_tts_rejected_total",
            "Requests refused, by door and error code",
            ["source", "code"],
            registry=r,
        )
        self.warnings = Counter(
            "edge_tts_warnings_total", "Things done otherwise than asked", ["warning"], registry=r
        )
        self.cache_hits = Counter(
            "edge_tts_cache_hits_total", "Sentences or embeddings found in a cache", ["cache"], registry=r
        )
        self.cache_misses = Counter(
            "edge_tts_cache_misses_total", "Looked for in a cache and not found", ["cache"], registry=r
        )
        self.underflows = Counter(
            "edge_tts_underflows_total", "Times the sound device ran out of samples", registry=r
        )
        self.device_failures = Counter("edge_tts_device_failures_total", "Sound device errors", registry=r)
        self.audio_seconds = Counter("edge_tts_audio_seconds_total", "Sound synthesized", registry=r)
        self.queue_length = Gauge("edge_tts_queue_length", "Jobs waiting", registry=r)
        self.voices_loaded = Gauge("edge_tts_voices_loaded", "Voices in memory", registry=r)
        self.mqtt_connected = Gauge("edge_tts_mqtt_connected", "1 while connected to the broker", registry=r)
        self.mqtt_ignored = Counter(
            "edge_tts_mqtt_ignored_total", "MQTT messages not acted on", ["reason"], registry=r
        )
        rss = Gauge("edge_tts_rss_bytes", "Resident memory now", registry=r)
        rss.set_function(rss_bytes)
        peak = Gauge("edge_tts_peak_rss_bytes", "Largest resident memory so far", registry=r)
        peak.set_function(peak_rss_bytes)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start_s = time.perf_counter()
        try:
            yield
        finally:
            self.stages.labels(name).observe(time.perf_counter() - start_s)

    def text(self) -> bytes:
        return generate_latest(self.registry)
