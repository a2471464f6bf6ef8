"""scripts/setup --train: PyTorch of the right version stays, with CUDA or without; another is replaced."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WANTED = re.findall(r"torch==([0-9.]+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[0]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What scripts/setup reads, with a virtual environment of its own."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", folder / "scripts")
    shutil.copy(ROOT / "pyproject.toml", folder)
    subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True, timeout=300)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("installed", "stays"),
    [
        (f"{WANTED}+cu130", True),
        (WANTED, True),
        (f"{WANTED}+cpu", True),
        ("2.1.0+cu121", False),
        (None, False),
    ],
)
def test_pytorch_of_the_right_version_stays(checkout: Path, installed: str | None, stays: bool) -> None:
    (packages,) = (checkout / ".venv" / "lib").glob("python*/site-packages")
    for path in packages.glob("torch-*.dist-info"):
        shutil.rmtree(path)
    if installed:
        about = packages / f"torch-{installed}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {installed}\n")
    # pip has nowhere to take anything from: what it is asked for is what counts here.
    offline = {**os.environ, "PIP_NO_INDEX": "1"}
    done = subprocess.run(
        [checkout / "scripts" / "setup", "--train"],
        env=offline, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 1
    assert "pip could not install the package" in done.stderr
    assert (f"installing PyTorch {WANTED}" in done.stderr) is not stays
