"""The parts of scripts/train: recipes, stages, cleaning, pitch, alignment, batches, networks, synthesis."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from click.testing import CliRunner
from torch import Tensor, nn

from edge_tts.models.source_filter import HOP, Filters
from edge_tts.models.source_filter import SourceFilter as RunTimeSourceFilter
from edge_tts.models.two_stage import DECODER_MARGIN, VOCODER_MARGIN
from scripts.train.__main__ import STAGES, all_ingredients, alone, forget, main, run
from scripts.train.align import best_path
from scripts.train.clean import MARGIN_S, PEAK, RMS, clean, gated, levelled, trimmed
from scripts.train.discriminators import MelDiscriminator, rival_losses
from scripts.train.emotions import EMOTIONS
from scripts.train.f0 import cleaned, pitch
from scripts.train.features import SAMPLE_RATE, Floats, log_mel
from scripts.train.networks import Acoustic, FilterFrames, Vocoder
from scripts.train.phonemes import phonemes, read_spoken
from scripts.train.recipe import Corpus, Recipe, RecipeError, Steps
from scripts.train.recipe_file import read_corpus, read_recipe, recipe_of
from scripts.train.stage import Settings, Work, whole
from scripts.train.synthesis import EDGE, LogMel, Source, SourceFilter, locked_pulses, source_of
from scripts.train.trainer import Batches, Training, start_from, take_step
from scripts.train.voice_folder import HEADER, VoiceFolderError, install

ROOT = Path(__file__).parent.parent


# --- Recipes ---------------------------------------------------------------------------------------------


def record(folder: Path, texts: dict[str, str], **about: object) -> Path:
    """A folder of recordings of a hum."""
    folder.mkdir(parents=True)
    lines = "".join(f"{name}|{text}\n" for name, text in texts.items())
    (folder / "metadata.csv").write_text(lines, encoding="utf-8")
    document = {"speaker": folder.name, "language": "en-US", "licence": "CC0-1.0", **about}
    (folder / "speaker.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    for name in texts:
        soundfile.write(folder / f"{name}.wav", 0.1 * tone(200.0, 0.5), SAMPLE_RATE)
    return folder


def tone(hertz: float, duration_s: float) -> Floats:
    return np.sin(2 * np.pi * hertz * np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE).astype(
        np.float32
    )


TEXTS = {f"r{n:02d}": f"text {n}" for n in range(20)}


@pytest.fixture
def ada(tmp_path: Path) -> Path:
    return record(tmp_path / "ada", TEXTS)


def edit(path: Path, **changes: object) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    kept = {key: value for key, value in {**document, **changes}.items() if value is not None}
    path.write_text(yaml.safe_dump(kept), encoding="utf-8")


def add_line(folder: Path, line: str) -> None:
    with (folder / "metadata.csv").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


SPOILED: list[tuple[str, Callable[[Path], object]]] = [
    ("speaker.yaml is missing; wanted: speaker", lambda folder: (folder / "speaker.yaml").unlink()),
    ("metadata.csv is missing: one line for each", lambda folder: (folder / "metadata.csv").unlink()),
    ("unknown key 'licens'; known: folder, speaker", lambda folder: edit(folder / "speaker.yaml", licens="CC0")),
    ("has no licence", lambda folder: edit(folder / "speaker.yaml", licence=None)),
    ("join should be a whole number, not 'many'", lambda folder: edit(folder / "speaker.yaml", join="many")),
    ("denoise should be true or false, not 1", lambda folder: edit(folder / "speaker.yaml", denoise=1)),
    ("'German' should be a tag such as de-DE", lambda folder: edit(folder / "speaker.yaml", language="German")),
    ("speaker '../x' should be of letters", lambda folder: edit(folder / "speaker.yaml", speaker="../x")),
    ("line 21: 'r05' is there twice", lambda folder: add_line(folder, "r05|again")),
    ("line 21: 'r05' is there twice", lambda folder: add_line(folder, "sub/r05|again")),
    ("line 21: 'x' has no text; wanted: name|text", lambda folder: add_line(folder, "x|")),
    ("lists 1 recordings that are not there, the first is 'x'", lambda folder: add_line(folder, "x|text")),
    ("has 1 texts; wanted 10 or more", lambda folder: (folder / "metadata.csv").write_text("r01|one text\n")),
    ("is not UTF-8", lambda folder: (folder / "metadata.csv").write_bytes(b"r01|gr\xfc\xdfe\n")),
]  # fmt: skip


@pytest.mark.parametrize(("message", "spoil"), SPOILED, ids=[message for message, _ in SPOILED])
def test_a_folder_that_cannot_be_used_is_told_why(
    ada: Path, message: str, spoil: Callable[[Path], object]
) -> None:
    spoil(ada)
    with pytest.raises(RecipeError) as caught:
        all_ingredients(recipe_of([ada], "voice", None))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("message", "recipe"),
    [
        ("has no corpora", {}),
        ("two folders are of the speaker ada", {"corpora": ["ada", "ada"]}),
        ("unknown key 'step'", {"corpora": ["ada"], "step": "quick"}),
        ("steps is 'fast'; wanted quick, normal, long", {"corpora": ["ada"], "steps": "fast"}),
        ("unknown key 'acustic'", {"corpora": ["ada"], "steps": {"acustic": 3}}),
        ("acoustic must be at least 1", {"corpora": ["ada"], "steps": {"acoustic": 0}}),
        ("held_out must be at least 1", {"corpora": ["ada"], "held_out": 0}),
        ("start_from: ", {"corpora": ["ada"], "start_from": "elsewhere"}),
        ("the voice's name is 'a/b'", {"corpora": ["ada"], "name": "a/b"}),
        ("emotions: happy is 1.1; wanted {speed: ", {"corpora": ["ada"], "emotions": {"happy": 1.1}}),
        (
            "emotions: sad has the unknown key 'pitch'; known: speed, pitch_semitones, pitch_range, energy",
            {"corpora": ["ada"], "emotions": {"sad": {"pitch": -1}}},
        ),
        (
            "emotions: speed of sad is '1,1'; wanted 0.2 to 5",
            {"corpora": ["ada"], "emotions": {"sad": {"speed": "1,1"}}},
        ),
        (
            "emotions: energy of sad is nan; wanted -3 to 3",
            {"corpora": ["ada"], "emotions": {"sad": {"energy": float("nan")}}},
        ),
        ("the name False should be text", {"corpora": ["ada"], "emotions": {False: {}}}),
    ],
)
def test_a_recipe_that_cannot_be_used_is_told_why(
    ada: Path, tmp_path: Path, message: str, recipe: dict[str, object]
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    assert message in str(caught.value)


def test_emotions_that_a_voice_may_have_are_those_of_a_recipe(ada: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"corpora": ["ada"], "emotions": EMOTIONS}))
    assert read_recipe(path).emotions == EMOTIONS


def test_a_recipe_without_extras_is_named_after_its_file(ada: Path, tmp_path: Path) -> None:
    path = tmp_path / "ada-1.yaml"
    path.write_text("corpora: [ada]\nsteps: {acoustic: 7}\n")
    recipe = read_recipe(path)
    assert recipe.name == "ada-1"
    assert recipe.steps == Steps(acoustic=7)
    assert recipe.corpora == (read_corpus(ada),)


def test_wrong_use_of_the_command_is_one_line_and_status_2(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "scripts.train",
        str(tmp_path / "nowhere"),
        "--name",
        "x",
        "--work",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert (
        done.stderr
        == f"train: {tmp_path}/nowhere/speaker.yaml is missing; wanted: speaker, language and licence, one per line\n"
    )


def held_out_texts(folder: Path) -> set[str]:
    recipe = recipe_of([folder], "voice", None)
    return {each.texts[0] for each in recipe.utterances() if each.is_held_out}


def test_what_is_held_out_depends_on_the_texts_alone(tmp_path: Path) -> None:
    held_out = held_out_texts(record(tmp_path / "one" / "ada", TEXTS))
    assert len(held_out) == 2
    renamed = {f"x{name}": text for name, text in reversed(TEXTS.items())}
    assert held_out_texts(record(tmp_path / "two" / "ada", renamed)) == held_out
    without = {name: text for name, text in TEXTS.items() if text in held_out or name < "r15"}
    assert len(without) < len(TEXTS)
    kept = held_out_texts(record(tmp_path / "three" / "ada", without))
    assert kept <= held_out
    assert len(kept) == 1


def test_both_takes_of_a_text_are_held_out(tmp_path: Path) -> None:
    takes = {**TEXTS, **{f"{name}-again": text for name, text in TEXTS.items()}}
    recipe = recipe_of([record(tmp_path / "ada", takes)], "voice", None)
    by_text: dict[str, set[bool]] = {}
    for each in recipe.utterances():
        by_text.setdefault(each.texts[0], set()).add(each.is_held_out)
    assert all(len(fates) == 1 for fates in by_text.values())
    assert sum(fates == {True} for fates in by_text.values()) == 2


# --- Stages ----------------------------------------------------------------------------------------------


def changed(before: Recipe, after: Recipe) -> set[str]:
    old, new = all_ingredients(before), all_ingredients(after)
    return {name for name in old if old[name] != new[name]}


EVERYTHING = {stage.name for stage in STAGES}
END = {"joint", "export", "int8", "report"}


def test_a_changed_setting_renews_what_depends_on_it_and_nothing_else(ada: Path) -> None:
    recipe = recipe_of([ada], "voice", None)

    def of_corpus(**changes: object) -> Recipe:
        return replace(recipe, corpora=(replace(recipe.corpora[0], **changes),))  # type: ignore[arg-type]

    def of_steps(**changes: int) -> Recipe:
        return replace(recipe, steps=replace(recipe.steps, **changes))

    assert changed(recipe, recipe) == set()
    assert changed(recipe, of_steps(acoustic=1)) == {"acoustic", *END}
    assert changed(recipe, of_steps(sharpen=1)) == {"acoustic", *END}
    assert changed(recipe, of_steps(prosody=1)) == {"prosody", *END} - {"joint"}
    assert changed(recipe, of_steps(vocoder=1)) == {"vocoder", *END}
    assert changed(recipe, of_steps(joint=1)) == END
    assert changed(recipe, of_steps(align=1)) == {"align", "prosody", "acoustic", "vocoder", *END}
    assert changed(recipe, of_corpus(language="en-GB")) == EVERYTHING - {"clean"}
    assert changed(recipe, of_corpus(denoise=True)) == EVERYTHING
    assert changed(recipe, of_corpus(licence="CC-BY-4.0")) == {"export", "int8", "report"}
    assert changed(recipe, of_corpus(joined_pace=0.7)) == {"prosody", "acoustic", *END}
    assert changed(recipe, replace(recipe, gain_db=1.0)) == {"int8", "report"}


def test_an_added_recording_renews_everything_and_a_moved_folder_nothing(ada: Path, tmp_path: Path) -> None:
    before = all_ingredients(recipe_of([ada], "voice", None))
    moved = Path(shutil.move(ada, tmp_path / "moved"))
    after = all_ingredients(recipe_of([moved], "voice", None))
    # The report shows where they are.
    assert {name for name in EVERYTHING if before[name] != after[name]} <= {"report"}
    shutil.copy(moved / "r01.wav", moved / "new.wav")
    add_line(moved, "new|one more")
    added = all_ingredients(recipe_of([moved], "voice", None))
    assert {name for name in EVERYTHING if after[name] != added[name]} == EVERYTHING


def test_a_stage_is_made_once_and_what_comes_too_early_is_refused(ada: Path, tmp_path: Path) -> None:
    made: list[str] = []

    def note(name: str) -> Callable[[Work], None]:
        return lambda _: made.append(name)

    stages = [replace(each, make=note(each.name)) for each in STAGES]
    work = Work(recipe_of([ada], "voice", None), tmp_path / "work")
    with pytest.raises(RecipeError, match="align needs mels, which is not done yet"):
        run(work, [each for each in stages if each.name == "align"])
    run(work, stages)
    assert made == [stage.name for stage in STAGES]
    run(work, stages)
    assert len(made) == len(STAGES)
    forget(work, "acoustic")
    run(work, stages)
    assert made[len(STAGES) :] == ["acoustic", *("joint", "export", "int8", "report")]


def test_what_was_half_written_is_taken_out_and_what_is_whole_stays(ada: Path, tmp_path: Path) -> None:
    work = Work(recipe_of([ada], "voice", None), tmp_path / "work")
    work.begin("mels", "these")
    whole(work.stage("mels") / "ada" / "one.npy", lambda part: part.write_bytes(b"whole"))
    (work.stage("mels") / "ada" / ".99-two.npy").write_bytes(b"ha")
    work.begin("mels", "these")
    assert [path.name for path in (work.stage("mels") / "ada").iterdir()] == ["one.npy"]
    work.begin("mels", "others")
    assert [path.name for path in work.stage("mels").iterdir()] == ["begun.json"]


def test_two_trainings_of_one_voice_do_not_meet(tmp_path: Path) -> None:
    with alone(tmp_path / "voice"), pytest.raises(RecipeError, match="another training is at work"):  # noqa: SIM117
        with alone(tmp_path / "voice"):
            pass
    with alone(tmp_path / "voice"):
        pass


def make_voice(folder: Path, graph: str, **documents: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "voice.yaml").write_text(HEADER + yaml.safe_dump({"files": {"encoder": graph}}))
    (folder / graph).write_text("a graph")
    for name, content in documents.items():
        (folder / f"{name}.md").write_text(content)
    return folder


def test_an_installed_voice_is_replaced_but_for_what_was_written_about_it(tmp_path: Path) -> None:
    target = tmp_path / "voices" / "ada"
    install(make_voice(tmp_path / "old", "old.onnx", ATTRIBUTION="old", MODEL_CARD="old"), target)
    install(make_voice(tmp_path / "new", "new.onnx", ATTRIBUTION="new"), target)
    assert [path.name for path in (tmp_path / "voices").iterdir()] == ["ada"]
    names = {path.name for path in target.iterdir()}
    assert names == {"voice.yaml", "new.onnx", "ATTRIBUTION.md", "MODEL_CARD.md"}
    assert "new.onnx" in (target / "voice.yaml").read_text()
    assert [(target / f"{name}.md").read_text() for name in ("ATTRIBUTION", "MODEL_CARD")] == ["new", "old"]


@pytest.mark.parametrize("document", ["name: ada\n", None])
def test_a_folder_that_no_training_has_made_is_not_replaced(
    ada: Path, tmp_path: Path, document: str | None
) -> None:
    target = tmp_path / "voices" / "ada"
    target.mkdir(parents=True)
    (target / "precious.onnx").touch()
    if document:
        (target / "voice.yaml").write_text(document)
    with pytest.raises(VoiceFolderError, match="voices/ada is there already, and no training has made it"):
        install(make_voice(tmp_path / "new", "new.onnx"), target)
    assert (target / "precious.onnx").exists()
    # Told before anything is learned.
    command = [str(ada), "--name", "ada", "--work", str(tmp_path / "work"), "--install", str(target.parent)]
    asked = CliRunner().invoke(main, command)
    assert isinstance(asked.exception, VoiceFolderError)
    assert not (tmp_path / "work").exists()


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    # ProcessPoolExecutor's own wait for work for ever.
    folder = record(tmp_path / "ada", {f"r{n}": f"text {n}" for n in range(400)})
    command = [
        sys.executable,
        "-m",
        "scripts.train",
        str(folder),
        "--name",
        "x",
        "--work",
        str(tmp_path / "work"),
    ]
    parent = subprocess.Popen(
        [*command, "--workers", "2", "--until", "clean"], cwd=ROOT, stderr=subprocess.PIPE
    )
    assert parent.stderr is not None
    made = tmp_path / "work" / "x" / "clean" / "ada"
    while not (made.exists() and any(made.iterdir())):
        assert parent.poll() is None
    parent.kill()
    # The pipe is open as long as any of them lives.
    parent.communicate(timeout=30)
    assert parent.returncode == -signal.SIGKILL


# --- Recordings ------------------------------------------------------------------------------------------


def level_db(samples: Floats) -> float:
    return float(10 * np.log10((samples.astype(np.float64) ** 2).mean() + 1e-12))


def test_silence_at_the_ends_goes_but_for_a_margin() -> None:
    spoken = np.concatenate([np.zeros(SAMPLE_RATE), tone(200, 1.0), np.zeros(SAMPLE_RATE)]).astype(np.float32)
    assert len(trimmed(spoken, MARGIN_S)) / SAMPLE_RATE == pytest.approx(1.0 + sum(MARGIN_S), abs=0.02)


@pytest.mark.parametrize("size", [0.001, 0.9])
def test_every_recording_gets_the_same_level(size: float) -> None:
    assert np.sqrt((levelled(size * tone(200, 1.0)) ** 2).mean()) == pytest.approx(RMS, rel=0.01)


def test_a_recording_with_a_high_peak_stays_below_full_scale() -> None:
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[100] = 0.5
    assert np.abs(levelled(click)).max() == pytest.approx(PEAK, rel=0.01)


def test_steady_noise_goes_down_and_speech_stays() -> None:
    noise = 0.003 * np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE).astype(np.float32)
    spoken = noise.copy()
    # Speech comes and goes; what is always there is noise.
    spoken[SAMPLE_RATE : 2 * SAMPLE_RATE] += 0.1 * tone(400, 1.0)
    after = gated(spoken)
    pause, speech = (
        slice(SAMPLE_RATE // 4, SAMPLE_RATE // 2),
        slice(SAMPLE_RATE * 5 // 4, SAMPLE_RATE * 7 // 4),
    )
    assert level_db(after[pause]) < level_db(spoken[pause]) - 12
    assert level_db(after[speech]) == pytest.approx(level_db(spoken[speech]), abs=0.5)
    assert len(after) == len(spoken)


def test_an_unreadable_recording_is_named(ada: Path, tmp_path: Path) -> None:
    (ada / "r07.wav").write_bytes(b"RIFF, but no more")
    work = Work(recipe_of([ada], "voice", None), tmp_path / "work", Settings(workers=1))
    with pytest.raises(RecipeError, match=r"r07\.wav cannot be read: .* Mend it, or take out its line"):
        clean(work)


def test_a_speaker_whose_recordings_are_all_too_short_is_named(tmp_path: Path) -> None:
    folder = record(tmp_path / "ada", TEXTS)
    for name in TEXTS:
        soundfile.write(folder / f"{name}.wav", tone(200, 0.05), SAMPLE_RATE)
    work = Work(recipe_of([folder], "voice", None), tmp_path / "work", Settings(workers=1))
    with pytest.raises(RecipeError, match=r"clean: ada keeps 0 of 20 recordings.* 'too short' \(20\)"):
        clean(work)


def test_a_language_that_nobody_reads_is_named(tmp_path: Path) -> None:
    folder = record(tmp_path / "ada", TEXTS, language="xx-XX")
    work = Work(recipe_of([folder], "voice", None), tmp_path / "work", Settings(workers=1))
    clean(work)
    with pytest.raises(RecipeError, match=r"phonemes: ada keeps 0 of 20 .* espeak-ng knows no language 'xx'"):
        phonemes(work)


def test_a_text_without_words_is_dropped_with_the_reason(tmp_path: Path) -> None:
    folder = record(tmp_path / "ada", {**TEXTS, "dots": "…"})
    work = Work(recipe_of([folder], "voice", None), tmp_path / "work", Settings(workers=1))
    clean(work)
    phonemes(work)
    dropped = json.loads((work.stage("phonemes") / "dropped.json").read_text())
    assert set(dropped) == {"ada/dots"}
    assert "nothing to say" in dropped["ada/dots"]
    assert len(read_spoken(work)) == len(TEXTS)


# --- Pitch and alignment ---------------------------------------------------------------------------------


def test_short_gaps_are_filled_short_runs_dropped_and_octaves_put_right() -> None:
    hertz = np.full(60, 200.0)
    hertz[10:12] = 0  # a lost period
    hertz[20] = 400  # double
    hertz[30] = 100  # half
    hertz[40:50] = 0  # a pause, in which
    hertz[44:46] = 300  # something rings
    after = cleaned(hertz)
    assert (after[:40] == 200).all()
    assert (after[40:50] == 0).all()
    assert (after[50:] == 200).all()


@pytest.mark.parametrize("hertz", [68.0, 150.0, 400.0])
def test_the_pitch_of_a_buzz_is_found(hertz: float) -> None:
    buzz = sum((tone(hertz * k, 1.0) / k for k in range(1, 20)), np.zeros(SAMPLE_RATE, np.float32))
    found = pitch(np.asarray(0.1 * buzz, np.float32))
    assert len(found) == SAMPLE_RATE // HOP
    assert np.median(found[10:-10]) == pytest.approx(hertz, rel=0.005)


@pytest.mark.parametrize(("n_frames", "n_tokens"), [(3, 3), (6, 1), (7, 3), (9, 5)])
def test_the_best_path_is_the_best_of_all(n_frames: int, n_tokens: int) -> None:
    likely = np.random.default_rng(n_frames).standard_normal((n_frames, n_tokens)).astype(np.float32)

    def likelihood(frames: tuple[int, ...]) -> float:
        return float(likely[np.arange(n_frames), np.repeat(np.arange(n_tokens), frames)].sum())

    ways = (
        each for each in itertools.product(range(1, n_frames + 1), repeat=n_tokens) if sum(each) == n_frames
    )
    assert tuple(best_path(likely)) == max(ways, key=likelihood)


# --- Learning --------------------------------------------------------------------------------------------


def test_an_epoch_has_each_item_once_and_every_step_its_own_batch() -> None:
    sizes = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    batches = Batches(sizes, 150, seed=0)
    seen: list[int] = []
    steps: list[list[int]] = []
    while len(seen) < 2 * len(sizes):
        batch = batches.at(len(steps))
        assert len(batch) == 1 or sum(sizes[index] for index in batch) <= 150
        seen += batch
        steps.append(batch)
    assert sorted(seen) == sorted([*range(len(sizes)), *range(len(sizes))])
    # As a resumed training does: straight to a later step.
    assert Batches(sizes, 150, seed=0).at(len(steps) - 1) == steps[-1]


class Killed(Exception):  # noqa: N818
    """In place of the signal."""


def learn(folder: Path, n_steps: int, killed_at: int = -1, seed: int = 0) -> Tensor:
    """The weights of two layers at different rates after *n_steps*."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    groups = [
        {"params": network[0].parameters(), "lr": 1e-2},
        {"params": network[1].parameters(), "lr": 1e-3},
    ]
    optimizer = torch.optim.AdamW(groups)
    work = Work(Recipe("voice", (), seed=seed), folder, Settings(checkpoint_every=4))
    training = Training(folder, work, {"network": network}, {"network": optimizer})
    for step in training.steps(n_steps, "test"):
        if step == killed_at:
            raise Killed
        take_step(optimizer, (network(torch.randn(8, 4)) ** 2).mean(), [network])
    assert optimizer.param_groups[0]["lr"] == pytest.approx(10 * optimizer.param_groups[1]["lr"])
    return torch.cat([each.detach().flatten() for each in network.parameters()])


@pytest.mark.parametrize("seed", [0, 7])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(tmp_path: Path, seed: int) -> None:
    whole_run = learn(tmp_path / "whole", 20, seed=seed)
    with pytest.raises(Killed):
        learn(tmp_path / "killed", 20, killed_at=10, seed=seed)
    assert torch.load(tmp_path / "killed" / "checkpoint.pt", weights_only=True)["step"] == 8
    assert torch.equal(learn(tmp_path / "killed", 20, seed=seed), whole_run)


def test_every_step_has_its_own_chance_by_the_seed(tmp_path: Path) -> None:
    # All weights begin alike, and the batches are drawn by torch in the steps.
    learned = [learn(tmp_path / str(seed), 5, seed=seed) for seed in (0, 1, 2)]
    assert not torch.equal(learned[0], learned[1])
    assert not torch.equal(learned[1], learned[2])


# --- Networks and synthesis ------------------------------------------------------------------------------


def reach(answer: Callable[[Tensor], Tensor], n_frames: int, n_channels: int) -> tuple[int, int]:
    """How many frames before and after the middle one its output depends on."""
    x = torch.randn(1, n_frames, n_channels, requires_grad=True)
    answer(x)[0, n_frames // 2].sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    felt = np.flatnonzero(x.grad[0].abs().sum(dim=1).numpy())
    return n_frames // 2 - int(felt[0]), int(felt[-1]) - n_frames // 2


def test_the_decoder_reaches_as_far_as_the_run_time_allows_for() -> None:
    network = Acoustic(5, 1).eval()
    n = 3 * DECODER_MARGIN
    one = torch.zeros(1, dtype=torch.long)
    per_token = torch.zeros(1, n)

    def frames(position: Tensor) -> Tensor:
        hidden, token = torch.zeros(1, n, 192), torch.arange(n)[None]
        return network.decode(hidden, per_token, per_token, per_token, one, token, position).mel

    assert reach(frames, n, 3) == (DECODER_MARGIN, DECODER_MARGIN)


def test_the_vocoder_reaches_as_far_as_the_run_time_allows_for() -> None:
    network = Vocoder().eval()
    n = 3 * VOCODER_MARGIN

    def filters(mel: Tensor) -> Tensor:
        made = network(mel, torch.full((1, n), 150.0))
        # Two filter frames per mel frame.
        return torch.as_tensor(made.phase_offset.reshape(1, n, -1))

    assert reach(filters, n, 80) == (VOCODER_MARGIN, VOCODER_MARGIN)


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_judge_teaches_and_does_not_learn_from_it() -> None:
    judge = MelDiscriminator(channels=4)
    recorded, made = torch.randn(2, 1, 20, 80)
    made.requires_grad_(True)
    adversarial, matching = rival_losses(judge, recorded, made)
    (adversarial + matching).backward()  # type: ignore[no-untyped-call]
    assert made.grad is not None
    assert made.grad.abs().sum() > 0
    assert all(each.grad is None and each.requires_grad for each in judge.parameters())
    assert rival_losses(judge, recorded, recorded)[1] == 0


def test_training_and_run_time_make_the_same_sound(chance: np.random.Generator) -> None:
    n = 100
    f0 = np.where(chance.random(n) > 0.2, 150 + 30 * chance.standard_normal(n), 0).astype(np.float32)
    # Not locked to any recording, as at run time.
    source = Source(f0, np.ones(n, np.complex64), source_of(np.zeros(n * HOP, np.float32), f0).cycles_before)
    harmonic, phase = (0.3 * chance.standard_normal((2, 2 * n, 257))).astype(np.float32)
    harmonic -= 3
    no_noise = np.full((2 * n, 257), -30, np.float32)
    spoken = RunTimeSourceFilter(SAMPLE_RATE, 0).feed(f0, Filters(harmonic, phase, no_noise), None)
    pulses = torch.from_numpy(locked_pulses(source, 0, n))[None]
    frames = FilterFrames(*(torch.from_numpy(each)[None] for each in (harmonic, phase, no_noise)))
    trained = SourceFilter("cpu")(pulses, torch.zeros_like(pulses), frames)[0].numpy()
    inner = spoken[EDGE * HOP : -EDGE * HOP]
    assert np.abs(inner).max() > 0.01
    assert level_db(trained - inner) < level_db(inner) - 60


def test_pulses_in_pieces_equal_those_in_one(chance: np.random.Generator) -> None:
    samples = chance.standard_normal(80 * HOP).astype(np.float32)
    source = source_of(samples, np.full(80, 150.0, np.float32))
    pieces = np.concatenate([locked_pulses(source, 0, 37), locked_pulses(source, 37, 80)])
    assert np.abs(pieces - locked_pulses(source, 0, 80)).max() < 1e-3


def test_pulses_are_locked_to_the_fundamental_of_the_recording() -> None:
    n = 80
    recorded = np.cos(2 * np.pi * (150 * np.arange(n * HOP) / SAMPLE_RATE) + 1.0).astype(np.float32)
    pulses = locked_pulses(source_of(recorded, np.full(n, 150.0, np.float32)), 0, n)
    inner = slice(10 * HOP, -10 * HOP)
    turn = np.exp(-2j * np.pi * 150 * np.arange(n * HOP) / SAMPLE_RATE)[inner]
    angles = [np.angle((each[inner] * turn).sum()) for each in (recorded, pulses)]
    assert angles[1] == pytest.approx(angles[0], abs=0.05)


def test_the_spectrum_with_gradients_equals_the_one_without(chance: np.random.Generator) -> None:
    samples = chance.standard_normal(40 * HOP).astype(np.float32)
    padded = torch.from_numpy(np.pad(samples, 512, mode="reflect"))[None]
    assert np.abs(LogMel("cpu")(padded)[0].T.numpy()[:40] - log_mel(samples)).max() < 1e-3


def test_the_command_explains_itself() -> None:
    shown = CliRunner().invoke(main, ["--help"])
    assert shown.exit_code == 0
    assert all(option in shown.output for option in ("--start-from", "--until", "--steps", "--install"))
    assert os.access(ROOT / "scripts/train/voice", os.X_OK)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    recipe = started_from(tmp_path, {"ada": 0})
    torch.save(Vocoder(channels=8, hidden=16).state_dict(), tmp_path / "vocoder.pt")
    with pytest.raises(
        RecipeError, match=r"start_from: .*vocoder.pt has .* of \(8, 82, 5\); wanted \(224, 82, 5\)"
    ):
        start_from(Vocoder(), recipe, "vocoder.pt")
    assert start_from(Vocoder(channels=8, hidden=16), recipe, "vocoder.pt")
    assert not start_from(Vocoder(), recipe, "missing.pt")


def started_from(folder: Path, speakers: dict[str, int], **corpora: str) -> Recipe:
    """*corpora*: whom each speaker is like."""
    (folder / "frontend.json").write_text(json.dumps({"tokens": {}, "speakers": speakers}))
    (folder / "acoustic.pt").touch()
    own = tuple(Corpus(folder, name, "en-US", "CC0-1.0", like=like) for name, like in corpora.items())
    return Recipe("voice", own, start_from=folder)


def test_each_speaker_grows_from_whom_it_is_like(tmp_path: Path) -> None:
    recipe = started_from(tmp_path, {"ada": 0, "bo": 1, "cy": 2}, dora="cy", bo="", new="")
    older = Acoustic(5, 3)
    torch.save(older.state_dict(), tmp_path / "acoustic.pt")
    network = Acoustic(7, 3)
    assert start_from(network, recipe, "acoustic.pt")
    for row, whose in enumerate((2, 1, 0)):
        torch.testing.assert_close(network.spk.weight[row], older.spk.weight[whose])
    torch.testing.assert_close(network.emb.weight[:5], older.emb.weight)
    with pytest.raises(ValueError, match=r"dora is like 'eve', whom .* does not know; known: ada, bo, cy"):
        started_from(tmp_path, {"ada": 0, "bo": 1, "cy": 2}, dora="eve")


def test_a_name_may_have_a_dot(tmp_path: Path) -> None:
    folder = tmp_path / "ada"
    folder.mkdir()
    names = [f"ada.{number:04}{'.wav' if number % 2 else ''}" for number in range(10)]
    lines = "".join(f"{name}|Text {number}.\n" for number, name in enumerate(names))
    (folder / "metadata.csv").write_text(lines, encoding="utf-8")
    assert list(Corpus(folder, "ada", "en-US", "CC0-1.0").texts()) == names
