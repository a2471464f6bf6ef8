"""The quick part of scripts/fuzz: a few seeded cases of every target, and what its own machinery does with findings."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from edge_tts.errors import RequestError
from scripts import fuzz_http
from scripts.fuzz_mutation import mutated
from scripts.fuzz_run import SHARES, report, shares
from scripts.fuzz_targets import TARGETS, Target
from scripts.fuzz_worker import Recorder, Tally, keep_current, read_tally, run_plainly
from tests.house import running_daemon

ROOT = Path(__file__).parent.parent
CASES = {"model": 20, "phrases": 900, "markup": 900, "normalize": 900, "phonemes": 900}
"""More than the seeds, or few where each is dear; 300 of the others."""


@pytest.mark.parametrize("name", TARGETS)
def test_spoilt_input_ends_in_an_error_of_ours_or_none(name: str, tmp_path: Path) -> None:
    target, cases = TARGETS[name], CASES.get(name, 300)
    recorder = Recorder(target, tmp_path, Tally(), cases)
    run_plainly(recorder, target, cases, seed=1)
    assert recorder.tally.findings == {}
    assert recorder.tally.cases == cases


def fails_on_brackets(content: bytes) -> None:
    if b"]" in content:
        raise RequestError("as it should")
    if b"[" in content:
        raise KeyError("as it should not")


def test_a_finding_is_told_once_with_the_input_that_made_it(tmp_path: Path) -> None:
    target = Target(fails_on_brackets, lambda: [b"a[b]c"], 1.0)
    run_plainly(Recorder(target, tmp_path, Tally(), 200), target, 200, seed=1)
    tally = read_tally(tmp_path)
    assert tally.cases == 200
    [(what, file)] = tally.findings.items()
    assert "KeyError: 'as it should not'" in what
    with pytest.raises(KeyError):
        fails_on_brackets((tmp_path / file).read_bytes())
    assert f"(`{file}`)" in report({"brackets": tally})
    assert "200 cases, 1 findings." in report({"brackets": tally})


def test_the_input_that_kills_the_process_is_kept(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys;"
        "from scripts.fuzz_targets import Target; from scripts.fuzz_worker import Recorder, Tally;"
        "target = Target(lambda content: os.abort() if b'[' in content else None, list, 1.0);"
        "recorder = Recorder(target, pathlib.Path(sys.argv[1]), Tally(), 3);"
        "[recorder.run(content) for content in (b'a longer one', b'b[c', b'd')]"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGABRT
    assert (tmp_path / keep_current(tmp_path)).read_bytes() == b"b[c"


def test_spoilt_input_is_never_longer_than_a_door_lets_in() -> None:
    chance = random.Random(1)
    assert all(len(mutated(chance, b"a" * 90, b"b" * 90, 100)) <= 100 for _ in range(500))


def test_spoiling_takes_little_memory() -> None:
    # A limit on the memory of the process was found to be broken by what spoils, not by what reads.
    chance, content = random.Random(1), bytes(300_000)
    tracemalloc.start()
    try:
        for _ in range(200):
            mutated(chance, content, content, len(content))
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_cases_are_shared_out() -> None:
    given = shares(1_000_000, list(SHARES))
    assert abs(sum(given.values()) - 1_000_000) < 10
    assert shares(500, ["fields"]) == {"fields": 500}


@pytest.mark.slow
def test_a_daemon_answers_as_its_contract_says_and_no_get_speaks(tmp_path: Path) -> None:
    # A reference that nobody has enrolled was a 404 that the contract did not know of.
    tally = Tally()
    with running_daemon(tmp_path, fuzz_http.CONFIG) as daemon:
        fuzz_http.fuzz_http(daemon, 200, tally)
        assert fuzz_http.n_jobs(daemon.url) > 0
    assert tally.findings == {}
    assert tally.cases > 50
