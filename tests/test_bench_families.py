from __future__ import annotations

from pathlib import Path

from scripts.bench_families_run import crowd_of, measured_of, table
from tests import tiny_sambert


def test_a_family_is_measured_in_a_process_of_its_own_and_shown_beside_the_published(tmp_path: Path) -> None:
    tiny_sambert.build(tmp_path / "tiny")
    own = measured_of(tmp_path / "tiny", threads=1)
    assert 0 < own["first_audio_s"] <= own["first_s"] + own["audio_s"]
    assert own["rtf"] > 0
    assert own["peak_mb"] > own["before_mb"] > 20
    assert {"decoder", "vocoder"} <= own["stages"].keys()
    shown = table({"sambert": {"float32": own}}, threads=1)
    assert "as published* | 21.0 | 4.1" in shown
    assert f"| sambert, float32 | {own['load_s']:.1f} |" in shown


def test_lines_of_other_families_stay(tmp_path: Path) -> None:
    own = dict.fromkeys(("load_s", "first_s", "first_audio_s", "rtf", "per_minute", "peak_mb"), 1.0)
    figures = own | {"stages": {"vocoder": 0.5}}
    page = table({"sambert": {"float32": figures}, "cosyvoice": {"8 bits": figures}}, threads=1)
    again = table({"cosyvoice": {"8 bits": figures | {"rtf": 9.0}}}, 1, page)
    rows = [line for line in again.splitlines() if line.startswith(("| sambert, ", "| cosyvoice, "))]
    assert [" 9.00 |" in row for row in rows] == [False, True]
    assert again.count("- sambert, float32: vocoder 0.500") == 1


def test_callers_at_once_are_all_served_and_told(tmp_path: Path) -> None:
    tiny_sambert.build(tmp_path / "tiny")
    crowd = crowd_of(tmp_path / "tiny", threads=1, n_callers=3)
    assert 0 < crowd["first_s"] <= crowd["last_s"]
    assert crowd["cpu_s"] > 0
    own = dict.fromkeys(("load_s", "first_s", "first_audio_s", "rtf", "per_minute", "peak_mb"), 1.0)
    page = table({"sambert": {"float32": own | {"stages": {}, "crowd": crowd}}}, 1)
    line = f"+ sambert, float32: all served, {crowd['per_minute']:.0f} sentences a minute"
    assert line in page
    assert line in table({"cosyvoice": {"8 bits": own | {"stages": {}}}}, 1, page)
