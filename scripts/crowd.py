"""Callers of a daemon over HTTP and MQTT at once, and the book of what became of each request."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

DEVICE = "speaker"
BASE = f"edge_tts/{DEVICE}"
OUTCOMES = frozenset({"finished", "interrupted", "expired", "superseded", "muted", "failed"})

ENDING_DEADLINE_S = 600.0
"""Longer than anything waits in a queue."""


@dataclass(eq=False)
class Request:
    """One announcement that was asked for."""

    id: str
    door: str
    priority: str
    sent_s: float
    """As the loop counts."""

    outcomes: list[dict[str, Any]] = field(default_factory=list)
    """Events that ended it; one, if it was accepted."""

    refusals: list[str] = field(default_factory=list)
    """Error codes; one, if it was not accepted."""

    first_sound_ms: float | None = None
    """From sending it to the event `started`, as the caller sees it."""

    refused_ms: float | None = None
    """From sending it to the refusal."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def end(self) -> None:
        """Wait for its ending; one that does not come is seen as lost."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), ENDING_DEADLINE_S)

    def age_ms(self) -> float:
        return (asyncio.get_running_loop().time() - self.sent_s) * 1000

    @property
    def code(self) -> str | None:
        """How it ended, in a word."""
        return (
            self.refusals[0] if self.refusals else self.outcomes[0]["event_type"] if self.outcomes else None
        )


class Book:
    """Every request and its ending, told by the event stream; refusals are told to the caller alone."""

    def __init__(self) -> None:
        self.requests: dict[str, Request] = {}
        self.garbage_sent = 0
        self.garbage_refused = 0
        """Messages too broken to have an id."""

    def add(self, request_id: str, door: str, priority: str) -> Request:
        request = Request(request_id, door, priority, asyncio.get_running_loop().time())
        self.requests[request_id] = request
        return request

    def refused(self, request: Request, code: str) -> None:
        request.refusals.append(code)
        request.refused_ms = request.age_ms()
        request.ended.set()

    def event(self, event: dict[str, Any]) -> None:
        """One of the event stream."""
        request = self.requests.get(event.get("id", ""))
        if request is None:
            return
        if event["event_type"] == "started":
            request.first_sound_ms = request.age_ms()
        elif event["event_type"] in OUTCOMES:
            request.outcomes.append(event)
            request.ended.set()

    @property
    def n_ended(self) -> int:
        return sum(request.ended.is_set() for request in self.requests.values())

    @property
    def lost(self) -> list[Request]:
        """Neither an outcome nor a refusal."""
        return [each for each in self.requests.values() if not each.outcomes and not each.refusals]

    @property
    def doubled(self) -> list[Request]:
        return [each for each in self.requests.values() if len(each.outcomes) + len(each.refusals) > 1]

    def endings(self, door: str) -> Counter[str]:
        return Counter(each.code or "lost" for each in self.requests.values() if each.door == door)


class HttpCaller:
    def __init__(self, url: str, session: aiohttp.ClientSession, book: Book) -> None:
        self._url = url
        self._session = session
        self._book = book

    async def post(self, path: str, body: object) -> tuple[int, dict[str, Any], str | None]:
        """Status, JSON answer and Retry-After."""
        async with self._session.post(self._url + path, json=body) as answer:
            return answer.status, await answer.json(), answer.headers.get("Retry-After")

    async def say(self, request: Request, fields: dict[str, Any], *, waits: bool = False) -> None:
        path = "/api/say?wait=finished" if waits else "/api/say"
        status, answer, retry_after = await self.post(path, {**fields, "id": request.id})
        if status >= 400:
            if status == 429 and retry_after is None:
                raise AssertionError("429 without Retry-After")
            self._book.refused(request, answer["error"]["code"])

    async def sound(self, fields: dict[str, Any], *, hangs_up: bool) -> tuple[int, float]:
        """Status and milliseconds to the first sound; *hangs_up*: read no more than that."""
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        async with self._session.post(f"{self._url}/api/tts", json=fields) as answer:
            await answer.content.readany()
            first_ms = (loop.time() - start_s) * 1000
            if not hangs_up:
                async for _ in answer.content.iter_chunked(1 << 16):
                    pass
            return answer.status, first_ms

    async def events(self, is_open: asyncio.Event) -> None:
        """Enter the event stream into the book, until cancelled."""
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(
            f"{self._url}/api/events", timeout=timeout, read_bufsize=1 << 20
        ) as stream:
            async for line in stream.content:
                if line.startswith(b"data: "):
                    is_open.set()
                    body = json.loads(line[6:])
                    if "event_type" in body:
                        self._book.event(body)


class MqttCaller:
    """Publishes, and enters the refusals that it hears into the book."""

    def __init__(self, port: int, book: Book) -> None:
        self._book = book
        self._loop = asyncio.get_running_loop()
        self.n_outcomes = 0
        self._subscribed = asyncio.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.suppress_exceptions = False
        self._client.on_connect = lambda client, *_: client.subscribe(f"{BASE}/event", 1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _on_subscribe(
        self, client: Client, userdata: object, mid: int, reasons: object, properties: object
    ) -> None:
        self._loop.call_soon_threadsafe(self._subscribed.set)

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        self._loop.call_soon_threadsafe(self._heard, bytes(message.payload))

    def _heard(self, payload: bytes) -> None:
        event = json.loads(payload)
        if "job" in event:
            self.n_outcomes += event["event_type"] in OUTCOMES
        elif "id" not in event:
            self._book.garbage_refused += 1
        elif event["id"] in self._book.requests:
            self._book.refused(self._book.requests[event["id"]], event["code"])

    def publish(self, topic: str, payload: str | bytes) -> None:
        self._client.publish(f"{BASE}/{topic}", payload, 1)

    def say(self, request: Request, fields: dict[str, Any]) -> None:
        self.publish("say", json.dumps({**fields, "id": request.id}))

    def say_garbage(self) -> None:
        self._book.garbage_sent += 1
        self.publish("say", b'{"text": "never closed')

    async def ready(self) -> None:
        async with asyncio.timeout(20):
            await self._subscribed.wait()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@dataclass(frozen=True)
class Crowd:
    book: Book
    http: HttpCaller
    mqtt: MqttCaller


@asynccontextmanager
async def opened(url: str, mqtt_port: int) -> AsyncIterator[Crowd]:
    """Both callers, connected, with the event stream being read."""
    book = Book()
    # Less than the daemon's 15 s: what it closes in the moment it is used again looks like a daemon that died.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=10)
    async with aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=300)
    ) as session:
        http, mqtt = HttpCaller(url, session, book), MqttCaller(mqtt_port, book)
        is_open = asyncio.Event()
        reader = asyncio.create_task(http.events(is_open))
        try:
            async with asyncio.timeout(20):
                await is_open.wait()
            await mqtt.ready()
            yield Crowd(book, http, mqtt)
        finally:
            reader.cancel()
            await asyncio.wait({reader})
            mqtt.close()
