"""What `junctor doctor` looks at. Every check says what it found, and what to do if it is wrong."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from junctor.adapters.egress import Egress
from junctor.adapters.postgres.database import connect
from junctor.adapters.postgres.migrate import ahead, pending
from junctor.adapters.postgres.queries import load as queries
from junctor.adapters.spool import look
from junctor.app.activation import hooks_of
from junctor.app.care import attention
from junctor.app.cli.session import database
from junctor.app.core import Core, open_core
from junctor.app.living import worker_alive
from junctor.app.machine import fetch_json
from junctor.app.scenarios import all_scenarios
from junctor.app.settings import OTHERS, SETTINGS, Settings
from junctor.errors import JunctorError, Misconfigured

__all__ = ["Finding", "examine"]


_PREFIX = "JUNCTOR_"
OLD_BACKUP = 7
"""Days after which the newest backup is old."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result; ``mend`` says what to do, or what to know."""

    check: str
    ok: bool
    message: str
    mend: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """All checks, in order; those that need what failed before are left out."""
    found = [
        await _try("data directory", lambda: _data_directory(settings)),
        await _try("settings", _settings),
        await _try("egress", lambda: _egress(settings)),
        await _try("spool", lambda: _spool(settings)),
    ]
    if not found[0].ok:
        return found
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(database(settings, current=False))
        except JunctorError as error:
            return [*found, Finding("database", ok=False, message=error.message)]
        found.append(await _try("database", lambda: _database(url)))
        found.append(await _try("migrations", lambda: _migrations(url)))
        if not found[-1].ok:
            return found
        try:
            core = await stack.enter_async_context(open_core(settings, url))
        except JunctorError as error:
            return [*found, Finding("keys", ok=False, message=error.message)]
        found.append(await _try("keys", lambda: _keys(core)))
        found.append(await _try("audit log", lambda: _audit(core)))
        found.append(await _try("worker", lambda: _worker(core)))
        found.append(await _try("public URL", lambda: _public_url(settings)))
        found.append(await _try("hooks", lambda: _hooks(core)))
        found.append(await _try("backups", lambda: _backups(settings)))
        found.append(await _try("connections", lambda: _connections(core)))
        found.append(await _try("notifications", lambda: _notifications(core)))
    return found


async def _try(check: str, look: Callable[[], Awaitable[Finding]]) -> Finding:
    try:
        return await look()
    except JunctorError as error:
        return Finding(check, ok=False, message=error.message)
    except Exception as error:
        return Finding(check, ok=False, message=f"{type(error).__name__}: {error}")


async def _data_directory(settings: Settings) -> Finding:
    settings.ensure_data_dir()
    return Finding("data directory", ok=True, message=f"{settings.data_dir} can be written")


async def _settings() -> Finding:
    odd = [
        name
        for name in sorted(os.environ)
        if name.startswith(_PREFIX) and name not in SETTINGS and name not in OTHERS
    ]
    if not odd:
        return Finding("settings", ok=True, message="every JUNCTOR_ variable is a setting")
    tails = [name.removeprefix(_PREFIX) for name in SETTINGS]
    said = []
    for name in odd:
        close = get_close_matches(name.removeprefix(_PREFIX), tails, n=1)
        said.append(f"{name} (meant: {_PREFIX}{close[0]}?)" if close else name)
    return Finding(
        "settings",
        ok=False,
        message=f"no such setting, and so without effect: {', '.join(said)}",
        mend="docs/configuration.md lists all settings; correct or unset these.",
    )


async def _egress(settings: Settings) -> Finding:
    Egress(settings.egress_allow)
    if not settings.egress_allow:
        return Finding("egress", ok=True, message="only public addresses may be reached")
    allowed = ", ".join(settings.egress_allow)
    return Finding("egress", ok=True, message=f"public addresses, and {allowed}")


async def _spool(settings: Settings) -> Finding:
    """Fails only if somebody must look at something; what waits is drained by itself."""
    state = await asyncio.to_thread(look, settings.spool_dir)
    if state.aside:
        return Finding(
            "spool",
            ok=False,
            message=f"{len(state.aside)} files of {settings.spool_dir / 'aside'} could not be "
            f"brought into the database: {', '.join(state.aside[:5])}",
            mend="The servers' logs say why. Remove a file once its deliveries are dealt with.",
        )
    if state.unread:
        return Finding(
            "spool",
            ok=False,
            message=f"{len(state.unread)} files of {settings.spool_dir} can't be read, so nothing "
            f"drains them: {', '.join(state.unread[:5])}",
            mend="Give them to the user that the server runs as; it takes them over by itself.",
        )
    if state.deliveries:
        since = datetime.fromtimestamp(state.oldest_at or 0, UTC)
        return Finding(
            "spool",
            ok=True,
            message=f"{state.deliveries} deliveries ({state.bytes} bytes) wait for the database, "
            f"the oldest since {since:%Y-%m-%d %H:%M} UTC",
            mend="A server brings them there as soon as it answers.",
        )
    # Named, as the servers' may be another one: settings are those of who asks.
    return Finding("spool", ok=True, message=f"nothing waits in {settings.spool_dir}")


async def _database(url: str) -> Finding:
    connection = await connect(url, "owner")
    async with connection:
        number = connection.info.server_version
        return Finding(
            "database", ok=True, message=f"PostgreSQL {number // 10000}.{number % 10000}"
        )


async def _migrations(url: str) -> Finding:
    missing = await pending(url)
    newer = await ahead(url)
    if not missing and newer:
        return Finding(
            "migrations",
            ok=True,
            message=f"the schema is of a newer release ({', '.join(newer)}), and serves this one",
            mend="Upgrade this installation, too; restart or `junctor reload` its processes.",
        )
    if missing:
        names = f"missing: {', '.join(missing)}"
        return Finding("migrations", ok=False, message=names, mend="Run `junctor migrate`.")
    return Finding("migrations", ok=True, message="the schema is current")


async def _keys(core: Core) -> Finding:
    organizations = await core.catalog.organizations()
    for organization in organizations:
        keyring = await core.vault.keyring(organization.organization_id)
        if keyring.open(keyring.seal(b"doctor", b"doctor"), b"doctor") != b"doctor":
            raise Misconfigured(reason="a keyring does not open what it sealed")
        await _open_connections(core, organization.organization_id)
    count = len(organizations)
    return Finding(
        "keys", ok=True, message=f"the master key opens {count} of {count} organisations"
    )


async def _open_connections(core: Core, organization_id: Any) -> None:
    cursor = None
    while True:
        page = await core.catalog.connections(organization_id, cursor=cursor, limit=200)
        for connection in page.items:
            await core.accounts.get(organization_id, connection.id)
        cursor = page.cursor
        if cursor is None:
            return


async def _audit(core: Core) -> Finding:
    broken: list[str] = []
    for organization in await core.catalog.organizations():
        row = await core.catalog.verify_audit(organization.organization_id)
        if row is not None:
            broken.append(f"row {row} of organisation {organization.name}")
    if broken:
        return Finding(
            "audit log",
            ok=False,
            message=f"the chain breaks at {', '.join(broken)}",
            mend="Somebody changed it in the database: compare it with a backup.",
        )
    return Finding("audit log", ok=True, message="its chain of hashes is whole")


async def _worker(core: Core) -> Finding:
    if await worker_alive(core):
        return Finding("worker", ok=True, message="a worker was heard of in the last seconds")
    return Finding(
        "worker",
        ok=False,
        message="no worker is alive, so nothing runs",
        mend="Start `junctor up`, or `junctor worker` beside your servers.",
    )


async def _public_url(settings: Settings) -> Finding:
    url = settings.public_url
    status, found = await asyncio.to_thread(fetch_json, f"{url}/healthz")
    if status != 200 or not isinstance(found, dict) or found.get("status") != "ok":
        return Finding(
            "public URL",
            ok=False,
            message=f"{url}/healthz does not answer as Junctor does",
            mend="Start the server, or set JUNCTOR_PUBLIC_URL to how the world reaches it.",
        )
    if _local(url):
        mend = "Only this machine reaches it: set JUNCTOR_PUBLIC_URL before using real vendors."
        return Finding("public URL", ok=True, message=f"{url} answers", mend=mend)
    return Finding("public URL", ok=True, message=f"{url} answers")


async def _backups(settings: Settings) -> Finding:
    """Never a failure: with a database of their own, operators have their own ways."""
    from junctor.app.backup_files import kept, opened

    folders = await asyncio.to_thread(kept, settings.backups)
    if not folders:
        mend = "`junctor backup` makes one; JUNCTOR_BACKUP_SCHEDULE one every night."
        return Finding("backups", ok=True, message=f"none in {settings.backups}", mend=mend)
    made = opened(folders[0])[1].made_at
    age = (datetime.now(UTC) - made).days
    mend = "The newest is old: `junctor backup` makes one." if age > OLD_BACKUP else ""
    message = f"the newest of {len(folders)} is of {made:%Y-%m-%d %H:%M} UTC"
    return Finding("backups", ok=True, message=message, mend=mend)


_MENDS = {
    "reconnect": "`junctor connections rotate NAME` or, with OAuth, `authorize NAME`",
    "unauthorized": "`junctor connections authorize NAME`",
    "grant": "`junctor connections authorize NAME`",
    "key": "`junctor connections rotate NAME`, or `remind NAME DAYS` to be reminded later",
    "alert": "`junctor connections show NAME` shows its last requests",
}


async def _connections(core: Core) -> Finding:
    """Fails only for what does not work now; what will be is told all the same."""
    found = [
        each
        for organization in await core.catalog.organizations()
        for each in await attention(core, organization.organization_id)
    ]
    if not found:
        return Finding("connections", ok=True, message="none needs anything")
    told = "; ".join(f"'{each.connection.name}' {each.text.rstrip('.')}" for each in found)
    mends = dict.fromkeys(_MENDS[each.kind] for each in found)
    return Finding(
        "connections",
        ok=not any(each.kind in {"reconnect", "unauthorized"} for each in found),
        message=told,
        mend=". ".join(mends) + ".",
    )


async def _notifications(core: Core) -> Finding:
    """Fails if a channel does not work, or nobody looks at what is to be told."""
    where = {"organization": None}
    async with core.engine.connection() as connection:
        cursor = await connection.execute(queries("status")["failing_channels"], where)
        failing = await cursor.fetchall()
        cursor = await connection.execute(queries("status")["silent_channels"], where)
        silent = [f"'{name}' ({kind})" for name, kind in await cursor.fetchall()]
        cursor = await connection.execute(queries("status")["unsettled_notices"], where)
        ((new, waiting, given_up, unheard),) = await cursor.fetchall()
    wrong = [
        f"'{name}' ({kind}) fails since {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {error}"
        for name, kind, at, error in failing
    ]
    mends = []
    if wrong:
        mends.append("`junctor notifications test NAME` tries it, `remove` and `add` change it")
    if new:
        wrong.append(f"{new} notices were handed to nobody for five minutes")
        mends.append("a worker hands them out: see the check of the worker")
    known = [f"switched off and told nothing: {', '.join(silent)}"] if silent else []
    known += [
        f"{count} {what}"
        for count, what in (
            (waiting, "notices are on their way"),
            (given_up, "of the last week could not be told"),
            (unheard, "of the last week have no channel that wants them"),
        )
        if count
    ]
    if silent:
        mends.append("`junctor notifications enable NAME` switches a channel on")
    if given_up or unheard:
        mends.append("`junctor notices` lists them; `junctor notifications add` makes a channel")
    return Finding(
        "notifications",
        ok=not wrong,
        message="; ".join([*wrong, *known]) or "no channel fails, and nothing is left to tell",
        mend=f"{'. '.join(mends)}." if mends else "",
    )


def _local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost"


async def _hooks(core: Core) -> Finding:
    wrong: list[str] = []
    count = 0
    for organization in await core.catalog.organizations():
        for scenario in await all_scenarios(core, organization.organization_id):
            if not scenario.active:
                continue
            for hook in await hooks_of(core, organization.organization_id, scenario.id):
                count += 1
                there = (hook.registration or {}).get("url")
                if hook.registration_error:
                    wrong.append(f"{hook.name}: {hook.registration_error}")
                elif not hook.enabled:
                    wrong.append(f"{hook.name}: it is switched off")
                elif there is not None and there != core.registrations.url(hook):
                    wrong.append(f"{hook.name}: the vendor has another address of ours")
    if wrong:
        return Finding(
            "hooks",
            ok=False,
            message="; ".join(wrong),
            mend="Run `junctor activate` for the scenario: it registers the hook again.",
        )
    return Finding("hooks", ok=True, message=f"{count} hooks of active scenarios agree")
