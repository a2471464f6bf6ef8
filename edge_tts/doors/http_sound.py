"""The sound of a text for who asks by HTTP, sent as it is made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass, field
from http import HTTPStatus

from aiohttp import web

from edge_tts.audio import Resampler, volume_gain
from edge_tts.doors.http_errors import HttpError
from edge_tts.errors import InvalidFieldError, NothingToSayError
from edge_tts.service import Service
from edge_tts.sound_files import FORMATS, MEDIA_TYPES, Encoder, WholeFiles, encoder
from edge_tts.speech import Audio, Piece, SpeakRequest, with_gain

BLOCK_BYTES = 1 << 16

_ACCEPTED = {
    **{media_type: name for name, media_type in FORMATS.items()},
    **dict.fromkeys(("*/*", "audio/*", "audio/x-wav", "audio/wave", "audio/vnd.wave"), "wav"),
    **dict.fromkeys(("audio/l16", "audio/x-pcm"), "pcm"),
    "audio/x-flac": "flac",
    "audio/mp3": "mp3",
    **dict.fromkeys(("audio/opus", "application/ogg"), "opus"),
}


@dataclass(frozen=True, slots=True)
class SoundRequest:
    request: SpeakRequest
    format: str
    """One of MEDIA_TYPES."""

    sample_rate: int | None = None
    """Hertz; None: the voice's."""

    is_streamed: bool = True
    """Sent while it is made, if the format can; else a whole file, which says how long it is."""

    gain: float = 1.0
    """Besides the request's volume."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the answer, besides those that tell what it is."""


@dataclass(frozen=True, slots=True)
class Sound:
    headers: Mapping[str, str]
    """Of the answer: what it is."""

    blocks: AsyncIterator[bytes]
    """Of the file, at most BLOCK_BYTES each: in one go the deadline for a reader would be one for all of it."""


def sound_format(request: web.Request, wanted: object) -> str:
    """One of FORMATS: *wanted* if given (the field, else `?format=`), else what `Accept` likes best."""
    wanted = wanted or request.query.get("format")
    if wanted is not None:
        if not isinstance(wanted, str) or wanted not in FORMATS:
            raise InvalidFieldError("format", wanted, f"one of {', '.join(FORMATS)}")
        return wanted
    accepted = request.headers.get("Accept", "*/*")
    preferred = _by_preference(accepted)
    for media_type in preferred:
        if media_type in _ACCEPTED:
            return _ACCEPTED[media_type]
    if not any(media_type.startswith("audio/") for media_type in preferred):
        # `curl --json` and many libraries say application/json without a thought about what comes back.
        return "wav"
    raise HttpError(
        HTTPStatus.NOT_ACCEPTABLE,
        "not_acceptable",
        f"Accept: {accepted[:100]} names no format we have; there is {', '.join(FORMATS.values())}",
    )


def _by_preference(accept: str) -> list[str]:
    """Media types of an Accept header, best first; those of quality 0 are refused ones."""
    qualities: list[tuple[float, str]] = []
    for part in accept.split(","):
        media_type, *parameters = (each.strip() for each in part.lower().split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if quality > 0:
            qualities.append((-quality, media_type))
    return [media_type for _, media_type in sorted(qualities, key=lambda each: each[0])]


@asynccontextmanager
async def opened_sound(service: Service, wanted: SoundRequest) -> AsyncIterator[Sound]:
    """The sound, of which the first block is made: until then an error has a status of its own. A caller who hangs
    up cancels this, and with it the synthesis."""
    async with aclosing(service.stream(wanted.request)) as pieces:
        first = await anext(pieces, None)
        if first is None:
            raise NothingToSayError
        sample_rate = wanted.sample_rate or first.audio.sample_rate
        audios = _uniform(first, pieces, wanted, sample_rate)
        file = encoder(wanted.format, sample_rate, is_streamed=wanted.is_streamed)
        with closing(file), service.whole_files.kept(file):
            async with aclosing(_blocks(file, audios, service.whole_files)) as blocks:
                first_block = await anext(blocks)
                yield Sound(_headers(service, wanted, sample_rate), _with_first(first_block, blocks))


async def send_sound(service: Service, request: web.Request, wanted: SoundRequest) -> web.StreamResponse:
    async with opened_sound(service, wanted) as sound:
        response = web.StreamResponse(headers=sound.headers)
        blocks = sound.blocks
        if not wanted.is_streamed:
            # Nothing of it exists before all does, and openHAB takes no file whose length it is not told.
            whole = [block async for block in blocks]
            response.content_length = sum(map(len, whole))
            blocks = _each(whole)
        await response.prepare(request)
        async for block in blocks:
            await response.write(block)
        await response.write_eof()
        return response


async def _each(blocks: list[bytes]) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


def _headers(service: Service, wanted: SoundRequest, sample_rate: int) -> dict[str, str]:
    media_type = MEDIA_TYPES[wanted.format]
    if wanted.format == "pcm":
        media_type += f";rate={sample_rate};channels=1"
    return {
        "Content-Type": media_type,
        "X-Voice": wanted.request.voice or service.state.voice,
        "X-Sample-Rate": str(sample_rate),
        # A proxy that collects the whole answer first would undo the streaming.
        "X-Accel-Buffering": "no",
        **wanted.headers,
    }


async def _blocks(
    file: Encoder, audios: AsyncIterator[Audio], whole_files: WholeFiles
) -> AsyncGenerator[bytes, None]:
    async for audio in audios:
        for block in _cut(await _done(file.write, audio)):
            yield block
        whole_files.check(file)
    for block in _cut(await _done(file.finish)):
        yield block


async def _done(encode: Callable[..., bytes], *audio: Audio) -> bytes:
    """What *encode* returns, from a thread: compression would hold up the event loop."""
    encoding = asyncio.ensure_future(asyncio.to_thread(encode, *audio))
    try:
        return await asyncio.shield(encoding)
    except asyncio.CancelledError:
        # The thread goes on; the file must not be closed under it.
        await asyncio.wait({encoding})
        raise


def _cut(content: bytes) -> Iterator[bytes]:
    return (content[start : start + BLOCK_BYTES] for start in range(0, len(content), BLOCK_BYTES))


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for block in rest:
        yield block


async def _uniform(
    first: Piece, rest: AsyncIterator[Piece], wanted: SoundRequest, to_rate: int
) -> AsyncIterator[Audio]:
    """The sound of all pieces at the volume asked for and one sample rate."""
    volume = wanted.request.volume
    gain = wanted.gain * (1.0 if volume is None else volume_gain(volume))
    resampler = Resampler(to_rate)
    yield with_gain(resampler.resample(first.audio), gain)
    async for piece in rest:
        yield with_gain(resampler.resample(piece.audio), gain)
    yield with_gain(resampler.flush(), gain)
