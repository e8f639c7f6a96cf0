"""A vault in memory. It guards nothing: what it seals is only made unlike, and checked."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

from junctor.errors import Misconfigured
from junctor.ports.vault import Vault

__all__ = ["FakeKeyring", "FakeVault"]

_FLIP = bytes(255 - n for n in range(256))
_TAG = 28  # as long as a nonce and a tag


class FakeKeyring:
    """`ports.vault.Keyring` that is deterministic."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:16]

    def seal(self, data: bytes, aad: bytes) -> bytes:
        return self._key + self._tag(data, aad) + data.translate(_FLIP)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        data = bytes(sealed[16 + _TAG :]).translate(_FLIP)
        genuine = hmac.compare_digest(bytes(sealed[16 : 16 + _TAG]), self._tag(data, aad))
        if bytes(sealed[:16]) != self._key or not genuine:
            raise Misconfigured(
                reason="sealed data can't be opened: it was altered, or belongs elsewhere"
            )
        return data

    def _tag(self, data: bytes, aad: bytes) -> bytes:
        return hmac.digest(self._key, len(aad).to_bytes(4, "big") + aad + data, "sha256")[:_TAG]


class FakeVault(Vault):
    """`ports.vault.Vault`; each organisation's keyring differs."""

    async def keyring(self, organization_id: UUID) -> FakeKeyring:
        return FakeKeyring(hashlib.sha256(organization_id.bytes).digest())
