"""Hooks at the vendors: what is registered there is made to agree with what should be.

Ours are found by our token in the address, so a registration that an answer lost, or that an old
public address left behind, is found and mended too.
"""

from __future__ import annotations

from typing import Any

from junctor.app.core import Core
from junctor.app.logs import redact
from junctor.errors import JunctorError, Misconfigured
from junctor.language.connector import Registration, Request, Response
from junctor.ports.catalog import Hook
from junctor.runtime.outcomes import refusal

__all__ = ["hook_url", "reconcile"]


def hook_url(core: Core, hook: Hook) -> str:
    """Where a vendor sends to."""
    return f"{core.settings.public_url}/hook/{hook.token}"


async def reconcile(core: Core, hook: Hook, *, wanted: bool, actor: str) -> Hook:
    """Registers the hook with its vendor, or removes it, as ``wanted``; a no-op if it is so.

    What goes wrong is noted on the hook (``registration_error``), not raised: our own address
    works, and the next reconciliation tries again.
    """
    module = core.registry.find(f"{hook.connector}:{hook.kind}")
    registration = module.hook.register if module is not None and module.hook is not None else None
    if registration is None:
        return hook
    kept: Any = dict(hook.registration) if hook.registration else None
    error: str | None = None
    try:
        kept = await _agree(core, hook, registration, wanted=wanted)
    except JunctorError as failed:
        error = str(redact(failed.message))[:500]
    if kept == hook.registration and error == hook.registration_error:
        return hook
    return await core.catalog.note_registration(
        hook.organization_id, hook.id, actor=actor, registration=kept, error=error
    )


async def _agree(
    core: Core, hook: Hook, registration: Registration, *, wanted: bool
) -> dict[str, str] | None:
    url = hook_url(core, hook)
    listed = await _send(core, hook, registration.listing())
    ours = [row for row in registration.listed(listed) if row[1].endswith(f"/hook/{hook.token}")]
    good = [row for row in ours if wanted and row[1] == url and row[2] == registration.event]
    for vendor_id, _, _ in ours:
        if not good or vendor_id != good[0][0]:
            await _send(core, hook, registration.delete(vendor_id))
    if not wanted:
        return None
    if good:
        vendor_id = good[0][0]
    else:
        vendor_id = registration.created(await _send(core, hook, registration.create(url)))
    return {"id": vendor_id, "url": url, "event": registration.event}


async def _send(core: Core, hook: Hook, request: Request) -> Response:
    if hook.connection_id is None:
        raise Misconfigured(
            f"The trigger has no connection, so it can't be registered with '{hook.connector}'. "
            f"Add one, choose it for module {hook.module}, and activate again."
        )
    response = await core.accounts.send(hook.organization_id, hook.connection_id, request)
    if not 200 <= response.status < 300:
        raise refusal(core.registry.connector(hook.connector), response, "read")
    return response
