"""Stage export: the learned networks → the three float32 graphs that a two-stage voice runs, and its frontend.json."""

from __future__ import annotations

import functools
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge_tts.models.two_stage import (
    DECODER_INPUTS,
    DECODER_OUTPUTS,
    ENCODER_INPUTS,
    ENCODER_OUTPUTS,
    VOCODER_INPUTS,
    VOCODER_OUTPUTS,
    frame_inputs,
)
from scripts.train import pictures
from scripts.train.f0 import read_ranges
from scripts.train.features import Floats
from scripts.train.licences import licence_of
from scripts.train.networks import CHANNELS, N_ACCENTS, N_BINS, N_MELS, Acoustic, Prosody, Vocoder
from scripts.train.phonemes import Spoken, n_tokens, read_spoken, read_tokens
from scripts.train.recipe import LICENCE_FILE
from scripts.train.stage import Work, whole, write_json
from scripts.train.voice_folder import learned_from

OPSET = 17
TOLERANCE = 1e-4
"""Between PyTorch and a graph, relative to the largest value (or 1): float32 sums in another order."""

Arrays = Mapping[str, NDArray[Any]]

SHAPES: dict[str, tuple[int | str, ...]] = {
    **dict.fromkeys(("tokens", "accents", "pitch", "voiced", "energy"), (1, "T")),
    **dict.fromkeys(("log_duration", "voiced_logit"), (1, "T")),
    "hidden": (1, "T", CHANNELS),
    "speaker": (1,),
    "frame_token": (1, "F"),
    "frame_position": (1, "F", 3),
    "mel": (1, "F", N_MELS),
    "f0": (1, "F"),
    "voicing_logit": (1, "F"),
    **dict.fromkeys(VOCODER_OUTPUTS, (1, "F2", N_BINS)),
}
"""The pack's contract: T tokens, F mel frames, F2 = 2 F filter frames."""


class ExportError(RuntimeError):
    """A graph does not say what the network says."""


def export(work: Work) -> None:
    """Writes encoder.onnx, decoder.onnx, vocoder.onnx and frontend.json; and beside them the weights of the networks
    and their licence, so that another training can start from the folder."""
    folder = work.stage("export")
    for stage, name in LEARNED.values():
        state = torch.load(work.stage(stage) / name, map_location="cpu", weights_only=True)
        # Finer than the 8 bits that the voice gets, and half the size.
        halves = {key: value.half() for key, value in state.items()}
        whole(folder / name, functools.partial(torch.save, halves))
    licence = f"{licence_of(work.recipe.licences)}\n{learned_from(work.recipe)}\n"
    whole(folder / LICENCE_FILE, lambda part: part.write_text(licence, encoding="utf-8"))
    networks = read_learned(work)
    write_graphs(networks, folder)
    write_json(
        folder / "frontend.json",
        {
            "tokens": read_tokens(work),
            "speakers": work.recipe.speakers,
            "stats": {name: asdict(each) for name, each in read_ranges(work).items()},
        },
    )
    examples = [
        example
        for each in one_of_each_speaker(work, read_spoken(work))
        for example in _by_both(work, networks.acoustic, each, folder)
    ]
    pictures.spectrograms(folder / "export.png", examples)


@dataclass(frozen=True)
class Networks:
    prosody: Prosody
    acoustic: Acoustic
    vocoder: Vocoder


LEARNED = {
    "prosody": ("prosody", "prosody.pt"),
    "acoustic": ("joint", "acoustic.pt"),
    "vocoder": ("joint", "vocoder.pt"),
}
"""The stage that leaves each network last, and its file there."""


def read_learned(work: Work) -> Networks:
    """On the CPU."""
    size = (n_tokens(work), len(work.recipe.speakers))
    networks = Networks(Prosody(*size), Acoustic(*size), Vocoder())
    for name, (stage, file) in LEARNED.items():
        network = getattr(networks, name)
        state = torch.load(work.stage(stage) / file, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
        network.eval()
    return networks


def one_of_each_speaker(work: Work, spoken: Sequence[Spoken]) -> list[Spoken]:
    """The first that is held out, or the first."""
    found: dict[str, Spoken] = {}
    for each in sorted(spoken, key=lambda each: not each.is_held_out):
        found.setdefault(each.speaker, each)
    return [found[name] for name in work.recipe.speakers if name in found]


class Encoder(nn.Module):
    """The encoder's graph: both networks that see tokens."""

    def __init__(self, prosody: Prosody, acoustic: Acoustic) -> None:
        super().__init__()
        self.prosody = prosody
        self.acoustic = acoustic
        # Of one utterance all is real; a mask of [1, 1, 1] folds away.
        self.register_buffer("mask", torch.ones(1, 1, 1))

    def forward(self, tokens: Tensor, accents: Tensor, speaker: Tensor) -> tuple[Tensor, ...]:
        inputs = (tokens, accents, speaker, self.get_buffer("mask"))
        said = {"hidden": self.acoustic.encode(*inputs), **vars(self.prosody(*inputs))}
        return tuple(said[name] for name in ENCODER_OUTPUTS)


class Decoder(nn.Module):
    """The decoder's graph."""

    def __init__(self, acoustic: Acoustic) -> None:
        super().__init__()
        self.acoustic = acoustic

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        decoded = self.acoustic.decode(*inputs)
        return decoded.mel, decoded.f0, decoded.voicing_logit


class Filters(nn.Module):
    """The vocoder's graph."""

    def __init__(self, vocoder: Vocoder) -> None:
        super().__init__()
        self.vocoder = vocoder

    def forward(self, mel: Tensor, f0: Tensor) -> tuple[Tensor, ...]:
        filters = self.vocoder(mel, f0)
        return tuple(getattr(filters, name) for name in VOCODER_OUTPUTS)


def write_graphs(networks: Networks, folder: Path) -> None:
    """Writes the three graphs and runs them beside the networks. Raises ExportError if they differ."""
    acoustic = networks.acoustic
    size = (acoustic.emb.num_embeddings, acoustic.spk.num_embeddings)
    chance = np.random.default_rng(0)
    for name, network, inputs, outputs in (
        ("encoder", Encoder(networks.prosody, acoustic), ENCODER_INPUTS, ENCODER_OUTPUTS),
        ("decoder", Decoder(acoustic), DECODER_INPUTS, DECODER_OUTPUTS),
        ("vocoder", Filters(networks.vocoder), VOCODER_INPUTS, VOCODER_OUTPUTS),
    ):
        network.eval()
        example = random_inputs(chance, 11, *size)
        path = folder / f"{name}.onnx"
        whole(path, functools.partial(_write, network, [example[each] for each in inputs], inputs, outputs))
        # Longer than what it was traced with: a length that was taken for a constant shows.
        for n in (2, 37):
            _compare(path, network, inputs, random_inputs(chance, n, *size))


def random_inputs(
    chance: np.random.Generator, n_tokens: int, n_symbols: int, n_speakers: int
) -> dict[str, NDArray[Any]]:
    """Of all graphs, for *n_tokens* tokens in a row."""
    token, position = frame_inputs(chance.integers(1, 9, n_tokens))
    n_frames = len(token)

    def normal(*shape: int) -> Floats:
        return chance.standard_normal(shape).astype(np.float32)

    return {
        "tokens": chance.integers(0, n_symbols, (1, n_tokens)),
        "accents": chance.integers(0, N_ACCENTS, (1, n_tokens)),
        "speaker": chance.integers(0, n_speakers, 1),
        "hidden": normal(1, n_tokens, CHANNELS),
        "pitch": normal(1, n_tokens),
        "voiced": (normal(1, n_tokens) > 0).astype(np.float32),
        "energy": normal(1, n_tokens),
        "frame_token": token[None],
        "frame_position": position[None],
        "mel": normal(1, n_frames, N_MELS) - 5,
        "f0": (200 * np.maximum(normal(1, n_frames), 0)).astype(np.float32),
    }


def _write(
    network: nn.Module,
    example: Sequence[NDArray[Any]],
    inputs: Sequence[str],
    outputs: Sequence[str],
    path: Path,
) -> None:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # The exporter by tracing is called legacy, but it is the one without a further package.
        warnings.simplefilter("ignore")
        traced = Path(folder) / "traced.onnx"
        torch.onnx.export(
            network,
            tuple(torch.from_numpy(each) for each in example),
            traced,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={
                name: {axis: size for axis, size in enumerate(SHAPES[name]) if isinstance(size, str)}
                for name in (*inputs, *outputs)
            },
            opset_version=OPSET,
            dynamo=False,
        )
        onnx.save(_folded(traced), path)


def _folded(traced: Path) -> onnx.ModelProto:
    """The graph with its constants computed: only so are the weights of `networks.Taps` one matrix for int8 to find."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(traced.with_name("folded.onnx"))
    # Gemm would be neither what quantization looks for nor faster.
    onnxruntime.InferenceSession(
        traced, options, providers=["CPUExecutionProvider"], disabled_optimizers=["MatMulAddFusion"]
    )
    folded = onnx.load(options.optimized_model_filepath)
    # onnxruntime notes all operator sets it knows; another runtime would refuse the graph for them.
    del folded.opset_import[:]
    folded.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    del folded.graph.value_info[:]
    for value in folded.graph.output:
        value.CopyFrom(
            onnx.helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, SHAPES[value.name])
        )
    onnx.checker.check_model(folded, full_check=True)
    return folded


@torch.no_grad()
def _compare(path: Path, network: nn.Module, inputs: Sequence[str], values: Arrays) -> None:
    session = open_graph(path)
    expected = network(*(torch.from_numpy(values[name]) for name in inputs))
    for name, own in zip((node.name for node in session.get_outputs()), expected, strict=True):
        said = session.run([name], {each: values[each] for each in inputs})[0]
        wanted = own.numpy()
        error = float(np.abs(said - wanted).max()) if said.shape == wanted.shape else np.inf
        if not error <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
            raise ExportError(
                f"{path}: its {name} {list(said.shape)} is {error:.2g} off the network's {list(wanted.shape)};"
                f" up to {TOLERANCE} is rounding"
            )


def open_graph(path: Path | bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(session: Any, inputs: Arrays) -> dict[str, NDArray[Any]]:
    """The outputs by name; of *inputs* only what the graph takes."""
    wanted = {node.name: inputs[node.name] for node in session.get_inputs()}
    names = [node.name for node in session.get_outputs()]
    return dict(zip(names, session.run(names, wanted), strict=True))


def encoder_inputs(tokens: Mapping[str, int], spoken: Spoken, speaker: int) -> dict[str, NDArray[Any]]:
    return {
        "tokens": np.array([[tokens[symbol] for symbol in spoken.symbols]], np.int64),
        "accents": np.array([spoken.accents], np.int64),
        "speaker": np.array([speaker], np.int64),
    }


def decoder_inputs(
    encoded: Arrays, speaker: NDArray[np.int64], speed: float = 1.0
) -> dict[str, NDArray[Any]]:
    """As edge_tts.models.two_stage makes them at *speed*."""
    frames = np.maximum(np.rint(np.exp(encoded["log_duration"][0]) / speed), 1).astype(np.int64)
    token, position = frame_inputs(frames)
    return {
        "hidden": encoded["hidden"],
        "pitch": encoded["pitch"],
        "voiced": (encoded["voiced_logit"] > 0).astype(np.float32),
        "energy": encoded["energy"],
        "speaker": speaker,
        "frame_token": token[None],
        "frame_position": position[None],
    }


@torch.no_grad()
def _by_both(work: Work, acoustic: Acoustic, spoken: Spoken, folder: Path) -> list[tuple[str, Floats]]:
    """One phrase's spectrogram by PyTorch and by the graphs."""
    inputs = encoder_inputs(read_tokens(work), spoken, work.recipe.speakers[spoken.speaker])
    encoded = run(open_graph(folder / "encoder.onnx"), inputs)
    led = decoder_inputs(encoded, inputs["speaker"])
    decoded = run(open_graph(folder / "decoder.onnx"), led)
    by_network = acoustic.decode(*(torch.from_numpy(led[name]) for name in DECODER_INPUTS))
    return [(f"{spoken.id}: PyTorch", by_network.mel[0].numpy()), (f"{spoken.id}: graph", decoded["mel"][0])]
