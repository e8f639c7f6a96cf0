"""What every adapter of a port must do; run on the fakes and on the real ones alike.

Plain coroutines over the port, so that a third party's adapter can be held to the same.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from uuid import UUID

from junctor.errors import JunctorError, Misconfigured, NotFound
from junctor.ports.blobs import Blobs
from junctor.ports.vault import Vault

__all__ = ["check_blobs", "check_vault"]


async def check_vault(vault: Vault, mine: UUID, yours: UUID) -> None:
    """`ports.vault.Vault`, with two organisations that exist."""
    ring = await vault.keyring(mine)
    for data in (b"", b"s3cret", os.urandom(100_000)):
        sealed = ring.seal(data, b"here")
        assert ring.open(sealed, b"here") == data
        assert (await vault.keyring(mine)).open(sealed, b"here") == data
        assert len(data) == 0 or data not in sealed
        _refuses(lambda sealed=sealed: ring.open(sealed, b"there"))
        _refuses(lambda sealed=sealed: ring.open(sealed[:-1], b"here"))
        flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
        _refuses(lambda flipped=flipped: ring.open(flipped, b"here"))
    other = await vault.keyring(yours)
    sealed = ring.seal(b"mine", b"")
    _refuses(lambda: other.open(sealed, b""))
    _refuses(lambda: ring.open(b"", b""))


def _refuses(work: object) -> None:
    assert callable(work)
    try:
        work()
    except Misconfigured as error:
        assert "sealed data can't be opened" in str(error)  # noqa: PT017 - no pytest in a shipped suite
    else:
        raise AssertionError("it opened what it must not")


async def check_blobs(blobs: Blobs, mine: UUID, yours: UUID) -> None:
    """`ports.blobs.Blobs`, with two organisations that exist."""
    owner = UUID(int=7)
    values = {os.urandom(16): content for content in (b"", b"x", os.urandom(2_500_000))}
    for name, content in values.items():
        await blobs.put(mine, owner, name, content)
    for name, content in values.items():
        assert await blobs.get(mine, owner, name) == content
        for wrong in ((yours, owner, name), (mine, UUID(int=8), name), (mine, owner, b"n" * 16)):
            await _missing(blobs, *wrong)
    first, *rest = values
    await blobs.put(mine, owner, first, b"again")
    assert await blobs.get(mine, owner, first) == values[first]
    assert await blobs.delete(mine, owner, first) == 1
    assert await blobs.delete(mine, owner, first) == 0
    await _missing(blobs, mine, owner, first)
    assert await blobs.delete(yours, owner) == 0
    assert await blobs.delete(mine, owner) == len(rest)
    await _missing(blobs, mine, owner, rest[-1])
    await _check_streams(blobs, mine, owner)


async def _check_streams(blobs: Blobs, mine: UUID, owner: UUID) -> None:
    megabyte = 1024 * 1024
    for size in (0, 1, megabyte - 64, 2 * (megabyte - 64), 2_500_000):
        name, content = os.urandom(16), os.urandom(size)
        pieces = _pieces(content, 70_000)
        assert await blobs.put_stream(mine, owner, name, pieces) == size
        assert b"".join([piece async for piece in blobs.stream(mine, owner, name, size)]) == content
        for wrong in (size + 1, size - 1, size + 2 * megabyte):
            if wrong >= 0:
                await _refused(blobs.stream(mine, owner, name, wrong), JunctorError)
    await _refused(blobs.stream(mine, owner, b"n" * 16, 1), NotFound)
    broken = os.urandom(16)
    try:
        await blobs.put_stream(
            mine, owner, broken, _pieces(os.urandom(2_500_000), 70_000, cut=True)
        )
    except ConnectionError:
        await _refused(blobs.stream(mine, owner, broken, 2_500_000), NotFound)
    else:
        raise AssertionError("a stream that broke off was kept")
    assert await blobs.delete(mine, owner) == 5


async def _pieces(content: bytes, size: int, *, cut: bool = False) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]
    if cut:
        raise ConnectionError("cut")


async def _refused(pieces: AsyncIterator[bytes], error: type[Exception]) -> None:
    try:
        async for _ in pieces:
            pass
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


async def _missing(blobs: Blobs, organization_id: UUID, owner: UUID, name: bytes) -> None:
    try:
        await blobs.get(organization_id, owner, name)
    except NotFound:
        return
    raise AssertionError("it found what is not there")
