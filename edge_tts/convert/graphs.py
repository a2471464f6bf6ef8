"""Networks of PyTorch → graphs, each compared with what it was made of."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edge_tts.convert import ConversionError
from edge_tts.convert.planes import in_planes
from edge_tts.models.session import open_session

OPSET = 17
TOLERANCE = 1e-4
"""Between PyTorch and a graph, relative to the largest value (or 1): float32 sums in another order."""

Shape = tuple[int | str, ...]
"""Of a tensor; a letter is a length that varies."""


@dataclass(frozen=True)
class Contract:
    """What a graph takes and yields."""

    inputs: Mapping[str, Shape]
    outputs: Sequence[str]

    def example(
        self, lengths: Mapping[str, int], make: Callable[[str, list[int]], Tensor]
    ) -> dict[str, Tensor]:
        return {
            name: make(name, [size if isinstance(size, int) else lengths[size] for size in shape])
            for name, shape in self.inputs.items()
        }


def write_graph(
    path: Path, network: nn.Module, contract: Contract, examples: Sequence[Mapping[str, Tensor]]
) -> None:
    """Trace *network* over the first of *examples*, and compare graph and network over all. Raises ConversionError."""
    axes = {
        name: {axis: size for axis, size in enumerate(shape) if isinstance(size, str)}
        for name, shape in contract.inputs.items()
    }
    with torch.no_grad(), warnings.catch_warnings():
        # The exporter by tracing is called legacy, but it is the one without a further package.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            tuple(examples[0].values()),
            str(path),
            input_names=list(contract.inputs),
            output_names=list(contract.outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
        for example in examples:
            compare(path, network, example)


def write_vocoder(
    path: Path, network: nn.Module, contract: Contract, examples: Sequence[Mapping[str, Tensor]]
) -> None:
    """As `write_graph`, for a network that does little but convolve."""
    write_graph(path, network, contract, examples)
    in_planes(path)
    with torch.no_grad():
        for example in examples:
            compare(path, network, example)


def compare(path: Path, network: nn.Module, example: Mapping[str, Tensor]) -> None:
    """Raise ConversionError unless the graph in *path* says what *network* says."""
    said = open_session(path, None, threads=1).run({name: value.numpy() for name, value in example.items()})
    made = network(*example.values())
    wanted = [made] if isinstance(made, Tensor) else list(made)
    for (name, value), expected in zip(said.items(), (each.numpy() for each in wanted), strict=True):
        error = float(np.abs(value - expected).max()) if value.shape == expected.shape else np.inf
        if not error <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise ConversionError(
                f"{path}: its {name} {list(value.shape)} is {error:.2g} off what PyTorch says {list(expected.shape)}; "
                f"up to {TOLERANCE} is rounding"
            )
