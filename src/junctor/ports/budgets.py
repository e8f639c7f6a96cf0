"""Where what is known of a vendor's budget is kept, for all processes alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from junctor.language.budgets import Bucket, Budget

__all__ = ["BudgetKey", "Budgets"]

T = TypeVar("T")


class BudgetKey(NamedTuple):
    """Whose budget it is; ``key`` is what the vendor counts by."""

    organization_id: UUID
    connector: str
    name: str
    key: str


class Budgets(Protocol):
    """Buckets by key. Work on one bucket happens one after another, whoever does it."""

    async def change(self, key: BudgetKey, budget: Budget, work: Callable[[Bucket, float], T]) -> T:
        """Gives the bucket and the time, in seconds of one clock for all, and keeps what it is
        made. ``work`` may be called again on the unchanged bucket. Raises what the store raises.
        """
        ...

    async def look(self, key: BudgetKey, budget: Budget) -> tuple[Bucket, float]:
        """The bucket as it is, new if there is none, and the time."""
        ...
