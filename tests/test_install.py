"""scripts/setup on a tiny project without network, scripts/install below a folder of the test, and the unit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import pytest

from edge_tts.config import Config, load_config
from edge_tts.renderer import CALL_DEADLINE_S

ROOT = Path(__file__).parent.parent
NOBODY = 65534

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""

BACKEND = '''\
"""Builds an editable wheel of hello.py with nothing but the standard library."""
import pathlib, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    if pathlib.Path("broken").exists():
        raise SystemExit("this build fails")
    name, info = "hello-1-py3-none-any.whl", "hello-1.dist-info/"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("hello.pth", str(pathlib.Path.cwd()))
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: hello\\nVersion: 1\\n"
                       "Provides-Extra: dev\\nProvides-Extra: bench\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
'''


@pytest.fixture(scope="module")
def no_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH: nothing is installed on the machine that runs the tests."""
    folder = tmp_path_factory.mktemp("no_packages")
    for name in ("apt-get", "sudo"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    return folder


Done = subprocess.CompletedProcess[str]


def run(command: list[str], environment: dict[str, str], *, user: int | None = None) -> Done:
    """Errors are part of `stdout`."""
    return subprocess.run(
        command,
        check=False,
        text=True,
        env=environment,
        cwd="/",
        user=user,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
    )


class Checkout:
    """A tiny project with our scripts/setup in it."""

    def __init__(self, folder: Path, no_packages: Path) -> None:
        self.folder = folder
        self.no_packages = no_packages
        self.stamp = folder / ".venv" / ".ready"

    def fill(self) -> None:
        (self.folder / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "setup", self.folder / "scripts")
        contents = {
            "pyproject.toml": PYPROJECT,
            "requirements.lock": "",
            "backend.py": BACKEND,
            "hello.py": "",
        }
        for name, content in contents.items():
            (self.folder / name).write_text(content)

    def setup(self, *options: str, **environment: str) -> Done:
        environment = {
            **os.environ,
            "PATH": f"{self.no_packages}:{os.environ['PATH']}",
            "EDGE_TTS_PYTHON": sys.executable,
            "PIP_NO_INDEX": "1",
            **environment,
        }
        command = [str(self.folder / "scripts" / "setup"), *options]
        return run(command, environment)

    def imported_from(self) -> Path:
        python = str(self.folder / ".venv" / "bin" / "python")
        done = run([python, "-c", "import hello; print(hello.__file__)"], dict(os.environ))
        assert done.returncode == 0, done.stdout
        return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, no_packages: Path) -> Checkout:
    """Set up; the first test sees how."""
    made = Checkout(tmp_path_factory.mktemp("checkouts") / "first", no_packages)
    made.fill()
    return made


@pytest.mark.slow
def test_a_failed_attempt_does_not_look_ready(checkout: Checkout) -> None:
    (checkout.folder / "broken").touch()
    failed = checkout.setup()
    assert failed.returncode != 0
    assert "pip could not install the package" in failed.stdout
    assert not checkout.stamp.exists()
    (checkout.folder / "broken").unlink()
    assert checkout.setup().returncode == 0
    assert checkout.imported_from() == checkout.folder / "hello.py"


@pytest.mark.slow
def test_the_second_time_does_nothing_until_something_changes(checkout: Checkout) -> None:
    checkout.setup("--bench")
    made_at = checkout.stamp.stat().st_mtime_ns
    for options in [("--bench",), (), ("--bench",)]:
        again = checkout.setup(*options)
        assert again.returncode == 0
        assert "installing" not in again.stdout
    assert checkout.stamp.stat().st_mtime_ns == made_at
    with (checkout.folder / "pyproject.toml").open("a") as file:
        file.write("# a new dependency\n")
    assert "installing the package in .venv with bench" in checkout.setup().stdout


@pytest.mark.slow
def test_a_copied_checkout_gets_an_environment_of_its_own(checkout: Checkout) -> None:
    # Programs of the copied one ran the first checkout's code.
    checkout.setup()
    copy = Checkout(checkout.folder.parent / "second", checkout.no_packages)
    shutil.copytree(checkout.folder, copy.folder, symlinks=True)
    assert copy.setup().returncode == 0
    assert copy.imported_from() == copy.folder / "hello.py"


def build_wheel(path: Path, name: str) -> None:
    """A wheel of nothing."""
    info = f"{name}-1.dist-info/"
    with ZipFile(path, "w") as wheel:
        wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "")


@pytest.fixture
def fresh(tmp_path: Path, no_packages: Path) -> Checkout:
    made = Checkout(tmp_path / "fresh", no_packages)
    made.fill()
    return made


@pytest.mark.slow
def test_what_is_not_the_locked_file_is_refused(fresh: Checkout) -> None:
    wheel = fresh.folder / "other-1-py3-none-any.whl"
    build_wheel(wheel, "other")
    (fresh.folder / "requirements.lock").write_text(f"other @ {wheel.as_uri()} --hash=sha256:{'0' * 64}\n")
    failed = fresh.setup()
    assert failed.returncode != 0
    assert "DO NOT MATCH THE HASHES" in failed.stdout
    assert not fresh.stamp.exists()


@pytest.mark.slow
def test_an_index_without_the_locked_versions_gives_others(fresh: Checkout) -> None:
    (fresh.folder / "requirements.lock").write_text(f"other==1 --hash=sha256:{'0' * 64}\n")
    done = fresh.setup()
    assert done.returncode == 0
    assert "not every version of requirements.lock can be had here" in done.stdout
    assert "other==1" in done.stdout
    assert fresh.imported_from() == fresh.folder / "hello.py"


def test_no_python_that_would_do_is_said(fresh: Checkout) -> None:
    failed = fresh.setup(EDGE_TTS_PYTHON="/bin/false")
    assert failed.returncode != 0
    assert "no Python 3.11 or newer" in failed.stdout
    assert "/bin/false" in failed.stdout
    assert "apt-get install python3-venv" in failed.stdout


def test_what_cannot_be_installed_is_said(fresh: Checkout, tmp_path: Path) -> None:
    ldconfig = tmp_path / "ldconfig"  # knows no library
    ldconfig.write_text("#!/bin/sh\n")
    ldconfig.chmod(0o755)
    path = f"{tmp_path}:{fresh.no_packages}:{os.environ['PATH']}"
    assert "apt-get install libportaudio2" in fresh.setup(EDGE_TTS_PYTHON="/bin/false", PATH=path).stdout


def test_an_unknown_option_is_refused(fresh: Checkout) -> None:
    assert "unknown option --tset; known: --test --bench" in fresh.setup("--tset").stdout


# --- scripts/install -------------------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkout that a test may change. The voices' graphs are not needed here."""
    folder = tmp_path / "source"
    ignored = shutil.ignore_patterns(
        ".*", "*.onnx", "__pycache__", "tests", "*.egg-info", "state", "cache", "build"
    )
    shutil.copytree(ROOT, folder, ignore=ignored)
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def install(source: Path, target: Path, *options: str) -> str:
    command = [str(source / "scripts" / "install"), *options]
    done = run(command, {**os.environ, "DESTDIR": str(target)})
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_what_the_unit_starts_is_where_install_puts_it(source: Path, target: Path) -> None:
    install(source, target)
    unit = read_unit(target / "etc/systemd/system/edge-tts.service")
    program, _, _, config = unit["ExecStart"].split()
    assert program == "/opt/edge_tts/.venv/bin/edgetts"
    # What scripts/setup there makes .venv/bin/edgetts from.
    for name in ("pyproject.toml", "README.md", "scripts/setup", "edge_tts/config.py", "models_onnx"):
        assert (target / "opt/edge_tts" / name).exists()
    assert load_config(target / config.lstrip("/")).mqtt.url == "embedded"


def test_installing_again_keeps_the_configuration(source: Path, target: Path) -> None:
    config = target / "etc/edge_tts/config.yaml"
    install(source, target)
    config.write_text("audio: {volume: 50}\n")
    install(source, target)
    assert not config.with_name("config.yaml.new").exists()
    with (source / "config.yaml").open("a") as file:
        file.write("# a new default\n")
    assert "config.yaml.new" in install(source, target)
    assert config.read_text() == "audio: {volume: 50}\n"
    assert "# a new default" in config.with_name("config.yaml.new").read_text()


def test_a_module_that_is_gone_does_not_linger(source: Path, target: Path) -> None:
    (source / "edge_tts" / "old.py").touch()
    install(source, target)
    (source / "edge_tts" / "old.py").unlink()
    install(source, target)
    assert not (target / "opt/edge_tts/edge_tts/old.py").exists()
    assert not list((target / "opt/edge_tts").glob("**/*.new"))


def test_the_service_can_read_what_a_private_umask_made(source: Path, target: Path) -> None:
    (source / "edge_tts" / "config.py").chmod(0o600)
    (source / "models_onnx").chmod(0o700)
    install(source, target)
    assert (target / "opt/edge_tts/edge_tts/config.py").stat().st_mode & 0o777 == 0o644
    assert (target / "opt/edge_tts/models_onnx").stat().st_mode & 0o777 == 0o755


def test_uninstall_keeps_what_is_the_users_until_purge(source: Path, target: Path) -> None:
    install(source, target)
    state = target / "var/lib/private/edge_tts/volume"
    state.parent.mkdir(parents=True)
    state.touch()
    install(source, target, "--uninstall")
    assert not (target / "opt/edge_tts").exists()
    assert not (target / "etc/systemd/system/edge-tts.service").exists()
    assert (target / "etc/edge_tts/config.yaml").exists()
    assert state.exists()
    install(source, target, "--uninstall", "--purge")
    assert not (target / "etc/edge_tts").exists()
    assert not state.exists()


@pytest.fixture
def readable_by_all() -> Iterator[Path]:
    """pytest's own folders are private to its user."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "scripts").mkdir(mode=0o755)
        shutil.copy(ROOT / "scripts" / "install", folder / "scripts")
        yield folder


def test_install_asks_for_root(readable_by_all: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DESTDIR"}
    command = ["bash", str(readable_by_all / "scripts" / "install")]
    done = run(command, environment, user=NOBODY if os.geteuid() == 0 else None)
    assert done.returncode != 0
    assert "needs root: sudo scripts/install" in done.stdout


# --- the unit --------------------------------------------------------------------------------------------


def read_unit(path: Path) -> dict[str, str]:
    """Its settings; of a repeated one the last."""
    parser = ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(path)
    return {name: value for section in parser.sections() for name, value in parser[section].items()}


def test_the_units_memory_is_above_the_daemons_own_limit() -> None:
    unit = read_unit(ROOT / "systemd" / "edge-tts.service")
    high_mb, max_mb = (int(unit[name].removesuffix("M")) for name in ("MemoryHigh", "MemoryMax"))
    # The daemon unloads voices at its limit; the kernel must not be quicker.
    assert Config().memory.limit_mb < high_mb < max_mb


def test_the_unit_waits_for_both_voices_to_be_loaded() -> None:
    """By default it is 90 s: a slow disk with a voice set would never have got ready."""
    unit = read_unit(ROOT / "systemd" / "edge-tts.service")
    assert int(unit["TimeoutStartSec"]) > 2 * CALL_DEADLINE_S


def test_the_units_folders_are_those_the_daemon_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = read_unit(ROOT / "systemd" / "edge-tts.service")
    monkeypatch.setenv("STATE_DIRECTORY", f"/var/lib/{unit['StateDirectory']}")
    monkeypatch.setenv("CACHE_DIRECTORY", f"/var/cache/{unit['CacheDirectory']}")
    assert Config().state.folder == Path("/var/lib/edge_tts")
    assert Config().cache.folder == Path("/var/cache/edge_tts")
    assert unit["ConfigurationDirectory"] == "edge_tts"
