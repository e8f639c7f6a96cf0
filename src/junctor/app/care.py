"""What people see of a connection's life, and do about it: health, key, usage, rotation, OAuth."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec

from junctor.adapters.postgres.connections import Authorization, Entry, State, Usage
from junctor.adapters.postgres.database import tenant
from junctor.adapters.postgres.queries import load
from junctor.app.connections import change_connection, definition_of, split_secrets
from junctor.app.core import Core
from junctor.app.logs import redact
from junctor.app.settings import Settings
from junctor.errors import JunctorError, Misconfigured, NotFound
from junctor.language import forms
from junctor.ports.catalog import Connection
from junctor.runtime.accounts import seal_aad
from junctor.runtime.authorizing import Authorizing
from junctor.runtime.outcomes import refusal

__all__ = [
    "CALLBACK",
    "Attention",
    "Day",
    "Key",
    "alerts_of",
    "attention",
    "authorization_of",
    "authorizing",
    "budgets_of",
    "callback_url",
    "days_of",
    "key_of",
    "remind",
    "requests_of",
    "rotate",
    "state_of",
    "states_of",
    "usage_of",
    "wait_authorization",
]

CALLBACK = "/oauth/callback"
REFUSALS = 3
"""Answers 401 within a day that are worth an alert."""
FLOOR = 300
"""Requests in an hour below which no rate is unusual."""
TIMES = 5
"""How many times the busiest hour of the week before is unusual."""
GRANT_DAYS = 7
"""Days before its end that one hears of access that can't be renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """How old the key of a connection is."""

    set_at: datetime
    age_days: int
    remind_days: int
    remind_at: datetime | None
    due: bool
    """Whether it is time to change it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What was sent on one day (UTC)."""

    day: date
    requests: int
    failed: int
    refused: int
    sent: int
    received: int


def callback_url(settings: Settings) -> str:
    """Where vendors send people back to; registered with each app, letter for letter."""
    return settings.public_url + CALLBACK


def authorizing(core: Core) -> Authorizing:
    """What begins and ends authorisations."""
    return Authorizing(core.accounts, core.vault)


def key_of(state: State, now: datetime) -> Key:
    """Its age, and when somebody should change it."""
    remind_at = state.secret_at + timedelta(days=state.remind_days) if state.remind_days else None
    return Key(
        set_at=state.secret_at,
        age_days=(now - state.secret_at).days,
        remind_days=state.remind_days,
        remind_at=remind_at,
        due=remind_at is not None and remind_at <= now,
    )


def days_of(usage: Sequence[Usage]) -> list[Day]:
    """By day, newest first."""
    days: dict[date, list[Usage]] = defaultdict(list)
    for each in usage:
        days[each.hour.astimezone(UTC).date()].append(each)
    return [
        Day(
            day=day,
            requests=sum(each.requests for each in rows),
            failed=sum(each.failed for each in rows),
            refused=sum(each.refused for each in rows),
            sent=sum(each.sent for each in rows),
            received=sum(each.received for each in rows),
        )
        for day, rows in sorted(days.items(), reverse=True)
    ]


def alerts_of(usage: Sequence[Usage], now: datetime) -> list[str]:
    """What is unusual: answers 401 again and again, far more requests than in the week before."""
    out = []
    refused = sum(each.refused for each in usage if each.hour > now - timedelta(days=1))
    if refused >= REFUSALS:
        out.append(f"The vendor refused the key {refused} times within a day (401).")
    recent = now - timedelta(hours=2)
    before = [each.requests for each in usage if now - timedelta(days=8) < each.hour <= recent]
    latest = max((each.requests for each in usage if each.hour > recent), default=0)
    usual = max(before, default=0)
    if before and latest > max(FLOOR, TIMES * usual):
        out.append(f"{latest} requests within an hour; the busiest hour of the week had {usual}.")
    return out


async def _rows(
    core: Core, organization_id: UUID, name: str, **parameters: Any
) -> list[tuple[Any, ...]]:
    """Rows that the API's role may see."""
    async with tenant(core.api, organization_id) as connection:
        cursor = await connection.execute(
            load("connections")[name], {"organization": organization_id, **parameters}, binary=True
        )
        return await cursor.fetchall() if cursor.description else []


async def states_of(core: Core, organization_id: UUID, ids: Sequence[UUID]) -> dict[UUID, State]:
    """The states of several connections."""
    rows = await _rows(core, organization_id, "states", ids=list(ids))
    return {row[0]: State(*row) for row in rows}


async def state_of(core: Core, connection: Connection) -> State:
    """The state of one."""
    states = await states_of(core, connection.organization_id, [connection.id])
    if connection.id not in states:
        raise NotFound(what="The connection")
    return states[connection.id]


async def usage_of(core: Core, connection: Connection) -> list[Usage]:
    """By hour, oldest first; hours without a request are left out."""
    rows = await _rows(core, connection.organization_id, "usage", id=connection.id)
    return [Usage(*row) for row in rows]


async def requests_of(
    core: Core, connection: Connection, *, before: UUID | None = None, limit: int = 50
) -> list[Entry]:
    """The last requests, newest first."""
    rows = await _rows(
        core,
        connection.organization_id,
        "requests",
        id=connection.id,
        before=before,
        limit=limit,
    )
    names = ("id", "at", "run_id", "method", "url", "status", "error")
    more = ("milliseconds", "sent", "received")
    return [
        Entry(
            organization_id=connection.organization_id,
            connection_id=connection.id,
            **dict(zip((*names, *more), row, strict=True)),
        )
        for row in rows
    ]


async def authorization_of(core: Core, organization_id: UUID, state_id: bytes) -> Authorization:
    """How far an authorisation is."""
    rows = await _rows(core, organization_id, "authorization", id=state_id)
    if not rows:
        raise NotFound(what="The authorisation")
    return Authorization(*rows[0])


async def wait_authorization(
    core: Core, organization_id: UUID, state_id: bytes, *, within: float, pause: float = 0.5
) -> Authorization:
    """The authorisation once it has ended; `Misconfigured` if it has not by then."""
    deadline = time.monotonic() + within
    while True:
        found = await authorization_of(core, organization_id, state_id)
        if found.done:
            return found
        if found.lapsed or time.monotonic() > deadline:
            raise Misconfigured(
                "Nobody allowed it in time. Is Junctor's server running, and does "
                f"{callback_url(core.settings)} reach it? Begin anew."
            )
        await asyncio.sleep(pause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Something about a connection that a person should see to."""

    connection: Connection
    kind: Literal["reconnect", "unauthorized", "grant", "key", "alert"]
    """It must be connected anew; nobody has allowed it yet; its access ends and can't be renewed;
    its key is old; something is unusual."""
    text: str


async def attention(core: Core, organization_id: UUID) -> list[Attention]:
    """What an organisation's connections need, by connection."""
    out: list[Attention] = []
    now = datetime.now(UTC)
    cursor = None
    while True:
        page = await core.catalog.connections(organization_id, cursor=cursor, limit=200)
        states = await states_of(core, organization_id, [each.id for each in page.items])
        for each in page.items:
            if each.id in states:
                out += [
                    Attention(connection=each, kind=kind, text=text)
                    for kind, text in await _needs(core, each, states[each.id], now)
                ]
        cursor = page.cursor
        if cursor is None:
            return out


async def _needs(
    core: Core, connection: Connection, state: State, now: datetime
) -> list[tuple[Any, str]]:
    out: list[tuple[Any, str]] = []
    connector = core.registry.connector(connection.connector)
    kind = connector.connections.get(connection.kind) if connector is not None else None
    if state.broken_at is not None:
        reason = str(redact(state.broken_reason or "connect it anew")).rstrip(".")
        out.append(("reconnect", f"must be connected anew: {reason}"))
    elif kind is not None and kind.oauth is not None and not state.authorized:
        out.append(("unauthorized", "is not authorised yet"))
    elif kind is not None and kind.oauth is not None and state.expires_at is not None:
        days = (state.expires_at - now).days
        if days < GRANT_DAYS and not await _renewable(core, connection):
            ended = state.expires_at <= now
            ends = "that has ended" if ended else f"that ends in {days} days"
            out.append(("grant", f"has access {ends} and can't be renewed"))
    key = key_of(state, now)
    if key.due:
        out.append(("key", f"has a key of {key.age_days} days"))
    out += [("alert", text) for text in alerts_of(await usage_of(core, connection), now)]
    return out


async def _renewable(core: Core, connection: Connection) -> bool:
    try:
        account = await core.accounts.get(connection.organization_id, connection.id)
        return (await core.accounts.tokens.peek(account)).token.refresh is not None
    except JunctorError:
        return False


async def budgets_of(core: Core, connection: Connection) -> list[dict[str, Any]]:
    """What is known of the vendor's limits for it, as `Governor.budgets_of`."""
    account = await core.accounts.get(connection.organization_id, connection.id)
    return await core.accounts.governor.budgets_of(account)


async def remind(core: Core, connection: Connection, days: int) -> None:
    """After how many days one is reminded to change the key; 0: never."""
    if not 0 <= days <= 3650:
        raise Misconfigured(
            f"A reminder comes after 0 (never) to 3650 days, not {days}.", path="remind_days"
        )
    await _rows(core, connection.organization_id, "remind", id=connection.id, days=days)


async def rotate(
    core: Core,
    connection: Connection,
    *,
    actor: str,
    values: Mapping[str, Any],
    revision: int | None = None,
) -> Connection:
    """Changes the secrets in ``values``, once the connection's test has shown that they work; a
    client secret (OAuth), once its tokens could be renewed with it.

    Until then, and if they don't, the old ones go on. `Misconfigured` if the kind can't be tested,
    or a value is no secret; else the vendor's refusal. A new grant is had by authorising anew.
    """
    found, kind, definition = definition_of(core, connection.connector, connection.kind)
    if definition.probe is not None or (definition.test is None and definition.oauth is None):
        raise Misconfigured(
            f"A {found.label} connection can't be tested beforehand: change it and test it."
        )
    slots = {slot.name: slot.key for slot in forms.slots_of(definition.form)}
    secret_keys = forms.secrets_of(definition.form)
    if not values:
        raise Misconfigured("There is nothing to change: give new secrets.", path="values")
    for name in values:
        if name not in secret_keys and slots.get(name) not in secret_keys:
            raise Misconfigured(
                f"'{name}' is no secret. Secrets: {', '.join(sorted(secret_keys))}.", path=name
            )
    keyring = await core.vault.keyring(connection.organization_id)
    aad = seal_aad(connection.organization_id, connection.id, connection.base_url)
    before = msgspec.json.decode(keyring.open(connection.sealed, aad))
    given = {slots.get(name, name): value for name, value in values.items()}
    stored = {slots[name]: value for name, value in {**connection.settings, **before}.items()}
    whole = {**stored, **given}
    settings, secrets = split_secrets(definition.form, whole)
    account = core.accounts.opened(found.name, kind, connection.base_url, settings, secrets)
    account = replace(
        account, organization_id=connection.organization_id, connection_id=connection.id
    )
    if definition.oauth is not None:
        await core.accounts.tokens.prove(account)
    else:
        answer = await core.accounts.test(account, marks=False)
        if not 200 <= answer.status < 300:
            raise refusal(found, answer, "read")
    changed = await change_connection(
        core,
        connection.organization_id,
        connection,
        actor=actor,
        revision=connection.revision if revision is None else revision,
        values=whole,
    )
    core.accounts.forget(connection.organization_id, connection.id)
    return await core.catalog.note_test(
        connection.organization_id, changed.id, actor=actor, error=None
    )
