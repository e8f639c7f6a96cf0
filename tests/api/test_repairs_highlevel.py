"""HighLevel after trouble, on a real database and its double: events that were missed arrive once,
and a task whose answer was lost is not given twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from junctor.app.oneshot import own_worker
from junctor.app.repair import fill_gaps
from tests.api.repair_stand import ANY, Stand, standing
from tests.api.test_repairs import beat, quiet
from tests.support import asynchronous


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "repairs-highlevel"


class Heard:
    """What the double tells, kept to be delivered later, or never."""

    def __init__(self, it: Stand) -> None:
        self.it = it
        self.sent: list[tuple[str, bytes, dict[str, str]]] = []
        it.sim.subscriptions.append(("http://127.0.0.1:1/", ("*",)))
        it.sim.deliveries.send = self._send

    def _send(self, event: str, _url: str, payload: bytes, **more: Any) -> None:
        self.sent.append((event, payload, more["headers"]))

    async def deliver(self, door: str, *events: str) -> None:
        """Sends what was told of these kinds, as the vendor would have."""
        for event, payload, headers in self.sent:
            if event in events:
                given = {"content-type": "application/json", **headers}
                answer = await self.it.client.post(door, content=payload, headers=given)
                assert answer.status_code == 200, answer.text


@asynccontextmanager
async def watching(
    url: str, folder: Path, trigger: str, **values: Any
) -> AsyncIterator[tuple[Stand, Heard, str, str]]:
    """A scenario that starts with a trigger: its path in the API and its door."""
    async with standing(url, folder, "highlevel") as it:
        keep = {"scope": "roundtrip", "variables": [{"name": "t", "value": "{{1.type}}"}]}
        path = await it.scenario((f"highlevel:{trigger}", {}), ("util:SetVariables", keep))
        hooks = (await it.client.get("/api/v1/hooks")).json()["items"]
        [hook] = [each for each in hooks if each["scenario"] == path.rpartition("/")[2]]
        values["public_key"] = it.sim.credentials["webhook_public_key"]
        settled = await it.client.patch(
            f"/api/v1/hooks/{hook['id']}", json={"values": values}, headers=ANY
        )
        assert settled.status_code == 200, settled.text
        yield it, Heard(it), path, await it.door(path)


async def vendor(it: Stand, method: str, path: str, body: Any = None) -> Any:
    """Somebody works in HighLevel."""
    token = {"authorization": f"Bearer {it.sim.credentials['token']}", "version": "v3"}
    async with httpx.AsyncClient(base_url=it.sim.origin, headers=token) as client:
        answer = await client.request(method, path, json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()


async def repaired(it: Stand, path: str) -> tuple[int, int, int]:
    """How many events a repair found, which of them were new, and which were known."""
    answer = await it.client.post(f"{path}/backfill", json={})
    assert answer.status_code == 200, answer.text
    [hook] = answer.json()["hooks"]
    assert hook["unidentified"] == 0
    return hook["listed"], hook["stored"], hook["known"]


async def kinds(it: Stand, path: str, count: int) -> Counter[str]:
    """The events that started its runs."""
    found: Counter[str] = Counter()
    for run in await it.ended(path, count):
        made = (await it.client.get(f"/api/v1/runs/{run['id']}/operations")).json()
        found[made["operations"][0]["bundles"][0]["type"]] += 1
    return found


@asynchronous
async def test_what_happened_while_nobody_listened_arrives_once(
    database_url: str, folder: Path
) -> None:
    types = ["ContactCreate", "TaskCreate", "NoteCreate", "AppointmentCreate", "InboundMessage"]
    types += ["OutboundMessage", "OpportunityCreate"]
    async with watching(database_url, folder, "watchEvents", types=types) as (
        it,
        heard,
        path,
        door,
    ):
        place = {"locationId": it.sim.location_id}
        body = {**place, "firstName": "Ada", "email": "ada@example.com"}
        contact = (await vendor(it, "POST", "/contacts/", body))["contact"]["id"]
        tomorrow = (it.sim.clock.date() + timedelta(days=1)).isoformat(timespec="seconds")
        task = {"title": "Call", "dueDate": tomorrow, "completed": False}
        await vendor(it, "POST", f"/contacts/{contact}/tasks", task)
        await vendor(it, "POST", f"/contacts/{contact}/notes", {"body": "Hello"})
        who = {**place, "contactId": contact}
        # A repair looks at the appointments of the weeks to come.
        when = {"calendarId": it.sim.state.calendars[0]["id"], "startTime": tomorrow}
        await vendor(it, "POST", "/calendars/events/appointments", {**who, **when})
        deal = {"pipelineId": it.sim.more.pipelines[0]["id"], "name": "Deal", "status": "open"}
        await vendor(it, "POST", "/opportunities/", {**who, **deal})
        said = {"type": "SMS", "contactId": contact, "message": "Hi"}
        await vendor(it, "POST", "/conversations/messages", said)
        await vendor(it, "POST", "/conversations/messages/inbound", said)
        # Three arrived all the same; the others come by the repair.
        await heard.deliver(door, "ContactCreate", "InboundMessage", "AppointmentCreate")
        assert await repaired(it, path) == (7, 4, 3)
        assert await repaired(it, path) == (7, 0, 7)
        await heard.deliver(door, *types)  # HighLevel tries again, late
        async with own_worker(it.core):
            assert await kinds(it, path, 7) == Counter(types)


@asynchronous
async def test_a_contact_that_was_changed_is_fetched_once(database_url: str, folder: Path) -> None:
    async with watching(database_url, folder, "watchContacts") as (it, _, path, _door):
        someone, *_rest = it.sim.state.contacts.rows
        await vendor(it, "PUT", f"/contacts/{someone}", {"city": "Paris"})
        assert await repaired(it, path) == (1, 1, 0)
        assert await repaired(it, path) == (1, 0, 1)
        async with own_worker(it.core):
            assert await kinds(it, path, 1) == Counter(["ContactUpdate"])


@asynchronous
async def test_a_hook_without_a_connection_is_not_tried_again_and_again(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder, "highlevel") as it:
        keep = {"scope": "roundtrip", "variables": [{"name": "t", "value": "{{1.type}}"}]}
        alone = [("highlevel:watchContacts", {}), ("util:SetVariables", keep)]
        path = await it.scenario(*alone)
        with psycopg.connect(it.url, autocommit=True) as db:
            db.execute("update hooks set connection_id = null where kind = 'watchContacts'")
        refused = await it.client.post(f"{path}/backfill", json={})
        assert "has no connection to ask with" in refused.json()["error"]["message"]
        quiet(it.url, 30)
        await asyncio.to_thread(beat, it.url, gap=5)
        assert await fill_gaps(it.core) == {"gaps": 1, "stored": 0, "left": 0}


@asynchronous
async def test_a_task_whose_answer_was_lost_is_found(database_url: str, folder: Path) -> None:
    async with standing(database_url, folder, "highlevel") as it, own_worker(it.core):
        someone, *_ = it.sim.state.contacts.rows
        due = "2026-12-01T10:00:00Z"
        task = {"contactId": someone, "title": "Call {{1.t}} back", "dueDate": due}
        keep = {"scope": "roundtrip", "variables": [{"name": "id", "value": "{{2.id}}"}]}
        path = await it.scenario(
            ("gateway:CustomWebHook", {}),
            ("highlevel:createTask", task),
            ("util:SetVariables", keep),
        )
        await it.admin("/faults", {"kind": "cut_after", "match": {"method": "POST"}})
        await it.client.post(await it.door(path), json={"t": "Ada"})
        [found] = await it.ended(path, 1, state="uncertain")
        run = f"/api/v1/runs/{found['id']}"
        settled = await it.client.post(f"{run}/settle", json={"outcome": "probe"})
        assert settled.status_code == 200, settled.text
        assert settled.json()["found"] == "done"
        await it.ended(path, 1)
        [made] = it.sim.state.tasks.rows.values()
        shown = (await it.client.get(f"{run}/operations")).json()["operations"]
        assert shown[2]["bundles"] == [{"id": made["id"]}]
        assert made["title"] == "Call Ada back"
