"""`edgetts prerender`: what was made beforehand is not made again."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_tts.__main__ import cli
from edge_tts.app import build_synthesizer
from edge_tts.config import load_config
from edge_tts.metrics import Metrics
from edge_tts.speech import SpeakRequest

TEXT = "The wash is done. Please empty the machine.\n\n# nothing\nDinner is ready.\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"state: {{dir: {tmp_path / 'state'}}}\nvoices: {{default: hum}}\ncache: {{dir: {tmp_path / 'cache'}}}\n"
        "memory: {limit_mb: 16000}\n"
    )
    return path


def prerender(config: Path, text: str, *options: str) -> Result:
    return CliRunner().invoke(cli, ["prerender", "--config", str(config), *options, "-"], input=text)


def hits(config: Path, request: SpeakRequest) -> tuple[float, float]:
    """Sentences of *request* found in the cache, and not found."""
    metrics = Metrics()
    synthesizer = build_synthesizer(load_config(config), metrics)
    for _ in synthesizer.render(synthesizer.plan(request, "hum")):
        pass
    counters = metrics.cache_hits, metrics.cache_misses
    found, missed = (each.labels("phrase")._value.get() for each in counters)
    return found, missed


def test_each_sentence_is_kept_and_told_of(config: Path) -> None:
    ran = prerender(config, TEXT)
    assert ran.exit_code == 0, ran.output
    assert "line 1, sentence 1 of 2: " in ran.output
    assert "line 1, sentence 2 of 2: " in ran.output
    assert "line 4, sentence 1 of 1: " in ran.output
    assert "line 2" not in ran.output
    assert ran.output.endswith(f"kept in {config.parent / 'cache'}\n")
    assert hits(config, SpeakRequest("The wash is done. Please empty the machine. Dinner is ready.")) == (
        3,
        0,
    )


def test_another_way_of_saying_it_is_another_sound(config: Path) -> None:
    prerender(config, "Dinner is ready.", "--speed", "1.5")
    assert hits(config, SpeakRequest("Dinner is ready.", speed=1.5)) == (1, 0)
    assert hits(config, SpeakRequest("Dinner is ready.")) == (0, 1)


def test_a_line_that_cannot_be_said_keeps_no_other_back(config: Path) -> None:
    ran = prerender(config, "[pause\N{GRINNING FACE}\n\N{GRINNING FACE}\nDinner is ready.\n")
    assert ran.exit_code == 1
    assert "line 2: the text has nothing to say" in ran.output
    assert hits(config, SpeakRequest("Dinner is ready.")) == (1, 0)


def test_without_a_cache_nothing_is_made(config: Path) -> None:
    config.write_text("cache: {limit_mb: 0}\n")
    ran = prerender(config, TEXT)
    assert ran.exit_code == 2
    assert "cache.limit_mb is 0" in ran.output
