"""What a row was given, and what came of it."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Failed", "Length", "Options", "Outcome", "Skipped", "table"]

Length = Literal["short", "usual", "long"]


class Skipped(Exception):  # it is no error
    """A row that this machine or this Junctor can't run, and why."""


class Failed(Exception):  # named by what happened
    """A row that could not be carried through: something never came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long and how hard. The same seed draws the same faults at the same moments."""

    seed: int = 1
    length: Length = "usual"
    rate: float | None = None
    """Events a second; ``None``: the row's own."""
    kills: int | None = None
    faults: float = 1.0
    """How often the faults that overlap with kills come; 2: twice as often, 0: never."""
    scale: float = 1.0
    """Share of the row's full size, for those that are about size."""
    keep: bool = False
    """Whether the row's folder (database, logs) is left for somebody to look at."""
    loud: bool = False

    def pick(self, short: float, usual: float, long: float) -> float:
        """One of three, by length."""
        return {"short": short, "usual": usual, "long": long}[self.length]

    def draw(self, row: str) -> random.Random:
        """The row's own chance."""
        return random.Random(f"{self.seed} {row}")

    def say(self, text: str) -> None:
        """For somebody who watches."""
        if self.loud:
            print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """A line of the table. Lists hold the numbers of the events concerned."""

    events: int = 0
    acknowledged: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    """How runs ended by themselves: finished, incomplete, uncertain, parked, discarded."""
    lost: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    takeover: float | None = None
    """The longest, in seconds; ``None``: nobody's work had to be taken over."""
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)
    """Other promises that were not kept."""
    notes: list[str] = field(default_factory=list)
    """Figures beside the table."""

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.repeated or self.broken)

    def expect(self, kept: bool, promise: str) -> None:
        """Notes a promise that was not kept."""
        if not kept:
            self.broken.append(promise)


HEADS = (
    "row", "events", "acknowledged", "finished", "incomplete", "uncertain", "parked", "lost",
    "repeated", "takeover", "seconds",
)  # fmt: skip


def table(
    results: Mapping[str, Outcome | Exception], spent: Mapping[str, float] | None = None
) -> str:
    """The table, and below it what there is to say of each row. ``spent``: seconds of each."""
    lines: list[tuple[str, ...]] = [HEADS]
    said: list[str] = []
    for name, got in results.items():
        seconds = (spent or {}).get(name)
        if isinstance(got, Exception):
            kind = "skipped" if isinstance(got, Skipped) else "failed"
            took = f"{seconds:.0f}" if seconds is not None else ""
            lines.append((name, *[""] * (len(HEADS) - 3), kind, took))
            said.append(f"{name} {kind}: {got or type(got).__name__}")
            continue
        took = f"{got.seconds if seconds is None else seconds:.0f}"
        takeover = "" if got.takeover is None else f"{got.takeover:.1f} s"
        lines.append(
            (
                name, str(got.events), str(got.acknowledged), str(got.ends["finished"]),
                str(got.ends["incomplete"]), str(got.ends["uncertain"]), str(got.ends["parked"]),
                str(len(got.lost)), str(len(got.repeated)), takeover, took,
            )
        )  # fmt: skip
        said += [f"{name}: {note}" for note in got.notes]
        said += [f"{name} BROKEN: {what}" for what in got.broken]
        for what, numbers in (("LOST", got.lost), ("REPEATED", got.repeated)):
            if numbers:
                said.append(f"{name} {what}: events {', '.join(map(str, numbers[:20]))}")
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEADS))]
    shown = [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*shown, "", *said]).rstrip()
