"""Who calls, and whether they may: every routed request passes here before its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from junctor.app.api.permissions import may, right_for
from junctor.errors import Forbidden, Unauthorized

__all__ = ["Caller", "FindToken", "Gate"]


@dataclass(frozen=True, slots=True)
class Caller:
    """A request's token: whose it is and what it may do."""

    organization_id: UUID
    token_id: UUID
    scopes: tuple[str, ...]
    actor: str
    """Who is named in what this request writes."""


FindToken = Callable[[Scope, str], Awaitable[Caller | None]]
"""Finds whose token this text is, if it is valid now."""


class Gate(ASGIMiddleware):
    """Refuses what the permission table does not allow; puts the `Caller` in ``scope["user"]``."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, find: FindToken) -> None:
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
            raise Unauthorized("Send a token in the header Authorization, with the scheme Bearer.")
        caller = await self._find(scope, token)
        if caller is None:
            raise Unauthorized("This token is unknown, expired or revoked.")
        if not may(caller.scopes, right):
            raise Forbidden(f"This token lacks the right '{right}'.", right=right)
        return caller


def _header(scope: Scope, name: bytes) -> str:
    values: list[Any] = [value for key, value in scope["headers"] if key.lower() == name]
    return values[0].decode("latin-1") if len(values) == 1 else ""
