"""Stage clean: recordings of any kind → mono, 22 050 Hz, at one level, without the room and the silence at the ends."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage
import scipy.signal
import soundfile
import soxr

from edge_tts.models.source_filter import HOP
from scripts.train import pictures
from scripts.train.dropped import refuse_most_dropped, write_dropped
from scripts.train.features import SAMPLE_RATE, Floats, read_sound
from scripts.train.recipe import Corpus, RecipeError, Utterance
from scripts.train.stage import Work, for_each, whole, write_json

HIGH_PASS_HZ = 50
TRIM_DB = 38
"""Below the loudest 10 ms: silence, if it is at an end."""

MARGIN_S = (0.05, 0.08)
"""Of silence kept before and after speech."""

JOINED_MARGIN_S = (0.01, 0.02)
"""Kept between joined words."""

RMS = 0.06
PEAK = 0.97
SHORTEST_S, LONGEST_S = 0.25, 20.0

# Spectral gating, after Boll 1979; figures chosen by the judged naturalness of what comes out.
GATE_N_FFT = 1024
NOISE_PERCENTILE = 12
OVER_SUBTRACTION = 1.6
GATE_FLOOR_DB = -22


def clean(work: Work) -> None:
    """Writes one FLAC file per utterance, utterances.json (those that were kept) and dropped.json. Raises RecipeError
    for what cannot be read as sound, and if most of a speaker's recordings are of no use."""
    folder = work.stage("clean")
    utterances = list(work.recipe.utterances())
    ids = [each.id for each in utterances]
    dropped = _too_dull(utterances)
    refuse_most_dropped(work, "clean", ids, dropped)
    task = functools.partial(_clean_one, folder=folder, corpora={c.speaker: c for c in work.recipe.corpora})
    bright = [each for each in utterances if each.id not in dropped]
    for_each(work, "clean", task, bright, lambda each: _target(folder, each))
    dropped |= _too_short_or_long(folder, bright)
    write_dropped(work, "clean", ids, dropped)
    kept = [each for each in bright if each.id not in dropped]
    joined = [each for corpus in work.recipe.corpora for each in _joined(corpus, kept, work.recipe.seed)]
    task = functools.partial(_join_one, folder=folder)
    for_each(work, "join", task, joined, lambda each: _target(folder, each))
    write_json(
        folder / "utterances.json",
        [{**asdict(each), "sounds": [str(path) for path in each.sounds]} for each in [*kept, *joined]],
    )
    examples = [next(u for u in kept if u.speaker == speaker) for speaker in work.recipe.speakers]
    pictures.clean(
        folder / "clean.png",
        [(each.id, _read_mono(each.sounds[0]), read_sound(_target(folder, each))) for each in examples],
    )


def _too_dull(utterances: Sequence[Utterance]) -> dict[str, str]:
    """Of what was recorded at a lower sample rate, the upper bands of the spectrum are empty."""
    rates = {each.id: _info(each.sounds[0]).samplerate for each in utterances}
    return {
        identity: f"low sample rate: {rate} Hz; wanted {SAMPLE_RATE} Hz or more"
        for identity, rate in rates.items()
        if rate < SAMPLE_RATE
    }


def _too_short_or_long(folder: Path, utterances: Sequence[Utterance]) -> dict[str, str]:
    durations_s = {each.id: float(_info(_target(folder, each)).duration) for each in utterances}
    return {
        identity: f"too {'short' if duration_s < SHORTEST_S else 'long'}: {duration_s:.2f} s, its silent ends aside;"
        f" wanted {SHORTEST_S:g} to {LONGEST_S:g} s"
        for identity, duration_s in durations_s.items()
        if not SHORTEST_S <= duration_s <= LONGEST_S
    }


def sound_path(work: Work, utterance: Utterance) -> Path:
    return _target(work.stage("clean"), utterance)


def _target(folder: Path, utterance: Utterance) -> Path:
    return folder / f"{utterance.id}.flac"


def _info(path: Path) -> Any:
    """Raises RecipeError."""
    try:
        return soundfile.info(path)
    except soundfile.LibsndfileError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: soundfile.LibsndfileError) -> RecipeError:
    return RecipeError(f"{path} cannot be read: {error.error_string} Mend it, or take out its line")


def _read_mono(path: Path) -> Floats:
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise _unreadable(path, error) from error
    if len(samples) == 0:
        raise RecipeError(f"{path} is empty. Mend it, or take out its line")
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE, quality="VHQ"), np.float32)


def _clean_one(utterance: Utterance, folder: Path, corpora: dict[str, Corpus]) -> None:
    samples = _read_mono(utterance.sounds[0])
    high_pass = scipy.signal.butter(2, HIGH_PASS_HZ, "highpass", fs=SAMPLE_RATE, output="sos")
    samples = scipy.signal.sosfiltfilt(high_pass, samples) if len(samples) > 100 else samples
    if corpora[utterance.speaker].denoise:
        samples = gated(samples)
    samples = levelled(trimmed(samples, MARGIN_S))
    whole(_target(folder, utterance), lambda part: soundfile.write(part, samples, SAMPLE_RATE, format="FLAC"))


def trimmed(samples: Floats, margin_s: tuple[float, float]) -> Floats:
    """Without what is silent at the ends but for *margin_s* before and after."""
    block = SAMPLE_RATE // 100
    n = len(samples) // block
    if n == 0:
        return samples
    level = np.sqrt((samples[: n * block].reshape(n, block) ** 2).mean(axis=1)) + 1e-9
    loud = np.flatnonzero(20 * np.log10(level / level.max()) > -TRIM_DB)
    start = max(int(loud[0] * block - margin_s[0] * SAMPLE_RATE), 0)
    end = min(int((loud[-1] + 1) * block + margin_s[1] * SAMPLE_RATE), len(samples))
    return samples[start:end]


def levelled(samples: Floats) -> Floats:
    gain = RMS / max(float(np.sqrt((samples**2).mean())), 1e-6)
    return (samples * min(gain, PEAK / max(float(np.abs(samples).max()), 1e-6))).astype(np.float32)


def gated(samples: Floats) -> Floats:
    """Each bin of the spectrum is turned down where it is no louder than the steady noise of the recording."""
    if len(samples) < 4 * GATE_N_FFT:
        return samples
    transform = scipy.signal.ShortTimeFFT(
        scipy.signal.windows.hann(GATE_N_FFT, sym=False), GATE_N_FFT // 4, SAMPLE_RATE
    )
    spectrum = transform.stft(samples)
    power = np.abs(spectrum) ** 2
    noise = np.percentile(power, NOISE_PERCENTILE, axis=1, keepdims=True)
    # The percentile of an exponential distribution → its mean.
    noise /= -np.log(1 - NOISE_PERCENTILE / 100)
    gain = np.sqrt(np.maximum(1 - OVER_SUBTRACTION * noise / np.maximum(power, 1e-20), 0))
    gain = np.maximum(scipy.ndimage.uniform_filter(gain, 3), 10 ** (GATE_FLOOR_DB / 20))
    return np.asarray(transform.istft(spectrum * gain, k1=len(samples)), np.float32)


def _joined(corpus: Corpus, kept: Sequence[Utterance], seed: int) -> list[Utterance]:
    """Random groups of 2 to corpus.join recordings; each recording in one of them."""
    if corpus.join < 2:
        return []
    chance = random.Random(seed)
    words = [each for each in kept if each.speaker == corpus.speaker and not each.is_held_out]
    chance.shuffle(words)
    groups: list[Utterance] = []
    while len(words) > 1:
        n = chance.randint(2, corpus.join)
        group, words = words[:n], words[n:]
        groups.append(
            replace(
                group[0],
                id=f"{corpus.speaker}/joined-{len(groups):05d}",
                texts=tuple(text for each in group for text in each.texts),
                sounds=tuple(Path(each.id) for each in group),
            )
        )
    return groups


def _join_one(utterance: Utterance, folder: Path) -> None:
    """*utterance.sounds* are ids of cleaned recordings."""
    n_fade = SAMPLE_RATE // 100
    fade = np.linspace(0, 1, n_fade, dtype=np.float32)
    said = np.zeros(0, np.float32)
    last = len(utterance.sounds) - 1
    for index, identity in enumerate(utterance.sounds):
        margin = (
            JOINED_MARGIN_S[0] if index else MARGIN_S[0],
            JOINED_MARGIN_S[1] if index < last else MARGIN_S[1],
        )
        word = trimmed(read_sound(folder / f"{identity}.flac"), margin)
        if len(said):
            word = word.copy()
            word[:n_fade] *= fade
            said[-n_fade:] *= fade[::-1]
            said[-n_fade:] += word[:n_fade]
            word = word[n_fade:]
        said = np.concatenate([said, word])
    said = said[: len(said) // HOP * HOP]
    whole(_target(folder, utterance), lambda part: soundfile.write(part, said, SAMPLE_RATE, format="FLAC"))
