"""Build the house, wait, take it down."""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from edge_tts.cache import EmbeddingCache, PhraseCache
from edge_tts.config import Config
from edge_tts.errors import ConfigError, SpeechError, UnknownVoiceError
from edge_tts.metrics import Metrics
from edge_tts.models.base import ModelTools, Told
from edge_tts.others import open_others
from edge_tts.player import open_player
from edge_tts.pressure import Pressure
from edge_tts.references import References
from edge_tts.renderer import Renderer, open_renderer
from edge_tts.service import open_service
from edge_tts.speech import SpeakRequest
from edge_tts.synthesizer import Synthesizer
from edge_tts.text.frontend import Frontend
from edge_tts.text.languages import primary
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.phonemes import Phonemizer
from edge_tts.threads import end_process
from edge_tts.voices import FIRST_WORDS, TRIAL_S, VoiceStore
from edge_tts.watchdog import is_supervised, notify, watched

if TYPE_CHECKING:
    from edge_tts.doors import Door

log = logging.getLogger(__name__)

N_ODD_THREADS = 2
"""For the odd task, as to encode a sound file; the bound of asyncio's own ones grows with the cores."""

STOP_DEADLINE_S = 7.0
"""A stop that takes longer hangs. Half of the unit's TimeoutStopSec."""

RESTART_EXIT_STATUS = 75
"""EX_TEMPFAIL: the unit starts it again, as somebody wished."""

_M_ARENA_MAX, N_HEAPS = -8, 1
"""glibc's malloc.h."""


def build_synthesizer(config: Config, metrics: Metrics) -> Synthesizer:
    """The pipeline, on the thread that will own it; loads no voice."""
    told = Told()
    tools = ModelTools(
        phonemizer=Phonemizer(),
        embeddings=EmbeddingCache(config.cache.embeddings_limit_mb << 20, metrics),
        timer=metrics,
        threads=config.voices.threads,
        warn=told.warnings.append,
        pace=told.pace,
    )
    voices = VoiceStore(config.voices.folders, tools, config.memory.limit_mb << 20, metrics)
    return Synthesizer(
        config.voices,
        Frontend(config.text, Lexicon(config.text.lexicon)),
        voices,
        Pressure(config.pressure, config.voices, voices),
        PhraseCache(config.cache.folder / "phrases", config.cache.limit_mb << 20, metrics),
        metrics,
        told,
        References(config.state.folder / "references"),
    )


async def run(
    config: Config,
    stop: asyncio.Event,
    is_open: asyncio.Event,
    restart: Callable[[], None] | None = None,
) -> None:
    """Speak until *stop* is set; sets *is_open* when the doors open. *restart* sets it for those who may ask for that.

    Raises ConfigError, or VoiceError if the default voice cannot speak.
    """
    odd = ThreadPoolExecutor(N_ODD_THREADS, thread_name_prefix="odd")
    asyncio.get_running_loop().set_default_executor(odd)
    async with AsyncExitStack() as house:
        metrics = Metrics()
        others = await house.enter_async_context(open_others(config))
        player = await house.enter_async_context(open_player(config.audio, metrics, others))
        renderer = await house.enter_async_context(open_renderer(lambda: build_synthesizer(config, metrics)))
        _, device_problem, doors = await asyncio.gather(
            _load_default_voice(config, renderer), player.probe(), _import_doors()
        )
        service = await house.enter_async_context(open_service(config, renderer, player, metrics))
        if device_problem:
            log.warning("sound device: %s; announcements wait for it", device_problem)
            service.report_problem("device_unavailable", str(device_problem))
        await _load_set_voice(config, renderer, service.state.voice)
        service.on_restart = restart
        await house.enter_async_context(watched(service.stuck))
        is_open.set()
        for name, open_door in doors.items():
            log.debug("opening door %s", name)
            await house.enter_async_context(open_door(service, config))
        service.take_up()
        others.release()
        notify("READY=1")
        log.info("ready voice=%s sink=%s", service.state.voice, config.audio.sink)
        await stop.wait()
        notify("STOPPING=1")
        log.info("stopping")
        # While the doors are open: whoever waits for an outcome gets it.
        await service.wind_down()


async def _import_doors() -> Mapping[str, Door]:
    """On the event loop, while the voice is loaded on its thread."""
    from edge_tts.doors import DOORS  # only here: `edgetts say` needs no web server, which is 30 MB

    return DOORS


async def _load_default_voice(config: Config, renderer: Renderer) -> None:
    try:
        await renderer.call(rehearse, config, renderer.synthesizer, config.voices.default)
    except UnknownVoiceError as error:
        raise ConfigError(f"voices.default: {error}") from error


async def _load_set_voice(config: Config, renderer: Renderer, voice: str) -> None:
    """The voice that the user set, which the first announcement will want."""
    if voice == config.voices.default:
        return
    try:
        await renderer.call(rehearse, config, renderer.synthesizer, voice)
    except SpeechError as error:
        log.warning("voice %s, which was set, cannot speak now: %s", voice, error)


def rehearse(config: Config, synthesizer: Synthesizer, voice: str) -> None:
    """Load *voice* and say a few words into nothing, in the language it will speak: the first run is the slow one."""
    language = config.voices.language or synthesizer.voices.spec(voice).languages[0]
    words = FIRST_WORDS.get(primary(language), FIRST_WORDS["en"])
    plan = synthesizer.plan(SpeakRequest(words), voice)
    end_s = time.monotonic() + TRIAL_S
    for sentence in plan.sentences:
        for _ in synthesizer.voices.loaded(voice).model.synthesize(sentence):
            # A voice that needs minutes for it is not made quicker by them, and the start waits.
            if time.monotonic() > end_s:
                return


def share_heaps() -> None:
    """Let all threads allocate from one heap, as the unit does by MALLOC_ARENA_MAX: what a thread has freed in one of
    its own is of no use to the others, and `malloc_trim` never gives back its end. Before the first thread."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):  # musl has none
        library.mallopt(_M_ARENA_MAX, N_HEAPS)


def serve(config: Config) -> None:
    """Run the daemon until SIGTERM or SIGINT. Blocks; raises SystemExit if it is to be started again."""
    share_heaps()
    # A crash in a C library leaves the place in the code where every thread was, and nothing of what is spoken.
    faulthandler.enable()
    # A library's thread that dies (paho's network loop did) would leave a daemon that looks well and is deaf.
    threading.excepthook = _on_thread_death
    if asyncio.run(_until_signalled(config)):
        raise SystemExit(RESTART_EXIT_STATUS)


def _on_thread_death(died: threading.ExceptHookArgs) -> None:
    error = died.exc_value or died.exc_type()
    log.critical("a thread died", exc_info=(died.exc_type, error, died.exc_traceback))
    end_process(f"thread {died.thread.name if died.thread else '?'} is dead")


async def _until_signalled(config: Config) -> bool:
    """Returns whether it is to be started again."""
    stop, is_open, again = asyncio.Event(), asyncio.Event(), asyncio.Event()

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

    def restart() -> None:
        log.info("asked to start again")
        again.set()
        on_signal()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    await run(config, stop, is_open, restart if is_supervised() else None)
    return again.is_set()
