"""Stage int8: the graphs in 8 bits, a third of the size and faster; and the voice folder made of them.

Weights of matrix products become int8 with a scale for each output channel. Their inputs are quantized

* in the encoder by what happens to be in a run: it always sees whole phrases, and this is the most exact;
* in decoder and vocoder by constants, from the extremes over calibration phrases: a piece of a sentence must equal the
  same part of the whole, and with scales of its own its pitch differs by enough for the pulses to run apart within a
  second (-3 dB).

What was tried on the first bundled voice, over held-out phrases: ranges of least squared error instead of extremes are
better for those who speak most of the frames and worse for the others (f0 of the Mandarin speaker 5.1 cents off instead
of 3.7, of the English one 1.6 instead of 2.4); the first and last layers, which are small, make more error in 8 bits
than all others together; the vocoder's last layer in float32 would cost 1 MB and no judge hears it.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from edge_tts.models.source_filter import Filters, SourceFilter
from edge_tts.models.two_stage import NOISE_SEED, VOCODER_OUTPUTS
from scripts.train import pictures
from scripts.train.export import Arrays, decoder_inputs, encoder_inputs, open_graph, run
from scripts.train.f0 import Range, read_ranges
from scripts.train.features import SAMPLE_RATE, Floats, log_mel
from scripts.train.phonemes import Spoken, read_spoken, read_tokens
from scripts.train.stage import Work, whole, write_json
from scripts.train.voice_folder import write_voice

GRAPHS = ("encoder", "decoder", "vocoder")
FLOAT_LAYERS = {
    "encoder": ("sin", "dur/o", "pit/o", "ene/o"),
    "decoder": ("pe", "ee", "up", "pos", "sdec", "out"),
    "vocoder": ("i",),
}
"""Stay in float32: where what is heard enters and leaves."""

PINNED = ("decoder", "vocoder")
HEADROOM = 1.1
"""Beyond the extremes seen; what exceeds it saturates at the last step, which is no worse than a loud mel bin."""

N_CALIBRATION, N_MEASURED = 12, 8
"""Phrases of each speaker."""

LEAST_SNR_DB = 10.0
"""Of the sound against that of the float32 graphs; 25 to 35 is usual, noise of another seed is 0."""

CENTS_PER_NEPER = 1200 / np.log(2)
DB_PER_NEPER = 20 / np.log(10)


class Int8Error(RuntimeError):
    """The 8-bit graphs do not say what those of float32 say."""


@dataclass(frozen=True)
class Delivery:
    """How a calibration phrase is said."""

    speed: float = 1.0
    semitones: float = 0.0
    energy: float = 0.0


DELIVERIES = (Delivery(), Delivery(0.6, -6.0, -0.5), Delivery(1.8, 6.0, 0.5))


@dataclass
class Extremes:
    """Of each channel of a layer's input, over all that was seen."""

    low: Floats
    high: Floats

    def see(self, values: NDArray[Any]) -> None:
        rows = values.reshape(-1, values.shape[-1])
        self.low = np.minimum(self.low, rows.min(axis=0))
        self.high = np.maximum(self.high, rows.max(axis=0))

    def over(self, scale: Floats) -> Extremes:
        return Extremes(self.low / scale, self.high / scale)

    def quantization(self) -> tuple[np.float32, np.uint8]:
        """Scale and zero point of u8."""
        low, high = min(float(self.low.min()), 0.0) * HEADROOM, max(float(self.high.max()), 0.0) * HEADROOM
        scale = max((high - low) / 255, 1e-8)
        return np.float32(scale), np.uint8(np.clip(round(-low / scale), 0, 255))


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


def int8(work: Work) -> None:
    """Writes the three graphs, errors.json, and the folder voice/ beside the stages."""
    folder, source = work.stage("int8"), work.stage("export")
    calibration, measured = phrases(work)
    extremes = calibrate(work, source, calibration)
    for name in GRAPHS:
        model = quantized(source / f"{name}.onnx", extremes[name] if name in PINNED else None)
        whole(folder / f"{name}.int8.onnx", functools.partial(onnx.save, model))
    examples, errors = measure(work, source, folder, measured)
    sizes = {path.name: path.stat().st_size for path in (folder / f"{name}.int8.onnx" for name in GRAPHS)}
    write_json(folder / "errors.json", {"speakers": errors, "size_bytes": sizes})
    pictures.spectrograms(folder / "int8.png", examples)
    print(shown(errors))
    for speaker, each in errors.items():
        if not each["sound_snr_db"] > LEAST_SNR_DB:
            raise Int8Error(
                f"in 8 bits {speaker} sounds {each['sound_snr_db']:.1f} dB of signal to error away from float32;"
                f" {LEAST_SNR_DB:.0f} is the least. Layers in scripts/train/int8.py FLOAT_LAYERS stay exact"
            )
    write_voice(work, work.folder / "voice", [folder / f"{name}.int8.onnx" for name in GRAPHS])


def phrases(work: Work) -> tuple[list[Spoken], list[Spoken]]:
    """Of each speaker some that were learned from, to calibrate with, and some that were not, to measure with."""
    spoken = read_spoken(work)
    chosen: tuple[list[Spoken], list[Spoken]] = [], []
    for speaker in work.recipe.speakers:
        own = [each for each in spoken if each.speaker == speaker]
        for is_held_out, n, into in ((False, N_CALIBRATION, chosen[0]), (True, N_MEASURED, chosen[1])):
            # Too few recordings to hold any out: then with what there is.
            able = [each for each in own if each.is_held_out == is_held_out] or own
            into += [able[index * len(able) // n] for index in range(min(n, len(able)))]
    return chosen


def calibrate(work: Work, source: Path, spoken: list[Spoken]) -> dict[str, dict[str, Extremes]]:
    """Graph → input of a matrix product → its extremes."""
    watched = {name: Watched(source / f"{name}.onnx") for name in GRAPHS}
    tokens, ranges = read_tokens(work), read_ranges(work)
    for each in spoken:
        inputs = encoder_inputs(tokens, each, work.recipe.speakers[each.speaker])
        encoded = watched["encoder"].run(inputs)
        for delivery in DELIVERIES:
            led = delivered(encoded, inputs["speaker"], ranges[each.speaker], delivery)
            decoded = watched["decoder"].run(led)
            watched["vocoder"].run({"mel": decoded["mel"], "f0": hertz(decoded, ranges[each.speaker])})
    return {name: each.extremes for name, each in watched.items()}


def delivered(
    encoded: Arrays, speaker: NDArray[np.int64], pitch_range: Range, delivery: Delivery
) -> dict[str, NDArray[Any]]:
    """The decoder's inputs."""
    led = decoder_inputs(encoded, speaker, delivery.speed)
    raised = delivery.semitones * np.log(2) / 12 / pitch_range.log_f0_std
    return led | {
        "pitch": (led["pitch"] + raised).astype(np.float32),
        "energy": (led["energy"] + delivery.energy).astype(np.float32),
    }


def hertz(decoded: Arrays, pitch_range: Range) -> Floats:
    """[1, F], 0 where unvoiced."""
    f0 = np.exp(pitch_range.log_f0_median + pitch_range.log_f0_std * decoded["f0"])
    return np.where(decoded["voicing_logit"] > 0, f0, 0).astype(np.float32)


def products(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The matrix products with constant weights."""
    constants = {each.name for each in model.graph.initializer if len(each.dims) == 2}
    return [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in constants]


class Watched:
    """A graph that is run while the extremes of what enters its matrix products are noted."""

    def __init__(self, path: Path) -> None:
        model = onnx.load(path)
        names = {node.input[0] for node in products(model)}
        self.extremes: dict[str, Extremes] = {}
        known = {value.name for value in (*model.graph.output, *model.graph.input)}
        for name in sorted(names - known):
            model.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
        self._names = names
        self._session = open_graph(model.SerializeToString())

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        outputs = run(self._session, inputs)
        for name in self._names:
            values = outputs[name] if name in outputs else inputs[name]
            if name not in self.extremes:
                zeros = np.zeros(values.shape[-1], np.float32)
                self.extremes[name] = Extremes(zeros, zeros)
            self.extremes[name].see(values)
        return outputs


def quantized(path: Path, extremes: Mapping[str, Extremes] | None) -> onnx.ModelProto:
    """The graph in *path* with int8 matrix products; scales of their inputs as in the run without *extremes*."""
    kept = tuple(f"/{layer}/MatMul" for layer in FLOAT_LAYERS[path.stem])
    model = onnx.load(path)
    names = [node.name for node in products(model) if not node.name.endswith(kept)]
    if extremes is not None:
        extremes = balanced(model, names, extremes)
    with tempfile.TemporaryDirectory() as folder:
        whole_bits, few_bits = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        # It would ask for constants to be folded, which they are.
        helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
        onnx.save(model, whole_bits)
        quantize_dynamic(
            whole_bits, few_bits, op_types_to_quantize=["MatMul"], nodes_to_quantize=names,
            per_channel=True, weight_type=QuantType.QInt8,
        )  # fmt: skip
        model = onnx.load(few_bits)
    del model.metadata_props[:]
    if extremes is not None:
        pin(model, extremes)
    onnx.checker.check_model(model, full_check=True)
    return model


def balanced(
    model: onnx.ModelProto, names: list[str], extremes: Mapping[str, Extremes]
) -> dict[str, Extremes]:
    """Loud channels of what enters the products *names* made softer, their weights larger in proportion: one scale for
    all channels then loses less (Xiao et al. 2023, SmoothQuant). Changes *model* where a normalization comes before:
    its own weights take the factors up for nothing. Returns the extremes as they are then."""
    weights = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    makers = {output: node for node in model.graph.node for output in node.output}
    readers = [name for node in model.graph.node for name in node.input]
    found = dict(extremes)

    def rescale(node: onnx.NodeProto, index: int, factor: Floats) -> None:
        # Under a name of its own: layers of equal weights (all ones, before they have learned) share them.
        name = f"{node.input[index]} of {node.name}"
        scaled = (weights[node.input[index]] * factor).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(scaled, name))
        node.input[index] = name

    for node in products(model):
        entering = node.input[0]
        maker = makers.get(entering)
        if node.name not in names or maker is None or maker.op_type != "LayerNormalization":
            continue
        if readers.count(entering) > 1:
            continue
        loudest = np.maximum(np.maximum(-extremes[entering].low, extremes[entering].high), 1e-6)
        largest = np.maximum(np.abs(weights[node.input[1]]).max(axis=1), 1e-6)
        factor = np.sqrt(loudest / largest).astype(np.float32)
        rescale(maker, 1, 1 / factor)
        rescale(maker, 2, 1 / factor)
        rescale(node, 1, factor[:, None])
        found[entering] = extremes[entering].over(factor)
    used = {name for node in model.graph.node for name in node.input}
    kept = [each for each in model.graph.initializer if each.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return found


def pin(model: onnx.ModelProto, extremes: Mapping[str, Extremes]) -> None:
    """Constants in place of every scale that is found in the run."""
    graph = model.graph
    for node in [node for node in graph.node if node.op_type == "DynamicQuantizeLinear"]:
        scale, zero = extremes[node.input[0]].quantization()
        quantized_name, scale_name, zero_name = node.output
        graph.initializer.append(numpy_helper.from_array(np.asarray(scale), scale_name))
        graph.initializer.append(numpy_helper.from_array(np.asarray(zero), zero_name))
        position = list(graph.node).index(node)
        graph.node.remove(node)
        static = helper.make_node(
            "QuantizeLinear", [node.input[0], scale_name, zero_name], [quantized_name], name=node.name
        )
        graph.node.insert(position, static)


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
