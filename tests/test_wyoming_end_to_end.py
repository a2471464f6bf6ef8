"""As Home Assistant announces with this box alone: the voice makes the sound, the satellite plays it, the loudspeaker
is recorded."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient

from edge_tts.audio import from_pcm16
from tests.house import (
    SINK_RATE,
    PulseServer,
    free_port,
    likeness,
    running_daemon,
    sounding,
    wait_until,
)
from tests.wyoming_house import answer, pcm, received

pytestmark = [pytest.mark.sound, pytest.mark.voice]

TEXT = "The front door has been open for more than ten minutes."


async def announced(port: int, satellite_port: int) -> tuple[bytes, int, float]:
    """The sound that was sent when it has been played, its sample rate, and the seconds until `played` came."""
    async with AsyncTcpClient("127.0.0.1", port) as client:
        made = await answer(client, "synthesize", {"text": TEXT}, "audio-stop")
    start = AudioStart.from_event(made[0])
    async with AsyncTcpClient("127.0.0.1", satellite_port) as client:
        sound = pcm(made)
        start_s = time.monotonic()
        await client.write_event(start.event())
        for at in range(0, len(sound), 2048):
            chunk = AudioChunk(rate=start.rate, width=2, channels=1, audio=sound[at : at + 2048])
            await client.write_event(chunk.event())
        await client.write_event(AudioStop().event())
        assert [event.type for event in await received(client, "played", "error")] == ["played"]
        took_s = time.monotonic() - start_s
    return sound, start.rate, took_s


def test_what_its_voice_says_its_satellite_plays(tmp_path: Path, pulse: PulseServer) -> None:
    port, satellite_port = free_port(), free_port()
    config: dict[str, dict[str, Any]] = {
        "audio": {
            "sink": "sounddevice",
            "device": "pulse",
            "volume": 100,
            "buffer_ms": 1500,
        },  # for a busy machine
        "wyoming": {"enabled": True, "port": port, "satellite_port": satellite_port},
    }
    with running_daemon(tmp_path, config, pulse.env) as daemon:
        wait_until(lambda: "wyoming listens" in daemon.log)
        with pulse.recorded() as recording:
            sound, sample_rate, took_s = asyncio.run(announced(port, satellite_port))
            resampled = soxr.resample(from_pcm16(sound), sample_rate, SINK_RATE)
            expected = sounding(np.asarray(resampled, np.float64))
            # The recorder is a process of its own, which may be late.
            with suppress(TimeoutError):
                wait_until(lambda: len(sounding(recording.samples)) > 0.9 * len(expected))
            heard = sounding(recording.samples)
    # It has been heard, all of it, when `played` comes.
    assert took_s > 0.9 * len(expected) / SINK_RATE
    assert len(heard) > 0.9 * len(expected)
    assert likeness(heard, expected) > 0.95
