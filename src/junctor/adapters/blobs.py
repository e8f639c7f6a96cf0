"""Large values in Postgres, in sealed chunks of at most a megabyte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from junctor.adapters.postgres.database import Pool
from junctor.adapters.postgres.queries import load
from junctor.errors import Fault, NotFound
from junctor.ports.blobs import Blobs
from junctor.ports.vault import Vault

__all__ = ["PostgresBlobs"]

CHUNK: Final = 1024 * 1024 - 64  # sealed, it stays within a megabyte


class PostgresBlobs(Blobs):
    """`ports.blobs.Blobs`. ``engine``: an open engine pool."""

    def __init__(self, engine: Pool, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault
        self._sql = load("blobs")

    async def put(self, organization_id: UUID, owner: UUID, name: bytes, content: bytes) -> None:
        keyring = await self._vault.keyring(organization_id)
        pieces = [content[at : at + CHUNK] for at in range(0, len(content), CHUNK)] or [b""]
        row = {"organization": organization_id, "owner": owner, "id": name}
        async with self._engine.connection() as connection, connection.transaction():
            cursor = await connection.execute(self._sql["put"], {**row, "size": len(content)})
            if await cursor.fetchone() is None:
                return
            # One at a time: a large value is never twice in memory as a whole.
            for n, piece in enumerate(pieces):
                aad = _aad(organization_id, owner, name, n, len(pieces))
                data = keyring.seal(piece, aad)
                await connection.execute(
                    self._sql["put_chunk"], {**row, "n": n, "data": data}, binary=True
                )

    async def get(self, organization_id: UUID, owner: UUID, name: bytes) -> bytes:
        keyring = await self._vault.keyring(organization_id)
        async with self._engine.connection() as connection:
            cursor = await connection.execute(
                self._sql["chunks"],
                {"organization": organization_id, "owner": owner, "id": name},
                binary=True,
            )
            chunks = [row[0] for row in await cursor.fetchall()]
        if not chunks:
            raise NotFound(what=f"The value {name.hex()}")
        return b"".join(
            keyring.open(chunk, _aad(organization_id, owner, name, n, len(chunks)))
            for n, chunk in enumerate(chunks)
        )

    async def put_stream(
        self, organization_id: UUID, owner: UUID, name: bytes, pieces: AsyncIterator[bytes]
    ) -> int:
        """One statement each: no transaction is open while a vendor is slow.

        Whatever ends it before its end, what came so far goes; after a crash, with its run.
        """
        keyring = await self._vault.keyring(organization_id)
        row = {"organization": organization_id, "owner": owner, "id": name}
        size = n = 0
        held = bytearray()

        async def store(piece: bytes, *, last: bool) -> None:
            data = keyring.seal(piece, _aad(organization_id, owner, name, n, n + 1 if last else 0))
            async with self._engine.connection() as connection:
                await connection.execute(
                    self._sql["put_chunk"], {**row, "n": n, "data": data}, binary=True
                )

        async with self._engine.connection() as connection:
            cursor = await connection.execute(self._sql["put"], {**row, "size": 0})
            if await cursor.fetchone() is None:
                raise Fault(reason=f"a value {name.hex()} is there already")
        try:
            async for piece in pieces:
                held += piece
                size += len(piece)
                while len(held) > CHUNK:  # the last one is told from the others
                    await store(bytes(held[:CHUNK]), last=False)
                    del held[:CHUNK]
                    n += 1
            await store(bytes(held), last=True)
            async with self._engine.connection() as connection:
                await connection.execute(self._sql["sized"], {**row, "size": size})
        except BaseException:
            await asyncio.shield(self.delete(organization_id, owner, name))
            raise
        return size

    async def stream(
        self, organization_id: UUID, owner: UUID, name: bytes, size: int
    ) -> AsyncIterator[bytes]:
        keyring = await self._vault.keyring(organization_id)
        row = {"organization": organization_id, "owner": owner, "id": name}
        count = max(1, -(-size // CHUNK))
        left = size
        for n in range(count):
            async with self._engine.connection() as connection:
                cursor = await connection.execute(self._sql["chunk"], {**row, "n": n}, binary=True)
                found = await cursor.fetchone()
            if found is None and not n:
                raise NotFound(what=f"The value {name.hex()}")
            if found is None:
                raise Fault(reason=f"the value {name.hex()} lacks its piece {n}")
            last = n + 1 if n + 1 == count else 0
            piece = keyring.open(found[0], _aad(organization_id, owner, name, n, last))
            left -= len(piece)
            if left < 0 or (last and left):
                raise Fault(reason=f"the value {name.hex()} is not {size} bytes long")
            yield piece

    async def delete(self, organization_id: UUID, owner: UUID, name: bytes | None = None) -> int:
        async with self._engine.connection() as connection:
            cursor = await connection.execute(
                self._sql["delete"], {"organization": organization_id, "owner": owner, "id": name}
            )
            return cursor.rowcount


def _aad(organization_id: UUID, owner: UUID, name: bytes, n: int, count: int) -> bytes:
    # The count is in it: a value that lost its last chunk doesn't open. Of a stream only the last
    # chunk knows it; the others have 0.
    place = n.to_bytes(4, "big") + count.to_bytes(4, "big")
    return b"blob" + organization_id.bytes + owner.bytes + name + place
