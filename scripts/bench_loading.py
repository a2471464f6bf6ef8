"""Ways to open a graph, measured beside each other: what the daemon's session options are chosen from.

Each way in a process of its own, every way once in each round.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_tts.config import BUNDLED_VOICES, VoicesConfig
from edge_tts.models.onnx_graph import Graph
from edge_tts.models.planes import in_planes
from edge_tts.models.session import keep_freed_memory, session_options
from edge_tts.models.vits_cut import decoder_cut
from scripts.bench_daemon import environment
from scripts.bench_engines import peak_rss_mb
from scripts.bench_report import machine, table

REPOSITORY = Path(__file__).parent.parent
STEPS = 64
"""Phonemes and frames: a clause."""

N_RUNS = 15
N_LATENTS = 192
"""Channels that Piper's decoders take, whatever the quality."""


def _as_it_is(_options: Any) -> None: ...


def _optimized(options: Any) -> None:
    import onnxruntime

    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


def _not_packed(options: Any) -> None:
    options.add_session_config_entry("session.disable_prepacking", "1")


def _spinning(options: Any) -> None:
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")


def _with_arena(options: Any) -> None:
    options.enable_cpu_mem_arena = options.enable_mem_pattern = True


FROM_DISK = "optimized before, read from disk"
WAYS: dict[str, Callable[[Any], None]] = {
    "as the daemon does": _as_it_is,
    FROM_DISK: _optimized,
    "without packing the weights": _not_packed,
    "with threads that spin": _spinning,
    "with onnxruntime's arena": _with_arena,
}
OVER_TIME, IN_PLANES = "convolutions over time", "convolutions over planes"
COLUMNS = {
    "open": ("open_ms", "{:.0f} ms"),
    "processor time of opening": ("open_cpu_ms", "{:.0f} ms"),
    "first run": ("first_ms", "{:.1f} ms"),
    "run": ("run_ms", "{:.1f} ms"),
    "processor time of a run": ("cpu_ms", "{:.1f} ms"),
    "peak RSS": ("peak_rss_mb", "{:.0f} MB"),
}


def report(piper: Path, n_rounds: int) -> str:
    """The bundled voice's graphs on one thread, *piper* on all, and the decoder of that on one and on all, as
    Markdown."""
    bundled = sorted((BUNDLED_VOICES / VoicesConfig().default).glob("*.onnx"))
    n_processors = os.cpu_count() or 1
    rows = []
    for name, graphs, threads in (("bundled", bundled, 1), (piper.stem, [piper], n_processors)):
        with tempfile.TemporaryDirectory() as folder:
            kept = [Path(folder) / graph.name for graph in graphs]
            _in_worker("write", threads, [*graphs, *kept])
            opened = {way: kept if way == FROM_DISK else graphs for way in WAYS}
            rows += _rows(name, threads, opened, n_rounds)
    with tempfile.TemporaryDirectory() as folder:
        opened = _decoders(piper, Path(folder))
        for threads in sorted({1, n_processors}):
            rows += _rows(f"decoder of {piper.stem}", threads, opened, n_rounds)
    head = f"Measured by `scripts/bench --loading` on {machine()}; medians of {n_rounds} round(s).\n\n"
    return head + table(["graphs", "threads", "way", *COLUMNS], rows)


def _rows(name: str, threads: int, opened: Mapping[str, Sequence[Path]], n_rounds: int) -> list[list[str]]:
    """One for each way in *opened*, with the graphs that it opens."""
    rounds = [
        {way: _in_worker(way, threads, graphs) for way, graphs in opened.items()} for _ in range(n_rounds)
    ]
    return [
        [name, str(threads), way]
        + [
            form.format(statistics.median(each[way][key] for each in rounds))
            for key, form in COLUMNS.values()
        ]
        for way in opened
    ]


def _decoders(piper: Path, folder: Path) -> dict[str, list[Path]]:
    """The decoder of *piper*, as it is and as the daemon has it on x86."""
    graph = Graph(piper.read_bytes())
    cut = decoder_cut(graph, "output", "sid")
    opened = {}
    for way, source in ((OVER_TIME, graph), (IN_PLANES, in_planes(graph, cut))):
        path = folder / f"{way}.onnx"
        path.write_bytes(b"".join(source.part([cut.output], cut.inputs)))
        opened[way] = [path]
    return opened


def _in_worker(way: str, threads: int, graphs: Sequence[Path]) -> dict[str, float]:
    print(f"{way}: {graphs[0].name}", file=sys.stderr)
    command = [sys.executable, "-m", "scripts.bench_loading", way, str(threads), *map(str, graphs)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, check=True, cwd=REPOSITORY, env=environment(REPOSITORY)
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _write_optimized(threads: int, paths: Sequence[Path]) -> None:
    """The first half of *paths*, optimized for this processor, into the second."""
    import onnxruntime

    half = len(paths) // 2
    for graph, kept in zip(paths[:half], paths[half:], strict=True):
        options = session_options(threads)
        options.optimized_model_filepath = str(kept)
        onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def _measure(way: str, threads: int, graphs: Sequence[Path]) -> dict[str, float]:
    options = session_options(threads)
    WAYS.get(way, _as_it_is)(options)
    import onnxruntime

    keep_freed_memory()
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    sessions = [
        onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        for graph in graphs
    ]
    opened_s, opened_cpu_s = time.perf_counter(), time.process_time()
    fed = [(session, _inputs(session)) for session in sessions]
    times_s, cpu_before_s = [], 0.0
    for number in range(N_RUNS + 1):
        if number == 1:
            cpu_before_s = time.process_time()
        start_run_s = time.perf_counter()
        for session, inputs in fed:
            session.run(None, inputs)
        times_s.append(time.perf_counter() - start_run_s)
    return {
        "open_ms": (opened_s - start_s) * 1000,
        "open_cpu_ms": (opened_cpu_s - start_cpu_s) * 1000,
        "first_ms": times_s[0] * 1000,
        "run_ms": statistics.median(times_s[1:]) * 1000,
        "cpu_ms": (time.process_time() - cpu_before_s) / N_RUNS * 1000,
        "peak_rss_mb": peak_rss_mb(),
    }


def _inputs(session: Any) -> dict[str, Any]:
    """Zeros of STEPS steps, but what a Piper graph reads as a length or a factor. What has no shape is a latent."""
    special = {
        "input_lengths": np.array([STEPS], np.int64),
        "scales": np.array([0.667, 1.0, 0.8], np.float32),
    }
    types = {"tensor(int64)": np.int64, "tensor(float)": np.float32}
    return {
        node.name: special[node.name]
        if node.name in special
        else np.zeros(
            [each if isinstance(each, int) else STEPS for each in node.shape or (1, N_LATENTS, STEPS)],
            types[node.type],
        )
        for node in session.get_inputs()
    }


def main() -> None:
    way, threads, graphs = sys.argv[1], int(sys.argv[2]), [Path(name) for name in sys.argv[3:]]
    if way == "write":
        _write_optimized(threads, graphs)
        print("{}")
    else:
        print(json.dumps(_measure(way, threads, graphs)))


if __name__ == "__main__":
    main()
