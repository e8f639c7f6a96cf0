"""How processes come to their database."""

from __future__ import annotations

from pathlib import Path

import pytest

from junctor.app.cli.session import await_schema
from junctor.app.machine import connections_for
from junctor.errors import Misconfigured
from tests.support import asynchronous


@asynchronous
async def test_a_database_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"can't be used: .*No such file"):
        await await_schema(f"postgresql://x@/x?host={tmp_path}", within=0.2)


@asynchronous
async def test_a_schema_that_is_current_is_not_waited_for(database_url: str) -> None:
    await await_schema(database_url, within=0)


def test_many_workers_find_room_in_the_database() -> None:
    assert [connections_for(workers) for workers in (1, 2, 15)] == [100, 100, 400]
