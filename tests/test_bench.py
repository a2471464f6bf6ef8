"""`scripts/bench`: every figure of README and docs comes from it, so it must measure what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.bench_daemon import environment, measure_daemon
from scripts.bench_engines import sentence
from scripts.bench_report import DAEMON, ROWS, Case, beside_others, ratio, write
from scripts.bench_run import BUNDLED, REPOSITORY, MissingPeer, make_graphs, measure, run_rounds, unpacked
from tests.tiny_voices import build_piper

OURS, THEIRS = Case("edge_tts", "tiny", 1), Case("piper-tts", "tiny", 1)


def test_sentences_are_all_different_and_of_a_length() -> None:
    sentences = [sentence(number) for number in range(20)]
    assert len(set(sentences)) == 20
    assert {len(each.split()) for each in sentences} <= {20, 21}


@pytest.mark.parametrize("case", [OURS, Case("espeak-ng", "English", 1)], ids=str)
def test_an_engine_is_measured_in_a_process_of_its_own(case: Case, tmp_path: Path) -> None:
    build_piper(tmp_path / "tiny.onnx")
    figures = measure(case, REPOSITORY, tmp_path, 2, 0.0)
    assert set(figures) == {"load_s", "first_audio_ms", "rtf", "cpu_s", "peak_rss_mb"}
    assert 0 < figures["first_audio_ms"] < 60_000
    assert 0 < figures["rtf"] < 100
    assert figures["peak_rss_mb"] > 5


def test_an_engine_that_fails_is_an_error_that_shows_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"edge_tts: (?s:.)*no voice named 'nobody'"):
        measure(Case("edge_tts", "nobody", 1), REPOSITORY, tmp_path, 1, 0.0)


def test_another_engine_that_fails_is_no_end_of_the_others(tmp_path: Path) -> None:
    with pytest.raises(MissingPeer, match=r"fails: |is not installed"):
        measure(Case("piper-tts", "nobody", 1), REPOSITORY, tmp_path, 1, 0.0)


@pytest.mark.parametrize("symbol", ["a", "aɪ"])
def test_sherpa_gets_the_symbols_that_it_can_read(symbol: str, tmp_path: Path) -> None:
    # Piper's own table has symbols of two codepoints, with which it would not start.
    own = tmp_path / "own.onnx"
    build_piper(own, phoneme_id_map={"_": [0], "^": [1], "$": [2], symbol: [3]})
    graphs = tmp_path / "graphs"
    graphs.mkdir()
    assert make_graphs(graphs, own) == ["own"]
    tokens = (graphs / "own.tokens.txt").read_text(encoding="utf-8").splitlines()
    assert tokens == ["_ 0", "^ 1", "$ 2", *(["a 3"] if symbol == "a" else [])]


def test_the_package_of_another_folder_is_the_one_that_is_measured(tmp_path: Path) -> None:
    (tmp_path / "edge_tts").mkdir()
    (tmp_path / "edge_tts" / "__init__.py").write_text("raise RuntimeError('the other version')")
    with pytest.raises(RuntimeError, match="the other version"):
        measure(Case("edge_tts", "hum", 1, "HEAD"), tmp_path, tmp_path, 1, 0.0)


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="a copy without its history")
def test_an_earlier_version_is_unpacked_whole() -> None:
    with unpacked("HEAD") as folder:
        assert (folder / "edge_tts" / "__main__.py").exists()
        assert (folder / "models_onnx" / BUNDLED / "voice.yaml").exists()


def test_every_round_has_every_engine_and_the_next_the_other_order() -> None:
    asked: list[Case] = []
    values: Iterator[float] = iter([1.0, 2.0, 8.0, 2.0])

    def measured(case: Case) -> dict[str, float]:
        asked.append(case)
        if case.engine == "sherpa-onnx":
            raise MissingPeer("sherpa_onnx is not installed")
        return {"rtf": next(values)}

    missing_peer = Case("sherpa-onnx", "tiny", 1)
    rounds, missing = run_rounds([OURS, missing_peer, THEIRS], 2, measured)
    assert asked == [OURS, missing_peer, THEIRS, THEIRS, OURS]
    assert missing == {"sherpa-onnx": "sherpa_onnx is not installed"}
    # 1 to 2, then 2 to 8: not of the medians, which a busier round would distort.
    assert ratio(rounds, OURS, THEIRS, "rtf") == "0.38 (0.25–0.50)"


def test_a_missing_engine_has_a_row_that_says_so() -> None:
    figures = dict.fromkeys((figure for figure, _, _ in ROWS.values()), 1.0)
    engine = {"load_s": 1.0, "first_audio_ms": 2.0, "rtf": 0.5, "cpu_s": 1.0, "peak_rss_mb": 9.0}
    text = beside_others([{DAEMON: figures, OURS: engine}], {"piper-tts": "piper is not installed"})
    assert "| tiny | edge_tts | 1 | 1.00 s | 2.0 ms | 0.5000 |" in text
    assert "| piper-tts |  | piper is not installed |" in text


def test_the_result_replaces_what_stands_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench: loading -->\nold\n<!-- end of loading -->\nafter\n")
    write(page, "loading", "new\n")
    write(page, "loading", r"newer \1" + "\n")
    assert page.read_text() == (
        "before\n<!-- bench: loading -->\nnewer \\1\n<!-- end of loading -->\nafter\n"
    )
    with pytest.raises(ValueError, match="0 sections between <!-- bench: beside others -->"):
        write(page, "beside others", "new\n")


def test_the_page_has_a_place_for_every_table() -> None:
    page = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
    for section in ("beside others", "loading"):
        assert page.count(f"<!-- bench: {section} -->\n") == page.count(f"<!-- end of {section} -->\n") == 1


@pytest.mark.voice
@pytest.mark.slow
def test_the_daemon_is_measured_as_its_users_meet_it() -> None:
    figures = measure_daemon(environment(REPOSITORY), REPOSITORY, n_sentences=2, idle_s=0.1)
    assert set(figures) == {figure for figure, _, _ in ROWS.values()}
    assert min(figures[name] for name in ("cold_ms", "warm_ms", "cached_ms", "ready_s", "ready_broker_s")) > 0
    assert 30 < figures["rss_mb"] <= figures["peak_rss_mb"]
