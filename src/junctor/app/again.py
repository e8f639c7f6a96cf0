"""Runs done again: a stopped one with other bundles or on another version; any from its trigger.

A new run begins with a journal made of another's (`runtime.repeats`); then a worker goes on with it
as with one that waited. So nothing is done twice that is not to be.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from junctor.adapters.postgres.database import Connection, unlocked
from junctor.adapters.postgres.queries import load as queries
from junctor.app.approvals import end_waits
from junctor.app.core import Core
from junctor.app.edits import Edit, check_counts, patched
from junctor.app.not_kept import check_erased, check_kept, forgotten
from junctor.app.running import Piece, journal_of, resolve
from junctor.engine.commands import Address
from junctor.engine.journal import Journal, Tag, encode_segment
from junctor.engine.nodes import Path, Step
from junctor.engine.plan import downstream
from junctor.errors import Conflict, JunctorError, Misconfigured, NotFound, VendorUnavailable
from junctor.language import ids
from junctor.language.connector import Bundle
from junctor.ports.catalog import Run, Scenario
from junctor.runtime.flight import segment_aad
from junctor.runtime.held import Held, counts, held
from junctor.runtime.plans import Plans, Prepared
from junctor.runtime.repeats import Past, Repeat, begins, look, records_of
from junctor.runtime.retold import Answers, tell

__all__ = ["Source", "Version", "opened", "prepared_of", "replay", "retry", "version_of"]

Version = int | Literal["newest", "draft"] | None
"""Which one: by number, the one that runs now (the draft, if none does), the draft; ``None``: the
run's own.
"""
_UNDONE = frozenset({Step.PURE, Step.SET, Step.GET, Step.AGGREGATE, Step.JOIN, Step.STREAM})
"""What the engine does by itself: it can be done again."""
_MANUAL = "~manual"
"""The order key of runs that somebody starts: they stand in no line, scenario on or off."""

Change = tuple[int, int, Path, Bundle]


@dataclass(frozen=True, slots=True)
class Source:
    """A run and all that is recorded of it."""

    run: Run
    pieces: Sequence[Piece] = field(repr=False)
    past: Past
    seq: int
    """The number of its next segment: if that is another by now, this is not all any more."""

    def records(self) -> Iterable[list[Any]]:
        """Its records, in order."""
        return records_of(self.pieces)

    @property
    def shown(self) -> str:
        """Its id, as people see it."""
        return ids.show("run", self.run.id)


async def opened(core: Core, organization_id: UUID, run_id: UUID) -> Source:
    """The run, read whole. `NotKept` if its journal was removed; `NotFound` says if the run may
    have been forgotten.
    """
    try:
        run = await core.catalog.run(organization_id, run_id)
    except NotFound as error:
        raise forgotten(run_id, error, datetime.now(UTC)) from error
    pieces, seq = await journal_of(core, run)
    if not pieces:
        await check_kept(core, run)
    return Source(run, pieces, look(records_of(pieces)), seq)


def version_of(scenario: Scenario, wanted: Version, own: int) -> int:
    """A version's number."""
    if wanted is None:
        return own
    if wanted == "newest":
        return scenario.published or scenario.draft
    return scenario.draft if wanted == "draft" else wanted


async def prepared_of(core: Core, scenario: Scenario, version: int) -> Prepared:
    """A version, compiled; what is wrong with its blueprint is raised."""
    line = core.services.tools.line
    assert line is not None  # every process that has a core has one
    plans = Plans(line, core.registry.find)
    return await plans.get(scenario.organization_id, scenario.id, version)


async def retry(
    core: Core,
    organization_id: UUID,
    run_id: UUID,
    *,
    actor: str,
    edits: Sequence[Edit] = (),
    version: Version = None,
    start: int | None = None,
) -> Run:
    """An incomplete run goes on: from where it stopped, with bundles as they are edited.

    With a ``version``, or a module to ``start`` from that stands before the failed one, a new run
    takes its place: it keeps what is recorded, but for that module and what follows it on the way
    that failed. `Conflict` if the run is not incomplete, or a worker is at it just now.
    """
    if not edits and version is None and start is None:
        return await resolve(core, organization_id, run_id, actor=actor, verb="retry")
    source = await opened(core, organization_id, run_id)
    _check_stopped(source.run)
    scenario = await core.catalog.scenario(organization_id, source.run.scenario_id)
    number = version_of(scenario, version, source.run.version)
    at = source.past.failed
    if at is None:
        raise Conflict(
            f"{source.shown} stopped before it had done anything: nothing of it can be edited or "
            "done on another version. Retry it as it is, or replay it.",
            run=source.shown,
        )
    own = await prepared_of(core, scenario, source.run.version)
    changes = edited(source, own, at, edits, start=start)
    if start is None and number == source.run.version:
        if not edits:
            return await resolve(core, organization_id, run_id, actor=actor, verb="retry")
        await _edit(core, source, changes)
        run_id_now = run_id
    else:
        run_id_now = await _supersede(core, source, scenario, number, at, start, changes, actor)
    await core.catalog.note(
        organization_id,
        actor=actor,
        verb="run.retry",
        object=source.shown,
        details={
            "edited": sorted({change[1] for change in changes}),
            "version": number,
            "from": start,
            "as": ids.show("run", run_id_now),
        },
    )
    return await core.catalog.run(organization_id, run_id_now)


async def replay(
    core: Core,
    organization_id: UUID,
    run_id: UUID,
    *,
    actor: str,
    version: Version = None,
    start: int | None = None,
    same: bool = False,
) -> Run:
    """The run once more, for real: from its trigger's bundles, or from a module on, as a new run.

    What stands before that module is not done again. ``same``: with the run's own now and random
    numbers. `Conflict` if nothing is recorded to begin with, or an outcome before ``start`` is
    unknown; `NotKept` if it is not kept any more, or somebody was erased from it.
    """
    source = await opened(core, organization_id, run_id)
    scenario = await core.catalog.scenario(organization_id, source.run.scenario_id)
    number = version_of(scenario, version, source.run.version)
    if start is not None:
        _check_applied(source)
    prepared = await prepared_of(core, scenario, number)
    made = Repeat(
        past=source.past,
        prepared=prepared,
        run_id="",
        origin=source.shown,
        detail=scenario.detail,
        start=start,
        same=same,
    )
    check_erased(source.shown, made.kept(source.records()))
    new = await _begin(core, source, scenario, made, actor=actor, order_key=_MANUAL)
    await core.catalog.note(
        organization_id,
        actor=actor,
        verb="run.replay",
        object=source.shown,
        details={"version": number, "from": start, "as": ids.show("run", new)},
    )
    return await core.catalog.run(organization_id, new)


def edited(
    source: Source,
    prepared: Prepared,
    at: Address,
    edits: Sequence[Edit],
    *,
    start: int | None = None,
) -> list[Change]:
    """What the edits come to: the bundles themselves, and those that are computed of them between
    there and the failed operation. What was sent in between stays as it was. ``start``: from this
    module on, all is done anew.
    """
    if not edits:
        return []
    plan = prepared.plan
    before = held(plan, source.past, source.records(), at)
    changes: dict[tuple[int, int, Path], Bundle] = {}
    for edit in edits:
        if edit.module not in plan.nodes:
            raise Misconfigured(
                f"There is no module {edit.module} in version {plan.version}; its modules are "
                f"{', '.join(map(str, sorted(plan.nodes)))}.",
                module=edit.module,
            )
        if edit.module == at.module:
            raise Misconfigured(
                f"Module {at.module} failed, so it gave nothing that could be edited; edit what a "
                "module before it gave.",
                module=at.module,
            )
        known = before.get(edit.module)
        paths = [known.path] if known else [at.path[:n] for n in range(len(at.path) + 1)]
        places = [(at.cycle, edit.module, path) for path in paths]
        now = changes.get(places[0], known.bundle if known else None)
        bundle = patched(edit, now)
        changes |= dict.fromkeys(places, bundle)
    given = [(*place, bundle) for place, bundle in changes.items()]
    anew = frozenset[int]()
    if start is not None and start in plan.nodes:
        anew = downstream(plan, start)
    for module in {edit.module for edit in edits}:
        for each in _computed(source, prepared, at, module, given, before, anew):
            changes.setdefault((each.cycle, each.module, each.path), each.bundle)
    return [(*place, bundle) for place, bundle in changes.items()]


def _computed(
    source: Source,
    prepared: Prepared,
    at: Address,
    module: int,
    given: Sequence[Change],
    before: dict[int, Held],
    anew: frozenset[int],
) -> list[Held]:
    """What pure modules after an edited one give now, where that is something else."""
    later = downstream(prepared.plan, module)
    values = source.past.values.items()
    past = replace(  # what was changed before, and comes of what is changed now, is computed anew
        source.past,
        values={
            name: value
            for name, value in values
            if not (name.startswith("edit ") and value[1] in later)
        },
    )
    again = Repeat(
        past=past, prepared=prepared, run_id=source.shown, origin=source.shown,
        detail="full", start=module, cycle=at.cycle, way=at.path, same=True, edits=given,
    )  # fmt: skip
    told = tell(
        prepared,
        again.segments(source.records()),
        Answers(source.records()),
        run_id=source.shown,
        now=source.run.started_at,
    )
    had = counts(prepared.plan, source.records(), at)
    check_counts(had, counts(prepared.plan, told.records, at), anew)
    after = held(prepared.plan, Past(), told.records, at)
    nodes = prepared.plan.nodes
    return [
        each
        for number, each in after.items()
        if nodes[number].step in _UNDONE
        and number in before
        and (each.path, each.bundle) != (before[number].path, before[number].bundle)
    ]


def _check_stopped(run: Run) -> None:
    if run.state != "incomplete":
        hint = " Settle it first." if run.state == "uncertain" else ""
        raise Conflict(
            f"The run is {run.state}; only an incomplete one can be retried.{hint}",
            state=run.state,
            run=ids.show("run", run.id),
        )


def _check_applied(source: Source) -> None:
    if source.past.staged:
        raise Conflict(
            f"{source.shown} has written records that are not applied, as it has not come to its "
            "commit; another run can't take them over. Retry it as it is, or repeat it from its "
            "trigger.",
            run=source.shown,
        )


def _check_key(source: Source, prepared: Prepared, at: Address) -> None:
    """What was perhaps done may be repeated under the vendor's key of that run, and no other's."""
    node = prepared.plan.nodes.get(at.module)
    keyed = node is not None and node.definition is not None and node.definition.effect == "keyed"
    error = source.run.error or {}
    if keyed and error.get("code") == VendorUnavailable.code:
        raise Conflict(
            f"Module {at.module} had no complete answer, and its vendor knows a repetition by a "
            f"key of {source.shown}: retry that run as it is, or replay it.",
            run=source.shown,
            module=at.module,
        )


def _check_known(source: Source, made: Repeat) -> None:
    """What was perhaps sent is not sent by another run: its worker died with it, or a lane of it
    had no complete answer.
    """
    keep = made.keeps()
    for at in sorted(source.past.unknown):
        if not keep([Tag.INTENT, *at]):
            raise Conflict(
                f"Whether module {at.module} did what {source.shown} sent is unknown, and another "
                "run would send it again: retry that run as it is; it says then what is to be "
                "settled.",
                run=source.shown,
                module=at.module,
            )


async def _edit(core: Core, source: Source, changes: Sequence[Change]) -> None:
    """The journal gets the changed bundles, and the run is due: both or neither."""
    run, journal = source.run, Journal()
    for number, (cycle, module, path, bundle) in enumerate(changes, source.past.next_edit):
        journal.value(f"edit {number}", [cycle, module, list(path), bundle])
    segment = journal.take()
    assert segment is not None  # edits were given
    for name, content in segment.blobs.items():
        await core.blobs.put(run.organization_id, run.id, name, content)
    keyring = await core.vault.keyring(run.organization_id)
    aad = segment_aad(run.organization_id, run.id, source.seq)
    values = {
        **_names(run),
        "retention": run.retention,
        "seq": source.seq,
        "data": keyring.seal(encode_segment(segment.raw), aad),
        "blobs": list(segment.blobs),
    }

    async def written() -> None:
        async with _transaction(core) as connection:
            await _hold(connection, source)
            for query in ("append", "edited", "wake"):
                await connection.execute(queries("again")[query], values)

    await unlocked(written)


@asynccontextmanager
async def _transaction(core: Core) -> AsyncIterator[Connection]:
    async with core.engine.connection() as connection, connection.transaction():
        yield connection


async def _hold(connection: Connection, source: Source) -> None:
    """Until the transaction ends, no worker begins with the stopped run. `Conflict` if one may be
    at it now, or was since it was read, or it is not incomplete any more.

    Whoever owns the scenario can't renew its lease meanwhile: this comes last, after what is long.
    """
    found, run = queries("again"), source.run
    cursor = await connection.execute(found["hold"], _names(run))
    owner = await cursor.fetchone()
    cursor = await connection.execute(found["stopped"], _names(run))
    row = await cursor.fetchone()
    state, _, soon, seq = row or ("discarded", "", False, 0)
    _check_stopped(replace(run, state=state))
    if soon and owner is not None:
        if owner[0]:
            raise Conflict(
                "The run is being tried again just now; ask again in a moment.", run=source.shown
            )
        await connection.execute(found["forget"], _names(run))
    if seq != source.seq:
        raise Conflict(
            "The run was tried again meanwhile, and may have come further: look at it anew.",
            run=source.shown,
        )


def _names(run: Run) -> dict[str, Any]:
    return {
        "organization": run.organization_id,
        "run": run.id,
        "scenario": run.scenario_id,
        "order_key": run.order_key,
    }


async def _supersede(
    core: Core,
    source: Source,
    scenario: Scenario,
    number: int,
    at: Address,
    start: int | None,
    changes: Sequence[Change],
    actor: str,
) -> UUID:
    """A new run in the place of a stopped one; its id."""
    _check_applied(source)
    prepared = await prepared_of(core, scenario, number)
    _check_key(source, prepared, at)
    module = begins(prepared.plan, at, start)
    made = Repeat(
        past=source.past, prepared=prepared, run_id="", origin=source.shown, edits=changes,
        detail=scenario.detail, start=module, cycle=at.cycle, way=at.path, same=True, instead=True,
    )  # fmt: skip
    _check_known(source, made)
    key = source.run.order_key
    return await _begin(core, source, scenario, made, actor=actor, order_key=key, instead=True)


async def _begin(
    core: Core,
    source: Source,
    scenario: Scenario,
    made: Repeat,
    *,
    actor: str,
    order_key: str,
    instead: bool = False,
) -> UUID:
    """Stores a new run that a worker goes on with; all of it, or nothing."""
    organization_id, run_id = source.run.organization_id, core.ids.new()
    repeat = replace(made, run_id=ids.show("run", run_id))
    keyring = await core.vault.keyring(organization_id)
    rows: list[dict[str, Any]] = []
    base = {"organization": organization_id, "run": run_id, "retention": scenario.retention}
    try:
        for file, size in repeat.files(source.records()).items():
            stream = core.blobs.stream(organization_id, source.run.id, file, size)
            await core.blobs.put_stream(organization_id, run_id, file, stream)
        for seq, segment in enumerate(repeat.segments(source.records())):
            for name, content in segment.blobs.items():
                await core.blobs.put(organization_id, run_id, name, content)
            sealed = keyring.seal(
                encode_segment(segment.raw), segment_aad(organization_id, run_id, seq)
            )
            rows.append({**base, "seq": seq, "data": sealed, "blobs": list(segment.blobs)})
        values = {
            **base,
            "scenario": scenario.id,
            "version": repeat.prepared.version,
            "order_key": order_key,
            "actor": actor,
            "segments": len(rows),
            "origin": source.run.id,
            "edited": bool(repeat.edits) or repeat.keeps_edits,
        }

        async def written() -> None:
            async with _transaction(core) as connection:
                await _store(connection, rows, values)
                if instead:
                    await _hold(connection, source)
                    await end_waits(connection, source.run)
                    superseded = {**_names(source.run), "by": run_id}
                    await connection.execute(queries("again")["supersede"], superseded)
                await connection.execute(queries("again")["wake"], values)

        await unlocked(written)
    except JunctorError:  # of anything else, nobody knows whether it was stored all the same
        await core.blobs.delete(organization_id, run_id)
        raise
    return run_id


async def _store(
    connection: Connection, rows: Sequence[dict[str, Any]], values: dict[str, Any]
) -> None:
    found = queries("again")
    for row in rows:
        await connection.execute(found["append"], row)
    await connection.execute(found["begin"], values)
