"""Hooks: found, and their settings changed. Secrets go in sealed and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from junctor.app.connections import split_secrets
from junctor.app.core import Core
from junctor.errors import Misconfigured, NotFound
from junctor.language import forms, ids
from junctor.language.connector import HookDef, Takeover
from junctor.ports.catalog import Hook
from junctor.runtime.hooks import hook_aad

__all__ = ["all_hooks", "change_hook", "definition_of", "find_hook", "secret_names", "set_learning"]


def definition_of(core: Core, hook: Hook) -> HookDef | None:
    """How the hook's trigger receives; ``None`` if its connector is no longer installed."""
    module = core.registry.find(f"{hook.connector}:{hook.kind}")
    return module.hook if module is not None else None


async def all_hooks(core: Core, organization_id: UUID) -> list[Hook]:
    """Every hook of the organisation, newest first."""
    found: list[Hook] = []
    cursor: str | None = None
    while True:
        page = await core.catalog.hooks(organization_id, cursor=cursor, limit=200)
        found.extend(page.items)
        cursor = page.cursor
        if cursor is None:
            return found


async def find_hook(core: Core, organization_id: UUID, text: str) -> Hook:
    """A hook by its id, its name, or its scenario's id or name; `NotFound` lists what there is."""
    if text.startswith("hok_"):
        return await core.catalog.hook(organization_id, ids.read("hok", text))
    hooks = await all_hooks(core, organization_id)
    for hook in hooks:
        if hook.name == text:
            return hook
    for hook in hooks:
        if hook.scenario_id is None:
            continue
        if text == ids.show("scn", hook.scenario_id):
            return hook
        scenario = await core.catalog.scenario(organization_id, hook.scenario_id)
        if scenario.name == text:
            return hook
    known = ", ".join(f"'{hook.name}'" for hook in hooks[:20])
    there = f"There are: {known}." if known else "There are none: activating a scenario makes one."
    raise NotFound(f"There is no hook '{text}'. {there}")


async def secret_names(core: Core, hook: Hook) -> list[str]:
    """Which of its secrets are set; never what they are."""
    return sorted(await _secrets(core, hook))


async def change_hook(
    core: Core,
    hook: Hook,
    *,
    actor: str,
    revision: int | None = None,
    name: str | None = None,
    enabled: bool | None = None,
    values: Mapping[str, Any] | None = None,
) -> Hook:
    """Changes what is given. ``values`` are fields of its trigger's form, secrets included.

    A field that is not named stays as it is; ``None`` takes it back to its default. `Misconfigured`
    on a field the form has not, `BundleInvalid` on an ill-typed one, `Conflict` on a stale
    revision.
    """
    settings: dict[str, Any] | None = None
    sealed: bytes | None = None
    if values:
        settings, sealed = await _changed(core, hook, values)
        revision = hook.revision if revision is None else revision
    changed = await core.catalog.update_hook(
        hook.organization_id,
        hook.id,
        actor=actor,
        revision=revision,
        name=name,
        settings=settings,
        sealed=sealed,
        enabled=enabled,
    )
    definition = definition_of(core, hook)
    if definition is not None and isinstance(definition.register, Takeover) and (values or enabled):
        # Its settings may name another place. One that is no longer enabled keeps its place: what
        # it took is given back when the scenario is stopped.
        changed = await core.registrations.reconcile(changed, actor=actor)
    return changed


async def set_learning(core: Core, hook: Hook, learning: bool, *, actor: str) -> Hook:
    """Starts learning the structure of the next delivery, or stops. `Misconfigured` if a hook of
    this kind learns nothing.
    """
    definition = definition_of(core, hook)
    if definition is None or definition.learn is None:
        raise Misconfigured(
            f"A hook of {hook.connector}:{hook.kind} has a structure of its own; it learns none."
        )
    return await change_hook(core, hook, actor=actor, values={"learning": learning})


async def _changed(
    core: Core, hook: Hook, values: Mapping[str, Any]
) -> tuple[dict[str, Any], bytes]:
    definition = definition_of(core, hook)
    form = definition.settings if definition is not None else None
    if form is None:
        raise Misconfigured(
            f"A hook of {hook.connector}:{hook.kind} has no settings.", path="values"
        )
    slots = forms.slots_of(form)
    names = {slot.key: slot.name for slot in slots} | {slot.name: slot.name for slot in slots}
    merged = {**hook.settings, **await _secrets(core, hook)}
    for key, value in values.items():
        merged[names.get(key, key)] = value  # what the form has not is refused below
    settings, secrets = split_secrets(form, merged)
    keyring = await core.vault.keyring(hook.organization_id)
    return settings, keyring.seal(
        msgspec.json.encode(secrets), hook_aad(hook.organization_id, hook.id)
    )


async def _secrets(core: Core, hook: Hook) -> dict[str, str]:
    if hook.sealed is None:
        return {}
    keyring = await core.vault.keyring(hook.organization_id)
    opened = keyring.open(hook.sealed, hook_aad(hook.organization_id, hook.id))
    return msgspec.json.decode(opened, type=dict[str, str])
