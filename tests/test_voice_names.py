"""Who speaks when a program names voices of another server: several voices installed, two with speakers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_tts.config import Config, VoicesConfig
from edge_tts.doors.openai import VOICES
from edge_tts.doors.voice_names import Who, everybody, installed, speaking, stand_ins
from edge_tts.service import Service
from tests.test_service import serving
from tests.tiny_voices import build_piper

LANGUAGES = {"amy": "en-us", "bryce": "en-gb", "eva": "de", "vctk": "en-gb"}


@pytest.fixture
async def service(config: Config, tmp_path: Path) -> AsyncIterator[Service]:
    for name, language in LANGUAGES.items():
        speakers = {"p225": 0, "p226": 1} if name == "vctk" else {}
        code = {"code": language.replace("us", "US").replace("gb", "GB").replace("-", "_")}
        build_piper(
            tmp_path / "voices" / f"{name}.onnx",
            n_speakers=len(speakers) or 1,
            espeak={"voice": language},
            language=code,
            speaker_id_map=speakers,
        )
    voices = VoicesConfig(default="amy", folders=(tmp_path / "voices",))
    async with serving(replace(config, voices=voices)) as service:
        yield service


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> None:
    (tmp_path / "voices").mkdir()


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("amy", Who("amy")),
        ("vctk/p226", Who("vctk", "p226")),
        ("vctk#p226", Who("vctk", "p226")),
        ("vctk/0", Who("vctk", "0")),
        # Told by the synthesizer, which knows the speakers.
        ("vctk/p1", Who("vctk", "p1")),
        ("amy/", None),
        ("nobody", None),
        ("nobody/p226", None),
    ],
)
async def test_a_voice_or_a_speaker_of_it(service: Service, name: str, who: Who | None) -> None:
    assert await installed(service, name) == who


async def test_a_voice_that_was_installed_a_moment_ago(service: Service, tmp_path: Path) -> None:
    assert await installed(service, "new") is None
    build_piper(tmp_path / "voices" / "new.onnx")
    assert await installed(service, "new") == Who("new")


async def test_everybody_is_listed(service: Service) -> None:
    assert Who("vctk", "p225") in everybody(service)
    assert {who.voice for who in everybody(service)} == {*LANGUAGES, "hum"}


async def test_voices_for_a_language(service: Service) -> None:
    assert speaking(service, "en") == ["amy", "bryce", "vctk"]
    assert speaking(service, "en_US") == ["amy", "bryce", "vctk"]
    service.set_voice("eva")
    assert speaking(service, "en-GB") == ["bryce", "vctk", "amy"]
    assert speaking(service, "de-AT") == ["eva"]
    assert speaking(service, "fr") == []
    # The test tone only for who has chosen it.
    service.set_voice("hum")
    assert speaking(service, "en-US")[0] == "hum"


async def test_somebody_elses_voices_are_voices_of_the_same_language_and_kind(service: Service) -> None:
    local = stand_ins(service)
    assert local == [Who("amy"), Who("bryce"), Who("vctk", "p225"), Who("vctk", "p226")]
    # The same today and tomorrow, and more than one voice where there are more.
    assert [local[VOICES.index(name) % len(local)] for name in ("alloy", "ash", "echo", "fable")] == [
        Who("amy"),
        Who("bryce"),
        Who("amy"),
        Who("bryce"),
    ]
    service.set_voice("eva")
    assert stand_ins(service) == [Who("eva")]


@pytest.mark.voice
async def test_a_speaker_for_each_language_stands_in_for_nobody(config: Config) -> None:
    async with serving(replace(config, voices=VoicesConfig())) as service:
        assert stand_ins(service) == [Who("kathleen-kerstin-yuetan")]
        assert Who("kathleen-kerstin-yuetan", "kerstin") in everybody(service)
        assert speaking(service, "zh") == ["kathleen-kerstin-yuetan"]
