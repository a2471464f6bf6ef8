"""Measured figures with their bounds, as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    name: str
    measured: str
    bound: str = ""
    is_broken: bool = False


def table(figures: Iterable[Figure]) -> list[str]:
    """Lines."""
    return [
        "| figure | measured | bound |",
        "|---|---|---|",
        *(
            f"| {each.name} | {each.measured}{' **broken**' if each.is_broken else ''} | {each.bound} |"
            for each in figures
        ),
    ]
