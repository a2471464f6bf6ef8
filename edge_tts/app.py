"""Build the house, wait, take it down."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import threading
from contextlib import AsyncExitStack

from edge_tts.cache import EmbeddingCache, PhraseCache
from edge_tts.config import Config
from edge_tts.errors import ConfigError, UnknownVoiceError
from edge_tts.metrics import Metrics
from edge_tts.models.base import ModelTools
from edge_tts.player import open_player
from edge_tts.references import References
from edge_tts.renderer import Renderer, open_renderer
from edge_tts.service import open_service
from edge_tts.speech import SpeakRequest
from edge_tts.synthesizer import Synthesizer
from edge_tts.text.frontend import Frontend
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.phonemes import Phonemizer
from edge_tts.threads import end_process
from edge_tts.voices import VoiceStore
from edge_tts.watchdog import notify, watched

log = logging.getLogger(__name__)

STOP_DEADLINE_S = 7.0
"""A stop that takes longer hangs. Half of the unit's TimeoutStopSec."""


def build_synthesizer(config: Config, metrics: Metrics) -> Synthesizer:
    """The pipeline, on the thread that will own it; loads no voice."""
    warned: list[str] = []
    tools = ModelTools(
        phonemizer=Phonemizer(),
        embeddings=EmbeddingCache(config.cache.embeddings_limit_mb << 20, metrics),
        timer=metrics,
        threads=config.voices.threads,
        warn=warned.append,
    )
    return Synthesizer(
        config.voices,
        Frontend(config.text, Lexicon(config.text.lexicon)),
        VoiceStore(config.voices.folders, tools, config.memory.limit_mb << 20, metrics),
        PhraseCache(config.cache.folder / "phrases", config.cache.limit_mb << 20, metrics),
        metrics,
        warned,
        References(config.state.folder / "references"),
    )


async def run(config: Config, stop: asyncio.Event, is_open: asyncio.Event) -> None:
    """Speak until *stop* is set; sets *is_open* when the doors open.

    Raises ConfigError, or VoiceError if the default voice cannot speak.
    """
    from edge_tts.doors import DOORS  # only here: `edgetts say` needs no web server, which is 30 MB

    async with AsyncExitStack() as house:
        metrics = Metrics()
        player = await house.enter_async_context(open_player(config.audio, metrics))
        renderer = await house.enter_async_context(open_renderer(lambda: build_synthesizer(config, metrics)))
        _, device_problem = await asyncio.gather(_warm_up(config, renderer), player.probe())
        service = await house.enter_async_context(open_service(config, renderer, player, metrics))
        if device_problem:
            log.warning("sound device: %s; announcements wait for it", device_problem)
            service.report_problem("device_unavailable", str(device_problem))
        await house.enter_async_context(watched(service.stuck))
        is_open.set()
        for name, open_door in DOORS.items():
            log.debug("opening door %s", name)
            await house.enter_async_context(open_door(service, config))
        service.take_up()
        notify("READY=1")
        log.info("ready voice=%s sink=%s", service.state.voice, config.audio.sink)
        await stop.wait()
        notify("STOPPING=1")
        log.info("stopping")
        # While the doors are open: whoever waits for an outcome gets it.
        await service.wind_down()


async def _warm_up(config: Config, renderer: Renderer) -> None:
    """Load the default voice and say a word into nothing: the first run of a graph is the slow one."""

    def speak() -> None:
        synthesizer = renderer.synthesizer
        try:
            plan = synthesizer.plan(SpeakRequest("One, two, 3."), config.voices.default)
        except UnknownVoiceError as error:
            raise ConfigError(f"voices.default: {error}") from error
        for sentence in plan.sentences:
            for _ in synthesizer.voices.loaded(plan.voice).model.synthesize(sentence):
                pass

    await renderer.call(speak)


def serve(config: Config) -> None:
    """Run the daemon until SIGTERM or SIGINT. Blocks."""
    # A crash in a C library leaves the place in the code where every thread was, and nothing of what is spoken.
    faulthandler.enable()
    # A library's thread that dies (paho's network loop did) would leave a daemon that looks well and is deaf.
    threading.excepthook = _on_thread_death
    asyncio.run(_until_signalled(config))


def _on_thread_death(died: threading.ExceptHookArgs) -> None:
    error = died.exc_value or died.exc_type()
    log.critical("a thread died", exc_info=(died.exc_type, error, died.exc_traceback))
    end_process(f"thread {died.thread.name if died.thread else '?'} is dead")


async def _until_signalled(config: Config) -> None:
    stop, is_open = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        if not is_open.is_set():
            # Nobody has been promised anything yet, and a voice that is being loaded cannot be interrupted.
            log.info("stopped while starting")
            os._exit(0)
        stop.set()
        # A thread that hangs would keep the process for ever, and the loop with it: no timer of the loop helps.
        last_resort = threading.Timer(STOP_DEADLINE_S, end_process, ["the stop hangs"])
        last_resort.daemon = True
        last_resort.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    await run(config, stop, is_open)
