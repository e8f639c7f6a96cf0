"""App hooks: the address to enter at a vendor whose apps know only one, and whom it feeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from junctor.app.care import state_of
from junctor.app.connections import split_secrets
from junctor.app.core import Core
from junctor.app.hooks import all_hooks
from junctor.errors import Misconfigured
from junctor.language import connector as kinds
from junctor.ports.catalog import Connection, Hook
from junctor.ports.catalog_apps import AppHook
from junctor.runtime.fanout import APP

__all__ = ["Feed", "app_of", "change", "definition_of", "ensure", "feeds", "url"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A scenario whose trigger has a connection of the app."""

    scenario_id: UUID
    scenario: str
    trigger: str
    hook_id: UUID
    connection: str
    account: str
    """Whose events it gets, as the vendor names the account."""
    fed: bool
    why_not: str
    """What keeps events from it."""


def definition_of(core: Core, connector: str) -> kinds.AppHook:
    """How the connector's app hooks work; `Misconfigured` if it has none."""
    found = core.registry.connector(connector)
    if found is None or found.app_hook is None:
        raise Misconfigured(
            f"'{connector}' has no address per app: each of its triggers has an address of its own."
        )
    return found.app_hook


def app_of(core: Core, connection: Connection) -> str:
    """What the vendor calls the app of a connection; empty: it stands for none."""
    found = core.registry.connector(connection.connector)
    definition = found.app_hook if found is not None else None
    if definition is None or connection.kind != definition.kind:
        return ""
    return definition.app(connection.settings)


def url(core: Core, hook: AppHook) -> str:
    """What is entered at the vendor. It holds a secret: not for logs."""
    return f"{core.settings.public_url.rstrip('/')}/hook/{APP}{hook.token}"


async def ensure(core: Core, connection: Connection, *, actor: str) -> AppHook:
    """The address of a connection's app, made if there is none yet. `Misconfigured` if it stands
    for no app.
    """
    definition = definition_of(core, connection.connector)
    app = app_of(core, connection)
    if not app:
        raise Misconfigured(
            f"The connection '{connection.name}' ({connection.kind}) stands for no app of yours: "
            f"choose one of kind '{definition.kind}'.",
            path="connection",
        )
    return await core.catalog.ensure_app_hook(
        connection.organization_id, actor=actor, connector=connection.connector, app=app
    )


async def feeds(core: Core, hook: AppHook) -> list[Feed]:
    """Every scenario with a trigger of the app, those first that are fed."""
    definition = definition_of(core, hook.connector)
    out = []
    for each in await all_hooks(core, hook.organization_id):
        if each.connector != hook.connector or None in {each.connection_id, each.scenario_id}:
            continue
        assert each.connection_id is not None
        connection = await core.catalog.connection(hook.organization_id, each.connection_id)
        if app_of(core, connection) == hook.app:
            out.append(await _feed(core, hook, definition, each, connection))
    return sorted(out, key=lambda feed: (not feed.fed, feed.scenario))


async def _feed(
    core: Core, app: AppHook, definition: kinds.AppHook, hook: Hook, connection: Connection
) -> Feed:
    assert hook.scenario_id is not None
    scenario = await core.catalog.scenario(hook.organization_id, hook.scenario_id)
    state = await state_of(core, connection)
    accounts = definition.accounts(connection.settings, state.account_id or "")
    reasons = [
        why
        for why, holds in (
            ("the app's address is switched off", not app.enabled),
            ("the scenario is not active", not scenario.active),
            ("its hook is switched off", not hook.enabled),
            ("the connection is not authorised", not accounts),
        )
        if holds
    ]
    return Feed(
        scenario_id=scenario.id,
        scenario=scenario.name,
        trigger=f"{hook.connector}:{hook.kind}",
        hook_id=hook.id,
        connection=connection.name,
        account=accounts[0] if accounts else "",
        fed=not reasons,
        why_not="; ".join(reasons),
    )


async def change(
    core: Core,
    hook: AppHook,
    *,
    actor: str,
    revision: int | None = None,
    enabled: bool | None = None,
    values: Mapping[str, Any] | None = None,
) -> AppHook:
    """Changes what is given. ``values`` are fields of the address's form; one that is not named
    stays as it is, ``None`` takes it back to its default. `Misconfigured` on a field the form has
    not, `BundleInvalid` on an ill-typed one, `Conflict` on a stale revision.
    """
    settings: dict[str, Any] | None = None
    if values:
        definition = definition_of(core, hook.connector)
        settings, _ = split_secrets(definition.settings, {**hook.settings, **values})
        revision = hook.revision if revision is None else revision
    return await core.catalog.update_app_hook(
        hook.organization_id,
        hook.id,
        actor=actor,
        revision=revision,
        settings=settings,
        enabled=enabled,
    )
