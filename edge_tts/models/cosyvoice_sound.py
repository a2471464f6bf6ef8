"""What CosyVoice is told → its sound: of the whole text at once, or block by block while the tokens are still chosen.

A block's mel goes on from that of the blocks before it, as the first one does from the clip. What takes long yields
now and then without a sound: others get their turn, and who waits sees that it goes on.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_tts.cache import Embedding
from edge_tts.errors import SynthesisError
from edge_tts.models import cosyvoice_speech
from edge_tts.models.base import ModelTools
from edge_tts.models.cosyvoice_files import Settings, Stages
from edge_tts.models.cosyvoice_flow import Flow, noise_of
from edge_tts.models.cosyvoice_layout import FRAMES_PER_TOKEN, HOP_SAMPLES, N_MELS, Conditions, Hift, Layout
from edge_tts.models.cosyvoice_speech import Prompt
from edge_tts.models.level import LevelKeeper
from edge_tts.models.listening import listen
from edge_tts.models.pieces import cuts
from edge_tts.models.session import check_sound
from edge_tts.speech import Audio

Floats = NDArray[np.float32]

SAMPLE_RATE = 24000
MAX_FRAMES = 15000

BLOCK_TOKENS = (25, 50, 100)
"""Said until a block is made of them; the last repeats."""

TOKENS_AHEAD = 3
"""What the flow has to know of the next block."""

PIECE_FRAMES = (25, 50, 100)
SHORTEST_PIECE = 12

AT_WORK = Audio(np.zeros(0, np.float32), SAMPLE_RATE)


@dataclass(frozen=True)
class SoundMaker:
    """Of a voice: one text after the other."""

    tools: ModelTools
    layout: Layout
    stages: Stages
    settings: Settings
    gain_db: float

    def say(self, prompt: Prompt, person: Embedding, speed: float) -> Iterator[Audio]:
        """The sound of *prompt*.text. Raises SynthesisError or VoiceLoadError."""
        random = np.random.default_rng(self.settings.seed)
        spoken = cosyvoice_speech.spoken(self.layout.backbone(self.stages), prompt, random, self.tools.warn)
        tokens = cosyvoice_speech.without_long_silence(spoken)
        vocoder = _Vocoder(self)
        said: list[int] = []
        mel = np.zeros((N_MELS, 0), np.float32)
        for n_block in self._blocks(speed):
            n_wanted = n_block and mel.shape[1] // FRAMES_PER_TOKEN + n_block + TOKENS_AHEAD
            goes_on = yield from listen(self.tools, tokens, said, n_wanted, SAMPLE_RATE)
            n_frames = FRAMES_PER_TOKEN * (len(said) - TOKENS_AHEAD * goes_on)
            mel = yield from self.longer(mel, said, n_frames, person)
            if not goes_on:
                break
            yield from vocoder.sound(mel, is_last=False)
        yield from vocoder.sound(at_speed(mel, speed), is_last=True)

    def _blocks(self, speed: float) -> Iterator[int | None]:
        """Tokens of each block; None: all that are left."""
        # Changing the speed takes a whole mel.
        if not (self.settings.blocks and self.tools.stream and speed == 1.0):
            return iter((None,))
        return itertools.chain(BLOCK_TOKENS, itertools.repeat(BLOCK_TOKENS[-1]))

    def longer(
        self, mel: Floats, said: list[int], n_frames: int, person: Embedding
    ) -> Generator[Audio, None, Floats]:
        """*mel* [80, f] and what follows it: [80, n_frames]."""
        n_clip, n_made = person["mel"].shape[1], mel.shape[1]
        if n_clip + n_frames > MAX_FRAMES:
            raise SynthesisError(
                f"clip and sentence have {n_clip + n_frames} frames; at most {MAX_FRAMES} are made at once"
            )
        with self.tools.timer.stage("flow"):
            given = self.layout.conditions(self.stages, np.array(said, np.int64), person)
            cond = given.cond[:, :, : n_clip + n_frames].copy()
            cond[0, :, n_clip : n_clip + n_made] = mel
            given = Conditions(given.mu[:, :, : n_clip + n_frames], given.speaker, cond)
            flow = Flow(given, noise_of(self.settings.seed, n_clip + n_frames), self.settings.steps)
        for now, after in flow.steps():
            yield AT_WORK
            with self.tools.timer.stage("flow"):
                flow.step(self.stages.stage("flow")["flow_estimator"], now, after)
        return np.concatenate([mel, flow.x[0, :, n_clip + n_made :]], axis=1)


class _Vocoder:
    """Of one text."""

    def __init__(self, maker: SoundMaker) -> None:
        self._margin = maker.settings.margin_frames
        self._hift: Hift = maker.layout.hift(maker.stages, self._margin)
        self._keeper = LevelKeeper(maker.gain_db, SAMPLE_RATE)
        self._sizes = PIECE_FRAMES if maker.tools.stream else (MAX_FRAMES,)
        self._tools = maker.tools
        self._n_heard = 0

    def sound(self, mel: Floats, *, is_last: bool) -> Iterator[Audio]:
        """Of the frames of *mel* [80, F] that were not heard; the last ones wait for what follows them."""
        n_frames = mel.shape[1]
        heard, end = self._n_heard, n_frames if is_last else n_frames - self._margin
        if end <= heard:
            return
        if is_last:
            self._keeper.end_at(n_frames * HOP_SAMPLES)
        with self._tools.timer.stage("hift"):
            self._hift.see(mel, heard)
        for low, high in cuts(end - heard, self._sizes, SHORTEST_PIECE):
            with self._tools.timer.stage("hift"):
                samples = self._hift.sound(heard + low, heard + high)
            check_sound(samples, SAMPLE_RATE, "the vocoder")
            yield Audio(self._keeper.keep(samples), SAMPLE_RATE)
        self._n_heard = end


def at_speed(mel: Floats, speed: float) -> Floats:
    """Frames in between, or fewer of them."""
    n_frames = max(round(mel.shape[1] / speed), 1)
    if speed == 1.0 or not mel.shape[1]:
        return mel
    # As the published code: the middles of the frames are what keeps its place.
    places = np.clip((np.arange(n_frames) + 0.5) * mel.shape[1] / n_frames - 0.5, 0, mel.shape[1] - 1)
    low = places.astype(np.int64)
    high = np.minimum(low + 1, mel.shape[1] - 1)
    return np.asarray(mel[:, low] + (mel[:, high] - mel[:, low]) * (places - low), np.float32)
