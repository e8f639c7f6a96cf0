"""What machines are shown of runs and queues; the same from API and command line."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from junctor.app.logs import redact, redact_bundle
from junctor.language import ids
from junctor.ports.catalog import Queue, Run

if TYPE_CHECKING:  # what they are made of: commands that only list runs do without the engine
    from junctor.app.telling import Backtest, Compared

__all__ = [
    "BacktestView",
    "Blocker",
    "ChangeView",
    "ComparedView",
    "QueueView",
    "RunView",
    "backtest_view",
    "compared_view",
    "key_shown",
    "queue_view",
    "run_view",
]


def key_shown(order_key: str) -> str:
    """An order key as its scenario made it. One that began by hand stands in no line: ``~…``."""
    return order_key.removeprefix("k:")


class RunView(msgspec.Struct, kw_only=True):
    """One execution of a scenario. ``bytes`` were transferred; times are UTC."""

    id: str
    scenario: str
    version: int
    state: str
    wait_reason: str | None
    due_at: datetime | None
    trigger: str
    actor: str
    order_key: str
    started_at: datetime
    ended_at: datetime | None
    operations: int
    bytes: int
    error: Any
    failed_module: int | None
    dropped: Any
    name: str | None = None
    warnings: int = 0
    origin: str | None = None
    edited: bool = False
    skipped: bool = False


def run_view(found: Run) -> RunView:
    """What is shown of a run."""
    return RunView(
        id=ids.show("run", found.id),
        scenario=ids.show("scn", found.scenario_id),
        version=found.version,
        state=found.state,
        wait_reason=found.wait_reason,
        due_at=found.due_at,
        trigger=found.trigger,
        actor=found.actor,
        order_key=key_shown(found.order_key),
        started_at=found.started_at,
        ended_at=found.ended_at,
        operations=found.operations,
        bytes=found.bytes,
        error=redact(found.error),
        failed_module=found.failed_module,
        dropped=found.dropped,
        name=found.name,
        warnings=found.warnings,
        origin=ids.show("run", found.origin) if found.origin is not None else None,
        edited=found.edited,
        skipped=found.skipped,
    )


class ChangeView(msgspec.Struct, kw_only=True):
    """One thing that goes another way; ``kind`` as in `runtime.compared.Change`."""

    kind: str
    module: int | None
    cycle: int
    path: list[int]
    before: Any
    after: Any


class ComparedView(msgspec.Struct, kw_only=True):
    """A recorded run beside how it would go; ``version`` is the one it was recorded with."""

    run: str
    version: int
    changes: list[ChangeView]
    problem: str = ""


class BacktestView(msgspec.Struct, kw_only=True):
    """What a version would have made of recorded runs. ``kinds``: runs by what changes in them;
    ``untold``: runs that can't be told again, and why.
    """

    version: int
    runs: int
    kinds: dict[str, int]
    changed: list[ComparedView]
    untold: list[ComparedView]


def compared_view(found: Compared) -> ComparedView:
    """A comparison, secrets masked."""
    return ComparedView(
        run=ids.show("run", found.run_id),
        version=found.version,
        changes=[
            ChangeView(
                kind=each.kind,
                module=each.module,
                cycle=each.cycle,
                path=list(each.path),
                before=redact_bundle(each.before),
                after=redact_bundle(each.after),
            )
            for each in found.changes
        ],
        problem=found.problem,
    )


def backtest_view(made: Backtest) -> BacktestView:
    """A backtest, secrets masked."""
    return BacktestView(
        version=made.version,
        runs=made.runs,
        kinds=made.kinds,
        changed=[compared_view(each) for each in made.changed],
        untold=[compared_view(each) for each in made.untold],
    )


class Blocker(msgspec.Struct):
    """The run that what is behind it waits for, and why it stopped."""

    run: str
    state: str | None
    since: datetime | None
    module: int | None
    error: Any


class QueueView(msgspec.Struct):
    """What waits for a scenario with one order key. ``worker``: who is at it now.

    ``due_at``: when the first wait or automatic retry in it is over.
    """

    scenario: str
    order_key: str
    deliveries: int
    parked: int
    oldest_at: datetime | None
    worker: str | None
    due_at: datetime | None
    blocked_by: Blocker | None


def queue_view(found: Queue) -> QueueView:
    """What is shown of a queue."""
    blocked = None
    if found.blocked_by_run is not None:
        blocked = Blocker(
            run=ids.show("run", found.blocked_by_run),
            state=found.blocked_state,
            since=found.blocked_since,
            module=found.blocked_module,
            error=redact(found.blocked_error),
        )
    return QueueView(
        scenario=ids.show("scn", found.scenario_id),
        order_key=key_shown(found.order_key),
        deliveries=found.deliveries,
        parked=found.parked,
        oldest_at=found.oldest_at,
        worker=found.owner,
        due_at=found.due_at,
        blocked_by=blocked,
    )
