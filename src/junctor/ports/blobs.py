"""Values too large for a row: kept beside, by what they belong to."""

from __future__ import annotations

from collections.abc import AsyncIterator
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

    async def put_stream(
        self, organization_id: UUID, owner: UUID, name: bytes, pieces: AsyncIterator[bytes]
    ) -> int:
        """Stores what comes, of any length, a piece at a time; its size, once it is durable.

        ``name`` must be new. If ``pieces`` raises, nothing is left of it.
        """

    def stream(
        self, organization_id: UUID, owner: UUID, name: bytes, size: int
    ) -> AsyncIterator[bytes]:
        """What `put_stream` stored, in pieces; `NotFound`. Raises, too, if it is not ``size`` long,
        at the latest in place of its last piece.
        """
        ...

    async def delete(self, organization_id: UUID, owner: UUID, name: bytes | None = None) -> int:
        """Removes one, or all of the owner's; returns how many there were."""
