"""The HTTP door, with real clients on a real socket, the real service and the hum."""

from __future__ import annotations

import asyncio
import io
import json
import re
import time
from importlib.resources import files
from typing import Any

import pytest
import soundfile
from aiohttp import ClientSession

from edge_tts.config import Config
from edge_tts.doors.http import HttpDoor
from edge_tts.memory import rss_bytes
from edge_tts.speech import SpeakRequest
from tests.doors_house import House, n_descriptors, opened, until
from tests.test_service import serving

LONG = "This is a long announcement that nobody in the house wants to hear to its end. " * 20
PLAIN = {"Content-Type": "text/plain"}


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


async def test_plain_text_has_its_fields_in_the_address(house: House) -> None:
    async def duration_s(query: str) -> float:
        async with house.client.post(
            f"/api/tts?format=wav{query}", data="Hello, hello.", headers=PLAIN
        ) as answer:
            return len(await answer.read()) / 2 / 22050

    assert await duration_s("&speed=2&voice=hum&language=en&pitch=1.5&volume=50") == pytest.approx(
        await duration_s("") / 2, abs=0.05
    )
    for query, status in (("speed=fast", 400), ("speed=nan", 400), ("voice=nobody", 400), ("colour=1", 200)):
        async with house.client.post(f"/api/explain?{query}", data="Hello.", headers=PLAIN) as answer:
            assert answer.status == status
    # JSON says it all itself.
    _, explained = await house.json("POST", "/api/explain?voice=nobody", json={"text": "Hello."})
    assert explained["voice"] == "hum"


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
        ("application/json", "audio/wav"),
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


@pytest.mark.parametrize("format", ["flac", "wav"])
async def test_hanging_up_stops_the_synthesis_within_one_piece(house: House, format: str) -> None:
    def made_s() -> float:
        return house.service.metrics.registry.get_sample_value("edge_tts_audio_seconds_total") or 0.0

    # No two sentences alike: the second would come out of the cache. FLAC is sent whole: no failing write stops it.
    text = "".join(f"Nobody hears sentence {number} to its end. " for number in range(220))
    base = n_descriptors()
    call = asyncio.create_task(house.client.post("/api/tts", json={"text": text, "format": format}))
    await until(made_s)
    if format == "wav":
        (await call).close()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await until(lambda: n_descriptors() <= base)
    # One at a time runs on the synth thread: after the piece that was under way nothing is left of it.
    await house.service.explain(SpeakRequest("Hi"))
    after_s = made_s()
    for _ in range(5):
        await house.service.explain(SpeakRequest("Hi"))
    assert made_s() == after_s < len(text) * 0.06 / 2


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


async def test_a_stream_of_events_does_not_delay_the_end(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So long that a busy box is not taken for a stream that holds everything up.
    monkeypatch.setattr("edge_tts.doors.http_server.SHUTDOWN_S", 60.0)
    async with ClientSession() as client:
        async with opened(config) as house:
            answer = await client.get(f"http://127.0.0.1:{house.port}/api/events")
            await answer.content.readuntil(b"\n\n")
            start_s = time.monotonic()
        assert time.monotonic() - start_s < 30
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


async def test_compressed_sound_is_bounded(house: House) -> None:
    """Ten times ten thousand characters once took a gigabyte; WAV and PCM are streamed and need no limit."""
    text = ("The washing machine is done. " * 400)[:9990]
    before = rss_bytes()
    asked = {"text": text, "format": "flac", "repeat": 10}
    assert await house.code("POST", "/api/tts", json=asked) == (413, "sound_too_large")
    assert rss_bytes() - before < 150 << 20


async def test_a_state_with_one_wrong_value_changes_nothing(house: House) -> None:
    before = house.service.state
    for wrong in ({"voice": "nobody"}, {"speed": 9}, {"loudness": 3}):
        status, _ = await house.json("POST", "/api/state", json={"volume": 11, "muted": True} | wrong)
        assert status == 400
        assert house.service.state == before


async def test_waiting_for_a_duplicate_of_something_forgotten_is_no_error(house: House) -> None:
    asked = {"text": "A.", "id": "x"}
    await house.json("POST", "/api/say?wait=finished", json=asked)
    for _ in range(house.service.config.queue.history + 1):
        receipt = await house.service.submit(SpeakRequest("B.", ttl_s=300))
        house.service.stop()
        await house.service.outcome(receipt.job)
    status, answer = await house.json("POST", "/api/say?wait=finished", json=asked)
    assert (status, answer["duplicate"]) == (202, True)
