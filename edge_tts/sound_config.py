"""Settings of sinks that need more than one."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from edge_tts.schema import between

IN_STEP_S = 1.0
"""A busy server falls behind by some tenths of a second, and a client that comes back to it misses some more."""

DEFAULT_PORTS = {"source": 4953, "control": 1705}


@dataclass(frozen=True)
class SnapcastConfig:
    source: str = "tcp://127.0.0.1:4953"
    """Where the server reads our stream: tcp://host:port (mode=server), or pipe:///path."""

    buffer_ms: int = 1000
    """The server's: from its reading to its clients' loudspeakers. An announcement ends when it was heard there."""

    control: str = "tcp://127.0.0.1:1705"
    """The server's JSON-RPC, for `audio.others: switch`."""

    stream: str = "edge_tts"
    """Our stream's name there."""

    def __post_init__(self) -> None:
        between("buffer_ms", self.buffer_ms, 0, 10_000)
        if not (self.source_pipe or _is_tcp(self.source)):
            raise ValueError(f"source must be tcp://host:port or pipe:///path, not {self.source!r}")
        if not _is_tcp(self.control):
            raise ValueError(f"control must be tcp://host:port, not {self.control!r}")

    @property
    def held_s(self) -> float:
        """What server and clients may hold unheard, and what clients miss while they get in step."""
        return self.buffer_ms / 1000 + IN_STEP_S

    @property
    def source_pipe(self) -> str:
        """Path of the pipe; empty for TCP."""
        url = urlsplit(self.source)
        return url.path if url.scheme == "pipe" else ""

    @property
    def source_address(self) -> tuple[str, int]:
        return _address(self.source, DEFAULT_PORTS["source"])

    @property
    def control_address(self) -> tuple[str, int]:
        return _address(self.control, DEFAULT_PORTS["control"])


def _is_tcp(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme == "tcp" and bool(url.hostname) and url.port != 0 and not url.path.strip("/")
    except ValueError:
        return False


def _address(text: str, default_port: int) -> tuple[str, int]:
    url = urlsplit(text)
    return url.hostname or "", url.port or default_port
