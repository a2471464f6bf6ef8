"""What a KAN-TTS voice has besides its graphs: sizes in voice.yaml, and the small weights that the host applies."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.errors import VoiceLoadError
from edge_tts.models.base import VoiceSpec
from edge_tts.models.files import read_verified

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SambertConfig:
    """The mapping `sambert` of voice.yaml."""

    hop_samples: int
    """Samples of one mel frame."""

    margin_left_frames: int
    margin_right_frames: int
    """What the vocoder looks at on each side of a frame."""

    n_mels: int = 80
    """82: pitch and voicing are the last two, and the vocoder has a source of its own (NSF)."""

    frames_per_step: int = 3
    decoder_layers: int = 12
    decoder_heads: int = 8
    decoder_head_units: int = 16
    duration_units: int = 128
    n_harmonics: int = 7
    """Of an NSF vocoder, above the fundamental."""

    max_symbols: int = 800
    """Longest sentence that the encoder has positions for."""

    pitch_mean_over_std: float = 4.0
    """The speaker's pitch: mean divided by standard deviation. It turns semitones into the units of the graphs."""

    def __post_init__(self) -> None:
        for field in fields(self):
            least = 0 if field.name.startswith(("margin", "n_harmonics")) else 1
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
                raise ValueError(
                    f"sambert.{field.name}: expected a number of at least {least}, found {value!r}"
                )
            if field.type == "int" and not isinstance(value, int):
                raise ValueError(f"sambert.{field.name}: expected a whole number, found {value!r}")


@dataclass(frozen=True)
class Host:
    """host.npz: what is too small to be a graph."""

    pitch_weight: Floats
    """[units, 1, 9]: a convolution over phones, as energy_weight."""

    pitch_bias: Floats
    energy_weight: Floats
    energy_bias: Floats
    timescales: Floats
    """[units]: of the position inside a phone."""

    se: Floats | None = None
    """[192]: the one speaker of a voice that takes a vector instead of a number."""

    f0: Floats | None = None
    """[2]: offset and scale of the pitch in Hz; of NSF voices."""

    def embedded(self, pitch: Floats, energy: Floats) -> Floats:
        """[T] each → [T, units], what is added to the text."""
        return _convolved(pitch, self.pitch_weight, self.pitch_bias) + _convolved(
            energy, self.energy_weight, self.energy_bias
        )


def _convolved(values: Floats, weight: Floats, bias: Floats) -> Floats:
    kernel = weight.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, kernel // 2), kernel)
    return np.asarray(windows @ weight[:, 0].T + bias, np.float32)


def read_config(spec: VoiceSpec) -> SambertConfig:
    """Raises VoiceLoadError naming the key at fault."""
    written: Any = spec.settings.get("sambert")
    if not isinstance(written, Mapping):
        raise VoiceLoadError(
            spec.folder, "voice.yaml has no mapping `sambert`; `edgetts convert sambert` writes it"
        )
    known = {field.name for field in fields(SambertConfig)}
    unknown = sorted(set(map(str, written)) - known)
    if unknown:
        reason = f"voice.yaml: sambert.{unknown[0]}: unknown key; known: {', '.join(sorted(known))}"
        raise VoiceLoadError(spec.folder, reason)
    try:
        return SambertConfig(**written)
    except (TypeError, ValueError) as error:
        raise VoiceLoadError(spec.folder, f"voice.yaml: {error}") from error


def read_host(spec: VoiceSpec, config: SambertConfig) -> Host:
    """The file of the role `host`. Raises VoiceLoadError."""
    path = spec.files["host"]
    content = read_verified(path, spec.sha256.get(path.name)).content
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            host = Host(**{name: np.asarray(arrays[name], np.float32) for name in arrays.files})
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise VoiceLoadError(path, f"is no host.npz of a sambert voice: {error}") from error
    problem = _problem(host, config)
    if problem:
        raise VoiceLoadError(path, problem)
    return host


def _problem(host: Host, config: SambertConfig) -> str:
    units = len(host.timescales)
    shapes = {
        "pitch_weight": (units, 1, 9),
        "energy_weight": (units, 1, 9),
        "pitch_bias": (units,),
        "energy_bias": (units,),
        "timescales": (units,),
        **({"f0": (2,)} if config.n_mels == 82 else {}),
    }
    for name, shape in shapes.items():
        value = getattr(host, name)
        if value is None or value.shape != shape:
            return f"{name}: expected the shape {shape}, found {None if value is None else value.shape}"
        if not np.isfinite(value).all():
            return f"{name} is not finite: the file is damaged, install it again"
    return ""
