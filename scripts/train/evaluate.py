"""Is it a good voice? Figures of voices beside those of natural recordings, all judged in one run.

    scripts/train/evaluate VOICE_FOLDER… --recordings build/train/NAME [--texts 20] [--announcements 12]
        [--markdown F] [--plot F.svg] [--json F] [--quality FOLDER]

Each speaker's held-out recordings, which no training has seen, are judged three ways: as they are; copied (their
spectrum and pitch through the voice's vocoder, which is the best it can do); and their texts said by the voice. What
a household hears is judged too: announcements, by each voice's default speakers, of which there are no recordings.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge_tts.app import build_synthesizer
from edge_tts.audio import join, resampled
from edge_tts.config import CacheConfig, Config, MemoryConfig, VoicesConfig
from edge_tts.errors import NothingToSayError, RequestError, SpeechError
from edge_tts.metrics import Metrics
from edge_tts.models.base import VoiceSpec
from edge_tts.models.session import open_session
from edge_tts.models.source_filter import HOP, Filters, SourceFilter
from edge_tts.models.two_stage import NOISE_SEED, VOCODER_OUTPUTS
from edge_tts.speech import Audio, SpeakRequest
from edge_tts.text.languages import primary
from edge_tts.voice_folders import read_voice_yaml
from scripts.train import scoreboard
from scripts.train.announcements import ANNOUNCEMENTS
from scripts.train.bare_pack import with_voice_yaml
from scripts.train.clean import MARGIN_S, trimmed
from scripts.train.defects import clicks, clipped, pinned
from scripts.train.distances import distance
from scripts.train.f0 import pitch
from scripts.train.features import SAMPLE_RATE, Floats, log_mel, read_sound
from scripts.train.figures import COPY, NATURAL, SPEECH, Clip
from scripts.train.held_out import Recording, held_out
from scripts.train.judges import GRAPHS, Dnsmos, Listener, at_level, for_judges, word_errors, words
from scripts.train.recipe import RecipeError

MEMORY_MB = 1 << 20


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
            with suppress(NothingToSayError):  # of a voice that has learned few sounds
                self.say("1", speaker, self.language(speaker))
        vocoder = self.spec.files.get("vocoder")
        self._vocoder = open_session(vocoder, None, threads=1) if vocoder else None

    @property
    def size_mb(self) -> float:
        graphs = [path for path in self.spec.files.values() if path.suffix == ".onnx"]
        return sum(path.stat().st_size for path in graphs) / 1e6

    @property
    def languages(self) -> list[str]:
        """Primary subtags."""
        return list(dict.fromkeys(primary(tag) for tag in self.spec.languages))

    @property
    def can_copy(self) -> bool:
        return self._vocoder is not None

    def language(self, speaker: str) -> str:
        """What voice.yaml knows of it: "" for the second speaker of a language."""
        return next((tag for tag, name in self.spec.default_speakers.items() if name == speaker), "")

    def say(self, text: str, speaker: str, language: str) -> tuple[Audio, float]:
        """The sound and its real-time factor: of processor time, which on the one thread is what the clock would show
        on an idle machine, and does not change with what else runs."""
        request = SpeakRequest(text, speaker=speaker or None, language=language or None)
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

    def scores(self, audio: Audio, text: str, language: str) -> dict[str, float]:
        """Of one sound, by itself."""
        samples = resampled(audio, SAMPLE_RATE).samples
        scores: dict[str, float] = {
            "clicks": clicks(at_level(samples)),
            "clipped": clipped(audio.samples),
            "seconds": audio.duration_s,
        }
        heard = for_judges(samples)
        if self._dnsmos:
            scores |= self._dnsmos.judge(heard)
        said = words(text) if primary(language) == "en" else []
        if self._listener and said:
            scores |= {"words": len(said), "word_errors": word_errors(said, self._listener.hear(heard))}
        return scores


def distances(recorded: Floats, audio: Audio) -> dict[str, float]:
    """Of what a voice has made from *recorded*, which is at SAMPLE_RATE."""
    made = resampled(audio, SAMPLE_RATE).samples
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

    def clip(column: str, kind: str, audio: Audio, more: dict[str, float]) -> Clip:
        return Clip(recording.id, speaker, column, kind, judges.scores(audio, text, language) | more)

    clips = [clip(NATURAL, NATURAL, Audio(recorded, SAMPLE_RATE), {})]
    for voice in able:
        if voice.can_copy:
            copied = voice.copy(recorded)
            more = {"pinned": pinned(copied.samples)} | distances(recorded, copied)
            clips.append(clip(f"{voice.label} {COPY}", COPY, copied, more))
        spoken, real_time_factor = voice.say(text, speaker, language)
        more = {"pinned": pinned(spoken.samples), "rtf": real_time_factor, "size_mb": voice.size_mb}
        clips.append(clip(f"{voice.label} {SPEECH}", SPEECH, spoken, more | distances(recorded, spoken)))
    return clips


def announced(language: str, number: int, voices: Sequence[Voice], judges: Judges) -> list[Clip]:
    """Announcement *number* (from 1) in *language* by the default speaker of each voice that speaks it."""
    text = ANNOUNCEMENTS[language][number - 1]
    clips = []
    for voice in voices:
        if language in voice.languages:
            speaker = voice.spec.default_speakers.get(language, next(iter(voice.spec.speakers), ""))
            spoken, _ = voice.say(text, speaker, language)
            scores = judges.scores(spoken, text, language) | {"pinned": pinned(spoken.samples)}
            identity = f"announcements/{language}/{number:02}"
            column = f"{voice.label} {SPEECH}"
            clips.append(Clip(identity, speaker, column, SPEECH, scores, announced_in=language))
    return clips


def all_of(title: str, tasks: Mapping[str, Callable[[], list[Clip]]]) -> list[Clip]:
    """The clips of all *tasks* (by name), but of those whose text a voice cannot say, which are listed: so all voices
    are judged by the same texts."""
    clips: list[Clip] = []
    skipped: list[str] = []
    for name, make in tqdm(tasks.items(), title):
        try:
            clips += make()
        except RequestError as error:
            skipped.append(f"{name}: {error}")
    if skipped:
        listed = "; ".join(skipped)
        print(
            f"skipped {len(skipped)} of {len(tasks)} {title}, which cannot be said: {listed}", file=sys.stderr
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


def evaluate(
    folders: Sequence[Path], work: Path, quality: Path | None, n_texts: int, n_announcements: int
) -> list[Clip]:
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
        clips = all_of("recordings", {each.id: partial(judged, each, voices, judges) for each in recordings})
        if not clips:
            raise RecipeError("none of the held-out texts can be said by the voices; wanted one at least")
        announcements = {
            f"{language}/{number:02}": partial(announced, language, number, voices, judges)
            for language, texts in ANNOUNCEMENTS.items()
            if any(language in each.languages for each in voices)
            for number in range(1, min(n_announcements, len(texts)) + 1)
        }
        return [*clips, *all_of("announcements", announcements)]


def dnsmos_folder(parser: argparse.ArgumentParser, asked: Path | None) -> Path | None:
    """Where the graphs of DNSMOS are; None, having said so, if nobody names a folder."""
    named = asked or Path(os.environ.get("EDGE_TTS_QUALITY", ""))
    if named == Path():
        print(
            "without DNSMOS: its figures are left out; --quality or EDGE_TTS_QUALITY names the folder with"
            f" {' and '.join(GRAPHS)} (docs/training.md)",
            file=sys.stderr,
        )
        return None
    missing = [name for name in GRAPHS if not (named / name).is_file()]
    if missing:
        parser.error(f"--quality: {named / missing[0]} is missing; docs/training.md says where it comes from")
    return named


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/train/evaluate", description="Judge voices beside natural speech."
    )
    parser.add_argument("voices", type=Path, nargs="+", metavar="VOICE_FOLDER")
    parser.add_argument(
        "--recordings", type=Path, required=True, help="the folder of a training: build/train/NAME"
    )
    parser.add_argument(
        "--quality", type=Path, help="folder with the two graphs of DNSMOS; EDGE_TTS_QUALITY without it"
    )
    parser.add_argument("--texts", type=int, default=20, help="held-out texts of each speaker (20)")
    parser.add_argument(
        "--announcements", type=int, default=12, help="of each language at most; 0: none (12)"
    )
    parser.add_argument("--markdown", type=Path, help="also write the tables here")
    parser.add_argument("--plot", type=Path, help="also draw them here, as SVG")
    parser.add_argument("--json", type=Path, help="also write everything here, each clip's figures included")
    options = parser.parse_args(arguments)
    quality = dnsmos_folder(parser, options.quality)
    try:
        clips = evaluate(options.voices, options.recordings, quality, options.texts, options.announcements)
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
