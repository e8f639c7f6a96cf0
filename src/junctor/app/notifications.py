"""Notification channels and notices: made, listed, tried; the same for API and command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from psycopg import errors
from psycopg.types.json import Jsonb

from junctor.adapters.postgres.database import tenant
from junctor.adapters.postgres.queries import load
from junctor.app.core import Core
from junctor.app.scenarios import find_scenario
from junctor.errors import Conflict, Misconfigured, NotFound
from junctor.language import ids
from junctor.language.connector import Secret
from junctor.language.mail import addresses
from junctor.runtime.notice_texts import KINDS
from junctor.runtime.notifying import Notifier, new_secret, post_of, seal_aad

__all__ = [
    "Channel",
    "Notice",
    "add_channel",
    "channel_of",
    "channels",
    "find_channel",
    "notices",
    "notifier",
    "remove_channel",
    "switch_channel",
]

PAUSE = 900
"""Seconds between two messages of a kind to a channel, if nothing else is said."""
LONGEST_PAUSE = 86_400
MOST_CHANNELS = 100
SILENCED = "The channel was switched off."
"""Why what waits for a channel that is switched is given up."""

ChannelKind = Literal["email", "webhook"]


@dataclass(frozen=True, slots=True)
class Channel:
    """Whom notices are told. ``address``: of a webhook only its scheme and host."""

    id: UUID
    name: str
    kind: ChannelKind
    address: str
    kinds: Sequence[str]
    scenarios: Sequence[UUID]
    pause_seconds: int
    enabled: bool
    sent_at: datetime | None
    failed_at: datetime | None
    error: str | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that somebody may have to know; ``told``: the channels that were told."""

    id: UUID
    kind: str
    scenario_id: UUID | None
    scenario: str | None
    run_id: UUID | None
    subject: str
    params: dict[str, Any]
    created_at: datetime
    told_at: datetime | None
    told: Sequence[str]


def notifier(core: Core) -> Notifier:
    """What sends. `Misconfigured` if the installation's mail account can't be read."""
    return Notifier(
        core.engine,
        vault=core.vault,
        transport=core.transport,
        mail=core.services.tools.mail,
        post=post_of(core.settings.smtp_url),
        public_url=core.settings.public_url,
    )


async def add_channel(
    core: Core,
    organization_id: UUID,
    *,
    actor: str,
    name: str,
    email: str | None = None,
    webhook: str | None = None,
    kinds: Sequence[str] = (),
    scenarios: Sequence[str] = (),
    pause: int = PAUSE,
) -> tuple[Channel, Secret | None]:
    """A new channel, and the secret that signs its webhook's bodies: it is shown only now.

    One of ``email`` (addresses, by comma) and ``webhook`` (a URL). ``kinds`` and ``scenarios`` (ids
    or names): only these. `Misconfigured` says what can't be; `Conflict` if the name is taken.
    """
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise Misconfigured("A channel needs a name of 1 to 100 characters.", path="name")
    if (email is None) == (webhook is None):
        raise Misconfigured("A channel has either e-mail addresses or a webhook.", path="email")
    if not 0 <= pause <= LONGEST_PAUSE:
        raise Misconfigured(f"A pause is 0 to {LONGEST_PAUSE} seconds, not {pause}.", path="pause")
    for kind in kinds:
        if kind not in KINDS:
            raise Misconfigured(
                f"'{kind}' is no kind of notice. There are: {', '.join(KINDS)}.", path="kinds"
            )
    if len(await channels(core, organization_id)) >= MOST_CHANNELS:
        raise Conflict(f"There are {MOST_CHANNELS} channels already: remove one first.")
    only = [(await find_scenario(core, organization_id, each)).id for each in scenarios]
    id_ = core.ids.new()
    secret: Secret | None = None
    sealed: bytes | None = None
    if webhook is not None:
        address, secret = _origin(webhook), Secret(new_secret())
        keyring = await core.vault.keyring(organization_id)
        plain = msgspec.json.encode((webhook, str.__str__(secret)))
        sealed = keyring.seal(plain, seal_aad(organization_id, id_))
    else:
        assert email is not None
        found = addresses("email", email.split(","))  # BundleInvalid names what is no address
        address = ", ".join(found)
    values = {
        "organization": organization_id,
        "id": id_,
        "name": name,
        "kind": "email" if webhook is None else "webhook",
        "address": address,
        "sealed": sealed,
        "kinds": list(dict.fromkeys(kinds)),
        "scenarios": only,
        "pause": pause,
        "actor": actor,
    }
    try:
        async with tenant(core.api, organization_id) as connection:
            await connection.execute(load("notifications")["add_channel"], values)
            details = {"name": name, "kind": values["kind"], "address": address}
            await _audit(connection, organization_id, actor, "create", id_, details)
    except errors.UniqueViolation as error:
        raise Conflict(f"A channel is called '{name}' already.") from error
    return await channel_of(core, organization_id, id_), secret


async def channels(core: Core, organization_id: UUID) -> list[Channel]:
    """All of an organisation's, by name."""
    return [_channel(row) for row in await _rows(core, organization_id, "channels")]


async def channel_of(core: Core, organization_id: UUID, channel_id: UUID) -> Channel:
    """One; `NotFound`."""
    rows = await _rows(core, organization_id, "channel", id=channel_id)
    if not rows:
        raise NotFound(what="The channel")
    return _channel(rows[0])


async def find_channel(core: Core, organization_id: UUID, text: str) -> Channel:
    """One by its id or name; `NotFound` names those there are."""
    found = await channels(core, organization_id)
    for each in found:
        if text in {each.name, ids.show("ntc", each.id)}:
            return each
    known = ", ".join(f"'{each.name}'" for each in found) or "none"
    raise NotFound(f"There is no channel '{text}'. There are: {known}.")


async def remove_channel(
    core: Core, organization_id: UUID, channel_id: UUID, *, actor: str
) -> None:
    """Removes it, with what it was still to be told; `NotFound`."""
    where = {"organization": organization_id, "id": channel_id}
    async with tenant(core.api, organization_id) as connection:
        cursor = await connection.execute(load("notifications")["remove_channel"], where)
        row = await cursor.fetchone()
        if row is None:
            raise NotFound(what="The channel")
        details = {"name": row[0]}
        await _audit(connection, organization_id, actor, "delete", channel_id, details)


async def switch_channel(
    core: Core, organization_id: UUID, channel_id: UUID, *, actor: str, enabled: bool
) -> Channel:
    """Switches it on or off, and gives up what it was still to be told; `NotFound`.

    One that is off is told nothing; what happens meanwhile it is never told. It can be tried.
    """
    values = {
        "organization": organization_id,
        "id": channel_id,
        "enabled": enabled,
        "message": SILENCED,
    }
    async with tenant(core.api, organization_id) as connection:
        await connection.execute(load("notifications")["give_up_waiting"], values)
        cursor = await connection.execute(load("notifications")["switch_channel"], values)
        row = await cursor.fetchone()
        if row is not None:
            details = {"name": row[0]}
            verb = "enable" if enabled else "disable"
            await _audit(connection, organization_id, actor, verb, channel_id, details)
    return await channel_of(core, organization_id, channel_id)


async def notices(
    core: Core,
    organization_id: UUID,
    *,
    kind: str | None = None,
    scenario_id: UUID | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[Notice]:
    """What happened, newest first."""
    at, id_ = before or (None, None)
    rows = await _rows(
        core,
        organization_id,
        "notices",
        kind=kind,
        scenario=scenario_id,
        before=at,
        id=id_,
        limit=limit,
    )
    return [Notice(*row) for row in rows]


def _channel(row: tuple[Any, ...]) -> Channel:
    id_, name, kind, address, _sealed, *rest = row
    return Channel(id_, name, kind, address, *rest)


def _origin(url: str) -> str:
    """Scheme and host of a webhook; `Misconfigured` if it is no address of one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in {"http", "https"} or parts.username is not None:
        raise Misconfigured(
            "A webhook's address begins with https:// and has no user name in it.", path="webhook"
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}"


async def _rows(
    core: Core, organization_id: UUID, name: str, **parameters: Any
) -> list[tuple[Any, ...]]:
    async with tenant(core.api, organization_id) as connection:
        cursor = await connection.execute(
            load("notifications")[name], {"organization": organization_id, **parameters}
        )
        return await cursor.fetchall()


async def _audit(
    connection: Any,
    organization_id: UUID,
    actor: str,
    verb: str,
    channel_id: UUID,
    details: dict[str, Any],
) -> None:
    await connection.execute(
        load("catalog")["append_audit"],
        {
            "organization": organization_id,
            "actor": actor,
            "verb": verb,
            "object": ids.show("ntc", channel_id),
            "details": Jsonb(details),
        },
    )
