"""Runs done again while something else happens to them: nothing is sent twice, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.app import again
from junctor.app.core import Core
from junctor.app.running import resolve
from junctor.engine.commands import Address
from junctor.engine.journal import Journal, encode_segment
from junctor.language import ids
from junctor.runtime.flight import segment_aad
from junctor.runtime.worker import Worker
from tests.api.test_again import ENDED, Stand, blueprint, sends, sets, standing
from tests.durability import kit
from tests.integration.runtime.door import WEBHOOK
from tests.support import asynchronous


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "races"


async def refused(it: Stand, run: Any, **body: Any) -> str:
    answer = await it.client.post(f"/api/v1/runs/{run['id']}/retry", json=body)
    assert answer.status_code == 409, answer.text
    return str(answer.json()["error"]["message"])


@pytest.mark.parametrize(
    "body", [{"from": 2}, {"edits": [{"module": 1, "values": {"n": 5}}]}], ids=["from", "edits"]
)
@asynchronous
async def test_what_a_run_did_while_a_retry_was_being_made_is_not_done_again(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    """Its time to be tried again by itself came after the journal was read: it sent module 2."""
    async with standing(database_url, folder) as it:
        port = it.vendor.port
        path = await it.scenario(
            blueprint(WEBHOOK, sends(port, "{{1.n}}1"), sends(port, "{{1.n}}2"))
        )
        it.vendor.script = {41: [(422, {})], 42: [(422, {})]}
        (run,) = await it.deliver(path, {"n": 4})
        assert run["failed_module"] == 2
        read = again.opened

        async def late(core: Core, organization_id: UUID, run_id: UUID) -> again.Source:
            found = await read(core, organization_id, run_id)
            await resolve(core, organization_id, run_id, actor="someone", verb="retry")
            while (now := await it.ended(run))["failed_module"] == 2:
                assert now["state"] in ENDED
            return found

        monkeypatch.setattr(again, "opened", late)
        assert "meanwhile" in await refused(it, run, **body)
        monkeypatch.setattr(again, "opened", read)
        assert (await it.get(run))["failed_module"] == 3
        await it.post(run, "retry", **{"from": 3})
        while it.vendor.done != {41: 1, 42: 1}:
            assert it.vendor.done[41] == 1
            await asyncio.sleep(0.01)


@asynchronous
async def test_what_a_dead_worker_was_sending_is_not_sent_by_another_run(
    database_url: str, folder: Path
) -> None:
    """It was tried again by itself, its worker died on the way, and nobody has taken it up yet."""
    async with standing(database_url, folder) as it:
        path = await it.scenario(blueprint(WEBHOOK, sends(it.vendor.port, "{{1.n}}")))
        it.vendor.script = {4: [(422, {})]}
        (run,) = await it.deliver(path, {"n": 4})
        run_id = ids.read("run", run["id"])
        journal = Journal()
        journal.intent(Address(0, 2, (0,), 1), 0, b"hash", {"method": "POST", "at": 1.0})
        segment = journal.take()
        assert segment is not None
        keyring = await it.core.vault.keyring(it.organization)
        with psycopg.connect(database_url, autocommit=True) as db:
            ((seq, retention),) = db.execute(
                "select max(seq) + 1, max(retention) from segments where run_id = %s", (run_id,)
            ).fetchall()
            aad = segment_aad(it.organization, run_id, seq)
            sealed = keyring.seal(encode_segment(segment.raw), aad)
            db.execute(
                "insert into segments (organization_id, run_id, retention, seq, data)"
                " values (%s, %s, %s, %s, %s)",
                (it.organization, run_id, retention, seq, sealed),
            )
        assert "unknown" in await refused(it, run, **{"from": 2})
        assert not it.vendor.done
        await it.post(run, "retry")
        while (await it.get(run))["state"] != "uncertain":
            await asyncio.sleep(0.01)
        assert not it.vendor.done


@asynchronous
async def test_a_run_that_is_being_stopped_is_not_done_again_beside_its_worker(
    database_url: str, folder: Path, workers: list[Worker]
) -> None:
    async with standing(database_url, folder) as it:
        port = it.vendor.port
        path = await it.scenario(
            blueprint(WEBHOOK, sends(port, "{{1.n}}1"), sends(port, "{{1.n}}2"))
        )
        it.vendor.script = {41: [(422, {})]}
        (run,) = await it.deliver(path, {"n": 4})
        it.vendor.delay = kit.NEVER
        await it.post(run, "retry")
        await kit.until(lambda: it.vendor.done[41] == 1)  # the worker is at it
        stopped = await it.client.post(f"/api/v1/runs/{run['id']}/stop?resumable=true")
        assert stopped.status_code == 200, stopped.text
        await refused(it, run, **{"from": 2})
        await kit.until(lambda: ids.read("run", run["id"]) in workers[0]._stops._wished)
        it.vendor.answer()
        while (await it.get(run))["state"] != "incomplete":
            await asyncio.sleep(0.01)
        await it.post(run, "retry")
        now = await it.ended(run)
        assert now["state"] == "finished", now["error"]
        assert it.vendor.done == {41: 1, 42: 1}


@asynchronous
async def test_a_run_that_was_made_is_whole_though_its_maker_did_not_hear_of_it(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed, and the connection broke before that was heard: its blobs must stay."""
    async with standing(database_url, folder) as it:
        path = await it.scenario(
            blueprint(WEBHOOK, sets("{{length(1.text)}}"), sends(it.vendor.port, "{{1.n}}"))
        )
        it.vendor.script = {4: [(422, {})]}
        (run,) = await it.deliver(path, {"n": 4, "text": "x" * 100_000})
        assert run["state"] == "incomplete"
        transaction = again._transaction

        @asynccontextmanager
        async def broken(core: Core) -> AsyncIterator[Any]:
            async with transaction(core) as found:
                yield found
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(again, "_transaction", broken)
        answer = await it.client.post(f"/api/v1/runs/{run['id']}/retry", json={"from": 3})
        assert answer.status_code >= 500
        (new,) = [each for each in await it.runs(path) if each["id"] != run["id"]]
        assert (await it.ended(new))["state"] == "finished"
        assert it.vendor.done == {4: 1}


@asynchronous
async def test_a_long_journal_is_stored_without_keeping_its_worker_from_renewing_its_lease(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row that says who owns the scenario is locked only once all is stored: held for longer
    than a lease, the worker would lose all that it owns.
    """
    async with standing(database_url, folder) as it:
        path = await it.scenario(blueprint(WEBHOOK, sends(it.vendor.port, "{{1.n}}")))
        it.vendor.script = {4: [(422, {})]}
        (run,) = await it.deliver(path, {"n": 4})
        store, free = again._store, []

        async def watched(*given: Any) -> None:
            await store(*given)
            with psycopg.connect(database_url, autocommit=True) as db:
                db.execute(
                    "insert into backlog (organization_id, scenario_id) select"
                    " organization_id, scenario_id from runs on conflict do nothing"
                )
                rows = db.execute("select 1 from backlog for update nowait").fetchall()
                free.append(len(rows))

        monkeypatch.setattr(again, "_store", watched)
        new = await it.post(run, "retry", **{"from": 2})
        assert (await it.ended(new))["state"] == "finished"
        assert free
        assert free[0] > 0


@pytest.mark.parametrize("verb", ["retry", "discard", "skip"])
@asynchronous
async def test_who_meets_another_at_the_run_and_its_queue_waits_for_him(
    database_url: str, folder: Path, verb: str
) -> None:
    """The other has locked the queue and wants the run, as a worker's commit and an edit do."""
    async with standing(database_url, folder) as it:
        port = it.vendor.port
        path = await it.scenario(blueprint(WEBHOOK, sends(port, "{{1.n}}"), sequential=True))
        it.vendor.script = {6: [(422, {})]}
        (run,) = await it.deliver(path, {"n": 6})
        id_ = ids.read("run", run["id"])
        async with await psycopg.AsyncConnection.connect(database_url) as other:
            await other.execute("set deadlock_timeout = '1min'")  # so it is not the one to give way
            locked = await other.execute(
                "select from backlog where blocked_by_run = %s for update", (id_,)
            )
            assert locked.rowcount == 1
            asked = asyncio.create_task(it.client.post(f"/api/v1/runs/{run['id']}/{verb}"))
            while not (
                await (
                    await other.execute(
                        "select from pg_locks where not granted"
                        " and pg_backend_pid() = any(pg_blocking_pids(pid))"
                    )
                ).fetchall()
            ):
                await asyncio.sleep(0)
            await other.execute("select from runs where id = %s for update", (id_,))
            await other.commit()
        answer = await asked
        assert answer.status_code == 200, answer.text
