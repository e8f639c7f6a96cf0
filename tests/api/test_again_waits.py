"""Runs whose place another takes while they wait for somebody: the question is that one's."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.language import ids
from junctor.runtime.worker import Worker
from tests.api.test_again import ANY, Stand, blueprint, sets, standing
from tests.integration.runtime import waits_kit
from tests.integration.runtime.door import WEBHOOK
from tests.support import asynchronous

LINK: tuple[str, dict[str, Any]] = ("wait:ApprovalLink", {})
ASK: tuple[str, dict[str, Any]] = (
    "wait:Approval",
    {"question": "Pay?", "link": "{{2.link}}", "limit": 1, "unit": "hours"},
)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "again-waits"


async def stopped(it: Stand, worker: Worker) -> tuple[str, Any, UUID]:
    """A run that asked somebody, and that its worker stopped then; and a newer version of it."""
    path = await it.scenario(blueprint(WEBHOOK, LINK, ASK, sets("{{3.decision}}")))
    await it.deliver(path, {"n": 1}, ends=False)
    (id_,) = await waits_kit.asleep(it.url, reason="approval")
    await waits_kit.stopped_by_its_worker(it.url, worker, id_, keep=True)
    await it.draft(path, blueprint(WEBHOOK, LINK, ASK, sets("said: {{3.decision}}")))
    return path, {"id": ids.show("run", id_)}, id_


async def decide(it: Stand) -> None:
    (asked,) = (await it.client.get("/api/v1/approvals")).json()["items"]
    said = await it.client.post(
        f"/api/v1/approvals/{asked['id']}/decide", json={"decision": "Approve"}
    )
    assert said.status_code == 200, said.text


@asynchronous
async def test_the_run_that_takes_its_place_asks_under_the_same_link(
    database_url: str, folder: Path, workers: list[Worker]
) -> None:
    waits_kit.cleared(database_url)
    async with standing(database_url, folder) as it:
        path, run, id_ = await stopped(it, workers[0])
        assert (await it.client.post(f"{path}/activate", headers=ANY)).status_code == 200
        new = await it.post(run, "retry", version="newest", **{"from": 3})
        assert await waits_kit.asleep(it.url, reason="approval") == [ids.read("run", new["id"])]
        with psycopg.connect(database_url) as db:
            old = "select closed_at is null, watching from waits where run_id = %s"
            assert db.execute(old, (id_,)).fetchall() == [(False, False)]
        await decide(it)
        assert (await it.ended(new))["state"] == "finished"
        assert await it.output(new, 4) == [{"v": "said: Approve"}]


@asynchronous
async def test_a_run_that_somebody_has_answered_is_not_asked_anew(
    database_url: str, folder: Path, workers: list[Worker]
) -> None:
    """The answer is the run's that it was given to: another would wait for it in vain."""
    waits_kit.cleared(database_url)
    async with standing(database_url, folder) as it:
        path, run, _ = await stopped(it, workers[0])
        await decide(it)
        answer = await it.client.post(
            f"/api/v1/runs/{run['id']}/retry", json={"version": "draft", "from": 3}
        )
        assert answer.status_code == 409, answer.text
        assert "has been answered" in answer.json()["error"]["message"]
        assert len(await it.runs(path)) == 1
        await it.post(run, "retry")
        assert (await it.ended(run))["state"] == "finished"
        assert await it.output(run, 4) == [{"v": "Approve"}]


@asynchronous
async def test_a_run_that_somebody_answered_is_told_again_and_edited_with_the_answer(
    database_url: str, folder: Path
) -> None:
    waits_kit.cleared(database_url)
    async with standing(database_url, folder) as it:
        said, fails = sets("{{3.decision}} {{1.n}}"), sets("{{parseNumber(1.n)}}")
        path = await it.scenario(blueprint(WEBHOOK, LINK, ASK, said, fails))
        await it.deliver(path, {"n": "none"}, ends=False)
        (id_,) = await waits_kit.asleep(it.url, reason="approval")
        await decide(it)
        run = await it.ended({"id": ids.show("run", id_)})
        assert (run["state"], run["failed_module"]) == ("incomplete", 5)
        assert (await it.get(run, "/comparison"))["changes"] == []
        await it.draft(path, blueprint(WEBHOOK, LINK, ASK, sets("said {{3.decision}}"), fails))
        told = await it.get(run, "/comparison", version="draft")
        assert [(each["kind"], each["after"]) for each in told["changes"]] == [
            ("output", {"v": "said Approve"})
        ]
        backtest = await it.client.get(f"/api/v1{path.removeprefix('/api/v1')}/backtest")
        assert backtest.json()["kinds"] == {"output": 1}
        await it.post(run, "retry", edits=[{"module": 1, "values": {"n": 7}}])
        run = await it.ended(run)
        assert run["state"] == "finished"
        assert (await it.get(run, "/operations"))["operations"][-1]["bundles"] == [{"v": 7}]
