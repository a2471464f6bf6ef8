"""Published checkpoints → voice folders: `edgetts convert FAMILY DIR --out VOICE`.

Needs PyTorch (the extra `convert`) on the machine that converts; nothing here is imported to speak.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Protocol

from edge_tts.errors import VoiceError

CONVERTERS: dict[str, str] = {  # family → module:function
    "sambert": "edge_tts.convert.sambert:convert",
    "emotivoice": "edge_tts.convert.emotivoice:convert",
    "gpt_sovits": "edge_tts.convert.gpt_sovits:convert",
}


class Converter(Protocol):
    def __call__(self, folder: Path, out: Path, *, int8: bool) -> None:
        """Write the voice in *out*, made of the checkpoints in *folder*. *int8*: smaller where it is allowed.

        Raises ConversionError.
        """


class ConversionError(VoiceError):
    """These files are no checkpoint of that family, or the graphs do not say what the checkpoint does."""

    code = "conversion_failed"


def converter(family: str) -> Converter:
    """Raises ConversionError for a family without one, or where PyTorch is missing."""
    if family not in CONVERTERS:
        raise ConversionError(
            f"nothing converts {family!r}; there are converters for {', '.join(sorted(CONVERTERS))}"
        )
    module, _, function = CONVERTERS[family].partition(":")
    try:
        found: Converter = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        raise ConversionError(
            f"converting needs the package {error.name}: pip install 'edge-tts-appliance[convert]'"
        ) from error
    return found
