"""The measurements behind `scripts/bench`: every figure of README and docs comes from here.

Speeds of different machines do not compare, so each engine is measured beside the others in one run: every engine once
in each round, the next round in the opposite order, each in a process of its own. Figures are medians over the rounds,
ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge_tts.config import VoicesConfig
from scripts import bench_loading, bench_report
from scripts.bench_daemon import environment, measure_daemon
from scripts.bench_report import Case, Round

REPOSITORY = Path(__file__).parent.parent
BUNDLED = VoicesConfig().default
MEDIUM, LOW = "piper-medium", "piper-low"
SHORTEST_RUN = 3
"""Sentences; of an engine that needs a second for each, a third of what the others say."""


def cases_beside_others(voices: Sequence[str]) -> list[Case]:
    engines = ("edge_tts", "sherpa-onnx", "piper-tts")
    cases = [Case("daemon", BUNDLED, 1), Case("edge_tts", BUNDLED, 1), Case("espeak-ng", "English", 1)]
    return cases + [
        Case(engine, voice, threads) for voice in voices for threads in (1, 0) for engine in engines
    ]


def cases_against(revision: str, voices: Sequence[str]) -> list[Case]:
    cases = [Case("daemon", BUNDLED, 1), *(Case("edge_tts", voice, 1) for voice in (BUNDLED, *voices))]
    return [each for case in cases for each in (case, Case(case.engine, case.voice, case.threads, revision))]


def measure(case: Case, package: Path, graphs: Path, n_sentences: int, idle_s: float) -> dict[str, float]:
    """Raises MissingPeer if the engine is not there to be measured."""
    if case.engine == "daemon":
        return measure_daemon(environment(package), package, n_sentences, idle_s)
    if graphs.joinpath(f"{case.voice}.onnx").exists():
        n_sentences = max(SHORTEST_RUN, n_sentences // 3)
    worker = REPOSITORY / "scripts" / "bench_engines.py"
    arguments = [case.engine, str(graphs), case.voice, str(case.threads), str(n_sentences)]
    done = subprocess.run(
        [sys.executable, str(worker), *arguments],
        capture_output=True,
        text=True,
        env=environment(package),
        cwd=package,
        check=False,
    )
    if done.returncode and case.engine == "edge_tts":
        raise RuntimeError(f"{case.engine}: {done.stderr}")
    if done.returncode:
        raise MissingPeer(f"fails: {done.stderr.strip().splitlines()[-1]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    if "missing" in figures:
        raise MissingPeer(str(figures["missing"]))
    return figures


class MissingPeer(Exception):  # noqa: N818 not an error: its row says so
    """An engine that is not installed, or fails."""


def run_rounds(
    cases: Sequence[Case], n_rounds: int, measured: Callable[[Case], dict[str, float]]
) -> tuple[list[Round], dict[str, str]]:
    """The figures of each round, and why engines are missing."""
    rounds: list[Round] = []
    missing: dict[str, str] = {}
    for number in range(n_rounds):
        figures: Round = {}
        for case in cases[:: 1 if number % 2 == 0 else -1]:
            if case.engine in missing:
                continue
            print(f"round {number + 1} of {n_rounds}: {case}", file=sys.stderr)
            try:
                figures[case] = measured(case)
            except MissingPeer as reason:
                missing[case.engine] = str(reason)
        rounds.append(figures)
    return rounds, missing


def make_graphs(folder: Path, own: Path | None) -> list[str]:
    """Piper-sized graphs in *folder*, with what sherpa-onnx wants beside them; returns their names."""
    from tests.tiny_vits import build_piper

    if own:
        (folder / own.name).write_bytes(own.read_bytes())
        (folder / f"{own.name}.json").write_bytes(own.with_name(f"{own.name}.json").read_bytes())
        names = [own.stem]
    else:
        names = [MEDIUM, LOW]
        build_piper(folder / f"{MEDIUM}.onnx", "medium")
        # Piper's low quality has the layers of medium at a lower sample rate.
        audio = {"sample_rate": 16000, "quality": "low"}
        build_piper(folder / f"{LOW}.onnx", "medium", audio=audio)
    for name in names:
        _describe_for_sherpa(folder / f"{name}.onnx")
    return names


def _describe_for_sherpa(path: Path) -> None:
    """Its metadata in the graph, its table of tokens beside it."""
    import onnx

    settings = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
    graph = onnx.load(path)
    described = {
        **{"model_type": "vits", "comment": "piper", "language": "English", "voice": "en-us"},
        **{"has_espeak": 1, "add_blank": 1, "n_speakers": settings["num_speakers"]},
        "sample_rate": settings["audio"]["sample_rate"],
    }
    onnx.helper.set_model_props(graph, {key: str(value) for key, value in described.items()})
    onnx.save(graph, path)
    # It takes symbols of one codepoint; of the others espeak-ng's English has none.
    ids = {symbol: ids[0] for symbol, ids in settings["phoneme_id_map"].items() if len(symbol) == 1}
    tokens = "".join(f"{symbol} {number}\n" for symbol, number in ids.items())
    path.with_suffix(".tokens.txt").write_text(tokens, encoding="utf-8")


@contextmanager
def unpacked(revision: str) -> Iterator[Path]:
    """What the daemon needs of *revision*, in a folder of its own."""
    command = ["git", "-C", str(REPOSITORY), "archive", revision, "edge_tts", "models_onnx"]
    with tempfile.TemporaryDirectory() as name:
        packed = Path(name) / "packed.tar"
        packed.write_bytes(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        with tarfile.open(packed) as archive:
            archive.extractall(name, filter="data")
        yield Path(name)


def run(options: argparse.Namespace) -> str:
    """The report as Markdown."""
    n_rounds, n_sentences, idle_s = (1, SHORTEST_RUN, 3.0) if options.quick else (options.rounds, 20, 10.0)
    with tempfile.TemporaryDirectory() as name:
        graphs = Path(name)
        voices = make_graphs(graphs, options.piper)
        if options.loading:
            return bench_loading.report(graphs / f"{voices[0]}.onnx", n_rounds)
        if options.against:
            with unpacked(options.against) as then:

                def compared(case: Case) -> dict[str, float]:
                    package = then if case.version else REPOSITORY
                    return measure(case, package, graphs, n_sentences, idle_s)

                rounds, _ = run_rounds(cases_against(options.against, voices), n_rounds, compared)
            return bench_report.against(rounds, options.against)
        rounds, missing = run_rounds(
            cases_beside_others(voices),
            n_rounds,
            lambda case: measure(case, REPOSITORY, graphs, n_sentences, idle_s),
        )
        if options.write:
            bench_report.plot(rounds, REPOSITORY / "docs" / "first-audio.svg")
        return bench_report.beside_others(rounds, missing)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of few sentences, for a first look")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument(
        "--piper",
        type=Path,
        help="a Piper voice (x.onnx with x.onnx.json) instead of graphs made on the spot",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--against", metavar="REV", help="beside an earlier version of the daemon instead of others"
    )
    kind.add_argument("--loading", action="store_true", help="ways to open a graph instead")
    parser.add_argument(
        "--write", action="store_true", help="put the result into docs/performance.md and its plot"
    )
    options = parser.parse_args()
    if options.write and options.against:
        parser.error("--write keeps the figures of this version: leave --against out")
    text = run(options)
    print(text)
    if options.write:
        section = "loading" if options.loading else "beside others"
        bench_report.write(REPOSITORY / "docs" / "performance.md", section, text)


if __name__ == "__main__":
    main()
