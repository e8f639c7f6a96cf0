"""Hooks by their token: kept ready for the door.

A kept hook may be used for a while after a change; that one is unknown or gone is only ever said by
the database.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog

from junctor.adapters.postgres.hot import Line, is_lost
from junctor.engine.plan import Plan
from junctor.errors import JunctorError, Misconfigured, NotFound
from junctor.language.connector import Answer, Delivery, HookDef, ModuleDef
from junctor.language.expressions import Scope
from junctor.language.values import to_text
from junctor.ports.inbox import Answered
from junctor.ports.vault import Keyring, Vault
from junctor.runtime.plans import Plans, Prepared

__all__ = ["MOST_KEPT", "Away", "Draining", "Hook", "Hooks", "Moved", "hook_aad", "plain_key"]

KEEP_SECONDS = 60.0
"""At least; a change is told (`junctor_hooks`), this is the net. They expire at different times."""
MOST_KEPT = 10_000
"""Hooks."""
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


class Moved(JunctorError):
    """This hook was given to another scenario just now. Please send it again."""

    code = "moved"
    status = 503
    retry_after = 1.0


class Away(JunctorError):
    """It can't be said now whether there is a hook at this address. Please send it again."""

    code = "away"
    status = 503
    retry_after = 5.0


class Hooks:
    """Finds hooks by token. ``ready``: those once known can be used while the database is away."""

    def __init__(
        self,
        line: Line,
        plans: Plans,
        find: Callable[[str], ModuleDef | None],
        vault: Vault,
        *,
        ready: bool = False,
    ) -> None:
        self._line = line
        self._plans = plans
        self._find = find
        self._vault = vault
        self._cache: dict[str, tuple[float, Hook]] = {}
        self._forgotten = 0
        self._ready = ready
        self.rings: dict[UUID, Keyring] = {}
        """Keys of the organisations whose hooks were prepared, if ``ready``."""

    def forget(self) -> None:
        """Something about hooks changed: the database is asked before any is used again."""
        if self._ready:
            # An outage may come before it is asked: then what was known must serve.
            self._cache = {token: (0.0, hook) for token, (_, hook) in self._cache.items()}
        else:
            self._cache.clear()
        self._forgotten += 1

    def drop(self, token: str) -> None:
        """This one is not as it was known here: the database is asked before it is used again."""
        self._cache.pop(token, None)

    async def make_ready(self, tokens: Iterable[str], pause: float = 0.005) -> None:
        """Prepares these hooks, and drops all others; gently, as others are at work."""
        wanted = set(tokens)
        for token in [token for token in self._cache if token not in wanted]:
            del self._cache[token]
        for token in wanted:
            try:
                await self.get(token)
            except NotFound:
                self._cache.pop(token, None)
            except JunctorError as error:
                log.info("hook_not_ready", error=error.message)
            await asyncio.sleep(pause)

    async def get(self, token: str, *, away: bool = False) -> Hook:
        """The hook; `NotFound` if there is none, or none in use.

        ``away``: the database can't be asked, so what was known must do; `Away` for all others.
        """
        kept = self._cache.get(token)
        if kept is not None and (away or kept[0] > time.monotonic()):
            return kept[1]
        if away:
            raise Away
        before = self._forgotten
        try:
            hook = await self._load(token)
        except Exception as error:
            if kept is None or not is_lost(error):
                raise
            # Nothing can be stored with it before the database is back, which then knows better.
            return kept[1]
        if before == self._forgotten:  # else it may be read from before the change
            if len(self._cache) > MOST_KEPT:
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
        await self.keep_ring(organization)
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

    async def keep_ring(self, organization: UUID) -> None:
        """Keeps an organisation's key at hand, if they are kept `ready`. Without it, deliveries are
        taken as long as the database is there, and not spooled.
        """
        if not self._ready:
            return
        try:
            self.rings[organization] = await self._vault.keyring(organization)
        except JunctorError as error:
            log.warning("no_key_for_spool", organization=str(organization), error=error.message)
