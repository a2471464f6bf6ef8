"""Build the house, wait, take it down."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType

from edge_tts.cache import EmbeddingCache, PhraseCache
from edge_tts.config import Config
from edge_tts.errors import ConfigError, UnknownVoiceError
from edge_tts.metrics import Metrics
from edge_tts.models.base import ModelTools
from edge_tts.player import open_player
from edge_tts.references import References
from edge_tts.renderer import Renderer, open_renderer
from edge_tts.service import Service, open_service
from edge_tts.speech import SpeakRequest
from edge_tts.synthesizer import Synthesizer
from edge_tts.text.frontend import Frontend
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.phonemes import Phonemizer
from edge_tts.voices import VoiceStore

log = logging.getLogger(__name__)

CHECK_EVERY_S = 10.0
"""How often the daemon looks whether it hangs; systemd may ask for more."""

STOP_DEADLINE_S = 10.0
"""A stop that takes longer hangs; systemd's TimeoutStopSec is longer still."""

HUNG_EXIT_STATUS = 70
"""EX_SOFTWARE: systemd starts us again."""


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


async def run(config: Config, stop: asyncio.Event) -> None:
    """Speak until *stop* is set. Raises ConfigError, or VoiceError if the default voice cannot speak."""
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
        for name, open_door in DOORS.items():
            log.debug("opening door %s", name)
            await house.enter_async_context(open_door(service, config))
        await house.enter_async_context(_watched(service))
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


@asynccontextmanager
async def _watched(service: Service) -> AsyncIterator[None]:
    """Feed systemd's watchdog while nothing hangs; end the process as soon as something does.

    A process that hangs in a C library cannot be mended from inside, but one that ends is started again.
    """
    interval_s = min(CHECK_EVERY_S, watchdog_s() / 2)

    async def watch() -> None:
        while True:
            await asyncio.sleep(interval_s)
            hung = service.stuck()
            if hung is not None:
                log.critical("%s hangs; ending the process so that it is started again", hung)
                _end_now()
            notify("WATCHDOG=1")

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()


def _end_now() -> None:
    # Not sys.exit: that would wait for the thread that hangs.
    sys.stderr.flush()
    os._exit(HUNG_EXIT_STATUS)


def watchdog_s() -> float:
    """systemd's deadline for a sign of life, infinity without one (sd_watchdog_enabled(3))."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return float("inf")
    return int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6 or float("inf")


def notify(state: str) -> None:
    """Tell systemd, if it started us (sd_notify(3)); "@" is an abstract socket."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_systemd:
        try:
            to_systemd.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError as error:
            log.warning("systemd cannot be told %s: %s", state, error)


def _on_thread_death(
    what: type[BaseException], error: BaseException | None, traceback: TracebackType | None, thread: str
) -> None:
    log.critical("thread %s died; ending the process", thread, exc_info=(what, error or what(), traceback))
    _end_now()


def serve(config: Config) -> None:
    """Run the daemon until SIGTERM or SIGINT. Blocks."""
    # A library's thread that dies (paho's network loop did) would leave a daemon that looks well and is deaf.
    threading.excepthook = lambda died: _on_thread_death(
        died.exc_type, died.exc_value, died.exc_traceback, died.thread.name if died.thread else "?"
    )
    asyncio.run(_until_signalled(config))


async def _until_signalled(config: Config) -> None:
    stop = asyncio.Event()

    def on_signal() -> None:
        stop.set()
        # A thread that hangs would keep the process for ever, and the loop with it: no timer of the loop helps.
        last_resort = threading.Timer(STOP_DEADLINE_S, _end_now)
        last_resort.daemon = True
        last_resort.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    await run(config, stop)
