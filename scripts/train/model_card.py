"""MODEL_CARD.md of a trained voice: what it learned from, how, how good it is, where it is weak.

    python -m scripts.train.model_card RECIPE.yaml --work build/train/NAME --figures figures.json
        [--weaknesses weaknesses.md] [--out FOLDER/MODEL_CARD.md]

The figures are those that scripts/train/evaluate has written with --json, over the held-out recordings of the same
training; the weaknesses are the words of someone who has listened.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from scripts.train import scoreboard
from scripts.train.figures import Clip
from scripts.train.licences import licence_of
from scripts.train.paces import suited
from scripts.train.recipe import Corpus, Recipe, RecipeError
from scripts.train.recipe_file import read_recipe
from scripts.train.report import hours
from scripts.train.stage import Work

NOTES = """\
Every column was judged in one run, on texts that this training has held out: compare columns with each other, first of
all with natural speech. DNSMOS (1 to 5) judges without a reference what people would say of it; it has learned from
English more than from anything else. Announcements are what a household hears: whole sentences, of which there are
no recordings.
"""


def model_card(work: Work, clips: Sequence[Clip], weaknesses: str) -> str:
    recipe = work.recipe
    return "\n".join(
        (
            f"# {recipe.name}\n",
            f"Speech from text, family two_stage, licence {licence_of(recipe.licences)}.\n",
            "## What it learned from\n",
            corpora(work),
            "## How\n",
            how(recipe),
            "## How good it is\n",
            NOTES,
            scoreboard.markdown(clips).rstrip() + "\n",
            "## Known weaknesses\n",
            weaknesses.strip() or "Nobody has listened for them yet.",
            "",
        )
    )


def corpora(work: Work) -> str:
    rows = [_corpus(work, each) for each in work.recipe.corpora]
    head = "| speaker | language | recordings | hours, cleaned | held out | licence | source |\n"
    return head + "|---|---|---:|---:|---:|---|---|\n" + "".join(rows)


def _corpus(work: Work, corpus: Corpus) -> str:
    own = [each for each in work.utterances() if each.speaker == corpus.speaker and len(each.texts) == 1]
    n_held_out = sum(each.is_held_out for each in own)
    return (
        f"| {corpus.speaker} | {corpus.language} | {len(own)} | {hours(work, own):.2f} | {n_held_out}"
        f" | {corpus.licence} | {corpus.source or '–'} |\n"
    )


def how(recipe: Recipe) -> str:
    steps = ", ".join(f"{each.name} {getattr(recipe.steps, each.name)}" for each in fields(recipe.steps))
    cleaned = [corpus.speaker for corpus in recipe.corpora if corpus.denoise]
    joined = [f"{corpus.speaker} (up to {corpus.join})" for corpus in recipe.corpora if corpus.join > 1]
    sentences = [
        "The stages are those of docs/training.md.",
        f"Steps: {steps}; seed {recipe.seed}.",
        f"It went on from the weights in {recipe.start_from.name}/, which may have learned from some of the recordings"
        " that are held out here."
        if recipe.start_from
        else "It started from nothing.",
        f"Steady noise was taken out of the recordings of {', '.join(cleaned)}." if cleaned else "",
        f"Single words were joined for {', '.join(joined)}." if joined else "",
        "The graphs are in 8 bits, their first and last layers in float32.",
    ]
    return " ".join(sentence for sentence in sentences if sentence) + "\n"


def read_clips(path: Path) -> list[Clip]:
    """Raises RecipeError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return [Clip(**each) for each in document["clips"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecipeError(f"{path} cannot be read: {error!r}; wanted what evaluate --json writes") from error


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write a voice's MODEL_CARD.md.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument(
        "--work", type=Path, required=True, help="the folder of the training: build/train/NAME"
    )
    parser.add_argument("--figures", type=Path, required=True, help="what evaluate --json has written")
    parser.add_argument("--weaknesses", type=Path, help="a text file in Markdown")
    parser.add_argument("--out", type=Path, help="standard output without it")
    options = parser.parse_args(arguments)
    try:
        weaknesses = options.weaknesses.read_text(encoding="utf-8") if options.weaknesses else ""
        work = Work(suited(read_recipe(options.recipe)), options.work)
        card = model_card(work, read_clips(options.figures), weaknesses)
    except (RecipeError, OSError) as error:
        print(f"model_card: {error}", file=sys.stderr)
        return 2
    if options.out:
        options.out.write_text(card, encoding="utf-8")
    else:
        print(card)
    return 0


if __name__ == "__main__":
    sys.exit(main())
