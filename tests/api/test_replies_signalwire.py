"""The example that asks by text message, against a simulated SignalWire: sent once, answered by the
person's own message, which does not start anything else.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from junctor.app.oneshot import own_worker
from junctor.simulators.signalwire_calls import message_form, signed
from tests.api.repair_stand import ANY, Stand, standing
from tests.api.test_repairs_signalwire import PUBLIC, keep, set_up
from tests.support import ROOT, asynchronous

EXAMPLE = ROOT / "examples" / "ask-by-text-message.blueprint.json"


async def imported(it: Stand) -> str:
    """The example, active; its path in the API."""
    made = await it.client.post(
        "/api/v1/scenarios", json={"blueprint": json.loads(EXAMPLE.read_text())}
    )
    assert made.status_code == 201, made.text
    path = f"/api/v1/scenarios/{made.json()['id']}"
    bound = await it.client.put(
        f"{path}/draft", json={"connections": {"signalwire": it.connection}}, headers=ANY
    )
    assert bound.status_code == 200, bound.text
    active = await it.client.post(f"{path}/activate", headers=ANY)
    assert active.status_code == 200, active.text
    return path


async def came_in(it: Stand, door: str, sender: str, number: str, text: str) -> None:
    """A text message to our number, as SignalWire tells of it."""
    order = {"from": sender, "to": number, "body": text, "times": 0}
    made = await it.admin("/inbound-messages", order)
    form = message_form(it.sim.state.messages[made["sid"]])
    headers = signed(it.sim.keys["signing_key"], PUBLIC + door, form)
    answer = await it.client.post(door, content=urlencode(form).encode(), headers=headers)
    assert answer.status_code == 200, answer.text


@asynchronous
async def test_a_person_is_asked_and_the_reply_decides(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "replies-signalwire"
    async with standing(database_url, Path(folder), "signalwire") as it:
        incoming = await it.scenario(("signalwire:watchMessages", {}), keep(who="{{1.From}}"))
        number = next(iter(it.sim.state.numbers.values()))
        door = await set_up(it, incoming, number=number["id"])
        hooks = (await it.client.get("/api/v1/hooks")).json()["items"]
        (hook,) = [each for each in hooks if each["url"].endswith(door)]
        renamed = await it.client.patch(
            f"/api/v1/hooks/{hook['id']}", json={"name": "Replies"}, headers=ANY
        )
        assert renamed.status_code == 200, renamed.text
        path = await imported(it)
        person = {"name": "Ada", "phone": "+1 (202) 555-0143", "time": "10:30"}
        async with own_worker(it.core):
            started = await it.client.post(
                f"{path}/runs",
                json={"input": {**person, "from": number["number"]}},
            )
            assert started.status_code < 300, started.text
            run = await waiting(it, started.json()["id"])
            assert run["waits"][0]["hook_name"] == "Replies"
            await came_in(it, door, "+12025550199", number["number"], "Who is this?")
            await came_in(it, door, "+12025550143", number["number"], "YES!")
            await it.ended(path, 1)
            runs = await it.ended(incoming, 2)
        names = [each["name"] for each in runs]
        assert names.count(None) == 1
        assert f"given to {run['id']}" in names
        shown = (await it.client.get(f"/api/v1/runs/{run['id']}")).json()
        assert shown["outputs"] == {"result": "confirmed"}
        sent = [each for each in it.sim.state.messages.values() if "appointment" in each["body"]]
        assert [each["to"] for each in sent] == ["+12025550143"]


async def waiting(it: Stand, run: str) -> Any:
    async with asyncio.timeout(120):
        while True:
            found = await it.client.get(f"/api/v1/runs/{run}")
            if found.status_code == 200 and found.json()["state"] == "waiting":
                return found.json()
            assert found.status_code == 404 or found.json()["state"] == "running", found.text
            await asyncio.sleep(0.02)
