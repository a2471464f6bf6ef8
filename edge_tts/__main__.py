"""Command line: `edgetts run`, `say`, `devices`, `voices`, `check`, `explain`, `prerender`, `tune`."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from edge_tts import __version__
from edge_tts.config import AudioConfig, Config, load_config
from edge_tts.errors import SpeechError

if TYPE_CHECKING:  # the commands import what they need themselves: `edgetts --help` should not load a voice
    from edge_tts.references import References
    from edge_tts.speech import Piece, SpeakRequest
    from edge_tts.synthesizer import Synthesizer

BAD_CONFIG_EXIT_STATUS = 78
"""EX_CONFIG: starting again will not help; the unit does not try."""

_config_option = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), help="Configuration; defaults without one."
)
_voice_options = [
    click.option("--voice", help="Installed voice; the configured default without one."),
    click.option("--speaker", help="Speaker inside the voice."),
    click.option("--language", help="Language of the text, as de-DE."),
    click.option("--speed", type=click.FloatRange(0.25, 4.0), default=1.0, show_default=True),
    click.option(
        "--pitch", type=click.FloatRange(-12, 12), default=0.0, show_default=True, help="Semitones."
    ),
    click.option("--emotion", default="neutral", show_default=True),
    click.option("--style", help="How to say it, in words."),
    click.option("--reference", help="Who of those enrolled is imitated."),
    click.option("--ssml", is_flag=True, help="The text is SSML."),
]


def _with_voice_options(command: Any) -> Any:
    for option in reversed(_voice_options):
        command = option(command)
    return command


def _config(path: Path | None, *, is_daemon: bool = False) -> Config:
    config = Config() if path is None else load_config(path)
    # A command answers on standard output; what a daemon logs of its doings would only be in the way.
    set_up_log(config.log.level if is_daemon or config.log.level == "debug" else "warning")
    return config


def set_up_log(level: str) -> None:
    """Log lines to standard error; the journal adds the time itself."""
    in_journal = "JOURNAL_STREAM" in os.environ
    logging.basicConfig(
        level=level.upper(),
        format=("" if in_journal else "%(asctime)s ") + "%(levelname)s %(name)s %(message)s",
        force=True,
    )


@click.group()
@click.version_option(__version__)
def cli() -> None:
    """Offline speech for this box: a daemon for MQTT and HTTP, and tools to try and check it."""


@cli.command()
@_config_option
def run(config_path: Path | None) -> None:
    """Run the daemon in the foreground."""
    # Until it listens to signals itself: a stop while it still starts is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = _config(config_path, is_daemon=True)
    from edge_tts.app import serve

    serve(config)


@cli.command()
@_config_option
@click.option(
    "--wav", type=click.Path(dir_okay=False, path_type=Path), help="Write a WAV file instead of playing."
)
@click.option("--play", is_flag=True, help="Play on the sound device (the default).")
@_with_voice_options
@click.argument("text")
def say(config_path: Path | None, wav: Path | None, play: bool, **asked: Any) -> None:
    """Say TEXT, without a daemon."""
    if wav and play:
        raise click.UsageError("--wav writes a file, --play uses the sound device: choose one")
    if wav and wav.suffix != ".wav":
        raise click.UsageError(f"--wav writes WAV: end the name in .wav, not {wav.suffix or 'nothing'}")
    import asyncio

    config = _config(config_path)
    synthesizer = _synthesizer(config)
    plan = replace(synthesizer.plan(_request(asked), config.voices.default), is_announcement=True)
    audio = replace(config.audio, sink="wav", wav_dir=wav.parent, volume=100) if wav else config.audio
    warnings = asyncio.run(_play(audio, synthesizer.render(plan), wav.stem if wav else "say"))
    for warning in dict.fromkeys([*plan.warnings, *warnings]):
        click.echo(f"warning: {warning}", err=True)


async def _play(config: AudioConfig, pieces: Iterator[Piece], name: str) -> list[str]:
    """Play *pieces* to their end; returns their warnings."""
    from edge_tts.audio import volume_gain
    from edge_tts.metrics import Metrics
    from edge_tts.player import open_player

    warnings: list[str] = []

    async def rendered() -> AsyncIterator[Piece]:
        for piece in pieces:
            warnings.extend(piece.warnings)
            yield piece

    async with open_player(config, Metrics()) as player:
        problem = await player.probe()
        if problem:
            raise problem
        await player.play(rendered(), name=name, gain=lambda: volume_gain(config.volume))
    return warnings


@cli.command()
@_config_option
@_with_voice_options
@click.argument("text")
def explain(config_path: Path | None, **asked: Any) -> None:
    """Show how TEXT would be read: normalized words, phonemes, duration. Makes no sound."""
    config = _config(config_path)
    explanation = _synthesizer(config).explain(_request(asked), config.voices.default)
    click.echo(json.dumps(explanation, ensure_ascii=False, indent=2))


@cli.command()
@_config_option
@_with_voice_options
@click.argument("file", type=click.File(encoding="utf-8"))
def prerender(config_path: Path | None, file: TextIO, **asked: Any) -> None:
    """Make the sound of each line of FILE (- is standard input) and keep it in the phrase cache, without playing it.

    Announcements of a voice that is slower than speech then start at once, if they are asked for in the same words,
    with the same voice, speed and so on.
    """
    from edge_tts.prerender import prerender as rendered

    config = _config(config_path)
    if not config.cache.limit_mb:
        raise click.UsageError("the phrase cache is off (cache.limit_mb is 0): nothing would be kept")
    n_failed = 0
    for step in rendered(
        _synthesizer(config), file.read(), _request(asked | {"text": ""}), config.voices.default
    ):
        if step.error:
            n_failed += 1
            click.echo(f"line {step.line}: {step.error} [{step.error.code}]", err=True)
            continue
        click.echo(
            f"line {step.line}, sentence {step.sentence} of {step.n_sentences}: "
            f"{step.audio_s:.1f} s of sound in {step.synthesis_s:.1f} s"
        )
        for warning in step.warnings:
            click.echo(f"line {step.line}: warning: {warning}", err=True)
    # The daemon's unit has a cache of its own unless cache.dir says where.
    click.echo(f"kept in {config.cache.folder}")
    if n_failed:
        raise SystemExit(1)


def _request(asked: dict[str, Any]) -> SpeakRequest:
    from edge_tts.speech import Emotion, SpeakRequest

    is_ssml = asked.pop("ssml")
    emotion = Emotion(asked.pop("emotion"))
    return SpeakRequest(**asked, emotion=emotion, format="ssml" if is_ssml else "text", source="cli")


def _synthesizer(config: Config) -> Synthesizer:
    from edge_tts.app import build_synthesizer
    from edge_tts.metrics import Metrics

    return build_synthesizer(config, Metrics())


@cli.command()
@_config_option
@click.option("--json", "as_json", is_flag=True)
def voices(config_path: Path | None, as_json: bool) -> None:
    """List the installed voices with their pace on this machine, and why some cannot be used."""
    store = _synthesizer(_config(config_path)).voices
    store.verify()
    store.try_all()
    described = store.describe()
    if as_json:
        click.echo(json.dumps(described, ensure_ascii=False, indent=2))
        return
    for voice in described:
        if "error" in voice:
            click.echo(f"{voice['name']}: cannot be used: {voice['error']}")
        else:
            speakers = f", speakers {' '.join(voice['speakers'])}" if voice["speakers"] else ""
            pace = "" if voice["rtf"] is None else f", RTF {voice['rtf']:.2g}"
            click.echo(f"{voice['name']}: {voice['family']}, {' '.join(voice['languages'])}{speakers}{pace}")


@cli.command()
def devices() -> None:
    """List the sound devices that speech can go to."""
    from edge_tts.device import list_devices

    for name, is_default in list_devices():
        click.echo(f"{'*' if is_default else ' '} {name}")


@cli.command()
@_config_option
def check(config_path: Path | None) -> None:
    """Check configuration, voices, sound device and broker: what works, what doesn't, what to do."""
    from edge_tts.checks import run_checks

    results = run_checks(config_path)
    for result in results:
        click.echo(f"{'ok  ' if result.is_ok else 'FAIL'} {result.what}: {result.message}")
    if not all(result.is_ok for result in results):
        raise SystemExit(1)


@cli.group()
def reference() -> None:
    """Clips of people, for voices that imitate one."""


def _references(config_path: Path | None) -> References:
    from edge_tts.references import References

    return References(_config(config_path).state.folder / "references")


@reference.command("add")
@_config_option
@click.argument("name")
@click.argument("clip", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--text", required=True, help="What is said in the clip, word by word.")
@click.option("--emotion", help="In which it is said; neutral without one.")
@click.option("--language", help="Of the text, as de-DE.")
def add_reference(
    config_path: Path | None, name: str, clip: Path, text: str, emotion: str | None, language: str | None
) -> None:
    """Enrol CLIP, 3 to 30 s of one person speaking, as NAME."""
    from edge_tts.references import sound_of

    kept = _references(config_path).add(name, clip, text, language=language, emotion=emotion)
    click.echo(f"{name}, {kept.emotion or 'neutral'}: {sound_of(kept, 16000).duration_s:.1f} s enrolled")


@reference.command("list")
@_config_option
def list_references(config_path: Path | None) -> None:
    """List who is enrolled."""
    clips = _references(config_path).all()
    for clip in clips:
        click.echo(f"{clip.name}, {clip.emotion or 'neutral'}: {clip.text}")
    if not clips:
        click.echo("nobody is enrolled")


@reference.command("remove")
@_config_option
@click.argument("name")
def remove_reference(config_path: Path | None, name: str) -> None:
    """Forget all clips of NAME."""
    n_clips = _references(config_path).remove(name)
    click.echo(f"{n_clips} clip{'s' if n_clips > 1 else ''} of {name} removed")


@cli.command()
@_config_option
@click.option(
    "--seconds", type=click.FloatRange(0.1, 60), default=3.0, show_default=True, help="For each row."
)
@click.argument("voices", metavar="[VOICE]...", nargs=-1)
def tune(config_path: Path | None, seconds: float, voices: tuple[str, ...]) -> None:
    """Measure how many processor threads make VOICE (the configured one without any) fastest on this machine."""
    from edge_tts.tune import Pace, fastest, measure, thread_counts

    config = _config(config_path)
    paces: dict[str, list[Pace]] = {}
    for voice in voices or (config.voices.default,):
        click.echo(f"{voice}\nthreads  first audio      RTF")
        paces[voice] = []
        for threads in thread_counts():
            pace = measure(config, voice, threads, seconds)
            click.echo(f"{threads:7}  {pace.first_audio_ms:8.1f} ms  {pace.rtf:7.4f}")
            paces[voice].append(pace)
    chosen = fastest(paces)
    is_set = " (as it is)" if chosen == config.voices.threads else ""
    click.echo(f"fastest of these, within 5 % the fewest: {chosen}. In config.yaml{is_set}:")
    click.echo(f"voices:\n  threads: {chosen}")


@cli.command()
@click.argument("family")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder of the new voice.")
@click.option("--int8", is_flag=True, help="Smaller, where a family allows it.")
def convert(family: str, folder: Path, out: Path, int8: bool) -> None:
    """Make a voice of the published checkpoints in FOLDER (needs PyTorch); docs/families.md."""
    from edge_tts.convert import converter

    converter(family)(folder, out, int8=int8)
    click.echo(f"{out} is a voice; move it into one of voices.folders")


def main() -> None:
    """Entry point: a SpeechError is one clear line, not a traceback."""
    try:
        cli()
    except SpeechError as error:
        click.echo(f"edgetts: {error} [{error.code}]", err=True)
        sys.exit(BAD_CONFIG_EXIT_STATUS if error.code == "bad_config" else 1)


if __name__ == "__main__":
    main()
