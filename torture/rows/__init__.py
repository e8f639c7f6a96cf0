"""The rows of the table. Each is a function whose docstring says what it proves.

A row gets its options and gives an `Outcome`; it raises `Skipped` where this machine can't run it.
To add one: write the function in the file of its kind, and decorate it.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from torture.outcome import Options, Outcome

__all__ = ["LONGEST", "ROWS", "Row", "load", "row"]

Run = Callable[[Options], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``short``: it is in the short form. ``alone``: it measures speed or
    memory, or takes the whole machine, so that nothing may run beside it.
    """

    name: str
    run: Run
    short: bool
    alone: bool

    @property
    def proves(self) -> str:
        """What it proves, in a line."""
        return (self.run.__doc__ or "").strip().partition("\n")[0]


ROWS: dict[str, Row] = {}

LONGEST = ("size", "schedules", "points", "full", "away")
"""Where rows run side by side these begin, so that none of them is left over at the end."""

_FILES = (
    "kills",
    "storm",
    "pauses",
    "database",
    "restores",
    "vendor",
    "doors",
    "shares",
    "size",
    "schedules",
)


def row(name: str, *, short: bool = False, alone: bool = False) -> Callable[[Run], Run]:
    """Makes a function a row."""

    def add(run: Run) -> Run:
        ROWS[name] = Row(name, run, short, alone)
        return run

    return add


def load() -> dict[str, Row]:
    """All of them, in the table's order."""
    for file in _FILES:
        importlib.import_module(f"torture.rows.{file}")
    return ROWS
