"""Text tokens → the speech tokens of CosyVoice 3, one after the other; a token is 40 ms."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_tts.errors import SynthesisError
from edge_tts.models.session import Session

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
N_TOKENS = 6561
"""What is not below it ends the speech."""

START, TASK = 6561, 6563
"""Before the text, and behind it."""

TOP_P, TOP_K, WINDOW = 0.8, 25, 10
"""What was said among the last WINDOW tokens is not said again at once."""

SILENT = frozenset({1, 2, 28, 29, 55, 248, 494, 2241, 2242, 2322, 2323})
MOST_SILENT = 5
"""In a row: more is cut."""

LEAST_PER_TEXT_TOKEN, MOST_PER_TEXT_TOKEN = 2, 20
PAST = "past_key_values"


@dataclass(frozen=True)
class Prompt:
    before: tuple[int, ...]
    """Text tokens that are not said: who speaks and how, and what the clip says."""

    text: tuple[int, ...]
    clip: tuple[int, ...]
    """Speech tokens that the speech goes on from."""


def spoken(
    graphs: dict[str, Session], prompt: Prompt, random: np.random.Generator, warn: Callable[[str], None]
) -> list[int]:
    """The speech tokens of *prompt*.text."""
    least, most = (n * len(prompt.text) for n in (LEAST_PER_TEXT_TOKEN, MOST_PER_TEXT_TOKEN))
    started_s = time.perf_counter()
    text = _one(graphs["text_embedding"], input_ids=np.array([[*prompt.before, *prompt.text]], np.int64))
    marks = _embedded(graphs, [START, TASK, *prompt.clip])
    given = np.concatenate([marks[:, :1], text, marks[:, 1:]], axis=1)
    n_seen = given.shape[1]
    first, later = graphs["llm_backbone_initial"], graphs["llm_backbone_decode"]
    shown = {"inputs_embeds": given, "attention_mask": np.ones((1, n_seen), np.float32)}
    made, memory = first.step(shown, {}, {_past(first): PAST})
    said: list[int] = []
    while len(said) < most:
        hidden = next(iter(made.values()))[:, -1:]
        logits = _one(graphs["llm_decoder"], hidden_state=hidden).ravel()
        token = choose(logits, said, random, may_end=len(said) >= least)
        if token >= N_TOKENS:
            break
        said.append(token)
        n_seen += 1
        shown = {
            "inputs_embeds": _embedded(graphs, [token]),
            "attention_mask": np.ones((1, n_seen), np.float32),
        }
        made, memory = later.step(shown, memory, {_past(later): PAST})
    else:
        warn("endless_sentence: the voice did not find its end, and was cut")
    log.info("speech tokens=%d per_s=%.1f", len(said), len(said) / (time.perf_counter() - started_s))
    return said


def _past(graph: Session) -> str:
    if len(graph.outputs) != 2:
        raise SynthesisError(f"a backbone of two outputs is expected, found {', '.join(graph.outputs)}")
    return graph.outputs[1]


def _embedded(graphs: dict[str, Session], tokens: Sequence[int]) -> Floats:
    return _one(graphs["llm_speech_embedding"], token=np.array([tokens], np.int64))


def _one(graph: Session, **inputs: NDArray[np.generic]) -> Floats:
    return np.asarray(graph.run(inputs)[graph.outputs[0]], np.float32)


def choose(logits: Floats, said: Sequence[int], random: np.random.Generator, *, may_end: bool) -> int:
    """Among the likeliest; of all others, if that was said just now."""
    scores = logits.astype(np.float64)
    if not may_end:
        scores[N_TOKENS:] = -np.inf
    likely = _softmax(scores)
    order = np.argsort(-likely, kind="stable")[:TOP_K]
    # The likeliest always stays.
    is_near = np.concatenate([[True], np.cumsum(likely[order])[:-1] < TOP_P])
    near = order[is_near]
    token = int(random.choice(near, p=likely[near] / likely[near].sum()))
    if token in said[-WINDOW:]:
        scores[token] = -np.inf
        token = int(random.choice(len(scores), p=_softmax(scores)))
    return token


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def without_long_silence(tokens: Sequence[int]) -> list[int]:
    kept: list[int] = []
    n_silent = 0
    for token in tokens:
        n_silent = n_silent + 1 if token in SILENT else 0
        if n_silent <= MOST_SILENT:
            kept.append(token)
    return kept
