"""Waits for a delivery or a person: opened with the run's commit, answered once, closed once.

The row in the database decides. A run that waits has left its worker; whoever answers makes it due;
the worker that takes it up again closes the row, and what it was closed with is what the run goes
on with at every replay. A delivery is looked at when it is taken from the inbox; one that came
before the wait opened is found by looking back; one that nobody may take, as another run stands
before it, is looked at where it lies (docs/waits.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog

from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.waits import PostgresWaits, Seen, Stuck, WaitedHook
from junctor.engine.commands import Outcome, Wait
from junctor.engine.journal import Tag, decode_segment
from junctor.errors import BundleInvalid, Fault, JunctorError, Misconfigured, NotFound, StaleFence
from junctor.language import ids
from junctor.language.asks.waits import (
    AwaitApproval,
    AwaitDelivery,
    comparable,
    matches,
)
from junctor.language.connector import Bundle, Connector, Delivery, ModuleDef
from junctor.ports.backlog import Claim, Taken
from junctor.ports.blobs import Blobs
from junctor.ports.ledger import WaitRow
from junctor.ports.vault import Keyring, Vault
from junctor.runtime.approvals import sealed_question
from junctor.runtime.behind import Behind
from junctor.runtime.envelope import unpack
from junctor.runtime.flight import Flight, segment_aad
from junctor.runtime.keeper import Keeper
from junctor.runtime.plans import Prepared

__all__ = ["LONGEST_BACK", "Waiting", "pack_answer", "wait_aad"]

log = structlog.get_logger(__name__)

LONGEST_BACK = timedelta(hours=1)
"""How far a wait looks back, whatever the run or its module says."""
MOST_BACK = 200
"""Deliveries of each kind that it looks at."""
AGAIN = 15.0
"""Seconds until another worker looks back, if the first one ends before it has."""
STUCK_SECONDS = 1.0
"""Between looks at deliveries that nobody may take."""


def wait_aad(organization_id: UUID, wait_id: UUID, what: str) -> bytes:
    """What a wait's content is sealed to: ``question``, ``match`` or ``answer``."""
    return organization_id.bytes + wait_id.bytes + what.encode()


def pack_answer(keyring: Keyring, organization_id: UUID, wait_id: UUID, answer: Bundle) -> bytes:
    """An answer as the wait's row keeps it. `Fault` if it can't be kept."""
    try:
        plain = _encoder.encode(answer)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Fault(reason=f"the answer to a wait can't be kept ({error})") from error
    return keyring.seal(plain, wait_aad(organization_id, wait_id, "answer"))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__}")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)


class Waiting:
    """Opens, answers and closes waits. One per worker process."""

    def __init__(
        self,
        line: Line,
        *,
        vault: Vault,
        blobs: Blobs,
        connector: Callable[[str], Connector | None],
    ) -> None:
        self._waits = PostgresWaits(line)
        self._vault = vault
        self._blobs = blobs
        self._connector = connector
        self._behind = Behind(self._waits)

    async def wait(self, flight: Flight, wait: Wait, keeper: Keeper, now: float) -> Outcome | None:
        """What came of it; ``None`` if the run left its worker to wait.

        An outcome with an error if it can't be opened. Raises `StaleFence`.
        """
        organization = flight.claim.organization_id
        wait_id = ids.derived(flight.run_id, "wait", *wait.address[:3])
        awaited = wait.awaited
        assert isinstance(awaited, AwaitDelivery | AwaitApproval)
        try:
            known = await self._waits.known(organization, wait_id)
            if known is None:
                row = await self._row(flight, wait, wait_id, awaited)
                await self._open(flight, wait, row, keeper, now)
                known = await self._waits.known(organization, wait_id)
                if known is None:
                    raise Misconfigured(
                        reason=f"the link of module {wait.address.module} is used by another wait; "
                        "make one of its own for each"
                    )
            else:
                flight.awaits = True
                await keeper.settled(flight)
            _, looked = known
            if not looked and isinstance(awaited, AwaitDelivery):
                await self._look_back(flight, wait_id, awaited, known[0])
        except StaleFence:
            raise
        except JunctorError as error:
            if flight.awaits:  # it is open, and the run may go on without it
                await self._waits.still(organization, wait_id)
            return Outcome(error=error)
        if await self._waits.sleep(organization, wait_id, flight.run_id, row_kind(awaited)):
            assert flight.steps is not None
            flight.steps.close()
            flight.state = "waiting"
            return None
        if isinstance(awaited, AwaitDelivery):
            await self._look_late(flight, wait_id, known[0])
        ended = await self._waits.close(organization, wait_id)
        if ended is None:
            raise Fault(reason=f"the wait of module {wait.address.module} is gone")
        if ended.over:  # somebody has discarded it while it looked back: it does nothing more
            raise StaleFence
        answer = None
        if ended.answer is not None:
            aad = wait_aad(organization, wait_id, "answer")
            answer = msgspec.msgpack.decode(flight.keyring.open(ended.answer, aad))
        flight.unsaved, flight.awaits = True, False
        return Outcome(bundles=[awaited.outcome(answer, ended.waited)])

    async def _open(
        self, flight: Flight, wait: Wait, row: WaitRow, keeper: Keeper, now: float
    ) -> None:
        """One commit: the journal says that the run waits, so does its row, and for what."""
        flight.journal.wait(wait.address, now + row.seconds)
        # Until it has looked back, it is soon due again: a worker may end in between.
        soon = min(float(row.seconds), AGAIN if row.kind == "delivery" else row.seconds)
        due = datetime.fromtimestamp(now + soon, UTC)
        future = keeper.flush(flight, due=due, opens=row)
        assert future is not None
        if not await future:
            raise StaleFence
        flight.stored, flight.awaits = False, True

    async def _row(
        self, flight: Flight, wait: Wait, wait_id: UUID, awaited: AwaitDelivery | AwaitApproval
    ) -> WaitRow:
        """The row to open. `JunctorError` on what nobody could answer."""
        organization = flight.claim.organization_id
        seconds = max(1, round(wait.seconds))
        if isinstance(awaited, AwaitApproval):
            sealed, token_hash = sealed_question(flight.keyring, organization, wait_id, awaited)
            _, used = await self._waits.before(organization, flight.run_id, token_hash)
            if used:
                raise BundleInvalid(
                    field="link", reason="it was used by another wait; make one for each"
                )
            return WaitRow(
                wait_id, wait.address.module, "approval", seconds, sealed, token_hash=token_hash
            )
        hook = await self._hook(organization, awaited.hook, wait_id)
        if not hook.active:
            raise Misconfigured(
                reason=f"the hook {hook.name!r} takes nothing in, as it is off or its scenario is "
                "not active; activate it, or wait for another"
            )
        wanted = _wanted(awaited)
        country = flight.prepared.country if flight.prepared is not None else ""
        sealed = flight.keyring.seal(
            msgspec.msgpack.encode([wanted, country]), wait_aad(organization, wait_id, "match")
        )
        since = awaited.since
        if since is None:
            before, _ = await self._waits.before(organization, flight.run_id, None)
            since = max(flight.started_at, before) if before is not None else flight.started_at
        return WaitRow(
            wait_id, wait.address.module, "delivery", seconds, sealed, hook.id, None, since,
            awaited.also,
        )  # fmt: skip

    async def _hook(self, organization: UUID, said: str, wait_id: UUID) -> WaitedHook:
        hook_id = None
        if said.startswith("hok_"):
            try:
                hook_id = ids.read("hok", said)
            except NotFound as error:
                raise BundleInvalid(field="hook", reason=error.message) from error
        found = await self._waits.hook(organization, hook_id=hook_id, name=said, wait_id=wait_id)
        if not found:
            raise Misconfigured(reason=f"there is no hook {said!r}; `junctor hooks list` names all")
        if len(found) > 1:
            shown = ", ".join(ids.show("hok", each.id) for each in found)
            raise Misconfigured(reason=f"several hooks are called {said!r}; give one's id: {shown}")
        return found[0]

    # Deliveries.

    async def offer(self, claim: Claim, prepared: Prepared, delivery: Taken) -> UUID | None:
        """The run that a delivery is given to; ``None``: it starts its own scenario."""
        if delivery.watched is None:
            return None
        head = prepared.plan.head
        definition = head.definition if head is not None else None
        bundles = _bundles(definition, delivery)
        return await self._offered(
            claim.organization_id, delivery.watched, delivery.id, delivery.received_at, bundles,
            fence=(claim.scenario_id, claim.fence),
        )  # fmt: skip

    async def _offered(
        self,
        organization: UUID,
        hook_id: UUID,
        delivery: UUID,
        received_at: datetime,
        bundles: list[Bundle],
        *,
        fence: tuple[UUID, int] | None = None,
    ) -> UUID | None:
        keyring = await self._vault.keyring(organization)
        offered = (organization, hook_id, delivery, received_at)
        for wait in await self._waits.watching(*offered):
            if wait.taken:
                return None if wait.also else wait.run_id
            bundle = _fitting(keyring, organization, wait.id, wait.sealed, bundles)
            if bundle is None:
                continue
            answer = pack_answer(keyring, organization, wait.id, {"bundle": bundle})
            if await self._waits.answer(
                organization, wait.id, answer,
                by="delivery", delivery=delivery, came=received_at, fence=fence,
            ):  # fmt: skip
                return None if wait.also else wait.run_id
            # Answered or over just now; or it looked back, and found this very delivery.
            first = (await self._waits.watching(*offered))[:1]
            if first and first[0].taken:
                return None if first[0].also else first[0].run_id
        return None

    async def _look_back(
        self, flight: Flight, wait_id: UUID, awaited: AwaitDelivery, sealed: bytes
    ) -> None:
        """Answers the wait with a delivery that came before it opened, if one fits."""
        organization = flight.claim.organization_id
        hook = await self._hook(organization, awaited.hook, wait_id)
        floor = datetime.now(UTC) - LONGEST_BACK
        since = max(hook.since or floor, floor)
        connector = self._connector(hook.connector)
        definition = connector.modules.get(hook.kind) if connector is not None else None
        for seen in await self._waits.seen(organization, hook, since, flight.run_id, MOST_BACK):
            bundles = await self._bundles_of(organization, flight.keyring, definition, seen)
            bundle = _fitting(flight.keyring, organization, wait_id, sealed, bundles)
            if bundle is not None:
                answer = pack_answer(flight.keyring, organization, wait_id, {"bundle": bundle})
                await self._waits.answer(
                    organization, wait_id, answer, by="delivery", delivery=seen.id
                )
                return

    async def _look_late(self, flight: Flight, wait_id: UUID, sealed: bytes) -> None:
        """Answers a wait whose time is over with what came before that, if nobody looked at it."""
        organization = flight.claim.organization_id
        for stuck in await self._waits.late(organization, wait_id, MOST_BACK):
            bundle = _fitting(
                flight.keyring, organization, wait_id, sealed, self._bundles_of_stuck(stuck)
            )
            if bundle is not None:
                answer = pack_answer(flight.keyring, organization, wait_id, {"bundle": bundle})
                await self._waits.answer(
                    organization, wait_id, answer,
                    by="delivery", delivery=stuck.id, came=stuck.received_at,
                )  # fmt: skip
                return

    def _bundles_of_stuck(self, stuck: Stuck) -> list[Bundle]:
        connector = self._connector(stuck.connector)
        definition = connector.modules.get(stuck.kind) if connector is not None else None
        assert stuck.payload is not None
        return _bundles(definition, Taken(stuck.id, stuck.payload, None, stuck.received_at))

    async def _bundles_of(
        self, organization: UUID, keyring: Keyring, definition: ModuleDef | None, seen: Seen
    ) -> list[Bundle]:
        if seen.payload is not None:
            return _bundles(definition, Taken(seen.id, seen.payload, None, seen.received_at))
        assert seen.data is not None
        try:
            raw = keyring.open(seen.data, segment_aad(organization, seen.id, 0))
            blobs = {
                name: await self._blobs.get(organization, seen.id, name)
                for name in seen.blobs or ()
            }
            for record in decode_segment(raw, blobs):
                if record[0] == Tag.OPERATION and not record[3]:
                    return [each for each in record[5] if isinstance(each, dict)]
        except JunctorError as error:  # a journal that can't be read answers nothing
            log.warning("not_looked_back_at", run=str(seen.id), error=error.message)
        return []

    async def watch(self, stop: asyncio.Event) -> None:
        """Looks at deliveries that nobody may take, until ``stop``: the answer to the very run
        that they stand behind may be among them.
        """
        while not stop.is_set():
            try:
                await self.look_at_stuck()
            except Exception as error:  # whatever it is: the next turn looks again
                log.warning("stuck_not_read", error=str(error))
            try:
                await asyncio.wait_for(stop.wait(), STUCK_SECONDS)
            except TimeoutError:
                continue

    async def look_at_stuck(self) -> int:
        """One look; how many runs were answered."""
        return await self._behind.look(self._offer_stuck)

    async def _offer_stuck(self, stuck: Stuck) -> bool:
        bundles = self._bundles_of_stuck(stuck)
        given = await self._offered(
            stuck.organization_id, stuck.hook_id, stuck.id, stuck.received_at, bundles
        )
        return given is not None


def row_kind(awaited: AwaitDelivery | AwaitApproval) -> str:
    """As rows and runs say it."""
    return "approval" if isinstance(awaited, AwaitApproval) else "delivery"


def _wanted(awaited: AwaitDelivery) -> dict[str, str]:
    """What must match, ready to be compared. `BundleInvalid` on what would match by accident."""
    wanted: dict[str, str] = {}
    for path, value in awaited.match:
        text = comparable(value)
        if not path.strip() or not text:
            raise BundleInvalid(
                field="match",
                reason=f"the field {path!r} must hold {text!r}; neither may be empty, as anything "
                "or nothing would match",
            )
        wanted[path.strip()] = text
    return wanted


def _bundles(definition: ModuleDef | None, delivery: Taken) -> list[Bundle]:
    """What a hook's trigger makes of a delivery; nothing, if it can't be told."""
    try:
        call = unpack(delivery.id, delivery.payload, delivery.received_at)
        if isinstance(call, Delivery) and definition is not None and definition.hook is not None:
            return [dict(bundle) for bundle in definition.function(call)]
    except Exception as error:  # its own run will say what is wrong with it
        log.info("not_offered", delivery=str(delivery.id), error=type(error).__name__)
    return []


def _fitting(
    keyring: Keyring, organization: UUID, wait_id: UUID, sealed: bytes, bundles: list[Bundle]
) -> Bundle | None:
    """The first bundle that a wait is for."""
    wanted, country = msgspec.msgpack.decode(
        keyring.open(sealed, wait_aad(organization, wait_id, "match"))
    )
    return next((each for each in bundles if matches(wanted, each, country=country)), None)
