"""`edgetts tune` measures real voices and recommends the fastest of what it measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from edge_tts.config import Config, MemoryConfig, VoicesConfig
from edge_tts.errors import UnknownVoiceError
from edge_tts.tune import Pace, fastest, measure, thread_counts
from tests.tiny_voices import build_piper


@pytest.fixture
def config(tmp_path: Path) -> Config:
    build_piper(tmp_path / "tiny.onnx")
    # Of the process that runs all the tests.
    memory = MemoryConfig(limit_mb=100_000)
    return Config(voices=VoicesConfig(default="tiny", folders=(tmp_path,)), memory=memory)


@pytest.mark.parametrize("voice", ["tiny", "hum"])
def test_a_voice_is_measured_with_so_many_threads(config: Config, voice: str) -> None:
    pace = measure(config, voice, 2, 0.0)
    assert pace.threads == 2
    assert pace.first_audio_ms > 0
    assert pace.rtf > 0


def test_a_voice_that_is_not_there_is_named(config: Config) -> None:
    with pytest.raises(UnknownVoiceError, match="no voice named 'tina'; installed: hum, tiny"):
        measure(config, "tina", 1, 0.0)


@pytest.mark.parametrize(
    ("rtfs", "expected"),
    [
        ({"a": [0.8, 0.5, 0.3]}, 3),
        ({"a": [0.3, 0.5, 0.8]}, 1),
        # A third processor for three parts in a hundred is a bad bargain.
        ({"a": [0.8, 0.31, 0.30]}, 2),
        # One that is slow and gains much counts as much as one that is quick and loses as much.
        ({"a": [0.8, 0.4], "b": [0.01, 0.011]}, 2),
        ({"a": [0.8, 0.79], "b": [0.01, 0.02]}, 1),
    ],
)
def test_the_fewest_threads_that_are_as_fast_as_any(rtfs: dict[str, list[float]], expected: int) -> None:
    paces = {
        voice: [Pace(threads, 1.0, rtf) for threads, rtf in enumerate(measured, start=1)]
        for voice, measured in rtfs.items()
    }
    assert fastest(paces) == expected


def test_the_command_shows_what_it_measured_and_the_line_to_write(config: Config, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(f"voices: {{default: tiny, folders: [{tmp_path}]}}\n")
    command = ["tune", "hum", "tiny", "--seconds", "0.1", "--config", str(tmp_path / "config.yaml")]
    done = subprocess.run(
        [sys.executable, "-m", "edge_tts", *command], capture_output=True, text=True, check=True
    )
    shown = done.stdout.splitlines()
    for voice in ("hum", "tiny"):
        at = shown.index(voice)
        assert [int(line.split()[0]) for line in shown[at + 2 : at + 2 + len(thread_counts())]] == [
            *thread_counts()
        ]
    assert yaml.safe_load("\n".join(shown[-2:]))["voices"]["threads"] in thread_counts()
