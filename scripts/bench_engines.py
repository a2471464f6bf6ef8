"""One engine in a process of its own, which prints its figures as JSON:
`python scripts/bench_engines.py ENGINE GRAPHS VOICE THREADS N_SENTENCES`.

Imports nothing of `scripts`: PYTHONPATH says which version of the daemon's package it measures.
"""

from __future__ import annotations

import ctypes
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Heard = Callable[[float], object]
"""Told the seconds of sound of each piece when it is there."""

Speak = Callable[[str, Heard], object]

THINGS = ["washing machine", "garage door", "water heater", "dish washer", "coffee machine", "front window"]
ROOMS = ["kitchen", "cellar", "bathroom", "garden", "hallway", "office"]
COUNTS = ["two", "three", "four", "five", "six", "seven", "eight", "nine"]


def sentence(number: int) -> str:
    """A different sentence of 20 words for each *number*."""
    thing, room = THINGS[number % len(THINGS)], ROOMS[number // len(THINGS) % len(ROOMS)]
    count = COUNTS[number % len(COUNTS)]
    return f"The {thing} in the {room} has been running for more than {count} hours now, please look after it tonight."


def said(speak: Speak, text: str) -> list[tuple[float, float]]:
    """When each piece of *text* was there, and its seconds of sound."""
    pieces: list[tuple[float, float]] = []
    speak(text, lambda duration_s: pieces.append((time.perf_counter(), duration_s)))
    return pieces


def measure(speak: Speak, n_sentences: int) -> dict[str, float]:
    """Medians and means over the sentences, after one that does not count."""
    said(speak, sentence(99))
    first_s: list[float] = []
    total_s = audio_s = 0.0
    cpu_before_s = time.process_time()
    for number in range(n_sentences):
        start_s = time.perf_counter()
        pieces = said(speak, sentence(number))
        total_s += time.perf_counter() - start_s
        first_s.append(pieces[0][0] - start_s)
        audio_s += sum(duration_s for _, duration_s in pieces)
    return {
        "first_audio_ms": statistics.median(first_s) * 1000,
        "rtf": total_s / audio_s,
        "cpu_s": (time.process_time() - cpu_before_s) / n_sentences,
    }


def edge_tts(folder: Path, voice: str, threads: int) -> Speak:
    from edge_tts.app import build_synthesizer
    from edge_tts.config import CacheConfig, Config, VoicesConfig
    from edge_tts.metrics import Metrics
    from edge_tts.speech import SpeakRequest

    folders = (folder, *VoicesConfig().folders)
    voices = VoicesConfig(default=voice, folders=folders, threads=threads or os.cpu_count() or 1)
    synthesizer = build_synthesizer(Config(voices=voices, cache=CacheConfig(limit_mb=0)), Metrics())

    def speak(text: str, heard: Heard) -> None:
        for piece in synthesizer.render(synthesizer.plan(SpeakRequest(text), voice)):
            heard(piece.audio.duration_s)

    return speak


def piper_tts(folder: Path, voice: str, threads: int) -> Speak:
    """As its documentation uses it; *threads* 0 leaves onnxruntime's default."""
    import onnxruntime
    from piper import PiperConfig, PiperVoice

    path = folder / f"{voice}.onnx"
    loaded = PiperVoice.load(path)
    if threads:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(str(path), sess_options=options, providers=providers)
        settings = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
        loaded = PiperVoice(session=session, config=PiperConfig.from_dict(settings))

    def speak(text: str, heard: Heard) -> None:
        for chunk in loaded.synthesize(text):
            heard(len(chunk.audio_int16_bytes) / 2 / chunk.sample_rate)

    return speak


def sherpa_onnx(folder: Path, voice: str, threads: int) -> Speak:
    """With the phonemes of piper-tts: from version 2 it brings no espeak-ng of its own."""
    import sherpa_onnx as sherpa
    from piper.phonemize_espeak import EspeakPhonemizer

    vits = sherpa.OfflineTtsVitsModelConfig(
        model=str(folder / f"{voice}.onnx"), tokens=str(folder / f"{voice}.tokens.txt"), lexicon=""
    )
    model = sherpa.OfflineTtsModelConfig(
        vits=vits, num_threads=threads or os.cpu_count() or 1, provider="cpu"
    )
    loaded = sherpa.OfflineTts(sherpa.OfflineTtsConfig(model=model, max_num_sentences=1))
    phonemizer = EspeakPhonemizer()

    def speak(text: str, heard: Heard) -> None:
        def on_samples(samples: Sequence[float], _progress: float) -> int:
            heard(len(samples) / loaded.sample_rate)
            return 1  # go on

        asked = sherpa.GenerationConfig()
        sentences = phonemizer.phonemize("en-us", text)
        asked.phoneme_codepoints = [[ord(symbol) for symbol in symbols] for symbols in sentences]
        loaded.generate("", asked, on_samples)

    return speak


def espeak_ng(_folder: Path, _voice: str, _threads: int) -> Speak:
    """Formant synthesis by the library that the daemon reads its phonemes from: the least that speech costs."""
    import espeakng_loader

    synchronous, do_not_exit, utf8, by_character = 2, 0x8000, 1, 1
    library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    data = str(espeakng_loader.get_data_path()).encode()
    sample_rate = library.espeak_Initialize(synchronous, 0, data, do_not_exit)
    library.espeak_SetVoiceByName(b"en-us")
    prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)

    def speak(text: str, heard: Heard) -> None:
        def on_samples(_samples: int, n_samples: int, _events: int) -> int:
            if n_samples:
                heard(n_samples / sample_rate)
            return 0

        callback = prototype(on_samples)  # kept alive until espeak_Synth is done with it
        library.espeak_SetSynthCallback(callback)
        encoded = text.encode()
        library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded) + 1), 0, by_character, 0, utf8, None, None)

    return speak


ENGINES: dict[str, Callable[[Path, str, int], Speak]] = {
    "edge_tts": edge_tts,
    "piper-tts": piper_tts,
    "sherpa-onnx": sherpa_onnx,
    "espeak-ng": espeak_ng,
}


def peak_rss_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    engine, folder, voice, threads, n_sentences = sys.argv[1:]
    if threads == "1":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    start_s = time.perf_counter()
    try:
        speak = ENGINES[engine](Path(folder), voice, int(threads))
        said(speak, "One, two, three.")
    except ImportError as error:
        print(json.dumps({"missing": f"{error.name} is not installed"}))
        return
    load_s = time.perf_counter() - start_s
    figures = measure(speak, int(n_sentences)) | {"load_s": load_s, "peak_rss_mb": peak_rss_mb()}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
