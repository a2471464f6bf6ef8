"""The loops of a KAN-TTS voice that its graphs leave to the host: phone by phone the durations, three frames by three
frames the mel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_tts.errors import SynthesisError
from edge_tts.models.sambert_config import Floats, SambertConfig
from edge_tts.models.session import Session
from edge_tts.text.sambert_symbols import Symbol

MAX_PHONE_FRAMES = 400
"""Five seconds: no phone is so long, whatever the speaker; damaged weights make it thousands."""


def natural_frames(duration: Session, condition: Floats, units: int) -> Floats:
    """Frames of each phone [T], not yet whole. Each is told how long the one before it is."""
    previous = np.zeros((1, 1, 1), np.float32)
    h, c = np.zeros((2, 1, units), np.float32), np.zeros((2, 1, units), np.float32)
    found = np.empty(len(condition), np.float32)
    for index, row in enumerate(condition):
        made = duration.run({"x_prev": previous, "cond": row[None, None], "h": h, "c": c})
        previous = made["log_dur"].reshape(1, 1, 1)
        h, c = made["h_next"], made["c_next"]
        found[index] = previous[0, 0, 0]
    frames = np.exp(found) - 1
    if frames.max(initial=0) > MAX_PHONE_FRAMES:
        raise SynthesisError(
            f"the duration graph makes a phone {frames.max():.0f} frames long (at most {MAX_PHONE_FRAMES} are speech): "
            "the file is damaged, install it again"
        )
    return np.asarray(frames, np.float32)


def whole_frames(natural: Floats, symbols: Sequence[Symbol], speed: float) -> NDArray[np.int64]:
    """Frames of each phone [T] at *speed*. Raises SynthesisError if there are none at all."""
    frames: NDArray[np.int64] = np.floor(natural / speed + 0.5).astype(np.int64)
    # Speed swallows no phone; marks may be silent, and forced to be heard they garble what is around them.
    is_said = np.array([not symbol.is_mark for symbol in symbols]) & (natural >= 0.5)
    frames = np.maximum(frames, is_said.astype(np.int64))
    if not frames.sum():
        raise SynthesisError(
            "the duration graph gives no phone any length: the file is damaged, install it again"
        )
    return frames


def memory_of(
    text: Floats, manner: Floats, frames: NDArray[np.int64], timescales: Floats, per_step: int
) -> Floats:
    """What the decoder reads, [steps, units]: *text* [T, units] of the *per_step* frames of each step, each with its
    position inside its phone, then *manner* (speaker and emotion)."""
    n_frames = int(frames.sum())
    n_steps = -(-n_frames // per_step)
    phone = np.repeat(np.arange(len(frames)), frames)
    position = np.zeros((n_steps * per_step, 1), np.float32)
    position[:n_frames, 0] = np.arange(n_frames) - (np.cumsum(frames) - frames)[phone] + 1
    by_frame = position / timescales
    by_frame[:, 0::2] = np.sin(by_frame[:, 0::2])
    by_frame[:, 1::2] = np.cos(by_frame[:, 1::2])
    by_frame[:n_frames] += text[phone]
    by_step = by_frame.reshape(n_steps, -1)
    return np.concatenate([by_step, np.broadcast_to(manner, (n_steps, len(manner)))], axis=1)


def decode(decoder: Session, memory: Floats, band: int, config: SambertConfig) -> Floats:
    """The mel of *memory* before the postnet, [steps · frames_per_step, n_mels].

    A step looks *band* steps back at what was made and *band* ahead in *memory*: the graph is shown no more than that,
    so that a step costs the same however long the sentence is.
    """
    width = 2 * band + 1
    n_steps, n_layers = len(memory), config.decoder_layers
    padded = np.concatenate([memory, np.zeros((width, memory.shape[1]), np.float32)])
    shape = (1, n_layers, config.decoder_heads, width, config.decoder_head_units)
    keys, values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    frame = np.zeros((1, 1, config.n_mels), np.float32)
    bands = {"x_band": np.array([band]), "h_band": np.array([band])}
    made = np.empty((n_steps, config.frames_per_step * config.n_mels), np.float32)
    for step in range(n_steps):
        place = min(step, band)
        first = step - place
        outputs = decoder.run(
            {
                "mel_frame": frame,
                "memory_step": padded[None, step : step + 1],
                "memory": padded[None, first : first + width],
                "x_k": keys,
                "x_v": values,
                "step": np.array([place]),
                "mem_len": np.array([min(n_steps - first, width)]),
                **bands,
            }
        )
        made[step] = outputs["dec_out"].ravel()
        frame = made[step, -config.n_mels :].reshape(1, 1, -1)
        for kept, letter in ((keys, "k"), (values, "v")):
            for layer in range(n_layers):
                kept[0, layer, :, place] = outputs[f"{letter}{layer}"].reshape(shape[2], shape[4])
            if place == band:
                # The oldest falls out of the band.
                kept[..., :-1, :] = kept[..., 1:, :]
    return made.reshape(-1, config.n_mels)
