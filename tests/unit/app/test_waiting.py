"""Waiting for a run's end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from junctor.app.running import wait_for_run

ONE = UUID(int=1)


class Catalog:
    """Gives what a run is, look by look."""

    def __init__(self, *looks: tuple[str, datetime | None]) -> None:
        self.looks = [SimpleNamespace(state=state, due_at=due) for state, due in looks]

    async def run(self, _organization: UUID, _run: UUID) -> Any:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


def waited(*looks: tuple[str, datetime | None]) -> Any:
    core: Any = SimpleNamespace(catalog=Catalog(*looks))
    return asyncio.run(wait_for_run(core, ONE, ONE, within=5))


def test_a_repeat_that_no_worker_has_taken_yet_is_waited_for() -> None:
    now = datetime.now(UTC)
    run = waited(("waiting", now), ("running", None), ("finished", None))
    assert run.state == "finished"


def test_a_run_that_waits_for_something_is_not() -> None:
    run = waited(("waiting", datetime.now(UTC) + timedelta(hours=1)), ("finished", None))
    assert run.state == "waiting"
