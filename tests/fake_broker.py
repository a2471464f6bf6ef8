"""Brokers that real ones are not: of 3.1.1 only, refusing, sending what no library would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

CONNECT, SUBSCRIBE, DISCONNECT = 1, 8, 14

REFUSED_PROTOCOL_311 = b"\x20\x02\x00\x01"
ACCEPTED_5 = b"\x20\x03\x00\x00\x00"


async def read_packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Type and the rest of the next packet."""
    first = await reader.readexactly(1)
    remaining, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        remaining |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return first[0] >> 4, await reader.readexactly(remaining)


def packet(head: int, body: bytes) -> bytes:
    """A packet with its length; *head* is the first byte."""
    length, remaining = b"", len(body)
    while True:
        remaining, digit = divmod(remaining, 128)
        length += bytes([digit | (0x80 if remaining else 0)])
        if not remaining:
            return bytes([head]) + length + body


def publish_5(topic: bytes, payload: bytes, *, message_id: int, is_dup: bool = False) -> bytes:
    """PUBLISH of MQTT 5, QoS 1, without properties."""
    body = len(topic).to_bytes(2, "big") + topic + message_id.to_bytes(2, "big") + b"\0" + payload
    return packet(0x32 | (0x08 if is_dup else 0), body)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """The port on which *serve* meets each client."""
    tasks = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        tasks.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            if task:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)


def only_311(real_port: int, refusal: bytes) -> Serve:
    """Answers a CONNECT of MQTT 5 with *refusal* and hangs up; hands others on to the broker on *real_port*."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, connect = await read_packet(reader)
        if connect[6] == 5:
            writer.write(refusal)
            await writer.drain()
            return
        to_broker_reader, to_broker = await asyncio.open_connection("127.0.0.1", real_port)
        to_broker.write(packet(CONNECT << 4, connect))
        try:
            await asyncio.gather(pump(reader, to_broker), pump(to_broker_reader, writer))
        finally:
            to_broker.close()

    return serve


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while content := await reader.read(4096):
        writer.write(content)
        await writer.drain()
    writer.close()


def scripted(subscribe_code: int, *then: bytes) -> Serve:
    """Accepts MQTT 5, answers every subscription with *subscribe_code* and sends *then*."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            kind, body = await read_packet(reader)
            if kind == CONNECT:
                writer.write(ACCEPTED_5)
            elif kind == SUBSCRIBE:
                topics = count_topics(body[3:])
                writer.write(packet(0x90, body[:2] + b"\0" + bytes([subscribe_code]) * topics))
                for each in then:
                    writer.write(each)
            elif kind == DISCONNECT:
                return

    return serve


def count_topics(filters: bytes) -> int:
    return len(topics_of(filters))


def topics_of(filters: bytes) -> list[bytes]:
    topics = []
    while filters:
        end = 2 + int.from_bytes(filters[:2], "big")
        topics.append(filters[2:end])
        filters = filters[end + 1 :]
    return topics
