"""A person's data found and erased everywhere: ``junctor erase``.

Place by place, a batch at a time; how far it came is kept, so one that was cut short goes on where
it was when the same is asked again. Done twice, the second finds nothing. Who was erased is not
written down: the audit log has a slow hash, by which somebody who asks "was I?" can be answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from psycopg.types.json import Jsonb

from junctor.adapters.postgres.queries import load
from junctor.app.core import Core
from junctor.app.erase_journal import ENDED, erase_run
from junctor.app.erase_places import PLACES, erase_page, known_tables
from junctor.app.indexing import index_run
from junctor.errors import JunctorError
from junctor.language import ids
from junctor.language.people import Person

__all__ = ["Report", "erase", "term_hash"]

log = structlog.get_logger(__name__)

_RUNS: Final = "runs"
_QUEUED: Final = "queued deliveries"
_ORDER: Final = (_QUEUED, _RUNS, *(place.name for place in PLACES))
"""First what becomes runs, then runs, then what runs wrote."""
_BATCH: Final = 100
_SHOWN: Final = 100
"""Ids of unfinished runs that a report names."""
_decode = msgspec.msgpack.Decoder().decode
_encode = msgspec.msgpack.Encoder().encode


@dataclass(slots=True, kw_only=True)
class Report:
    """What was found, by place: ``counts`` is erased (``dry_run``: would be), ``left`` was found
    and stays. ``unfinished`` runs (some of them) were rewritten, too: if they go on, it is with
    what was put in place. ``done``: false if time was up; ask the same again, and it goes on.
    """

    id: UUID
    done: bool = False
    dry_run: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Erasure:
    core: Core
    organization_id: UUID
    person: Person
    report: Report
    words: str
    thorough: bool
    include_queued: bool

    def count(self, what: str, number: int = 1) -> None:
        if number:
            self.report.counts[what] = self.report.counts.get(what, 0) + number

    def leave(self, what: str, number: int = 1) -> None:
        if number:
            self.report.left[what] = self.report.left.get(what, 0) + number


def term_hash(organization_id: UUID, person: Person) -> bytes:
    """What stands for a person in the audit log: 16 MB and some 50 ms of work a guess (scrypt),
    as phone numbers are few enough to be guessed all.
    """
    words = "\n".join(sorted(person.terms)).encode()
    return hashlib.scrypt(words, salt=organization_id.bytes, n=2**14, r=8, p=1, dklen=16)


async def erase(
    core: Core,
    organization_id: UUID,
    person: Person,
    *,
    actor: str,
    dry_run: bool = False,
    thorough: bool = False,
    include_queued: bool = False,
    within: float | None = None,
) -> Report:
    """Erases a person's data, and says what of it was where.

    ``dry_run`` only looks. ``thorough`` opens every run instead of those that the index names or
    does not hold whole. ``include_queued`` changes deliveries that wait, too. ``within``: seconds
    after which it stops at the next batch; the report then is not ``done``.
    """
    deadline = time.monotonic() + within if within is not None else None
    options = {"dry_run": dry_run, "thorough": thorough, "include_queued": include_queued}
    term = await asyncio.to_thread(term_hash, organization_id, person)
    report, place, after = await _open(core, organization_id, term, options, actor)
    report.dry_run = dry_run
    work = _Erasure(
        core, organization_id, person, report, person.wanted(), thorough, include_queued
    )
    at = _ORDER.index(place) if place in _ORDER else 0
    while at < len(_ORDER):
        after = await _step(work, _ORDER[at], after)
        if after is None:
            at += 1
        going = at < len(_ORDER)
        await _note(work, _ORDER[at] if going else None, after, ended=not going)
        if going and deadline is not None and time.monotonic() > deadline:
            return report
    report.done = True
    await core.catalog.note(
        organization_id,
        actor=actor,
        verb="erase",
        object=ids.show("era", report.id),
        details={
            "term": term.hex(),
            **options,
            "counts": report.counts,
            "left": report.left,
        },
    )
    return report


async def _step(work: _Erasure, place: str, after: Any) -> Any:
    """One batch of a place; where it goes on, ``None`` at its end."""
    if place == _RUNS:
        return await _runs(work, after)
    if place == _QUEUED:
        return await _queued(work, after)
    found = next(each for each in PLACES if each.name == place)
    keyring = await work.core.vault.keyring(work.organization_id)
    async with work.core.engine.connection() as connection:
        if found.table not in await known_tables(connection):
            return None
        count, last = await erase_page(
            connection,
            found,
            work.organization_id,
            work.person,
            after,
            keyring,
            dry=work.report.dry_run,
        )
    (work.leave if found.act == "report" else work.count)(place, count)
    return last


async def _runs(work: _Erasure, after: Any) -> Any:
    async with work.core.engine.connection() as connection:
        cursor = await connection.execute(
            load("erase")["runs"],
            {
                "organization": work.organization_id,
                "after": after,
                "thorough": work.thorough,
                "words": work.words,
                "limit": _BATCH,
            },
        )
        rows = await cursor.fetchall()
    for run_id, state in rows:
        await _run(work, run_id, state)
    return str(rows[-1][0]) if len(rows) == _BATCH else None


async def _run(work: _Erasure, run_id: UUID, state: str) -> None:
    dry = work.report.dry_run
    try:
        found = await erase_run(work.core, work.organization_id, run_id, work.person, dry=dry)
    except JunctorError as error:  # damaged, or sealed by a lost key: the others are done still
        work.leave("runs that can't be read")
        log.warning("erase.unread", run=ids.show("run", run_id), error=error.message)
        return
    for what, number in found.left.items():
        work.leave(what, number)
    if not found.any:
        return
    work.count(_RUNS)
    for what in ("segments", "blobs", "files", "values"):
        work.count(what, getattr(found, what))
    if state not in ENDED:
        work.count("unfinished runs")
        if len(work.report.unfinished) < _SHOWN:
            work.report.unfinished.append(ids.show("run", run_id))
    if not dry:
        await index_run(work.core, work.organization_id, run_id)


async def _queued(work: _Erasure, after: Any) -> Any:
    sql = load("erase")
    where: Mapping[str, Any] = {"organization": work.organization_id}
    async with work.core.engine.connection() as connection:
        cursor = await connection.execute(
            sql["inbox"], {**where, "after": after, "limit": _BATCH}, binary=True
        )
        rows = await cursor.fetchall()
    change = work.include_queued and not work.report.dry_run
    for id_, payload, order_key in rows:
        value, count = work.person.erase(_decode(payload))
        journal = await erase_run(work.core, work.organization_id, id_, work.person, dry=not change)
        if work.person.in_text(order_key):
            work.leave("order keys of queued deliveries")
        if not count and not journal.any:
            continue
        if not work.include_queued:
            work.leave(_QUEUED)
            continue
        work.count(_QUEUED)
        if change and count:
            async with work.core.engine.connection() as connection:
                await connection.execute(
                    sql["rewrite_delivery"], {**where, "id": id_, "payload": _encode(value)}
                )
    return str(rows[-1][0]) if len(rows) == _BATCH else None


async def _open(
    core: Core, organization_id: UUID, term: bytes, options: Mapping[str, Any], actor: str
) -> tuple[Report, str | None, Any]:
    """The one that was cut short, or a new one; where it goes on."""
    sql = load("erase")
    where = {"organization": organization_id, "term": term, "options": Jsonb(dict(options))}
    async with core.engine.connection() as connection, connection.transaction():
        row = await (await connection.execute(sql["open_erasure"], where)).fetchone()
        if row is not None:
            id_, place, after, counts, unfinished = row
            report = Report(
                id=id_,
                counts=counts.get("counts", {}),
                left=counts.get("left", {}),
                unfinished=unfinished,
            )
            return report, place, after
        id_ = core.ids.new()
        await connection.execute(sql["begin_erasure"], {**where, "id": id_, "actor": actor})
    return Report(id=id_), None, None


async def _note(work: _Erasure, place: str | None, after: Any, *, ended: bool) -> None:
    report = work.report
    async with work.core.engine.connection() as connection:
        await connection.execute(
            load("erase")["note_erasure"],
            {
                "organization": work.organization_id,
                "id": report.id,
                "place": place,
                # The key of a record may be who is erased; done again, it costs a page.
                "after": None if _named(work.person, after) else Jsonb(after),
                "counts": Jsonb({"counts": report.counts, "left": report.left}),
                "unfinished": Jsonb(report.unfinished),
                "ended": ended,
            },
        )


def _named(person: Person, after: Any) -> bool:
    return after is None or person.erase(after)[1] > 0
