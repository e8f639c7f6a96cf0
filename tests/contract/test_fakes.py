from __future__ import annotations

from uuid import UUID

from junctor.testing.blobs import FakeBlobs
from junctor.testing.contracts import check_blobs, check_vault
from junctor.testing.vault import FakeVault
from tests.support import asynchronous


@asynchronous
async def test_the_fake_vault_keeps_the_contract() -> None:
    await check_vault(FakeVault(), UUID(int=1), UUID(int=2))


@asynchronous
async def test_the_fake_blobs_keep_the_contract() -> None:
    await check_blobs(FakeBlobs(), UUID(int=1), UUID(int=2))
