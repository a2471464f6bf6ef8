"""Where a VITS graph comes apart, and how far one value of each part looks to both sides.

Text encoder and durations need the whole sentence; the flow and the HiFi-GAN decoder (Kong et al., arXiv 2010.05646)
are convolutions over time: a part of their input with enough frames around it gives exactly the values that the whole
would. How many are enough is read from the graph. Tensors over time have it on their last axis.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from edge_tts.models.onnx_graph import Graph, Node
from edge_tts.models.protobuf import GraphError

_SMOOTH = ("LeakyRelu", "Relu", "Elu", "Tanh", "Sigmoid", "Sin", "Cos", "Pow", "Exp", "Sqrt")
_SHAPING = ("Identity", "Cast", "Unsqueeze", "Squeeze")
_POINTWISE = frozenset((*_SMOOTH, *_SHAPING, "Add", "Sub", "Mul", "Div", "Neg", "Clip"))
"""Operators whose value at one time depends on no other time."""

_STEADY = _POINTWISE | {"ConstantOfShape", "Gather", "Concat", "Slice", "Expand"}
"""Operators that make of shapes and constants nothing that changes with time."""

CHANNELS = (1, -2)
TIME = (2, -1)
FOR_EVER = 2**31 - 1


@dataclass(frozen=True)
class Cut:
    """One part of a graph that can be computed piece by piece."""

    inputs: tuple[str, ...]
    """Tensors over frames that it takes; the first is what it transforms."""

    output: str
    margin: int
    """Frames of context that make a piece exact, on each side."""

    per_frame: int
    """Values of the output for one frame of the input."""


@dataclass(frozen=True)
class Reach:
    """What one value of a tensor depends on, back to the cut."""

    per_frame: int
    left: float
    """Frames before its own."""

    right: float


def decoder_cut(graph: Graph, output: str, speaker: str) -> Cut:
    """From the latent to the samples *output*. *speaker* is the graph input it may take besides."""
    return _cut(graph, _decoder_input(graph), output, speaker)


def flow_cut(graph: Graph, latent: str, speaker: str) -> Cut:
    """From the noisy prior to *latent*. *speaker* as above."""
    return _cut(graph, _prior(graph), latent, speaker)


def _cut(graph: Graph, start: str, output: str, speaker: str) -> Cut:
    found = _reaches(graph, start, output)
    last = found.get(output)
    if last is None:
        raise GraphError(f"{output} does not follow from {start}")
    sides = _sides(graph, start, output, found, speaker)
    return Cut((start, *sides), output, math.ceil(max(last.left, last.right)), last.per_frame)


def _sides(graph: Graph, start: str, output: str, found: Collection[str], speaker: str) -> list[str]:
    """Other tensors of the sentence (its mask) that the nodes between *start* and *output* take."""
    sides: dict[str, None] = {}
    of_sentence = _of_sentence(graph, set(graph.inputs) - set(graph.initializers) - {speaker})
    nodes, _ = graph.ancestors([output], [start])
    for node in nodes:
        if any(name in found for name in node.outputs):
            sides |= dict.fromkeys(name for name in node.inputs if name in of_sentence and name not in found)
    return list(sides)


def _of_sentence(graph: Graph, given: set[str]) -> set[str]:
    """Every tensor that follows from the inputs *given* or from chance."""
    names = set(given)
    for node in graph.nodes:
        if node.op_type.startswith("Random") or not names.isdisjoint(node.needs):
            names.update(node.outputs)
    return names


def _decoder_input(graph: Graph) -> str:
    """The latent that HiFi-GAN's first convolution takes: upstream of the first ConvTranspose, through pointwise
    nodes, the Conv that is wider than one value."""
    first = next((node for node in graph.nodes if node.op_type == "ConvTranspose"), None)
    if first is None:
        raise GraphError("it has no ConvTranspose, so no HiFi-GAN decoder")
    pending = [first.inputs[0]]
    while pending:
        node = graph.producers.get(pending.pop(0))
        if node is None:
            continue
        if node.op_type == "Conv":
            # Multi-speaker voices add a Conv of kernel 1 over the speaker embedding beside it.
            if node.ints("kernel_shape") not in ([1], [1, 1]):
                return node.inputs[0]
        elif node.op_type in _POINTWISE:
            pending += node.inputs
    raise GraphError("nothing before its first ConvTranspose is a convolution over frames")


def _prior(graph: Graph) -> str:
    """mean + noise · deviation · noise_scale: the sum that the last noise of the graph ends in."""
    noises = [node for node in graph.nodes if node.op_type == "RandomNormalLike"]
    name = noises[-1].outputs[0] if noises else ""
    while name:
        takers = [node for node in graph.nodes if name in node.inputs]
        if len(takers) != 1 or takers[0].op_type not in ("Mul", "Add"):
            break
        name = takers[0].outputs[0]
        if takers[0].op_type == "Add":
            return name
    raise GraphError("it has no noise that is added to a mean")


def _reaches(graph: Graph, start: str, output: str) -> dict[str, Reach | None]:
    """Of every tensor between *start* and *output*; None for those that follow from shapes alone. Raises GraphError
    for an operator of which it is not known."""
    nodes, _ = graph.ancestors([output], [start])
    found: dict[str, Reach | None] = {start: Reach(1, 0.0, 0.0)}
    for node in nodes:
        if any(name in found for name in node.needs):
            found |= dict.fromkeys(node.outputs, _reach(graph, node, found))
    return found


def _reach(graph: Graph, node: Node, found: dict[str, Reach | None]) -> Reach | None:
    if node.op_type == "Shape":
        return None
    sources = [source for name in node.inputs if (source := found.get(name)) is not None]
    if not sources:
        if node.op_type in _STEADY and not node.captured:
            return None
    elif node.op_type in ("Conv", "ConvTranspose"):
        return _convolved(graph, node, sources[0])
    elif (node.op_type in _POINTWISE or _is_along_channels(graph, node)) and _one_pace(sources):
        left, right = max(source.left for source in sources), max(source.right for source in sources)
        return Reach(sources[0].per_frame, left, right)
    raise GraphError(f"the reach of its {node.op_type} is not known")


def _one_pace(sources: Sequence[Reach]) -> bool:
    return len({source.per_frame for source in sources}) == 1


def _is_along_channels(graph: Graph, node: Node) -> bool:
    """Whether *node* only picks or joins channels, or takes a slice that is the whole."""
    if node.op_type in ("Split", "Concat", "Gather"):
        return (node.ints("axis") or [0])[0] in CHANNELS
    if node.op_type != "Slice" or len(node.inputs) < 4:
        return False
    starts, ends, axes = (graph.integers(name) for name in node.inputs[1:4])
    steps = graph.integers(node.inputs[4]) if len(node.inputs) > 4 else [1] * len(axes)
    if not axes or not len(starts) == len(ends) == len(axes) == len(steps):
        # A bound that is computed: of channels it may be, of time it must not.
        return bool(axes) and all(axis in CHANNELS for axis in axes)
    return all(
        axis in CHANNELS or (first == 0 and last >= FOR_EVER and step == 1)
        for first, last, axis, step in zip(starts, ends, axes, steps, strict=True)
    )


def _along_time(values: list[int], of_height: list[int]) -> list[int]:
    """*values* of a convolution; of one over a plane of height 1, those of its width."""
    is_plane = len(values) == 2 * len(of_height) and values[::2] == of_height
    return values[1::2] if is_plane else values


def _convolved(graph: Graph, node: Node, source: Reach) -> Reach:
    weight = graph.initializers.get(node.inputs[1])
    kernel = _along_time(node.ints("kernel_shape") or list(weight.dims[2:] if weight else []), [1])
    stride, dilation = (_along_time(node.ints(name) or [1], [1]) for name in ("strides", "dilations"))
    pads = _along_time(node.ints("pads") or [0, 0], [0, 0])
    is_plain = [len(kernel), len(stride), len(dilation), len(pads)] == [1, 1, 1, 2]
    if not is_plain or node.text("auto_pad") not in ("", "NOTSET"):
        raise GraphError(f"it has a {node.op_type} over more than one axis, or padded by itself")
    span = dilation[0] * (kernel[0] - 1)
    if node.op_type == "Conv":
        if stride != [1] or sum(pads) != span:
            raise GraphError("it has a Conv that changes the length")
        per_frame = source.per_frame
        return Reach(per_frame, source.left + pads[0] / per_frame, source.right + pads[1] / per_frame)
    if span + 1 - sum(pads) != stride[0]:
        raise GraphError("it has a ConvTranspose that changes the length by more than its stride")
    # y[j] takes x[i] where j + pad = stride · i + t, t = 0 … span
    per_frame = stride[0] * source.per_frame
    return Reach(per_frame, source.left + (span - pads[0]) / per_frame, source.right + pads[0] / per_frame)
