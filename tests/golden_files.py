"""Golden tables: `input<TAB>expected` lines, `#` comments, `xfail<TAB>` before a known failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

GOLDEN = Path(__file__).parent / "golden"


def cases(name: str) -> list[ParameterSet]:
    """The lines of golden/*name* as (input, expected); `\\n` and `\\t` in either stand for the characters."""
    found = []
    for number, line in enumerate((GOLDEN / name).read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        is_known_failure = line.startswith("xfail\t")
        fields = line.removeprefix("xfail\t").split("\t")
        if len(fields) != 2:
            raise ValueError(f"{name}:{number}: expected input<TAB>expected, found {len(fields)} fields")
        marks = [pytest.mark.xfail(strict=True)] if is_known_failure else []
        values = [field.replace("\\n", "\n").replace("\\t", "\t") for field in fields]
        found.append(pytest.param(*values, id=f"{number}: {fields[0][:40]}", marks=marks))
    return found
