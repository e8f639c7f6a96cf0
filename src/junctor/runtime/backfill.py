"""Gap repair: what a hook's vendor would have told while nobody listened is fetched and delivered.

What is fetched goes the way of every delivery: its dedup key is looked up among those of the last
days, it is stored in the inbox and run as if it had come by itself. So what came already is
recognised, and a repair may be repeated, interrupted, or run while the vendor sends again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from junctor.adapters.postgres.hot import Line, PostgresInbox
from junctor.errors import BundleInvalid, Misconfigured, NotFound
from junctor.language.connector import Connector, Delivery, Missed, ModuleDef, Request, Response
from junctor.language.ids import Ids
from junctor.language.recovery import ADDRESS
from junctor.ports.catalog import Hook as Listed
from junctor.ports.inbox import NewDelivery
from junctor.ports.vault import Vault
from junctor.runtime.envelope import pack_call
from junctor.runtime.hooks import Hook, Hooks, plain_key
from junctor.runtime.outcomes import refusal
from junctor.runtime.plans import Plans

__all__ = ["HORIZON", "Filled", "Filler", "can_fill"]

HORIZON = timedelta(days=7) - timedelta(hours=1)
"""How far back: what came before that is no longer remembered, and would be done twice."""
BATCH = 500
MOST_REQUESTS = 10_000
"""A backfill that asks for more is going round in circles."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What a repair of one hook found."""

    hook_id: UUID
    since: datetime
    listed: int
    """What happened since, by the vendor's account."""
    stored: int
    """New to us: these run."""
    known: int
    """Came already."""
    unidentified: int
    """Without a dedup key, and therefore left alone."""


class Sender(Protocol):
    """Signs a request with a connection and sends it (`runtime.accounts.Accounts`)."""

    async def send(self, organization_id: UUID, connection_id: UUID, request: Request) -> Response:
        """The vendor's complete answer, whatever its status."""
        ...


def can_fill(module: ModuleDef | None) -> bool:
    """Whether deliveries of a trigger can be fetched afterwards."""
    return module is not None and module.hook is not None and module.hook.backfill is not None


class Filler:
    """Repairs hooks' gaps."""

    def __init__(
        self,
        line: Line,
        *,
        find: Callable[[str], ModuleDef | None],
        connector: Callable[[str], Connector | None],
        sender: Sender,
        vault: Vault,
        ids: Ids,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._find = find
        self._connector = connector
        self._sender = sender
        self._ids = ids
        self._clock = clock
        self._inbox = PostgresInbox(line)
        self._hooks = Hooks(line, Plans(line, find), find, vault)

    async def fill(self, listed: Listed, since: datetime) -> Filled:
        """Fetches and stores what happened at ``since`` or later.

        `BundleInvalid` if that is longer ago than dedup keys are remembered; `Misconfigured` if the
        trigger has no backfill or the hook no connection; what the vendor refuses with, and then
        nothing is stored.
        """
        now, since = self._clock(), since.replace(microsecond=0)  # vendors' dates have seconds
        if since < now - HORIZON:
            raise BundleInvalid(
                field="since",
                reason=f"{since.isoformat()} is more than {HORIZON.days + 1} days ago, and what "
                "came then is no longer remembered: it would be done again",
            )
        if listed.connection_id is None:
            raise Misconfigured(
                reason=f"the hook '{listed.name}' has no connection to ask with; choose one, and "
                "activate the scenario again"
            )
        hook = await self._hooks.get(listed.token)
        missed = [each for each in await self._missed(listed, hook, since) if each.at >= since]
        missed.sort(key=lambda each: each.at)
        made = [self._delivery(hook, each, now) for each in missed]
        # A batch may hold a key once only; of what is listed twice the first counts.
        first = {each.key: each for each in reversed(made) if each.key is not None}
        waiting = [each for each in made if each.key is not None and first[each.key] is each]
        known = 0
        for start in range(0, len(waiting), BATCH):
            told = await self._inbox.accept(waiting[start : start + BATCH])
            if None in told.values():
                raise NotFound(what="The scenario of this hook")
            known += len(told)
        return Filled(
            hook_id=listed.id,
            since=since,
            listed=len(missed),
            stored=len(waiting) - known,
            known=known,
            unidentified=sum(each.key is None for each in made),
        )

    async def _missed(self, listed: Listed, hook: Hook, since: datetime) -> list[Missed]:
        backfill = hook.definition.backfill
        if backfill is None:
            raise Misconfigured(
                reason=f"{hook.module.id} can't say what it missed; its vendor has no such list"
            )
        assert listed.connection_id is not None
        flow = backfill(since, {**hook.settings, ADDRESS: f"/hook/{listed.token}"})
        try:
            request = next(flow)
            for _ in range(MOST_REQUESTS):
                response = await self._sender.send(
                    hook.organization_id, listed.connection_id, request
                )
                if not 200 <= response.status < 300 and request.raises:
                    raise refusal(self._connector(listed.connector), response, "read")
                request = flow.send(response)
        except StopIteration as stop:
            return list(stop.value)
        finally:
            flow.close()
        raise Misconfigured(reason=f"the backfill of {hook.module.id} does not end")

    def _delivery(self, hook: Hook, missed: Missed, now: datetime) -> NewDelivery:
        """The delivery that the vendor would have made."""
        if missed.form:
            kind = "application/x-www-form-urlencoded"
            body = urlencode({name: str(value) for name, value in missed.body.items()}).encode()
        else:
            kind, body = "application/json", msgspec.json.encode(dict(missed.body))
        delivery = Delivery(
            id="",
            method="POST",
            query=(),
            headers={"content-type": kind, "content-length": str(len(body))},
            body=body,
            received_at=now,
            settings=hook.stored,
        )
        key = plain_key(missed.key) if missed.key else hook.dedup_key(delivery)
        return NewDelivery(
            hook.organization_id,
            self._ids.new(),
            hook.scenario_id,
            hook.order_key(delivery),
            hook.id,
            pack_call(delivery),
            key,
            None,
        )
