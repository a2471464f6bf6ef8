"""Two folders of recordings to train from, spoken by the bundled voice: different languages, formats and layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr
import yaml
from numpy.typing import NDArray

from edge_tts.app import build_synthesizer
from edge_tts.audio import join
from edge_tts.config import CacheConfig, Config, MemoryConfig
from edge_tts.metrics import Metrics
from edge_tts.speech import SpeakRequest
from edge_tts.synthesizer import Synthesizer

ENGLISH = [
    "The oven is on.", "The door is open.", "Is the window open?", "No, the door is.", "Dinner is on the table.",
    "The lamp is off.", "Ten minutes to go.", "Is it ten?", "No, it is nine.", "The mail is in.",
    "My name is Ada.", "Is that so?", "Nothing is wrong.", "So long!", "The moon is low.", "It is late.",
    "Do you know the time?", "I do not.", "The room is warm.", "The tea is too hot.", "Who is at the gate?",
    "No one is.", "All is well.", "Good night, moon.",
]  # fmt: skip
MANDARIN = [
    "一天", "今天", "明天", "天气", "很好", "你好", "早上", "晚上", "上门", "好人",
    "天明", "你们", "门上", "很早", "人们", "今晚", "明早",
]  # fmt: skip
SAMPLE_RATE = 22050


ROOMY = MemoryConfig(limit_mb=8192)
"""PyTorch in the same process takes more than a daemon may have."""


def make_recordings(folder: Path, cache: Path) -> list[Path]:
    """The folders of two speakers: ada (sentences) and lan (words, to be joined)."""
    synthesizer = build_synthesizer(Config(cache=CacheConfig(dir=cache), memory=ROOMY), Metrics())
    ada, lan = folder / "ada", folder / "lan"
    (ada / "wavs").mkdir(parents=True)
    lan.mkdir()
    chance = np.random.default_rng(0)
    for number, text in enumerate(ENGLISH):
        samples = spoken(synthesizer, text, "kathleen")
        noisy = samples + 0.002 * chance.standard_normal(len(samples)).astype(np.float32)
        high = soxr.resample(np.stack([noisy, 0.9 * noisy], axis=1), SAMPLE_RATE, 48000)
        soundfile.write(ada / "wavs" / f"say-{number:02d}.wav", high, 48000)
    # As LJSpeech has it, with a third column.
    write_about(
        ada, {f"say-{n:02d}": f"{text}|{text}" for n, text in enumerate(ENGLISH)}, "en-US", denoise=True
    )
    for number, word in enumerate(MANDARIN):
        suffix = ("mp3", "flac")[number % 2]
        soundfile.write(lan / f"{word}.{suffix}", spoken(synthesizer, word, "yuetan"), SAMPLE_RATE)
    write_about(lan, {word: word for word in MANDARIN}, "zh-CN", join=3)
    return [ada, lan]


def spoken(synthesizer: Synthesizer, text: str, speaker: str) -> NDArray[np.float32]:
    plan = synthesizer.plan(SpeakRequest(text, speaker=speaker), "kathleen-kerstin-yuetan")
    return join([piece.audio for piece in synthesizer.render(plan)], SAMPLE_RATE).samples


def write_about(folder: Path, texts: dict[str, str], language: str, **more: object) -> None:
    lines = "".join(f"{name}|{text}\n" for name, text in texts.items())
    (folder / "metadata.csv").write_text(lines, encoding="utf-8")
    about = {"speaker": folder.name, "language": language, "licence": "CC0-1.0", **more}
    (folder / "speaker.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
