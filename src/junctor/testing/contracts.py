"""What every adapter of a port must do; run on the fakes and on the real ones alike.

Plain coroutines over the port, so that a third party's adapter can be held to the same.
"""

from __future__ import annotations

import os
from uuid import UUID

from junctor.errors import Misconfigured, NotFound
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


async def _missing(blobs: Blobs, organization_id: UUID, owner: UUID, name: bytes) -> None:
    try:
        await blobs.get(organization_id, owner, name)
    except NotFound:
        return
    raise AssertionError("it found what is not there")
