"""A question is decided once: by its page, the API or the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from junctor.app.approval_page import Turns
from junctor.runtime.worker import Worker
from tests.integration.runtime.door import flow
from tests.support import asynchronous

QUESTION = "May <b>Ada</b> be paid\nback 40 €?"
APPROVAL: dict[str, Any] = {"question": QUESTION, "details": "Order 7", "limit": 2, "unit": "days"}
START: tuple[str, dict[str, Any]] = ("scenario-service:StartSubscenario", {})


@asynccontextmanager
async def working(it: Any) -> AsyncIterator[Worker]:
    stop, core = asyncio.Event(), it.core
    worker = Worker(
        core.url, name="w", find=core.registry.find, connector=core.registry.connector,
        vault=core.vault, blobs=core.blobs, transport=core.transport,
        public_url=core.settings.public_url,
    )  # fmt: skip
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await task


async def started(it: Any, *modules: tuple[str, dict[str, Any]]) -> str:
    """A run of a scenario with these modules; its id."""
    made = await it.client.post(
        "/api/v1/scenarios", json={"name": "Refunds", "blueprint": flow(START, *modules)}
    )
    assert made.status_code == 201, made.text
    scenario = made.json()["scenario"]["id"] if "scenario" in made.json() else made.json()["id"]
    run = await it.client.post(f"/api/v1/scenarios/{scenario}/runs", json={})
    assert run.status_code in {200, 201, 202}, run.text
    return str(run.json()["id"])


async def state(it: Any, run: str, wanted: str) -> dict[str, Any]:
    """The run, once it is in this state."""
    async with asyncio.timeout(120):
        while True:
            found = await it.client.get(f"/api/v1/runs/{run}")
            if found.status_code == 200 and found.json()["state"] == wanted:
                return dict(found.json())
            await asyncio.sleep(0.02)


async def outcome(it: Any, run: str, module: int = 2) -> dict[str, Any]:
    made = (await it.client.get(f"/api/v1/runs/{run}/operations")).json()["operations"]
    (found,) = [each for each in made if each["module"] == module]
    return dict(found["bundles"][0] if "bundles" in found else found["output"])


def path_of(link: str) -> str:
    assert link.startswith("https://hooks.test/approve/")
    return link.removeprefix("https://hooks.test")


@asynchronous
async def test_a_link_shows_the_question_and_decides_it_once(api: Callable[[], Any]) -> None:
    async with api() as it, working(it):
        run = await started(it, ("wait:Approval", {**APPROVAL, "comment": "required"}))
        shown = await state(it, run, "waiting")
        (wait,) = shown["waits"]
        assert (shown["wait_reason"], wait["question"]) == ("approval", QUESTION)
        path = path_of(wait["link"])

        page = await it.client.get(path)
        assert page.status_code == 200
        assert "May &lt;b&gt;Ada&lt;/b&gt; be paid" in page.text
        assert "<script" not in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
        assert (await it.client.head(path)).status_code == 200
        assert (await it.client.get(path[:-1] + "x")).status_code == 404
        assert (await it.client.put(path)).status_code == 405

        bare = await it.client.post(path, data={"decision": "Approve", "name": 'A "B"'})
        assert bare.status_code == 400
        assert "needs a comment" in bare.text
        assert "A &quot;B&quot;" in bare.text
        odd = await it.client.post(path, data={"decision": "Maybe", "comment": "x"})
        assert odd.status_code == 400
        long = await it.client.post(path, data={"decision": "Approve", "comment": "x" * 70_000})
        assert long.status_code == 413
        both = await asyncio.gather(
            it.client.post(path, data={"decision": "Reject", "comment": "no", "name": "Ada"}),
            it.client.post(path, data={"decision": "Reject", "comment": "no", "name": "Ada"}),
        )
        assert sorted(each.status_code for each in both) == [200, 409]
        await state(it, run, "finished")
        made = await outcome(it, run)
        assert (made["decision"], made["comment"], made["by"]) == ("Reject", "no", "Ada")
        assert made["timedOut"] is False
        assert made["decidedAt"]
        again = await it.client.get(path)
        assert "Already decided" in again.text
        assert (await it.client.post(path, data={"decision": "Approve"})).status_code == 409


@asynchronous
async def test_the_api_lists_and_decides_with_its_own_right(api: Callable[[], Any]) -> None:
    async with api() as it, working(it):
        run = await started(it, ("wait:Approval", {**APPROVAL, "buttons": ["Pay", "Keep", "Ask"]}))
        await state(it, run, "waiting")
        reader = await it.token_with("runs:read")
        assert (await it.client.get("/api/v1/approvals", headers=reader)).status_code == 403
        seen = (await it.client.get(f"/api/v1/runs/{run}", headers=reader)).json()
        assert seen["waits"][0]["link"] is None
        looker = await it.token_with("runs:read", "approvals:read")
        (listed,) = (await it.client.get("/api/v1/approvals", headers=looker)).json()["items"]
        assert (listed["question"], listed["link"]) == (QUESTION, None)
        one = await it.client.get(f"/api/v1/approvals/{listed['id']}", headers=looker)
        assert one.json() == listed
        seen = (await it.client.get(f"/api/v1/runs/{run}", headers=looker)).json()
        assert seen["waits"] == [listed]
        assert (await it.client.get("/api/v1/waits", headers=reader)).json()["items"][0][
            "run"
        ] == run
        (found,) = (await it.client.get(f"/api/v1/approvals?run={run}")).json()["items"]
        assert found["choices"] == ["Pay", "Keep", "Ask"]
        place = f"/api/v1/approvals/{found['id']}"
        assert (await it.client.get(place)).json() == found
        body = {"decision": "keep", "comment": "later"}
        refused = await it.client.post(f"{place}/decide", json=body, headers=reader)
        assert refused.status_code == 403
        said = await it.client.post(f"{place}/decide", json={**body, "by": " "})
        assert (said.status_code, said.json()["decision"]) == (200, "Keep")
        assert (await it.client.post(f"{place}/decide", json=body)).status_code == 409
        await state(it, run, "finished")
        made = await outcome(it, run)
        assert made["decision"] == "Keep"
        assert made["by"].startswith("token:")


@asynchronous
async def test_a_link_made_before_is_open_once_the_run_waits(api: Callable[[], Any]) -> None:
    async with api() as it, working(it):
        run = await started(
            it, ("wait:ApprovalLink", {}), ("wait:Approval", {**APPROVAL, "link": "{{2.link}}"})
        )
        shown = await state(it, run, "waiting")
        link = shown["waits"][0]["link"]
        # Whoever has it can decide, and who may read runs may not: history shows none of it.
        assert (await outcome(it, run))["link"] == "https://hooks.test/approve/[redacted]"
        given_up = await it.client.post(f"/api/v1/runs/{run}/discard")
        assert given_up.status_code == 200
        late = await it.client.post(path_of(link), data={"decision": "Approve"})
        assert late.status_code == 410
        assert "over" in late.text


@asynchronous
async def test_one_link_serves_one_question(api: Callable[[], Any]) -> None:
    async with api() as it, working(it):
        approval = ("wait:Approval", {**APPROVAL, "link": "{{2.link}}"})
        run = await started(it, ("wait:ApprovalLink", {}), approval, approval)
        link = (await state(it, run, "waiting"))["waits"][0]["link"]
        await it.client.post(path_of(link), data={"decision": "Approve"})
        stopped = await state(it, run, "incomplete")
        assert "make one for each" in stopped["error"]["message"]


def test_an_address_that_asks_too_often_has_to_wait() -> None:
    now = 0.0
    turns = Turns(2, lambda: now)
    assert [turns.over("a"), turns.over("a"), turns.over("a"), turns.over("b")] == [
        False, False, True, False,
    ]  # fmt: skip
    now = 60.0
    assert not turns.over("a")
