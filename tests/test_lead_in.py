"""Silence before the first word, for devices that swallow what comes while they wake."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_tts.config import AudioConfig
from edge_tts.device import lead_in_s
from edge_tts.metrics import Metrics
from edge_tts.player import Player
from edge_tts.sinks import NullSink
from edge_tts.threads import OneThread, one_thread
from tests.doors_house import until
from tests.fake_sink import FakeSink
from tests.test_player import full, pieces, tone

CONFIG = AudioConfig(close_after_s=0, fade_ms=0)


class SleepySink(FakeSink):
    """Swallows the first half second after each start, as HDMI does after it was idle."""

    swallows_s = 0.5

    def __init__(self, says_so: bool) -> None:
        super().__init__(sample_rate=22050)
        self._says_so = says_so
        self._n_left = 0

    def lead_in_s(self) -> float:
        return self.swallows_s if self._says_so else 0.0

    def start(self, name: str, sample_rate: int) -> None:
        super().start(name, sample_rate)
        self._n_left = round(self.swallows_s * sample_rate)

    def write(self, samples: NDArray[np.float32]) -> bool:
        n_lost = min(self._n_left, len(samples))
        self._n_left -= n_lost
        return super().write(samples[n_lost:])


@pytest.fixture
def playback() -> Iterator[OneThread]:
    with one_thread("playback", 10.0) as thread:
        yield thread


@pytest.mark.parametrize(
    ("lead_in_ms", "says_so", "is_whole"),
    [(None, True, True), (500, False, True), (600, False, True), (None, False, False), (0, True, False)],
)
async def test_the_first_syllable_is_heard(
    lead_in_ms: int | None, says_so: bool, is_whole: bool, playback: OneThread
) -> None:
    sink = SleepySink(says_so)
    player = Player(replace(CONFIG, lead_in_ms=lead_in_ms), sink, Metrics(), playback)
    played = await player.play(pieces(tone(0.7)), name="a", gain=full)
    heard = np.trim_zeros(sink.samples)
    assert len(heard) == pytest.approx(len(tone(0.7 if is_whole else 0.2).samples), abs=3)
    # What was silence is not counted.
    assert played.spoken_s == pytest.approx(0.7, abs=0.001)


async def test_a_device_that_is_awake_needs_none(playback: OneThread) -> None:
    sink = FakeSink(22050)
    player = Player(replace(CONFIG, lead_in_ms=500, lead_in_idle_s=60.0), sink, Metrics(), playback)
    for _ in range(2):
        await player.play(pieces(tone(0.2)), name="a", gain=full)
    assert len(sink.samples) / 22050 == pytest.approx(0.5 + 2 * 0.2, abs=0.001)


async def test_a_long_one_is_interrupted_at_once(playback: OneThread) -> None:
    """It was given to the device in one go: four seconds were taken for a hang, and the daemon was ended."""
    sink = NullSink(buffer_s=0.2)
    player = Player(replace(CONFIG, lead_in_ms=10_000), sink, Metrics(), playback)
    playing = asyncio.create_task(player.play(pieces(tone(0.1)), name="a", gain=full))
    await until(sink.ahead_s)
    player.interrupt()
    played = await asyncio.wait_for(playing, 5)
    assert (played.is_complete, played.spoken_s) == (False, 0.0)


@pytest.mark.parametrize(
    ("name", "expected_s"),
    [
        ("vc4-hdmi-0: MAI PCM i2s-hifi-0 (hw:0,0)", 0.5),
        ("HDA Intel PCH: HDMI 1 (hw:0,7)", 0.5),
        ("hdmi:CARD=vc4hdmi0,DEV=0", 0.5),
        ("bluealsa", 0.8),
        ("bluez_output.AA_BB.a2dp-sink", 0.8),
        ("iec958", 0.3),
        ("snd_rpi_hifiberry_digi: SPDIF (hw:2,0)", 0.3),
        ("default", 0.0),
        ("pulse", 0.0),
        ("bcm2835 Headphones: - (hw:0,0)", 0.0),
        ("USB Audio Device: - (hw:1,0)", 0.0),
    ],
)
def test_what_a_name_shows(name: str, expected_s: float) -> None:
    assert lead_in_s(name) == expected_s
