"""Envelope encryption: a master key wraps each organisation's data keys, which seal its data.

AES-256-GCM throughout. The master key is the operator's (``JUNCTOR_MASTER_KEY``) or a file made on
first start; data keys lie wrapped in the database. A data key is replaced every week: its random
nonces stay below the 2^32 messages per key that NIST SP 800-38D (8.3) allows.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from junctor.adapters.postgres.database import Connection, Pool
from junctor.adapters.postgres.queries import load
from junctor.adapters.sealed_key import fingerprint
from junctor.adapters.system import now_ms, system_ids
from junctor.errors import Misconfigured
from junctor.language.ids import milliseconds
from junctor.ports.vault import Vault

__all__ = ["DataKeyring", "MasterKeys", "PostgresVault", "put_key"]

VARIABLE: Final = "JUNCTOR_MASTER_KEY"
FILE: Final = "master.key"
_KEY_BYTES: Final = 32
_ID_BYTES: Final = 16
_NONCE_BYTES: Final = 12

_RENEW_MS: Final = 7 * 24 * 3600 * 1000
# Other processes look for new keys at least every `_KEEP_SECONDS`; a new key is used only after.
_KEEP_SECONDS: Final = 300.0
_SETTLE_MS: Final = 10 * 60 * 1000


class MasterKeys:
    """The keys that wrap data keys. The first is current; the others still open."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise Misconfigured(reason=f"{VARIABLE} holds no key")
        self.current = next(iter(keys))
        self.fingerprints = {name: fingerprint(key) for name, key in keys.items()}
        """By id; tells keys apart and nothing of what they are."""
        self._keys = {name: AESGCM(key) for name, key in keys.items()}

    def __repr__(self) -> str:
        return f"MasterKeys({', '.join(self._keys)})"

    @classmethod
    def load(cls, directory: Path, environment: Mapping[str, str] | None = None) -> Self:
        """From ``JUNCTOR_MASTER_KEY``, else from ``master.key`` in the data directory (made)."""
        path = directory / FILE
        named = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
        if not named and not path.exists():
            _make_file(path)
        found = cls.text(directory, environment)
        assert found is not None, "it was made above"
        return cls.parse(*found)

    @classmethod
    def text(
        cls, directory: Path, environment: Mapping[str, str] | None = None
    ) -> tuple[str, str] | None:
        """The keys as they are written, and where that is; ``None`` if there are none."""
        text = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
        if text:
            return text, VARIABLE
        path = directory / FILE
        if not path.exists():
            return None
        if path.stat().st_mode & 0o077:
            raise Misconfigured(
                reason=f"others may read the master key in {path}: run chmod 600 {path}"
            )
        return path.read_text().strip(), str(path)

    @classmethod
    def parse(cls, text: str, source: str) -> Self:
        """From ``id:key,id:key``; a single key may go without an id (``main``)."""
        keys: dict[str, bytes] = {}
        for number, part in enumerate(text.split(","), 1):
            name, separator, value = part.strip().rpartition(":")
            try:
                key = base64.b64decode(value, validate=True)
            except (ValueError, binascii.Error):
                key = b""
            if len(key) != _KEY_BYTES:
                raise Misconfigured(
                    reason=f"key {number} in {source} is not 32 bytes in base64: "
                    "make one with `openssl rand -base64 32`"
                )
            name = name if separator else "main"
            if name in keys:
                raise Misconfigured(reason=f"two keys in {source} have the id '{name}'")
            keys[name] = key
        return cls(keys)

    def wrap(self, key: bytes, aad: bytes) -> bytes:
        """With the current master key."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._keys[self.current].encrypt(nonce, key, aad)

    def opens(self, organization_id: UUID, key_id: UUID, master: str, wrapped: bytes) -> None:
        """Nothing if a stored data key opens; otherwise what `unwrap` raises."""
        self.unwrap(master, wrapped, _aad(organization_id, key_id))

    def unwrap(self, master: str, wrapped: bytes, aad: bytes) -> bytes:
        """`Misconfigured` without that master key, or with another of the same id."""
        key = self._keys.get(master)
        if key is None:
            raise Misconfigured(
                reason=f"the master key '{master}' is missing; have: {', '.join(self._keys)}. "
                f"Add it to {VARIABLE}, or put back the file {FILE} of this database"
            )
        try:
            return key.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], aad)
        except InvalidTag as error:
            raise Misconfigured(
                reason=f"the master key '{master}' is not the one that this database was made "
                f"with: put back the right {VARIABLE} or {FILE}"
            ) from error


def put_key(directory: Path, text: str) -> Path:
    """Writes the master key's file where there is none; `Misconfigured` if there is another."""
    path = directory / FILE
    _make_file(path, text)
    if path.read_text().strip() != text.strip():
        raise Misconfigured(f"{path} holds another key: move it away first.")
    return path


def _make_file(path: Path, text: str | None = None) -> None:
    # Complete before it has its name, and the first of several processes wins.
    made = text or "main:" + base64.b64encode(os.urandom(_KEY_BYTES)).decode()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".master-")  # 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(made.strip() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    finally:
        Path(name).unlink()


class DataKeyring:
    """`ports.vault.Keyring` over an organisation's opened data keys."""

    __slots__ = ("_current", "_keys", "_seal")

    def __init__(self, keys: Mapping[bytes, bytes], current: bytes) -> None:
        self._keys = {name: AESGCM(key) for name, key in keys.items()}
        self._current = current
        self._seal = self._keys[current]

    def __repr__(self) -> str:
        return f"DataKeyring({len(self._keys)} keys)"

    def seal(self, data: bytes, aad: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return self._current + nonce + self._seal.encrypt(nonce, data, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        sealed = bytes(sealed)
        key = self._keys.get(sealed[:_ID_BYTES])
        if key is None:
            raise Misconfigured(
                reason="sealed data can't be opened: its key does not exist in this organisation"
            )
        nonce = sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES]
        try:
            return key.decrypt(nonce, sealed[_ID_BYTES + _NONCE_BYTES :], aad)
        except (InvalidTag, ValueError) as error:
            raise Misconfigured(
                reason="sealed data can't be opened: it was altered, or belongs elsewhere"
            ) from error


class PostgresVault(Vault):
    """`ports.vault.Vault` with wrapped keys in ``data_keys``. ``engine``: an open engine pool."""

    def __init__(self, engine: Pool, masters: MasterKeys) -> None:
        self._engine = engine
        self._masters = masters
        self._ids = system_ids()
        self._sql = load("vault")
        self._kept: dict[UUID, tuple[float, DataKeyring]] = {}
        self._loading = asyncio.Lock()

    async def keyring(self, organization_id: UUID) -> DataKeyring:
        kept = self._kept.get(organization_id)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        async with self._loading:
            kept = self._kept.get(organization_id)
            if kept is not None and kept[0] > time.monotonic():
                return kept[1]
            ring = await self._load(organization_id)
            self._kept[organization_id] = (time.monotonic() + _KEEP_SECONDS, ring)
            return ring

    async def rewrap(self) -> int:
        """Wraps every data key with the current master key, a key at a time; returns how many.

        Afterwards the older master keys may be taken away. Sealed data stays as it is.
        """
        count = 0
        async with self._engine.connection() as connection:
            cursor = await connection.execute(
                self._sql["wrapped_otherwise"], {"master": self._masters.current}
            )
            for organization_id, id_, master, wrapped in await cursor.fetchall():
                aad = _aad(organization_id, id_)
                key = self._masters.unwrap(master, bytes(wrapped), aad)
                done = await connection.execute(
                    self._sql["rewrap"],
                    {
                        "organization": organization_id,
                        "id": id_,
                        "before": master,
                        "master": self._masters.current,
                        "wrapped": self._masters.wrap(key, aad),
                    },
                )
                count += done.rowcount
        return count

    async def _load(self, organization_id: UUID) -> DataKeyring:
        async with self._engine.connection() as connection:
            keys = await self._keys(connection, organization_id)
            now = now_ms()
            if not keys or now - milliseconds(max(keys)) > _RENEW_MS:
                async with connection.transaction():
                    # One maker at a time; whoever comes second finds the key of the first.
                    await connection.execute(self._sql["lock"], {"organization": organization_id})
                    keys = await self._keys(connection, organization_id)
                    if not keys or now - milliseconds(max(keys)) > _RENEW_MS:
                        id_, key = await self._make(connection, organization_id)
                        keys[id_] = key
        settled = [id_ for id_ in keys if now - milliseconds(id_) >= _SETTLE_MS]
        current = max(settled) if settled else min(keys)
        return DataKeyring({id_.bytes: key for id_, key in keys.items()}, current.bytes)

    async def _keys(self, connection: Connection, organization_id: UUID) -> dict[UUID, bytes]:
        cursor = await connection.execute(self._sql["keys"], {"organization": organization_id})
        return {
            id_: self._masters.unwrap(master, bytes(wrapped), _aad(organization_id, id_))
            for id_, master, wrapped in await cursor.fetchall()
        }

    async def _make(self, connection: Connection, organization_id: UUID) -> tuple[UUID, bytes]:
        id_, key = self._ids.new(), AESGCM.generate_key(256)
        await connection.execute(
            self._sql["make"],
            {
                "organization": organization_id,
                "id": id_,
                "master": self._masters.current,
                "wrapped": self._masters.wrap(key, _aad(organization_id, id_)),
            },
        )
        return id_, key


def _aad(organization_id: UUID, key_id: UUID) -> bytes:
    return b"data key" + organization_id.bytes + key_id.bytes
