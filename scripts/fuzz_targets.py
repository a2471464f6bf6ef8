"""What scripts/fuzz feeds with spoilt input: every reader of something that comes from outside.

A target takes bytes and may raise errors of our tree; anything else is a finding. Its first byte chooses a language or
a door, where there are several.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edge_tts.cache import EmbeddingCache
from edge_tts.config import TextConfig, load_config
from edge_tts.doors import hermes, marytts, openai
from edge_tts.doors.base import (
    chime_request,
    error_json,
    json_object,
    request_from_json,
    request_from_payload,
    which_job,
)
from edge_tts.doors.mqtt_chime import chime_fields
from edge_tts.doors.wyoming_connection import Limits, read_event
from edge_tts.errors import SpeechError
from edge_tts.metrics import Metrics
from edge_tts.models import onnx_check, piper, planes, vits_cut, weights
from edge_tts.models.base import ModelTools
from edge_tts.models.onnx_graph import Graph, embedding_rows
from edge_tts.models.protobuf import GraphError
from edge_tts.models.two_stage_frontend import phrases
from edge_tts.speech import Segment, SpeakRequest
from edge_tts.text import markup, sentences, ssml
from edge_tts.text.frontend import Frontend
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.normalize import normalize
from edge_tts.text.phonemes import Phonemizer
from edge_tts.voices import VoiceStore
from scripts import fuzz_seeds as seeds

LANGUAGES = ("en-US", "de-DE", "zh-CN", "fr-FR", "ja-JP")
VOICE_LANGUAGES = ("en-US", "de-DE", "zh-CN")
TEXT_BYTES = 10_000
"""queue.max_text_characters is as many."""

_PHONEMIZER = Phonemizer()
_FRONTEND = Frontend(TextConfig(), Lexicon(None))


@dataclass(frozen=True)
class Target:
    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    share: float
    """Of all cases: many of what is cheap."""

    max_bytes: int = TEXT_BYTES
    allowed: tuple[type[Exception], ...] = (SpeechError,)


@cache
def _folder() -> Path:
    """In memory where there is such a folder; emptied by the system at the next start."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))


def _file(name: str, content: bytes) -> Path:
    path = _folder() / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def _chosen(content: bytes, among: Sequence[str]) -> tuple[str, str]:
    """One of *among* by the first byte, and the rest as text that a door would let in."""
    choice = among[content[0] % len(among)] if content else among[0]
    return choice, content[1:].decode("utf-8", "replace").replace("\0", " ")


def run_sentences(content: bytes) -> None:
    language, text = _chosen(content, LANGUAGES)
    found = sentences.split(text, language)
    assert "".join(found) == text, "text was lost"
    assert all(1 <= len(each) <= sentences.MAX_CHARACTERS for each in found), (
        "a sentence is too long or empty"
    )


def run_normalize(content: bytes) -> None:
    language, text = _chosen(content, LANGUAGES)
    normalize(text, language).encode()


def run_markup(content: bytes) -> None:
    language, text = _chosen(content, LANGUAGES)
    markup.parse(text)
    _FRONTEND.sentences(SpeakRequest(text), languages=VOICE_LANGUAGES, language=language)


def run_ssml(content: bytes) -> None:
    language, text = _chosen(content, LANGUAGES)
    ssml.parse(text, language)
    request = SpeakRequest(text, format="ssml")
    _FRONTEND.sentences(request, languages=VOICE_LANGUAGES, language=language)


@cache
def _tokens() -> dict[str, int]:
    document = json.loads((seeds.BUNDLED / "frontend.json").read_text(encoding="utf-8"))
    return {str(symbol): int(number) for symbol, number in document["tokens"].items()}


def run_phrases(content: bytes) -> None:
    """From text to what the bundled voice's graphs are given."""
    kind, text = _chosen(content, ("text", "ssml"))
    request = SpeakRequest(text, format=kind)
    found, _ = _FRONTEND.sentences(request, languages=VOICE_LANGUAGES, language="en-US")
    for sentence in found:
        for phrase in phrases(sentence, _tokens(), _PHONEMIZER)[0]:
            assert set(phrase.symbols) <= _tokens().keys(), "a symbol that the voice has no token for"


def run_phonemes(content: bytes) -> None:
    """espeak-ng in each of its languages."""
    voice, text = _chosen(content, seeds.espeak_languages())
    for clause in _PHONEMIZER.clauses(text, voice):
        clause.ipa.encode()


def run_fields(content: bytes) -> None:
    door, _ = _chosen(content[:1], ("mqtt", "mqtt ssml", "http", "command", "hermes", "chime"))
    try:
        if door == "http":
            request_from_json(json_object(content[1:]), source=door)
        elif door == "command":
            which_job(json_object(content[1:]))
        elif door == "hermes":
            body = json_object(content[1:])
            hermes.said(body, hermes.asked_in(body))
        elif door == "chime":
            chime_request(chime_fields(content[1:]), source=door)
        else:
            fields = {"format": "ssml"} if door == "mqtt ssml" else None
            request, _ = request_from_payload(content[1:], source="mqtt", fields=fields)
            request.text.encode()
    except SpeechError as error:
        json.dumps(error_json(error)).encode()
        raise


def run_sounds(content: bytes) -> None:
    """Who asks for sound as OpenAI's clients or MaryTTS's do."""
    door, _ = _chosen(content[:1], ("openai", "marytts"))
    if door == "openai":
        wanted = openai.wanted_sound(json_object(content[1:]))
    else:
        wanted = marytts.wanted_sound(marytts.form_fields(content[1:]))
    wanted.request.text.encode()


def run_wyoming(content: bytes) -> None:
    asyncio.run(_read_events(content))


async def _read_events(content: bytes) -> None:
    limits = Limits(json_bytes=TEXT_BYTES, payload_bytes=TEXT_BYTES)
    reader = asyncio.StreamReader(limit=limits.json_bytes)
    reader.feed_data(content)
    reader.feed_eof()
    with suppress(EOFError):
        while first := await reader.read(1):
            event = await read_event(reader, limits, first)
            assert event.payload is not None
            assert isinstance(event.data, dict)


def run_config(content: bytes) -> None:
    load_config(_file("config.yaml", content))


def _tools() -> ModelTools:
    metrics = Metrics()
    return ModelTools(_PHONEMIZER, EmbeddingCache(1 << 20, metrics), metrics, threads=1)


def _describe(folder: Path) -> None:
    """As at a start, and at each look at the voices."""
    store = VoiceStore((folder,), _tools(), 512 << 20, Metrics())
    json.dumps(store.describe()).encode()


def run_voice_yaml(content: bytes) -> None:
    _describe(_file("described/voice.yaml", content).parent)


def run_piper_json(content: bytes) -> None:
    _file("piper/voice.onnx", b"never read")
    _describe(_file("piper/voice.onnx.json", content).parent)


_SPOKEN = [Segment("Kerstin und der NAS, the gif, 重阳节: " * 5)]


def run_lexicon(content: bytes) -> None:
    Lexicon(_file("lexicon.yaml", content)).apply(_SPOKEN)


def run_graph(content: bytes) -> None:
    graph = Graph(content)
    embedding_rows(graph, "input")
    cut = vits_cut.decoder_cut(graph, "output", "sid")
    b"".join(graph.part([cut.output], cut.inputs))
    b"".join(planes.in_planes(graph, cut).part([cut.output], cut.inputs))
    flow = vits_cut.flow_cut(graph, cut.inputs[0], "sid")
    b"".join(graph.part(flow.inputs))


def run_weights(content: bytes) -> None:
    """A graph whose weights lie in a file beside it."""
    external = onnx_check.check(content)
    if external:
        b"".join(weights.inlined(content, weights.found_in(bytes(4096), external)))


def run_model(content: bytes) -> None:
    """As the daemon loads a Piper voice: our reader, then onnxruntime, then a test phoneme."""
    path = _file("model/model.onnx", content)
    _file("model/model.onnx.json", seeds.piper_json())
    piper.load(piper.spec(path), _tools())


def _after_choices(texts: Sequence[str], choices: int) -> list[bytes]:
    return [bytes([number % choices]) + text.encode() for number, text in enumerate(texts)]


TARGETS: dict[str, Target] = {
    "fields": Target(run_fields, seeds.fields, 0.33),
    "wyoming": Target(run_wyoming, lambda: seeds.WYOMING, 0.05),
    "sounds": Target(run_sounds, lambda: _after_choices(seeds.SOUND_REQUESTS, 2), 0.03),
    "sentences": Target(run_sentences, lambda: _after_choices(seeds.texts(), 4), 0.2),
    "ssml": Target(run_ssml, lambda: _after_choices(seeds.SSML, 4), 0.03),
    "markup": Target(run_markup, lambda: _after_choices(seeds.texts(), 4), 0.025),
    "normalize": Target(run_normalize, lambda: _after_choices(seeds.texts(), len(LANGUAGES)), 0.04),
    "phrases": Target(run_phrases, lambda: _after_choices([*seeds.texts(), *seeds.SSML], 1), 0.012),
    "phonemes": Target(run_phonemes, lambda: _after_choices(seeds.texts(), 256), 0.12),
    "config": Target(run_config, seeds.config, 0.05),
    "voice_yaml": Target(run_voice_yaml, seeds.voice_yaml, 0.03),
    "lexicon": Target(run_lexicon, seeds.lexicon, 0.04),
    "piper_json": Target(run_piper_json, lambda: [seeds.piper_json()], 0.08),
    "graph": Target(run_graph, lambda: [seeds.tiny_graph()], 0.02, 300_000, (GraphError,)),
    "weights": Target(run_weights, lambda: [seeds.graph_apart()], 0.005, 300_000, (GraphError,)),
    "model": Target(run_model, lambda: [seeds.tiny_graph()], 0.003, 300_000),
}
