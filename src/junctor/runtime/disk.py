"""Room on disk: what is watched, when it is low, and when nothing more may be taken in.

Better to refuse a delivery, which its sender keeps, than to take it and find no room to store it.
The levels have some play: after it was full there must be half as much again, or doors would flap.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import structlog

__all__ = ["HARD", "SOFT", "Disk", "Level", "Limit", "Seen", "read_limit", "room_of"]

log = structlog.get_logger(__name__)

Level = Literal["ok", "low", "full"]
_ORDER: Final[Mapping[Level, int]] = {"ok": 0, "low": 1, "full": 2}
PLAY: Final = 1.5
"""A level ends when there is so many times its limit."""
EVERY: Final = 1.0
"""Seconds between two looks."""
SAID: Final = 5.0
"""Seconds that the database's word that its disk is full is believed, before it is tried again."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Free bytes below which there is too little: a share of the volume, but at most so many."""

    share: float
    most: int

    def of(self, total: int) -> float:
        """In bytes, for a volume of so many."""
        return min(self.share * total, self.most)


SOFT: Final = Limit(0.10, 2 * 10**9)
HARD: Final = Limit(0.02, 500 * 10**6)
_UNITS: Final = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def read_limit(text: str) -> Limit:
    """A limit as settings write it, ``10%/2GB`` or ``500MB``; `ValueError` if it can't be read."""
    share, most = 1.0, 10**15
    for part in text.upper().replace(" ", "").split("/"):
        if part.endswith("%"):
            share = float(part[:-1]) / 100
            if not 0 <= share <= 1:
                raise ValueError(part)
        else:
            most = int(float(part[:-2]) * _UNITS[part[-2:]]) if part[-2:] in _UNITS else int(part)
    return Limit(share, most)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one volume. ``what``: a name for people; bytes."""

    what: str
    free: int
    total: int
    level: Level


def room_of(path: Path) -> tuple[int, int]:
    """Free bytes for who is not root, and all bytes, of the volume that a path is on."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


class Disk:
    """Watches volumes. ``paths`` by a name for people; ``probe`` is `room_of` but in tests."""

    def __init__(
        self,
        paths: Mapping[str, Path],
        *,
        soft: Limit = SOFT,
        hard: Limit = HARD,
        probe: Callable[[Path], tuple[int, int]] = room_of,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = dict(paths)
        self._soft = soft
        self._hard = hard
        self._probe = probe
        self._clock = clock
        self._said = float("-inf")
        self.seen: dict[str, Seen] = {}

    @property
    def level(self) -> Level:
        """The worst of all volumes."""
        if self._clock() - self._said < SAID:
            return "full"
        levels = (each.level for each in self.seen.values())
        return max(levels, key=_ORDER.__getitem__, default="ok")

    @property
    def full(self) -> bool:
        """Whether nothing more may be taken in."""
        return self.level == "full"

    def said_full(self) -> None:
        """The database said that it has no room (53100): believed for some seconds."""
        self._said = self._clock()

    def look(self) -> list[Seen]:
        """Looks at all; returns those that are worse than before."""
        worse = []
        for what, path in self._paths.items():
            before = self.seen.get(what)
            try:
                free, total = self._probe(path)
            except OSError:  # not made yet, or not ours to see
                self.seen.pop(what, None)
                continue
            now = Seen(what, free, total, self._level(free, total, before))
            self.seen[what] = now
            if _ORDER[now.level] > (_ORDER[before.level] if before else 0):
                worse.append(now)
            elif before is not None and now.level != before.level:
                log.info("disk_has_room", what=what, free=free, level=now.level)
        return worse

    def _level(self, free: int, total: int, before: Seen | None) -> Level:
        was = _ORDER[before.level] if before is not None else 0
        for level, limit in (("full", self._hard), ("low", self._soft)):
            name: Level = "full" if level == "full" else "low"
            play = PLAY if was >= _ORDER[name] else 1.0
            if free < limit.of(total) * play:
                return name
        return "ok"

    async def watch(self, tell: Callable[[Seen], Awaitable[None]] | None = None) -> None:
        """Looks every second, in a thread as a volume of the network may hang; until cancelled.

        ``tell`` is called for each volume that is worse than before; what it raises is logged.
        """
        while True:
            # While a look hangs none is begun, and what was seen last stands.
            for each in await asyncio.to_thread(self.look):
                log.warning("disk_low", what=each.what, free=each.free, level=each.level)
                if tell is not None:
                    try:
                        await tell(each)
                    except Exception as error:  # the watch must go on
                        log.warning("disk_low_not_told", error=str(error))
            await asyncio.sleep(EVERY)
