from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from edge_tts.audio import (
    Resampler,
    faded_in,
    faded_out,
    from_pcm16,
    join,
    read_wav,
    resampled,
    to_pcm16,
    volume_gain,
    wav_header,
    write_wav,
)
from edge_tts.speech import Audio


def tone(duration_s: float, sample_rate: int = 22050, hertz: float = 440.0) -> Audio:
    seconds = np.arange(round(duration_s * sample_rate)) / sample_rate
    return Audio((0.5 * np.sin(2 * np.pi * hertz * seconds)).astype(np.float32), sample_rate)


def test_resampling_in_pieces_equals_resampling_at_once() -> None:
    sound = tone(0.5)
    resampler = Resampler(48000)
    pieces = [Audio(part, 22050) for part in np.array_split(sound.samples, 7)]
    streamed = join([*(resampler.resample(piece) for piece in pieces), resampler.flush()], 48000)
    at_once = resampled(sound, 48000)
    assert len(streamed.samples) == len(at_once.samples) == 24000
    np.testing.assert_allclose(streamed.samples, at_once.samples, atol=1e-5)


def test_sound_whose_sample_rate_changes_loses_nothing() -> None:
    resampler = Resampler(48000)
    sounds = [tone(0.5), tone(0.25, 48000), tone(0.5, 16000), tone(0.25)]
    streamed = join([*map(resampler.resample, sounds), resampler.flush()], 48000)
    at_once = join([resampled(sound, 48000) for sound in sounds], 48000)
    np.testing.assert_allclose(streamed.samples, at_once.samples, atol=1e-5)


def test_pcm_keeps_full_scale_and_clips_beyond() -> None:
    samples = np.array([-2.0, -1.0, 0.0, 1.0, 2.0], np.float32)
    np.testing.assert_array_equal(from_pcm16(to_pcm16(samples)), np.clip(samples, -1, 1))


def test_a_stream_header_is_read_by_the_standard_library() -> None:
    pcm = to_pcm16(tone(0.1).samples)
    with wave.open(io.BytesIO(wav_header(22050, len(pcm) // 2) + pcm)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, 22050, 2205)
    # Unknown length: as long as the format can say.
    assert wav_header(22050, None)[4:8] == b"\xff\xff\xff\xff"


@pytest.mark.parametrize(
    "damage", [lambda b: b[:30], lambda b: b[:-100], lambda b: b"RIFX" + b[4:], lambda b: b""], ids=range(4)
)
def test_a_damaged_wav_is_a_value_error(damage: object, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    write_wav(path, tone(0.1))
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(ValueError, match=r"x\.wav"):
        read_wav(path)


def test_fades_begin_and_end_in_silence() -> None:
    constant = Audio(np.ones(1000, np.float32), 1000)
    out = faded_out(constant, 0.1)
    assert (len(out.samples), out.samples[0], out.samples[-1]) == (100, 1.0, 0.0)
    into = faded_in(constant, 0.1)
    assert (into.samples[0], into.samples[99], into.samples[100]) == (0.0, 1.0, 1.0)
    assert constant.samples[0] == 1.0


def test_volume_is_near_loudness() -> None:
    assert (volume_gain(0), volume_gain(50), volume_gain(100), volume_gain(150)) == (0.0, 0.25, 1.0, 1.0)
