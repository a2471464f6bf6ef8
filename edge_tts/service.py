"""What the doors call: requests in, events and sound out.

Runs on the event loop. Everything that thinks runs on the synth thread, everything that sounds in the player.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from edge_tts import chimes
from edge_tts.admission import Admission
from edge_tts.announcer import Announcer
from edge_tts.config import Config
from edge_tts.dispatcher import Dispatcher
from edge_tts.errors import RequestError, UnknownJobError, UnknownVoiceError
from edge_tts.given_sound import GivenSound
from edge_tts.journal import Journal, open_journal
from edge_tts.metrics import Metrics
from edge_tts.models.base import VoiceSpec
from edge_tts.player import Player
from edge_tts.receipts import Receipt, Receipts
from edge_tts.renderer import Renderer
from edge_tts.sound_files import WholeFiles
from edge_tts.speech import JobEvent, Piece, Priority, Reference, SpeakRequest
from edge_tts.state import DeviceState
from edge_tts.status import Status
from edge_tts.text import lexicon_file
from edge_tts.text.lexicon_file import LexiconFile
from edge_tts.updates import Update, Updates

__all__ = ["Receipt", "Service", "Update", "open_service"]


class Service:
    """Made by `open_service`."""

    def __init__(
        self, config: Config, renderer: Renderer, player: Player, metrics: Metrics, journal: Journal
    ) -> None:
        self.config = config
        self.metrics = metrics
        self.checks: list[Callable[[], str | None]] = []
        """What doors add to `stuck`: each returns what hangs, or None."""

        self.on_restart: Callable[[], None] | None = None
        """Ends the daemon and has it started again; None: nobody would start it."""

        self.whole_files = WholeFiles()
        """What callers of sound, by whatever door, make us keep."""

        self._renderer = renderer
        self._player = player
        self._journal = journal
        self._receipts = Receipts(config.queue.dedup_window_s, journal.entries)
        self._updates = Updates(metrics)
        self._status = Status(config, renderer.synthesizer.voices.installed.voices, self._updates)
        self._dispatcher = Dispatcher(config.queue, player, journal, self._status, self._updates)
        self._announcer = Announcer(
            config, renderer, player, metrics, journal, self._status, self._updates, self._dispatcher
        )
        self._admission = Admission(config, renderer, journal, self._announcer, self._dispatcher)
        player.on_problem = lambda message: self.report_problem("device_unavailable", message)
        player.others.on_problem = lambda message: self.report_problem("others_unavailable", message)
        self.report_problem("others_unavailable", player.others.problem)
        journal.on_problem = self.report_problem
        for code, message in journal.problems.items():
            self.report_problem(code, message)

    # Requests

    async def submit(
        self, request: SpeakRequest, mark: str | None = None, sound: GivenSound | None = None
    ) -> Receipt:
        """Accept *request* for the loudspeaker and the journal, or *sound* in place of its text, but that only for the
        loudspeaker. Raises RequestError or VoiceError; nothing is queued then. *mark* is for `was_accepted`."""
        self._admission.check(request)
        if request.id is None:
            return Receipt(await self._admission.accept(request, mark, sound), is_duplicate=False)
        return await self._receipts.once(request.id, lambda: self._admission.accept(request, mark, sound))

    def was_accepted(self, mark: str) -> bool:
        """Whether something of that mark was accepted inside the dedup window, by an earlier run perhaps."""
        return self._journal.knows(mark, self.config.queue.dedup_window_s)

    async def chime(self, request: SpeakRequest, mark: str | None = None) -> Receipt:
        """Play the chime that the text of *request* names, without speech. Raises UnknownChimeError and as `submit`."""
        played, sound = await self._admission.chime(request)
        return await self.submit(played, mark, sound)

    @property
    def chimes(self) -> tuple[str, ...]:
        """Names of those there are. Reads a folder."""
        return chimes.names(self.config.audio.sounds_dir)

    async def repeat(self, count: int = 1) -> list[Receipt]:
        """Say the last *count* spoken announcements again; raises UnknownJobError if there was none."""
        again = list(self._announcer.spoken)[-count:]
        if not again:
            raise UnknownJobError("repeat")
        if len(again) > 1:
            # By their own priorities some would end others: of texts the newest one is said.
            again = [(replace(request, priority=Priority.MESSAGE), sound) for request, sound in again]
        return [await self.submit(request, sound=sound) for request, sound in again]

    # Jobs

    async def outcome(self, job: str) -> JobEvent:
        """Wait for the job's outcome; raises UnknownJobError."""
        return await asyncio.shield(self._dispatcher.find(job).outcome)

    def remembers(self, job: str) -> bool:
        """Whether the job can still be asked for: `queue.history` bounds how many ended ones."""
        return self._dispatcher.remembers(job)

    def job(self, job: str) -> JobEvent:
        """The job's latest event; raises UnknownJobError."""
        return self._dispatcher.find(job).latest

    def jobs(self) -> list[JobEvent]:
        """Latest event of each speaking, waiting and remembered job, oldest first."""
        return [job.latest for job in self._dispatcher.jobs()]

    def stop(self, which: str | None = None) -> int:
        """End the speaking job and every waiting one, or just *which* (a job or request id). Returns how many
        ended; raises UnknownJobError if *which* names none."""
        return self._dispatcher.stop(which)

    def skip(self) -> int:
        """End the speaking job; the next one begins. Returns 0 or 1."""
        return self._dispatcher.skip()

    def clear(self) -> int:
        """Drop every waiting job; the speaking one goes on. Returns how many."""
        return self._dispatcher.clear()

    def pause(self) -> None:
        self._dispatcher.pause()

    def resume(self) -> None:
        self._dispatcher.resume()

    def watch_lexicon(self) -> None:
        """Report what is wrong with its file, from now on."""
        lexicon, loop = self._renderer.synthesizer.frontend.lexicon, asyncio.get_running_loop()

        def on_problem(problem: str | None) -> None:
            # On the synth thread, which reads the file.
            loop.call_soon_threadsafe(self.report_problem, "lexicon_broken", problem)

        lexicon.on_problem = on_problem
        self.report_problem("lexicon_broken", lexicon.problem)

    async def watch_clock(self) -> None:
        """Tell when quiet hours begin and end, until cancelled."""
        await self._status.watch_clock()

    async def run(self) -> None:
        """Speak what waits, one job at a time, until cancelled."""
        await self._announcer.run()

    def take_up(self) -> None:
        """Go on with what waited when the daemon ended. To be called when the doors can tell the outcomes."""
        self._dispatcher.take_up()

    async def wind_down(self) -> None:
        """Take nothing more, end what is being said and wait a moment for its outcome. What waits stays in the
        journal; without one it ends too."""
        await self._dispatcher.wind_down()

    # Sound for callers

    async def stream(self, request: SpeakRequest) -> AsyncGenerator[Piece, None]:
        """Synthesize for a caller who wants the sound itself; use `async with aclosing(service.stream(r))`.
        Raises RequestError or VoiceError at the first piece."""
        self._admission.check(request)
        plan = await self._announcer.plan(request, self._renderer.call_in_turn)
        plan = replace(plan, is_crowded=self._announcer.is_crowded)
        async with aclosing(self._renderer.stream(plan, is_for_caller=True)) as pieces:
            async for piece in pieces:
                # That a voice is at work is for those who wait for its turn to end.
                if len(piece.audio.samples) or piece.warnings:
                    yield piece

    async def explain(self, request: SpeakRequest) -> dict[str, Any]:
        """JSON: voice, sentences (text, language, phonemes, duration_s), normalized, duration_s, warnings."""
        self._admission.check(request)
        return await self._renderer.call(self._renderer.synthesizer.explain, request, self.state.voice)

    async def voices(self) -> list[dict[str, Any]]:
        """JSON per installed voice: name, family, languages, speakers, emotions, sample_rate, is_loaded, licence,
        source, and error for those that cannot be loaded."""
        return await self._renderer.call(self._renderer.synthesizer.voices.describe)

    async def references(self) -> list[Reference]:
        """Who is enrolled, by name and emotion."""
        return await self._renderer.call(self._renderer.synthesizer.references.all)

    async def enrol(
        self, name: str, clip: bytes, text: str, language: str | None, emotion: str | None
    ) -> Reference:
        """Keep *clip*, a sound file; raises BadClipError or InvalidFieldError."""
        references = self._renderer.synthesizer.references
        return await self._renderer.call(references.add_bytes, name, clip, text, language, emotion)

    async def forget(self, name: str) -> int:
        """Remove all clips of *name*; returns how many. Raises UnknownReferenceError."""
        return await self._renderer.call(self._renderer.synthesizer.references.remove, name)

    async def lexicon(self) -> LexiconFile:
        """The user's own pronunciations; raises NoLexiconError or LexiconFileError."""
        return await self._renderer.call(lexicon_file.read, self.config.text.lexicon)

    async def replace_lexicon(self, text: str, version: str | None) -> LexiconFile:
        """Write *text* if the file is still of *version*; raises what `lexicon_file.replace` does."""
        return await self._renderer.call(lexicon_file.replace, self.config.text.lexicon, text, version)

    # State and health

    @property
    def state(self) -> DeviceState:
        return self._status.state

    def set_volume(self, volume: int) -> None:
        """0 to 100; raises RequestError."""
        if not 0 <= volume <= 100:
            raise RequestError(f"volume must be 0 to 100, not {volume}")
        self._status.set(volume=volume)

    def set_muted(self, is_muted: bool) -> None:
        """Muting ends what is being said and what waits, unless it is important."""
        self._status.set(is_muted=is_muted)
        if is_muted:
            self._dispatcher.mute()

    def set_speed(self, speed: float) -> None:
        """0.25 to 4; multiplies every request's own. Raises RequestError."""
        if not 0.25 <= speed <= 4.0:
            raise RequestError(f"speed must be 0.25 to 4.0, not {speed}")
        self._status.set(speed=speed)

    @property
    def installed(self) -> Mapping[str, VoiceSpec]:
        """Voices that can be used, as they were when the folders were last read, which `voices` does."""
        return self._renderer.synthesizer.voices.installed.voices

    def set_voice(self, voice: str) -> None:
        """Raises UnknownVoiceError."""
        if voice not in self.installed:
            raise UnknownVoiceError(voice, self.installed)
        self._status.set(voice=voice)

    def updates(self) -> AbstractContextManager[AsyncIterator[Update]]:
        """Every JobEvent and every change of DeviceState from now on: `with service.updates() as updates:
        async for update in updates`. A reader more than 1000 behind loses the oldest, counted in metrics."""
        return self._updates.read()

    def health(self) -> dict[str, Any]:
        """JSON: is_live, is_ready and problems; doors add theirs by `report_problem`."""
        stuck = self.stuck()
        problems = [
            {"code": code, "message": message} for code, message in sorted(self._status.problems.items())
        ]
        return {"is_live": stuck is None, "is_ready": stuck is None, "problems": problems}

    def stuck(self) -> str | None:
        """What hangs beyond its deadline, or None; decides whether the watchdog is fed."""
        if self._player.is_stuck:
            return "playback"
        if self._renderer.is_stuck:
            return "synth"
        return next((stuck for check in self.checks if (stuck := check()) is not None), None)

    def report_problem(self, code: str, message: str | None) -> None:
        """Set or (None) clear a problem shown by `health`, "mqtt_disconnected" for example."""
        self._status.report_problem(code, message)


@asynccontextmanager
async def open_service(
    config: Config, renderer: Renderer, player: Player, metrics: Metrics
) -> AsyncIterator[Service]:
    """The service, speaking what arrives; leaving ends what is being said with the outcome interrupted."""
    async with open_journal(config) as journal:
        service = Service(config, renderer, player, metrics, journal)
        service.watch_lexicon()
        runner, clock = asyncio.create_task(service.run()), asyncio.create_task(service.watch_clock())
        service.checks.append(lambda: "the queue" if runner.done() else None)
        try:
            yield service
        finally:
            await service.wind_down()
            runner.cancel()
            clock.cancel()
            await asyncio.wait({runner, clock})
