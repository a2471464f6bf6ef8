"""OpenAI's speech API on the HTTP door: /v1/audio/speech, and the lists that its clients ask for."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from aiohttp import web

from edge_tts.door_config import HttpConfig
from edge_tts.doors import http_guard
from edge_tts.doors.base import error_json, json_object
from edge_tts.doors.fields import FIELDS, Check, one_of
from edge_tts.doors.http_connections import Deadlines
from edge_tts.doors.http_errors import HttpError, json_answer, status_of
from edge_tts.doors.http_sound import SoundRequest, opened_sound, send_sound
from edge_tts.doors.voice_names import Who, everybody, installed, stand_ins
from edge_tts.errors import InvalidFieldError, SpeechError, TextTooLongError
from edge_tts.service import Service
from edge_tts.speech import SpeakRequest

SOURCE = "openai"
PREFIX = "/v1/"
MAX_INPUT_CHARACTERS = 4096
PCM_SAMPLE_RATE = 24000
"""Hertz: raw samples cannot say it, and every client expects this."""

MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""Listed for clients that insist on one; any other is taken as well."""

VOICES = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx"),
    *("nova", "sage", "shimmer", "verse", "marin", "cedar"),
)
"""OpenAI's own, which clients ask for unless they are told otherwise."""

_FIELDS: Mapping[str, tuple[str, Check]] = {
    "input": ("text", FIELDS["text"]),
    "speed": ("speed", FIELDS["speed"]),
    "instructions": ("style", FIELDS["style"]),
    "language": ("language", FIELDS["language"]),
}
"""Field → field of SpeakRequest, and its check. `language` is what others have added."""

_FORMAT = one_of("mp3", "opus", "flac", "wav", "pcm")
_STREAM_FORMAT = one_of("audio", "sse")


class OpenAiRoutes:
    def __init__(self, service: Service, config: HttpConfig, deadlines: Deadlines) -> None:
        self._service = service
        self._config = config
        self._deadlines = deadlines

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/audio/speech", self._speech),
            web.get("/v1/audio/voices", self._voices),
            web.get("/v1/voices", self._voices),
            web.get("/v1/models", self._models),
            web.get("/v1/models/{model}", self._model),
        ]

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        http_guard.check_media_type(request)
        content = await http_guard.read_body(request, self._config.max_body_bytes, self._deadlines.body_s)
        body = {name: value for name, value in json_object(content).items() if value is not None}
        wanted = wanted_sound(body)
        who, is_stand_in = await self._who(body)
        wanted = replace(wanted, request=replace(wanted.request, voice=who.voice, speaker=who.speaker))
        if is_stand_in:
            self._service.metrics.warnings.labels("stand_in_voice").inc()
            wanted = replace(wanted, headers={"X-Warning": "stand_in_voice: no such voice is installed"})
        if _STREAM_FORMAT("stream_format", body.get("stream_format", "audio")) == "sse":
            return await self._send_events(request, wanted)
        return await send_sound(self._service, request, wanted)

    async def _who(self, body: Mapping[str, Any]) -> tuple[Who, bool]:
        """Who speaks, and whether it is not who was asked for."""
        voice = body.get("voice", VOICES[0])
        name = FIELDS["voice"]("voice", voice.get("id") if isinstance(voice, dict) else voice)
        if name in VOICES and name not in self._service.installed:
            choice = stand_ins(self._service)
            return choice[VOICES.index(name) % len(choice)], False
        who = await installed(self._service, name)
        return (who, False) if who else (Who(self._service.state.voice), True)

    async def _send_events(self, request: web.Request, wanted: SoundRequest) -> web.StreamResponse:
        async with opened_sound(self._service, wanted) as sound:
            response = web.StreamResponse(headers={**sound.headers, "Content-Type": "text/event-stream"})
            await response.prepare(request)
            try:
                async for block in sound.blocks:
                    audio = base64.b64encode(block).decode()
                    await response.write(_frame({"type": "speech.audio.delta", "audio": audio}))
                # Nothing is counted here in tokens, nor paid for.
                usage = dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), 0)
                await response.write(_frame({"type": "speech.audio.done", "usage": usage}))
            except SpeechError as error:
                # The status has gone out already.
                told = openai_error(error_json(error), status_of(error))
                await response.write(_frame({"type": "error", "error": told}))
            await response.write_eof()
            return response

    async def _voices(self, request: web.Request) -> web.Response:
        # Read anew: what was installed a moment ago is listed.
        await self._service.voices()
        names = [
            f"{who.voice}/{who.speaker}" if who.speaker else who.voice for who in everybody(self._service)
        ]
        voices = [{"id": name, "object": "voice", "name": name} for name in names]
        # Clients do not agree on which of the two it is.
        return web.json_response({"object": "list", "voices": voices, "data": voices})

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [_model(name) for name in MODELS]})

    async def _model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        if name not in MODELS:
            raise HttpError(HTTPStatus.NOT_FOUND, "unknown_model", f"the models are {', '.join(MODELS)}")
        return web.json_response(_model(name))


def wanted_sound(body: Mapping[str, Any]) -> SoundRequest:
    """What *body* asks for, but for the voice; raises RequestError. Unknown fields are ignored."""
    if "input" not in body:
        raise InvalidFieldError("input", None, "the text to speak")
    values = {name: check(given, body[given]) for given, (name, check) in _FIELDS.items() if given in body}
    if len(values["text"]) > MAX_INPUT_CHARACTERS:
        raise TextTooLongError(len(values["text"]), MAX_INPUT_CHARACTERS, "of OpenAI's input")
    format = _FORMAT("response_format", body.get("response_format", "mp3"))
    sample_rate = PCM_SAMPLE_RATE if format == "pcm" else None
    return SoundRequest(SpeakRequest(**values, source=SOURCE), format, sample_rate)


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "edge_tts"}


def _frame(event: Mapping[str, object]) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()


def error_answer(request: web.Request, error: Mapping[str, object], status: int) -> web.Response:
    """OpenAI's form for what is theirs, ours for the rest."""
    if request.path.startswith(PREFIX):
        error = openai_error(error, status)
    return json_answer(request, error, status)


def openai_error(error: Mapping[str, Any], status: int) -> dict[str, object]:
    kind = "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        kind = "rate_limit_error"
    field = (error["detail"] or {}).get("field")
    return {"message": error["message"], "type": kind, "param": field, "code": error["code"]}
