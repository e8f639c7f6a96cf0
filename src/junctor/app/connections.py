"""Connections: made, changed, tested. Secrets go in sealed and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from junctor.app.core import Core
from junctor.app.logs import redact
from junctor.engine.commands import Address
from junctor.errors import JunctorError, Misconfigured, NotFound
from junctor.language import forms, ids
from junctor.language.connector import Connection as Definition
from junctor.language.connector import Connector
from junctor.ports.catalog import Connection
from junctor.runtime.accounts import seal_aad
from junctor.runtime.outcomes import refusal
from junctor.runtime.services import Asking

__all__ = [
    "add_connection",
    "change_connection",
    "definition_of",
    "find_connection",
    "split_secrets",
    "test_connection",
]


def definition_of(
    core: Core, connector: str, kind: str | None
) -> tuple[Connector, str, Definition]:
    """The connector, the kind and its definition; the first kind by default."""
    found = core.registry.connector(connector)
    if found is None:
        known = ", ".join(core.registry.near(connector) or core.registry.names)
        raise NotFound(
            f"There is no connector '{connector}'. There are: {known}.", path="connector"
        )
    if not found.connections:
        raise Misconfigured(f"'{connector}' needs no connection.", path="connector")
    kind = kind or next(iter(found.connections))
    if kind not in found.connections:
        kinds = ", ".join(found.connections)
        raise Misconfigured(
            f"'{connector}' has no kind of connection '{kind}'. It has: {kinds}.", path="kind"
        )
    return found, kind, found.connections[kind]


def split_secrets(form: type, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings and secrets by Python name, checked against the form.

    Raises `Misconfigured` on an unknown field and `BundleInvalid` on a missing or ill-typed one.
    """
    slots = forms.slots_of(form)
    known = {slot.key for slot in slots} | {slot.name for slot in slots}
    for key in values:
        if key not in known:
            names = ", ".join(slot.key for slot in slots)
            raise Misconfigured(f"There is no field '{key}'. Fields: {names}.", path=key)
    by_key = {slot.key: values.get(slot.key, values.get(slot.name)) for slot in slots}
    by_key = {key: value for key, value in by_key.items() if value is not None}
    built: Any = forms.build(form, by_key)
    secret_keys = forms.secrets_of(form)
    settings: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    for slot in slots:
        value = getattr(built, slot.name)
        if slot.key in secret_keys:
            if value is not None:
                secrets[slot.name] = str.__str__(value)
        elif value is not None:
            settings[slot.name] = value
    return settings, secrets


async def add_connection(
    core: Core,
    organization_id: UUID,
    *,
    actor: str,
    name: str,
    connector: str,
    kind: str | None = None,
    base_url: str | None = None,
    values: Mapping[str, Any],
) -> Connection:
    """Saves a new connection. ``values`` are the form's fields, secrets included."""
    found, kind, definition = definition_of(core, connector, kind)
    settings, secrets = split_secrets(definition.form, values)
    base_url = base_url or core.accounts.opened(found.name, kind, "", settings, secrets).base_url
    base_url = base_url.rstrip("/")
    connection_id = core.ids.new()
    keyring = await core.vault.keyring(organization_id)
    return await core.catalog.create_connection(
        organization_id,
        actor=actor,
        id=connection_id,
        name=name or found.label,
        connector=found.name,
        kind=kind,
        base_url=base_url,
        settings=settings,
        sealed=keyring.seal(
            msgspec.json.encode(secrets), seal_aad(organization_id, connection_id, base_url)
        ),
    )


async def change_connection(
    core: Core,
    organization_id: UUID,
    connection: Connection,
    *,
    actor: str,
    revision: int | None = None,
    name: str | None = None,
    base_url: str | None = None,
    values: Mapping[str, Any] | None = None,
) -> Connection:
    """Changes what is given; another base URL needs the secrets again (``values``)."""
    if values is None:
        return await core.catalog.update_connection(
            organization_id,
            connection.id,
            actor=actor,
            revision=revision,
            name=name,
            base_url=base_url.rstrip("/") if base_url else None,
        )
    _, kind, definition = definition_of(core, connection.connector, connection.kind)
    settings, secrets = split_secrets(definition.form, values)

    def own(of: Mapping[str, Any]) -> str:
        return core.accounts.opened(connection.connector, kind, "", of, secrets).base_url

    target = base_url.rstrip("/") if base_url else connection.base_url
    if not base_url and definition.base_of and target == own(connection.settings).rstrip("/"):
        target = own(settings).rstrip("/")  # it was the account's own address, and still is
    keyring = await core.vault.keyring(organization_id)
    return await core.catalog.update_connection(
        organization_id,
        connection.id,
        actor=actor,
        revision=revision,
        name=name,
        base_url=target,
        settings=settings,
        sealed=keyring.seal(
            msgspec.json.encode(secrets), seal_aad(organization_id, connection.id, target)
        ),
    )


async def test_connection(
    core: Core, organization_id: UUID, connection: Connection, *, actor: str
) -> Connection:
    """Sends the connector's test request; what went wrong is in ``test_error``."""
    error: str | None = None
    core.accounts.forget(organization_id, connection.id)
    try:
        account = await core.accounts.get(organization_id, connection.id)
        if account.definition.probe is not None:
            await core.services.do(
                account.definition.probe,
                Asking(
                    tools=core.services.tools,
                    organization_id=organization_id,
                    scenario_id=UUID(int=0),
                    run_id=connection.id,
                    address=Address(0, 0, ()),
                    parameters={},
                    account=account,
                ),
            )
        else:
            answer = await core.accounts.test(account)
            if not 200 <= answer.status < 300:
                error = refusal(account.connector, answer, "read").message
    except JunctorError as failed:
        error = failed.message
    await core.accounts.recorder.flush()
    if error is None:
        await core.accounts.store.mark_mended(organization_id, connection.id)
    shown = None if error is None else str(redact(error))[:500]
    return await core.catalog.note_test(organization_id, connection.id, actor=actor, error=shown)


async def find_connection(core: Core, organization_id: UUID, text: str) -> Connection:
    """A connection by its id or name; `NotFound` lists what there is."""
    if text.startswith("con_"):
        return await core.catalog.connection(organization_id, ids.read("con", text))
    names = []
    cursor = None
    while True:
        page = await core.catalog.connections(organization_id, cursor=cursor, limit=200)
        for each in page.items:
            if each.name == text:
                return each
            names.append(f"'{each.name}'")
        cursor = page.cursor
        if cursor is None:
            known = ", ".join(names[:20]) or "none"
            raise NotFound(f"There is no connection '{text}'. There are: {known}.")
