"""Secrets at rest: every organisation has keys of its own."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

__all__ = ["Keyring", "Vault"]


class Keyring(Protocol):
    """Seals and opens an organisation's data; pure computing, a few microseconds.

    ``aad`` says what the data is and where it belongs (an id, an address); what was sealed with
    one can't be opened with another, so that a row's content is of no use in another row.
    """

    def seal(self, data: bytes, aad: bytes) -> bytes:
        """16 bytes key id, 12 bytes nonce, then the cipher text with its tag."""

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """What `seal` was given. `Misconfigured` if it was altered, moved, or its key is gone."""


class Vault(Protocol):
    """Finds keyrings."""

    async def keyring(self, organization_id: UUID) -> Keyring:
        """The organisation's keyring, made on first use. Ask again for each piece of work: keys
        are renewed now and then.
        """
