"""The recordings of the bundled voice, from clones of the public repositories that hold them → folders to train from.

    python -m scripts.train.bundled KATHLEEN KERSTIN AUDIO_CMN OUT

KATHLEEN is a clone of github.com/rhasspy/dataset-voice-kathleen, KERSTIN of github.com/rhasspy/dataset-voice-kerstin,
AUDIO_CMN of github.com/hugolpz/audio-cmn. OUT gets a folder for each speaker, with links to the recordings, and
recipe.yaml, which goes on from the weights in the repository.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

CHECKPOINTS = Path(__file__).resolve().parent / "checkpoints"
STEPS = {"align": 2600, "prosody": 600, "acoustic": 100, "sharpen": 400, "vocoder": 700, "joint": 2400}
"""With which the voice in the repository was made from the weights of the version before it; `prosody` from those of
the first, which had one encoder for all."""

SPEAKERS: dict[str, dict[str, str | bool | int]] = {
    "kathleen": {
        "language": "en-US",
        "licence": "CC0-1.0",
        "source": "github.com/rhasspy/dataset-voice-kathleen",
        "denoise": True,
    },
    "kerstin": {
        "language": "de-DE",
        "licence": "CC0-1.0",
        "source": "github.com/rhasspy/dataset-voice-kerstin",
    },
    "yuetan": {
        "language": "zh-CN",
        "licence": "CC-BY-SA-4.0",
        "source": "Yue Tan's recordings, Shtooka project, github.com/hugolpz/audio-cmn",
        "join": 5,
    },
}


def kathleen(clone: Path) -> dict[str, tuple[str, Path]]:
    """Name → text and recording."""
    return {
        path.stem: (path.with_suffix(".txt").read_text(encoding="utf-8").strip(), path)
        for path in sorted((clone / "data").glob("*.wav"))
    }


def kerstin(clone: Path) -> dict[str, tuple[str, Path]]:
    lines = (clone / "metadata.csv").read_text(encoding="utf-8").splitlines()
    named = (line.split("|")[:2] for line in lines if line.strip())
    return {name: (text, clone / "verified" / f"{name}.flac") for name, text in named}


def yuetan(clone: Path) -> dict[str, tuple[str, Path]]:
    """Words named by their characters; what stands in brackets or underscores tells readings apart."""
    found = {}
    for path in sorted((clone / "96k" / "hsk").glob("cmn-*.mp3")):
        word = path.stem.removeprefix("cmn-")
        if re.fullmatch(r"[\u4e00-\u9fff]+", word):
            found[word] = (word, path)
    return found


def main(folders: list[Path], out: Path) -> None:
    for (speaker, about), read, clone in zip(
        SPEAKERS.items(), (kathleen, kerstin, yuetan), folders, strict=True
    ):
        folder = out / speaker
        wavs = folder / "wavs"
        wavs.mkdir(parents=True, exist_ok=True)
        lines = []
        for name, (text, path) in read(clone).items():
            lines.append(f"{name}|{text}\n")
            link = wavs / f"{name}{path.suffix}"
            link.unlink(missing_ok=True)
            link.symlink_to(path.resolve())
        (folder / "metadata.csv").write_text("".join(lines), encoding="utf-8")
        (folder / "speaker.yaml").write_text(yaml.safe_dump({"speaker": speaker, **about}), encoding="utf-8")
        print(f"{folder}: {len(lines)} recordings")
    recipe = {
        "name": "-".join(SPEAKERS), "corpora": list(SPEAKERS), "steps": STEPS, "start_from": str(CHECKPOINTS)
    }  # fmt: skip
    (out / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:4]], Path(sys.argv[4]))
