"""The table behind `scripts/faults`: what the tests of faults measured, as Markdown."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from defusedxml import ElementTree

from scripts.bench_report import machine, write

REPOSITORY = Path(__file__).parent.parent


def run(report: Path) -> int:
    """The tests; returns pytest's exit status."""
    tests = sorted(str(path) for path in (REPOSITORY / "tests").glob("test_faults_*.py"))
    # record_property belongs to this family of reports.
    options = ["-o", "junit_family=xunit1", f"--junitxml={report}", "--show-capture=no"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests], cwd=REPOSITORY, check=False
    ).returncode


def table(report: Path) -> str:
    rows = ["| fault | measured | target |", "|---|---|---|"]
    for each in ElementTree.parse(report).iter("property"):
        took_s, target_s = each.attrib["value"].split()
        rows.append(f"| {each.attrib['name']} | {took_s} s | ≤ {target_s} s |")
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--markdown",
        type=Path,
        help="also write the table into this page, between its markers, if all went well",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        status = run(report)
        # Times of a busy machine are longer: a start alone takes one second or three.
        load = os.getloadavg()[1]
        text = f"\nMeasured by `scripts/faults` on {machine()}, load {load:.1f}.\n\n{table(report)}\n"
    print(text)
    if options.markdown and status == 0:
        write(options.markdown, "faults", text)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
