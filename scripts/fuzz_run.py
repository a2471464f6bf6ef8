"""scripts/fuzz: spoilt input into everything that reads what comes from outside, and a table of what came of it.

Goes on where it was ended: `--cases` counts what build/fuzz knows of. Cases of other code than today's do not count,
but the input that reached far is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts import fuzz_http
from scripts.fuzz_targets import TARGETS
from scripts.fuzz_worker import CURRENT, Tally, keep_current, read_tally, write_tally

REPOSITORY = Path(__file__).parent.parent
FOLDER = REPOSITORY / "build" / "fuzz"
HTTP, HTTP_SHARE = "http", 0.002
MAX_DEATHS = 50
"""Of one target: then it is given up."""

SHARES = {name: target.share for name, target in TARGETS.items()} | {HTTP: HTTP_SHARE}
_COVERAGE = re.compile(r"^#\d+\s+(?:INITED|NEW|REDUCE|pulse|DONE)\s+cov: (\d+)", re.MULTILINE)
_REASON = re.compile(r"(?:File \".*/(edge_tts/\S+)\", line (\d+))|(?:ERROR: libFuzzer: (.+))")


def code_digest() -> str:
    """Of everything that is fuzzed."""
    paths = sorted((REPOSITORY / "edge_tts").rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def fuzz(name: str, cases: int, folder: Path) -> Tally:
    """*cases* of one target in all; a process that dies is a finding, and another one goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    if not _is_of(folder, code_digest()):
        write_tally(folder, Tally())
        (folder / "code").write_text(code_digest())
    for _ in range(MAX_DEATHS):
        before = read_tally(folder)
        if before.cases >= cases:
            break
        if name == HTTP:
            fuzz_http.run(cases, folder, before)
            break
        _work(name, cases, folder)
    return read_tally(folder)


def _is_of(folder: Path, digest: str) -> bool:
    return (folder / "code").exists() and (folder / "code").read_text() == digest


def _work(name: str, cases: int, folder: Path) -> None:
    """Let one process run until it is through or dead."""
    (folder / CURRENT).unlink(missing_ok=True)
    command = [sys.executable, "-X", "faulthandler", "-m", "scripts.fuzz_worker", name, str(folder)]
    done = subprocess.run(
        [*command, "--cases", str(cases)],
        check=False,
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "MALLOC_ARENA_MAX": "2"},
    )
    said = done.stderr.decode("utf-8", "replace")
    tally = read_tally(folder)
    reached = [int(number) for number in _COVERAGE.findall(said)]
    if reached:
        tally.coverage = [(tally.coverage or reached)[0], max(reached)]
    if done.returncode == -signal.SIGINT:
        raise KeyboardInterrupt
    if done.returncode:
        tally.findings[_death(done.returncode, said)] = keep_current(folder)
        tally.cases += 1
    write_tally(folder, tally)


def _death(status: int, said: str) -> str:
    where = [f"{place}:{line}" if place else reason for place, line, reason in _REASON.findall(said)]
    return f"died: status {status}, {where[0] if where else said[-200:].strip()}"


def shares(total: int, names: Sequence[str]) -> dict[str, int]:
    """*total* cases among *names*."""
    whole = sum(SHARES[name] for name in names)
    return {name: max(1, round(total * SHARES[name] / whole)) for name in names}


def report(tallies: Mapping[str, Tally]) -> str:
    """A Markdown table, then the findings."""
    lines = ["| target | cases | cases/s | places reached | found by fuzzing | findings | longest case, ms |"]
    lines += ["|---|--:|--:|--:|--:|--:|--:|"]
    for name, tally in tallies.items():
        speed = tally.cases / max(tally.busy_s, 1e-3)
        reached = (
            (str(tally.coverage[1]), f"+{tally.coverage[1] - tally.coverage[0]}")
            if tally.coverage
            else ("–", "–")
        )
        cells = [name, f"{tally.cases:,}", f"{speed:,.0f}", *reached, str(len(tally.findings))]
        lines.append(f"| {' | '.join(cells)} | {tally.longest_ms:,.0f} |")
    cases = sum(tally.cases for tally in tallies.values())
    findings = [
        f"- {name}: {what} (`{file}`)" for name, t in tallies.items() for what, file in t.findings.items()
    ]
    lines += ["", f"{cases:,} cases, {len(findings)} findings."]
    return "\n".join([*lines, "", *findings] if findings else lines) + "\n"


def document(tallies: Mapping[str, Tally]) -> str:
    """docs/fuzz.md."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return (
        "# Fuzzing\n\n"
        "Everything that reads what comes from outside is given spoilt input (`scripts/fuzz`). An error of our own\n"
        "tree is a good answer; any other exception, a crash, 1 s of processor time for 10 kB or 1 GB of memory is a\n"
        "finding. Cases per second are of processor time; places are branches of our code.\n\n"
        f"By `scripts/fuzz` on {time.strftime('%Y-%m-%d')}, {machine}:\n\n{report(tallies)}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=1_000_000, help="in all, shared among the targets")
    parser.add_argument("--target", choices=SHARES, action="append", help="only this one; may be repeated")
    parser.add_argument("--markdown", type=Path, help="write the table into this file")
    arguments = parser.parse_args()
    given = shares(arguments.cases, arguments.target or list(SHARES))
    tallies = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda name: fuzz(name, given[name], FOLDER / name), given)
        try:
            for name, tally in zip(given, done, strict=True):
                tallies[name] = tally
                print(report({name: tally}).split("\n")[2], flush=True)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    print("\n" + report(tallies))
    if arguments.markdown:
        arguments.markdown.write_text(document(tallies), encoding="utf-8")
    return 1 if any(tally.findings for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
