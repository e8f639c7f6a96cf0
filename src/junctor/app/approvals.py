"""What waits, and questions decided: by the page, the API and the command line alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from junctor.adapters.postgres.database import Connection, unlocked
from junctor.adapters.postgres.queries import load as queries
from junctor.adapters.postgres.waits import PostgresWaits
from junctor.app.core import Core
from junctor.errors import Conflict, Misconfigured, NotFound
from junctor.language import ids
from junctor.ports.catalog import Run
from junctor.runtime.approvals import APPROVE, Question, hash_of, open_question
from junctor.runtime.waiting import pack_answer

__all__ = ["Asked", "WaitView", "by_token", "decide", "end_waits", "find_approval", "open_waits"]

LONGEST_COMMENT = 4_000
LONGEST_NAME = 200


class WaitView(msgspec.Struct, kw_only=True):
    """What a run waits for. ``question``, ``choices`` and ``link`` are an approval's; the link is
    shown to those alone who may decide. Times are UTC.
    """

    id: str
    kind: str
    run: str
    scenario: str
    scenario_name: str | None
    module: int
    hook: str | None = None
    hook_name: str | None = None
    question: str | None = None
    details: str | None = None
    choices: list[str] | None = None
    comment: str | None = None
    link: str | None = None
    opened_at: datetime
    until: datetime
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question and how it stands."""

    organization_id: UUID
    id: UUID
    run_id: UUID
    scenario: str
    organization: str
    question: Question
    until: datetime
    answered_at: datetime | None
    answered_by: str | None
    over: bool
    """Nobody can decide it any more."""


async def open_waits(
    core: Core,
    organization_id: UUID,
    *,
    kind: str | None = None,
    run_id: UUID | None = None,
    after: UUID | None = None,
    limit: int = 200,
    links: bool = False,
) -> list[WaitView]:
    """What runs of the organisation wait for, in the order in which their runs began."""
    rows = await _rows(
        core,
        "open_list",
        organization=organization_id, kind=kind, run=run_id, after=after, most=limit,
    )  # fmt: skip
    keyring = await core.vault.keyring(organization_id) if rows else None
    found = []
    for row in rows:
        view = WaitView(
            id=ids.show("wai", row[0]),
            run=ids.show("run", row[1]),
            scenario=ids.show("scn", row[2]),
            module=row[3],
            kind=row[4],
            hook=ids.show("hok", row[5]) if row[5] else None,
            opened_at=row[7],
            until=row[8],
            answered_at=row[9],
            scenario_name=row[10],
            hook_name=row[11],
        )
        if view.kind == "approval" and keyring is not None:
            asked = open_question(keyring, organization_id, row[0], row[6])
            view.question, view.details = asked.question, asked.details
            view.choices, view.comment = list(asked.choices), asked.comment
            view.link = _link(core, asked.token) if links else None
        found.append(view)
    return found


def _link(core: Core, token: str) -> str:
    return core.settings.public_url.rstrip("/") + APPROVE + token


async def by_token(core: Core, token: str) -> Asked:
    """The question of a link. `NotFound` if none has it (yet)."""
    rows = await _rows(core, "approval", hash=hash_of(token), organization=None, id=None)
    return await _asked(core, rows, "A question of this address")


async def find_approval(core: Core, organization_id: UUID, wait_id: UUID) -> Asked:
    """The question of an id, of this organisation. `NotFound` if there is none."""
    rows = await _rows(core, "approval", hash=None, organization=organization_id, id=wait_id)
    return await _asked(core, rows, f"The approval {ids.show('wai', wait_id)}")


async def _asked(core: Core, rows: Sequence[tuple[Any, ...]], what: str) -> Asked:
    if not rows:
        raise NotFound(what=what)
    row = rows[0]
    keyring = await core.vault.keyring(row[0])
    return Asked(
        organization_id=row[0],
        id=row[1],
        run_id=row[2],
        question=open_question(keyring, row[0], row[1], row[4]),
        until=row[5],
        answered_at=row[6],
        answered_by=row[7],
        over=row[8],
        scenario=row[9] or "",
        organization=row[10],
    )


async def decide(
    core: Core, asked: Asked, decision: str, *, comment: str = "", by: str, actor: str
) -> str:
    """Decides a question; its run goes on at once. The first decision counts. Returns the choice as
    the question has it.

    ``by`` (``actor``, if empty) is shown in the run, ``actor`` in the audit log. `Misconfigured` on
    a decision that is not offered or a comment that is missing; `Conflict` if decided or over.
    """
    question, shown = asked.question, ids.show("wai", asked.id)
    chosen = next((each for each in question.choices if each == decision), None) or next(
        (each for each in question.choices if each.casefold() == decision.strip().casefold()), None
    )
    if chosen is None:
        known = ", ".join(f"'{each}'" for each in question.choices)
        raise Misconfigured(f"'{decision[:60]}' is not offered; choose one of {known}.")
    comment = "" if question.comment == "none" else comment.strip()[:LONGEST_COMMENT]
    if question.comment == "required" and not comment:
        raise Misconfigured("This decision needs a comment: say why.")
    answer = {
        "decision": chosen,
        "comment": comment,
        "by": " ".join(by.split())[:LONGEST_NAME] or actor,
        "decidedAt": datetime.now(UTC),
    }
    keyring = await core.vault.keyring(asked.organization_id)
    sealed = pack_answer(keyring, asked.organization_id, asked.id, answer)
    waits = PostgresWaits(core.services.tools.line)
    if not await waits.answer(asked.organization_id, asked.id, sealed, by=actor):
        raise Conflict(
            "Somebody has decided this already, its time is over, or its run was given up.",
            wait=shown,
        )
    await core.catalog.note(
        asked.organization_id,
        actor=actor,
        verb="approval.decide",
        object=shown,
        details={"decision": chosen, "run": ids.show("run", asked.run_id)},
    )
    return chosen


async def end_waits(connection: Connection, run: Run) -> None:
    """Ends what a stopped run waits for, as another takes its place, and waits itself. `Conflict`
    if it has its answer already.
    """
    of = {"organization": run.organization_id, "run": run.id}
    cursor = await connection.execute(queries("again")["end_waits"], of)
    if any(answered for (answered,) in await cursor.fetchall()):
        raise Conflict(
            "What the run waits for has been answered, and the answer is its own: retry it as it "
            "is; another run would ask anew.",
            run=ids.show("run", run.id),
        )


async def _rows(core: Core, query: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
    async def asked() -> list[tuple[Any, ...]]:
        async with core.engine.connection() as connection:
            cursor = await connection.execute(queries("waits")[query], parameters)
            return await cursor.fetchall()

    return await unlocked(asked)
