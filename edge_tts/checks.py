"""`edgetts check`: each part tried for real, with what to do about what fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_tts import chimes
from edge_tts.app import build_synthesizer
from edge_tts.config import Config, load_config
from edge_tts.doors.mqtt_trial import try_broker
from edge_tts.errors import OthersError, SpeechError
from edge_tts.metrics import Metrics
from edge_tts.others import WAYS, Others
from edge_tts.sinks import open_sink
from edge_tts.speech import SpeakRequest


@dataclass(frozen=True, slots=True)
class Result:
    what: str
    is_ok: bool
    message: str


def run_checks(path: Path | None) -> list[Result]:
    """The configuration in *path* (None: the defaults) and everything it names."""
    try:
        config = Config() if path is None else load_config(path)
    except SpeechError as error:
        return [Result("config", False, str(error))]
    results = [Result("config", True, str(path) if path else "defaults")]
    parts: dict[str, Callable[[Config], str]] = {
        "voice": _voice,
        "chime": _chime,
        "device": _device,
        "others": _others,
        "broker": _broker,
    }
    for what, part in parts.items():
        try:
            results.append(Result(what, True, part(config)))
        except SpeechError as error:
            results.append(Result(what, False, str(error)))
    return results


def _voice(config: Config) -> str:
    """Say a sentence with the default voice into nothing."""
    synthesizer = build_synthesizer(config, Metrics())
    pieces = list(
        synthesizer.render(synthesizer.plan(SpeakRequest("One, two, three."), config.voices.default))
    )
    duration_s = sum(piece.audio.duration_s for piece in pieces)
    broken = [f"{name} cannot be used: {why}" for name, why in synthesizer.voices.installed.broken.items()]
    return "; ".join([f"{config.voices.default} speaks ({duration_s:.1f} s)", *broken])


def _chime(config: Config) -> str:
    audio = config.audio
    if audio.chime is None:
        return f"none is configured; there are: {', '.join(chimes.names(audio.sounds_dir))}"
    return f"{audio.chime} lasts {chimes.read(audio.chime, audio.sounds_dir).duration_s:.1f} s"


def _device(config: Config) -> str:
    """Open the sink and close it again, without a sound."""
    sink = open_sink(config.audio)
    try:
        sample_rate = sink.wanted_rate(22050)
        sink.start("check", sample_rate)
        sink.finish()
    finally:
        sink.close()
    return f"{config.audio.sink} {config.audio.device or 'default'} opens at {sample_rate} Hz"


def _others(config: Config) -> str:
    """Quiet other players for a moment, as before an announcement."""
    if config.audio.others == "none":
        return "left alone (audio.others)"

    async def quiet() -> str | None:
        others = Others(WAYS[config.audio.others](config.audio))
        await others.quiet()
        await others.settled()
        problem = others.problem
        await others.close()
        return problem

    if problem := asyncio.run(quiet()):
        raise OthersError(problem)
    return f"audio.others: {config.audio.others} works"


def _broker(config: Config) -> str:
    """Connect to the broker as the daemon would."""
    if config.mqtt.url is None:
        return "none configured (mqtt.url)"
    if config.mqtt.url == "embedded":
        return f"embedded, will listen on 127.0.0.1:{config.mqtt.embedded_port}"
    return try_broker(config.mqtt)
