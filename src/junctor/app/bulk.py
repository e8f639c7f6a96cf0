"""Many stopped runs at once: tried again, or given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

from junctor.adapters.postgres.database import tenant, unlocked
from junctor.adapters.postgres.queries import load as queries
from junctor.app.core import Core
from junctor.errors import Misconfigured
from junctor.language import ids

__all__ = ["MOST", "Filter", "Verb", "act", "matching"]

Verb = Literal["retry", "discard"]
MOST = 10_000
"""Runs of one call; more are left for the next."""
_NOTED = 1_000
"""Runs of one line of the audit log."""

_ALLOWED = {"retry": ("incomplete",), "discard": ("incomplete", "uncertain")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which runs; what is ``None`` does not matter."""

    scenario_id: UUID | None = None
    states: Sequence[str] = ()
    """None of them: all that the verb is for."""
    error: str | None = None
    """The error's type (``RateLimitError``) or code (``rate_limited``)."""
    since: datetime | None = None
    run_ids: Sequence[UUID] | None = None


async def matching(core: Core, organization_id: UUID, verb: Verb, only: Filter) -> list[UUID]:
    """The runs that a filter finds, oldest first, `MOST` at most.

    `Misconfigured` on a state in which the verb means nothing.
    """
    allowed = _ALLOWED[verb]
    for state in only.states:
        if state not in allowed:
            raise Misconfigured(
                f"'{state}' runs can't be {verb}ed in bulk; {' and '.join(allowed)} ones can."
                if verb == "discard"
                else f"'{state}' runs can't be retried in bulk; incomplete ones can. An uncertain "
                "one is settled.",
                state=state,
            )
    values = {
        "organization": organization_id,
        "states": list(only.states or allowed),
        "scenario": only.scenario_id,
        "error": only.error,
        "since": only.since,
        "ids": None if only.run_ids is None else list(only.run_ids),
        "limit": MOST,
    }
    async with tenant(core.api, organization_id) as connection:
        cursor = await connection.execute(queries("again")["matching"], values)
        return [row[0] for row in await cursor.fetchall()]


async def act(
    core: Core, organization_id: UUID, verb: Verb, runs: Sequence[UUID], *, actor: str
) -> int:
    """Retries or discards these runs; how many it was, as others may have been faster.

    Each by itself: what is done stays done if this is interrupted, is in the audit log all the
    same, and is safe to ask for again.
    """
    text = queries("hot")[{"retry": "resume", "discard": "discard"}[verb]]

    async def changed(run_id: UUID) -> bool:
        values: dict[str, Any] = {"organization": organization_id, "run": run_id}
        async with tenant(core.api, organization_id) as connection:
            cursor = await connection.execute(text, values)
            return await cursor.fetchone() is not None

    count = 0
    for first in range(0, len(runs), _NOTED):
        done: list[UUID] = []
        try:
            for run_id in runs[first : first + _NOTED]:
                if await unlocked(partial(changed, run_id)):
                    done.append(run_id)  # noqa: PERF401 - kept if the next one raises
        finally:
            if done:
                await core.catalog.note(
                    organization_id,
                    actor=actor,
                    verb=f"run.{verb}",
                    object=ids.show("run", done[0]),
                    details={
                        "count": len(done),
                        "runs": [ids.show("run", each) for each in done],
                    },
                )
        count += len(done)
    return count
