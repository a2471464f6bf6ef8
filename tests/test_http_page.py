"""What / and /api/lexicon answer; tests/test_page.py uses the page in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from edge_tts.config import Config, TextConfig
from edge_tts.door_config import HttpConfig
from edge_tts.doors.http_page import content_policy
from tests.doors_house import House, opened

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_a_browser_gets_the_page_and_a_program_the_way_to_the_contract(house: House) -> None:
    async with house.client.get("/", headers=BROWSER) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        page = await answer.read()
        headers = answer.headers
    assert len(page) < 60_000
    assert (headers["X-Frame-Options"], headers["Referrer-Policy"]) == ("DENY", "no-referrer")
    assert "Accept" in headers["Vary"]
    status, about = await house.json("GET", "/")
    assert (status, about["contract"]) == (200, "/openapi.json")
    assert about["version"]


async def test_only_what_is_in_the_page_may_run(house: House) -> None:
    async with house.client.get("/", headers=BROWSER) as answer:
        page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert content_policy(page.replace("const", "let", 1).encode()) != policy
    # Neither handlers nor styles in attributes, which the policy would forbid, nor text that becomes HTML.
    assert not re.search(
        r"\s(on\w+|style)=\"|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page
    )


async def test_the_page_needs_no_token_and_everything_else_does(config: Config) -> None:
    async with opened(replace(config, http=HttpConfig(port=0, token="secret"))) as house:
        async with house.client.get("/", headers=BROWSER) as answer:
            assert answer.status == 200
            assert "secret" not in await answer.text()
        for path in ("/api/state", "/api/events", "/api/jobs", "/api/lexicon", "/openapi.json"):
            assert await house.code("GET", path) == (401, "unauthorized")


async def test_lists_show_the_beginning_of_a_text(house: House) -> None:
    await house.json("POST", "/api/say", json={"text": "word " * 100, "id": "x"})
    shown = (await house.json("GET", "/api/jobs/x"))[1]["text"]
    assert len(shown) == 200
    assert shown.endswith("…")
    assert (await house.json("GET", "/api/jobs"))[1]["jobs"][0]["text"] == shown


@pytest.fixture
def with_lexicon(config: Config, tmp_path: Path) -> Config:
    return replace(config, text=TextConfig(lexicon=tmp_path / "lexicon.yaml"))


async def test_the_lexicon_is_read_replaced_and_in_force(with_lexicon: Config, tmp_path: Path) -> None:
    async with opened(with_lexicon) as house:
        status, before = await house.json("GET", "/api/lexicon")
        assert (status, before) == (200, {"text": "", "version": "", "problem": None})
        # As Windows ends lines: what came back was of another version once.
        change = {"text": "gif: jiff # as it should be\r\n", "version": before["version"]}
        _, after = await house.json("PUT", "/api/lexicon", json=change)
        assert (await house.json("GET", "/api/lexicon"))[1] == after
        assert (tmp_path / "lexicon.yaml").read_bytes().decode() == change["text"]
        _, read = await house.json("POST", "/api/explain", json={"text": "A gif."})
        assert read["normalized"] == "A jiff."
        # Somebody else's change is not overwritten.
        assert await house.code("PUT", "/api/lexicon", json=change) == (409, "lexicon_changed")
        await house.json("PUT", "/api/lexicon", json={"text": "gif: guif\n"})
        assert (tmp_path / "lexicon.yaml").read_text() == "gif: guif\n"
    assert [path.name for path in tmp_path.glob("lexicon*")] == ["lexicon.yaml"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gif: jiff\nNAS: {arpabet: N XX S}\n", "at line 2"),
        ("gif: jiff\n\ngif: guif\n", "at line 3"),
        ("gif: jiff\nno: yes\n", "at line 2"),
        ("a: b\nc: [d\n", "at line"),
        ("just words", "expected lines of the form"),
    ],
)
async def test_a_bad_entry_is_refused_with_its_line(with_lexicon: Config, text: str, said: str) -> None:
    path = with_lexicon.text.lexicon
    assert path
    path.write_text("gif: jiff\n")
    async with opened(with_lexicon) as house:
        status, body = await house.json("PUT", "/api/lexicon", json={"text": text})
        assert (status, body["error"]["code"]) == (400, "bad_lexicon")
        assert said in body["error"]["message"]
        assert path.read_text() == "gif: jiff\n"
        path.write_text(text)
        assert said in (await house.json("GET", "/api/lexicon"))[1]["problem"]


async def test_what_cannot_be_a_lexicon_is_refused(with_lexicon: Config, tmp_path: Path) -> None:
    async with opened(with_lexicon) as house:
        for body in ({}, {"text": 1}, {"text": "\0"}, {"text": "\ud800"}, {"text": "a: b", "colour": "x"}):
            assert await house.code("PUT", "/api/lexicon", json=body) == (400, "bad_request")
        plain = {"data": "gif: jiff", "headers": {"Content-Type": "text/plain"}}
        assert await house.code("PUT", "/api/lexicon", **plain) == (415, "unsupported_media_type")
        large = {"text": "a: b\n" * 20_000}
        assert await house.code("PUT", "/api/lexicon", json=large) == (413, "body_too_large")
        (tmp_path / "lexicon.yaml").mkdir()
        assert await house.code("PUT", "/api/lexicon", json={"text": "a: b"}) == (503, "lexicon_file")
        assert await house.code("GET", "/api/lexicon") == (503, "lexicon_file")


async def test_without_a_lexicon_it_is_said_how_to_have_one(house: House) -> None:
    status, body = await house.json("GET", "/api/lexicon")
    assert (status, body["error"]["code"]) == (404, "no_lexicon")
    assert "text.lexicon" in body["error"]["message"]
    assert await house.code("PUT", "/api/lexicon", json={"text": "a: b"}) == (404, "no_lexicon")
