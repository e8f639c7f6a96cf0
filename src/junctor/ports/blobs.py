"""Values too large for a row: kept beside, by what they belong to."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

__all__ = ["Blobs"]


class Blobs(Protocol):
    """Stores large values. ``owner`` is the run or delivery whose end is theirs too.

    ``name`` is 16 bytes: of the content's hash, or random.
    """

    async def put(self, organization_id: UUID, owner: UUID, name: bytes, content: bytes) -> None:
        """Durable on return. The same name again changes nothing."""

    async def get(self, organization_id: UUID, owner: UUID, name: bytes) -> bytes:
        """The content; `NotFound`."""

    async def delete(self, organization_id: UUID, owner: UUID, name: bytes | None = None) -> int:
        """Removes one, or all of the owner's; returns how many there were."""
