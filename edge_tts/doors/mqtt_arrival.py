"""Messages as they arrive, and what the MQTT door asks of each set of topics that it serves."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from paho.mqtt.client import MQTTMessage

from edge_tts.errors import InvalidFieldError, RequestError
from edge_tts.service import Update

REMEMBERED = 1024
REMEMBERED_S = 600.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came."""

    topic: str
    """"" if it was no UTF-8."""

    payload: bytes
    size_bytes: int
    """Larger than the payload if that was too large to keep."""

    is_retained: bool
    is_redelivered: bool
    done: Callable[[], None]
    """To be called when it has been dealt with."""

    response_topic: str | None = None
    correlation: bytes | None = None
    expiry_s: float | None = None
    content_type: str = ""
    user: Mapping[str, str] | None = None

    @property
    def mark(self) -> str:
        """By which it is known if the broker sends it again."""
        return blake2b(
            repr((self.topic, self.payload, self.correlation)).encode(), digest_size=12
        ).hexdigest()


def arrival_of(message: MQTTMessage, size_bytes: int, done: Callable[[], None]) -> Arrival:
    try:
        topic = message.topic
    except UnicodeDecodeError:
        topic = ""
    # Only MQTT 5 has properties, and an absent one is an absent attribute.
    properties = message.properties
    return Arrival(
        topic,
        bytes(message.payload),
        size_bytes,
        message.retain,
        message.dup,
        done,
        getattr(properties, "ResponseTopic", None),
        getattr(properties, "CorrelationData", None),
        getattr(properties, "MessageExpiryInterval", None),
        getattr(properties, "ContentType", ""),
        dict(getattr(properties, "UserProperty", ())),
    )


class Seen:
    """What arrived, to know it when the broker sends it again."""

    def __init__(self, was_accepted: Callable[[str], bool]) -> None:
        """*was_accepted* knows the marks of texts for longer."""
        self._was_accepted = was_accepted
        self._marks: OrderedDict[str, float] = OrderedDict()

    def is_repeated(self, arrival: Arrival) -> bool:
        """Whether it comes again for want of our acknowledgement. The same text twice is legal."""
        mark, now_s = arrival.mark, time.monotonic()
        is_repeated = arrival.is_redelivered and (
            now_s - self._marks.get(mark, -REMEMBERED_S) < REMEMBERED_S or self._was_accepted(mark)
        )
        self._marks[mark] = now_s
        self._marks.move_to_end(mark)
        while len(self._marks) > REMEMBERED:
            self._marks.popitem(last=False)
        return is_repeated


class Publish(Protocol):
    def __call__(
        self, topic: str, payload: str, *, retain: bool = False, correlation: bytes | None = None
    ) -> int | None: ...


class Part(Protocol):
    """A set of topics on the connection."""

    subscriptions: list[str]
    max_payload_bytes: int
    """A larger one arrives without its payload."""

    is_news: bool
    """What arrives are no commands: a retained one is as good, and the box works without."""

    def takes(self, topic: str) -> bool: ...
    def is_text(self, arrival: Arrival) -> bool:
        """Whether it need not wait until others of its kind are accepted."""

    async def obey(self, arrival: Arrival) -> None:
        """Do what *arrival* asks for; whatever is wrong with it is told to its sender."""

    def publish_states(self) -> None:
        """All of them, as a broker that has just started knows none."""

    def publish_update(self, update: Update) -> int | None:
        """Returns what publishing did, None if there was nothing to tell."""

    async def close(self) -> None: ...


class Line:
    """Arrivals until their turn. An important text passes the other texts: behind a burst of a thousand it would be
    read seconds late. Nothing passes a command, nor does a command or what replaces another pass anything."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Part, Arrival]] = deque()
        self._n_first = 0
        """As many of them nothing passes: up to the last command or important text."""
        self._has_some = asyncio.Event()

    def put(self, part: Part, arrival: Arrival) -> None:
        is_text = part.is_text(arrival)
        if is_text and not _is_important(arrival):
            self._waiting.append((part, arrival))
        else:
            self._n_first = self._n_first + 1 if is_text else len(self._waiting) + 1
            self._waiting.insert(self._n_first - 1, (part, arrival))
        self._has_some.set()

    async def get(self) -> tuple[Part, Arrival]:
        await self._has_some.wait()
        first = self._waiting.popleft()
        self._n_first = max(0, self._n_first - 1)
        if not self._waiting:
            self._has_some.clear()
        return first


def _is_important(arrival: Arrival) -> bool:
    """At a glance: a wrong guess only passes others too early."""
    payload = arrival.payload
    is_said_so = payload.lstrip().startswith(b"{") and b'"important"' in payload
    is_said_so = is_said_so or (arrival.user or {}).get("priority") == "important"
    # What it passed would replace it in its turn.
    return is_said_so and b'"replace"' not in payload


def short_text(payload: bytes) -> str:
    """Raises RequestError."""
    try:
        return payload.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise RequestError("not UTF-8") from error


def number_of(name: str, text: str) -> int | float:
    """Raises InvalidFieldError."""
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError as error:
        raise InvalidFieldError(name, text, "a number") from error


_WORDS = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


def switched_on(name: str, text: str) -> bool:
    """Raises InvalidFieldError."""
    if text.lower() not in _WORDS:
        raise InvalidFieldError(name, text, "ON or OFF")
    return _WORDS[text.lower()]


def on_off(value: bool) -> str:
    return "ON" if value else "OFF"
