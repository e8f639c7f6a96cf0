"""What connections know about themselves, on Postgres: tokens, health, requests, usage.

The statements and their reasons are in ``queries/connections.sql``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.queries import load

__all__ = ["Authorization", "Begun", "Entry", "Kept", "PostgresConnections", "State", "Usage"]

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A connection's tokens as they lie in the database."""

    sealed: bytes | None
    remaining: float | None
    """Seconds until the access token ends; ``None``: not said."""
    generation: int
    refused: bool
    """Whether the vendor would not renew them."""
    reason: str | None


@dataclass(frozen=True, slots=True)
class State:
    """What a connection knows about itself, but for its requests."""

    connection_id: UUID
    expires_at: datetime | None
    generation: int
    account_id: str | None
    account: str | None
    broken_at: datetime | None
    broken_reason: str | None
    secret_at: datetime
    remind_days: int
    authorized: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An authorisation that somebody begins."""

    organization_id: UUID
    id: bytes
    connection_id: UUID
    base_url: str
    redirect_uri: str
    sealed: bytes
    browser: bytes | None
    switch: bool
    actor: str


@dataclass(frozen=True, slots=True)
class Authorization:
    """How far one is."""

    done: bool
    account: str | None
    error: str | None
    lapsed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request that was sent with a connection."""

    organization_id: UUID
    connection_id: UUID
    id: UUID
    at: datetime
    run_id: UUID | None
    method: str
    url: str
    """Without the values of its query."""
    status: int | None
    error: str | None
    milliseconds: float
    sent: int
    received: int


@dataclass(slots=True)
class Usage:
    """What was sent in one hour."""

    hour: datetime
    requests: int = 0
    failed: int = 0
    refused: int = 0
    sent: int = 0
    received: int = 0


class PostgresConnections:
    """The statements, over one engine line."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._sql = load("connections")

    async def tokens(self, organization_id: UUID, connection_id: UUID) -> Kept:
        """What is kept; nothing if the connection is gone."""
        rows = await self._rows("tokens", organization=organization_id, id=connection_id)
        return Kept(*rows[0]) if rows else Kept(None, None, 0, False, None)

    async def claim_renewal(
        self,
        organization_id: UUID,
        connection_id: UUID,
        generation: int,
        renewer: UUID,
        seconds: float,
    ) -> bool:
        """Whether the caller is the one to renew the tokens of this generation."""
        return bool(
            await self._rows(
                "claim_renewal",
                organization=organization_id,
                id=connection_id,
                generation=generation,
                renewer=renewer,
                seconds=seconds,
            )
        )

    async def release_renewal(
        self, organization_id: UUID, connection_id: UUID, renewer: UUID
    ) -> None:
        """Lets another one try."""
        await self._rows(
            "release_renewal", organization=organization_id, id=connection_id, renewer=renewer
        )

    async def store_tokens(
        self,
        organization_id: UUID,
        connection_id: UUID,
        generation: int,
        sealed: bytes,
        seconds: float | None,
    ) -> bool:
        """False if there are newer ones by now."""
        return bool(
            await self._rows(
                "store_tokens",
                organization=organization_id,
                id=connection_id,
                generation=generation,
                tokens=sealed,
                seconds=seconds,
            )
        )

    async def store_account(
        self,
        organization_id: UUID,
        connection_id: UUID,
        sealed: bytes,
        seconds: float | None,
        account: tuple[str, str],
        *,
        switch: bool,
    ) -> bool:
        """False if it is another account than before, and may not be."""
        return bool(
            await self._rows(
                "store_account",
                organization=organization_id,
                id=connection_id,
                tokens=sealed,
                seconds=seconds,
                account_id=account[0] or None,
                account=account[1] or None,
                switch=switch,
            )
        )

    async def refuse_tokens(
        self, organization_id: UUID, connection_id: UUID, generation: int, reason: str
    ) -> bool:
        """Notes that these can't be renewed; False if there are newer ones by now."""
        return bool(
            await self._rows(
                "refuse_tokens",
                organization=organization_id,
                id=connection_id,
                generation=generation,
                reason=reason,
            )
        )

    async def mark_broken(self, organization_id: UUID, connection_id: UUID, reason: str) -> bool:
        """Notes that the connection must be connected anew; whether that is news."""
        return bool(
            await self._rows(
                "mark_broken", organization=organization_id, id=connection_id, reason=reason
            )
        )

    async def mark_mended(self, organization_id: UUID, connection_id: UUID) -> None:
        """Notes that it works again."""
        await self._rows("mark_mended", organization=organization_id, id=connection_id)

    async def begin(self, begun: Begun, seconds: float) -> None:
        """Keeps an authorisation that was begun, and forgets old ones."""
        await self._rows("forget_authorizations", organization=begun.organization_id)
        await self._rows(
            "begin_authorization",
            organization=begun.organization_id,
            id=begun.id,
            connection=begun.connection_id,
            base_url=begun.base_url,
            redirect_uri=begun.redirect_uri,
            sealed=begun.sealed,
            browser=begun.browser,
            switch=begun.switch,
            actor=begun.actor,
            seconds=seconds,
        )

    async def use(self, state_id: bytes) -> Begun | None:
        """The authorisation, once and in time; ``None`` ever after."""
        rows = await self._rows("use_authorization", id=state_id)
        if not rows:
            return None
        organization, connection, base_url, redirect_uri, sealed, browser, switch, actor = rows[0]
        return Begun(
            organization_id=organization,
            id=state_id,
            connection_id=connection,
            base_url=base_url,
            redirect_uri=redirect_uri,
            sealed=sealed,
            browser=browser,
            switch=switch,
            actor=actor,
        )

    async def end(self, begun: Begun, *, account: str | None, error: str | None) -> None:
        """Notes how it ended, for who waits for it."""
        await self._rows(
            "end_authorization",
            organization=begun.organization_id,
            id=begun.id,
            account=account,
            error=error,
        )

    async def note(
        self,
        entries: Sequence[Entry],
        usage: Sequence[tuple[UUID, UUID, Usage]],
        *,
        most: int,
        days: int,
    ) -> None:
        """Keeps requests, ``most`` of each connection, and counts them; usage stays ``days``."""
        touched = {(each[0], each[1]) for each in usage}
        where = {
            "organizations": [pair[0] for pair in touched],
            "connections": [pair[1] for pair in touched],
        }
        log = {
            "organizations": [each.organization_id for each in entries],
            "connections": [each.connection_id for each in entries],
            "ids": [each.id for each in entries],
            "at": [each.at for each in entries],
            "runs": [each.run_id for each in entries],
            "methods": [each.method for each in entries],
            "urls": [each.url for each in entries],
            "statuses": [each.status for each in entries],
            "errors": [each.error for each in entries],
            "milliseconds": [each.milliseconds for each in entries],
            "sent": [each.sent for each in entries],
            "received": [each.received for each in entries],
        }
        # In one order, so that processes that count the same connections don't deadlock.
        rows = sorted(usage, key=lambda each: (each[0], each[1], each[2].hour))
        counted = {
            "organizations": [each[0] for each in rows],
            "connections": [each[1] for each in rows],
            "hours": [each[2].hour for each in rows],
            "requests": [each[2].requests for each in rows],
            "failed": [each[2].failed for each in rows],
            "refused": [each[2].refused for each in rows],
            "sent": [each[2].sent for each in rows],
            "received": [each[2].received for each in rows],
        }

        async def work(connection: AsyncConnection[Row]) -> None:
            async with connection.pipeline(), connection.transaction():
                await connection.execute(self._sql["count_usage"], counted)
                await connection.execute(self._sql["log_requests"], log)
                await connection.execute(self._sql["cap_requests"], {**where, "most": most})
                await connection.execute(self._sql["forget_usage"], {**where, "days": days})

        await self._line.run(work)

    async def _rows(self, name: str, **parameters: Any) -> list[Row]:
        async def work(connection: AsyncConnection[Row]) -> list[Row]:
            cursor = await connection.execute(self._sql[name], parameters, binary=True)
            return await cursor.fetchall() if cursor.description else []

        return await self._line.run(work)
