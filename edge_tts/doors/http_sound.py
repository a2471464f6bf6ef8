"""POST /api/tts: the sound of a text as it is made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from edge_tts.audio import FORMATS, CompressedSound, Resampler, to_pcm16, volume_gain, wav_header
from edge_tts.doors.http_errors import HttpError
from edge_tts.errors import InvalidFieldError, NothingToSayError
from edge_tts.service import Service
from edge_tts.speech import Audio, Piece, SpeakRequest, with_gain

MAX_COMPRESSED_BYTES = 32 << 20
"""A quarter of an hour of FLAC, two hours of MP3: what is sent whole is kept whole in memory."""

BLOCK_BYTES = 1 << 16

_STREAMED = ("wav", "pcm")
"""Formats that can be sent while the rest is not known yet."""

_MEDIA_TYPES = {
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
    """One of FORMATS."""


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
        if media_type in _MEDIA_TYPES:
            return _MEDIA_TYPES[media_type]
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


async def send_sound(service: Service, request: web.Request, wanted: SoundRequest) -> web.StreamResponse:
    """Stream WAV and PCM piece by piece, other formats whole. A caller who hangs up cancels this, and with it the
    synthesis."""
    async with aclosing(service.stream(wanted.request)) as pieces:
        # Nothing is sent before the first piece: until then an error still has a status of its own.
        first = await anext(pieces, None)
        if first is None:
            raise NothingToSayError
        audios = _uniform(first, pieces, wanted.request)
        if wanted.format not in _STREAMED:
            return await _send_whole(request, service, wanted, first, audios)
        response = _response(service, wanted, first)
        await response.prepare(request)
        if wanted.format == "wav":
            first_audio = await anext(audios)
            header = wav_header(first.audio.sample_rate, None)
            await response.write(header + to_pcm16(first_audio.samples))
        async for audio in audios:
            await response.write(to_pcm16(audio.samples))
        await response.write_eof()
        return response


async def _send_whole(
    request: web.Request, service: Service, wanted: SoundRequest, first: Piece, audios: AsyncIterator[Audio]
) -> web.StreamResponse:
    with closing(CompressedSound(wanted.format, first.audio.sample_rate)) as sound:
        async for audio in audios:
            if await asyncio.to_thread(sound.write, audio) > MAX_COMPRESSED_BYTES:
                raise HttpError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    "sound_too_large",
                    f"the sound is more than {MAX_COMPRESSED_BYTES >> 20} MB of {wanted.format}, which is sent whole; "
                    "ask for wav or pcm, which are streamed, or for less text at a time",
                )
        content = await asyncio.to_thread(sound.finish)
    response = _response(service, wanted, first)
    response.content_length = len(content)
    await response.prepare(request)
    for start in range(0, len(content), BLOCK_BYTES):
        # In one go the deadline for a reader would be one for all of it.
        await response.write(content[start : start + BLOCK_BYTES])
    await response.write_eof()
    return response


def _response(service: Service, wanted: SoundRequest, first: Piece) -> web.StreamResponse:
    media_type = FORMATS[wanted.format]
    sample_rate = first.audio.sample_rate
    return web.StreamResponse(
        headers={
            "Content-Type": f"{media_type};rate={sample_rate};channels=1"
            if wanted.format == "pcm"
            else media_type,
            "X-Voice": wanted.request.voice or service.state.voice,
            "X-Sample-Rate": str(sample_rate),
            # A proxy that collects the whole answer first would undo the streaming.
            "X-Accel-Buffering": "no",
        }
    )


async def _uniform(first: Piece, rest: AsyncIterator[Piece], request: SpeakRequest) -> AsyncIterator[Audio]:
    """The sound of all pieces at the request's volume and the first one's sample rate (markup may change the
    voice, and a header names one rate)."""
    gain = 1.0 if request.volume is None else volume_gain(request.volume)
    to_rate = from_rate = first.audio.sample_rate
    resampler = Resampler(from_rate, to_rate)
    yield with_gain(first.audio, gain)
    async for piece in rest:
        if piece.audio.sample_rate != from_rate:
            yield with_gain(resampler.flush(), gain)
            from_rate = piece.audio.sample_rate
            resampler = Resampler(from_rate, to_rate)
        yield with_gain(resampler.resample(piece.audio), gain)
    yield with_gain(resampler.flush(), gain)
