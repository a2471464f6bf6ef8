"""Who speaks, as programs say it that know other text-to-speech servers."""

from __future__ import annotations

from dataclasses import dataclass

from edge_tts.service import Service


@dataclass(frozen=True, slots=True)
class Who:
    voice: str
    speaker: str | None = None


async def installed(service: Service, name: str) -> Who | None:
    """The voice *name*, or a speaker of one ("voice/speaker", "voice#speaker"); None if no such voice is installed."""
    who = _find(service, name)
    if who is None:
        # It may have been put there a moment ago.
        await service.voices()
        who = _find(service, name)
    return who


def _find(service: Service, name: str) -> Who | None:
    if name in service.installed:
        return Who(name)
    for separator in "#/":
        voice, _, speaker = name.partition(separator)
        if speaker and voice in service.installed:
            return Who(voice, speaker)
    return None


def everybody(service: Service) -> list[Who]:
    """Each installed voice, followed by its speakers."""
    return [
        who
        for spec in service.installed.values()
        for who in (Who(spec.name), *(Who(spec.name, speaker) for speaker in spec.speakers))
    ]


def speaking(service: Service, language: str) -> list[str]:
    """Installed voices for *language* (en, en-US), the most fitting first: the device's own, then by name."""
    wanted = language.replace("_", "-").lower()
    voices = [
        spec for spec in service.installed.values() if any(_is_alike(tag, wanted) for tag in spec.languages)
    ]
    # The test tone speaks for nobody else: it says no words.
    voices = [spec for spec in voices if spec.family != "hum" or spec.name == service.state.voice]
    return [
        spec.name
        for spec in sorted(
            voices,
            key=lambda spec: (
                spec.name != service.state.voice,
                wanted not in (tag.lower() for tag in spec.languages),
                spec.name,
            ),
        )
    ]


def _is_alike(tag: str, wanted: str) -> bool:
    return tag.lower().partition("-")[0] == wanted.partition("-")[0]


def stand_ins(service: Service) -> list[Who]:
    """Who speaks for names that mean voices of somebody else: the device's voice, each of its speakers if it has
    several for one language, and then voices of the same kind and language."""
    own = service.installed.get(service.state.voice)
    if own is None:
        return [Who(service.state.voice)]
    language = service.config.voices.language or own.languages[0]
    alike = [service.installed[name] for name in speaking(service, language)]
    # Of another kind they may be slow, or imitate a clip that nobody has named.
    kind = [own, *(spec for spec in alike if spec.family == own.family and spec is not own)]
    return [
        who
        for spec in kind
        # A speaker for each language would read English as a German.
        for who in (
            [Who(spec.name, speaker) for speaker in spec.speakers]
            if spec.speakers and not spec.default_speakers
            else [Who(spec.name)]
        )
    ]
