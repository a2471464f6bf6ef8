"""Can a listener who has never heard the voice understand it? pocketsphinx stands in for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pocketsphinx
import pytest

from edge_tts.app import build_synthesizer
from edge_tts.audio import join, resampled, to_pcm16
from edge_tts.config import CacheConfig, Config
from edge_tts.metrics import Metrics
from edge_tts.speech import SpeakRequest
from edge_tts.synthesizer import Synthesizer
from tests.doors_house import ROOMY

LISTENER_RATE = 16000

GRAMMAR = """#JSGF V1.0;
grammar house;
public <announcement> = <thing> is <state> | <number> minutes <left> | somebody is at the <door>
  | the temperature in the <room> is <number> degrees | please close the <door> | turn off the <thing_alone>;
<thing> = the (washing machine | dryer | dishwasher | oven | coffee | battery);
<thing_alone> = oven | heating | kitchen light | television;
<state> = (ready | done | empty | hot | running);
<room> = kitchen | bathroom | garden | bedroom | living room;
<door> = front door | garage door | window | gate;
<left> = left | to go;
<number> = (five | ten | eleven | fifteen | twenty | thirty) [one | two | three];
"""

ANNOUNCEMENTS = [
    "the washing machine is done", "the dryer is ready", "the dishwasher is running", "the oven is hot",
    "the coffee is ready", "the battery is empty", "five minutes left", "fifteen minutes to go",
    "twenty two minutes left", "somebody is at the front door", "somebody is at the gate",
    "the temperature in the kitchen is twenty one degrees", "the temperature in the garden is eleven degrees",
    "the temperature in the bedroom is thirty degrees", "please close the garage door", "please close the window",
    "please close the front door", "turn off the oven", "turn off the kitchen light", "turn off the television",
]  # fmt: skip


@pytest.fixture(scope="module")
def synthesizer(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    folder: Path = tmp_path_factory.mktemp("cache")
    return build_synthesizer(Config(cache=CacheConfig(dir=folder), memory=ROOMY), Metrics())


@pytest.mark.voice
def test_a_stranger_understands_the_announcements(
    synthesizer: Synthesizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grammar = tmp_path / "house.gram"
    grammar.write_text(GRAMMAR)
    decoder = pocketsphinx.Decoder(jsgf=str(grammar), samprate=LISTENER_RATE, loglevel="FATAL")
    heard = [listen(decoder, synthesizer, text) for text in ANNOUNCEMENTS]
    n_right = sum(text == said for text, said in zip(ANNOUNCEMENTS, heard, strict=True))
    with capsys.disabled():
        print(f"\nunderstood {n_right} of {len(ANNOUNCEMENTS)} announcements")
    assert n_right >= 18, [pair for pair in zip(ANNOUNCEMENTS, heard, strict=True) if pair[0] != pair[1]]


def listen(decoder: pocketsphinx.Decoder, synthesizer: Synthesizer, text: str) -> str:
    """What the listener hears when *text* is said."""
    plan = synthesizer.plan(SpeakRequest(text.capitalize() + "."), "kathleen-kerstin-yuetan")
    pieces = [piece.audio for piece in synthesizer.render(plan)]
    sound = resampled(join(pieces, pieces[0].sample_rate), LISTENER_RATE)
    padding = np.zeros(LISTENER_RATE // 4, np.float32)
    decoder.start_utt()
    decoder.process_raw(to_pcm16(np.concatenate([padding, sound.samples, padding])), full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return str(hypothesis.hypstr) if hypothesis else ""
