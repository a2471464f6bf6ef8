"""What `scripts/bench` prints and puts into docs/performance.md: tables, ratios, the plot."""

from __future__ import annotations

import os
import platform
import re
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_tts.config import VoicesConfig


@dataclass(frozen=True)
class Case:
    """What is measured in one process."""

    engine: str
    """"daemon", or one of ENGINES."""

    voice: str
    threads: int
    """0: as many as there are processors, for piper-tts onnxruntime's default."""

    version: str = ""
    """Revision of the daemon's package; the working tree without one."""

    def __str__(self) -> str:
        return f"{self.engine} {self.voice}, {threads(self)}" + (f", {self.version}" if self.version else "")


Round = dict[Case, dict[str, float]]

DAEMON = Case("daemon", VoicesConfig().default, 1)
ROWS = {
    "start to ready": ("ready_s", "{:.2f} s", "≤ 2 s"),
    "start to ready, with the embedded broker": ("ready_broker_s", "{:.2f} s", ""),
    "processor time of a start": ("start_cpu_s", "{:.2f} s", ""),
    "first audio, cold (first request)": ("cold_ms", "{:.1f} ms", ""),
    "first audio, warm": ("warm_ms", "{:.1f} ms", "≤ 40 ms"),
    "first audio, cached": ("cached_ms", "{:.1f} ms", ""),
    "processor time of an announcement": ("cpu_s", "{:.3f} s", ""),
    "RSS of the daemon": ("rss_mb", "{:.0f} MB", "≤ 160 MB"),
    "peak RSS of the daemon": ("peak_rss_mb", "{:.0f} MB", ""),
    "RSS with the embedded broker, before the first request": ("rss_broker_mb", "{:.0f} MB", ""),
    "RSS added by the first Chinese text": ("chinese_mb", "{:.0f} MB", ""),
    "idle CPU": ("idle_percent", "{:.2f} %", "≤ 0.5 %"),
}
"""Of the daemon: row → figure, how it is written, target."""

ENGINE_FIGURES = {
    "load": ("load_s", "{:.2f} s"),
    "first audio": ("first_audio_ms", "{:.1f} ms"),
    "RTF": ("rtf", "{:.4f}"),
    "processor time": ("cpu_s", "{:.3f} s"),
    "peak RSS": ("peak_rss_mb", "{:.0f} MB"),
}


def threads(case: Case) -> str:
    return "all" if case.threads == 0 else str(case.threads)


def median(rounds: Sequence[Round], case: Case, figure: str) -> float:
    return statistics.median(each[case][figure] for each in rounds)


def ratio(rounds: Sequence[Round], mine: Case, theirs: Case, figure: str) -> str:
    """Median of the ratios within a round, with the least and the greatest."""
    ratios = sorted(each[mine][figure] / each[theirs][figure] for each in rounds if each[theirs][figure])
    if not ratios:
        return ""
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def beside_others(rounds: Sequence[Round], missing: Mapping[str, str]) -> str:
    daemon = [
        (row, form.format(median(rounds, DAEMON, figure)), target)
        for row, (figure, form, target) in ROWS.items()
    ]
    cases = [case for case in rounds[0] if case != DAEMON]
    engines = [
        [case.voice, case.engine, threads(case)]
        + [form.format(median(rounds, case, figure)) for figure, form in ENGINE_FIGURES.values()]
        for case in sorted(cases, key=lambda case: (case.voice, case.threads != 1, case.engine))
    ]
    engines += [["", engine, "", reason, "", "", "", ""] for engine, reason in missing.items()]
    return "\n".join(
        [
            f"Measured by `scripts/bench` on {machine()}; medians of {len(rounds)} round(s).\n",
            table(["figure", "measured", "target"], daemon),
            table(["voice", "engine", "threads", *ENGINE_FIGURES], engines),
            "edge_tts ÷ the other on the same graph, the extremes of the rounds in brackets. Targets beside "
            "piper-tts: first audio ≤ 0.25, peak RSS ≤ 0.5; RTF of the bundled voice ≤ 0.010.\n",
            table(["voice", "threads", "beside", *ENGINE_FIGURES], _ratios(rounds, cases)),
        ]
    )


def _ratios(rounds: Sequence[Round], cases: Sequence[Case]) -> list[list[str]]:
    return [
        [case.voice, threads(case), case.engine]
        + [ratio(rounds, mine, case, figure) for figure, _ in ENGINE_FIGURES.values()]
        for case in sorted(cases, key=lambda case: (case.voice, case.threads != 1, case.engine))
        if case.engine != "edge_tts" and (mine := Case("edge_tts", case.voice, case.threads)) in cases
    ]


def against(rounds: Sequence[Round], revision: str) -> str:
    rows = []
    for case in (case for case in rounds[0] if not case.version):
        then = Case(case.engine, case.voice, case.threads, revision)
        figures = (
            {row: (figure, form) for row, (figure, form, _) in ROWS.items()}
            if case == DAEMON
            else {f"{case.voice}: {name}": each for name, each in ENGINE_FIGURES.items()}
        )
        rows += [
            [
                name,
                form.format(median(rounds, case, figure)),
                form.format(median(rounds, then, figure)),
                ratio(rounds, case, then, figure),
            ]
            for name, (figure, form) in figures.items()
        ]
    head = ["figure", "now", revision, "now ÷ then (extremes of the rounds)"]
    return f"{machine()}; {len(rounds)} round(s), both versions in each.\n\n" + table(head, rows)


def plot(rounds: Sequence[Round], path: Path) -> None:
    """First audio as bars, on a logarithmic axis: the engines lie far apart."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    bars = {
        "bundled voice, cached": median(rounds, DAEMON, "cached_ms"),
        "bundled voice": median(rounds, DAEMON, "warm_ms"),
    } | {
        f"{case.voice}, {case.engine}": median(rounds, case, "first_audio_ms")
        for case in rounds[0]
        if case.engine == "espeak-ng" or (case.engine != "daemon" and case.threads == 0)
    }
    colours = ["#2a7" if "bundled" in name or "edge_tts" in name else "#999" for name in bars]
    figure, axes = pyplot.subplots(figsize=(8, 0.8 + 0.36 * len(bars)), layout="constrained")
    drawn = axes.barh(list(bars), list(bars.values()), color=colours)
    axes.bar_label(drawn, fmt="%.3g ms", padding=4)
    axes.set_xscale("log")
    axes.set_xlim(min(bars.values()) / 2, max(bars.values()) * 3)
    axes.set_xlabel("ms from the request to the first sound of a 20-word sentence")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def write(document: Path, section: str, text: str) -> None:
    """Replace what stands between the markers of *section*."""
    before = document.read_text(encoding="utf-8")
    begin, end = f"<!-- bench: {section} -->\n", f"<!-- end of {section} -->\n"
    after, n_found = re.subn(
        re.escape(begin) + ".*?" + re.escape(end), lambda _: f"{begin}{text}{end}", before, flags=re.DOTALL
    )
    if n_found != 1:
        raise ValueError(
            f"{document} has {n_found} sections between {begin.strip()} and {end.strip()}; expected 1"
        )
    document.write_text(after, encoding="utf-8")


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.split(":")[1].strip() for line in lines if "model name" in line)
    model = next(names, platform.machine())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
