"""Published checkpoints as PyTorch wrote them: found, read, put into networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor, nn

from edge_tts.convert import ConversionError

State = Mapping[str, Tensor]

NORMALIZED = {
    ".weight_g": ".weight_v",
    ".parametrizations.weight.original0": ".parametrizations.weight.original1",
}
"""Names of the two halves of a normalized weight, lengths and directions, by older and newer versions of PyTorch."""


def find(folder: Path, pattern: str, what: str) -> Path:
    """The last file below *folder* that matches *pattern*, by name. Raises ConversionError."""
    found = sorted((path for path in folder.rglob(pattern) if path.is_file()), key=lambda path: path.name)
    if not found:
        raise ConversionError(f"{folder}: no {what} in it or below; expected a file named {pattern}")
    return found[-1]


def read(path: Path, *keys: str, content: IO[bytes] | None = None) -> dict[str, Any]:
    """What a checkpoint holds, which must have *keys*; *content* is that of the file, if it had to be mended. Raises
    ConversionError."""
    try:
        document = torch.load(content or path, map_location="cpu", weights_only=True)
    # What torch.load raises for what is no checkpoint is of many kinds.
    except Exception as error:
        raise ConversionError(f"{path}: cannot be read as a checkpoint: {error}") from error
    missing = sorted(set(keys) - set(document)) if isinstance(document, dict) else list(keys)
    if missing:
        raise ConversionError(f"{path}: is another checkpoint than expected: it has no {', '.join(missing)}")
    return dict(document)


def below(state: State, prefix: str) -> dict[str, Tensor]:
    """The weights whose names begin with *prefix*, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def fused(state: State) -> dict[str, Tensor]:
    """*state* with the two halves of every normalized weight as one."""
    found = dict(state)
    for name in state:
        for lengths, directions in NORMALIZED.items():
            if name.endswith(lengths):
                base = name.removesuffix(lengths)
                length, direction = found.pop(name), found.pop(base + directions)
                axes = tuple(range(1, direction.dim()))
                norm = torch.linalg.vector_norm(direction, dim=axes, keepdim=True)
                found[f"{base}.weight"] = length * direction / norm
    return found


def fill(network: nn.Module, state: State, where: str) -> None:
    """Give *network* the weights *state*, all of them and no others. Raises ConversionError."""
    own = network.state_dict()
    for name, value in own.items():
        shape = list(state[name].shape) if name in state else "no such weight"
        if shape != list(value.shape):
            raise ConversionError(
                f"{where}: {name}: expected the shape {list(value.shape)}, found {shape}: another architecture"
            )
    left = sorted(set(state) - set(own))
    if left:
        raise ConversionError(f"{where}: this architecture has no place for {', '.join(left[:5])}")
    network.load_state_dict(dict(state))
    network.eval()
