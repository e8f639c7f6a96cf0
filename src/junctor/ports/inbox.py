"""Where deliveries are made durable before anyone is told so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

__all__ = ["Answered", "AppDelivery", "Inbox", "NewDelivery"]


class NewDelivery(NamedTuple):
    """One delivery to store."""

    organization_id: UUID
    id: UUID
    scenario_id: UUID
    order_key: str
    hook_id: UUID | None
    payload: bytes
    """As `runtime.envelope` writes it."""
    key: str | None
    """What makes two deliveries the same event, or nothing."""
    server: str | None
    """Who waits for an answer."""


class AppDelivery(NamedTuple):
    """One verified delivery to an app's address, before it is known who gets it."""

    organization_id: UUID
    id: UUID
    """Its copies' ids follow from it."""
    token: str
    """Of the app's address."""
    payload: bytes
    """As `runtime.envelope` writes it."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A stored answer to a delivery."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Inbox(Protocol):
    """Stores deliveries and finds their answers."""

    async def accept(
        self, deliveries: Sequence[NewDelivery], *, again: bool = False
    ) -> dict[UUID, UUID | None]:
        """Stores and signals the new ones in one commit; returns {duplicate: first delivery}, and
        ``None`` for those whose scenario is gone: these are not stored, and nobody may be told
        that they were.

        ``again``: these may have been stored before, and even be done; then they stay so.
        """
        ...

    async def answers(self, ids: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Answered]:
        """The answers that exist for these (organisation, delivery) pairs."""
        ...
