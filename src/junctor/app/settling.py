"""Uncertain runs settled: by a person who knows, or by asking the vendor.

What is settled goes into the run's journal at the address of the operation in doubt, and the run
goes on from there. Nothing is sent here but what a probe reads; *not done* lets the run send it
again, so a probe's no counts only once the vendor can't be at it any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from psycopg import errors

from junctor.adapters.postgres.database import unlocked
from junctor.adapters.postgres.hot import is_lost
from junctor.adapters.postgres.queries import load as queries
from junctor.app.core import Core
from junctor.app.running import journal_of
from junctor.engine.journal import encode_segment
from junctor.errors import Conflict, JunctorError, Misconfigured
from junctor.language import forms, ids
from junctor.language.blueprint import load
from junctor.language.connector import Bundle, ModuleDef, Probe, Request
from junctor.language.scenario import Module
from junctor.ports.catalog import Run
from junctor.runtime.accounts import Account
from junctor.runtime.doubt import Doubt, Verdict, doubt_in, settling
from junctor.runtime.flight import segment_aad
from junctor.runtime.handles import with_handle
from junctor.runtime.outcomes import refusal

__all__ = ["Found", "Outcome", "probe_uncertain", "settle"]

log = structlog.get_logger(__name__)

Outcome = Literal["probe", "done", "not-done"]
MOST_REQUESTS = 1_000
SOON = 300.0
"""Seconds: so long after the outcome was lost, and again after a no counts, each turn looks."""
LATER = 3600
"""Seconds: after that one turn in so many does, for a day."""
MOST_RUNS = 500


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe found, or a person said."""

    verdict: Literal["done", "not-done", "unknown"]
    says: str
    bundle: Bundle = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Placed:
    """The module in doubt, as its run knows it."""

    placed: Module
    definition: ModuleDef
    bindings: Mapping[str, Any]
    zone: ZoneInfo


async def settle(
    core: Core,
    organization_id: UUID,
    run_id: UUID,
    outcome: Outcome,
    *,
    actor: str,
    bundle: Bundle | None = None,
    attempt_id: str | None = None,
    now: datetime | None = None,
) -> tuple[Run, Found]:
    """Settles what keeps an uncertain run from going on; the run as it is then.

    ``done``: it happened, and gave ``bundle`` (nothing in it, if not said). ``not-done``: it did
    not, and the run tries it again. ``probe``: the vendor is asked; what it can't tell leaves the
    run as it is; ``now`` decides whether a no counts yet. ``attempt_id`` says which attempt is
    meant (`Doubt.attempt_id`): without it, it is the one in doubt now. `Conflict` if the run is not
    uncertain, another attempt is in doubt, or somebody was faster; `Misconfigured` if its module
    can't be asked.
    """
    run = await core.catalog.run(organization_id, run_id)
    shown = ids.show("run", run_id)
    if run.state != "uncertain":
        raise Conflict(
            f"The run is {run.state}; only an uncertain one can be settled.",
            state=run.state,
            run=shown,
        )
    pieces, seq = await journal_of(core, run)
    doubt = doubt_in(pieces)
    if doubt is None:
        raise Conflict(f"Nothing of {shown} is in doubt any more.", run=shown)
    if attempt_id not in {None, doubt.attempt_id}:
        raise Conflict(
            f"The attempt {attempt_id} of {shown} is not what is in doubt now: that is "
            f"{doubt.attempt_id}. Look at it again before you settle it.",
            run=shown,
            attempt_id=doubt.attempt_id,
        )
    found = Found("done" if outcome == "done" else "not-done", "as somebody said", bundle or {})
    if outcome == "probe":
        found = await _probed(core, run, doubt, now or datetime.now(UTC))
    if found.verdict == "unknown":
        return run, found
    await _write(core, run, doubt, found.verdict, found.bundle, seq=seq, actor=actor)
    await core.catalog.note(
        organization_id,
        actor=actor,
        verb="run.settle",
        object=shown,
        details={"verdict": found.verdict, "by": outcome, "module": doubt.address.module},
    )
    return await core.catalog.run(organization_id, run_id), found


async def probe_uncertain(core: Core, *, now: float) -> dict[str, int]:
    """Looks for the effects of all uncertain runs whose module can be asked and whose turn it is;
    how many were found done, not done and unknown. ``now``: epoch seconds of this turn.
    """
    counts = {"done": 0, "not-done": 0, "unknown": 0}
    async with core.engine.connection() as connection:
        cursor = await connection.execute(queries("settling")["uncertain"], {"limit": MOST_RUNS})
        rows = await cursor.fetchall()
    for organization_id, run_id, age in rows:
        try:
            run = await core.catalog.run(organization_id, run_id)
            probe = await _probe_of(core, run)
            if probe is None or not _due(age, probe, now):
                continue
            _, found = await settle(core, organization_id, run_id, "probe", actor="probe")
            counts[found.verdict] += 1
        except Exception as error:  # whatever a vendor answered: the next turn looks again
            if is_lost(error) and not isinstance(error, JunctorError):
                raise
            said = error.message if isinstance(error, JunctorError) else type(error).__name__
            log.info("probe.failed", run=ids.show("run", run_id), error=said)
            counts["unknown"] += 1
    return counts


def _due(age: float, probe: Probe, now: float) -> bool:
    """Whether a run that has been uncertain for ``age`` seconds is looked at in this turn."""
    if age < SOON or probe.sure_after <= age < probe.sure_after + SOON:
        return True
    return int(now) % LATER < 60


async def _probe_of(core: Core, run: Run) -> Probe | None:
    if run.failed_module is None:
        return None
    found = await _placed(core, run, run.failed_module)
    return found.definition.probe if found is not None else None


async def _placed(core: Core, run: Run, number: int) -> _Placed | None:
    version = await core.catalog.version(run.organization_id, run.scenario_id, run.version)
    for placed in load(version.blueprint).scenario.modules():
        if placed.id == number:
            definition = core.registry.find(placed.module)
            if definition is None:
                return None
            organization = await core.catalog.organization(run.organization_id)
            return _Placed(placed, definition, version.bindings, ZoneInfo(organization.zone))
    return None


async def _probed(core: Core, run: Run, doubt: Doubt, now: datetime) -> Found:
    number = doubt.address.module
    found = await _placed(core, run, number)
    probe = found.definition.probe if found is not None else None
    if found is None or probe is None:
        name = f" ({found.definition.id})" if found is not None else ""
        raise Misconfigured(
            f"Module {number}{name} can't find out whether it happened. Look at the vendor, and "
            "settle the run as done or not done.",
            module=number,
        )
    if doubt.at is None:
        raise Misconfigured(
            f"The journal does not say when module {number} was tried, so it can't be looked for. "
            "Look at the vendor, and settle the run as done or not done.",
            module=number,
        )
    parameters = found.placed.parameters
    arguments = forms.bind(found.definition, doubt.arguments or {}, parameters, zone=found.zone)
    arguments = with_handle(found.definition, arguments, run.id, doubt.address)
    account = await core.accounts.of_module(
        run.organization_id,
        found.definition,
        number,
        parameters,
        doubt.arguments or {},
        found.bindings.get("connections", {}),
    )
    said = await _asked(core, found.definition, probe, arguments, doubt.at, account)
    if isinstance(said, dict):
        return Found("done", "the vendor has it", said)
    if said is None:
        return Found("unknown", "the vendor's answer does not tell")
    sure = doubt.at + timedelta(seconds=probe.sure_after)
    if now < sure:
        return Found(
            "unknown",
            f"the vendor does not have it, which counts from {sure.isoformat(timespec='seconds')}",
        )
    return Found("not-done", "the vendor does not have it")


async def _asked(
    core: Core,
    definition: ModuleDef,
    probe: Probe,
    arguments: Mapping[str, Any],
    at: datetime,
    account: Account | None,
) -> Bundle | bool | None:
    connector = core.registry.connector(definition.connector)
    flow = probe.ask(arguments, at)
    try:
        request = next(flow)
        for _ in range(MOST_REQUESTS):
            _check_reads(definition, request)
            if account is not None:
                response = await core.accounts.send_as(account, request)
            else:
                response = await core.transport.send(request)
            if not 200 <= response.status < 300 and request.raises:
                raise refusal(connector, response, "read")
            request = flow.send(response)
    except StopIteration as stop:
        said: Bundle | bool | None = stop.value
        return None if said is True else said
    finally:
        flow.close()
    raise Misconfigured(f"The probe of {definition.id} does not end.")


def _check_reads(definition: ModuleDef, request: Request) -> None:
    """A probe that would change something is a fault of its connector: searches by POST say so."""
    if request.method.upper() not in {"GET", "HEAD"} and not request.url.endswith("/search"):
        raise Misconfigured(
            f"The probe of {definition.id} would send {request.method} {request.url}; it must "
            "only read."
        )


async def _write(
    core: Core,
    run: Run,
    doubt: Doubt,
    verdict: Verdict,
    bundle: Bundle,
    *,
    seq: int,
    actor: str,
) -> None:
    organization_id = run.organization_id
    segment = settling(doubt, verdict, bundle, actor=actor)
    for name, content in segment.blobs.items():
        await core.blobs.put(organization_id, run.id, name, content)
    keyring = await core.vault.keyring(organization_id)
    sealed = keyring.seal(encode_segment(segment.raw), segment_aad(organization_id, run.id, seq))
    values = {
        "organization": organization_id,
        "run": run.id,
        "seq": seq,
        "data": sealed,
        "blobs": list(segment.blobs),
    }

    async def written() -> Any:
        async with core.engine.connection() as connection, connection.transaction():
            cursor = await connection.execute(queries("settling")["settle"], values)
            return await cursor.fetchone()

    row = None
    try:
        row = await unlocked(written)
    except errors.UniqueViolation:
        log.info("settle.late", run=str(run.id))
    if row is None:
        raise Conflict(
            "Somebody else settled or discarded this run just now.", run=ids.show("run", run.id)
        )
