"""Where a HiFi-GAN decoder begins in a VITS graph, and how far one of its samples looks to both sides.

Its layers are convolutions (Kong et al., HiFi-GAN, arXiv 2010.05646): a part of the latent with enough frames around it
gives exactly the samples that the whole would. How many are enough is read from the graph.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from edge_tts.models.onnx_graph import Graph, GraphError, Node


@dataclass(frozen=True)
class Cut:
    """Where a graph comes apart into encoder and decoder."""

    latent: str
    """The tensor between them, [1, channels, n_frames]."""

    margin: int
    """Frames of context that make a part of the decoder's output exact, on each side."""

    samples_per_frame: int


def find_cut(graph: Graph, output: str, allowed: Collection[str]) -> Cut:
    """The cut before the decoder, which may take the graph inputs *allowed* besides. Raises GraphError."""
    latent = decoder_input(graph)
    found = reach(graph, latent, output)
    _, names = graph.ancestors([output], [latent])
    others = names & set(graph.inputs) - set(graph.initializers) - set(allowed)
    if others:
        raise GraphError(f"its decoder takes {', '.join(sorted(others))} besides the latent")
    return Cut(latent, math.ceil(max(found.left, found.right)), found.per_frame)


@dataclass(frozen=True)
class Reach:
    """What one value of a tensor depends on, back to the cut."""

    per_frame: int
    """Values of the tensor for one frame at the cut."""

    left: float
    """Frames before its own."""

    right: float


_SMOOTH = ("LeakyRelu", "Relu", "Elu", "Tanh", "Sigmoid", "Sin", "Cos", "Pow", "Exp", "Sqrt")
_POINTWISE = frozenset(
    (*_SMOOTH, "Add", "Sub", "Mul", "Div", "Neg", "Clip", "Identity", "Cast", "Unsqueeze", "Squeeze")
)
"""Operators whose value at one time depends on no other time."""


def reach(graph: Graph, cut: str, output: str) -> Reach:
    """How far one value of *output* looks to both sides at *cut*, through convolutions over the last axis. Raises
    GraphError for a graph in which that cannot be told."""
    nodes, _ = graph.ancestors([output], [cut])
    found = {cut: Reach(1, 0.0, 0.0)}
    for node in nodes:
        sources = [found[name] for name in node.inputs if name in found]
        if not sources:
            continue
        if node.op_type in ("Conv", "ConvTranspose"):
            made = _convolved(graph, node, sources[0])
        elif node.op_type in _POINTWISE and len({source.per_frame for source in sources}) == 1:
            made = Reach(
                sources[0].per_frame,
                max(source.left for source in sources),
                max(source.right for source in sources),
            )
        else:
            raise GraphError(f"the decoder has a {node.op_type} whose reach is not known")
        found |= dict.fromkeys(node.outputs, made)
    if output not in found:
        raise GraphError(f"the output does not depend on {cut}")
    return found[output]


def _convolved(graph: Graph, node: Node, source: Reach) -> Reach:
    weight = graph.initializers.get(node.inputs[1])
    kernel = node.ints("kernel_shape") or list(weight.dims[2:] if weight else [])
    stride, dilation = (node.ints(name) or [1] for name in ("strides", "dilations"))
    pads = node.ints("pads") or [0, 0]
    if [len(kernel), len(stride), len(dilation), len(pads)] != [1, 1, 1, 2] or node.text("auto_pad") not in (
        "",
        "NOTSET",
    ):
        raise GraphError(f"the decoder has a {node.op_type} over more than one axis, or padded by itself")
    span = dilation[0] * (kernel[0] - 1)
    if node.op_type == "Conv":
        if stride != [1] or sum(pads) != span:
            raise GraphError("the decoder has a Conv that changes the length")
        return Reach(
            source.per_frame,
            source.left + pads[0] / source.per_frame,
            source.right + pads[1] / source.per_frame,
        )
    if span + 1 - sum(pads) != stride[0]:
        raise GraphError("the decoder has a ConvTranspose that changes the length by more than its stride")
    # y[j] takes x[i] where j + pad = stride · i + t, t = 0 … span
    per_input = stride[0] * source.per_frame
    return Reach(per_input, source.left + (span - pads[0]) / per_input, source.right + pads[0] / per_input)


def decoder_input(graph: Graph) -> str:
    """The latent that HiFi-GAN's first convolution takes: upstream of the first ConvTranspose, through pointwise
    nodes, the Conv that is wider than one value. Raises GraphError."""
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
            if node.ints("kernel_shape") != [1]:
                return node.inputs[0]
        elif node.op_type in _POINTWISE:
            pending += node.inputs
    raise GraphError("nothing before its first ConvTranspose is a convolution over frames")
