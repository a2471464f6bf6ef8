from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_tts.config import BUNDLED_VOICES
from edge_tts.errors import MemoryBudgetError, UnknownVoiceError, VoiceLoadError
from edge_tts.metrics import Metrics
from edge_tts.voice_folders import read_voice_yaml, scan
from edge_tts.voices import VoiceStore
from tests import tiny_sambert
from tests.tiny_voices import make_tools

GOOD = {"name": "v", "family": "hum", "languages": ["en-US"], "sample_rate": 22050, "files": {}}


def write_voice(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    document = {key: value for key, value in (GOOD | changes).items() if value is not None}
    (folder / "voice.yaml").write_text(yaml.safe_dump(document))
    return folder


def store(*folders: Path, limit_mb: int = 4096) -> VoiceStore:
    return VoiceStore(folders, make_tools(), limit_mb << 20, Metrics())


def test_the_bundled_voice_says_where_it_comes_from() -> None:
    spec = scan([BUNDLED_VOICES]).voices["kathleen-kerstin-yuetan"]
    assert spec.licence.startswith("CC-BY-SA")
    assert "CC0" in spec.source
    assert "rhasspy" in (spec.folder / "ATTRIBUTION.md").read_text()
    assert set(spec.speakers) == {"kathleen", "kerstin", "yuetan"}
    assert {path.name for path in spec.files.values()} == set(spec.sha256)


def test_voices_are_found_in_every_folder_and_the_first_of_a_name_wins(tmp_path: Path) -> None:
    write_voice(tmp_path / "a" / "one", name="one", source="first")
    write_voice(tmp_path / "b" / "one", name="one", source="second")
    write_voice(tmp_path / "b" / "two", name="two")
    voices = scan([tmp_path / "a", tmp_path / "b", tmp_path / "missing"]).voices
    assert sorted(voices) == ["hum", "one", "two"]
    assert voices["one"].source == "first"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "opera"}, "unknown family 'opera'; known: hum"),
        ({"languages": None}, "missing: languages"),
        ({"files": {"model": "../../etc/passwd"}}, "must be a file name without folders"),
        ({"files": {"model": "/etc/passwd"}}, "must be a file name without folders"),
        ({"files": ["model.onnx"]}, "items"),
        ({"sample_rate": "fast"}, "fast"),
    ],
)
def test_a_bad_description_names_file_and_fault(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = write_voice(tmp_path / "v", **changes)
    with pytest.raises(VoiceLoadError, match=message) as caught:
        read_voice_yaml(folder / "voice.yaml")
    assert str(folder / "voice.yaml") in str(caught.value)


def test_a_broken_voice_is_listed_with_its_reason_and_stops_no_other(tmp_path: Path) -> None:
    write_voice(tmp_path / "good", name="good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "voice.yaml").write_text("name: [")
    (tmp_path / "alone.onnx").write_bytes(b"no configuration beside it")
    voices = store(tmp_path)
    described = {voice["name"]: voice for voice in voices.describe()}
    assert "error" not in described["good"]
    assert "cannot be read" in described["bad"]["error"]
    assert "alone.onnx" in described["alone"]["error"]
    with pytest.raises(VoiceLoadError, match="cannot be read"):
        voices.loaded("bad")


def test_an_unknown_voice_names_the_installed_ones(tmp_path: Path) -> None:
    write_voice(tmp_path / "v")
    with pytest.raises(UnknownVoiceError, match="no voice named 'x'; installed: hum, v"):
        store(tmp_path).loaded("x")


def test_a_voice_copied_in_later_is_found(tmp_path: Path) -> None:
    voices = store(tmp_path)
    write_voice(tmp_path / "new", name="new")
    voices.loaded("new")
    assert voices.is_loaded("new")


def with_file(folder: Path, content: bytes, digest_of: bytes) -> None:
    """A Piper voice that is none, listed with the digest of *digest_of*."""
    listed = {"m.onnx": hashlib.sha256(digest_of).hexdigest()}
    write_voice(folder, family="piper", files={"model": "m.onnx", "config": "m.onnx"}, sha256=listed)
    (folder / "m.onnx").write_bytes(content)


def test_a_new_version_of_a_voice_is_taken_without_a_restart(tmp_path: Path) -> None:
    # It was held against the digest of the one before, and then was broken until its files should change again.
    tiny_sambert.build(tmp_path / "v")
    voices = store(tmp_path)
    graph, description = tmp_path / "v" / "am_enc.onnx", tmp_path / "v" / "voice.yaml"
    before = hashlib.sha256(graph.read_bytes()).hexdigest()
    # A field of the same value again is the same graph in other bytes.
    graph.write_bytes(graph.read_bytes() + graph.read_bytes()[:2])
    after = hashlib.sha256(graph.read_bytes()).hexdigest()
    description.write_text(description.read_text().replace(before, after))
    assert voices.loaded("v").spec.sha256["am_enc.onnx"] == after


def test_a_voice_that_was_only_described_wrongly_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    with_file(folder, b"new", b"old")
    voices = store(tmp_path)
    voices.verify()
    assert "sha256" in voices.rescan().broken["v"]
    before = (folder / "m.onnx").stat()
    with_file(folder, b"new", b"new")
    os.utime(folder / "m.onnx", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "v" in voices.rescan().voices


def test_a_voice_that_was_taken_away_is_unknown(tmp_path: Path) -> None:
    # Asked for what its files are, it ended the job with an internal error.
    write_voice(tmp_path / "v", files={"model": "m.onnx"})
    (tmp_path / "v" / "m.onnx").write_bytes(b"x")
    voices = store(tmp_path)
    shutil.rmtree(tmp_path / "v")
    for ask in (voices.identity, voices.rtf, voices.loaded):
        with pytest.raises(UnknownVoiceError, match="installed: hum"):
            ask("v")


def test_what_a_voice_says_is_not_taken_for_what_it_said_with_other_settings(tmp_path: Path) -> None:
    identities = set()
    for settings in ({}, {"steps": 10}, {"steps": 5}):
        write_voice(tmp_path / "v", cosyvoice=settings)
        identities.add(store(tmp_path).identity("v"))
    assert len(identities) == 3


def test_the_least_recently_used_voice_makes_room(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        folder = write_voice(tmp_path / name, name=name, files={"weights": "weights"})
        # Sparse: needs go by the size of the files, and the hum never reads this one.
        with (folder / "weights").open("wb") as file:
            file.truncate(1 << 30)
    # Each needs 1.6 GiB: two fit beside what this process has.
    voices = store(tmp_path, limit_mb=4096)
    for name in ("a", "b", "a", "c"):
        voices.loaded(name)
    assert [name for name in ("a", "b", "c") if voices.is_loaded(name)] == ["a", "c"]
    with pytest.raises(MemoryBudgetError, match=r"needs about 1638 MB .* memory\.limit_mb is 1024"):
        store(tmp_path, limit_mb=1024).loaded("a")
