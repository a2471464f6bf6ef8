"""Which token a GPT-SoVITS voice says next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_tts.models.gpt_sovits_sampling import Sampling, choose, probabilities


def test_the_choice_among_the_likely() -> None:
    logits = np.array([3.0, 2.0, 1.0, 0.0, -1.0], np.float32)
    free = Sampling(top_k=5, repetition_penalty=1.0)
    np.testing.assert_allclose(
        probabilities(logits, [], free), np.exp(logits) / np.exp(logits).sum(), rtol=1e-6
    )
    assert np.flatnonzero(probabilities(logits, [], replace(free, top_k=2))).tolist() == [0, 1]
    # 0.64, 0.23, 0.09 …: two are needed for 0.8.
    assert np.flatnonzero(probabilities(logits, [], replace(free, top_p=0.8))).tolist() == [0, 1]
    assert np.flatnonzero(probabilities(logits, [], replace(free, top_p=0.01))).tolist() == [0]
    penalised = probabilities(logits, [0, 0, 4], replace(free, repetition_penalty=2.0))
    plain = np.exp([1.5, 2.0, 1.0, 0.0, -2.0])
    np.testing.assert_allclose(penalised, plain / plain.sum(), rtol=1e-6)
    assert probabilities(logits, [], replace(free, temperature=0.1))[0] > 0.99


def test_what_is_chosen_is_as_likely_as_it_should_be() -> None:
    logits, sampling = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32)), Sampling(top_k=3)
    random = np.random.default_rng(3)
    chosen = [choose(logits, [], sampling, random) for _ in range(2000)]
    shares = np.bincount(chosen, minlength=4) / 2000
    np.testing.assert_allclose(shares, np.array([0.5, 0.3, 0.15, 0]) / 0.95, atol=0.04)


@pytest.mark.parametrize(
    "wrong", [{"temperature": 0.0}, {"top_p": 1.5}, {"top_k": True}, {"top_k": 2.5}, {"seed": -1}]
)
def test_a_setting_out_of_its_range_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"gpt_sovits.{next(iter(wrong))}: expected"):
        Sampling(**wrong)  # type: ignore[arg-type]
