"""Stage report: one page to look at and listen to, from the recordings to the installed voice.

report/index.html has its pictures in itself and its sounds beside it: the folder can be moved, and needs no network.
"""

from __future__ import annotations

import base64
import functools
import html
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import soundfile
from tqdm import tqdm

from edge_tts.speech import Audio
from scripts.train.evaluate import Voice
from scripts.train.export import one_of_each_speaker
from scripts.train.licences import licence_of
from scripts.train.phonemes import Spoken, read_spoken
from scripts.train.recipe import Corpus, Utterance
from scripts.train.stage import Work, whole

N_MOMENTS = 4
"""Of a training are shown, the first and the last among them."""

N_DROPPED = 200
"""Dropped recordings that are listed by name."""

STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
nav a { margin-right: 1em }
h2 { border-top: 1px solid #8888; padding-top: 1rem }
img { max-width: 100%; background: white; border-radius: 4px }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }
th, td { border: 1px solid #8886; padding: .3em .6em; text-align: left; font-variant-numeric: tabular-nums }
audio { width: 15rem; height: 2.2rem }
"""


def report(work: Work) -> None:
    """Writes index.html and the sounds."""
    folder = work.stage("report")
    examples = one_of_each_speaker(work, read_spoken(work))
    sections = {
        "Recordings": corpora(work),
        "Clean": pictured(work, "clean") + dropped(work, "clean"),
        "Phonemes": pictured(work, "phonemes") + dropped(work, "phonemes") + warnings(work),
        "Mels": pictured(work, "mels"),
        "Pitch": pictured(work, "f0") + ranges(work),
        "Alignment": pictured(work, "align") + picture(work, "align/durations.png")
        + curves(work, "align") + dropped(work, "align"),
        "Prosody": curves(work, "prosody") + errors_held_out(work, "prosody"),
        "Acoustic model": curves(work, "acoustic") + errors_held_out(work, "acoustic") + moments(work, "acoustic"),
        "Sharpening": curves(work, "acoustic/sharpen") + moments(work, "acoustic/sharpen"),
        "Vocoder": curves(work, "vocoder") + sounds(work, folder, "vocoder", examples) + moments(work, "vocoder"),
        "Both together": curves(work, "joint") + sounds(work, folder, "joint", examples) + moments(work, "joint"),
        "Export": pictured(work, "export"),
        "8 bits": int8_errors(work) + pictured(work, "int8"),
        "The voice": voice(work, folder, examples),
    }  # fmt: skip
    document = page(work.recipe.name, sections)
    whole(folder / "index.html", lambda part: part.write_text(document, encoding="utf-8"))


def page(title: str, sections: dict[str, str]) -> str:
    shown = {heading: body for heading, body in sections.items() if body}
    links = "".join(f'<a href="#{_anchor(heading)}">{heading}</a> ' for heading in shown)
    bodies = "".join(
        f'<h2 id="{_anchor(heading)}">{heading}</h2>\n{body}\n' for heading, body in shown.items()
    )
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n"
        f"<h1>{html.escape(title)}</h1>\n<nav>{links}</nav>\n{bodies}</html>\n"
    )


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML."""
    lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>\n"


def picture(work: Work, name: str) -> str:
    path = work.folder / name
    if not path.exists():
        return ""
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<p>{html.escape(name)}<br><img alt="{html.escape(name)}" src="data:image/png;base64,{content}"></p>\n'


def pictured(work: Work, stage: str) -> str:
    return picture(work, f"{stage}/{stage}.png")


def curves(work: Work, folder: str) -> str:
    return picture(work, f"{folder}/losses.png")


def corpora(work: Work) -> str:
    utterances = [each for each in work.utterances() if len(each.texts) == 1]
    rows = [_corpus_row(work, corpus, utterances) for corpus in work.recipe.corpora]
    licence = html.escape(licence_of(work.recipe.licences))
    head = ("speaker", "language", "licence", "source", "recordings", "hours, cleaned", "held out")
    return table(head, rows) + f"<p>Licence of the voice: {licence}</p>\n"


def _corpus_row(work: Work, corpus: Corpus, utterances: Sequence[Utterance]) -> Sequence[str]:
    own = [each for each in utterances if each.speaker == corpus.speaker]
    n_held_out = sum(each.is_held_out for each in own)
    about = (corpus.speaker, corpus.language, corpus.licence, corpus.source)
    return (*map(html.escape, about), str(len(own)), f"{hours(work, own):.2f}", str(n_held_out))


def hours(work: Work, utterances: Iterable[Utterance]) -> float:
    """Of their cleaned sound."""
    folder = work.stage("clean")
    durations_s = [float(soundfile.info(folder / f"{each.id}.flac").duration) for each in utterances]
    return sum(durations_s) / 3600


def _read(work: Work, name: str) -> Any:
    path = work.folder / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def dropped(work: Work, stage: str) -> str:
    """What the stage has left out, and why."""
    reasons = _read(work, f"{stage}/dropped.json")
    if not reasons:
        return "<p>Nothing was dropped.</p>\n"
    rows = [(html.escape(name), html.escape(reason)) for name, reason in list(reasons.items())[:N_DROPPED]]
    more = len(reasons) - len(rows)
    return (
        f"<details><summary>{len(reasons)} dropped</summary>\n{table(('recording', 'why'), rows)}"
        + (f"<p>and {more} more in {stage}/dropped.json</p>\n" if more else "")
        + "</details>\n"
    )


def warnings(work: Work) -> str:
    found = _read(work, "phonemes/warnings.json")
    return f"<p>{html.escape('; '.join(found))}</p>\n" if found else ""


def ranges(work: Work) -> str:
    found = _read(work, "f0/ranges.json")
    rows = [
        (
            html.escape(name),
            f"{np.exp(each['log_f0_median']):.0f} Hz",
            f"{12 * each['log_f0_std'] / np.log(2):.1f} semitones",
        )
        for name, each in found.items()
    ]
    return table(("speaker", "median pitch", "standard deviation"), rows)


def errors_held_out(work: Work, stage: str) -> str:
    found = _read(work, f"{stage}/held_out.json")
    rows = [(step, *(f"{error:.3f}" for error in errors.values())) for step, errors in found.items()]
    return table(("held out, after steps", *next(iter(found.values()))), rows) if found else ""


def _steps(work: Work, folder: str, suffix: str) -> list[int]:
    """At most N_MOMENTS of those that left files of that *suffix*."""
    names = [path.name for path in (work.folder / folder).glob(f"step-*{suffix}")]
    steps = sorted({int(match[1]) for name in names if (match := re.match(r"step-(\d+)", name))})
    if len(steps) <= N_MOMENTS:
        return steps
    return [steps[round(index * (len(steps) - 1) / (N_MOMENTS - 1))] for index in range(N_MOMENTS)]


def moments(work: Work, folder: str) -> str:
    pictures = "".join(
        picture(work, f"{folder}/step-{step:06d}.png") for step in _steps(work, folder, ".png")
    )
    return (
        f"<details><summary>Spectrograms over the steps</summary>\n{pictures}</details>\n" if pictures else ""
    )


def player(folder: Path, name: str, audio: Audio) -> str:
    """Writes the sound beside the page."""
    write = functools.partial(
        soundfile.write, data=audio.samples, samplerate=audio.sample_rate, format="FLAC", subtype="PCM_16"
    )
    whole(folder / name, write)
    return f'<audio controls preload="none" src="{quote(name)}"></audio>'


def _read_audio(path: Path) -> Audio:
    samples, sample_rate = soundfile.read(path, dtype="float32")
    return Audio(samples, sample_rate)


def _name(spoken: Spoken, what: str) -> str:
    return f"{spoken.speaker.replace('/', '-')}-{what}.flac"


def sounds(work: Work, folder: Path, stage: str, examples: Sequence[Spoken]) -> str:
    """The held-out recordings and what the stage made of them over the steps."""
    steps = _steps(work, stage, ".wav")
    rows = []
    for each in examples:
        recorded = work.folder / "clean" / f"{each.id}.flac"
        cells = [html.escape(each.id), player(folder, _name(each, "recorded"), _read_audio(recorded))]
        for step in steps:
            path = work.folder / stage / f"step-{step:06d}-{each.id.replace('/', '-')}.wav"
            name = _name(each, f"{stage}-{step}")
            cells.append(player(folder, name, _read_audio(path)) if path.exists() else "–")
        rows.append(cells)
    return table(("held out", "recorded", *(f"step {step}" for step in steps)), rows) if steps else ""


def int8_errors(work: Work) -> str:
    """The table of the stage int8."""
    found = _read(work, "int8/errors.json")
    if not found:
        return ""
    speakers = found["speakers"]
    names = list(next(iter(speakers.values())))
    rows = [(name, *(f"{each[name]:.3f}" for each in speakers.values())) for name in names]
    sizes = found["size_bytes"].items()
    size_rows = [(html.escape(name), f"{size_bytes / 1e6:.2f} MB") for name, size_bytes in sizes]
    return table(("error against float32", *map(html.escape, speakers)), rows) + table(
        ("file", "size"), size_rows
    )


def voice(work: Work, folder: Path, examples: Sequence[Spoken]) -> str:
    """The held-out texts said by the voice that is installed, beside their recordings."""
    speaking = Voice(work.recipe.name, work.folder / "voice")
    texts = {each.id: " ".join(each.texts) for each in work.utterances()}
    languages = {corpus.speaker: corpus.language for corpus in work.recipe.corpora}
    rows = []
    for each in tqdm(examples, "report"):
        recorded = _read_audio(work.folder / "clean" / f"{each.id}.flac")
        said, real_time_factor = speaking.say(texts[each.id], each.speaker, languages[each.speaker])
        rows.append(
            (
                html.escape(each.speaker),
                html.escape(texts[each.id]),
                player(folder, _name(each, "recorded"), recorded),
                player(folder, _name(each, "said"), said),
                f"{real_time_factor:.3f}",
            )
        )
    size = f"<p>Graphs: {speaking.size_mb:.1f} MB</p>\n"
    return (
        table(("speaker", "held-out text", "recorded", "said", "real-time factor, one thread"), rows) + size
    )
