"""A worker's places and passes, shared: nobody who has much to do takes what others need at once.

*Places.* Whoever holds places gives them back only when its runs end, and a vendor may be slow. So
an organisation is given more only while it holds less than so many times what is free, and so is a
scenario: then something is always free, however many there are, and one alone has nearly all
(dynamic thresholds, as in shared buffers of switches).

*Passes.* A pass starts about as many runs as one scenario alone would be given; and who has little
to start is started first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from uuid import UUID

from junctor.ports.backlog import Claim, Taken

__all__ = ["full", "little_first", "spread"]

ORGANIZATION = 4
"""An organisation may hold so many times the places that are free."""
SCENARIO = 3
"""A scenario; less, so that it leaves something to others of its organisation."""
LEAST = 16
"""Deliveries that a claim may start in a pass, however many claims there are."""


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
            count = len(claim.busy) - idle(claim.busy)
            held[claim.organization_id] += count
            scenarios[claim.scenario_id] += count
    return [
        *(id_ for id_, count in held.items() if count >= ORGANIZATION * free),
        *(id_ for id_, count in scenarios.items() if count >= SCENARIO * free),
    ]


def spread(wanted: Sequence[tuple[Claim, int]], most: int) -> list[tuple[Claim, int]]:
    """The same claims, with limits that come to about ``most`` at once."""
    each = max(LEAST, most // max(1, len(wanted)))
    return [(claim, min(limit, each)) for claim, limit in wanted]


def little_first(taken: list[tuple[Claim, list[Taken]]]) -> list[tuple[Claim, list[Taken]]]:
    """Who has little to start waits for nobody; who has much hardly notices."""
    return sorted(taken, key=lambda each: len(each[1]))
