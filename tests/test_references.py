from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from numpy.typing import NDArray

from edge_tts.__main__ import cli
from edge_tts.doors.http_references import MAX_CLIP_BYTES
from edge_tts.errors import BadClipError, InvalidFieldError, UnknownReferenceError
from edge_tts.references import References, sound_of
from tests.doors_house import hum_config, opened

SAMPLE_RATE = 16000


def buzz(duration_s: float, pitch_hz: float = 120.0, level: float = 0.2) -> NDArray[np.float32]:
    """Something voiced: ten harmonics."""
    t = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    tone = sum(np.sin(2 * np.pi * pitch_hz * k * t) / k for k in range(1, 11))
    return np.asarray(level * tone / 2, np.float32)


def clip(folder: Path, samples: NDArray[np.float32], name: str = "clip.wav") -> Path:
    soundfile.write(folder / name, samples, SAMPLE_RATE)
    return folder / name


@pytest.fixture
def references(tmp_path: Path) -> References:
    return References(tmp_path / "references")


def test_a_person_has_a_clip_for_each_emotion_and_the_neutral_one_first(
    references: References, tmp_path: Path
) -> None:
    references.add("grandma", clip(tmp_path, buzz(4)), "Hello.", emotion="happy", language="en-GB")
    kept = references.add("grandma", clip(tmp_path, buzz(5)), " Good evening. ")
    assert [each.emotion for each in references.of("grandma")] == [None, "happy"]
    assert (kept.text, kept.language) == ("Good evening.", None)
    sound = sound_of(kept, 8000)
    assert sound.duration_s == pytest.approx(5, abs=0.01)
    again = references.add("grandma", clip(tmp_path, buzz(6)), "Another.")
    assert len(references.all()) == 2
    assert again.sha256 != kept.sha256
    assert references.remove("grandma") == 2
    with pytest.raises(UnknownReferenceError, match="no reference named 'grandma'; enrolled: none"):
        references.of("grandma")


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (buzz(2), r"2.0 s long; wanted 3 to 30 s"),
        (buzz(31), r"31.0 s long"),
        (buzz(4, level=0.002), r"its level is -6\d dBFS"),
        (np.clip(buzz(4) * 20, -1, 1), r"of its samples are clipped"),
        (np.concatenate([buzz(1.2), np.zeros(4 * SAMPLE_RATE, np.float32)]), r"only 2\d% of it is speech"),
        (np.concatenate([buzz(2, 110), buzz(2, 220)]), r"halves are 12 semitones apart"),
        (np.zeros(4 * SAMPLE_RATE, np.float32), r"its level is"),
    ],
)
def test_a_clip_that_no_voice_can_be_taken_from_is_refused(
    references: References, tmp_path: Path, samples: NDArray[np.float32], reason: str
) -> None:
    with pytest.raises(BadClipError, match=reason):
        references.add("grandma", clip(tmp_path, samples), "Hello.")
    assert references.all() == []


def test_what_is_no_sound_and_names_that_are_paths_are_refused(
    references: References, tmp_path: Path
) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(BadClipError, match="no sound file that can be read"):
        references.add("grandma", tmp_path / "text.wav", "Hello.")
    good = clip(tmp_path, buzz(4))
    for name in ("../grandma", "", "a/b", "."):
        with pytest.raises(InvalidFieldError, match="name: expected letters"):
            references.add(name, good, "Hello.")
    with pytest.raises(InvalidFieldError, match="text: expected the words"):
        references.add("grandma", good, " ")


def test_half_written_clips_are_passed_over(references: References, tmp_path: Path) -> None:
    references.add("grandma", clip(tmp_path, buzz(4)), "Hello.")
    folder = tmp_path / "references" / "grandma"
    (folder / "sad.json").write_text('{"text": "cut')
    (folder / "angry.json").write_text((folder / "neutral.json").read_text())
    assert [each.emotion for each in references.all()] == [None]


def test_the_command_enrols_lists_and_forgets(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"state: {{dir: {tmp_path / 'state'}}}\n")

    def edgetts(*arguments: str) -> str:
        ran = CliRunner().invoke(
            cli, ["reference", *arguments, "--config", str(config)], catch_exceptions=False
        )
        assert ran.exit_code == 0
        return ran.output

    sound = str(clip(tmp_path, buzz(4)))
    assert "grandma, happy: 4.0 s" in edgetts(
        "add", "grandma", sound, "--text", "Hello.", "--emotion", "happy"
    )
    assert edgetts("list") == "grandma, happy: Hello.\n"
    assert edgetts("remove", "grandma") == "1 clip of grandma removed\n"
    assert edgetts("list") == "nobody is enrolled\n"


async def test_clips_are_enrolled_listed_and_forgotten_over_http(tmp_path: Path) -> None:
    wav = {"Content-Type": "audio/wav"}
    about = {"text": "Hello.", "emotion": "happy", "language": "en-GB"}
    sound = clip(tmp_path, buzz(4)).read_bytes()
    async with opened(hum_config(tmp_path)) as house:
        async with house.client.post("/api/references/anna", data=sound, params=about, headers=wav) as answer:
            assert answer.status == 201
            kept = await answer.json()
        assert kept == about | {"name": "anna", "sha256": kept["sha256"]}
        assert await house.json("GET", "/api/references") == (200, {"references": [kept]})
        short = clip(tmp_path, buzz(1)).read_bytes()
        for body, params, headers, refused in (
            (short, about, wav, (400, "bad_clip")),
            (b"", about, wav, (400, "bad_clip")),
            (sound, {}, wav, (400, "bad_request")),
            (sound, about | {"mood": "good"}, wav, (400, "bad_request")),
            (sound, about, {"Content-Type": "text/plain"}, (415, "unsupported_media_type")),
            (bytes(MAX_CLIP_BYTES + 1), about, wav, (413, "body_too_large")),
        ):
            asked = {"data": io.BytesIO(body), "params": params, "headers": headers}
            assert await house.code("POST", "/api/references/bo", **asked) == refused
        assert await house.json("DELETE", "/api/references/anna") == (200, {"removed": 1})
        assert await house.code("DELETE", "/api/references/anna") == (404, "unknown_reference")
