"""The only onnxruntime import: a verified file becomes a session that runs on the processor."""

from __future__ import annotations

import ctypes
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.errors import SynthesisError, VoiceLoadError
from edge_tts.models import onnx_check
from edge_tts.models.onnx_graph import GraphError

LOUD = 1e3
"""A float output beyond it is no log-spectrum, pitch or sample of any family: the weights are damaged."""

STUCK_S = 1.0
"""No speech holds one non-zero sample value for so long; overflowing int8 kernels do."""

STUCK_LEVEL = 1e-3


MAX_GRAPH_BYTES = (1 << 31) - 1
"""What a protobuf message can be."""

MAX_DOCUMENT_BYTES = 4 << 20
"""Of descriptions of voices: Piper's largest configurations have a few hundred kilobytes."""

KEPT_BLOCK_BYTES = 32 << 20
KEPT_BYTES = 128 << 20
"""Largest block, and most memory in all, that the C library keeps after it was freed."""

_INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
"""onnxruntime's names of what ids may be declared as: exports of the same model differ."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


@dataclass(frozen=True)
class GraphFile:
    """The bytes of one graph, read once and checked; what is hashed is what is run."""

    path: Path
    content: bytes
    sha256: str


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

    def require(self, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        """Raise VoiceLoadError unless the graph takes exactly *inputs* and offers *outputs*."""
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
        fails or its result is not finite."""
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
            if value.dtype.kind == "f" and value.size and not is_sane(value):
                raise SynthesisError(
                    f"{self._path.name} yielded {name} that is not finite: the file is damaged, install it again"
                )


def is_sane(values: NDArray[Any]) -> bool:
    """Whether a float array is finite and of a magnitude that log-spectra, pitches and samples have."""
    # One pass each and no temporary; NaN compares false with everything.
    return bool(values.max() < LOUD and values.min() > -LOUD)


def check_sound(samples: NDArray[np.float32], sample_rate: int, graph: str) -> None:
    """Raise SynthesisError if *samples* are not finite or stuck at one value for STUCK_S."""
    if not samples.size:
        return
    if not is_sane(samples):
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


def read_graph(path: Path, sha256: str | None) -> GraphFile:
    """The ONNX file *path*, as `read_verified`, and fit to be shown to onnxruntime. Raises VoiceLoadError."""
    graph = read_verified(path, sha256)
    try:
        onnx_check.check(graph.content)
    except GraphError as error:
        raise VoiceLoadError(path, f"is damaged or no ONNX file that is taken: {error}") from error
    return graph


def read_verified(path: Path, sha256: str | None) -> GraphFile:
    """Read *path* once and check it against the hex digest *sha256*, if one is known. Raises VoiceLoadError."""
    content = read_file(path)
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise VoiceLoadError(
            path, f"is damaged or was changed: sha256 is {found}, expected {sha256}; install it again"
        )
    return GraphFile(path, content, found)


def read_file(path: Path, most_bytes: int = MAX_GRAPH_BYTES) -> bytes:
    """The content of a regular, non-empty file of at most *most_bytes*. Raises VoiceLoadError."""
    try:
        # O_NONBLOCK: a named pipe in a voice folder would hold the synth thread for ever.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            check_file(path, file.fileno(), most_bytes)
            return file.read(most_bytes)
    except OSError as error:
        raise VoiceLoadError(path, f"cannot be read: {error.strerror}") from error


def check_file(path: Path, descriptor: int | None = None, most_bytes: int = MAX_GRAPH_BYTES) -> None:
    """Raise VoiceLoadError unless *path* is a regular, non-empty file inside its folder. Asks about what is open as
    *descriptor*, if given: not about what the name says a moment later."""
    try:
        status = os.stat(path if descriptor is None else descriptor)
        real = path.resolve() if descriptor is None else Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    except OSError as error:
        raise VoiceLoadError(path, f"cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise VoiceLoadError(path, "is not a regular file")
    # A downloaded voice must not make us read files elsewhere.
    if not real.is_relative_to(path.parent.resolve()):
        raise VoiceLoadError(path, f"is a link to {real}, outside of its folder; put the file itself there")
    if not status.st_size:
        raise VoiceLoadError(path, "is empty; install it again")
    if status.st_size > most_bytes:
        raise VoiceLoadError(path, f"has {status.st_size} bytes; at most {most_bytes} are read")


def open_session(path: Path, sha256: str | None, threads: int) -> Session:
    """Load the graph in *path*, checked against *sha256* if known. Raises VoiceLoadError."""
    return hold(read_graph(path, sha256)).open(threads)


def keep_freed_memory() -> None:
    """Let glibc keep what a run frees for the next one, as onnxruntime's arena would, but without its growth.

    Returned to the system after each layer, the same pages are faulted in again by the next: a third of the time of
    a Piper voice. `voices.release_memory` still gives everything back.
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
    return HeldGraph(graph.path, graph.sha256, [graph.content])
