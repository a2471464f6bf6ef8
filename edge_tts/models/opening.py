"""The graphs of a voice by their roles, with the weights that lie beside them."""

from __future__ import annotations

from collections.abc import Iterable

from edge_tts.errors import VoiceLoadError
from edge_tts.models import onnx_check
from edge_tts.models.base import VoiceSpec
from edge_tts.models.files import GraphFile, read_verified
from edge_tts.models.protobuf import GraphError
from edge_tts.models.session import Session, hold, read_graph

WEIGHTS = "_weights"
"""After the role of a graph: that of the file with its weights. Several graphs may name the same file."""


class Opener:
    """Opens the graphs of one voice."""

    def __init__(self, spec: VoiceSpec, threads: int) -> None:
        self._spec = spec
        self._threads = threads

    def open(self, role: str, threads: int | None = None) -> Session:
        """Raises VoiceLoadError naming the file at fault."""
        return hold(self.read(role)).open(threads or self._threads)

    def read(self, role: str) -> GraphFile:
        """Raises VoiceLoadError."""
        path = self._spec.files[role]
        return read_graph(path, self._spec.sha256.get(path.name), self._beside(role))

    def _beside(self, role: str) -> GraphFile | None:
        path = self._spec.files.get(f"{role}{WEIGHTS}")
        if path is None:
            return None
        file = read_verified(path, self._spec.sha256.get(path.name))
        if path.name not in self._spec.sha256:
            # Nothing in the file itself would show damage: it is all numbers.
            reason = f"voice.yaml lists no sha256 of it; if it is as it was published, {file.sha256}"
            raise VoiceLoadError(path, reason)
        return file


def open_bytes(spec: VoiceSpec, groups: Iterable[Iterable[str]]) -> int:
    """Size of what is open at once of a voice's files, if of *groups* (roles of graphs) only one is."""
    sizes = {role: _loaded_bytes(spec, role) for role in spec.files if not role.endswith(WEIGHTS)}
    of_groups = [sizes.keys() & set(roles) for roles in groups]
    always = sizes.keys() - set().union(*of_groups)
    return max(
        (sum(sizes[role] for role in always | group) for group in of_groups), default=sum(sizes.values())
    )


def _loaded_bytes(spec: VoiceSpec, role: str) -> int:
    """Of a file with its weights: in memory they are once for each graph that names them, and never as halves."""
    paths = [spec.files[each] for each in (role, f"{role}{WEIGHTS}") if each in spec.files]
    on_disk = sum(path.stat().st_size for path in paths if path.exists())
    if len(paths) == 1:
        return on_disk
    try:
        external = onnx_check.check(read_verified(paths[0], None).content)
    except (GraphError, VoiceLoadError):
        # Told when it is opened.
        return on_disk
    return max(on_disk, sum(each.size_bytes for each in external))
