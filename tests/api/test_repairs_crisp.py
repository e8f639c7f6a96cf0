"""After trouble with Crisp: what was missed comes once, what was perhaps sent is not sent twice."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from junctor.app.oneshot import own_worker
from junctor.app.settling import settle
from junctor.language import ids
from tests.api.repair_stand import ANY, Stand, standing
from tests.support import asynchronous

SET = {"scope": "roundtrip", "variables": [{"name": "d", "value": "{{1.data}}"}]}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "repairs-crisp"


async def watching(it: Stand, module: str, **settings: Any) -> str:
    """An active scenario of a trigger whose hook is set up as a website's."""
    path = await it.scenario((f"crisp:{module}", {}), ("util:SetVariables", SET))
    hooks = (await it.client.get("/api/v1/hooks")).json()["items"]
    (hook,) = [each for each in hooks if each["scenario"] == path.rpartition("/")[2]]
    order = {"values": {"source": "website", **settings}}
    changed = await it.client.patch(f"/api/v1/hooks/{hook['id']}", json=order, headers=ANY)
    assert changed.status_code == 200, changed.text
    return path


async def heard(it: Stand, path: str, count: int, key: str) -> Counter[Any]:
    """What the runs of a scenario were started by."""
    found: Counter[Any] = Counter()
    for run in await it.ended(path, count):
        made = (await it.client.get(f"/api/v1/runs/{run['id']}/operations")).json()
        found[made["operations"][0]["bundles"][0]["data"][key]] += 1
    return found


@asynchronous
async def test_messages_while_nobody_listened_arrive_once(database_url: str, folder: Path) -> None:
    async with standing(database_url, folder, "crisp") as it:
        path = await watching(it, "watchMessages")
        begun = await watching(it, "watchConversations")
        first = await it.admin("/messages", {"text": "one"})
        told = [first] + [
            await it.admin("/messages", {"text": text, "session_id": first["session_id"]})
            for text in ("two", "three", "four")
        ]
        site = it.sim.state.websites[it.sim.website_id]
        for each in told[:2]:  # these came all the same
            message = next(
                row
                for row in site.messages[each["session_id"]]
                if row["fingerprint"] == each["fingerprint"]
            )
            event = {"website_id": site.id, "event": "message:send", "data": message}
            sent = {**event, "timestamp": message["timestamp"] + 70}
            answer = await it.client.post(await it.door(path), json=sent)
            assert answer.status_code == 200
        (hook,) = (await it.client.post(f"{path}/backfill", json={})).json()["hooks"]
        # A day back, those conversations are there, too, that the account has had since today.
        told_to_be = hook["listed"]
        assert (hook["known"], hook["unidentified"]) == (2, 0)
        assert hook["stored"] == told_to_be - 2 >= 2
        (again,) = (await it.client.post(f"{path}/backfill", json={})).json()["hooks"]
        assert (again["stored"], again["known"]) == (0, told_to_be)
        (hook,) = (await it.client.post(f"{begun}/backfill", json={})).json()["hooks"]
        assert hook["stored"] == hook["listed"] >= 1
        late = {"session_id": first["session_id"], "website_id": site.id, "inbox_id": None}
        event = {"website_id": site.id, "event": "session:request:initiated", "data": late}
        await it.client.post(await it.door(begun), json={**event, "timestamp": 1})
        async with own_worker(it.core):
            arrived = await heard(it, path, told_to_be, "fingerprint")
            started = await heard(it, begun, hook["listed"], "session_id")
        assert {arrived[each["fingerprint"]] for each in told} == {1}
        assert started[first["session_id"]] == 1


def written(it: Stand, session: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = it.sim.state.websites[it.sim.website_id].messages[session]
    return found


async def doubtful(it: Stand, fault: str) -> tuple[str, str, str]:
    """A scenario whose message has an unknown outcome: its path, its run's, and the session."""
    session = (await it.admin("/messages", {"text": "?"}))["session_id"]
    keep = {"scope": "roundtrip", "variables": [{"name": "n", "value": "{{2.fingerprint}}"}]}
    path = await it.scenario(
        ("gateway:CustomWebHook", {}),
        ("crisp:sendMessage", {"session_id": session, "content": "{{1.t}}"}),
        ("util:SetVariables", keep),
    )
    await it.admin("/faults", {"kind": fault, "match": {"method": "POST", "path": "^.*/message$"}})
    await it.client.post(await it.door(path), json={"t": "Hello"})
    (run,) = await it.ended(path, 1, state="uncertain")
    return path, f"/api/v1/runs/{run['id']}", session


@asynchronous
async def test_a_message_that_was_sent_is_found_by_its_number(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder, "crisp") as it, own_worker(it.core):
        path, run, session = await doubtful(it, "cut_after")
        settled = await it.client.post(f"{run}/settle", json={"outcome": "probe"})
        assert settled.json()["found"] == "done", settled.text
        await it.ended(path, 1)
        [_, sent] = written(it, session)
        made = (await it.client.get(f"{run}/operations")).json()["operations"]
        assert made[2]["bundles"] == [{"n": sent["fingerprint"]}]


@asynchronous
async def test_a_message_that_was_not_sent_is_sent_under_the_same_number(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder, "crisp") as it, own_worker(it.core):
        path, run, session = await doubtful(it, "cut_before")
        early = (await it.client.post(f"{run}/settle", json={"outcome": "probe"})).json()
        assert early["found"] == "unknown"
        run_id = ids.read("run", run.rpartition("/")[2])
        later = datetime.now(UTC) + timedelta(minutes=11)
        _, found = await settle(it.core, it.organization, run_id, "probe", actor="t", now=later)
        assert found.verdict == "not-done"
        await it.ended(path, 1)
        [_, sent] = written(it, session)
        assert sent["content"] == "Hello"
        # The next message of the same scenario has another one.
        await it.client.post(await it.door(path), json={"t": "Hello"})
        await it.ended(path, 2)
        assert len({row["fingerprint"] for row in written(it, session)}) == 3
