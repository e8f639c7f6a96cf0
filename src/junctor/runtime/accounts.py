"""Connections at work: secrets opened, requests made absolute, bound to their host and signed.

Credentials are added here and nowhere else; they never enter a bundle, an expression or a journal.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from junctor.adapters.postgres.hot import Line
from junctor.errors import Misconfigured, NotFound
from junctor.language.connector import Connection, Connector, Multipart, Request, Response, Secret
from junctor.ports.transport import Transport
from junctor.ports.vault import Vault

__all__ = ["Account", "Accounts", "absolute", "fingerprint", "seal_aad"]

_KEEP_SECONDS = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """A connection, opened."""

    connector: Connector
    definition: Connection
    base_url: str
    form: Any
    """An instance of ``definition.form``; its secrets show as ``…``."""


def seal_aad(organization_id: UUID, connection_id: UUID, base_url: str) -> bytes:
    """What a connection's secrets are sealed to; another base URL can't open them."""
    return organization_id.bytes + connection_id.bytes + base_url.encode()


def absolute(request: Request, base_url: str) -> Request:
    """The request with its whole URL; an absolute one must be the base's own origin already."""
    url = request.url
    if url.startswith("/"):
        return dataclasses.replace(request, url=base_url.rstrip("/") + url)
    if origin(url) != origin(base_url):
        raise Misconfigured(
            reason=f"a request to {urlsplit(url).netloc} may not carry the credentials "
            f"of {urlsplit(base_url).netloc}"
        )
    return request


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or default


def fingerprint(request: Request) -> bytes:
    """16 bytes that change when what would be sent changes. Credentials are not part of it."""
    body = request.body
    if isinstance(body, Multipart):
        body = tuple(dataclasses.astuple(part) for part in body.parts)  # type: ignore[assignment]  # only hashed
    content = msgspec.msgpack.encode(
        (
            request.method,
            request.url,
            _pairs(request.query),
            sorted(request.headers.items()),
            request.json,
            _pairs(request.form),
            body,
        )
    )
    return hashlib.sha256(content).digest()[:16]


def _pairs(values: Any) -> Any:
    return sorted(values.items()) if isinstance(values, Mapping) else values


class Accounts:
    """Finds, opens and uses connections."""

    def __init__(
        self,
        line: Line,
        *,
        vault: Vault,
        transport: Transport,
        connector: Callable[[str], Connector | None],
    ) -> None:
        self._line = line
        self._vault = vault
        self._transport = transport
        self._connector = connector
        self._cache: dict[tuple[UUID, UUID], tuple[float, Account]] = {}

    async def get(self, organization_id: UUID, connection_id: UUID) -> Account:
        """The opened connection; remembered for a few seconds, so that a change is soon seen."""
        key = (organization_id, connection_id)
        kept = self._cache.get(key)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        rows = await self._line.fetch(
            "connection", {"organization": organization_id, "id": connection_id}
        )
        if not rows:
            raise NotFound(what="The connection of this module")
        _, _, connector_name, kind, base_url, settings, sealed = rows[0]
        keyring = await self._vault.keyring(organization_id)
        secrets = msgspec.json.decode(
            keyring.open(sealed, seal_aad(organization_id, connection_id, base_url))
        )
        account = self.opened(connector_name, kind, base_url, settings, secrets)
        self._cache[key] = (time.monotonic() + _KEEP_SECONDS, account)
        return account

    def opened(
        self,
        connector_name: str,
        kind: str,
        base_url: str,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
    ) -> Account:
        """An account from its parts, stored or just typed in."""
        connector = self._connector(connector_name)
        if connector is None or kind not in connector.connections:
            raise Misconfigured(
                reason=f"there is no connection kind {kind!r} of {connector_name!r}"
            )
        definition = connector.connections[kind]
        known = {field.name for field in dataclasses.fields(definition.form)}
        values = {name: value for name, value in settings.items() if name in known}
        values |= {name: Secret(value) for name, value in secrets.items() if name in known}
        try:
            form = definition.form(**values)
        except TypeError as error:
            raise Misconfigured(
                reason=f"the {connector.label} connection is incomplete: {error}"
            ) from error
        return Account(connector, definition, base_url or definition.base_url, form)

    async def send(self, organization_id: UUID, connection_id: UUID, request: Request) -> Response:
        """Makes absolute, signs and sends."""
        return await self.send_as(await self.get(organization_id, connection_id), request)

    async def send_as(self, account: Account, request: Request) -> Response:
        """The same with an account at hand."""
        target = absolute(request, account.base_url)
        signed = account.definition.sign(target, account.form)
        if origin(signed.url) != origin(account.base_url):
            raise Misconfigured(reason="signing must not change where a request goes")
        return await self._transport.send(signed)

    async def test(self, account: Account) -> Response:
        """The connection's own test request. `Misconfigured` if it has none."""
        test = account.definition.test
        if test is None:
            raise Misconfigured(reason=f"a {account.connector.label} connection can't be tested")
        return await self.send_as(
            account, test if isinstance(test, Request) else test(account.form)
        )
