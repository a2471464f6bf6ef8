"""MaryTTS's HTTP interface, on a port of its own: for Home Assistant, openHAB and others that know such a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from edge_tts import __version__
from edge_tts.config import Config
from edge_tts.doors import http_guard
from edge_tts.doors.fields import FIELDS, one_of
from edge_tts.doors.http_connections import Connections, Deadlines, Limits
from edge_tts.doors.http_errors import HttpError, errors_answered
from edge_tts.doors.http_server import listening
from edge_tts.doors.http_sound import SoundRequest, send_sound
from edge_tts.doors.neighbours import is_let_in
from edge_tts.doors.voice_names import Who, everybody, installed, speaking
from edge_tts.errors import InvalidFieldError, RequestError
from edge_tts.service import Service
from edge_tts.speech import SpeakRequest

SOURCE = "marytts"
LIMITS = Limits(in_all=32, per_address=24)
MAX_FIELDS = 100
MAX_AMOUNT = 10.0

FORMATS = {"WAVE": "wav", "AU": "au", "AIFF": "aiff", "MP3": "mp3", "Vorbis": "vorbis", "FLAC": "flac"}
"""Its names of formats; each has an ending: _FILE, or _STREAM for what need not know its length."""

STREAMED = ("WAVE", "MP3", "Vorbis")
EFFECTS = {"Rate": "durScale:1.5;", "Volume": "amount:2.0;"}
"""Effect → its parameters, as an example."""

INPUT_TYPES = {"TEXT": "text", "SSML": "ssml"}


class MaryTtsDoor:
    """The routes. Made by `open_door`."""

    def __init__(self, service: Service, config: Config, deadlines: Deadlines) -> None:
        self._service = service
        self._max_body_bytes = config.http.max_body_bytes
        self._deadlines = deadlines
        self.port = 0
        """Where it listens; another than configured if that was 0."""

    def routes(self) -> list[web.RouteDef]:
        lists = {
            "version": [f"Mary TTS server {__version__} (impl. edge_tts {__version__})"],
            "datatypes": [*(f"{name} INPUT" for name in INPUT_TYPES), "AUDIO OUTPUT"],
            "audioformats": _format_names(),
            "audioeffects": [f"{name} {example}" for name, example in EFFECTS.items()],
        }
        return [
            # Without HEAD, which would have all of it made, and sent.
            web.get("/process", self._process, allow_head=False),
            web.post("/process", self._process),
            # Mimic 3, which was the same to most programs, has this as well.
            web.get("/api/tts", self._mimic3, allow_head=False),
            web.post("/api/tts", self._mimic3),
            web.get("/api/voices", self._mimic3_voices),
            web.get("/voices", self._voices),
            web.get("/locales", self._locales),
            *(web.get(f"/{name}", _fixed(lines)) for name, lines in lists.items()),
        ]

    async def _process(self, request: web.Request) -> web.StreamResponse:
        fields = {**_query(request), **form_fields(await self._body(request))}
        return await self._send(request, wanted_sound(fields), _optional("voice", "VOICE", fields))

    async def _mimic3(self, request: web.Request) -> web.StreamResponse:
        query = _query(request)
        text = query.get("text") or _text(await self._body(request))
        is_ssml = (
            query.get("ssml", "").lower() in ("1", "true") or request.content_type == "application/ssml+xml"
        )
        spoken = SpeakRequest(
            FIELDS["text"]("text", text),
            format="ssml" if is_ssml else "text",
            speed=_speed("lengthScale", _number("lengthScale", query.get("lengthScale") or "1")),
            source=SOURCE,
        )
        # Whole: openHAB wants to know its length.
        wanted = SoundRequest(spoken, "wav", is_streamed=False)
        return await self._send(request, wanted, _optional("voice", "voice", query))

    async def _mimic3_voices(self, request: web.Request) -> web.Response:
        await self._service.voices()
        return web.json_response(
            [
                {
                    "key": who.voice,
                    "name": who.voice,
                    "language": _locale(self._languages(who)[0]),
                    "speakers": [who.speaker] if who.speaker else [],
                }
                for who in everybody(self._service)
            ]
        )

    async def _send(self, request: web.Request, wanted: SoundRequest, name: str | None) -> web.StreamResponse:
        """By the voice *name*; where it is not installed, one that speaks the language, and that is told."""
        language = wanted.request.language
        who = await installed(self._service, name) if name else None
        headers = {}
        if name and who is None:
            # Home Assistant names one of MaryTTS's own voices unless it is told otherwise.
            self._service.metrics.warnings.labels("stand_in_voice").inc()
            headers["X-Warning"] = "stand_in_voice: no such voice is installed"
        if who is None:
            who = self._speaker_of(language) if language else Who(self._service.state.voice)
        # A speaker for each language: its own, where none was named.
        language = language or (self._languages(who)[0] if who.speaker else None)
        spoken = replace(wanted.request, voice=who.voice, speaker=who.speaker, language=language)
        return await send_sound(self._service, request, replace(wanted, request=spoken, headers=headers))

    def _speaker_of(self, language: str) -> Who:
        voices = speaking(self._service, language)
        if not voices:
            raise InvalidFieldError("LOCALE", language, f"one of {', '.join(self._known_locales())}")
        return Who(voices[0])

    async def _voices(self, request: web.Request) -> web.Response:
        # Read anew: what was installed a moment ago is listed.
        await self._service.voices()
        lines = []
        for who in everybody(self._service):
            family = self._service.installed[who.voice].family
            name = f"{who.voice}#{who.speaker}" if who.speaker else who.voice
            lines += [f"{name} {_locale(tag)} NA {family}" for tag in self._languages(who)]
        return _lines(lines)

    def _languages(self, who: Who) -> tuple[str, ...]:
        """Those of the speaker, where each speaks one of its own; else those of the voice."""
        spec = self._service.installed[who.voice]
        of_speaker = spec.default_speakers
        own = tuple(tag for tag in spec.languages if of_speaker.get(tag.partition("-")[0]) == who.speaker)
        return own or spec.languages

    async def _locales(self, request: web.Request) -> web.Response:
        await self._service.voices()
        return _lines(self._known_locales())

    def _known_locales(self) -> list[str]:
        return sorted({_locale(tag) for spec in self._service.installed.values() for tag in spec.languages})

    async def _body(self, request: web.Request) -> bytes:
        return await http_guard.read_body(request, self._max_body_bytes, self._deadlines.body_s)


def _fixed(lines: list[str]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return _lines(lines)

    return answer


def _lines(lines: list[str]) -> web.Response:
    return web.Response(text="".join(f"{line}\n" for line in lines))


def _format_names() -> list[str]:
    return [*(f"{name}_FILE" for name in FORMATS), *(f"{name}_STREAM" for name in STREAMED)]


def _locale(tag: str) -> str:
    return tag.replace("-", "_")


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RequestError(f"not UTF-8: {error.reason} at byte {error.start}") from error


def form_fields(content: bytes) -> dict[str, str]:
    """What a form sends, whatever the media type says: Home Assistant's client says none."""
    try:
        return dict(parse_qsl(_text(content), errors="strict", max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise RequestError(f"no form: {error}; expected INPUT_TEXT=…&LOCALE=…, UTF-8") from error


def _query(request: web.Request) -> dict[str, str]:
    """What stands in the address. aiohttp's own reading would have "%FC" said where that is no UTF-8."""
    return form_fields(request.rel_url.raw_query_string.encode(errors="surrogateescape"))


def wanted_sound(fields: Mapping[str, str]) -> SoundRequest:
    """What is asked of /process, but for the voice; raises RequestError."""
    if not fields.get("INPUT_TEXT"):
        raise InvalidFieldError("INPUT_TEXT", None, "the text to speak")
    one_of("AUDIO")("OUTPUT_TYPE", fields.get("OUTPUT_TYPE") or "AUDIO")
    input_type = one_of(*INPUT_TYPES)("INPUT_TYPE", fields.get("INPUT_TYPE") or "TEXT")
    kind, _, ending = one_of(*_format_names())("AUDIO", fields.get("AUDIO") or "WAVE_FILE").partition("_")
    spoken = SpeakRequest(
        FIELDS["text"]("INPUT_TEXT", fields["INPUT_TEXT"]),
        format=INPUT_TYPES[input_type],
        language=_optional("language", "LOCALE", fields),
        speed=_speed("durScale", _effect(fields, "Rate", "durScale")),
        source=SOURCE,
    )
    gain = _effect(fields, "Volume", "amount")
    return SoundRequest(spoken, FORMATS[kind], is_streamed=ending == "STREAM", gain=gain)


def _optional(field: str, given: str, fields: Mapping[str, str]) -> str | None:
    return str(FIELDS[field](given, fields[given])) if fields.get(given) else None


def _effect(fields: Mapping[str, str], effect: str, parameter: str) -> float:
    """The parameter of an effect that is on, else 1. All but EFFECTS are about voices of another kind: ignored."""
    if fields.get(f"effect_{effect}_selected") != "on":
        return 1.0
    given = f"effect_{effect}_parameters"
    parts = (part.partition(":") for part in fields.get(given, "").split(";"))
    parameters = {name.strip(): value for name, _, value in parts}
    if parameter not in parameters:
        raise InvalidFieldError(given, fields.get(given), f"such as {EFFECTS[effect]}")
    return _number(given, parameters[parameter])


def _number(given: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= MAX_AMOUNT:
        raise InvalidFieldError(given, value, f"a number from 0 to {MAX_AMOUNT:g}")
    return number


def _speed(given: str, duration_scale: float) -> float:
    if not 0.25 <= duration_scale <= 4.0:
        raise InvalidFieldError(given, duration_scale, "a number from 0.25 to 4")
    return 1.0 / duration_scale


def neighbours_only(networks: tuple[str, ...]) -> Middleware:
    """Refuses callers from elsewhere, and pages that have a picture or sound fetched here, which tells no Origin."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_let_in(request.remote or "", networks):
            raise HttpError(
                HTTPStatus.FORBIDDEN,
                "address_not_allowed",
                f"callers from {request.remote} are not let in; add their network to marytts.allowed_networks",
            )
        is_from_elsewhere = request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        # Who tells its Origin is judged by that, as at every door.
        if is_from_elsewhere and "Origin" not in request.headers:
            raise HttpError(HTTPStatus.FORBIDDEN, "origin_not_allowed", "pages from elsewhere may not call")
        return await handler(request)

    return middleware


def text_answer(request: web.Request, error: Mapping[str, object], status: int) -> web.Response:
    return web.Response(text=f"{error['code']}: {error['message']}\n", status=status)


@asynccontextmanager
async def open_door(
    service: Service, config: Config, deadlines: Deadlines | None = None
) -> AsyncIterator[MaryTtsDoor | None]:
    """Listening inside the block; None if it is switched off. Raises ConfigError if it cannot listen."""
    settings, deadlines = config.marytts, deadlines or Deadlines()
    if not settings.enabled:
        yield None
        return
    connections = Connections(LIMITS, deadlines)
    door = MaryTtsDoor(service, config, deadlines)
    app = web.Application(
        # The outermost first.
        middlewares=[
            connections.busy(),
            errors_answered(service.metrics, SOURCE, text_answer, "there are /process, /voices and /locales"),
            neighbours_only(settings.allowed_networks),
            # The names of this box are the same, and web pages are to stay away from this door, too.
            http_guard.access_guard(config.http, None),
        ],
        client_max_size=config.http.max_body_bytes,
    )
    app.add_routes(door.routes())
    app.on_response_prepare.append(http_guard.finishing_touches(config.http))
    async with listening(
        app, SOURCE, settings.host, settings.port, connections, service.metrics
    ) as door.port:
        yield door
