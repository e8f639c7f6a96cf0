"""Large values in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from junctor.errors import Fault, NotFound
from junctor.ports.blobs import Blobs

__all__ = ["FakeBlobs"]


class FakeBlobs(Blobs):
    """`ports.blobs.Blobs`."""

    def __init__(self) -> None:
        self.stored: dict[tuple[UUID, UUID, bytes], bytes] = {}

    async def put(self, organization_id: UUID, owner: UUID, name: bytes, content: bytes) -> None:
        self.stored.setdefault((organization_id, owner, name), bytes(content))

    async def get(self, organization_id: UUID, owner: UUID, name: bytes) -> bytes:
        try:
            return self.stored[organization_id, owner, name]
        except KeyError:
            raise NotFound(what=f"The value {name.hex()}") from None

    async def put_stream(
        self, organization_id: UUID, owner: UUID, name: bytes, pieces: AsyncIterator[bytes]
    ) -> int:
        content = b"".join([piece async for piece in pieces])
        self.stored[organization_id, owner, name] = content
        return len(content)

    async def stream(
        self, organization_id: UUID, owner: UUID, name: bytes, size: int
    ) -> AsyncIterator[bytes]:
        content = await self.get(organization_id, owner, name)
        if len(content) != size:
            raise Fault(reason=f"the value {name.hex()} is not {size} bytes long")
        yield content

    async def delete(self, organization_id: UUID, owner: UUID, name: bytes | None = None) -> int:
        gone = [
            key
            for key in self.stored
            if key[:2] == (organization_id, owner) and name in {None, key[2]}
        ]
        for key in gone:
            del self.stored[key]
        return len(gone)
