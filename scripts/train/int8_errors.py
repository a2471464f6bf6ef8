"""How far the 8-bit graphs are from those of float32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.models.source_filter import Filters, SourceFilter
from edge_tts.models.two_stage import NOISE_SEED, VOCODER_OUTPUTS
from scripts.train.export import Arrays, decoder_inputs, encoder_inputs, open_graph, run
from scripts.train.f0 import Range, read_ranges
from scripts.train.features import SAMPLE_RATE, Floats, log_mel
from scripts.train.phonemes import Spoken, read_tokens
from scripts.train.stage import Work

GRAPHS = ("encoder", "decoder", "vocoder")
CENTS_PER_NEPER = 1200 / np.log(2)
DB_PER_NEPER = 20 / np.log(10)


@dataclass(frozen=True)
class Said:
    """What the float32 graphs make of a phrase."""

    spoken: Spoken
    inputs: Arrays
    encoded: Arrays
    led: Arrays
    """The decoder's inputs."""

    decoded: Arrays
    f0_hz: Floats
    """[1, F], 0 where unvoiced."""

    filters: Arrays


def hertz(decoded: Arrays, pitch_range: Range) -> Floats:
    """[1, F], 0 where unvoiced."""
    f0 = np.exp(pitch_range.log_f0_median + pitch_range.log_f0_std * decoded["f0"])
    return np.where(decoded["voicing_logit"] > 0, f0, 0).astype(np.float32)


def measure(
    work: Work, source: Path, folder: Path, spoken: list[Spoken]
) -> tuple[list[tuple[str, Floats]], dict[str, dict[str, float]]]:
    """Spectrograms of the first phrase of each speaker, and speaker → error → figure; the float32 graphs' own durations
    and pitch lead both."""
    exact = {name: open_graph(source / f"{name}.onnx") for name in GRAPHS}
    rounded = {name: open_graph(folder / f"{name}.int8.onnx") for name in GRAPHS}
    tokens, ranges = read_tokens(work), read_ranges(work)
    examples: list[tuple[str, Floats]] = []
    found: dict[str, list[dict[str, float]]] = {speaker: [] for speaker in work.recipe.speakers}
    for each in spoken:
        said = say(
            exact,
            encoder_inputs(tokens, each, work.recipe.speakers[each.speaker]),
            each,
            ranges[each.speaker],
        )
        errors, sounds = compare(rounded, said, ranges[each.speaker])
        if not found[each.speaker]:
            examples += [(f"{each.id}: {bits}", log_mel(sound)) for bits, sound in sounds.items()]
        found[each.speaker].append(errors)
    return examples, {speaker: dict(_summed(errors)) for speaker, errors in found.items()}


def say(graphs: Mapping[str, Any], inputs: Arrays, spoken: Spoken, pitch_range: Range) -> Said:
    encoded = run(graphs["encoder"], inputs)
    led = decoder_inputs(encoded, inputs["speaker"])
    decoded = run(graphs["decoder"], led)
    f0_hz = hertz(decoded, pitch_range)
    filters = run(graphs["vocoder"], {"mel": decoded["mel"], "f0": f0_hz})
    return Said(spoken, inputs, encoded, led, decoded, f0_hz, filters)


def compare(
    graphs: Mapping[str, Any], said: Said, pitch_range: Range
) -> tuple[dict[str, float], dict[str, Floats]]:
    """Errors of *graphs* against *said*, and both sounds."""
    encoded = run(graphs["encoder"], said.inputs)
    decoded = run(graphs["decoder"], said.led)
    filters = run(graphs["vocoder"], {"mel": said.decoded["mel"], "f0": said.f0_hz})
    # The pitch of the float32 graphs: a cent more, and the pulses are elsewhere after a second.
    filters_of_both = run(graphs["vocoder"], {"mel": decoded["mel"], "f0": said.f0_hz})
    exact, copied, rounded = (sound(said.f0_hz, each) for each in (said.filters, filters, filters_of_both))
    semitones = CENTS_PER_NEPER / 100 * pitch_range.log_f0_std
    is_voiced = said.f0_hz > 0
    f0_error = (decoded["f0"] - said.decoded["f0"])[is_voiced]

    def off(name: str, before: Arrays, after: Arrays) -> NDArray[Any]:
        return np.asarray(np.abs(after[name] - before[name]))

    def flips(name: str, before: Arrays, after: Arrays) -> float:
        return float(100 * ((after[name] > 0) != (before[name] > 0)).mean())

    errors = {
        "max_log_duration": float(off("log_duration", said.encoded, encoded).max()),
        "frames_changed_percent": float(100 * (_frames(encoded) != _frames(said.encoded)).mean()),
        "max_pitch_semitones": float(off("pitch", said.encoded, encoded).max() * semitones),
        "voiced_flips_percent": flips("voiced_logit", said.encoded, encoded),
        "mel_db": float(off("mel", said.decoded, decoded).mean() * DB_PER_NEPER),
        "f0_cents": float(np.sqrt(np.mean(f0_error**2)) * semitones * 100) if f0_error.size else 0.0,
        "voicing_flips_percent": flips("voicing_logit", said.decoded, decoded),
        "vocoder_snr_db": snr_db(exact, copied),
        "sound_snr_db": snr_db(exact, rounded),
    }
    return errors, {"float32": exact, "int8": rounded}


def _frames(encoded: Arrays) -> NDArray[Any]:
    return np.asarray(np.maximum(np.rint(np.exp(encoded["log_duration"])), 1))


def sound(f0_hz: Floats, filters: Arrays) -> Floats:
    made = Filters(*(filters[name][0] for name in VOCODER_OUTPUTS))
    return SourceFilter(SAMPLE_RATE, NOISE_SEED).feed(f0_hz[0], made, None)


def snr_db(wanted: Floats, found: Floats) -> float:
    error = float(np.mean((wanted - found) ** 2))
    return float(10 * np.log10(max(float(np.mean(wanted**2)), 1e-12) / max(error, 1e-12)))


def _summed(errors: list[dict[str, float]]) -> Iterator[tuple[str, float]]:
    """The largest of what is a maximum, the mean of the others."""
    for name in errors[0]:
        values = [each[name] for each in errors]
        yield name, max(values) if name.startswith("max_") else sum(values) / len(values)


def shown(errors: Mapping[str, Mapping[str, float]]) -> str:
    """A table for the terminal."""
    names = list(next(iter(errors.values())))
    lines = [f"{'int8 against float32':24}" + "".join(f"{speaker:>14}" for speaker in errors)]
    lines += [f"{name:24}" + "".join(f"{each[name]:14.3f}" for each in errors.values()) for name in names]
    return "\n".join(lines)
