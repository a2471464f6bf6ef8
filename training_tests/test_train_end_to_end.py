"""A training in small, by the command: from recordings to a voice that the daemon speaks with, killed in each stage."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import image
from numpy.typing import NDArray

from edge_tts.app import build_synthesizer
from edge_tts.audio import join
from edge_tts.config import CacheConfig, Config, VoicesConfig
from edge_tts.metrics import Metrics
from edge_tts.speech import SpeakRequest
from edge_tts.synthesizer import Synthesizer
from scripts.train.__main__ import STAGES
from training_tests.tiny_recordings import ROOMY, make_recordings

pytestmark = [pytest.mark.slow, pytest.mark.voice]

ROOT = Path(__file__).parent.parent
NAMES = [stage.name for stage in STAGES]
LEARNING = ("align", "prosody", "acoustic", "acoustic/sharpen", "vocoder", "joint")
PLACES = [*NAMES]
PLACES.insert(PLACES.index("acoustic") + 1, "acoustic/sharpen")
"""Where the training is killed, one after the other."""

STEPS = {"align": 20, "prosody": 10, "acoustic": 10, "sharpen": 6, "vocoder": 6, "joint": 4}
DEADLINE_S = 1200
"""On a box that does much else."""

ATTEMPTS = 5
"""To kill a place while it is at work."""

UNDER_WAY = {
    **dict.fromkeys(NAMES, "begun.json"),
    **{"clean": "*/*.flac", "mels": "*/*.npy", "f0": "*/*.npz", "export": "encoder.onnx"},
    **dict.fromkeys(LEARNING, "checkpoint.pt"),
}
"""A file in a place's folder that shows that something was made."""


def stage_of(place: str) -> int:
    """Its index in NAMES."""
    return NAMES.index(place.partition("/")[0])


@dataclass
class Box:
    """A folder of trainings and one of voices."""

    folder: Path
    recipe: Path
    log: list[str] = field(default_factory=list)
    """What each run has printed, its progress bars included."""

    @property
    def work(self) -> Path:
        return self.folder / "work" / "tiny"

    @property
    def voices(self) -> Path:
        return self.folder / "voices"

    def start(self) -> subprocess.Popen[str]:
        command = [
            *(sys.executable, "-m", "scripts.train", str(self.recipe), "--work", str(self.folder / "work")),
            *("--install", str(self.voices), "--workers", "1", "--threads", "1"),
            *("--checkpoint-every", "2", "--picture-every", "2"),
        ]
        return subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def finish(self, process: subprocess.Popen[str]) -> str:
        printed = process.communicate(timeout=DEADLINE_S)[0]
        assert process.returncode == 0, printed
        self.log.append(printed)
        return printed

    def kill_in(self, place: str) -> None:
        """Let it run until it is in the midst of *place*."""
        before = self.folder / "before"
        self.work.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.work, before)
        for _ in range(ATTEMPTS):
            printed = self._killed(place)
            if not self._is_past(place):
                break
            # Over before we looked again, on a box that does much else: once more, from where the training was.
            shutil.rmtree(self.work)
            shutil.copytree(before, self.work)
        else:
            pytest.fail(f"{place} was over each time before it was killed")
        shutil.rmtree(before)
        self.log.append(printed)

    def _killed(self, place: str) -> str:
        """What it has printed."""
        process = self.start()
        wait_for(lambda: self._is_under_way(place) or process.poll() is not None)
        process.kill()
        printed = process.communicate(timeout=60)[0]
        assert process.returncode < 0 or self._is_past(place), printed
        return printed

    def _is_under_way(self, place: str) -> bool:
        return any((self.work / place).glob(UNDER_WAY[place]))

    def _is_past(self, place: str) -> bool:
        later = PLACES[PLACES.index(place) + 1 :]
        done = self.work / NAMES[stage_of(place)] / "done.json"
        return done.exists() or any(map(self._is_under_way, later))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    make_recordings(folder, tmp_path_factory.mktemp("cache"))
    path = folder / "tiny.yaml"
    path.write_text(f"corpora: [ada, lan]\nheld_out: 2\nsteps: {STEPS}\n")
    return path


@dataclass(frozen=True)
class Trained:
    undisturbed: Box
    killed: Box
    steps_kept: dict[str, int]
    """Place → the step of its last checkpoint when it was killed."""


@pytest.fixture(scope="module")
def trained(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """Both at once: there are two cores in every box."""
    undisturbed = Box(tmp_path_factory.mktemp("undisturbed"), recipe)
    killed = Box(tmp_path_factory.mktemp("killed"), recipe)
    beside = undisturbed.start()
    try:
        steps_kept = {}
        for place in PLACES:
            killed.kill_in(place)
            checkpoint = killed.work / place / "checkpoint.pt"
            if checkpoint.exists():
                steps_kept[place] = int(torch.load(checkpoint, weights_only=True)["step"])
        killed.finish(killed.start())
        undisturbed.finish(beside)
        yield Trained(undisturbed, killed, steps_kept)
    finally:
        beside.kill()


@pytest.fixture(scope="module")
def synthesizer(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    cache = CacheConfig(dir=tmp_path_factory.mktemp("cache"))
    return build_synthesizer(
        Config(cache=cache, memory=ROOMY, voices=VoicesConfig(folders=(trained.undisturbed.voices,))),
        Metrics(),
    )


def spoken(synthesizer: Synthesizer, text: str) -> NDArray[np.float32]:
    plan = synthesizer.plan(SpeakRequest(text), "tiny")
    return join([piece.audio for piece in synthesizer.render(plan)], 22050).samples


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("The oven is on.", "The oven is on, the door is open, the lamp is off, and dinner is on the table."),
        ("今天。", "你好，今天天气很好，明天早上也很好，晚上天气很好。"),
    ],
    ids=["English", "Mandarin"],
)
def test_the_daemon_speaks_with_the_voice(synthesizer: Synthesizer, short: str, long: str) -> None:
    sounds = [spoken(synthesizer, text) for text in (short, long)]
    for sound in sounds:
        assert np.isfinite(sound).all()
        assert 0.003 < np.sqrt((sound**2).mean()) < 0.4
        assert np.abs(sound).max() < 0.99
    assert 0.3 < len(sounds[0]) / 22050 < 3
    letters = len(long) / len(short)
    assert 0.4 * letters < len(sounds[1]) / len(sounds[0]) < 2 * letters


def test_the_installed_folder_is_a_voice_and_nothing_else(trained: Trained) -> None:
    names = {path.name for path in trained.undisturbed.voices.rglob("*")}
    graphs = {f"{name}.int8.onnx" for name in ("encoder", "decoder", "vocoder")}
    assert names == {"tiny", "voice.yaml", "frontend.json", "ATTRIBUTION.md", *graphs}


def test_every_stage_has_its_picture_and_the_report_shows_them(trained: Trained) -> None:
    work = trained.undisturbed.work
    pictures = sorted(work.rglob("*.png"))
    for path in pictures:
        assert image.imread(path)[..., :3].std() > 0.01, path
    with_picture = {path.relative_to(work).parts[0] for path in pictures}
    assert with_picture == set(NAMES) - {"report"}
    page = (work / "report" / "index.html").read_text(encoding="utf-8")
    shown = re.findall(r'<img[^>]* src="(data:image/png;base64,|[^"]+)', page)
    assert len(shown) >= len(NAMES) - 1
    heard = re.findall(r'<audio[^>]* src="([^"]+)"', page)
    assert len(heard) >= 4
    for link in [*heard, *(each for each in shown if not each.startswith("data:"))]:
        assert (work / "report" / link).stat().st_size > 0


def test_samples_are_made_every_so_many_steps(trained: Trained) -> None:
    for stage in ("vocoder", "joint"):
        made = {path.name[:11] for path in (trained.undisturbed.work / stage).glob("step-*.wav")}
        assert made == {f"step-{step:06d}" for step in range(2, STEPS[stage] + 1, 2)}


def test_what_was_done_is_never_done_again(trained: Trained) -> None:
    killed_first, *after = trained.killed.log[: len(PLACES) + 1]
    assert "done" not in killed_first
    ends = [*map(stage_of, PLACES), len(NAMES)]
    for printed, (first, end) in zip(after, itertools.pairwise(ends), strict=True):
        assert re.findall(r"(\w+): done before", printed) == NAMES[:first]
        assert re.findall(r"(\w+): done in", printed) == NAMES[first:end]


def test_a_killed_stage_goes_on_from_its_checkpoint(trained: Trained) -> None:
    assert set(trained.steps_kept) == set(LEARNING)
    for place, step in trained.steps_kept.items():
        network = place.rpartition("/")[2]
        assert 0 < step <= STEPS[network]
        next_run = trained.killed.log[PLACES.index(place) + 1]
        first_shown = re.search(rf"{network}: .*?\| (\d+)/(\d+) ", next_run)
        assert first_shown is not None
        assert [int(each) for each in first_shown.groups()] == [step, STEPS[network]]


@pytest.mark.parametrize(
    "network",
    [
        "align/checkpoint",
        "prosody/prosody",
        "acoustic/acoustic",
        "vocoder/vocoder",
        "joint/acoustic",
        "joint/vocoder",
    ],
)
def test_the_killed_training_ends_as_the_undisturbed_one(trained: Trained, network: str) -> None:
    states = []
    for box in (trained.undisturbed, trained.killed):
        state = torch.load(box.work / f"{network}.pt", weights_only=True)
        states.append(state["networks"]["aligner"] if network.startswith("align") else state)
    for name, weights in states[0].items():
        torch.testing.assert_close(states[1][name], weights, msg=name)


def test_once_more_finds_everything_done(trained: Trained) -> None:
    printed = trained.killed.finish(trained.killed.start())
    assert re.findall(r"(\w+): done before", printed) == NAMES
    assert "done in" not in printed
