"""What HTTP refuses: wrong requests, foreign callers, slow ones and too many."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from edge_tts.config import Config, QueueConfig
from edge_tts.door_config import HttpConfig
from edge_tts.doors.http import HttpDoor, open_door
from edge_tts.errors import ConfigError
from tests.doors_house import House, opened
from tests.test_service import serving

TEXT = {"Content-Type": "text/plain"}
LATIN = {"Content-Type": "text/plain; charset=latin1"}
GZIP = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
AAC = {"Accept": "audio/aac"}
UNSUPPORTED = (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path", "request_", "expected"),
    [
        ("POST", "/api/say", {"json": {"text": "x", "voice": "nobody"}}, (400, "unknown_voice")),
        ("POST", "/api/tts", {"json": {"text": "x", "voice": "nobody"}}, (400, "unknown_voice")),
        ("POST", "/api/tts", {"json": {"text": "x", "format": "midi"}}, (400, "bad_request")),
        ("POST", "/api/tts?format=midi", {"json": {"text": "x"}}, (400, "bad_request")),
        ("POST", "/api/tts", {"json": {"text": "x"}, "headers": AAC}, (406, "not_acceptable")),
        ("POST", "/api/say", {"json": {"text": "x" * 10_001}}, (400, "text_too_long")),
        ("POST", "/api/say", {"json": {"text": "x", "speed": 99}}, (400, "bad_request")),
        ("POST", "/api/say?wait=maybe", {"json": {"text": "x"}}, (400, "bad_request")),
        ("POST", "/api/say", {"json": ["x"]}, (400, "bad_json")),
        ("POST", "/api/stop", {"json": ["x"]}, (400, "bad_json")),
        ("POST", "/api/stop", {"json": {"id": "nobody"}}, (404, "unknown_job")),
        ("POST", "/api/stop", {"data": {"a": "b"}}, UNSUPPORTED),
        ("POST", "/api/say", {"data": {"text": "form"}}, UNSUPPORTED),
        ("POST", "/api/say", {"data": b"x"}, UNSUPPORTED),
        ("POST", "/api/say", {"data": "x", "headers": LATIN}, UNSUPPORTED),
        ("POST", "/api/say", {"data": b"x", "headers": GZIP}, UNSUPPORTED),
        ("POST", "/api/say", {"data": b"\xff", "headers": TEXT}, (400, "bad_request")),
        ("POST", "/api/say", {"data": b"x" * 70_000, "headers": TEXT}, (413, "body_too_large")),
        ("GET", "/api/say", {}, (405, "method_not_allowed")),
        ("GET", "/api/jobs/none", {}, (404, "unknown_job")),
        ("GET", "/../etc/passwd", {}, (404, "unknown_route")),
    ],
)
async def test_errors_are_json_with_a_stable_code(
    house: House, method: str, path: str, request_: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert await house.code(method, path, **request_) == expected
    assert not house.service.jobs()
    rejected = house.service.metrics.registry.get_sample_value(
        "edge_tts_rejected_total", {"source": "http", "code": expected[1]}
    )
    assert rejected == 1


async def test_an_error_names_the_field(house: House) -> None:
    _, body = await house.json("POST", "/api/say", json={"text": "x", "speed": 99})
    assert body["error"]["detail"] == {"field": "speed"}


async def test_a_chunked_body_that_is_too_large(house: House) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 8192

    status_code = await house.code("POST", "/api/say", data=body(), headers={"Content-Type": "text/plain"})
    assert status_code == (413, "body_too_large")


async def test_a_full_queue_says_when_to_come_back(config: Config) -> None:
    async with opened(replace(config, queue=QueueConfig(max_jobs=1))) as house:
        house.service.pause()
        assert (await house.json("POST", "/api/say", json={"text": "one"}))[0] == 202
        async with house.client.post("/api/say", json={"text": "two"}) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (429, "queue_full")
            assert int(answer.headers["Retry-After"]) > 0


async def test_a_taken_port_is_a_clear_error(config: Config, house: House) -> None:
    taken = replace(config, http=HttpConfig(port=house.port))
    with pytest.raises(ConfigError, match=r"http\.port"):
        async with open_door(house.service, taken):
            pass


async def test_a_door_can_stay_shut(config: Config, house: House) -> None:
    async with open_door(house.service, replace(config, http=HttpConfig(enabled=False))) as door:
        assert door is None


# Who may call


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8765", 200),
        ("LOCALHOST", 200),
        ("localhost.", 200),
        ("127.0.0.1", 200),
        ("192.168.1.20:8765", 200),
        ("[::1]:8765", 200),
        ("speaker.home", 200),
        ("Speaker.Home.:80", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("speaker.home@evil.example", 421),
        ("", 421),
        ("[", 421),
    ],
)
async def test_only_our_own_names_are_answered(config: Config, host: str, status: int) -> None:
    async with opened(replace(config, http=HttpConfig(port=0, allowed_hosts=("speaker.home",)))) as house:
        answered, body = await house.json("GET", "/api/state", headers={"Host": host})
        assert answered == status
        assert status == 200 or body["error"]["code"] == "host_not_allowed"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 202),
        ("http://localhost:1", 202),
        ("https://panel.home", 202),
        ("https://panel.home.evil.example", 403),
        ("http://evil.example", 403),
        ("http://localhost:2", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
async def test_only_known_pages_may_call(config: Config, origin: str | None, status: int) -> None:
    async with opened(
        replace(config, http=HttpConfig(port=0, cors_origins=("https://panel.home",)))
    ) as house:
        headers = {"Host": "localhost:1"} | ({"Origin": origin} if origin else {})
        async with house.client.post("/api/say", json={"text": "Hi"}, headers=headers) as answer:
            assert answer.status == status
            allowed = answer.headers.get("Access-Control-Allow-Origin")
            assert allowed == (origin if origin == "https://panel.home" else None)
        assert len(house.service.jobs()) == (status == 202)


async def test_a_web_page_cannot_speak_by_plain_text(house: House) -> None:
    headers = {"Host": "localhost:1", "Origin": "http://localhost:1", "Content-Type": "text/plain"}
    assert await house.code("POST", "/api/say", data="Hi", headers=headers) == (415, "unsupported_media_type")


async def test_preflight(config: Config) -> None:
    async with opened(
        replace(config, http=HttpConfig(port=0, token="secret", cors_origins=("https://panel.home",)))
    ) as house:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        async with house.client.options(
            "/api/say", headers=asked | {"Origin": "https://panel.home"}
        ) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == "https://panel.home"
            assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]
            assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert (await house.code("OPTIONS", "/api/say", headers=asked | {"Origin": "http://evil.example"}))[
            0
        ] == 403


async def test_sound_streams_with_cors_headers(config: Config) -> None:
    async with opened(replace(config, http=HttpConfig(port=0, cors_origins=("*",)))) as house:
        headers = {"Origin": "https://any.example"}
        async with house.client.post("/api/tts", json={"text": "Hi"}, headers=headers) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "https://any.example"
            assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Bearer secre", 401),
        ("Bearer secrets", 401),
        ("Basic secret", 401),
        ("Bearer sécret", 401),
        ("Bearer secret", 200),
    ],
)
async def test_the_token(config: Config, tmp_path: Path, authorization: str | None, status: int) -> None:
    (tmp_path / "token").write_text("secret\n")
    async with opened(replace(config, http=HttpConfig(port=0, token_file=tmp_path / "token"))) as house:
        headers = {"Authorization": authorization} if authorization else {}
        async with house.client.get("/api/state", headers=headers) as answer:
            assert answer.status == status
        async with house.client.get("/healthz") as answer:
            assert answer.status == 200


async def test_a_token_file_that_cannot_be_used(config: Config, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    async with serving(config) as service:
        for name in ("missing", "empty"):
            broken = replace(config, http=HttpConfig(port=0, token_file=tmp_path / name))
            with pytest.raises(ConfigError, match="token_file"):
                async with open_door(service, broken):
                    pass


# What it is for


def query_routes() -> list[str]:
    routes = HttpDoor(cast(Any, None), HttpConfig()).routes()
    return sorted({route.path for route in routes if route.method == "GET"})


@pytest.mark.parametrize("path", query_routes())
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_get_never_speaks(house: House, method: str, path: str) -> None:
    """Any page may make a browser GET any address: as the source of an image, for one."""
    query = {"text": "Hi", "message": "Hi", "say": "Hi", "wait": "finished", "format": "wav", "volume": "1"}
    before = house.service.state
    address = path.replace("{job}", "x")
    for body in (None, b'{"text": "Hi"}'):
        async with house.client.request(
            method, address, params=query, data=body, headers={"Content-Type": "application/json"}
        ) as answer:
            assert answer.status in (200, 404, 405)
            answer.close()
    made_s = house.service.metrics.registry.get_sample_value("edge_tts_audio_seconds_total")
    assert (house.service.jobs(), made_s, house.service.state) == ([], 0, before)


async def test_the_token_is_taken_from_nowhere_else_and_never_logged(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(replace(config, http=HttpConfig(port=0, token="tell-nobody"))) as house:
        wrongs: tuple[dict[str, Any], ...] = (
            {"params": {"token": "tell-nobody", "access_token": "tell-nobody"}},
            {"headers": {"Cookie": "token=tell-nobody"}},
            {"headers": {"X-Api-Key": "tell-nobody"}},
            {"headers": {"Authorization": "Bearer tell-nobody-else"}},
        )
        for wrong in wrongs:
            async with house.client.get("/api/state", **wrong) as answer:
                assert (answer.status, "tell-nobody" in await answer.text()) == (401, False)
        async with house.client.get("/api/state", headers={"Authorization": "Bearer tell-nobody"}) as answer:
            assert answer.status == 200
        async with house.socket() as (reader, writer):
            # No HTTP: aiohttp would log the line it cannot read, which may be this one.
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer tell-nobody\0\r\n\r\n")
            assert b" 400 " in await reader.readline()
    assert "refused what is no HTTP" in caplog.text
    assert "tell-nobody" not in caplog.text
