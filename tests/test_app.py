"""Building the house: what is ready when the daemon says that it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.house import running_daemon
from tests.tiny_voices import build_piper


def loaded_voices(url: str) -> set[str]:
    with urlopen(f"{url}/api/voices", timeout=10) as answer:
        return {voice["name"] for voice in json.load(answer)["voices"] if voice.get("is_loaded")}


@pytest.mark.parametrize("is_damaged", [False, True])
def test_the_voice_that_was_set_is_loaded_before_the_first_announcement(
    tmp_path: Path, is_damaged: bool
) -> None:
    # Only the configured voice was: the first announcement after each restart waited for the other one.
    (tmp_path / "voices").mkdir()
    (tmp_path / "state").mkdir()
    build_piper(tmp_path / "voices" / "tiny.onnx")
    if is_damaged:
        (tmp_path / "voices" / "tiny.onnx").write_bytes(b"no graph")
    kept = {"volume": 50, "is_muted": False, "voice": "tiny", "speed": 1.0, "configured_voice": "hum"}
    (tmp_path / "state" / "state.json").write_text(json.dumps(kept))
    config: dict[str, dict[str, Any]] = {
        "voices": {"default": "hum", "folders": [str(tmp_path / "voices")]},
        "audio": {"sink": "null"},
    }
    with running_daemon(tmp_path, config, {}) as daemon:
        assert loaded_voices(daemon.url) == ({"hum"} if is_damaged else {"hum", "tiny"})
        assert ("voice tiny, which was set, cannot speak now" in daemon.log) == is_damaged


@pytest.mark.voice
@pytest.mark.parametrize(("language", "is_needed"), [("zh-CN", True), ("de-DE", False)])
def test_what_the_first_chinese_sentence_needs_is_loaded_where_chinese_is_spoken(
    language: str, is_needed: bool
) -> None:
    # In a process of its own: here another test may have loaded it already. It is dropped as soon as it is read.
    code = f"""
import sys
imported = set()
sys.addaudithook(lambda event, what: imported.add(what[0]) if event == "import" else None)
from edge_tts.app import build_synthesizer, rehearse
from edge_tts.config import CacheConfig, Config, VoicesConfig
from edge_tts.metrics import Metrics
config = Config(voices=VoicesConfig(language={language!r}), cache=CacheConfig(limit_mb=0))
rehearse(config, build_synthesizer(config, Metrics()), config.voices.default)
print("pypinyin" in imported)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(is_needed)
