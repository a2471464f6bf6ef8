"""Give the two-stage voice's int8 graphs fixed activation scales: then a sentence in pieces equals it in one.

    python scripts/pin_int8_scales.py PACK_FOLDER VOICE_FOLDER

Dynamic quantization scales the activations by what happens to be in one run: a piece and the whole sentence get other
scales, and the pitch that the decoder predicts differs by enough for the pulses to run apart within a second (-3 dB).
Here the ranges seen over calibration sentences, with some headroom, become constants. Reads decoder.int8.onnx and
vocoder.int8.onnx of PACK_FOLDER, writes them to VOICE_FOLDER, and prints their sha256 for its voice.yaml.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edge_tts.models.two_stage import frame_inputs
from edge_tts.models.two_stage_frontend import Phrase, phrases
from edge_tts.speech import Sentence, Span
from edge_tts.text.phonemes import Phonemizer

HEADROOM = 1.1
"""Beyond the ranges seen; what exceeds it saturates at the last step, which is no worse than a loud mel bin."""

TEXTS = {
    "en": (
        "The front door has been open for more than ten minutes, please close it.",
        "Good morning! It is seven o'clock, and the temperature outside is twenty one degrees.",
        "Warning: the smoke detector in the kitchen has found smoke.",
        "Is anybody there? We should leave now; the pleasure of joy, choice and voyage.",
    ),
    "de": (
        "Die Waschmaschine ist fertig, bitte räumen Sie die Wäsche aus.",
        "Achtung! Im Keller wurde Wasser erkannt: Öffnen Sie das Fenster über der Tür.",
        "Möchten Sie heute früher zum Frühstück kommen? Die Züge fahren gleich.",
    ),
    "zh": ("你好，今天天气很好", "请关上门，洗衣机已经洗完了", "现在是早上七点三十分，外面有雨"),
}
SPEAKERS = {"en": "kathleen", "de": "kerstin", "zh": "yuetan"}
SPEEDS = (0.6, 1.0, 1.8)
SEMITONES = (-6.0, 0.0, 6.0)
ENERGIES = (-0.5, 0.0, 0.5)

Arrays = Mapping[str, NDArray[Any]]


@dataclass
class Range:
    low: float = 0.0
    high: float = 0.0


class Calibration:
    """A dynamic int8 graph, run while the range of every quantized activation is noted."""

    def __init__(self, path: Path) -> None:
        self.model = onnx.load(path)
        self.dynamic = [node for node in self.model.graph.node if node.op_type == "DynamicQuantizeLinear"]
        self.ranges = {node.input[0]: Range() for node in self.dynamic}
        watched = onnx.ModelProto()
        watched.CopyFrom(self.model)
        known = {output.name for output in watched.graph.output}
        for name in self.ranges:
            if name not in known:
                watched.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
        self._session = onnxruntime.InferenceSession(
            watched.SerializeToString(), providers=["CPUExecutionProvider"]
        )

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        names = [output.name for output in self._session.get_outputs()]
        values = dict(zip(names, self._session.run(names, dict(inputs)), strict=True))
        for name, seen in self.ranges.items():
            seen.low = min(seen.low, float(values[name].min()))
            seen.high = max(seen.high, float(values[name].max()))
        return values

    def pinned(self) -> onnx.ModelProto:
        """The graph with a constant scale and zero point for each activation."""
        graph = self.model.graph
        for node in self.dynamic:
            seen = self.ranges[node.input[0]]
            scale = max((seen.high - seen.low) * HEADROOM / 255, 1e-8)
            zero = int(np.clip(round(-seen.low * HEADROOM / scale), 0, 255))
            quantized, scale_name, zero_name = node.output
            graph.initializer.append(numpy_helper.from_array(np.array(scale, np.float32), scale_name))
            graph.initializer.append(numpy_helper.from_array(np.array(zero, np.uint8), zero_name))
            position = list(graph.node).index(node)
            graph.node.remove(node)
            static = helper.make_node("QuantizeLinear", [node.input[0], scale_name, zero_name], [quantized])
            graph.node.insert(position, static)
        return self.model


def spoken(front: Mapping[str, Any]) -> Iterator[tuple[str, Phrase]]:
    phonemizer = Phonemizer()
    for language, texts in TEXTS.items():
        for text in texts:
            sentence = Sentence((Span(text, language),), language)
            for phrase in phrases(sentence, front["tokens"], phonemizer)[0]:
                yield SPEAKERS[language], phrase


@dataclass(frozen=True)
class Delivery:
    """How a calibration sentence is said."""

    speed: float
    semitones: float
    energy: float


def decoder_inputs(
    encoded: Arrays, speaker: NDArray[np.int64], log_f0_std: float, delivery: Delivery
) -> dict[str, NDArray[Any]]:
    frames = np.maximum(np.rint(np.exp(encoded["log_duration"][0]) / delivery.speed), 1).astype(np.int64)
    frame_token, frame_position = frame_inputs(frames)
    return {
        "hidden": encoded["hidden"],
        "pitch": (encoded["pitch"] + delivery.semitones * np.log(2) / 12 / log_f0_std).astype(np.float32),
        "voiced": (encoded["voiced_logit"] > 0).astype(np.float32),
        "energy": (encoded["energy"] + delivery.energy).astype(np.float32),
        "speaker": speaker,
        "frame_token": frame_token[None],
        "frame_position": frame_position[None],
    }


def main(pack: Path, voice: Path) -> None:
    front = json.loads((pack / "frontend.json").read_text(encoding="utf-8"))
    encoder = onnxruntime.InferenceSession(pack / "encoder.int8.onnx", providers=["CPUExecutionProvider"])
    decoder, vocoder = (Calibration(pack / f"{name}.int8.onnx") for name in ("decoder", "vocoder"))
    for name, phrase in spoken(front):
        speaker = np.array([front["speakers"][name]], np.int64)
        tokens = np.array([[front["tokens"][symbol] for symbol in phrase.symbols]], np.int64)
        outputs = encoder.run(
            None, {"tokens": tokens, "accents": np.array([phrase.accents]), "speaker": speaker}
        )
        encoded = dict(zip((node.name for node in encoder.get_outputs()), outputs, strict=True))
        stats = front["stats"][name]
        for each in zip(SPEEDS * 3, sorted(SEMITONES * 3), ENERGIES * 3, strict=True):
            decoded = decoder.run(decoder_inputs(encoded, speaker, stats["log_f0_std"], Delivery(*each)))
            hertz = np.exp(stats["log_f0_median"] + stats["log_f0_std"] * decoded["f0"])
            f0 = np.where(decoded["voicing_logit"] > 0, hertz, 0).astype(np.float32)
            vocoder.run({"mel": decoded["mel"], "f0": f0})
    for file, calibration in (("decoder.int8.onnx", decoder), ("vocoder.int8.onnx", vocoder)):
        onnx.save(calibration.pinned(), voice / file)
        print(f"  {file}: {hashlib.sha256((voice / file).read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
