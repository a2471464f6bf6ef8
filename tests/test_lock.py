"""pyproject.toml, requirements.lock and docs/sbom.json say the same; `scripts/audit --lock` makes them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
BILL: dict[str, Any] = json.loads((ROOT / "docs" / "sbom.json").read_text())


def locked() -> dict[str, list[tuple[str, Requirement]]]:
    """Name → each version with its requirement; another Python may need another version."""
    found: dict[str, list[tuple[str, Requirement]]] = {}
    for line in LOCK.splitlines():
        if re.match(r"\w", line):
            requirement = Requirement(line.removesuffix("\\").strip())
            version = str(requirement.specifier).removeprefix("==")
            found.setdefault(canonicalize_name(requirement.name), []).append((version, requirement))
    return found


def test_every_dependency_is_locked_at_a_version_it_allows() -> None:
    versions = locked()
    for dependency in map(Requirement, PROJECT["dependencies"]):
        name = canonicalize_name(dependency.name)
        assert name in versions, f"{name} is not locked: scripts/audit --lock"
        assert all(version in dependency.specifier for version, _ in versions[name])


def test_every_locked_package_has_hashes_and_no_address() -> None:
    entries = re.split(r"\n(?=\w)", LOCK)
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in LOCK


def test_the_bill_of_materials_lists_what_is_locked() -> None:
    versions = locked()
    listed = {canonicalize_name(part["name"]): part["version"] for part in BILL["components"]}
    for name, version in listed.items():
        assert version in [locked_version for locked_version, _ in versions[name]]
    everywhere = {name for name, found in versions.items() if any(each.marker is None for _, each in found)}
    assert everywhere <= listed.keys()
    described = BILL["metadata"]["component"]
    assert (described["name"], described["version"]) == (PROJECT["name"], PROJECT["version"])
