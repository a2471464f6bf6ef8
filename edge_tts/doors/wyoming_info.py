"""What this box says of itself over Wyoming: its voices, or that it is a satellite."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from wyoming.info import Attribution, Info, Satellite, TtsProgram, TtsVoice, TtsVoiceSpeaker

from edge_tts import __version__
from edge_tts.config import Config
from edge_tts.service import Service

PROGRAM = "edge_tts"
PATIENCE_S = 0.5
"""For the list of voices while the synth thread is busy. Home Assistant gives up after a second."""


class Voices:
    """The installed voices; asked for now, or as they were known last."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: list[dict[str, Any]] = []
        self._reading: asyncio.Task[list[dict[str, Any]]] | None = None

    async def refresh(self, patience_s: float = PATIENCE_S) -> None:
        if self._reading is None:
            self._reading = asyncio.create_task(self._service.voices())
        # One list for all who ask meanwhile; it is not given up with one of them.
        await asyncio.wait({self._reading}, timeout=patience_s)
        if self._reading is not None and self._reading.done():
            read, self._reading = self._reading, None
            self._known = [voice for voice in read.result() if "error" not in voice]

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    def info(self) -> Info:
        program = TtsProgram(
            name=PROGRAM,
            attribution=Attribution(PROGRAM, ""),
            installed=True,
            description="Offline text to speech",
            version=__version__,
            voices=[listed for voice in self._known for listed in _listed(voice)],
            supports_synthesize_streaming=True,
        )
        return Info(tts=[program])

    def fields(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Fields of a request, unchecked, for the `voice` of an event: its name wins over the language."""
        name, language, speaker = (wanted.get(field) for field in ("name", "language", "speaker"))
        if name is None:
            return {"voice": self._speaking(language), "language": language, "speaker": speaker}
        names = {voice["name"] for voice in self._known}
        voice, _, language = name.rpartition("/") if isinstance(name, str) else ("", "", "")
        if name in names or voice not in names:
            voice, language = name, None
        return {"voice": voice, "language": language, "speaker": speaker}

    def _speaking(self, language: object) -> str | None:
        """A voice for *language*; None: the device's own, which perhaps says that it does not speak it."""
        if not isinstance(language, str):
            return None
        able = [voice["name"] for voice in self._known if _speaks(voice, language)]
        return None if not able or self._service.state.voice in able else able[0]


def _speaks(voice: dict[str, Any], language: str) -> bool:
    wanted = language.replace("_", "-").lower().split("-")[0]
    return any(each.lower().split("-")[0] == wanted for each in voice["languages"])


def _listed(voice: dict[str, Any]) -> Iterator[TtsVoice]:
    """*voice*, once for each of its languages: Home Assistant asks its user for a language, and sends the name only."""
    source = voice["source"] or ""
    attribution = Attribution(source or "unknown", source if source.startswith("http") else "")
    speakers = [TtsVoiceSpeaker(name) for name in voice["speakers"]] or None
    for language in voice["languages"]:
        yield TtsVoice(
            name=voice["name"] if len(voice["languages"]) == 1 else f"{voice['name']}/{language}",
            attribution=attribution,
            installed=True,
            description=voice["name"],
            version=None,
            languages=[language],
            speakers=speakers,
        )


def satellite_info(config: Config) -> Info:
    satellite = Satellite(
        name=config.homeassistant.name or config.mqtt.device,
        attribution=Attribution(PROGRAM, ""),
        installed=True,
        description="A loudspeaker without a microphone",
        version=__version__,
        area=config.homeassistant.area,
        has_vad=False,
    )
    return Info(satellite=satellite)
