"""What the statement `commit` is given, and whether what it wrote was ours to write."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from junctor.adapters.postgres.arrays import Buffers, Ints, Longs, Texts, Times, Uuids
from junctor.ports.backlog import Claim
from junctor.ports.ledger import Write

__all__ = ["commit", "group_of", "keys_of", "numbers_of"]

Row = tuple[Any, ...]
Fetch = Callable[[str, Mapping[str, Any]], Awaitable[list[Row]]]


async def commit(fetch: Fetch, writes: Sequence[Write]) -> set[int]:
    """Writes a group; the numbers of the claims that were ours, and whose runs were.

    A segment that is there already is ours when the same group was written before and its
    acknowledgement was lost. If there is another in its place, somebody else does the same run:
    what keeps two from that has failed, and so this one must not send anything more.
    """
    group = group_of(writes)
    rows = await fetch("commit", group)
    held = {int(row[0]) for row in rows}
    if rows and rows[0][1] < sum(claim in held for claim in group["segment_claims"]):
        strange = {int(row[0]) for row in await fetch("strange", group)} & held
        if strange:
            import structlog  # noqa: PLC0415 - before `app.logs` it would load rich as well

            log = structlog.get_logger(__name__)
            claims = numbers_of(writes)
            ours = [write for write in writes if claims[id(write.claim)][0] in strange]
            log.error("run_done_by_two", runs=[str(write.run_id) for write in ours])
        held -= strange
    return held


def numbers_of(writes: Sequence[Write]) -> dict[int, tuple[int, Claim]]:
    """Each claim's position in the statement, by its identity."""
    claims: dict[int, tuple[int, Claim]] = {}
    for write in writes:
        claims.setdefault(id(write.claim), (len(claims) + 1, write.claim))
    return claims


def group_of(writes: Sequence[Write]) -> dict[str, Any]:
    """The parameters of `commit`; of writes that met a conflict, only their claims."""
    claims = numbers_of(writes)
    held = [claim for _, claim in claims.values()]
    writes = [write for write in writes if not write.conflict]

    def position(write: Write) -> int:
        return claims[id(write.claim)][0]

    segments = [(write, segment) for write in writes for segment in write.segments]
    rows = [(write, write.row) for write in writes if write.row is not None]
    done = [write for write in writes if write.done]
    parked = [write for write in writes if write.parked]
    waits = [write for write in writes if write.due_at or write.blocks or write.stands]
    answers = [(write, write.answer) for write in writes if write.answer is not None]
    return {
        **keys_of(held),
        "fences": Longs(claim.fence for claim in held),
        "segment_claims": Ints(position(write) for write, _ in segments),
        "segment_organizations": Uuids(write.claim.organization_id for write, _ in segments),
        "segment_runs": Uuids(write.run_id for write, _ in segments),
        "segment_retentions": Texts(write.retention for write, _ in segments),
        "segment_seqs": Ints(segment.seq for _, segment in segments),
        "segment_data": Buffers(segment.data for _, segment in segments),
        "segment_blobs": Buffers(segment.blobs for _, segment in segments),
        "run_claims": Ints(position(write) for write, _ in rows),
        "run_organizations": Uuids(write.claim.organization_id for write, _ in rows),
        "run_ids": Uuids(write.run_id for write, _ in rows),
        "run_retentions": Texts(write.retention for write, _ in rows),
        "run_scenarios": Uuids(write.claim.scenario_id for write, _ in rows),
        "run_order_keys": Texts(write.claim.order_key for write, _ in rows),
        "run_versions": Ints(row.version for _, row in rows),
        "run_states": Texts(row.state for _, row in rows),
        "run_wait_reasons": Texts(row.wait_reason for _, row in rows),
        "run_dues": Times(row.due_at for _, row in rows),
        "run_triggers": Texts(row.trigger for _, row in rows),
        "run_actors": Texts(row.actor for _, row in rows),
        "run_starts": Times(row.started_at for _, row in rows),
        "run_ends": Times(row.ended_at for _, row in rows),
        "run_operations": Longs(row.operations for _, row in rows),
        "run_bytes": Longs(row.bytes for _, row in rows),
        "run_segments": Ints(row.segments for _, row in rows),
        "run_errors": Texts(row.error for _, row in rows),
        "run_failed": Ints(row.failed_module for _, row in rows),
        "run_dropped": Texts(row.dropped for _, row in rows),
        "run_names": Texts(row.name for _, row in rows),
        "run_warnings": Ints(row.warnings for _, row in rows),
        "run_origins": Uuids(row.origin for _, row in rows),
        "done_claims": Ints(position(write) for write in done),
        "done_organizations": Uuids(write.claim.organization_id for write in done),
        "done_ids": Uuids(write.run_id for write in done),
        "parked_claims": Ints(position(write) for write in parked),
        "parked_organizations": Uuids(write.claim.organization_id for write in parked),
        "parked_ids": Uuids(write.run_id for write in parked),
        "wait_claims": Ints(position(write) for write in waits),
        "wait_organizations": Uuids(write.claim.organization_id for write in waits),
        "wait_scenarios": Uuids(write.claim.scenario_id for write in waits),
        "wait_order_keys": Texts(write.claim.order_key for write in waits),
        "wait_dues": Times(write.due_at for write in waits),
        "wait_blocks": Uuids(write.run_id if write.blocks else None for write in waits),
        "wait_stands": Uuids(write.stands for write in waits),
        "answer_claims": Ints(position(write) for write, _ in answers),
        "answer_organizations": Uuids(write.claim.organization_id for write, _ in answers),
        "answer_ids": Uuids(write.run_id for write, _ in answers),
        "answer_servers": Texts(write.server for write, _ in answers),
        "answer_statuses": Ints(answer.status for _, answer in answers),
        "answer_headers": Texts(json.dumps(answer.headers) for _, answer in answers),
        "answer_bodies": Buffers(answer.body for _, answer in answers),
    }


def keys_of(claims: Sequence[Claim]) -> dict[str, list[Any]]:
    """Which rows of the backlog they are."""
    return {
        "organizations": Uuids(claim.organization_id for claim in claims),
        "scenarios": Uuids(claim.scenario_id for claim in claims),
        "order_keys": Texts(claim.order_key for claim in claims),
    }
