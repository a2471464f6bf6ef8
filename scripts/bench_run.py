"""The measurements behind `scripts/bench`: every figure of README and docs comes from here.

Speeds of different machines do not compare, so each is also given as a ratio to piper-tts in the same run. Each
engine runs in a process of its own; memory is that process's peak resident set.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from edge_tts.config import BUNDLED_VOICES

REPOSITORY = Path(__file__).parent.parent
BUNDLED = "kathleen-kerstin-yuetan"
THINGS = ["washing machine", "garage door", "water heater", "dish washer", "coffee machine", "front window"]
ROOMS = ["kitchen", "cellar", "bathroom", "garden", "hallway", "office"]
TARGETS = {
    "first audio, warm": "≤ 40 ms",
    "RTF, one thread": "≤ 0.010",
    "RSS of the daemon": "≤ 160 MB",
    "start to ready": "≤ 2 s",
    "idle CPU": "≤ 0.5 %",
    "Piper-medium first audio / piper-tts": "≤ 0.25",
    "Piper-medium peak RSS / piper-tts": "≤ 0.5",
}


def sentence(number: int) -> str:
    """A different sentence of 20 words for each *number*."""
    thing, room = THINGS[number % len(THINGS)], ROOMS[number // len(THINGS) % len(ROOMS)]
    count = ["two", "three", "four", "five", "six", "seven", "eight", "nine"][number % 8]
    return f"The {thing} in the {room} has been running for more than {count} hours now, please look after it tonight."


assert {len(sentence(number).split()) for number in range(60)} <= {20, 21}


# One engine in this process: `python -m scripts.bench_run worker …`


def measure(first_piece: Callable[[str], Iterator[float]], n_sentences: int) -> dict[str, float]:
    """*first_piece* yields the seconds of audio of each piece of a text; returns medians over the sentences."""
    list(first_piece(sentence(99)))
    first_s, total_s, audio_s = [], 0.0, 0.0
    for number in range(n_sentences):
        start_s = time.perf_counter()
        pieces = first_piece(sentence(number))
        audio_s += next(pieces)
        first_s.append(time.perf_counter() - start_s)
        audio_s += sum(pieces)
        total_s += time.perf_counter() - start_s
    return {"first_audio_ms": statistics.median(first_s) * 1000, "rtf": total_s / audio_s}


def ours(folder: Path, voice: str, threads: int) -> Callable[[str], Iterator[float]]:
    from edge_tts.app import build_synthesizer
    from edge_tts.config import CacheConfig, Config, VoicesConfig
    from edge_tts.metrics import Metrics
    from edge_tts.speech import SpeakRequest

    config = Config(
        voices=VoicesConfig(default=voice, folders=(folder,), threads=threads), cache=CacheConfig(limit_mb=0)
    )
    synthesizer = build_synthesizer(config, Metrics())

    def speak(text: str) -> Iterator[float]:
        for piece in synthesizer.render(synthesizer.plan(SpeakRequest(text), voice)):
            yield piece.audio.duration_s

    return speak


def piper(path: Path, threads: int) -> Callable[[str], Iterator[float]]:
    """piper-tts from PyPI as its documentation uses it; *threads* 0 leaves onnxruntime's default."""
    import onnxruntime
    from piper import PiperConfig, PiperVoice

    voice = PiperVoice.load(path)
    if threads:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
        settings = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
        voice = PiperVoice(session=session, config=PiperConfig.from_dict(settings))

    def speak(text: str) -> Iterator[float]:
        for chunk in voice.synthesize(text):
            yield len(chunk.audio_int16_bytes) / 2 / chunk.sample_rate

    return speak


def work(engine: str, folder: Path, threads: int, n_sentences: int) -> None:
    """Entry of a worker process: prints its figures as JSON."""
    if threads == 1:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    start_s = time.perf_counter()
    if engine == "piper-tts":
        speak = piper(folder / "medium.onnx", threads)
    else:
        speak = ours(folder, BUNDLED if engine == "bundled" else "medium", threads or (os.cpu_count() or 1))
    list(speak("One, two, three."))
    load_s = time.perf_counter() - start_s
    figures = measure(speak, n_sentences) | {"load_s": load_s}
    status = Path("/proc/self/status").read_text()
    figures["peak_rss_mb"] = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps(figures))


def run_worker(engine: str, folder: Path, threads: int, n_sentences: int) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "scripts.bench_run",
        "worker",
        engine,
        str(folder),
        str(threads),
        str(n_sentences),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    if done.returncode:
        raise RuntimeError(f"{engine}: {done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


# The daemon as its users meet it


class BenchedDaemon:
    def __init__(self, process: psutil.Popen, port: int, ready_s: float) -> None:
        self.process = process
        self.port = port
        self.ready_s = ready_s

    def first_sample_ms(self, text: str) -> float:
        """From sending the request to the first byte of sound after the WAV header."""
        body = json.dumps({"text": text}).encode()
        head = (
            "POST /api/tts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start_s = time.perf_counter()
            connection.sendall(head.encode() + body)
            answer = b""
            first_ms = 0.0
            while received := connection.recv(65536):
                answer += received
                at = answer.find(b"RIFF")
                if not first_ms and at >= 0 and len(answer) > at + 44 + 32:
                    first_ms = (time.perf_counter() - start_s) * 1000
            if b" 200 " not in answer[:20]:
                raise RuntimeError(answer[:500])
            return first_ms

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory_mb(self, field: str) -> float:
        """VmRSS now or VmHWM at its peak."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{field}:")[1].split()[0]) / 1024


@contextmanager
def daemon(folder: Path) -> Iterator[BenchedDaemon]:
    """`edgetts run` with the bundled voice and the null sink; ready when it tells systemd so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "config.yaml"
    config.write_text(
        f"http: {{port: {port}}}\naudio: {{sink: 'null'}}\n"
        f"cache: {{dir: {folder}/cache}}\nstate: {{dir: {folder}/state}}\n"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(folder / "notify"))
        systemd.settimeout(60)
        start_s = time.perf_counter()
        process = psutil.Popen(
            [sys.executable, "-m", "edge_tts", "run", "--config", str(config)],
            env=os.environ | {"NOTIFY_SOCKET": str(folder / "notify")},
            cwd=REPOSITORY,
            stderr=(folder / "log").open("wb"),
        )
        try:
            while b"READY=1" not in systemd.recv(100):
                pass
            yield BenchedDaemon(process, port, time.perf_counter() - start_s)
        finally:
            process.terminate()
            process.wait(10)


def bench_daemon(n_sentences: int, idle_s: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name, daemon(Path(name)) as running:
        figures = {"ready_s": running.ready_s, "rss_ready_mb": running.memory_mb("VmRSS")}
        figures["cold_ms"] = running.first_sample_ms(sentence(98))
        texts = [sentence(number) for number in range(n_sentences)]
        figures["warm_ms"] = statistics.median(running.first_sample_ms(text) for text in texts)
        figures["cached_ms"] = statistics.median(running.first_sample_ms(text) for text in texts)
        figures["rss_mb"] = running.memory_mb("VmRSS")
        figures["peak_rss_mb"] = running.memory_mb("VmHWM")
        before_s = running.cpu_s()
        time.sleep(idle_s)
        figures["idle_percent"] = (running.cpu_s() - before_s) / idle_s * 100
        running.first_sample_ms("洗衣机已经洗好了。")
        figures["chinese_mb"] = running.memory_mb("VmRSS") - figures["rss_mb"]
        return figures


@dataclass(frozen=True)
class Figures:
    served: dict[str, float]
    """The daemon with the bundled voice."""

    bundled: dict[str, float]
    """The bundled voice on one thread."""

    engines: dict[tuple[str, int], dict[str, float]]
    """(engine, threads) on the Piper graph; 0 threads is each engine's default."""


def measured(quick: bool, piper_voice: Path | None) -> Figures:
    from tests.tiny_vits import build_piper

    n_sentences, idle_s = (5, 5.0) if quick else (20, 30.0)
    served = bench_daemon(n_sentences, idle_s)
    bundled_1 = run_worker("bundled", BUNDLED_VOICES, 1, n_sentences)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if piper_voice:
            (folder / "medium.onnx").symlink_to(piper_voice.resolve())
            (folder / "medium.onnx.json").symlink_to(f"{piper_voice.resolve()}.json")
        else:
            build_piper(folder / "medium.onnx", size="medium")
        engines = {
            (engine, threads): run_worker(engine, folder, threads, max(3, n_sentences // 3))
            for engine in ("piper-graph", "piper-tts")
            for threads in (1, 0)
        }
    return Figures(served, bundled_1, engines)


def table(figures: Figures) -> list[tuple[str, str, str]]:
    """Rows of (figure, measured, target)."""
    served, engines = figures.served, figures.engines
    rows = [
        ("start to ready", f"{served['ready_s']:.2f} s"),
        ("first audio, cold (first request)", f"{served['cold_ms']:.0f} ms"),
        ("first audio, warm", f"{served['warm_ms']:.1f} ms"),
        ("first audio, cached", f"{served['cached_ms']:.1f} ms"),
        ("RTF, one thread", f"{figures.bundled['rtf']:.4f}"),
        ("RSS of the daemon", f"{served['rss_mb']:.0f} MB"),
        ("peak RSS of the daemon", f"{served['peak_rss_mb']:.0f} MB"),
        ("RSS added by the first Chinese text", f"{served['chinese_mb']:.0f} MB"),
        ("idle CPU", f"{served['idle_percent']:.2f} %"),
    ]
    for threads, label in ((1, "one thread"), (0, "default threads")):
        mine, theirs = engines["piper-graph", threads], engines["piper-tts", threads]
        rows += [
            (
                f"Piper-medium first audio, {label}",
                f"{mine['first_audio_ms']:.0f} ms; piper-tts {theirs['first_audio_ms']:.0f} ms",
            ),
            (f"Piper-medium RTF, {label}", f"{mine['rtf']:.3f}; piper-tts {theirs['rtf']:.3f}"),
            (
                f"Piper-medium peak RSS, {label}",
                f"{mine['peak_rss_mb']:.0f} MB; piper-tts {theirs['peak_rss_mb']:.0f} MB",
            ),
        ]
    mine, theirs = engines["piper-graph", 0], engines["piper-tts", 0]
    rows += [
        ("Piper-medium first audio / piper-tts", f"{mine['first_audio_ms'] / theirs['first_audio_ms']:.2f}"),
        ("Piper-medium RTF / piper-tts", f"{mine['rtf'] / theirs['rtf']:.2f}"),
        ("Piper-medium peak RSS / piper-tts", f"{mine['peak_rss_mb'] / theirs['peak_rss_mb']:.2f}"),
    ]
    return [(name, value, TARGETS.get(name, "")) for name, value in rows]


def plot(figures: Figures, path: Path) -> None:
    """First audio as bars, on a logarithmic axis: the engines lie far apart."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    bars = {
        "bundled voice, cached": figures.served["cached_ms"],
        "bundled voice": figures.served["warm_ms"],
        "Piper-medium graph, edge_tts": figures.engines["piper-graph", 0]["first_audio_ms"],
        "Piper-medium graph, piper-tts": figures.engines["piper-tts", 0]["first_audio_ms"],
    }
    figure, axes = pyplot.subplots(figsize=(8, 2.4), layout="constrained")
    drawn = axes.barh(list(bars), list(bars.values()), color=["#2a7", "#2a7", "#2a7", "#999"])
    axes.bar_label(drawn, fmt="%.0f ms", padding=4)
    axes.set_xscale("log")
    axes.set_xlim(0.5, max(bars.values()) * 3)
    axes.set_xlabel("ms from the request to the first sound of a 20-word sentence")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def machine() -> str:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"


def main() -> None:
    if sys.argv[1:2] == ["worker"]:
        engine, folder, threads, n_sentences = sys.argv[2:]
        work(engine, Path(folder), int(threads), int(n_sentences))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sentences, for a first look")
    parser.add_argument("--markdown", type=Path, help="also write the table here")
    parser.add_argument(
        "--piper", type=Path, help="a Piper voice (x.onnx with x.onnx.json) instead of one made on the spot"
    )
    parser.add_argument("--plot", type=Path, help="also draw first audio here, as SVG")
    options = parser.parse_args()
    figures = measured(options.quick, options.piper)
    rows = [f"| {' | '.join(row)} |" for row in table(figures)]
    head = ["| figure | measured | target |", "|---|---|---|"]
    text = "\n".join([f"Measured by `scripts/bench` on {machine()}.", "", *head, *rows, ""])
    print(text)
    if options.plot:
        plot(figures, options.plot)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
