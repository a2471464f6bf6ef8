"""What the fuzzer starts from: good input of every kind, and input that has broken other programs."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

import espeakng_loader

from edge_tts.config import BUNDLED_VOICES
from tests.tiny_vits import build_piper
from tests.weights_beside import put_beside, scaling

REPOSITORY = Path(__file__).parent.parent
BUNDLED = BUNDLED_VOICES / "kathleen-kerstin-yuetan"

HOSTILE = (
    "",
    "😀👩‍👩‍👧‍👦🏳️‍🌈",
    "ϖ ϖϖ",
    "\u202eabc\u202c שלום مرحبا",
    "a\u200bb\u200d\ufeffc\u00ad",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    "1" * 60,
    "1,000,000.000,5 -3.14e10 0x1F 1/2 ½ ٣ ③ Ⅳ ²",
    "[[[[[[ [pause 0.5s] [n][i3] [[x]] ]]",
    "1.1.1.1:80/a?b=c#d@e.f,g;h!i-j_k",
    "24:59:61 31.02.2026 2026-13-45 12.11.10.9",
    "$€£¥₹ 12,3€4 5°C6 7%8 9km/h",
    "... ,,, ;;; ??? !!! …… 。。。",
    "\x01\x1b[31m\x7f\x85\u2028\u2029",
)

SSML = (
    "<speak>Hello <break time='500ms'/> world</speak>",
    "<prosody rate='150%' pitch='+2st' volume='loud'>fast</prosody>",
    "<speak xml:lang='de-DE'><p><s>Guten Tag.</s><s>Wie geht es?</s></p></speak>",
    "<say-as interpret-as='date' format='dmy'>03.10.2026</say-as><say-as interpret-as='ordinal'>3</say-as>",
    "<say-as interpret-as='telephone'>+49 30 123</say-as><say-as interpret-as='characters'>USB3</say-as>",
    "<phoneme alphabet='ipa' ph='kˈleə'>Clare</phoneme> <phoneme alphabet='x-sampa' ph='h@\"l@U'>x</phoneme>",
    "<phoneme alphabet='pinyin' ph='chong2 yang2'>重阳</phoneme><phoneme alphabet='arpabet' ph='K L EH1 R'/>",
    "<mstts:express-as style='happy' styledegree='1.5'>Yes!</mstts:express-as><sub alias='World'>W</sub>",
    "<emotion category='sad' intensity='0.5'>oh</emotion><voice name='hum'>a</voice><mark name='m'/>",
    "<?xml version='1.0'?><speak version='1.1' xmlns='http://www.w3.org/2001/10/synthesis'>a</speak>",
    "<emphasis level='strong'>Stop</emphasis>!<audio src='x.wav'>b</audio><blink>&amp;&#x41;&#65;</blink>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]><speak>&b;</speak>",
    "<a><![CDATA[<b>]]><!-- c --><?d e?></a>",
)

WYOMING = (
    b'{"type": "describe"}\n{"type": "ping", "data": {"text": "a"}}\n',
    b'{"type": "synthesize", "version": "1.10.2", "data_length": 17}\n{"text": "Hello"} {"type": "synthesize-stop"}\n',
    b'{"type": "audio-chunk", "data": {"rate": 22050, "width": 2, "channels": 1}, "payload_length": 4}\n\0\0\0\0',
)

_REQUEST = {
    "text": "Hello", "format": "text", "voice": "hum", "language": "en_US", "speaker": "1", "speed": 1.5, "pitch": -2,
    "volume": 0.4, "emotion": {"name": "happy", "intensity": 0.5}, "style": "whisper", "priority": "important",
    "id": 222, "replace": "door", "ttl_s": 60, "at": "2026-01-31T07:00:00Z", "chime": True, "repeat": 2,
}  # fmt: skip


SOUND_REQUESTS = (
    '{"input": "Dinner is ready.", "voice": {"id": "anna"}, "speed": 1.5, "response_format": "opus"}',
    "INPUT_TEXT=Gr%C3%BC%C3%9Fe&INPUT_TYPE=TEXT&OUTPUT_TYPE=AUDIO&AUDIO=WAVE_FILE&LOCALE=de&VOICE=anna",
    '{"input": "Hi", "model": "tts-1", "instructions": "calm", "language": "en", "stream_format": "sse"}',
    "INPUT_TEXT=Hi&INPUT_TYPE=SSML&effect_Rate_selected=on&effect_Rate_parameters=durScale:1.5;",
)


@cache
def texts() -> tuple[str, ...]:
    """The written side of every golden table, and what is hostile."""
    tables = sorted((REPOSITORY / "tests" / "golden").glob("*.txt"))
    lines = (line for table in tables for line in table.read_text(encoding="utf-8").splitlines())
    written = (line.removeprefix("xfail\t").split("\t")[0] for line in lines if line and line[0] != "#")
    return (*HOSTILE, *(text.replace("\\n", "\n").replace("\\t", "\t") for text in written))


def fields() -> list[bytes]:
    single = [json.dumps({"text": "a", key: value}) for key, value in _REQUEST.items()]
    broken = [
        '{"text": NaN}',
        '{"text": "\\ud800"}',
        '{"text": 1, "text": 2}',
        "{" * 50,
        '{"a":' * 50,
        "42",
        " ",
    ]
    broken += ['{"text": "a", "volume": 1e999}', '{"speed": 123456789012345678901234567890}']
    payloads = [json.dumps(_REQUEST), *single, *broken]
    found = [bytes([number % 6]) + each.encode() for number, each in enumerate(payloads)]
    hermes = (
        b'\4{"text": "a", "lang": "de_DE", "volume": 0.5, "siteId": "hall", "id": "x", "sessionId": null}'
    )
    chime = b'\5{"state": "ON", "tone": "bell", "volume_level": 0.5}'
    return [*found, hermes, chime, b"\0\xff\xfe", b"\0\xef\xbb\xbf{}", b"\1<speak>a</speak>"]


_YAML_TRAPS = (
    b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\nd: 2026-13-45\ne: !!python/none x\nf: 1:60\n? [g]\n: h\n"
)


def config() -> list[bytes]:
    lines = (REPOSITORY / "config.yaml").read_text(encoding="utf-8").splitlines()
    filled = [line.split("#")[0] for line in lines]
    return ["\n".join(line for line in filled if line.strip()).encode(), b"http: {port: 80}\n", _YAML_TRAPS]


def voice_yaml() -> list[bytes]:
    return [(BUNDLED / "voice.yaml").read_bytes(), _YAML_TRAPS]


def lexicon() -> list[bytes]:
    good = "Kerstin: Kärstin\nNAS: {arpabet: N AE1 S}\n重阳: {pinyin: chong2 yang2}\ngif: {ipa: dʒɪf, language: en}\n"
    rules = "/(\\d+) ?PS\\b/: \\1 horsepower\n/(?i)(?P<n>a)b/: \\g<n>\n/ ?\\(.*?\\)/: ''\n"
    return [good.encode(), rules.encode(), b"'1': one\n'[a': b\n", _YAML_TRAPS]


@cache
def _tiny() -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.onnx"
        build_piper(path, n_speakers=2)
        return path.read_bytes(), path.with_name("tiny.onnx.json").read_bytes()


def tiny_graph() -> bytes:
    return _tiny()[0]


def graph_apart() -> bytes:
    """One whose weights lie in a file beside it."""
    with tempfile.TemporaryDirectory() as name:
        path = scaling(Path(name) / "apart.onnx", (0.5,) * 8)
        put_beside([path], Path(name) / "apart.bin")
        return path.read_bytes()


def piper_json() -> bytes:
    return _tiny()[1]


@cache
def espeak_languages() -> tuple[str, ...]:
    """The first tag of each of espeak-ng's language files."""
    files = sorted(
        path for path in (Path(espeakng_loader.get_data_path()) / "lang").rglob("*") if path.is_file()
    )
    lines = (path.read_text(encoding="utf-8", errors="replace").splitlines() for path in files)
    tags = (line.split()[1] for each in lines for line in each if line.startswith("language "))
    return tuple(sorted(set(tags)))
