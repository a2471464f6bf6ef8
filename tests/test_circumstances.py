"""Whatever else goes on around it, the box says the same."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest

from edge_tts.app import build_synthesizer
from edge_tts.audio import join
from edge_tts.config import CacheConfig, Config, StateConfig
from edge_tts.metrics import Metrics
from edge_tts.renderer import Renderer, open_renderer
from edge_tts.speech import Audio, SpeakRequest
from tests.doors_house import ROOMY
from tests.house import running_daemon

pytestmark = pytest.mark.voice

TEXTS = (
    "The front door is open.",
    "Es sind 21,5 °C.",
    "洗衣机已经洗好了。",
    "Doctor Who lives at 12 Main St.",
    "Die Garage ist zu, Dr..",
    "21.5",
    "10 000",
    "Grüße aus 北京!",
)


async def test_what_many_ask_for_at_once_is_what_each_would_get_alone(tmp_path: Path) -> None:
    config = Config(
        cache=CacheConfig(dir=tmp_path, limit_mb=0), state=StateConfig(dir=tmp_path), memory=ROOMY
    )

    async def said(renderer: Renderer, text: str, *, is_for_caller: bool) -> Audio:
        plan = await renderer.call(renderer.synthesizer.plan, SpeakRequest(text), config.voices.default)
        pieces = [piece.audio async for piece in renderer.stream(plan, is_for_caller=is_for_caller)]
        return join(pieces, pieces[0].sample_rate)

    alone = []
    for text in TEXTS:
        # Each in a house of its own: what was read once is remembered.
        async with open_renderer(lambda: build_synthesizer(config, Metrics())) as renderer:
            alone.append(await said(renderer, text, is_for_caller=True))
    async with open_renderer(lambda: build_synthesizer(config, Metrics())) as renderer:
        both = [(text, is_for_caller) for is_for_caller in (True, False) for text in TEXTS]
        crowd = [said(renderer, text, is_for_caller=is_for_caller) for text, is_for_caller in both]
        for together, expected in zip(await asyncio.gather(*crowd), alone * 2, strict=True):
            np.testing.assert_array_equal(together.samples, expected.samples)


def explained(folder: Path) -> list[Any]:
    """How a daemon reads TEXTS."""
    folder.mkdir()
    with running_daemon(folder, {"audio": {"sink": "null"}}) as daemon:

        def asked(text: str) -> Any:
            body = json.dumps({"text": text}).encode()
            request = Request(f"{daemon.url}/api/explain", body, {"Content-Type": "application/json"})
            with urlopen(request, timeout=30) as answer:
                return json.load(answer)

        return [asked(text) for text in TEXTS]


def test_a_bare_environment_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = explained(tmp_path / "usual")
    for name in ("HOME", "LANG", "LC_CTYPE", "USER", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}.items():
        monkeypatch.setenv(name, value)
    assert explained(tmp_path / "bare") == usual
