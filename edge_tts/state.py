"""What the user set and what the box is doing; the first survives a restart."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge_tts.config import Config

log = logging.getLogger(__name__)

KEPT = ("volume", "is_muted", "voice", "speed")
"""Fields of DeviceState that survive a restart."""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What the user set and what the box is doing; published retained by MQTT, shown by HTTP."""

    volume: int
    """0 to 100."""

    is_muted: bool
    voice: str
    speed: float
    is_paused: bool = False
    is_speaking: bool = False
    queue_length: int = 0
    has_audio_problem: bool = False
    is_quiet: bool = False
    """Quiet hours are on."""


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


class KeptState:
    """What the user set, in one small file below `state.dir`."""

    def __init__(self, config: Config, report_problem: Callable[[str, str | None], None]) -> None:
        self._config = config
        self._path: Path = config.state.folder / "state.json"
        self._report_problem = report_problem

    def load(self) -> DeviceState:
        fresh = DeviceState(self._config.audio.volume, False, self._config.voices.default, 1.0)
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"), parse_constant=_no_number)
            return replace(
                fresh,
                volume=min(max(int(kept["volume"]), 0), 100),
                is_muted=bool(kept["is_muted"]),
                speed=min(max(float(kept["speed"]), 0.25), 4.0),
                # A voice set by the user yields to one newly configured, or nobody could change it in the file.
                voice=str(kept["voice"]) if kept.get("configured_voice") == fresh.voice else fresh.voice,
            )
        except FileNotFoundError:
            return fresh
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            log.warning("state: %s cannot be used, starting afresh: %r", self._path, error)
            return fresh

    def save(self, state: DeviceState) -> None:
        kept = {name: value for name, value in asdict(state).items() if name in KEPT}
        partial = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(
                json.dumps(kept | {"configured_voice": self._config.voices.default}), encoding="utf-8"
            )
            partial.replace(self._path)
            self._report_problem("state_not_kept", None)
        except OSError as error:
            log.warning("state: cannot be kept: %s", error)
            self._report_problem("state_not_kept", str(error))
