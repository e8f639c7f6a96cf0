"""Hooks by their token: kept ready for the door.

A kept hook may be used for a while after a change; that one is unknown or gone is only ever said by
the database.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import structlog

from junctor.adapters.postgres.hot import Line
from junctor.engine.plan import Plan
from junctor.errors import JunctorError, Misconfigured, NotFound
from junctor.language.connector import Answer, Delivery, HookDef, ModuleDef
from junctor.language.expressions import Scope
from junctor.language.values import to_text
from junctor.ports.inbox import Answered
from junctor.ports.vault import Vault
from junctor.runtime.plans import Plans, Prepared

__all__ = ["Draining", "Hook", "Hooks", "hook_aad", "plain_key"]

KEEP_SECONDS = 60.0
"""At least; a change is told (`junctor_hooks`), this is the net. They expire at different times."""
KEY_BYTES = 200

log = structlog.get_logger(__name__)


def hook_aad(organization_id: UUID, hook_id: UUID) -> bytes:
    """What a hook's secrets are sealed to."""
    return organization_id.bytes + hook_id.bytes


def plain_key(key: str) -> str:
    """The key, or its hash if the database can't keep or index it as it is: too long, or with NUL
    or lone surrogates in it, as JSON may have.
    """
    try:
        if len(key.encode()) <= KEY_BYTES and "\0" not in key:
            return key
    except UnicodeEncodeError:
        pass
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class Draining(JunctorError):
    """This scenario is being stopped and takes nothing more. Please send it again later."""

    code = "draining"
    status = 503
    retry_after = 60.0


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook, ready to receive."""

    organization_id: UUID
    id: UUID
    scenario_id: UUID
    module: ModuleDef
    definition: HookDef
    settings: Mapping[str, Any]
    secrets: Mapping[str, Any]
    """Settings and secrets, for the verifier."""
    responds: bool
    accepted: Answered
    prepared: Prepared | None
    stored: Mapping[str, Any] = field(default_factory=dict)
    """The settings that go with a delivery into the inbox."""
    inspects: bool = False
    """Whether deliveries are looked into before they are stored."""
    draining: bool = False
    """Whether its scenario takes nothing more."""

    def told(self, delivery: Delivery) -> Answered:
        """What a caller is told whose delivery is durable."""
        if self.definition.answer_to is None:
            return self.accepted
        answer = self.definition.answer_to(delivery, self.settings)
        if answer is None:
            return self.accepted
        return Answered(answer.status, answer.headers, answer.body)

    def away(self, delivery: Delivery) -> Answered | None:
        """What a caller is told whose delivery could not be stored; ``None``: nothing special."""
        if self.definition.away is None:
            return None
        answer = self.definition.away(delivery, self.settings)
        return Answered(answer.status, answer.headers, answer.body)

    def order_key(self, delivery: Delivery) -> str:
        """The order key of a delivery, ``k:…``, or nothing.

        Whatever its content breaks, it is stored all the same; the run will say what is wrong.
        """
        plan: Plan | None = self.prepared.plan if self.prepared is not None else None
        if plan is None or self.prepared is None:
            return ""
        try:
            if plan.order_key is None:
                key: Any = self.definition.order_key(delivery)
            else:
                bundles = list(self.module.function(delivery))
                key = plan.order_key([_scope(self.prepared), bundles[0] if bundles else {}])
            text = to_text(key)
        except Exception as error:
            log.info("no_order_key", hook=str(self.id), error=type(error).__name__)
            return ""
        return f"k:{plain_key(text)}" if text else ""

    def dedup_key(self, delivery: Delivery) -> str | None:
        """What its sender repeats when it sends the same thing again, or nothing."""
        try:
            key = self.definition.dedup(delivery)
        except Exception as error:
            log.info("no_dedup_key", hook=str(self.id), error=type(error).__name__)
            key = None
        if key is None:
            headers = delivery.headers
            key = headers.get("idempotency-key") or headers.get("webhook-id")
        return plain_key(key) if key else None


def _scope(prepared: Prepared) -> Scope:
    return Scope(
        zone=prepared.zone,
        locale=prepared.locale,
        country=prepared.country,
        now=lambda: datetime.now(UTC),
        random=lambda: 0.0,
        uuid=lambda: "",
        execution_id="",
        variables={},
    )


class Hooks:
    """Finds hooks by token."""

    def __init__(
        self, line: Line, plans: Plans, find: Callable[[str], ModuleDef | None], vault: Vault
    ) -> None:
        self._line = line
        self._plans = plans
        self._find = find
        self._vault = vault
        self._cache: dict[str, tuple[float, Hook]] = {}
        self._forgotten = 0

    def forget(self) -> None:
        """Something about hooks changed."""
        self._cache.clear()
        self._forgotten += 1

    async def get(self, token: str) -> Hook:
        """The hook; `NotFound` if there is none, or none in use."""
        kept = self._cache.get(token)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        before = self._forgotten
        try:
            hook = await self._load(token)
        except (psycopg.Error, ConnectionError):
            if kept is None:
                raise
            # Nothing can be stored with it before the database is back, which then knows better.
            return kept[1]
        if before == self._forgotten:  # else it may be read from before the change
            if len(self._cache) > 10_000:
                self._cache.clear()
            self._cache[token] = (time.monotonic() + KEEP_SECONDS * random.uniform(1, 2), hook)
        return hook

    async def refused(self, hook: Hook) -> None:
        """Counts a delivery that wasn't genuine."""
        await self._line.fetch("refuse", {"organization": hook.organization_id, "id": hook.id})

    async def _load(self, token: str) -> Hook:
        rows = await self._line.fetch("hook_by_token", {"token": token}) if token.isalnum() else []
        if not rows:
            raise NotFound(what="A hook at this address")
        (
            organization, hook_id, scenario, _module, connector, kind, settings, sealed, enabled,
            _connection, published, _active, draining,
        ) = rows[0]  # fmt: skip
        if not enabled or scenario is None:
            error = NotFound("This hook is not in use.")
            raise error
        hook = await self.prepare(
            organization, hook_id, scenario, f"{connector}:{kind}", settings, sealed, published
        )
        return replace(hook, draining=draining)

    async def prepare(
        self,
        organization: UUID,
        hook_id: UUID,
        scenario: UUID,
        trigger: str,
        settings: Mapping[str, Any],
        sealed: bytes | None,
        published: int | None,
    ) -> Hook:
        """A hook from its row: ready to receive. `Misconfigured` if there is no such trigger."""
        module = self._find(trigger)
        if module is None or module.hook is None:
            raise Misconfigured(reason=f"there is no instant trigger {trigger}")
        secrets = dict(settings)
        if sealed is not None:
            keyring = await self._vault.keyring(organization)
            secrets |= msgspec.json.decode(keyring.open(sealed, hook_aad(organization, hook_id)))
        prepared = None
        if published is not None:
            try:
                prepared = await self._plans.get(organization, scenario, published)
            except JunctorError:
                prepared = (
                    None  # deliveries are stored all the same; the run will say what is wrong
                )
        answer = module.hook.answer
        if not isinstance(answer, Answer):
            answer = answer(settings)
        return Hook(
            organization_id=organization,
            id=hook_id,
            scenario_id=scenario,
            module=module,
            definition=module.hook,
            settings=settings,
            secrets=secrets,
            responds=prepared is not None and prepared.plan.respond,
            accepted=Answered(answer.status, answer.headers, answer.body),
            prepared=prepared,
            stored={
                name: value for name, value in settings.items() if name not in module.hook.at_door
            },
            inspects=module.hook.inspects(settings),
        )
