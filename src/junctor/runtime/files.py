"""The files of one run: what is too large for a bundle, among the blobs of the run."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from junctor.errors import DataError, NotFound
from junctor.language.files import File
from junctor.ports.blobs import Blobs

__all__ = ["RunFiles"]


@dataclass(frozen=True, slots=True)
class RunFiles:
    """`ports.transport.Files`: sealed with the organisation's key, gone with the run."""

    blobs: Blobs
    organization_id: UUID
    run_id: UUID

    async def keep(self, pieces: AsyncIterator[bytes]) -> File:
        """Under a random name, so that nobody who knows a file's content can name it."""
        name = secrets.token_bytes(16)
        size = await self.blobs.put_stream(self.organization_id, self.run_id, name, pieces)
        return File(name, size)

    async def pieces(self, file: File) -> AsyncGenerator[bytes]:
        """See `ports.transport.Files`."""
        try:
            async for piece in self.blobs.stream(
                self.organization_id, self.run_id, file.id, file.size
            ):
                yield piece
        except NotFound as error:
            raise DataError(
                reason=f"the file of {file.size:,} bytes is not kept here: a file belongs to the "
                "run that fetched it, and can't be handed to another one; fetch it again there"
            ) from error
