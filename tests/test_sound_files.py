"""Sound as bytes of files: every format, streamed and whole, read back by libsndfile."""

from __future__ import annotations

import io
from contextlib import ExitStack, closing

import numpy as np
import pytest
import soundfile

from edge_tts.errors import SoundTooLargeError, WholeFilesFullError
from edge_tts.sound_files import MEDIA_TYPES, WholeFiles, encoder
from edge_tts.speech import Audio
from tests.test_audio import tone

COMPRESSED = ("flac", "mp3", "opus", "vorbis")


def encoded(format: str, audio: Audio, *, is_streamed: bool, n_pieces: int = 5) -> list[bytes]:
    with closing(encoder(format, audio.sample_rate, is_streamed=is_streamed)) as file:
        pieces = np.array_split(audio.samples, n_pieces)
        return [*(file.write(Audio(part, audio.sample_rate)) for part in pieces), file.finish()]


@pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("format", sorted(MEDIA_TYPES.keys() - {"pcm"}))
def test_every_format_keeps_duration_and_level(format: str, is_streamed: bool) -> None:
    # As many seconds as there are pieces at once: one that did not fit into a pipe would wait for ever.
    for duration_s, n_pieces in ((1.0, 5), (30.0, 1)):
        content = b"".join(encoded(format, tone(duration_s), is_streamed=is_streamed, n_pieces=n_pieces))
        samples, sample_rate = soundfile.read(io.BytesIO(content), dtype="float32")
        # mp3 pads to whole frames of 1152 samples and a start-up delay; a constant bitrate costs it half a decibel.
        assert len(samples) / sample_rate == pytest.approx(duration_s, abs=0.12)
        middle = samples[sample_rate // 4 : sample_rate // 2]
        assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.06)
        assert format not in COMPRESSED or len(content) < duration_s * 40_000


@pytest.mark.parametrize(("sample_rate", "known_rate"), [(20_000, 22_050), (96_000, 48_000)])
def test_a_voice_of_a_sample_rate_that_mp3_knows_not(sample_rate: int, known_rate: int) -> None:
    """It was an error of the server, and two descriptors."""
    sound = tone(1.0, sample_rate=sample_rate)
    info = soundfile.info(io.BytesIO(b"".join(encoded("mp3", sound, is_streamed=True))))
    assert info.samplerate == known_rate
    assert info.duration == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize("format", ["wav", "pcm", "mp3", "opus", "vorbis"])
def test_what_can_be_streamed_comes_while_the_rest_is_not_made(format: str) -> None:
    *early, last = encoded(format, tone(6.0), is_streamed=True, n_pieces=6)
    assert early[0]
    assert len(last) < sum(map(len, early)) / 2


@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "au", "aiff"])
def test_a_whole_file_says_how_long_it_is(format: str) -> None:
    *early, whole = encoded(format, tone(2.0), is_streamed=False)
    assert not any(early)
    assert soundfile.info(io.BytesIO(whole)).duration == pytest.approx(2.0, abs=0.12)


def test_a_file_that_is_kept_whole_is_bounded() -> None:
    silence_of_34_mb = Audio(np.zeros(17_000_000, np.float32), 48_000)
    with (
        closing(encoder("wav", 48_000, is_streamed=False)) as file,
        pytest.raises(SoundTooLargeError, match="32 MB"),
    ):
        file.write(silence_of_34_mb)


def test_files_that_are_kept_whole_are_bounded_together() -> None:
    """Twenty-four callers of MaryTTS's files took 1.5 GB once."""
    large, small = (
        Audio(np.zeros(12_000_000, np.float32), 48_000),
        Audio(np.zeros(48_000, np.float32), 48_000),
    )
    files = WholeFiles()
    with ExitStack() as callers:

        def write(audio: Audio) -> None:
            file = callers.enter_context(closing(encoder("wav", 48_000, is_streamed=False)))
            callers.enter_context(files.kept(file))
            file.write(audio)
            files.check(file)

        write(large)
        write(large)
        with pytest.raises(WholeFilesFullError, match="64 MB"):
            write(large)
        # An announcement finds room all the same.
        write(small)
        callers.close()
        write(large)
