"""What the big families cost on this machine: full-size graphs with random weights, as tests/full_*.py make them.

Each in a process of its own. Random weights say nothing about how it sounds, but take as long as real ones.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import yaml

from edge_tts.app import build_synthesizer
from edge_tts.config import CacheConfig, Config, MemoryConfig, StateConfig, VoicesConfig
from edge_tts.convert.int8 import quantize
from edge_tts.memory import peak_rss_bytes, rss_bytes
from edge_tts.metrics import Metrics
from edge_tts.speech import Audio, SpeakRequest
from edge_tts.synthesizer import Synthesizer
from scripts.bench_daemon import daemon, environment

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/families.md"
BEGIN, END = "<!-- figures: scripts/bench_families -->", "<!-- /figures -->"
FAMILIES = ("sambert", "emotivoice", "gpt_sovits", "cosyvoice")
TEXTS = ("洗衣机已经洗完了，请及时晾晒衣服。", "今天下午三点有小雨，出门请记得带伞，路上注意安全。")
N_RUNS = 3
MAX_RUNS_S = 30.0
"""No run begins after it: voices slower than speech are measured by one."""

N_CALLERS = 24
CROWDED = ("sambert",)
"""Asked by all of them at once."""

ARTICLE = {"peak_mb": 1100, "load_s": 21.0, "first_s": 4.1, "rtf": 1.0, "per_minute": 12}
"""Of the articles about Sambert-HifiGAN on a server's processor: to be beaten threefold."""


def in_8_bits(folder: Path, roles: Sequence[str]) -> None:
    """Quantize the matrix products of the graphs in *roles* of the voice in *folder*, in place."""
    path = folder / "voice.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document.pop("sha256", None)
    for role in roles:
        document["files"][role] = quantize(folder / document["files"][role]).name
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")


def measure(folder: Path, threads: int) -> dict[str, Any]:
    """The figures of the voice in *folder*, in this process."""
    before_mb = rss_bytes() / 1e6
    with tempfile.TemporaryDirectory() as kept:
        metrics = Metrics()
        config = Config(
            voices=VoicesConfig(default=folder.name, folders=(folder,), threads=threads),
            cache=CacheConfig(limit_mb=0),
            memory=MemoryConfig(limit_mb=16_000),
            state=StateConfig(dir=Path(kept)),
        )
        synthesizer = build_synthesizer(config, metrics)
        name = next(each for each in synthesizer.voices.installed.voices if each != "hum")
        started_s = time.perf_counter()
        synthesizer.voices.loaded(name)
        load_s = time.perf_counter() - started_s
        reference = _enrolled(synthesizer, Path(kept))
        first = _said(synthesizer, name, TEXTS[0], reference)
        stages_before = _stages(metrics)
        runs: list[dict[str, float]] = []
        started_cpu_s = time.process_time()
        for text in TEXTS[1:] * N_RUNS:
            if sum(run["took_s"] for run in runs) < MAX_RUNS_S:
                runs.append(_said(synthesizer, name, text, reference))
        cpu_s = time.process_time() - started_cpu_s
        audio_s = sum(run["audio_s"] for run in runs)
        spent = {
            stage: round((total - stages_before.get(stage, 0.0)) / audio_s, 3)
            for stage, total in _stages(metrics).items()
        }
        # What else runs on the box lengthens it far less than the rest.
        spent["processor time of all"] = round(cpu_s / audio_s, 3)
        took_s = sum(run["took_s"] for run in runs)
        return {
            "load_s": load_s,
            "first_s": first["took_s"],
            "first_audio_s": min(run["first_audio_s"] for run in runs),
            "rtf": took_s / audio_s,
            "per_minute": 60 * len(runs) / took_s,
            "audio_s": audio_s / len(runs),
            "peak_mb": peak_rss_bytes() / 1e6,
            "before_mb": before_mb,
            "stages": spent,
        }


def _enrolled(synthesizer: Synthesizer, folder: Path) -> str | None:
    """For those that imitate somebody: five seconds of a buzz."""
    voice = next(each for each in synthesizer.voices.installed.voices if each != "hum")
    if "reference" not in synthesizer.voices.loaded(voice).model.controls:
        return None
    from edge_tts.audio import write_wav
    from tests.test_references import SAMPLE_RATE, buzz

    write_wav(folder / "clip.wav", Audio(buzz(5.0), SAMPLE_RATE))
    synthesizer.references.add("somebody", folder / "clip.wav", "今天天气很好。")
    return "somebody"


def _said(synthesizer: Synthesizer, voice: str, text: str, reference: str | None) -> dict[str, float]:
    started_s = time.perf_counter()
    first_audio_s, audio_s = 0.0, 0.0
    plan = synthesizer.plan(SpeakRequest(text, voice=voice, reference=reference), voice)
    for piece in synthesizer.render(plan):
        if len(piece.audio.samples):
            first_audio_s = first_audio_s or time.perf_counter() - started_s
        audio_s += piece.audio.duration_s
    return {
        "took_s": time.perf_counter() - started_s,
        "first_audio_s": first_audio_s,
        "audio_s": audio_s,
    }


def _stages(metrics: Metrics) -> dict[str, float]:
    """Seconds spent so far, by stage."""
    return {
        sample.labels["stage"]: sample.value
        for metric in metrics.stages.collect()
        for sample in metric.samples
        if sample.name.endswith("_sum")
    }


def measured_apart(family: str, threads: int) -> dict[str, dict[str, Any]]:
    """Kind → figures: "float32", and "8 bits" where the family allows it; or the builder's own KINDS, of which each is
    made in the place of the one before."""
    builder = import_module(f"tests.full_{family}")
    found = {}
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / family
        whole.mkdir()
        kinds: Mapping[str, Callable[[Path], None]] = getattr(builder, "KINDS", {})
        for kind, build in kinds.items():
            build(whole)
            found[kind] = measured_of(whole, threads)
        if kinds:
            return found
        builder.build(whole)
        found["float32"] = measured_of(whole, threads)
        if family in CROWDED:
            found["float32"]["crowd"] = crowd_of(whole, threads)
        roles: Sequence[str] = getattr(builder, "INT8_FILES", ())
        if roles:
            small = Path(name) / f"{family}-int8"
            shutil.copytree(whole, small)
            in_8_bits(small, roles)
            found["8 bits"] = measured_of(small, threads)
    return found


def measured_of(folder: Path, threads: int) -> dict[str, Any]:
    """`measure`, in a process of its own: peak memory never falls."""
    command = [sys.executable, "-m", "scripts.bench_families_run", "--measure", str(folder)]
    ran = subprocess.run(
        [*command, "--threads", str(threads)], check=True, capture_output=True, text=True, cwd=ROOT
    )
    figures: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return figures


def crowd_of(folder: Path, threads: int, n_callers: int = N_CALLERS) -> dict[str, float]:
    """Callers of /api/tts at once, each with a sentence of its own, of a daemon with the voice in *folder*. Raises
    RuntimeError for one that is not served."""
    voices = f"voices: {{default: {folder.name}, folders: [{folder}], threads: {threads}}}\n"
    with daemon(environment(ROOT), ROOT, more=f"{voices}memory: {{limit_mb: 16000}}\n") as running:
        running.first_sample_ms(TEXTS[0])
        before_s = running.cpu_s()

        def served(number: int) -> tuple[float, float]:
            started_s = time.perf_counter()
            first_ms = running.first_sample_ms(f"{number}号请注意，{TEXTS[1]}")
            return first_ms / 1000, time.perf_counter() - started_s

        with ThreadPoolExecutor(n_callers) as callers:
            waits = list(callers.map(served, range(1, n_callers + 1)))
        cpu_s = running.cpu_s() - before_s
    last_s = max(last_s for _, last_s in waits)
    return {
        "first_s": max(first_s for first_s, _ in waits),
        "last_s": last_s,
        "per_minute": 60 * n_callers / last_s,
        "cpu_s": cpu_s / n_callers,
    }


def table(found: Mapping[str, Mapping[str, Mapping[str, Any]]], threads: int, before: str = "") -> str:
    """The lines of other families stay as they are in *before*."""
    others = [family for family in FAMILIES if family not in found]
    rows, stages, crowds = (
        [
            line
            for line in before.splitlines()
            if line.startswith(tuple(f"{mark} {family}, " for family in others))
        ]
        for mark in "|-+"
    )
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, {threads} threads, random"
        f" weights of the published sizes, {N_RUNS} runs of a sentence of {len(TEXTS[1])} characters, fewer of"
        " what takes long.\n",
        "| | load, s | first sentence, s | first audio, s | RTF | sentences a minute | peak memory, MB |",
        "|---|---:|---:|---:|---:|---:|---:|",
        f"| *Sambert-HifiGAN, as published* | {ARTICLE['load_s']} | {ARTICLE['first_s']} | – | {ARTICLE['rtf']} |"
        f" {ARTICLE['per_minute']} | {ARTICLE['peak_mb']} |",
        *rows,
    ]
    for family, kinds in found.items():
        for kind, own in kinds.items():
            a_minute = f"{own['per_minute']:.0f}" if own["per_minute"] >= 10 else f"{own['per_minute']:.1f}"
            lines.append(
                f"| {family}, {kind} | {own['load_s']:.1f} | {own['first_s']:.2f} | {own['first_audio_s']:.2f} |"
                f" {own['rtf']:.2f} | {a_minute} | {own['peak_mb']:.0f} |"
            )
    lines += ["", "Seconds of work for a second of sound, by stage:", "", *stages]
    for family, kinds in found.items():
        for kind, own in kinds.items():
            shown = ", ".join(f"{stage} {seconds:.3f}" for stage, seconds in own["stages"].items() if seconds)
            lines.append(f"- {family}, {kind}: {shown}")
            if "crowd" in own:
                crowds.append(crowd_line(f"{family}, {kind}", own["crowd"]))
    if crowds:
        lines += [
            "",
            f"{N_CALLERS} callers of `/api/tts` at once, each with a sentence of its own:",
            "",
            *crowds,
        ]
    return "\n".join(lines) + "\n"


def crowd_line(voice: str, crowd: Mapping[str, float]) -> str:
    # What else ran on the box shows in the share that was had of its processors.
    n_processors = crowd["cpu_s"] * crowd["per_minute"] / 60
    return (
        f"+ {voice}: all served, {crowd['per_minute']:.0f} sentences a minute with {n_processors:.2f} processors, "
        f"{crowd['cpu_s']:.2f} s of them for each; the longest wait was {crowd['first_s']:.0f} s for the first sound "
        f"and {crowd['last_s']:.0f} s for the last"
    )


@click.command(help=__doc__)
@click.argument("families", nargs=-1, type=click.Choice(FAMILIES))
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True)
@click.option("--write", is_flag=True, help="Also into docs/families.md.")
@click.option("--measure", "folder", type=click.Path(path_type=Path), hidden=True)
def main(families: Sequence[str], threads: int, write: bool, folder: Path | None) -> None:
    if folder is not None:
        click.echo(json.dumps(measure(folder, threads)))
        return
    chosen = families or FAMILIES
    found = {}
    for family in chosen:
        if not (ROOT / f"tests/full_{family}.py").exists():
            click.echo(f"{family}: no full-size graphs can be made yet", err=True)
            continue
        found[family] = measured_apart(family, threads)
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    before, _, tail = rest.partition(END)
    result = table(found, threads, before)
    click.echo(result)
    if write:
        PAGE.write_text(f"{head}{BEGIN}\n{result}{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
