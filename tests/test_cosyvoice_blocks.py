"""Sound that begins while tokens are still chosen: how early, what of it equals the whole, what joints sound like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_tts.metrics import Metrics
from edge_tts.models import cosyvoice
from edge_tts.models.base import ModelTools, Told, VoiceSpec
from edge_tts.models.cosyvoice_layout import FRAMES_PER_TOKEN, HOP_SAMPLES
from edge_tts.models.cosyvoice_sound import BLOCK_TOKENS, SAMPLE_RATE
from edge_tts.speech import Audio, Prosody
from tests.tiny_voices import make_tools, sentence, tiny_cosyvoice_spec

# Some 100 tokens, four seconds: blocks of 25, 50 and the rest.
LONG = sentence("Hello there, how are you?")
END_AFTER = 235
MARGIN_FRAMES = 24


def spec_of(folder: Path, **how: Any) -> VoiceSpec:
    return tiny_cosyvoice_spec(folder, end_after=END_AFTER, keep_stages=True, blocks=True, **how)


def heard(spec: VoiceSpec, tools: ModelTools | None = None, **prosody: Any) -> list[NDArray[np.float32]]:
    model = cosyvoice.load(spec, tools or make_tools())
    asked = replace(LONG, prosody=Prosody(**prosody))
    return [piece.samples for piece in model.synthesize(asked) if len(piece.samples)]


def whole(spec: VoiceSpec, **prosody: Any) -> NDArray[np.float32]:
    (samples,) = heard(spec, make_tools(stream=False), **prosody)
    return samples


@pytest.fixture(scope="module", params=[2, 3])
def local(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VoiceSpec:
    """A flow that looks at each frame alone: then blocks have to equal the whole."""
    folder = tmp_path_factory.mktemp("voice") / "local"
    return spec_of(folder, generation=request.param, is_local=True)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> VoiceSpec:
    return spec_of(tmp_path_factory.mktemp("voice") / "tiny")


def test_what_the_flow_does_not_mix_equals_the_whole(local: VoiceSpec) -> None:
    pieces = heard(local)
    assert len(pieces) > len(BLOCK_TOKENS)
    np.testing.assert_allclose(np.concatenate(pieces), whole(local), atol=1e-5)


def test_too_little_of_the_next_block_would_be_heard(local: VoiceSpec) -> None:
    settings = {"cosyvoice": local.settings["cosyvoice"] | {"margin_frames": 1}}
    narrow = replace(local, settings=settings)
    assert np.abs(np.concatenate(heard(narrow)) - whole(local)).max() > 1e-4


def steps(model: cosyvoice.CosyVoice, told: Told) -> Iterator[tuple[int, int]]:
    """Tokens and samples made so far, after each piece."""
    n_samples = n_paces = 0
    for piece in model.synthesize(LONG):
        n_samples += len(piece.samples)
        n_paces += told.tokens_per_s is not None
        told.tokens_per_s = None
        yield n_paces, n_samples


def test_sound_begins_before_the_last_token_is_chosen(tiny: VoiceSpec) -> None:
    told = Told()
    model = cosyvoice.load(tiny, replace(make_tools(), pace=told.pace))
    seen = list(steps(model, told))
    n_first = next(n_paces for n_paces, n_samples in seen if n_samples)
    # 25 tokens and then 3, of 100.
    assert n_first == 2
    assert seen[-1][0] >= 5
    first = next(n_samples for _, n_samples in seen if n_samples)
    assert first == (BLOCK_TOKENS[0] * FRAMES_PER_TOKEN - MARGIN_FRAMES) * HOP_SAMPLES


def test_another_speed_is_made_whole(tiny: VoiceSpec) -> None:
    np.testing.assert_allclose(np.concatenate(heard(tiny, speed=1.5)), whole(tiny, speed=1.5), atol=1e-5)


@pytest.mark.parametrize("how", [{}, {"generation": 2}, {"generation": 2, "noise": 0.3}])
def test_joints_do_not_click(how: dict[str, Any], tmp_path: Path) -> None:
    samples = np.concatenate(heard(spec_of(tmp_path / "v", **how)))
    for n_tokens in (BLOCK_TOKENS[0], sum(BLOCK_TOKENS[:2])):
        joint = (FRAMES_PER_TOKEN * n_tokens - MARGIN_FRAMES) * HOP_SAMPLES
        assert click_at(samples, joint) < 1.5
        # The measure would hear one.
        broken = samples.copy()
        broken[joint:] += np.abs(samples).max()
        assert click_at(broken, joint) > 1.5


def click_at(samples: NDArray[np.float32], joint: int) -> float:
    """How much louder it is there than around it, above 6 kHz, where clicks are and these voices are quiet."""
    levels, place = high_levels(samples[joint - 8192 : joint + 8192]), 8192 // 64
    around = np.concatenate([levels[: place - 8], levels[place + 8 :]])
    return float(levels[place - 8 : place + 8].max() / np.quantile(around, 0.99))


def high_levels(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Above 6 kHz, every 64 samples."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 256)[::64] * np.hanning(256)
    spectra = np.abs(np.fft.rfft(frames, axis=1))
    return np.asarray(spectra[:, round(6000 / SAMPLE_RATE * 256) :].max(axis=1))


def test_a_sentence_that_was_left_is_no_matter_to_the_next(tiny: VoiceSpec) -> None:
    model = cosyvoice.load(tiny, make_tools())
    left = model.synthesize(LONG)
    next(piece for piece in left if len(piece.samples))
    between = sound_of(model)
    rest = sum(len(piece.samples) for piece in left)
    assert rest > 0
    np.testing.assert_array_equal(between, sound_of(model))


def sound_of(model: cosyvoice.CosyVoice) -> NDArray[np.float32]:
    pieces: list[Audio] = list(model.synthesize(sentence("Yes.")))
    return np.concatenate([piece.samples for piece in pieces])


def test_each_stage_is_timed(tiny: VoiceSpec) -> None:
    metrics = Metrics()
    heard(tiny, make_tools(metrics=metrics))
    counts = {
        sample.labels["stage"]: sample.value
        for metric in metrics.stages.collect()
        for sample in metric.samples
        if sample.name.endswith("_count")
    }
    # The clip was heard by an earlier test, or is now.
    assert counts.keys() - {"enrolment"} == {"tokens", "flow", "hift"}
    # Ten steps and what they start from, in three blocks.
    assert counts["flow"] == 3 * 11
