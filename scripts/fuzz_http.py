"""Requests made from /openapi.json, good and bad, to a running daemon.

No answer may be a failure of the server, or other than the contract says; no GET may speak.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hypothesis
import schemathesis
from hypothesis.errors import Unsatisfiable
from requests import Response, Session
from schemathesis import GenerationMode, checks
from schemathesis.core.failures import Failure, FailureGroup

from scripts.fuzz_worker import Tally, write_tally
from tests.house import Daemon, running_daemon

TIMEOUT_S = 30
ENDLESS = "/api/events"
_CHECKS: list[Any] = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "phases": [hypothesis.Phase.generate],
    "suppress_health_check": list(hypothesis.HealthCheck),
}


@schemathesis.serializer("audio/wav", "audio/flac", "audio/mpeg", "audio/ogg")
def _as_bytes(context: Any, value: Any) -> bytes:
    """A body that should be sound, and is none."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def operations(url: str, *, gets: bool) -> Sequence[Any]:
    """What the daemon at *url* offers by GET, or by other methods."""
    schema: Any = schemathesis.openapi.from_url(f"{url}/openapi.json")
    found = [each.ok() for each in schema.get_all_operations()]
    return [each for each in found if (each.method.upper() == "GET") == gets and each.path != ENDLESS]


def n_jobs(url: str) -> float:
    """Events of jobs since the daemon started, by its own count."""
    lines = Session().get(f"{url}/metrics", timeout=TIMEOUT_S).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("edge_tts_jobs_total{"))


class Caller:
    """Sends cases and tallies the answers."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self._session = Session()

    def send(self, case: Any) -> None:
        # It would answer only when the box has spoken, in real time.
        if (case.query or {}).get("wait") == "finished":
            case.query.pop("wait")
        start_s = time.monotonic()
        answer: Response = case.call(session=self._session, timeout=TIMEOUT_S)
        took_s = time.monotonic() - start_s
        self.tally.cases += 1
        self.tally.busy_s += took_s
        self.tally.longest_ms = max(self.tally.longest_ms, took_s * 1000)
        try:
            case.validate_response(answer, checks=_CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                self._found(case, failure)
        except Failure as failure:
            self._found(case, failure)

    def _found(self, case: Any, failure: Any) -> None:
        what = f"{case.operation.label}: {getattr(failure, 'title', type(failure).__name__)}"
        self.tally.findings.setdefault(what, case.as_curl_command()[:400])

    def try_all(self, operation: Any, mode: GenerationMode, cases: int, seed: int) -> None:
        @hypothesis.seed(seed)
        @hypothesis.settings(max_examples=cases, **_SETTINGS)
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            self.send(case)

        try:
            send()
        except Unsatisfiable:
            return  # nothing about it can be wrong


def fuzz_http(daemon: Daemon, cases: int, tally: Tally) -> None:
    """Some *cases* to *daemon*, a third of them by GET, before anything else is asked for."""
    caller = Caller(tally)
    for gets in (True, False):
        for operation, mode, share in _shares(
            operations(daemon.url, gets=gets), cases if not gets else cases // 2
        ):
            caller.try_all(operation, mode, share, tally.cases + 1)
        if gets and n_jobs(daemon.url):
            tally.findings["a GET has spoken"] = "/metrics counts a job before the first POST"
    if "Traceback" in daemon.log:
        tally.findings["an exception that nobody caught"] = daemon.log[daemon.log.index("Traceback") :][-400:]


def _shares(among: Sequence[Any], cases: int) -> Iterator[tuple[Any, GenerationMode, int]]:
    share = max(1, cases * 2 // 3 // (2 * len(among)))
    for operation in among:
        yield operation, GenerationMode.POSITIVE, share
        yield operation, GenerationMode.NEGATIVE, share


CONFIG = {"voices": {"default": "hum"}, "audio": {"sink": "null"}, "log": {"level": "info"}}


def run(cases: int, folder: Path, tally: Tally) -> None:
    """*cases* in all, to a daemon of its own that hums to nobody."""
    with tempfile.TemporaryDirectory() as name, running_daemon(Path(name), CONFIG) as daemon:
        fuzz_http(daemon, cases - tally.cases, tally)
    write_tally(folder, tally)
