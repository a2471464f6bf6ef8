"""The weights of a graph that lie in a file beside it, as exporters leave those of large models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.models.onnx_check import External
from edge_tts.models.onnx_graph import GraphError

_TYPES = {1: "<f4", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8"}
"""TensorProto.DataType → NumPy's name."""

_FLOAT = 1
TAIL_BYTES = 1 << 16
"""What may follow the last weight: exporters fill up to whole pages."""


class Weights:
    """A file of weights, in memory once for all graphs that lie in it."""

    def __init__(self, path: Path, content: bytes, sha256: str) -> None:
        self.sha256 = sha256
        self._path = path
        # Slices of it are views.
        self._content = memoryview(content)

    def arrays(self, external: Iterable[External]) -> dict[str, NDArray[Any]]:
        """*external* by name, as views of the file. One that has half the size they need has them as float16: they are
        widened. Raises GraphError."""
        wanted = list(external)
        self._widen(wanted)
        found = {}
        for each in wanted:
            if each.kind not in _TYPES:
                raise GraphError(
                    f"its weights {each.name!r} in {self._path.name} are of type {each.kind}, not taken"
                )
            end = each.start + each.size_bytes
            if end > len(self._content):
                raise GraphError(
                    f"its weights {each.name!r} end at byte {end} of {self._path.name}, which has {len(self._content)}"
                )
            part = np.frombuffer(self._content[each.start : end], _TYPES[each.kind]).reshape(each.dims)
            if part.dtype.kind == "f" and part.size and np.isnan(part.max()):
                raise GraphError(
                    f"its weights {each.name!r} are not numbers (NaN): {self._path.name} is damaged"
                )
            found[each.name] = part
        return found

    def _widen(self, wanted: list[External]) -> None:
        needed = max((each.start + each.size_bytes for each in wanted), default=0)
        wide_bytes = 2 * len(self._content)
        is_half = needed > len(self._content) and needed <= wide_bytes < needed + TAIL_BYTES
        if is_half and all(each.kind == _FLOAT for each in wanted):
            # No copy of the file stays beside it.
            self._content = memoryview(np.frombuffer(self._content, "<f2").astype("<f4")).cast("B")
