"""CosyVoice 3: fourteen graphs, as published at ayousanz/cosy-voice3-onnx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.cache import Embedding
from edge_tts.errors import SynthesisError
from edge_tts.models import cosyvoice_features
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
from edge_tts.models.cosyvoice_speech import Prompt
from edge_tts.models.session import Session

Floats = NDArray[np.float32]

START, TASK = 6561, 6563
"""Before the text, and behind it: rows of the speech embedding."""

PAST = "past_key_values"

STAGES: StageInputs = {
    "enrolment": {"campplus": ("input",), "speech_tokenizer": ("feats", "feats_length")},
    "llm": {
        "text_embedding": ("input_ids",),
        "llm_speech_embedding": ("token",),
        "llm_backbone_initial": ("inputs_embeds", "attention_mask"),
        "llm_backbone_decode": ("inputs_embeds", "attention_mask", PAST),
        "llm_decoder": ("hidden_state",),
    },
    "flow": {
        "flow_token_embedding": ("token",),
        "flow_pre_lookahead": ("token_embedded",),
        "flow_speaker_projection": ("embedding",),
        "flow_estimator": ("x", "mask", "mu", "t", "spks", "cond"),
    },
    "hift": {
        "hift_f0_predictor": ("mel",),
        "hift_source_generator": ("f0",),
        "hift_decoder": ("mel", "source_stft"),
    },
}


class Backbone:
    """Two graphs of the same weights: one for all that is given, one for each further token."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._memory: dict[str, Any] = {}
        self._n_seen = 0

    def begin(self, prompt: Prompt) -> Floats:
        graphs = self._opened.stage("llm")
        text = first(graphs["text_embedding"], input_ids=np.array([[*prompt.before, *prompt.text]], np.int64))
        marks = _embedded(graphs, [START, TASK, *prompt.clip])
        return self._seen("llm_backbone_initial", np.concatenate([marks[:, :1], text, marks[:, 1:]], axis=1))

    def follow(self, token: int) -> Floats:
        return self._seen("llm_backbone_decode", _embedded(self._opened.stage("llm"), [token]))

    def _seen(self, role: str, shown: Floats) -> Floats:
        graphs = self._opened.stage("llm")
        graph = graphs[role]
        if len(graph.outputs) != 2:
            raise SynthesisError(f"a backbone of two outputs is expected, found {', '.join(graph.outputs)}")
        self._n_seen += shown.shape[1]
        given = {"inputs_embeds": shown, "attention_mask": np.ones((1, self._n_seen), np.float32)}
        made, self._memory = graph.step(given, self._memory, {graph.outputs[1]: PAST})
        return first(graphs["llm_decoder"], hidden_state=made[graph.outputs[0]][:, -1:]).ravel()


def _embedded(graphs: dict[str, Session], tokens: Sequence[int]) -> Floats:
    return first(graphs["llm_speech_embedding"], token=np.array([tokens], np.int64))


def conditions(opened: Opened, said: NDArray[np.int64], person: Embedding) -> Conditions:
    graphs = opened.stage("flow")
    tokens = np.concatenate([person["tokens"].astype(np.int64), said])[None]
    embedded = first(graphs["flow_token_embedding"], token=tokens)
    mu = first(graphs["flow_pre_lookahead"], token_embedded=embedded).transpose(0, 2, 1)
    n_frames = FRAMES_PER_TOKEN * tokens.shape[1]
    if mu.shape != (1, N_MELS, n_frames):
        raise SynthesisError(f"the flow is given {mu.shape} for {n_frames} frames: another contract")
    cond = np.zeros_like(mu)
    cond[:, :, : person["mel"].shape[1]] = person["mel"]
    return Conditions(mu, first(graphs["flow_speaker_projection"], embedding=person["speaker"][None]), cond)


class Hift:
    """The source of all frames, which goes on from its beginning; the decoder in pieces with a margin."""

    def __init__(self, opened: Opened, margin_frames: int) -> None:
        self._opened = opened
        self._margin = margin_frames
        self._mel = np.zeros((N_MELS, 0), np.float32)
        self._spectrum = np.zeros((1, 18, 0), np.float32)

    def see(self, mel: Floats, n_heard: int) -> None:
        graphs = self._opened.stage("hift")
        f0 = first(graphs["hift_f0_predictor"], mel=mel[None])
        source = first(graphs["hift_source_generator"], f0=f0.reshape(1, 1, -1)).ravel()
        if len(source) != mel.shape[1] * HOP_SAMPLES:
            raise SynthesisError(
                f"the source has {len(source)} samples for {mel.shape[1]} frames: another contract"
            )
        self._mel, self._spectrum = mel, cosyvoice_features.vocoder_spectrum(source)

    def sound(self, start: int, end: int) -> Floats:
        low, high = max(start - self._margin, 0), min(end + self._margin, self._mel.shape[1])
        columns = slice(low * COLUMNS_PER_FRAME, high * COLUMNS_PER_FRAME + 1)
        shown = {"mel": self._mel[None, :, low:high], "source_stft": self._spectrum[:, :, columns]}
        made = self._opened.stage("hift")["hift_decoder"].run(shown)
        wave = cosyvoice_features.decoded(made, (high - low) * COLUMNS_PER_FRAME + 1)
        return wave[(start - low) * HOP_SAMPLES : (end - low) * HOP_SAMPLES].copy()


LAYOUT = Layout(
    stages=STAGES,
    tables=(),
    highest_hz=12000.0,
    assistant="You are a helpful assistant.",
    has_pronunciations=True,
    backbone=Backbone,
    conditions=conditions,
    hift=Hift,
)
