"""Judges of sound that know nothing of how it was made: DNSMOS, and a speech recogniser.

DNSMOS (Reddy et al., ICASSP 2021 and 2022) has learned from people what opinion they give: of the speech, of the
background and of both (P.835: SIG, BAK, OVRL), and of the quality as such (P.808). It serves to compare voices with
each other and with natural recordings in the same run; its figures mean nothing alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soxr

from edge_tts.audio import to_pcm16
from edge_tts.models.session import open_session
from scripts.train.features import SAMPLE_RATE, Floats, magnitudes, mel_filters

JUDGED_RATE = 16000
LEVEL_DB = -26.0
"""dBFS of speech, of every sound that is judged, so that its level is not."""

ACTIVE_DB = 35.0
"""Below the loudest 20 ms: no speech."""

WINDOW = 144160
HOP_S = 1
"""Between windows of 9.01 s."""

P808_N_FFT, P808_HOP, P808_MELS = 321, 160, 120
POLYNOMIALS = {
    "SIG": (-0.08397278, 1.22083953, 0.0052439),
    "BAK": (-0.13166888, 1.60915514, -0.39604546),
    "OVRL": (-0.06766283, 1.11546468, 0.04602535),
}
"""From raw outputs to mean opinions, as published."""

OPINIONS = (*POLYNOMIALS, "P808")
GRAPHS = ("sig_bak_ovr.onnx", "model_v8.onnx")
"""Of P.835 and P.808; from the folder DNSMOS of github.com/microsoft/DNS-Challenge."""


def at_level(samples: Floats) -> Floats:
    """*samples* (at SAMPLE_RATE) with their speech at LEVEL_DB."""
    block = SAMPLE_RATE // 50
    n = max(len(samples) // block, 1)
    power = np.array([float(np.mean(part**2)) for part in np.array_split(samples, n)])
    active = power[power > power.max() * 10 ** (-ACTIVE_DB / 10)]
    if not len(active):
        return samples
    gain = np.float32(np.sqrt(10 ** (LEVEL_DB / 10) / active.mean()))
    return samples * gain


def for_judges(samples: Floats) -> Floats:
    """*samples* (at SAMPLE_RATE) at the level and the sample rate that judges hear."""
    return np.asarray(soxr.resample(at_level(samples), SAMPLE_RATE, JUDGED_RATE, quality="VHQ"), np.float32)


class Dnsmos:
    """Mean opinions, 1 to 5."""

    def __init__(self, folder: Path) -> None:
        """*folder* holds GRAPHS. Raises VoiceLoadError."""
        self._p835, self._p808 = (open_session(folder / name, None, threads=1) for name in GRAPHS)

    def judge(self, heard: Floats) -> dict[str, float]:
        """*heard* at JUDGED_RATE; opinions averaged over its windows."""
        each = [self._window(window) for window in windows(heard)]
        return {name: float(np.mean([opinions[name] for opinions in each])) for name in OPINIONS}

    def _window(self, window: Floats) -> dict[str, float]:
        (raw,) = self._p835.run({"input_1": window[None]}).values()
        (p808,) = self._p808.run({"input_1": p808_features(window)[None]}).values()
        opinions = {
            name: float(np.polyval(polynomial, float(value)))
            for (name, polynomial), value in zip(POLYNOMIALS.items(), raw[0], strict=True)
        }
        return opinions | {"P808": float(p808[0, 0])}


def windows(heard: Floats) -> list[Floats]:
    """Of WINDOW samples, HOP_S apart; a shorter sound is repeated to fill one."""
    if len(heard) < WINDOW:
        return [np.resize(heard, WINDOW)]
    return [heard[start : start + WINDOW] for start in range(0, len(heard) - WINDOW + 1, HOP_S * JUDGED_RATE)]


def p808_features(window: Floats) -> Floats:
    """[900, 120]: mel power in dB below the loudest, (x + 40) / 40."""
    power = magnitudes(window[:-P808_HOP], P808_N_FFT, P808_HOP) ** 2
    mel = power @ mel_filters(JUDGED_RATE, P808_N_FFT, P808_MELS).T
    decibel = 10 * np.log10(np.maximum(mel, 1e-10))
    return np.asarray((np.maximum(decibel - decibel.max(), -80) + 40) / 40, np.float32)


class Listener:
    """pocketsphinx with its default model of American English."""

    def __init__(self) -> None:
        import pocketsphinx

        self._decoder = pocketsphinx.Decoder(samprate=JUDGED_RATE, loglevel="FATAL")

    def hear(self, heard: Floats) -> list[str]:
        """The words in *heard*, which is at JUDGED_RATE."""
        padding = np.zeros(JUDGED_RATE // 4, np.float32)
        # Otherwise what it heard before (its estimate of the cepstral mean) would change what it hears now.
        self._decoder.reinit()
        self._decoder.start_utt()
        self._decoder.process_raw(to_pcm16(np.concatenate([padding, heard, padding])), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return words(hypothesis.hypstr) if hypothesis else []


def words(text: str) -> list[str]:
    """Lower case, without punctuation but for the apostrophe inside a word."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return [word for word in (each.strip("'") for each in re.findall(r"[^\W_]+(?:'[^\W_]+)*", plain)) if word]


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Substitutions, deletions and insertions (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]
