"""Hooks at the vendors: what is registered there is made to agree with what should be.

The vendor's own listing is looked at first, always: a registration is never made blindly. Ours are
those whose address ends in the hook's token, so that one whose answer was lost is found again and
adopted, and one that an older public address left behind is removed.

Where a vendor has only one place for an address (`Takeover`), what was there is noted before ours
takes it, and given back afterwards, unless somebody else has put in another one meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog

from junctor.errors import JunctorError, Misconfigured, NotFound
from junctor.language.connector import (
    Connector,
    ModuleDef,
    Registration,
    Request,
    Response,
    Takeover,
)
from junctor.ports.catalog import Hook, Scenario
from junctor.runtime.outcomes import refusal

__all__ = ["Directory", "Registrations", "Sender"]

log = structlog.get_logger(__name__)

_ERROR_LENGTH = 500


class Sender(Protocol):
    """Signs a request with a connection and sends it (`runtime.accounts.Accounts`)."""

    async def send(self, organization_id: UUID, connection_id: UUID, request: Request) -> Response:
        """The vendor's complete answer, whatever its status."""
        ...


class Directory(Protocol):
    """What is needed of `ports.catalog.Catalog`."""

    async def scenario(self, organization_id: UUID, id: UUID) -> Scenario:  # noqa: A002 - the column's name
        """The scenario; `NotFound`."""
        ...

    async def note_registration(
        self,
        organization_id: UUID,
        id: UUID,  # noqa: A002 - the column's name
        *,
        actor: str,
        registration: dict[str, str] | None,
        error: str | None,
    ) -> Hook:
        """Keeps what the vendor knows."""
        ...


class Registrations:
    """Reconciles hooks with their vendors.

    ``module`` and ``connector`` find definitions by id and by name; ``public_url`` is how the world
    reaches us, without a slash at its end; ``mail_host`` the domain that mail for us is sent to.
    """

    def __init__(
        self,
        directory: Directory,
        sender: Sender,
        *,
        module: Callable[[str], ModuleDef | None],
        connector: Callable[[str], Connector | None],
        public_url: str,
        mail_host: str = "",
    ) -> None:
        self._directory = directory
        self._sender = sender
        self._module = module
        self._connector = connector
        self._public_url = public_url.rstrip("/")
        self._mail_host = mail_host

    def url(self, hook: Hook) -> str:
        """Where the vendor sends to: a URL, or a mail address. It holds a secret: not for logs."""
        definition = self._module(f"{hook.connector}:{hook.kind}")
        if definition is not None and definition.hook is not None and definition.hook.mail:
            return f"{hook.token}@{self._mail_host}"
        return f"{self._public_url}/hook/{hook.token}"

    async def wanted(self, hook: Hook) -> bool:
        """Whether the vendor should send: the hook is in use and its scenario is active."""
        if not hook.enabled or hook.scenario_id is None:
            return False
        try:
            return (await self._directory.scenario(hook.organization_id, hook.scenario_id)).active
        except NotFound:
            return False

    async def reconcile(
        self, hook: Hook, *, actor: str = "system", wanted: bool | None = None
    ) -> Hook:
        """Makes the vendor's side agree; a no-op for a trigger that is set up by hand.

        ``wanted`` overrides what hook and scenario say (before a deletion). What goes wrong is
        noted on the hook (``registration_error``), not raised: our address works all the same, and
        the next reconciliation looks and tries again.
        """
        definition = self._module(f"{hook.connector}:{hook.kind}")
        registration = definition.hook.register if definition and definition.hook else None
        if registration is None:
            return hook
        needed = await self.wanted(hook) if wanted is None else wanted
        if not needed and hook.registration is None and hook.connection_id is None:
            return hook
        place = ""
        if isinstance(registration, Takeover):
            place = registration.place(hook.settings) if needed else ""
            if not place and hook.registration is None and hook.registration_error is None:
                return hook
        known = {key: str(value) for key, value in (hook.registration or {}).items()} or None
        error = None
        try:
            if isinstance(registration, Takeover):
                known = await self._noted(hook, registration, place, known, actor=actor)
                if known is not None:
                    taking = registration.take(place, known["url"], hook.settings)
                    await self._send(hook, taking)
            else:
                known = await self._agree(hook, registration, wanted=needed)
        except JunctorError as failed:
            error = failed.message.replace(hook.token, "…")[:_ERROR_LENGTH]
            log.warning("registration.failed", hook=str(hook.id), code=failed.code)
        except (LookupError, TypeError, ValueError, AttributeError) as failed:
            # Such as a page about maintenance where a list was to be.
            error = "The vendor's answer can't be read; it is tried again when scenarios start."
            log.warning("registration.failed", hook=str(hook.id), code=type(failed).__name__)
        if known == (hook.registration or None) and error == hook.registration_error:
            return hook
        return await self._directory.note_registration(
            hook.organization_id, hook.id, actor=actor, registration=known, error=error
        )

    async def _agree(
        self, hook: Hook, registration: Registration, *, wanted: bool
    ) -> dict[str, str] | None:
        url, event = self.url(hook), registration.event
        listed = registration.listed(await self._send(hook, registration.listing()))
        ours = [row for row in listed if row[1].endswith(f"/hook/{hook.token}")]
        # A vendor may not list the event; then the address alone tells.
        good = [row for row in ours if wanted and row[1] == url and row[2] in {event, ""}]
        stored = (hook.registration or {}).get("id")
        good.sort(key=lambda row: row[0] != stored)
        adopted = good[0][0] if good else None
        # Strays first: some vendors refuse or replace a second registration of the same event.
        for vendor_id, _, _ in ours:
            if vendor_id != adopted:
                await self._send(hook, registration.delete(vendor_id), gone_is_fine=True)
        if not wanted:
            return None
        if adopted is None:
            adopted = registration.created(await self._send(hook, registration.create(url)))
        return {"id": adopted, "url": url, "event": event}

    async def _noted(
        self,
        hook: Hook,
        takeover: Takeover,
        place: str,
        known: dict[str, str] | None,
        *,
        actor: str,
    ) -> dict[str, str] | None:
        """What is known of a place that may now be taken; another one held before is given back.

        What was there is noted first: nothing else remembers it. An empty ``place`` is none.
        """
        if known is not None and known["id"] != place:
            await self._give_back(hook, takeover, known)
            known = None
            if place:  # the one is given back, whatever becomes of the other
                await self._directory.note_registration(
                    hook.organization_id, hook.id, actor=actor, registration=None, error=None
                )
        if not place:
            return None
        url = self.url(hook)
        there = takeover.kept(await self._send(hook, takeover.look(place)))
        ours = takeover.url(there).partition("#")[0].endswith(f"/hook/{hook.token}")
        if not ours:
            takeover.check(there)
        before = known.get("before", "{}") if known is not None and ours else _text(there)
        held = {"id": place, "url": url, "event": takeover.event, "before": before}
        if held != known:
            await self._directory.note_registration(
                hook.organization_id, hook.id, actor=actor, registration=held, error=None
            )
        return held

    async def _give_back(self, hook: Hook, takeover: Takeover, known: dict[str, str]) -> None:
        place = known["id"]
        answer = await self._send(hook, takeover.look(place), gone_is_fine=True)
        if not 200 <= answer.status < 300:
            return
        there = takeover.url(takeover.kept(answer)).partition("#")[0]
        before: dict[str, Any] = msgspec.json.decode(known.get("before", "{}"))
        if there.endswith(f"/hook/{hook.token}") and takeover.url(before) != there:
            await self._send(hook, takeover.give_back(place, before), gone_is_fine=True)

    async def _send(self, hook: Hook, request: Request, *, gone_is_fine: bool = False) -> Response:
        if hook.connection_id is None:
            raise Misconfigured(
                reason=f"the hook '{hook.name}' has no connection to register it with: choose one, "
                "and activate the scenario again"
            )
        response = await self._sender.send(hook.organization_id, hook.connection_id, request)
        if 200 <= response.status < 300 or (gone_is_fine and response.status in {404, 410}):
            return response
        raise refusal(self._connector(hook.connector), response, "read")


def _text(kept: Any) -> str:
    return msgspec.json.encode(dict(kept)).decode()
