"""CosyVoice 2: seven graphs and four tables, as published by ailia-models."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.cache import Embedding
from edge_tts.errors import SynthesisError
from edge_tts.models import cosyvoice3, cosyvoice_features
from edge_tts.models.cosyvoice_layout import (
    COLUMNS_PER_FRAME,
    FRAMES_PER_TOKEN,
    HOP_SAMPLES,
    N_MELS,
    Conditions,
    Layout,
    Opened,
    StageInputs,
    first,
)
from edge_tts.models.cosyvoice_speech import N_TOKENS, Prompt

Floats = NDArray[np.float32]

LAYERS = 24
MEMORY = tuple(f"{kind}_cache{layer}" for layer in range(LAYERS) for kind in ("key", "value"))
"""Inputs of the language model; its outputs after the first are in this order."""

NO_MEMORY = np.zeros((1, 2, 0, 64), np.float32)

FADED_FRAMES = 8
"""Where a block follows another, as the published code does."""

STAGES: StageInputs = {
    "enrolment": cosyvoice3.STAGES["enrolment"],
    "llm": {"embed_tokens": ("input",), "llm": ("xs", "masks", *MEMORY)},
    "flow": {
        "flow_encoder": (
            "token",
            "token_len",
            "prompt_token",
            "prompt_token_len",
            "prompt_feat",
            "embedding",
        ),
        "flow_estimator": cosyvoice3.STAGES["flow"]["flow_estimator"],
    },
    "hift": {"hift": ("speech_feat",)},
}
TABLES = ("speech_embedding", "llm_embedding", "llm_decoder_weight", "llm_decoder_bias")


class Backbone:
    """One graph, which begins with an empty memory."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._memory: dict[str, Any] = {}

    def begin(self, prompt: Prompt) -> Floats:
        tables = self._opened.tables
        ids = np.array([[*prompt.before, *prompt.text]], np.int64)
        text = first(self._opened.stage("llm")["embed_tokens"], input=ids)[0]
        start, task = tables["llm_embedding"][:2, None]
        clip = tables["speech_embedding"][np.array(prompt.clip, np.int64)]
        nothing = dict.fromkeys(MEMORY, NO_MEMORY)
        return self._seen(np.concatenate([start, text, task, clip]), nothing)

    def follow(self, token: int) -> Floats:
        return self._seen(self._opened.tables["speech_embedding"][[token]], {})

    def _seen(self, shown: Floats, nothing: dict[str, Floats]) -> Floats:
        llm, tables = self._opened.stage("llm")["llm"], self._opened.tables
        if len(llm.outputs) != 1 + len(MEMORY):
            raise SynthesisError(f"a language model of 49 outputs is expected, found {len(llm.outputs)}")
        masks = np.tril(np.ones((1, len(shown), len(shown)), np.bool_))
        keep = dict(zip(llm.outputs[1:], MEMORY, strict=True))
        made, self._memory = llm.step({"xs": shown[None], "masks": masks, **nothing}, self._memory, keep)
        scores = tables["llm_decoder_weight"] @ made[llm.outputs[0]][0, -1] + tables["llm_decoder_bias"]
        # One token ends the speech; those after it mean nothing.
        scores[N_TOKENS + 1 :] = -np.inf
        return np.asarray(scores, np.float32)


def conditions(opened: Opened, said: NDArray[np.int64], person: Embedding) -> Conditions:
    encoder = opened.stage("flow")["flow_encoder"]
    clip = person["tokens"].astype(np.int64)
    made = encoder.run(
        {
            "token": said[None], "token_len": np.array([len(said)]),
            "prompt_token": clip[None], "prompt_token_len": np.array([len(clip)]),
            "prompt_feat": person["mel"].T[None], "embedding": person["speaker"][None],
        }
    )  # fmt: skip
    n_frames = FRAMES_PER_TOKEN * (len(clip) + len(said))
    values = [made[name] for name in encoder.outputs]
    shapes = [(1, N_MELS, n_frames), (1, 1, n_frames), (1, N_MELS), (1, N_MELS, n_frames)]
    if [value.shape for value in values] != shapes:
        found = ", ".join(str(value.shape) for value in values)
        raise SynthesisError(f"the flow is given {found} for {n_frames} frames: another contract")
    mu, _, speaker, cond = values
    return Conditions(mu, speaker, cond)


class Hift:
    """One graph from mel to spectrum. Its source begins anew each time, so blocks are made with all before them, and
    what follows is faded in."""

    def __init__(self, opened: Opened, margin_frames: int) -> None:
        self._opened = opened
        self._wave = np.zeros(0, np.float32)

    def see(self, mel: Floats, n_heard: int) -> None:
        made = self._opened.stage("hift")["hift"].run({"speech_feat": mel[None]})
        wave = cosyvoice_features.decoded(made, mel.shape[1] * COLUMNS_PER_FRAME + 1)
        if n_heard:
            faded = slice(n_heard * HOP_SAMPLES, (n_heard + FADED_FRAMES) * HOP_SAMPLES)
            before = self._wave[faded]
            rise = np.linspace(0, 1, len(before), dtype=np.float32)
            start = faded.start
            wave[start : start + len(before)] += (1 - rise) * (before - wave[start : start + len(before)])
        self._wave = wave

    def sound(self, start: int, end: int) -> Floats:
        return self._wave[start * HOP_SAMPLES : end * HOP_SAMPLES].copy()


LAYOUT = Layout(
    stages=STAGES,
    tables=TABLES,
    highest_hz=8000.0,
    assistant="",
    has_pronunciations=False,
    backbone=Backbone,
    conditions=conditions,
    hift=Hift,
)
