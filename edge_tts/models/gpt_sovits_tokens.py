"""The tokens of a text, one after the other, as GPT-SoVITS' decoder says them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_tts.models.gpt_sovits_files import Graphs
from edge_tts.models.gpt_sovits_sampling import Sampling, choose

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Warn = Callable[[str], None]

ENDLESS = "endless_sentence: the voice did not find its end, and was cut"

END = 1024
"""The token after the last; what is above is none either."""

MAX_TOKENS = 500
"""20 s."""

MIN_TOKENS = 10
"""0.4 s: one that ends at once would be given the sound of the clip instead."""

ATTEMPTS = 3
"""Of graphs that choose tokens themselves: those that choose to end at once are asked again."""


@dataclass(frozen=True)
class Prompt:
    said_ids: Ids
    """[1, n]: what the clip says."""

    text_ids: Ids
    said_bert: Floats
    """[n, units]."""

    text_bert: Floats
    ssl_content: Floats
    """[1, units, T]: how it is said."""


def most_tokens(n_symbols: int) -> int:
    """More than any speech of so many symbols takes; what goes on after it has lost its way."""
    return min(40 + 10 * n_symbols, MAX_TOKENS)


def chosen(graphs: Graphs, prompt: Prompt, sampling: Sampling, most: int, warn: Warn) -> Iterator[int]:
    """Of a decoder that says how likely each token is; each as soon as it is chosen."""
    random = np.random.default_rng(sampling.seed)
    prompts = graphs.encoder.run({"ssl_content": prompt.ssl_content})["prompts"]
    bert = np.concatenate([prompt.said_bert, prompt.text_bert]).T[None]
    ids = np.concatenate([prompt.said_ids, prompt.text_ids], axis=1)
    made, memory = graphs.first.step({"x": ids, "prompts": prompts, "bert": bert}, {}, graphs.first_keeps)
    before = [int(token) for token in prompts.ravel() if token < END]
    said: list[int] = []
    while len(said) < most:
        logits = np.array(made["logits"].ravel(), np.float32)
        if len(said) < MIN_TOKENS:
            logits[END:] = -np.inf
        token = choose(logits, [*before, *said], sampling, random)
        if token >= END or int(logits.argmax()) >= END:
            return
        said.append(token)
        yield token
        given = {
            "iy": np.array([[token]]),
            "y_len": np.array([prompts.shape[1]]),
            "idx": np.array([len(said) - 1]),
        }
        made, memory = graphs.stage.step(given, memory, graphs.stage_keeps)
    warn(ENDLESS)


def given(graphs: Graphs, prompt: Prompt, most: int, warn: Warn) -> Iterator[int]:
    """Of a decoder that chooses itself (Genie-TTS)."""
    encoded = graphs.encoder.run(
        {
            "ref_seq": prompt.said_ids, "text_seq": prompt.text_ids, "ref_bert": prompt.said_bert,
            "text_bert": prompt.text_bert, "ssl_content": prompt.ssl_content,
        }
    )  # fmt: skip
    for _ in range(ATTEMPTS):
        is_silent = True
        for token in _one_by_one(graphs, encoded["x"], encoded["prompts"], most, warn):
            is_silent = False
            yield token
        if not is_silent:
            return
    warn("unsaid: the voice ended before it began; a part of the text is not said")


def _one_by_one(graphs: Graphs, x: Floats, prompts: Ids, most: int, warn: Warn) -> Iterator[int]:
    made, memory = graphs.first.step({"x": x, "prompts": prompts}, {}, graphs.first_keeps)
    n_said, has_ended = 0, False
    while not has_ended and made["y"].shape[1] - prompts.shape[1] < most:
        made, memory = graphs.stage.step({"iy": made["y"]}, memory, graphs.stage_keeps)
        has_ended = bool(np.any(made["stop_condition_tensor"]))
        # Counted from the front: at an end at once, "the last none" would be the whole clip. The newest may be the end.
        for token in made["y"][0, prompts.shape[1] + n_said : -1]:
            if token >= END:
                return
            n_said += 1
            yield int(token)
    newest = int(made["y"][0, -1])
    if not has_ended and newest < END:
        yield newest
        warn(ENDLESS)
