"""A worker's places and passes, shared: nobody who has much to do takes what others need at once.

*Places.* Whoever holds places gives them back only when its runs end, and a vendor may be slow. So
an organisation is given more only while it holds less than so many times what is free, and so is a
scenario: then something is always free, however many there are, and one alone has nearly all
(dynamic thresholds, as in shared buffers of switches). What stands in lines is counted the
same way, for itself.

*Passes.* A pass takes about as many deliveries as one scenario alone would be given; who has little
to start is started first; and what it has no time for is left to the next. Who signals meanwhile is
looked for almost at once, as long as that takes a small part of the whole time (`Looks`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from uuid import UUID

from junctor.ports.backlog import Claim, Taken

__all__ = ["Looks", "Places", "Rest", "full", "spread"]

ORGANIZATION = 4
"""An organisation may hold so many times the places that are free."""
SCENARIO = 3
"""A scenario; less, so that it leaves something to others of its organisation."""
LEAST = 16
"""Deliveries that a claim may take in a pass, however many claims there are."""
LITTLE = 2
"""What was left seems to be so many at least: a single new delivery comes before it."""
SOON = 0.001
"""Seconds of a pass after which it may be cut short for somebody who has signalled, if those come
next who have much to start, and no effects."""
LATER = 0.01
"""And if not: who comes later with as little can wait for them, and what waits for vendors is begun
in a moment."""
FEW = 16
"""Deliveries of a scenario: what is more is much."""
LOOKING = 0.15
"""The part of its time that a worker may look for others because they have signalled."""
SAVED = 0.1
"""Seconds of looking that it may have saved up."""
FRESH = 1.0
"""Seconds for which what was taken may be begun without a new look."""


def full(
    claims: Iterable[Claim], free: int, places: int, idle: Callable[[Collection[UUID]], int]
) -> list[UUID]:
    """Organisations and scenarios that get no more now. ``idle``: how many of these runs only wait
    for others, and hold no place.
    """
    if places - free < free:  # not even all together hold much
        return []
    held: Counter[UUID] = Counter()
    scenarios: Counter[UUID] = Counter()
    for claim in claims:
        if claim.busy:
            count = len(claim.busy) - claim.queued - idle(claim.busy)
            held[claim.organization_id] += count
            scenarios[claim.scenario_id] += count
    return [
        *(id_ for id_, count in held.items() if count >= ORGANIZATION * free),
        *(id_ for id_, count in scenarios.items() if count >= SCENARIO * free),
    ]


class Places:
    """What is free when a pass begins, given out so that something is left for everybody.

    ``free``: places; ``standing``: how many more may stand in lines; ``idle`` as for `full`.
    """

    def __init__(
        self,
        claims: Iterable[Claim],
        free: int,
        standing: int,
        idle: Callable[[Collection[UUID]], int],
    ) -> None:
        self._runs, self._lines = _Share(free), _Share(standing)
        for claim in claims:
            if claim.busy:
                count = len(claim.busy) - claim.queued - idle(claim.busy)
                self._runs.held.update(dict.fromkeys(_who(claim), count))
                self._lines.held.update(dict.fromkeys(_who(claim), claim.queued))

    def give(self, claim: Claim, wanted: int, among: int = 1) -> int:
        """How many of these runs a claim may begin; they are given to it. ``among``: so many claims
        of its organisation want some.
        """
        given = min(wanted, -(-self._runs.left(claim) // among))
        if claim.pure:  # they wait for nobody, and are over in a moment
            given = wanted
        elif given and claim.in_line:  # one is begun, and the others stand behind it
            given = 1 + min(wanted - 1, self._lines.left(claim) // among)
            self._lines.take(claim, given - 1)
        self._runs.take(claim, min(given, 1) if claim.in_line else given)
        claim.crowded = given < wanted
        return given

    def fitting(self, wanted: Sequence[tuple[Claim, int]]) -> list[tuple[Claim, int]]:
        """The same claims, with as many as they may begin."""
        among = Counter(claim.organization_id for claim, _ in wanted)
        out = []
        for claim, limit in wanted:
            given = self.give(claim, limit, among[claim.organization_id])
            among[claim.organization_id] -= 1
            if given:
                out.append((claim, given))
        return out


class _Share:
    """Something of which there is so much, and who holds how much of it."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.held: Counter[UUID] = Counter()

    def left(self, claim: Claim) -> int:
        """How much more it may have, so that it then holds no more than its times what is free."""
        more = (
            -((self.held[who] - times * self.free) // (times + 1))  # rounded up
            for who, times in zip(_who(claim), (ORGANIZATION, SCENARIO), strict=True)
        )
        return max(0, min(more)) if self.free > 0 else 0

    def take(self, claim: Claim, count: int) -> None:
        self.free -= count
        self.held.update(dict.fromkeys(_who(claim), count))


def _who(claim: Claim) -> tuple[UUID, UUID]:
    return claim.organization_id, claim.scenario_id


def spread(
    wanted: Sequence[tuple[Claim, int]], most: int, smaller: int = 1
) -> list[tuple[Claim, int]]:
    """The same claims, with limits that come to about ``most`` at once; or a part of it, of those
    that have no effects: it is they that make a pass long.
    """
    each = max(LEAST, most // max(1, len(wanted)))
    return [
        (claim, min(limit, each // smaller if claim.pure and not claim.in_line else each))
        for claim, limit in wanted
    ]


class Looks:
    """Whether a pass may be cut short, to look for somebody who has signalled.

    Looking is paid for from savings that grow with time (a token bucket): those who signal now and
    then are found at once, and thousands who always do can't make a worker look all the time.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._saved, self._at = SAVED, clock()

    def spent(self, seconds: float) -> None:
        """A look that was made only because somebody had signalled took so long."""
        self._grow()
        self._saved -= seconds

    def affordable(self) -> bool:
        """Whether there is anything left to look with."""
        self._grow()
        return self._saved > 0

    def _grow(self) -> None:
        now = self._clock()
        self._saved = min(SAVED, self._saved + LOOKING * (now - self._at))
        self._at = now


class Rest:
    """What a pass has taken and not begun, because somebody else was to be looked at: the next
    passes go on with it, so that nothing is read twice.

    What is not begun within ``FRESH`` seconds is read again after all: its scenario may have been
    paused, or its delivery been thrown away.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Claim, tuple[float, int, list[Taken]]] = {}
        self._much: Counter[UUID] = Counter()

    def __contains__(self, claim: object) -> bool:
        return claim in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def scenarios(self) -> set[UUID]:
        """Whose deliveries are left."""
        return {claim.scenario_id for claim in self._kept}

    def keep(self, rest: Sequence[tuple[Claim, list[Taken]]]) -> None:
        """Puts away what is left of each claim's deliveries."""
        for claim, taken in rest:
            since, passes, _ = self._kept.get(claim, (self._clock(), 0, []))
            self._kept[claim] = (since, passes + 1, taken)

    def with_fresh(self, taken: list[tuple[Claim, list[Taken]]]) -> list[tuple[Claim, list[Taken]]]:
        """What is left, and what was taken just now, in the order in which to begin it.

        Who has little to start waits for nobody but those who have as little and came before; who
        has much hardly notices, and seems to have one less with each pass for which it has waited.
        """
        now = self._clock()
        known: dict[Claim, tuple[float, int, list[Taken]]] = {}
        for claim, (since, passes, left) in self._kept.items():
            if claim.lost or claim.stale or now - since > FRESH:
                claim.more = True
            else:
                known[claim] = (since, passes, left)
        self._kept = known
        # A scenario has much, too, if it has many order keys with one delivery each.
        self._much = much = Counter[UUID]()
        for claim, left in (*((claim, left) for claim, (_, _, left) in known.items()), *taken):
            much[claim.scenario_id] += len(left)
        ranked = [
            (
                min(much[claim.scenario_id], max(LITTLE, much[claim.scenario_id] - passes)),
                claim,
                left,
            )
            for claim, (_, passes, left) in known.items()
        ]
        ranked += [(much[claim.scenario_id], claim, each) for claim, each in taken]
        ranked.sort(key=lambda each: each[0])
        return [(claim, each) for _, claim, each in ranked]

    def patience(self, claim: Claim) -> float:
        """Seconds of a pass after which somebody else may be looked for before this claim's."""
        much = claim.pure and (claim.more or self._much[claim.scenario_id] > FEW)
        return SOON if much else LATER

    def begun(self, claim: Claim) -> None:
        """Nothing is left of it."""
        self._kept.pop(claim, None)

    def drop(self) -> None:
        """Nothing of it will be begun here: given back, its claims have more."""
        for claim in self._kept:
            claim.more = True
        self._kept.clear()
