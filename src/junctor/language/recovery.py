"""How a connector helps to find out, after trouble, what happened at its vendor.

A hook's `Backfill` lists what its vendor would have told it while nobody listened; an effect's
`Probe` finds out whether something that was sent was also done. Both are pure: generators that
yield `Request`s and are sent complete `Response`s, those of refusals included where the request's
``raises`` is false. The runtime does the rest (`runtime.backfill`, `runtime.settling`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from junctor.language.messages import Request, Response

__all__ = ["ADDRESS", "Asked", "Backfill", "Missed", "Probe"]

ADDRESS = "$address"
"""In the settings that a backfill gets: how every address of the hook ends, for vendors that can't
be asked by hook but say which of their places (numbers, applications) send to which address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Something that happened, as the vendor would have told it.

    It becomes a delivery with this body, and goes the way of every delivery: so the hook's own
    ``dedup`` must find in it the very key that the vendor's own delivery of the same event has.
    Where the vendor lists without what makes that key, ``key`` says it.
    """

    body: Mapping[str, Any]
    at: datetime
    """When it happened: aware. Deliveries are made in this order."""
    key: str | None = None
    """The dedup key, in place of the one that the hook finds in the body."""
    form: bool = False
    """Whether the vendor sends forms (``application/x-www-form-urlencoded``), not JSON."""


Backfill = Callable[
    [datetime, Mapping[str, Any]], Generator[Request, Response, "list[Missed] | tuple[Missed, ...]"]
]
"""``backfill(since, settings)`` gives all that happened at ``since`` or later, in any order.

``settings`` are the hook's own, without secrets, and `ADDRESS`. Requests go through the hook's
connection, and a refusal ends it as in a module. What is given twice, or came already, is stored
once.
"""

Asked = Generator[Request, Response, "dict[str, Any] | bool | None"]
"""What a probe found: the bundle that the operation would have given; ``False``: it did not happen;
``None``: this can't be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How an effect of kind *once* is looked for after its outcome was lost.

    ``ask(arguments, at)``: the arguments as the module's function gets them, and when the request
    was about to be sent, by our clock. It must only read. Several that look alike are
    ``None``: which of them it was can't be told.
    """

    ask: Callable[[Mapping[str, Any], datetime], Asked]
    sure_after: float = 600.0
    """Seconds after ``at`` from which a no is believed: the vendor may still have been at it, or
    its list may lag. Before, it counts as unknown."""
