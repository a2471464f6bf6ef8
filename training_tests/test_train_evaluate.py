"""Voices judged beside natural speech: the tables, and the command from end to end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pocketsphinx
import pytest
import soundfile
import yaml

from scripts.train import scoreboard
from scripts.train.announcements import ANNOUNCEMENTS
from scripts.train.bare_pack import with_voice_yaml
from scripts.train.clean import MARGIN_S, trimmed
from scripts.train.evaluate import Judges, Voice, announced, labels, main
from scripts.train.features import SAMPLE_RATE
from scripts.train.figures import COPY, NATURAL, SPEECH, Clip
from scripts.train.held_out import held_out
from scripts.train.judges import words
from scripts.train.model_card import read_clips
from scripts.train.recipe import RecipeError
from tests.tiny_voices import BUNDLED

TEXTS = {
    "kathleen": "The washing machine in the cellar is done.",
    "kerstin": "Die Waschmaschine im Keller ist fertig.",
    "yuetan": "洗衣机已经洗好了。",
}


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice("bundled", BUNDLED)


@pytest.fixture(scope="module")
def work(voice: Voice, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is left of a training: a held-out recording of each speaker, said by the bundled voice itself, and one that
    was trained on."""
    folder = tmp_path_factory.mktemp("work") / "clean"
    listed = []
    for speaker, text in TEXTS.items():
        samples = trimmed(voice.say(text, speaker, voice.language(speaker))[0].samples, MARGIN_S)
        (folder / speaker).mkdir(parents=True)
        soundfile.write(folder / speaker / "one.flac", samples, SAMPLE_RATE)
        listed.append(utterance(f"{speaker}/one", speaker, text, is_held_out=True))
        listed.append(utterance(f"{speaker}/two", speaker, "never read", is_held_out=False))
    (folder / "utterances.json").write_text(json.dumps(listed), encoding="utf-8")
    return folder.parent


def utterance(identity: str, speaker: str, text: str, *, is_held_out: bool) -> dict[str, object]:
    return {
        "id": identity,
        "speaker": speaker,
        "texts": [text],
        "sounds": ["raw.wav"],
        "is_held_out": is_held_out,
    }


# Tables


def clip(column: str, kind: str, **scores: float) -> Clip:
    return Clip("ann/one", "ann", column, kind, scores)


def test_word_errors_are_of_all_words_not_of_all_sentences() -> None:
    clips = [clip(NATURAL, NATURAL, words=9, word_errors=0), clip(NATURAL, NATURAL, words=1, word_errors=1)]
    assert scoreboard.summary(clips)[NATURAL]["word_errors"] == pytest.approx(10)


def test_what_was_not_measured_is_a_dash_or_no_row() -> None:
    table = scoreboard.markdown(
        [clip(NATURAL, NATURAL, SIG=4), clip("x speech", SPEECH, SIG=3.456, rtf=0.01)]
    )
    assert "| DNSMOS speech (SIG) | 4.00 | 3.46 |" in table
    assert "| RTF, one thread, median | – | 0.0100 |" in table
    assert "P.808" not in table


def test_a_plot_is_the_same_every_time(tmp_path: Path) -> None:
    clips = [clip(NATURAL, NATURAL, SIG=4.0), clip("x speech", SPEECH, SIG=3.0, mcd_db=5.0)]
    for name in ("one.svg", "two.svg"):
        scoreboard.plot(clips, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def announcement(column: str, text: str, **scores: float) -> Clip:
    return Clip(f"announcements/en/{text}", "ann", column, SPEECH, scores, announced_in="en")


def test_announcements_have_tables_of_their_own(tmp_path: Path) -> None:
    clips = [
        announcement("x speech", "01", SIG=3.0),
        clip("x speech", SPEECH, SIG=2.0),
        announcement("x speech", "02", SIG=4.0),
    ]
    recorded, announcements = scoreboard.markdown(clips).split("### ")[1:]
    assert recorded.startswith("ann, 1 held-out recordings\n")
    assert "| DNSMOS speech (SIG) | 2.00 |" in recorded
    assert announcements.startswith("announcements, en: 2 sentences by ann\n")
    assert "| DNSMOS speech (SIG) | 3.50 |" in announcements
    figures = tmp_path / "figures.json"
    figures.write_text(scoreboard.as_json(clips), encoding="utf-8")
    document = json.loads(figures.read_text(encoding="utf-8"))
    assert document["summary"] == {"ann": {"x speech": {"SIG": 2.0}}}
    assert document["announcements"] == {"en": {"x speech": {"SIG": 3.5}}}
    assert document["comparison"] == {}
    assert read_clips(figures) == clips


def test_the_last_voice_is_compared_with_the_first_under_each_table() -> None:
    clips = [
        *(clip(f"{voice} speech", SPEECH, SIG=SIG) for voice, SIG in (("a", 3.0), ("b", 1.0), ("c", 4.0))),
        *(announcement(f"{voice} speech", "01", clicks=n) for voice, n in (("a", 0), ("c", 1))),
    ]
    recorded, announcements = scoreboard.markdown(clips).split("### ")[1:]
    line = "**speech**, c against a: better on 1 (DNSMOS speech (SIG)), equal on 0, worse on 0.\n"
    assert line in recorded
    assert "**speech**, c against a: better on 0, equal on 0, worse on 1 (clicks).\n" in announcements
    (found,) = json.loads(scoreboard.as_json(clips))["comparison"]["announcements, en"]
    assert (found["first"], found["last"]) == ("a speech", "c speech")
    assert [(each["key"], each["verdict"]) for each in found["differences"]] == [("clicks", "worse")]
    assert "against" not in scoreboard.markdown([each for each in clips if each.column == "a speech"])


# Announcements


def test_a_listener_could_know_every_word_of_the_english_announcements() -> None:
    dictionary = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    known = {line.split()[0] for line in dictionary.read_text(encoding="utf-8").splitlines()}
    assert {word for text in ANNOUNCEMENTS["en"] for word in words(text)} <= known


@pytest.mark.parametrize(("language", "n_texts"), [("en", 12), ("de", 12), ("zh", 12), ("fr", 6), ("nl", 6)])
def test_announcements_are_said_as_they_are_written(language: str, n_texts: int) -> None:
    texts = ANNOUNCEMENTS[language]
    assert len(set(texts)) == len(texts) == n_texts
    assert not [text for text in texts if any(character.isdigit() for character in text)]


@pytest.mark.voice
def test_announcements_are_said_by_the_default_speaker_of_the_language(voice: Voice) -> None:
    judges = Judges(None, None)
    assert announced("fr", 1, [voice], judges) == []
    (found,) = announced("zh", 1, [voice], judges)
    assert (found.id, found.speaker, found.announced_in) == ("announcements/zh/01", "yuetan", "zh")
    assert found.column == "bundled speech"
    # 13 syllables and two full stops.
    assert 2 < found.scores["seconds"] < 8
    assert {"clicks", "clipped", "pinned", "seconds"} == set(found.scores)


# The command


def test_held_out_texts_are_taken_once_and_in_order(work: Path, tmp_path: Path) -> None:
    assert [(each.id, each.text) for each in held_out(work, 20)] == [
        (f"{speaker}/one", text) for speaker, text in TEXTS.items()
    ]
    twice = [utterance(f"ann/{n}", "ann", text, is_held_out=True) for n, text in enumerate("aabbc")]
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "utterances.json").write_text(json.dumps(twice))
    assert [each.id for each in held_out(tmp_path, 2)] == ["ann/0", "ann/2"]


def test_the_language_is_that_of_the_recordings(tmp_path: Path) -> None:
    # A second German speaker: voice.yaml has room for one speaker of a language.
    (tmp_path / "clean").mkdir()
    about = {"speaker": "ann", "language": "de-DE", "licence": "CC0-1.0"}
    (tmp_path / "speaker.yaml").write_text(yaml.safe_dump(about))
    for sounds in ("wavs/1.wav", "1.wav"):
        listed = utterance("ann/1", "ann", "Hallo.", is_held_out=True) | {"sounds": [str(tmp_path / sounds)]}
        (tmp_path / "clean" / "utterances.json").write_text(json.dumps([listed]))
        assert [each.language for each in held_out(tmp_path, 1)] == ["de-DE"]


def test_labels_are_as_short_as_they_can_be() -> None:
    assert labels([Path("/a/one"), Path("/a/two")]) == ["one", "two"]
    assert labels([Path("/a/one"), Path("/b/one")]) == ["a/one", "b/one"]
    with pytest.raises(RecipeError, match="same folder twice"):
        labels([Path("/a/one"), Path("/a/one")])


@pytest.mark.slow
def test_two_voices_are_judged_beside_natural_speech(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(BUNDLED, pack)
    (pack / "voice.yaml").unlink()
    outputs = {name: tmp_path / f"scores.{name}" for name in ("markdown", "json")} | {
        "plot": tmp_path / "plot.svg"
    }
    options = [f"--{name}={path}" for name, path in outputs.items()]
    status = main(
        [str(BUNDLED), str(pack), "--recordings", str(work), "--texts", "1", "--announcements", "1", *options]
    )
    assert status == 0
    table = outputs["markdown"].read_text(encoding="utf-8")
    assert table in capsys.readouterr().out
    assert outputs["plot"].read_text(encoding="utf-8").startswith("<?xml")
    document = json.loads(outputs["json"].read_text(encoding="utf-8"))
    assert len(document["clips"]) == 3 * 5 + 3 * 2
    for speaker in TEXTS:
        assert f"### {speaker}, 1 held-out recordings" in table
        own = document["summary"][speaker]
        assert list(own) == [
            NATURAL,
            *(f"{name} {kind}" for name in (BUNDLED.name, "pack") for kind in (COPY, SPEECH)),
        ]
        assert "mcd_db" not in own[NATURAL]
        for name in (BUNDLED.name, "pack"):
            said, copied = own[f"{name} {SPEECH}"], own[f"{name} {COPY}"]
            # The recording was said by the very voice: its 16 bits, and a limiter that one of both has, differ.
            assert said["mcd_db"] < 0.6 < copied["mcd_db"] < 3
            assert said["f0_semitones"] < 0.2
            assert said["seconds"] == pytest.approx(own[NATURAL]["seconds"], abs=0.4)
            assert (said["clicks"], said["clipped"], said["pinned"]) == (0, 0, 0)
            assert said["rtf"] > 0
            assert 5 < said["size_mb"] < 12
    english = document["summary"]["kathleen"]
    assert all(of["word_errors"] <= 25 for of in english.values())
    assert "word_errors" not in document["summary"]["kerstin"][NATURAL]
    spoken = [f"{name} {SPEECH}" for name in (BUNDLED.name, "pack")]
    assert list(document["announcements"]) == ["en", "de", "zh"]
    assert all(list(of) == spoken for of in document["announcements"].values())
    # It is the same voice, but for its gain and with that its limiter, which the judges hardly hear.
    for compared in document["comparison"].values():
        for each in (each for one in compared for each in one["differences"]):
            if each["key"] in {"SIG", "P808"}:
                assert each["last"] == pytest.approx(each["first"], abs=0.05), each
            if each["key"] in {"word_errors", "clicks", "clipped", "pinned", "size_mb"}:
                assert each["verdict"] == "equal", each


def test_a_text_that_cannot_be_said_is_listed_and_the_others_are_judged(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_TTS_QUALITY", raising=False)
    clean = tmp_path / "clean"
    shutil.copytree(work / "clean", clean)
    shutil.copy(clean / "kathleen" / "one.flac", clean / "kathleen" / "dots.flac")
    listed = json.loads((clean / "utterances.json").read_text(encoding="utf-8"))
    dots = utterance("kathleen/dots", "kathleen", "…", is_held_out=True)
    (clean / "utterances.json").write_text(json.dumps([dots, *listed]), encoding="utf-8")
    figures = tmp_path / "figures.json"
    options = ["--recordings", str(tmp_path), "--announcements", "0", "--json", str(figures)]
    assert main([str(BUNDLED), *options]) == 0
    assert {each.id for each in read_clips(figures)} == {f"{speaker}/one" for speaker in TEXTS}
    printed = capsys.readouterr()
    assert "skipped 1 of 4 recordings, which cannot be said: kathleen/dots: the text has nothing to say" in (
        printed.err
    )
    assert "### kathleen, 1 held-out recordings" in printed.out
    assert "without DNSMOS: its figures are left out; --quality or EDGE_TTS_QUALITY names" in printed.err
    assert "DNSMOS" not in printed.out
    only_dots = [each for each in [dots, *listed] if each["id"] == "kathleen/dots"]
    (clean / "utterances.json").write_text(json.dumps(only_dots), encoding="utf-8")
    assert main([str(BUNDLED), *options]) == 1
    assert "none of the held-out texts can be said" in capsys.readouterr().err


def test_a_folder_without_dnsmos_is_told_what_is_missing(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sig_bak_ovr.onnx").touch()
    with pytest.raises(SystemExit):
        main([str(BUNDLED), "--recordings", str(work), "--quality", str(tmp_path)])
    assert "model_v8.onnx is missing; docs/training.md says" in capsys.readouterr().err


def test_a_folder_that_is_no_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(BUNDLED), "--recordings", str(tmp_path)]) == 1
    assert "utterances.json cannot be read" in capsys.readouterr().err


def test_speakers_that_no_voice_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "clean").mkdir()
    listed = [utterance("ann/1", "ann", "Hello.", is_held_out=True)]
    (tmp_path / "clean" / "utterances.json").write_text(json.dumps(listed))
    assert main([str(BUNDLED), "--recordings", str(tmp_path)]) == 1
    assert "whose are kathleen, kerstin, yuetan" in capsys.readouterr().err


def test_a_folder_that_is_no_voice(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no voice\.yaml"):
        with_voice_yaml(tmp_path, tmp_path / "made")
    (tmp_path / "frontend.json").write_text(json.dumps({"speakers": {"ann": 0}}))
    with pytest.raises(RecipeError, match="what language ann speaks"):
        with_voice_yaml(tmp_path, tmp_path / "made")
