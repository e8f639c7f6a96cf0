"""What connections are used for: their last requests, redacted, and how many there were.

A request only adds to memory here. Once a second what came together is written, so that nothing
waits for it; if the database is away it is dropped, because runs matter more.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import msgspec
import structlog

from junctor.adapters.postgres.connections import Entry, PostgresConnections, Usage
from junctor.adapters.system import system_ids
from junctor.errors import JunctorError
from junctor.language import ids
from junctor.language.connector import Request, Response, Secret
from junctor.runtime.effects import sent_bytes

if TYPE_CHECKING:
    from junctor.runtime.accounts import Account

__all__ = ["KEEP_DAYS", "MOST", "Recorder", "shown_url"]

log = structlog.get_logger(__name__)

MOST = 100
"""Requests that each connection remembers."""
KEEP_DAYS = 35
"""Days that its usage stays."""
_MOST_CONNECTIONS = 1000
"""Connections whose requests wait to be written; of more, they are only counted."""

_LAST = 2.0
"""Seconds that the end of the process waits for the last to be written."""

Key = tuple[UUID, UUID]


class _Seen(NamedTuple):
    """One request, as light as can be; it is made fit to be shown when it is written."""

    account: Account
    id: UUID
    at: datetime
    run_id: UUID | None
    method: str
    url: str
    query: object
    status: int | None
    error: str | None
    milliseconds: float
    sent: int
    received: int


def shown_url(url: str, query: object = ()) -> str:
    """An address without the values of its query, and without who is named before its host."""
    parts = urlsplit(url)
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    pairs = query.keys() if isinstance(query, dict) else (row[0] for row in query or ())  # type: ignore[attr-defined]  # a mapping or pairs
    names += [str(name) for name in pairs]
    host = parts.netloc.rpartition("@")[2]
    asked = "&".join(f"{name}=…" for name in names)
    return f"{parts.scheme}://{host}{parts.path}" + (f"?{asked}" if asked else "")


class Recorder:
    """The requests of a process."""

    def __init__(self, store: PostgresConnections, *, every: float = 1.0) -> None:
        self._store = store
        self._every = every
        self._ids = system_ids()
        self._seen: dict[Key, deque[_Seen]] = {}
        self._usage: dict[tuple[UUID, UUID, datetime], Usage] = {}
        self._broken: dict[Key, str] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(
        self,
        account: Account,
        request: Request,
        response: Response | None,
        error: JunctorError | None,
        seconds: float,
        run_id: UUID | None,
    ) -> None:
        """One request with a saved connection; no I/O."""
        if account.organization_id is None or account.connection_id is None:
            return
        key = (account.organization_id, account.connection_id)
        at = datetime.now(UTC)
        status = response.status if response is not None else None
        sent = _size(request)
        received = response.size if response is not None else 0
        hour = at.replace(minute=0, second=0, microsecond=0)
        usage = self._usage.get((*key, hour))
        if usage is None:
            usage = self._usage[*key, hour] = Usage(hour)
        usage.requests += 1
        usage.failed += status is None or status >= 400
        usage.refused += status == 401
        usage.sent += sent
        usage.received += received
        rows = self._seen.get(key)
        if rows is None and len(self._seen) < _MOST_CONNECTIONS:
            rows = self._seen[key] = deque(maxlen=MOST)
        if rows is not None:
            rows.append(
                _Seen(
                    account,
                    self._ids.new(),
                    at,
                    run_id,
                    request.method,
                    request.url,
                    request.query,
                    status,
                    None if error is None else error.code,
                    seconds * 1000,
                    sent,
                    received,
                )
            )
        self._begin()

    def broken(self, account: Account, reason: str) -> None:
        """The vendor refuses the account, so somebody must connect it anew."""
        if account.organization_id is not None and account.connection_id is not None:
            key = (account.organization_id, account.connection_id)
            self._broken[key] = _hidden(reason, _secrets(account))[:500]
            self._begin()

    def _begin(self) -> None:
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._later())

    async def flush(self) -> None:
        """Writes what came together."""
        seen, self._seen = self._seen, {}
        usage, self._usage = self._usage, {}
        broken, self._broken = self._broken, {}
        if usage:
            entries = [_entry(each) for rows in seen.values() for each in rows]
            counted = [(key[0], key[1], each) for key, each in usage.items()]
            await self._store.note(entries, counted, most=MOST, days=KEEP_DAYS)
        for key, reason in broken.items():
            if await self._store.mark_broken(*key, reason):
                log.warning("reconnect", connection=ids.show("con", key[1]), reason=reason)

    async def close(self) -> None:
        """Writes the rest."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST):
                await self._written()

    async def _later(self) -> None:
        while self._usage or self._broken:
            await asyncio.sleep(self._every)
            await self._written()
        self._writing = None

    async def _written(self) -> None:
        try:
            await self.flush()
        except Exception as error:  # whatever it is: runs matter more
            log.warning("requests_not_recorded", error=type(error).__name__)


def _size(request: Request) -> int:
    if request.json is not None:
        try:
            return len(msgspec.json.encode(request.json))  # some 20 times faster than the other
        except TypeError:
            return sent_bytes(request)
    return sent_bytes(request)


def _entry(seen: _Seen) -> Entry:
    assert seen.account.organization_id is not None
    assert seen.account.connection_id is not None
    return Entry(
        organization_id=seen.account.organization_id,
        connection_id=seen.account.connection_id,
        id=seen.id,
        at=seen.at,
        run_id=seen.run_id,
        method=seen.method[:20],
        url=_hidden(shown_url(seen.url, seen.query), _secrets(seen.account))[:1000],
        status=seen.status,
        error=seen.error,
        milliseconds=seen.milliseconds,
        sent=seen.sent,
        received=seen.received,
    )


def _secrets(account: Account) -> list[str]:
    """What a form keeps secret: some vendors want it in the path."""
    values = (getattr(account.form, each.name) for each in dataclasses.fields(account.form))
    return [str.__str__(each) for each in values if isinstance(each, Secret) and len(each) >= 4]


def _hidden(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "…")
    return text
