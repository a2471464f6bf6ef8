"""The only onnxruntime import: a verified file becomes a session that runs on the processor."""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.errors import SynthesisError, VoiceLoadError
from edge_tts.models import onnx_check, weights
from edge_tts.models.files import MAX_GRAPH_BYTES, GraphFile, read_verified
from edge_tts.models.protobuf import GraphError

LOUD = 1e3
"""What is beyond it is no log-spectrum, pitch or sample of any family: the weights are damaged."""

STUCK_S = 1.0
"""No speech holds one non-zero sample value for so long; overflowing int8 kernels do."""

STUCK_LEVEL = 1e-3

KEPT_BLOCK_BYTES = 32 << 20
KEPT_BYTES = 128 << 20
"""Largest block, and most memory in all, that the C library keeps after it was freed."""

_INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
"""onnxruntime's names of what ids may be declared as: exports of the same model differ."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


class Session:
    """One loaded graph."""

    def __init__(self, path: Path, session: Any, sha256: str) -> None:
        self._path = path
        self._session = session
        self.sha256 = sha256
        """Hex digest of the file it came from: part of the key of whatever it computed."""

        self.inputs: frozenset[str] = frozenset(node.name for node in session.get_inputs())
        self._integers = {
            node.name: _INTEGERS[node.type] for node in session.get_inputs() if node.type in _INTEGERS
        }
        self.outputs: tuple[str, ...] = tuple(node.name for node in session.get_outputs())
        self._bounded: frozenset[str] = frozenset()

    def require(self, inputs: Iterable[str], outputs: Iterable[str], bounded: Iterable[str] = ()) -> None:
        """Raise VoiceLoadError unless the graph takes exactly *inputs* and offers *outputs*. *bounded* of them are
        spectra, pitches, durations or samples, which no sound voice makes larger than LOUD; hidden values may be."""
        self._bounded = frozenset(bounded)
        expected = frozenset(inputs)
        if self.inputs != expected:
            raise VoiceLoadError(
                self._path,
                f"takes the inputs {', '.join(sorted(self.inputs))}; expected {', '.join(sorted(expected))}",
            )
        missing = sorted(set(outputs) - set(self.outputs))
        if missing:
            raise VoiceLoadError(
                self._path, f"has no output {', '.join(missing)}; it has {', '.join(self.outputs)}"
            )

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs by name; integers are given in the type that the graph declares. Raises SynthesisError if the graph
        fails, or its result is not finite or beyond what is bounded."""
        given = self._given(inputs)
        try:
            values = self._session.run(None, given)
        # onnxruntime's exceptions share no base below Exception (they come from pybind11).
        except Exception as error:
            # The message may quote ids, never text: the graph has seen none.
            raise SynthesisError(f"{self._path.name} failed: {error}") from error
        outputs: dict[str, NDArray[Any]] = dict(zip(self.outputs, values, strict=True))
        self._check(outputs)
        return outputs

    def step(
        self, inputs: Mapping[str, NDArray[Any]], carried: Mapping[str, Any], keep: Mapping[str, str]
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """As `run`, for graphs that remember: *keep* is an output → the input of the next step that it becomes. Those
        come back as onnxruntime holds them, unchecked, to be given as *carried* without a copy."""
        binding = self._session.io_binding()
        try:
            for name, value in self._given(inputs).items():
                binding.bind_cpu_input(name, np.ascontiguousarray(value))
            for name, value in carried.items():
                binding.bind_ortvalue_input(name, value)
            for name in self.outputs:
                binding.bind_output(name, "cpu")
            self._session.run_with_iobinding(binding)
        except Exception as error:  # as in run
            raise SynthesisError(f"{self._path.name} failed: {error}") from error
        made = dict(zip(self.outputs, binding.get_outputs(), strict=True))
        outputs = {name: value.numpy() for name, value in made.items() if name not in keep}
        self._check(outputs)
        return outputs, {name: made[output] for output, name in keep.items()}

    def _given(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return {
            name: value.astype(self._integers.get(name, value.dtype), copy=False)
            if value.dtype.kind == "i"
            else value
            for name, value in inputs.items()
        }

    def _check(self, outputs: Mapping[str, NDArray[Any]]) -> None:
        for name, value in outputs.items():
            if value.dtype.kind != "f" or not value.size:
                continue
            limit = LOUD if name in self._bounded else np.inf
            if not is_within(value, limit):
                wrong = "not finite" if not is_within(value, np.inf) else f"beyond {limit:.0f}"
                raise SynthesisError(
                    f"{self._path.name} yielded {name} that is {wrong}: the file is damaged, install it again"
                )


def is_within(values: NDArray[Any], limit: float) -> bool:
    """Whether every one of *values* is a number nearer to 0 than *limit*."""
    # One pass each and no temporary; NaN compares false with everything.
    return bool(values.max() < limit and values.min() > -limit)


def check_sound(samples: NDArray[np.float32], sample_rate: int, graph: str) -> None:
    """Raise SynthesisError if *samples* are not finite or stuck at one value for STUCK_S."""
    if not samples.size:
        return
    if not is_within(samples, LOUD):
        raise SynthesisError(
            f"{graph} yielded samples that are not finite: the file is damaged, install it again"
        )
    window = round(STUCK_S * sample_rate)
    for start in range(0, len(samples) - window + 1, window):
        part = samples[start : start + window]
        # The spread first: real speech fails it at once, and silence may be as constant as it likes.
        if float(np.ptp(part)) == 0.0 and abs(float(part[0])) > STUCK_LEVEL:
            raise SynthesisError(
                f"{graph} yielded {STUCK_S:.0f} s of one constant value: the graph is damaged"
            )


def read_graph(path: Path, sha256: str | None, beside: GraphFile | None = None) -> GraphFile:
    """The ONNX file *path*, as `read_verified`, and fit to be shown to onnxruntime; *beside* are weights of it. Raises
    VoiceLoadError."""
    graph = read_verified(path, sha256)
    try:
        external = onnx_check.check(graph.content)
        if not external:
            return graph
        if beside is None:
            raise GraphError(
                f"its weights {external[0].name!r} lie in another file, {external[0].location!r}, which is not in"
                " voice.yaml (as x_weights for a graph of the role x) or which this family does not take"
            )
        size_bytes = len(graph.content) + sum(each.size_bytes for each in external)
        if size_bytes > MAX_GRAPH_BYTES:
            raise GraphError(
                f"it has {size_bytes} bytes with its weights; at most {MAX_GRAPH_BYTES} are taken"
            )
        both = hashlib.sha256(f"{graph.sha256} {beside.sha256}".encode()).hexdigest()
        return replace(graph, sha256=both, weights=weights.found_in(beside.content, external))
    except GraphError as error:
        raise VoiceLoadError(path, f"is damaged or no ONNX file that is taken: {error}") from error


def open_session(path: Path, sha256: str | None, threads: int) -> Session:
    """Load the graph in *path*, checked against *sha256* if known. Raises VoiceLoadError."""
    return hold(read_graph(path, sha256)).open(threads)


def keep_freed_memory() -> None:
    """Let glibc keep what a run frees for the next one, as onnxruntime's arena would, but without its growth.

    Returned to the system after each layer, the same pages are faulted in again by the next: a third of the time of
    a Piper voice. `edge_tts.memory` still gives it back, now and then.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):  # musl has none
        library.mallopt(_M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)


def session_options(threads: int) -> Any:
    """onnxruntime's options, chosen by what `scripts/bench --loading` measures (docs/performance.md)."""
    # Before the import: later, 1.29 and newer have a device id on disk and a report to Microsoft on its way.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # costs 60 ms: a start that only lists voices does without

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Both grow to the longest sentence ever seen and never shrink.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    # What it would write to stderr is in the exception, which is handled and told.
    options.log_severity_level = 4
    # Threads that wait for work by spinning would make an idle box busy.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


class HeldGraph:
    """A graph on its way into a session, in a file without a name that only this process sees.

    onnxruntime reads a file straight into the weights it keeps, but of bytes it makes a second copy first: for a
    Piper voice 60 MB more at the peak. A memory file gives it a file whose content is known to be what was checked.
    """

    def __init__(self, path: Path, sha256: str, parts: Iterable[bytes | memoryview]) -> None:
        self._path = path
        self._sha256 = sha256
        self._file = open(os.memfd_create("graph", os.MFD_CLOEXEC), "wb")  # noqa: SIM115 closed by open() or close()
        for part in parts:
            self._file.write(part)
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def open(self, threads: int) -> Session:
        """The session; the memory file is gone afterwards. Raises VoiceLoadError."""
        options = session_options(threads)
        import onnxruntime

        keep_freed_memory()
        with self._file:
            name = f"/proc/self/fd/{self._file.fileno()}"
            try:
                session = onnxruntime.InferenceSession(name, options, providers=["CPUExecutionProvider"])
            # As in Session.run; a truncated file is InvalidProtobuf here, a wrong one InvalidGraph or Fail.
            except Exception as error:
                raise VoiceLoadError(self._path, f"is no graph that onnxruntime can run: {error}") from error
        return Session(self._path, session, self._sha256)


def hold(graph: GraphFile) -> HeldGraph:
    parts = weights.inlined(graph.content, graph.weights) if graph.weights else [graph.content]
    return HeldGraph(graph.path, graph.sha256, parts)


def fold_constants(path: Path) -> None:
    """Rewrite the graph in *path* without what can be computed beforehand, and with padding inside of convolutions."""
    options = session_options(threads=1)
    import onnxruntime

    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    folded = path.with_suffix(".folded")
    options.optimized_model_filepath = str(folded)
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    folded.replace(path)
