"""The HTTP door, with real clients on a real socket, the real service and the hum."""

from __future__ import annotations

import asyncio
import io
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import soundfile
from aiohttp import ClientSession

from edge_tts.config import (
    AudioConfig,
    CacheConfig,
    Config,
    HttpConfig,
    QueueConfig,
    StateConfig,
    VoicesConfig,
)
from edge_tts.doors.http import HttpDoor, open_door
from edge_tts.errors import ConfigError
from edge_tts.service import Service
from edge_tts.speech import SpeakRequest
from tests.test_service import serving

LONG = "This is a long announcement that nobody in the house wants to hear to its end. " * 20


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        http=HttpConfig(port=0),
        audio=AudioConfig(sink="null", buffer_ms=40),
        voices=VoicesConfig(default="hum"),
        cache=CacheConfig(dir=tmp_path / "cache"),
        state=StateConfig(dir=tmp_path / "state"),
    )


class House:
    """A service, its HTTP door and a client at the door."""

    def __init__(self, service: Service, door: HttpDoor, client: ClientSession) -> None:
        self.service = service
        self.port = door.port
        self.client = client

    async def json(self, method: str, path: str, **request: Any) -> tuple[int, Any]:
        async with self.client.request(method, path, **request) as answer:
            return answer.status, await answer.json()

    async def code(self, method: str, path: str, **request: Any) -> tuple[int, str]:
        """Status and error code."""
        status, body = await self.json(method, path, **request)
        assert set(body["error"]) == {"code", "message", "detail"}
        assert body["error"]["message"]
        return status, body["error"]["code"]

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def opened(config: Config, **settings: Any) -> AsyncIterator[House]:
    async with serving(config) as service, open_door(service, config, **settings) as door:
        assert door is not None
        async with ClientSession(f"http://127.0.0.1:{door.port}") as client:
            yield House(service, door, client)


@pytest.fixture
async def house(config: Config) -> AsyncIterator[House]:
    async with opened(config) as house:
        yield house


async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


# Speech


async def test_say_is_accepted_and_spoken(house: House) -> None:
    status, body = await house.json("POST", "/api/say", json={"text": "Hello.", "id": "a", "colour": 1})
    assert (status, body["duplicate"], body["warnings"]) == (202, False, ["unknown_field:colour"])
    assert (await house.service.outcome(body["job"])).event_type == "finished"
    assert (await house.json("GET", "/api/jobs/a"))[1]["event_type"] == "finished"
    again = await house.json("POST", "/api/say", json={"text": "Hello.", "id": "a"})
    assert again[1] == {"job": body["job"], "duplicate": True, "warnings": []}


async def test_a_waiting_call_gets_the_outcome(house: House) -> None:
    status, outcome = await house.json("POST", "/api/say?wait=finished", json={"text": "Hello."})
    assert (status, outcome["event_type"], outcome["voice"]) == (200, "finished", "hum")
    assert outcome["audio_ms"] > 0


async def test_plain_text_by_curl(house: House) -> None:
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-H", "Content-Type: text/plain", "--data-binary", "Grüße aus der Küche",
        f"http://127.0.0.1:{house.port}/api/say?wait=finished",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    answer, _ = await curl.communicate()
    assert json.loads(answer)["event_type"] == "finished"
    assert house.service.jobs()[0].text == "Grüße aus der Küche"


async def test_sound_is_sent_while_it_is_made(house: House) -> None:
    async with house.client.post("/api/tts", json={"text": LONG}) as answer:
        assert (answer.status, answer.content_type) == (200, "audio/wav")
        assert (answer.headers["X-Voice"], answer.headers["X-Sample-Rate"]) == ("hum", "22050")
        first = await answer.content.readany()
        assert first[:4] == b"RIFF"
        assert first[4:8] == b"\xff\xff\xff\xff"  # as long as it gets
        rest = await answer.content.read()
    duration_s = (len(first) + len(rest) - 44) / 2 / 22050
    assert duration_s > len(LONG) * 0.05


@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "opus"])
async def test_every_format_is_the_same_sound(house: House, format: str) -> None:
    async with house.client.post("/api/tts", json={"text": "Hello, hello.", "format": format}) as answer:
        assert answer.status == 200
        samples, sample_rate = soundfile.read(io.BytesIO(await answer.read()))
    async with house.client.post("/api/tts", json={"text": "Hello, hello.", "format": "pcm"}) as answer:
        assert answer.headers["Content-Type"] == "audio/pcm;rate=22050;channels=1"
        pcm = await answer.read()
    assert len(samples) / sample_rate == pytest.approx(len(pcm) / 2 / 22050, abs=0.1)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("audio/mpeg", "audio/mpeg"),
        ("audio/flac;q=0.5, audio/ogg", "audio/ogg"),
        ("text/html, */*;q=0.1", "audio/wav"),
        ("audio/flac;q=0, audio/x-wav;q=0.3", "audio/wav"),
    ],
)
async def test_accept_chooses_the_format(house: House, accept: str, media_type: str) -> None:
    async with house.client.post("/api/tts", json={"text": "Hi"}, headers={"Accept": accept}) as answer:
        assert (answer.status, answer.content_type) == (200, media_type)
    async with house.client.post(
        "/api/tts?format=pcm", json={"text": "Hi"}, headers={"Accept": accept}
    ) as answer:
        assert answer.content_type == "audio/pcm"


async def test_volume_is_heard_in_the_sound(house: House) -> None:
    async def peak(**fields: Any) -> float:
        async with house.client.post("/api/tts", json={"text": "Hello", "format": "flac"} | fields) as answer:
            return float(abs(soundfile.read(io.BytesIO(await answer.read()))[0]).max())

    assert await peak(volume=50) == pytest.approx(await peak() * 0.25, rel=0.02)


async def test_hanging_up_stops_the_synthesis(house: House) -> None:
    def made_s() -> float:
        return house.service.metrics.registry.get_sample_value("edge_tts_audio_seconds_total") or 0.0

    # Sent whole: nothing is written before the end, so no failing write can be what stops it.
    # No two sentences alike: the second would come out of the cache.
    text = "".join(f"Nobody hears sentence {number} to its end. " for number in range(220))
    call = asyncio.create_task(house.json("POST", "/api/tts", json={"text": text, "format": "flac"}))
    await until(made_s)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    # It has ended when nothing is made during the time several other sounds take.
    async with asyncio.timeout(20):
        before_s = -1.0
        while made_s() != before_s:
            before_s = made_s()
            for _ in range(5):
                await house.service.explain(SpeakRequest("Hi"))
            await asyncio.sleep(0.1)
    assert made_s() < len(text) * 0.06 / 2


# Control


async def test_jobs_can_be_seen_and_ended(house: House) -> None:
    _, first = await house.json("POST", "/api/say", json={"text": LONG})
    _, second = await house.json("POST", "/api/say", json={"text": "Later.", "id": "later"})
    _, listed = await house.json("GET", "/api/jobs")
    assert [job["job"] for job in listed["jobs"]] == [first["job"], second["job"]]
    assert await house.json("DELETE", "/api/jobs/later") == (200, {"ended": 1})
    assert (await house.json("GET", f"/api/jobs/{second['job']}"))[1]["event_type"] == "interrupted"
    assert await house.json("POST", "/api/stop", json={"id": first["job"]}) == (200, {"ended": 1})
    assert (await house.service.outcome(first["job"])).code == "cancelled"
    assert await house.code("DELETE", "/api/jobs/nobody") == (404, "unknown_job")


async def test_commands(house: House) -> None:
    assert await house.code("POST", "/api/repeat") == (404, "unknown_job")
    assert (await house.json("POST", "/api/pause"))[0] == 200
    assert house.service.state.is_paused
    await house.json("POST", "/api/say", json={"text": "One."})
    assert await house.json("POST", "/api/clear") == (200, {"ended": 1})
    assert (await house.json("POST", "/api/resume"))[0] == 200
    assert not house.service.state.is_paused
    assert await house.json("POST", "/api/skip") == (200, {"ended": 0})
    await house.json("POST", "/api/say?wait=finished", json={"text": "Two."})
    status, repeated = await house.json("POST", "/api/repeat")
    assert (status, (await house.service.outcome(repeated["job"])).text) == (200, "Two.")
    assert await house.json("POST", "/api/stop") == (200, {"ended": 0})


async def test_state_is_set_and_shown(house: House) -> None:
    status, state = await house.json("POST", "/api/state", json={"volume": 30, "muted": True, "speed": 1.5})
    assert (status, state["volume"], state["is_muted"], state["speed"]) == (200, 30, True, 1.5)
    assert (await house.json("GET", "/api/state"))[1] == state
    assert (await house.json("POST", "/api/state", json={"voice": "hum"}))[0] == 200


@pytest.mark.parametrize(
    "body", [{"volume": 101}, {"muted": 1}, {"voice": "nobody"}, {"speed": 9}, {"mute": True}]
)
async def test_state_refuses(house: House, body: dict[str, Any]) -> None:
    before = house.service.state
    assert (await house.code("POST", "/api/state", json=body))[0] == 400
    assert house.service.state == before


async def test_voices_and_explanation(house: House) -> None:
    assert "hum" in [voice["name"] for voice in (await house.json("GET", "/api/voices"))[1]["voices"]]
    _, explained = await house.json("POST", "/api/explain", json={"text": "Hello."})
    assert (explained["voice"], explained["sentences"][0]["language"]) == ("hum", "en")
    assert not house.service.jobs()


async def test_events_tell_everything_in_order(house: House) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []
    async with house.client.get("/api/events") as answer:
        assert answer.content_type == "text/event-stream"
        await house.json("POST", "/api/say", json={"text": "Hello.", "id": "x"})
        async with asyncio.timeout(20):
            while not seen or seen[-1][0] != "finished":
                frame = (await answer.content.readuntil(b"\n\n")).decode()
                event, body = re.fullmatch(r"event: (\w+)\ndata: (.*)\n\n", frame).groups()  # type: ignore[union-attr]
                seen.append((event, json.loads(body)))
    assert seen[0][0] == "state"
    assert [event for event, _ in seen if event != "state"] == ["queued", "started", "finished"]
    assert seen[-1][1]["id"] == "x"
    assert "Hello" not in json.dumps(seen)


async def test_a_stream_of_events_does_not_delay_the_end(config: Config) -> None:
    async with ClientSession() as client:
        async with opened(config) as house:
            answer = await client.get(f"http://127.0.0.1:{house.port}/api/events")
            await answer.content.readuntil(b"\n\n")
            start_s = time.monotonic()
        assert time.monotonic() - start_s < 2.0
        assert await answer.content.read() == b""


async def test_health_readiness_and_metrics(house: House) -> None:
    for path in ("/healthz", "/readyz"):
        status, health = await house.json("GET", path)
        assert (status, health["is_live"], health["is_ready"]) == (200, True, True)
    async with house.client.get("/metrics") as answer:
        assert "edge_tts_jobs_total" in await answer.text()


# Contract


def contract() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        files("edge_tts.doors").joinpath("openapi.json").read_text(encoding="utf-8")
    )
    return document


async def test_the_contract_names_every_route_and_no_other(config: Config) -> None:
    async with serving(config) as service:
        routes = {(route.method.lower(), route.path) for route in HttpDoor(service, config.http).routes()}
    documented = {
        (method, path)
        for path, item in contract()["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert documented == routes


def test_the_contract_refers_to_what_exists() -> None:
    document = contract()
    assert document["openapi"].startswith("3.1")
    for reference in set(re.findall(r'"#/([^"]+)"', json.dumps(document))):
        found = document
        for key in reference.split("/"):
            found = found[key]


async def test_answers_have_the_fields_of_the_contract(house: House) -> None:
    schemas = contract()["components"]["schemas"]
    _, event = await house.json("POST", "/api/say?wait=finished", json={"text": "Hello.", "id": "x"})
    answers = {
        "Event": event,
        "State": (await house.json("GET", "/api/state"))[1],
        "Health": (await house.json("GET", "/healthz"))[1],
        "Voice": (await house.json("GET", "/api/voices"))[1]["voices"][0],
        "Receipt": (await house.json("POST", "/api/say", json={"text": "Hi"}))[1],
        "Error": (await house.json("GET", "/nowhere"))[1],
        "Explanation": (await house.json("POST", "/api/explain", json={"text": "Hi"}))[1],
    }
    for name, answer in answers.items():
        assert set(answer) <= set(schemas[name]["properties"]), name
        assert set(answer) >= set(schemas[name].get("required", [])), name


# Errors


TEXT = {"Content-Type": "text/plain"}
LATIN = {"Content-Type": "text/plain; charset=latin1"}
GZIP = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
PNG = {"Accept": "image/png"}
UNSUPPORTED = (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path", "request_", "expected"),
    [
        ("POST", "/api/say", {"json": {"text": "x", "voice": "nobody"}}, (400, "unknown_voice")),
        ("POST", "/api/tts", {"json": {"text": "x", "voice": "nobody"}}, (400, "unknown_voice")),
        ("POST", "/api/tts", {"json": {"text": "x", "format": "midi"}}, (400, "bad_request")),
        ("POST", "/api/tts?format=midi", {"json": {"text": "x"}}, (400, "bad_request")),
        ("POST", "/api/tts", {"json": {"text": "x"}, "headers": PNG}, (406, "not_acceptable")),
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


# Slow and many


async def test_a_slow_head_is_cut_off(config: Config) -> None:
    async with opened(config, head_deadline_s=0.3) as house, house.socket() as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        # The next one begins, and drips.
        async with asyncio.timeout(5):
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await asyncio.gather(drip(writer), reader.readuntil(b"HTTP/1.1"))


async def drip(writer: asyncio.StreamWriter) -> None:
    for byte in b"GET /api/state HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def test_a_slow_body_is_refused(house: House) -> None:
    async with house.socket() as (reader, writer):
        writer.write(
            b"POST /api/say HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nabc"
        )
        async with asyncio.timeout(15):
            answer = await reader.read()
    assert b"408" in answer.split(b"\r\n")[0]
    assert b"body_too_slow" in answer
    assert not house.service.jobs()


async def test_one_connection_too_many_is_told_so(config: Config) -> None:
    limited = replace(config, http=HttpConfig(port=0, max_connections=2))
    async with opened(limited) as house, house.socket() as first, house.socket():
        async with house.socket() as (reader, _), asyncio.timeout(5):
            answer = await reader.read()
        assert b"503 Service Unavailable" in answer
        assert b"too_many_connections" in answer
        # A place is free again as soon as one leaves.
        first[1].close()
        async with asyncio.timeout(5):
            while (await house.json("GET", "/healthz"))[0] != 200:
                await asyncio.sleep(0.01)


async def test_requests_that_are_no_http_leave_the_door_standing(house: House) -> None:
    for noise in (
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /api/say HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    ):
        async with house.socket() as (reader, writer):
            writer.write(noise + b"\r\n\r\n")
            writer.write_eof()
            async with asyncio.timeout(10):
                assert b" 200 " not in (await reader.read()).split(b"\r\n")[0]
    assert (await house.json("GET", "/healthz"))[0] == 200
