"""Is it a good voice? Figures of voices beside those of natural recordings, all judged in one run.

    scripts/train/evaluate VOICE_FOLDER… --recordings build/train/NAME [--texts 20] [--markdown F] [--plot F.svg]
        [--json F]

Each speaker's held-out recordings, which no training has seen, are judged three ways: as they are; copied (their
spectrum and pitch through the voice's vocoder, which is the best it can do); and their texts said by the voice.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge_tts.app import build_synthesizer
from edge_tts.audio import join, resampled
from edge_tts.config import CacheConfig, Config, MemoryConfig, VoicesConfig
from edge_tts.errors import SpeechError
from edge_tts.metrics import Metrics
from edge_tts.models.base import VoiceSpec
from edge_tts.models.session import open_session
from edge_tts.models.source_filter import HOP, Filters, SourceFilter
from edge_tts.models.two_stage import NOISE_SEED, VOCODER_OUTPUTS
from edge_tts.speech import Audio, SpeakRequest
from edge_tts.voices import read_voice_yaml
from scripts.train import scoreboard
from scripts.train.bare_pack import with_voice_yaml
from scripts.train.clean import MARGIN_S, trimmed
from scripts.train.defects import clicks, clipped, pinned
from scripts.train.distances import distance
from scripts.train.f0 import pitch
from scripts.train.features import SAMPLE_RATE, Floats, log_mel, read_sound
from scripts.train.judges import Dnsmos, Listener, at_level, for_judges, word_errors, words
from scripts.train.recipe import RecipeError, read_corpus
from scripts.train.scoreboard import COPY, NATURAL, SPEECH, Clip

QUALITY = Path(__file__).parents[3] / "shared" / "quality"
"""Where DNSMOS is looked for if neither --quality nor EDGE_TTS_QUALITY says otherwise."""

MEMORY_MB = 1 << 20


@dataclass(frozen=True)
class Recording:
    """A recording that no training has seen."""

    id: str
    speaker: str
    text: str
    sound: Path
    """Cleaned."""

    language: str
    """BCP-47; "" if the folder that it came from is gone."""


def held_out(work: Path, n_texts: int) -> list[Recording]:
    """The first *n_texts* held-out texts of each speaker of the training in *work*, each once. Raises RecipeError."""
    path = work / "clean" / "utterances.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path} cannot be read: {error}; wanted the folder of a training") from error
    found: dict[tuple[str, str], Recording] = {}
    for each in document:
        if each["is_held_out"]:
            text, speaker = " ".join(each["texts"]), each["speaker"]
            sound = path.parent / f"{each['id']}.flac"
            recording = Recording(each["id"], speaker, text, sound, _language(Path(each["sounds"][0])))
            if sum(other == speaker for other, _ in found) < n_texts:
                found.setdefault((speaker, text), recording)
    if not found:
        raise RecipeError(f"{path} has no recordings that are held out; ten of a speaker are the least")
    return list(found.values())


def _language(raw: Path) -> str:
    """Of the corpus with the recording *raw*."""
    folders = (raw.parent, raw.parent.parent)
    return next((read_corpus(each).language for each in folders if (each / "speaker.yaml").is_file()), "")


class Voice:
    """An installed voice, spoken by the daemon's own pipeline on one thread."""

    def __init__(self, label: str, folder: Path) -> None:
        """Raises VoiceError."""
        self.label = label
        self.spec: VoiceSpec = read_voice_yaml(folder / "voice.yaml")
        config = Config(
            voices=VoicesConfig(default=self.spec.name, folders=(folder,), threads=1),
            cache=CacheConfig(limit_mb=0),
            memory=MemoryConfig(limit_mb=MEMORY_MB),
        )
        self._synthesizer = build_synthesizer(config, Metrics())
        for speaker in self.spec.speakers:
            # The first time, a language's dictionaries are read.
            self.say("1", speaker, self.language(speaker))
        vocoder = self.spec.files.get("vocoder")
        self._vocoder = open_session(vocoder, None, threads=1) if vocoder else None

    @property
    def size_mb(self) -> float:
        graphs = [path for path in self.spec.files.values() if path.suffix == ".onnx"]
        return sum(path.stat().st_size for path in graphs) / 1e6

    @property
    def can_copy(self) -> bool:
        return self._vocoder is not None

    def language(self, speaker: str) -> str:
        """What voice.yaml knows of it: "" for the second speaker of a language."""
        return next((tag for tag, name in self.spec.default_speakers.items() if name == speaker), "")

    def say(self, text: str, speaker: str, language: str) -> tuple[Audio, float]:
        """The sound and its real-time factor: of processor time, which on the one thread is what the clock would show
        on an idle machine, and does not change with what else runs."""
        request = SpeakRequest(text, speaker=speaker, language=language or None)
        start_s = time.process_time()
        plan = self._synthesizer.plan(request, self.spec.name)
        audio = join([piece.audio for piece in self._synthesizer.render(plan)], self.spec.sample_rate)
        took_s = time.process_time() - start_s
        return audio, took_s / audio.duration_s

    def copy(self, recorded: Floats) -> Audio:
        """*recorded* through the voice's vocoder."""
        assert self._vocoder is not None
        f0_hz = pitch(recorded)
        outputs = self._vocoder.run({"mel": log_mel(recorded)[None], "f0": f0_hz[None]})
        filters = Filters(*(outputs[name][0] for name in VOCODER_OUTPUTS))
        source = SourceFilter(self.spec.sample_rate, NOISE_SEED)
        return Audio(source.feed(f0_hz, filters, None), self.spec.sample_rate)


class Judges:
    """Everything that gives a sound a figure."""

    def __init__(self, dnsmos: Dnsmos | None, listener: Listener | None) -> None:
        self._dnsmos = dnsmos
        self._listener = listener

    def scores(
        self, audio: Audio, recorded: Floats | None, text: str, *, is_english: bool
    ) -> dict[str, float]:
        """Of one sound; what a voice has made is also compared with *recorded*, which is at SAMPLE_RATE."""
        samples = resampled(audio, SAMPLE_RATE).samples
        scores: dict[str, float] = {
            "clicks": clicks(at_level(samples)),
            "clipped": clipped(audio.samples),
            "seconds": audio.duration_s,
        }
        heard = for_judges(samples)
        if self._dnsmos:
            scores |= self._dnsmos.judge(heard)
        if self._listener and is_english:
            said = words(text)
            scores |= {"words": len(said), "word_errors": word_errors(said, self._listener.hear(heard))}
        if recorded is not None:
            scores["pinned"] = pinned(audio.samples)
            scores |= _distances(recorded, samples)
        return scores


def _distances(recorded: Floats, made: Floats) -> dict[str, float]:
    # What is silent at the ends is cut off in the same way as that of the recordings was.
    made = trimmed(made, MARGIN_S)
    made = np.ascontiguousarray(made[: len(made) // HOP * HOP])
    found = distance(recorded, pitch(recorded), made, pitch(made))
    scores = {"mcd_db": found.mel_cepstral_db, "voicing_percent": found.voicing_percent}
    if np.isfinite(found.pitch_semitones):
        scores["f0_semitones"] = found.pitch_semitones
    return scores


def judged(recording: Recording, voices: Sequence[Voice], judges: Judges) -> list[Clip]:
    """The recording itself, and what each voice that has its speaker makes of it and of its text."""
    recorded = read_sound(recording.sound)
    text, speaker = recording.text, recording.speaker
    able = [voice for voice in voices if speaker in voice.spec.speakers]
    language = recording.language or able[0].language(speaker)

    def clip(column: str, kind: str, audio: Audio, **more: float) -> Clip:
        reference = None if kind == NATURAL else recorded
        scores = judges.scores(audio, reference, text, is_english=language.startswith("en"))
        return Clip(recording.id, speaker, column, kind, scores | more)

    clips = [clip(NATURAL, NATURAL, Audio(recorded, SAMPLE_RATE))]
    for voice in able:
        if voice.can_copy:
            clips.append(clip(f"{voice.label} {COPY}", COPY, voice.copy(recorded)))
        spoken, real_time_factor = voice.say(text, speaker, language)
        clips.append(
            clip(f"{voice.label} {SPEECH}", SPEECH, spoken, rtf=real_time_factor, size_mb=voice.size_mb)
        )
    return clips


def labels(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the folders' paths that tell them apart."""
    paths = [folder.resolve() for folder in folders]
    for n in range(1, max(len(path.parts) for path in paths) + 1):
        found = ["/".join(path.parts[-n:]) for path in paths]
        if len(set(found)) == len(found):
            return found
    raise RecipeError(f"the same folder twice: {', '.join(map(str, folders))}")


def evaluate(folders: Sequence[Path], work: Path, quality: Path | None, n_texts: int) -> list[Clip]:
    """Raises RecipeError or VoiceError."""
    recordings = held_out(work, n_texts)
    with tempfile.TemporaryDirectory() as temporary:
        voices = [
            Voice(label, with_voice_yaml(folder, Path(temporary) / str(number)))
            for number, (label, folder) in enumerate(zip(labels(folders), folders, strict=True))
        ]
        speakers = {name for voice in voices for name in voice.spec.speakers}
        recordings = [each for each in recordings if each.speaker in speakers]
        if not recordings:
            raise RecipeError(
                f"no speaker of {work} is in the voices, whose are {', '.join(sorted(speakers))}"
            )
        judges = Judges(Dnsmos(quality) if quality else None, Listener())
        return [clip for each in tqdm(recordings, "evaluate") for clip in judged(each, voices, judges)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/train/evaluate", description="Judge voices beside natural speech."
    )
    parser.add_argument("voices", type=Path, nargs="+", metavar="VOICE_FOLDER")
    parser.add_argument(
        "--recordings", type=Path, required=True, help="the folder of a training: build/train/NAME"
    )
    parser.add_argument("--quality", type=Path, help="folder with the two graphs of DNSMOS")
    parser.add_argument("--texts", type=int, default=20, help="held-out texts of each speaker (20)")
    parser.add_argument("--markdown", type=Path, help="also write the tables here")
    parser.add_argument("--plot", type=Path, help="also draw them here, as SVG")
    parser.add_argument("--json", type=Path, help="also write everything here, each clip's figures included")
    options = parser.parse_args(arguments)
    quality = options.quality or Path(os.environ.get("EDGE_TTS_QUALITY") or QUALITY)
    if not quality.is_dir():
        if options.quality:
            parser.error(f"--quality: {quality} is no folder")
        print(
            f"no DNSMOS: {quality} is not there; --quality or EDGE_TTS_QUALITY may name it", file=sys.stderr
        )
        quality = None
    try:
        clips = evaluate(options.voices, options.recordings, quality, options.texts)
    except (RecipeError, SpeechError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    table = scoreboard.markdown(clips)
    print(table)
    if options.markdown:
        options.markdown.write_text(table, encoding="utf-8")
    if options.json:
        options.json.write_text(scoreboard.as_json(clips), encoding="utf-8")
    if options.plot:
        scoreboard.plot(clips, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
