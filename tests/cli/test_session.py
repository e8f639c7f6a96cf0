"""How processes come to their database."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from junctor.app.cli.session import await_schema, database
from junctor.app.machine import connections_for
from junctor.app.settings import Settings
from junctor.errors import Misconfigured
from tests.support import asynchronous, pass_time


@asynchronous
async def test_a_database_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"can't be used: .*No such file"):
        await await_schema(f"postgresql://x@/x?host={tmp_path}", within=0.2)


@asynchronous
async def test_what_a_process_waits_for_is_logged(tmp_path: Path) -> None:
    async def give_up() -> None:
        while not logged:
            await asyncio.sleep(0)
        pass_time(60)

    with capture_logs() as logged:
        told = asyncio.create_task(give_up())
        with pytest.raises(Misconfigured):
            await await_schema(f"postgresql://x@/x?host={tmp_path}", within=60, moment=0)
        await told
    assert [(line["event"], line["log_level"]) for line in logged] == [
        ("waiting_for_database", "warning")
    ]
    assert "No such file" in logged[0]["error"]


@asynchronous
async def test_a_schema_that_is_current_is_not_waited_for(database_url: str) -> None:
    await await_schema(database_url, within=0)


@asynchronous
async def test_a_command_that_is_interrupted_while_its_server_starts_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start goes on in its thread; nobody else would stop what it has started."""
    begun, goes_on = threading.Event(), threading.Event()
    did: list[str] = []

    class Slow:
        def __init__(self, directory: Path) -> None:
            assert directory == tmp_path

        def start(self) -> str:
            begun.set()
            goes_on.wait(120)
            did.append("started")
            return "postgresql://"

        def stop(self) -> None:
            did.append("stopped")

    monkeypatch.setattr("junctor.adapters.postgres.embedded.Embedded", Slow)

    async def command() -> None:
        async with database(Settings(data_dir=tmp_path)):
            raise AssertionError("it was interrupted before")

    task = asyncio.create_task(command())
    await asyncio.to_thread(begun.wait, 120)
    task.cancel()
    await asyncio.sleep(0)
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.get_running_loop().shutdown_default_executor()
    assert did == ["started", "stopped"]


def test_many_workers_find_room_in_the_database() -> None:
    assert [connections_for(workers) for workers in (1, 2, 15)] == [100, 100, 400]
