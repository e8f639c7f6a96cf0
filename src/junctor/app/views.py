"""What machines are shown of a run; the same from API and command line."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from junctor.app.logs import redact
from junctor.language import ids
from junctor.ports.catalog import Run

__all__ = ["RunView", "run_view"]


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
        order_key=found.order_key,
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
