"""Gaps repaired: for one scenario when somebody asks, for all of them after a downtime."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog

from junctor.adapters.postgres.hot import is_lost
from junctor.adapters.postgres.queries import load as queries
from junctor.app.activation import hooks_of
from junctor.app.core import Core
from junctor.errors import JunctorError, Misconfigured
from junctor.language import ids
from junctor.ports.catalog import Hook, Scenario
from junctor.runtime.backfill import HORIZON, Filled, Filler, can_fill

__all__ = ["DEFAULT", "backfill", "fill_gaps"]

log = structlog.get_logger(__name__)

DEFAULT = timedelta(days=1)
"""How far back a repair looks if nobody says."""
EARLIER = timedelta(minutes=1)
"""So much before a downtime began is looked at, too: what came then is recognised."""
MOST_TRIES = 10
"""How often a hook's gap is tried, after 1, 2, 4 … minutes; nine hours in all."""


def filler(core: Core) -> Filler:
    """What fetches and stores."""
    return Filler(
        core.services.tools.line,
        find=core.registry.find,
        connector=core.registry.connector,
        sender=core.accounts,
        vault=core.vault,
        ids=core.ids,
    )


async def backfill(
    core: Core, scenario: Scenario, *, actor: str, since: datetime | None = None
) -> list[Filled]:
    """Fetches what the scenario's hook missed since then (a day ago, or its beginning).

    `Misconfigured` if its trigger can't say, or has no connection; `BundleInvalid` if ``since`` is
    too long ago; what the vendor refuses with.
    """
    organization_id = scenario.organization_id
    hooks = [hook for hook in await hooks_of(core, organization_id, scenario.id) if hook.enabled]
    able = [hook for hook in hooks if can_fill(core.registry.find(f"{hook.connector}:{hook.kind}"))]
    if not able:
        raise Misconfigured(
            f"'{scenario.name}' has no active trigger that can fetch what it missed. `junctor "
            "connectors NAME` says which triggers can."
        )
    made = filler(core)
    found = []
    for hook in able:
        begin = since or max(datetime.now(UTC) - DEFAULT, hook.created_at)
        found.append(await made.fill(hook, begin))
    await core.catalog.note(
        organization_id,
        actor=actor,
        verb="scenario.backfill",
        object=ids.show("scn", scenario.id),
        details={
            "since": min(each.since for each in found).isoformat(),
            "stored": sum(each.stored for each in found),
            "known": sum(each.known for each in found),
        },
    )
    return found


async def fill_gaps(core: Core) -> dict[str, int]:
    """Repairs the downtimes that servers have noted; how many deliveries were new, and how many
    hooks are tried again later.

    Only hooks of active scenarios whose trigger has a backfill. What fails is tried again.
    """
    counts = {"gaps": 0, "stored": 0, "left": 0}
    for gap in await _gaps(core):
        if gap.get("after") and datetime.now(UTC) < datetime.fromisoformat(gap["after"]):
            continue
        since = datetime.fromisoformat(gap["from"]) - EARLIER
        left, stored = await _fill_gap(core, since, gap.get("left"))
        tries = int(gap.get("tries", 0)) + 1
        counts["gaps"] += 1
        counts["stored"] += stored
        counts["left"] += len(left)
        again = {
            "from": gap["from"],
            "to": gap["to"],
            "left": left,
            "tries": tries,
            "after": (datetime.now(UTC) + timedelta(minutes=2 ** (tries - 1))).isoformat(),
        }
        if left and tries >= MOST_TRIES:
            log.warning("gap.given_up", since=gap["from"], hooks=left)
        keep = left and tries < MOST_TRIES
        await _execute(
            core,
            "gap_changed",
            {"from": gap["from"], "left": msgspec.json.encode(again).decode() if keep else None},
        )
    return counts


async def _fill_gap(core: Core, since: datetime, only: list[str] | None) -> tuple[list[str], int]:
    """The hooks that could not be repaired, and how many deliveries were new."""
    made = filler(core)
    left: list[str] = []
    stored = 0
    earliest = datetime.now(UTC) - HORIZON + timedelta(minutes=1)
    for organization_id, hook_id in await _hooks(core):
        shown = ids.show("hok", hook_id)
        if only is not None and shown not in only:
            continue
        try:
            hook: Hook = await core.catalog.hook(organization_id, hook_id)
            if not can_fill(core.registry.find(f"{hook.connector}:{hook.kind}")):
                continue
            if hook.connection_id is None:  # where one is not needed to be told
                log.info("gap.no_connection", hook=shown)
                continue
            done = await made.fill(hook, max(since, hook.created_at, earliest))
        except Exception as error:  # whatever a vendor answered: other hooks have gaps, too
            if is_lost(error) and not isinstance(error, JunctorError):
                raise
            said = error.message if isinstance(error, JunctorError) else type(error).__name__
            log.warning("gap.not_filled", hook=shown, error=said)
            left.append(shown)
            continue
        stored += done.stored
        log.info("gap.filled", hook=shown, stored=done.stored, known=done.known)
    return left, stored


async def _gaps(core: Core) -> list[dict[str, Any]]:
    rows = await _execute(core, "gaps", {})
    return list(rows[0][0] or []) if rows else []


async def _hooks(core: Core) -> list[tuple[UUID, UUID]]:
    return [(row[0], row[1]) for row in await _execute(core, "hooks_to_fill", {})]


async def _execute(core: Core, name: str, parameters: dict[str, Any]) -> list[Any]:
    async with core.engine.connection() as connection:
        cursor = await connection.execute(queries("gaps")[name], parameters)
        return await cursor.fetchall() if cursor.description else []
