"""Home Assistant's own Wyoming integration, with this box as its voice and its loudspeaker."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge_tts.config import Config
from edge_tts.door_config import HomeAssistantConfig
from edge_tts.speech import EventType
from tests.homeassistant_house import ROOT, homeassistant_python
from tests.test_given_sound import tone
from tests.wyoming_house import opened

# Home Assistant sends what ffmpeg makes of the announcement's sound: here it is made already.
FFMPEG = '#!/bin/sh\nexec cat "$2"\n'
SOUND_S = 4.0
PACE = 4.0


@pytest.mark.homeassistant
async def test_home_assistant_speaks_with_it_and_through_it(config: Config, tmp_path: Path) -> None:
    python = await asyncio.to_thread(homeassistant_python)
    (tmp_path / "ffmpeg").write_text(FFMPEG)
    (tmp_path / "ffmpeg").chmod(0o755)
    (tmp_path / "sound.raw").write_bytes(tone(SOUND_S))
    # It gives up half a second after the time that the sound should last: a faster box is in time on any machine.
    config = replace(
        config,
        audio=replace(config.audio, null_pace=PACE),
        homeassistant=HomeAssistantConfig(name="Kitchen speaker", area="Kitchen"),
    )
    async with opened(config) as house:
        command = [python, "-m", "tests.homeassistant_wyoming", str(tmp_path)]
        command += [str(house.port), str(house.satellite_port)]
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        output, _ = await asyncio.wait_for(process.communicate(), 180)
        assert process.returncode == 0
        outcomes = [event.event_type for event in house.service.jobs()]
        installed = [voice for voice in await house.service.voices() if "error" not in voice]
    found = json.loads(output)

    voice = found["voice"]
    assert (voice["platforms"], voice["name"]) == (["tts"], "edge_tts")
    assert set(voice["languages"]) == {language for each in installed for language in each["languages"]}
    assert "hum" in voice["voices"]["en-US"]
    assert (voice["extension"], voice["missing"]) == ("wav", None)
    assert voice["sound_s"] > 0.1
    streamed = voice["streamed"]
    assert streamed["is_supported"]
    assert (streamed["n_written_at_first"], streamed["n_written"]) == (3, 4)
    assert streamed["pcm_bytes"] > 10_000

    speaker = found["loudspeaker"]
    assert (speaker["platforms"], speaker["name"], speaker["area"]) == ([], "Kitchen speaker", "Kitchen")
    assert speaker["is_connected"]
    assert outcomes == [EventType.FINISHED] * 2
    for announced in speaker["announced"]:
        # `played` came in time, and not before all of it was heard.
        assert announced["is_played"]
        assert announced["took_s"] >= SOUND_S / PACE
