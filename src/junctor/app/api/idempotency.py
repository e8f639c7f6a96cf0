"""``Idempotency-Key`` on POST: the first answer is stored and given again.

The key is claimed in a transaction of its own before the work, so that two requests at once can't
both do it. Answers may hold a secret shown once (a new token), so they are sealed. Answers of 5xx
are not kept: the caller should try again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from junctor.adapters.postgres.database import tenant
from junctor.app.api.caller import Caller
from junctor.app.api.envelope import Failure
from junctor.app.core import Core

__all__ = ["Idempotency"]

ABANDONED = 120
"""Seconds after which a request without an answer counts as lost, and the key is free again."""
LONGEST_BODY = 16 * 1024 * 1024

CLAIM = """
insert into idempotency as i (organization_id, key, request)
values (%(organization)s, %(key)s, %(request)s)
on conflict (organization_id, key) do update set created_at = now(), request = excluded.request
  where i.status is null and i.created_at < now() - make_interval(secs => %(abandoned)s)
returning 1
"""
FOUND = "select request, status, body from idempotency where organization_id = %s and key = %s"
KEEP = "update idempotency set status = %s, body = %s where organization_id = %s and key = %s"
FREE = "delete from idempotency where organization_id = %s and key = %s and status is null"


class Idempotency(ASGIMiddleware):
    """Stores and replays answers. Needs the `Caller` that `Gate` found."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, core: Callable[[Scope], Core]) -> None:
        self._core = core

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """One request."""
        caller = scope.get("user")
        key = _key(scope)
        if scope.get("method") != "POST" or not key or not isinstance(caller, Caller):
            await next_app(scope, receive, send)
            return
        if len(key) > 200:
            raise Failure(
                422, "An Idempotency-Key has at most 200 characters.", path="header.Idempotency-Key"
            )
        body = await _read(receive)
        core = self._core(scope)
        request = _hash(scope, caller, body)
        stored = await self._claim(core, caller, key, request)
        if stored is not None:
            await _replay(stored, send)
            return
        catch = _Catch(send)
        try:
            await next_app(scope, _again(body), catch)
        except BaseException:
            await self._free(core, caller, key)
            raise
        if catch.status >= 500 or catch.status == 0:
            await self._free(core, caller, key)
        else:
            await self._keep(core, caller, key, catch)

    async def _claim(
        self, core: Core, caller: Caller, key: str, request: bytes
    ) -> tuple[int, dict[str, Any]] | None:
        organization = caller.organization_id
        async with tenant(core.api, organization) as connection:
            cursor = await connection.execute(
                CLAIM,
                {
                    "organization": organization,
                    "key": key,
                    "request": request,
                    "abandoned": ABANDONED,
                },
            )
            if await cursor.fetchone():
                return None
            cursor = await connection.execute(FOUND, (organization, key))
            row = await cursor.fetchone()
            if row is None or (row[0] == request and row[1] is None):
                raise Failure(409, "The first request with this Idempotency-Key is still going on.")
            if row[0] != request:
                raise Failure(
                    409,
                    "This Idempotency-Key was used for another request.",
                    path="header.Idempotency-Key",
                )
        keyring = await core.vault.keyring(organization)
        return row[1], msgspec.msgpack.decode(keyring.open(row[2], _aad(caller, key)))

    async def _keep(self, core: Core, caller: Caller, key: str, catch: _Catch) -> None:
        organization = caller.organization_id
        answer = msgspec.msgpack.encode({"headers": catch.headers, "body": bytes(catch.body)})
        keyring = await core.vault.keyring(organization)
        sealed = keyring.seal(answer, _aad(caller, key))
        async with tenant(core.api, organization) as connection:
            await connection.execute(KEEP, (catch.status, sealed, organization, key))

    async def _free(self, core: Core, caller: Caller, key: str) -> None:
        async with tenant(core.api, caller.organization_id) as connection:
            await connection.execute(FREE, (caller.organization_id, key))


class _Catch:
    """Passes an answer on and remembers it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.headers: list[list[bytes]] = []
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [[bytes(name), bytes(value)] for name, value in message["headers"]]
        elif message["type"] == "http.response.body":
            self.body += message["body"]
        await self._send(message)


async def _replay(stored: tuple[int, dict[str, Any]], send: Send) -> None:
    status, answer = stored
    headers = [(name, value) for name, value in answer["headers"]]
    headers.append((b"idempotency-replayed", b"true"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer["body"], "more_body": False})


def _key(scope: Scope) -> str:
    values: list[Any] = [v for k, v in scope["headers"] if k.lower() == b"idempotency-key"]
    return values[0].decode("latin-1").strip() if values else ""


def _aad(caller: Caller, key: str) -> bytes:
    return b"idempotency" + caller.organization_id.bytes + key.encode()


def _hash(scope: Scope, caller: Caller, body: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in (scope["path"].encode(), scope["query_string"], caller.token_id.bytes, body):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Failure(400, "The request ended before its body did.")
        body += message["body"]
        if len(body) > LONGEST_BODY:
            raise Failure(413, f"A body has at most {LONGEST_BODY} bytes.")
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes) -> Receive:
    sent = False

    async def receive() -> Any:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
