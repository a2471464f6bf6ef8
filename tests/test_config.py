"""config.py: what the file may say, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_tts.config import Config, load_config, parse_config
from edge_tts.errors import ConfigError

BASE = Path("/etc/edge_tts")


def problems(document: object) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(document, BASE)
    return str(caught.value)


@pytest.mark.parametrize("document", [None, {}, {"http": None}, {"http": {}}])
def test_an_empty_file_or_section_means_the_defaults(document: object) -> None:
    assert parse_config(document, Path()) == Config()


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("queue", "max_job", 5, "queue.max_job: unknown key; did you mean max_jobs?"),
        ("queue", "zzz", 5, "queue.zzz: unknown key; known: max_jobs"),
        ("queue", "max_jobs", 0, "queue.max_jobs must be at least 1"),
        ("queue", "max_jobs", "5", "queue.max_jobs: expected a whole number, found '5'"),
        ("queue", "max_jobs", True, "queue.max_jobs: expected a whole number, found True"),
        ("queue", "max_jobs", None, "queue.max_jobs: expected a whole number, found None"),
        ("queue", "ttl_s", "soon", "queue.ttl_s: expected a number"),
        ("http", "enabled", "yes", "http.enabled: expected true or false"),
        ("http", "port", 70000, "http.port must be 0 to 65535"),
        ("http", "host", "0.0.0.0", "set token, token_file or client_ca"),
        ("http", "max_body_bytes", 1, "http.max_body_bytes must be at least 1024"),
        ("mqtt", "url", "http://broker", "mqtt://host[:port]"),
        ("mqtt", "url", "mqtt://", "mqtt://host[:port]"),
        ("mqtt", "device", "all", "one topic level other than 'all'"),
        ("mqtt", "device", "a/b", "one topic level"),
        ("mqtt", "base_topic", "a/#", "without + and #"),
        ("audio", "sink", "loud", "expected one of sounddevice, wav, null"),
        ("audio", "volume", 101, "audio.volume must be 0 to 100"),
        ("audio", "sample_rate", 100, "audio.sample_rate must be 8000 to 192000"),
        ("audio", "fade_ms", -1, "audio.fade_ms must be 0 to 1000"),
        ("audio", "close_after_s", -1.0, "audio.close_after_s must be at least 0"),
        ("queue", "ttl_s", float("nan"), "queue.ttl_s must be at least 0"),
        ("audio", "device_wait_s", float("inf"), "audio.device_wait_s must be at least 0"),
        ("text", "sentence_pause_ms", 10**9, "text.sentence_pause_ms must be 0 to 10000"),
        ("mqtt", "url", "mqtt://h:99999", "mqtt://host[:port]"),
        ("mqtt", "keepalive_s", 100_000, "mqtt.keepalive_s must be 5 to 65535"),
        (
            "audio",
            "wav_dir",
            "~nobody_has_this_name/wav",
            "audio.wav_dir: ~nobody_has_this_name/wav: this system has no",
        ),
        ("audio", "wav_dir", 5, "audio.wav_dir: expected a path"),
        ("memory", "limit_mb", 10, "memory.limit_mb must be at least 64"),
        ("log", "level", "loud", "expected one of debug, info"),
    ],
)
def test_a_wrong_value_is_told_what_would_work(section: str, key: str, value: object, said: str) -> None:
    assert said in problems({section: {key: value}})


def test_every_problem_is_shown_at_once() -> None:
    said = problems({"htpp": {}, "http": {"port": -1}, "queue": {"max_job": 5, "ttl_s": "soon"}}).splitlines()
    assert len(said) == 4
    assert "did you mean http?" in said[0]


@pytest.mark.parametrize("document", [5, "text", ["a"], {"http": 5}, {"http": ["port"]}])
def test_keys_and_values_are_expected(document: object) -> None:
    assert "expected keys and values" in problems(document)


def test_outside_this_box_needs_a_token() -> None:
    assert parse_config({"http": {"host": "0.0.0.0", "token": "secret"}}, BASE).http.token == "secret"
    assert parse_config({"http": {"host": "0.0.0.0", "enabled": False}}, BASE).http.host == "0.0.0.0"


def test_the_null_sink_needs_no_quotes() -> None:
    # `sink: null` was refused: YAML reads it as None, not as the word.
    assert parse_config({"audio": {"sink": None}}, BASE).audio.sink == "null"
    assert parse_config({"audio": {"sink": "null"}}, BASE).audio.sink == "null"


def test_a_number_may_be_written_where_text_is_expected() -> None:
    assert parse_config({"http": {"token": 1234}}, BASE).http.token == "1234"


def test_paths_count_from_the_folder_of_the_file() -> None:
    config = parse_config({"audio": {"sounds_dir": "chimes"}, "voices": {"folders": ["more", "/all"]}}, BASE)
    assert config.audio.sounds_dir == BASE / "chimes"
    assert config.voices.folders == (BASE / "more", Path("/all"))
    # wav_dir is not named: its default was below wherever the daemon happened to be started.
    assert config.audio.wav_dir == BASE / "wav"


def test_systemd_says_where_state_and_cache_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/edge_tts:/var/lib/other")
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    config = parse_config({}, BASE)
    assert config.state.folder == Path("/var/lib/edge_tts")
    assert config.cache.folder == Path("/home/someone/.cache/edge_tts")
    assert parse_config({"state": {"dir": "/srv/state"}}, BASE).state.folder == Path("/srv/state")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"http: [", "not YAML"), (b"\xff\xfe\x00", "not YAML"), (b"a: !!python/object:os.x {}", "not YAML")],
)
def test_a_file_that_is_no_yaml(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        load_config(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "config.yaml")
