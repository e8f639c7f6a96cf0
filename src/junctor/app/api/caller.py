"""Who calls, and whether they may: every routed request passes here before its handler."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from junctor.app.api.permissions import may, right_for
from junctor.errors import Forbidden, Unauthorized

__all__ = ["Caller", "FindToken", "Gate", "token_hash"]


@dataclass(frozen=True, slots=True)
class Caller:
    """A request's token: whose it is and what it may do."""

    organization_id: UUID
    token_id: UUID
    scopes: tuple[str, ...]
    actor: str
    """Who is named in what this request writes."""


FindToken = Callable[[bytes], Awaitable[Caller | None]]
"""Finds a token that is valid now by its hash."""


def token_hash(token: str) -> bytes:
    """How tokens are stored. They have 256 random bits, so a plain SHA-256 can't be reversed."""
    return hashlib.sha256(token.encode()).digest()


class Gate(ASGIMiddleware):
    """Refuses what the permission table does not allow; puts the `Caller` in ``scope["user"]``."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, find: Callable[[Scope], FindToken]) -> None:
        self._find = find

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """One request."""
        method: str = scope["method"]  # type: ignore[typeddict-item]  # only HTTP comes here
        right = right_for(method, scope["path_template"])
        if right is not None:
            scope["user"] = await self._allow(scope, right)
        await next_app(scope, receive, send)

    async def _allow(self, scope: Scope, right: str) -> Caller:
        scheme, _, token = _header(scope, b"authorization").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > 512:
            raise Unauthorized("Send a token: 'Authorization: Bearer <token>'.")
        caller = await self._find(scope)(token_hash(token))
        if caller is None:
            raise Unauthorized("This token is unknown, expired or revoked.")
        if not may(caller.scopes, right):
            raise Forbidden(f"This token lacks the right '{right}'.", right=right)
        return caller


def _header(scope: Scope, name: bytes) -> str:
    values: list[Any] = [value for key, value in scope["headers"] if key.lower() == name]
    return values[0].decode("latin-1") if len(values) == 1 else ""
