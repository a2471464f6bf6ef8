"""Home Assistant's own Wyoming integration, for tests/test_homeassistant_wyoming.py; scripts/homeassistant gets it.

    python3 -m tests.homeassistant_wyoming FOLDER PORT SATELLITE_PORT

FOLDER has "ffmpeg" (prints the sound that it is given) and "sound.raw". Prints one JSON object: what was found.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
import wave
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.homeassistant_core import ABSENT

ABSENT |= {
    *(
        "PIL",
        "audioop",
        "dateutil",
        "fnv_hash_fast",
        "haffmpeg",
        "hassil",
        "home_assistant_intents",
        "mutagen",
    ),
    *("psutil_home_assistant", "pymicro_vad", "pyspeex_noise", "sqlalchemy", "voluptuous_openapi"),
}
# What is heard, understood and recorded: nothing that a voice or a loudspeaker needs.

from homeassistant import loader  # noqa: E402
from homeassistant.components.assist_satellite import AssistSatelliteAnnouncement  # noqa: E402
from homeassistant.components.tts import TTSAudioRequest  # noqa: E402
from homeassistant.components.wyoming.assist_satellite import WyomingAssistSatellite  # noqa: E402
from homeassistant.components.wyoming.data import WyomingService  # noqa: E402
from homeassistant.components.wyoming.devices import SatelliteDevice  # noqa: E402
from homeassistant.components.wyoming.tts import WyomingTtsProvider  # noqa: E402
from homeassistant.core import HomeAssistant  # noqa: E402
from homeassistant.helpers import entity, frame  # noqa: E402


class _Entry(SimpleNamespace):
    """What the integration asks of its configuration entry."""

    def async_create_background_task(
        self, hass: HomeAssistant, coroutine: Any, name: str
    ) -> asyncio.Task[Any]:
        return asyncio.create_task(coroutine, name=name)


async def service_at(port: int) -> WyomingService:
    service = await WyomingService.create("127.0.0.1", port)
    assert service is not None, f"nothing that Home Assistant understands on port {port}"
    return service


async def voice(hass: HomeAssistant, port: int) -> dict[str, Any]:
    service = await service_at(port)
    provider = WyomingTtsProvider(_Entry(entry_id="a"), service)
    provider.hass = hass
    extension, sound = await provider.async_get_tts_audio("Hello.", "en-US", {"voice": "hum"})
    missing, _ = await provider.async_get_tts_audio("Hello.", "en-US", {"voice": "nobody"})
    return {
        "platforms": service.platforms,
        "name": service.get_name(),
        "languages": sorted(provider.supported_languages),
        "voices": {
            language: [each.voice_id for each in provider.async_get_supported_voices(language) or []]
            for language in provider.supported_languages
        },
        "extension": extension,
        "sound_s": wave_s(sound),
        "missing": missing,
        "streamed": await streamed(provider),
    }


def wave_s(sound: bytes) -> float:
    with wave.open(io.BytesIO(sound)) as file:
        return float(file.getnframes() / file.getframerate())


async def streamed(provider: WyomingTtsProvider) -> dict[str, Any]:
    """A text that goes on being written when its first sound has come."""
    is_heard = asyncio.Event()
    written: list[str] = []

    async def text() -> AsyncGenerator[str]:
        for part in ("One, tw", "o. Three", ". "):
            written.append(part)
            yield part
        async with asyncio.timeout(20):
            await is_heard.wait()
        written.append("Four.")
        yield "Four."

    sound = b""
    n_written_at_first = 0
    answer = await provider.async_stream_tts_audio(TTSAudioRequest("en-US", {"voice": "hum"}, text()))
    async with asyncio.timeout(20):
        async for part in answer.data_gen:
            # The first part is a header.
            if sound and not is_heard.is_set():
                n_written_at_first = len(written)
                is_heard.set()
            sound += part
    return {
        "is_supported": provider.async_supports_streaming_input(),
        "extension": answer.extension,
        "n_written_at_first": n_written_at_first,
        "n_written": len(written),
        "pcm_bytes": len(sound) - 44,
    }


async def loudspeaker(hass: HomeAssistant, folder: Path, port: int) -> dict[str, Any]:
    service = await service_at(port)
    satellite = WyomingAssistSatellite(hass, service, SatelliteDevice("a", "b"), _Entry(entry_id="a"))
    satellite.hass = hass
    satellite.entity_id = "assist_satellite.kitchen"
    satellite._ffmpeg_manager = SimpleNamespace(binary=str(folder / "ffmpeg"))
    connection = asyncio.create_task(satellite._connect_and_loop())
    while satellite._client is None or satellite._client._writer is None:
        await asyncio.sleep(0.01)
    announced = []
    for _ in range(2):
        start_s = time.monotonic()
        sound = str(folder / "sound.raw")
        await satellite.async_announce(AssistSatelliteAnnouncement("Hello.", sound, sound, None, "url"))
        is_played = satellite._played_event_received is not None and satellite._played_event_received.is_set()
        announced.append({"is_played": is_played, "took_s": time.monotonic() - start_s})
    is_connected = not connection.done()
    connection.cancel()
    await asyncio.gather(connection, return_exceptions=True)
    await satellite._disconnect()
    return {
        "platforms": service.platforms,
        "name": service.get_name(),
        "area": service.info.satellite.area if service.info.satellite else None,
        "announced": announced,
        "is_connected": is_connected,
    }


async def main(folder: Path, port: int, satellite_port: int) -> None:
    hass = HomeAssistant(str(folder))
    loader.async_setup(hass)
    for module in (entity, frame):
        module.async_setup(hass)
    found = {"voice": await voice(hass, port), "loudspeaker": await loudspeaker(hass, folder, satellite_port)}
    print(json.dumps(found, default=str))
    await hass.async_stop(force=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
