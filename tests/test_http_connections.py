"""Too many connections, slow ones, and what is no HTTP; on real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import ClientSession, TCPConnector

from edge_tts.config import Config
from edge_tts.door_config import HttpConfig
from edge_tts.doors.http_connections import Deadlines
from edge_tts.memory import rss_bytes
from tests.doors_house import House, n_descriptors, opened, until

HEAD = b"POST /api/say HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
JSON_HEAD = HEAD.replace(b"text/plain", b"application/json")

GARBAGE = {
    "TLS": b"\x16\x03\x01\x02\x00",
    "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "length and chunks": HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "negative length": HEAD + b"Content-Length: -3\r\n\r\nabc",
    "long line": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "long header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "10 000 headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: y\r\n z\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
    "HTTP 3.7": b"GET / HTTP/3.7\r\nHost: localhost\r\n\r\n",
    "chunk without a size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
    "negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
    "chunk longer than it says": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
}


async def answer_to(house: House, sent: bytes) -> tuple[int, str]:
    """Status and error code."""
    async with house.socket() as (reader, writer), asyncio.timeout(10):
        writer.write(sent)
        status = int((await reader.readline()).split()[1])
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"application/json" in head
        length = int(head.lower().split(b"content-length:")[1].split()[0])
        return status, json.loads(await reader.readexactly(length))["error"]["code"]


@pytest.mark.parametrize("sent", GARBAGE.values(), ids=GARBAGE)
async def test_what_is_no_http_is_told_so_in_json(house: House, sent: bytes) -> None:
    before = rss_bytes()
    status, code = await answer_to(house, sent)
    assert (status, code) in ((400, "bad_http"), (421, "host_not_allowed"))
    assert not house.service.jobs()
    assert rss_bytes() - before < 20 << 20
    assert (await house.json("GET", "/healthz"))[0] == 200


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Encoding: gzip\r\n", gzip.compress(b"x" * (64 << 20))),
        (b"Content-Encoding: deflate, br\r\n", b"x"),
        (b"Transfer-Encoding: gzip, chunked\r\n", b""),
    ],
)
async def test_a_compressed_bomb_is_not_opened(house: House, headers: bytes, body: bytes) -> None:
    before = rss_bytes()
    length = b"" if b"Transfer" in headers else b"Content-Length: %d\r\n" % len(body)
    status, code = await answer_to(house, HEAD + headers + length + b"\r\n" + body)
    assert (status, code) == (415, "unsupported_media_type")
    assert rss_bytes() - before < 20 << 20
    assert not house.service.jobs()


async def test_a_form_without_boundary_is_not_read(house: House) -> None:
    head = HEAD.replace(b"text/plain", b"multipart/form-data") + b"Content-Length: 3\r\n\r\nabc"
    assert await answer_to(house, head) == (415, "unsupported_media_type")


async def test_a_hundred_pipelined_posts_are_answered_in_order(house: House) -> None:
    before = rss_bytes()
    house.service.pause()
    bodies = [json.dumps({"text": "Hi.", "id": f"n{number}"}).encode() for number in range(100)]
    requests = [JSON_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies]
    async with house.socket() as (reader, writer), asyncio.timeout(30):
        writer.write(b"".join(requests))
        answers = []
        for _ in requests:
            answers.append((await reader.readline()).split()[1])
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))
    # As many as the queue holds; the others are told to come later.
    assert answers == [b"202"] * 50 + [b"429"] * 50
    assert [job.id for job in house.service.jobs()] == [f"n{number}" for number in range(50)]
    assert rss_bytes() - before < 20 << 20


# Slow


async def test_a_slow_head_is_cut_off(config: Config) -> None:
    async with opened(config, deadlines=Deadlines(head_s=2.0)) as house, house.socket() as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        # The next one begins, and drips for longer than this.
        async with asyncio.timeout(15):
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await asyncio.gather(drip(writer), reader.readuntil(b"HTTP/1.1"))


async def test_a_head_that_came_while_the_box_stood_still_is_read(config: Config) -> None:
    async with opened(config, deadlines=Deadlines(head_s=0.5)) as house, house.socket() as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        await asyncio.sleep(0.1)
        writer.write(b"Host: localhost\r\n\r\n")
        time.sleep(0.6)  # noqa: ASYNC251 it is the loop that is to stand still
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")


async def drip(writer: asyncio.StreamWriter) -> None:
    for byte in b"GET /api/state HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def test_a_slow_body_is_refused(config: Config) -> None:
    async with opened(config, deadlines=Deadlines(body_s=0.3)) as house:
        assert await answer_to(house, HEAD + b"Content-Length: 9\r\n\r\nabc") == (408, "body_too_slow")
        assert not house.service.jobs()


def tts(format: str) -> bytes:
    # No two sentences alike: from the cache it would be there at once, which is not what is tested.
    text = "".join(f"Sentence {number} is not read. " for number in range(350)).encode()
    head = HEAD.replace(b"/api/say", f"/api/tts?format={format}".encode())
    return head + b"Content-Length: %d\r\n\r\n" % len(text) + text


NOT_READ = {
    "streamed": tts("pcm"),
    "whole": tts("flac"),
    "JSON": b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 400,
}


@pytest.mark.parametrize("sent", NOT_READ.values(), ids=NOT_READ)
async def test_a_reader_who_does_not_read_is_cut_off(config: Config, sent: bytes) -> None:
    """What nobody reads must not wait in memory for ever."""
    async with opened(config, deadlines=Deadlines(write_s=0.5)) as house:
        base = n_descriptors()
        _, writer = await asyncio.open_connection("127.0.0.1", house.port, limit=1024)
        writer.write(sent)
        await until(lambda: n_descriptors() == base + 2)
        # Of the two ends one is left: ours, which has not looked yet.
        await until(lambda: n_descriptors() == base + 1, 60)
        writer.close()


# Many


@asynccontextmanager
async def idle(house: House, number: int, address: str = "127.0.0.1") -> AsyncIterator[None]:
    """Connections that say nothing."""
    pairs = [
        await asyncio.open_connection("127.0.0.1", house.port, local_addr=(address, 0)) for _ in range(number)
    ]
    yield
    for _, writer in pairs:
        writer.close()


@asynccontextmanager
async def listening(house: House, address: str = "127.0.0.1") -> AsyncIterator[None]:
    """A connection with a request under way that never ends."""
    connector = TCPConnector(local_addr=(address, 0))
    async with (
        ClientSession(f"http://127.0.0.1:{house.port}", connector=connector) as client,
        client.get("/api/events") as answer,
    ):
        assert answer.status == 200
        yield


async def test_three_hundred_idle_connections_are_in_nobodys_way(config: Config) -> None:
    async with opened(config) as house:
        base = n_descriptors()
        async with idle(house, 300):
            async with asyncio.timeout(5):
                assert (await house.json("GET", "/api/state"))[0] == 200
            # Their 300 ends, and of ours no more than may be open; one of them is the client's pair.
            most = 300 + config.http.max_connections_per_address + 1
            await until(lambda: n_descriptors() - base <= most)
        await until(lambda: n_descriptors() - base <= 2)


async def test_idle_connections_are_cut_off(config: Config) -> None:
    async with opened(config, deadlines=Deadlines(head_s=0.2)) as house:
        base = n_descriptors()
        async with idle(house, 20):
            # Of each two ends one is left: the caller's. After 15 s aiohttp itself would close the other.
            await until(lambda: n_descriptors() == base + 20, 10)


async def test_one_too_many_is_told_so_only_if_all_are_busy(config: Config) -> None:
    limited = replace(config, http=HttpConfig(port=0, max_connections=2))
    async with opened(limited) as house:
        async with AsyncExitStack() as busy:
            for _ in range(2):
                await busy.enter_async_context(listening(house))
            assert await answer_to(house, b"") == (503, "too_many_connections")
        # A place is free again as soon as one leaves; an idle one is no obstacle.
        async with idle(house, 5), asyncio.timeout(5):
            while (await house.json("GET", "/healthz"))[0] != 200:
                await asyncio.sleep(0.01)


async def test_one_address_cannot_take_every_place(config: Config) -> None:
    limited = replace(config, http=HttpConfig(port=0, max_connections=10, max_connections_per_address=2))
    async with opened(limited) as house, AsyncExitStack() as busy:
        for _ in range(2):
            await busy.enter_async_context(listening(house, "127.0.0.2"))
        with pytest.raises(AssertionError):
            await busy.enter_async_context(listening(house, "127.0.0.2"))
        assert (await house.json("GET", "/api/state"))[0] == 200
