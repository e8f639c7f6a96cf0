"""After trouble with a simulated SignalWire, on a real database: missed calls and messages come
once, uncertain calls and messages settle themselves, and polls ask for what is new.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from junctor.app.oneshot import own_worker
from junctor.simulators.signalwire_calls import signed, voice_form
from tests.api.repair_stand import ANY, Stand, standing
from tests.support import asynchronous

PUBLIC = "https://hooks.test"


def keep(**values: str) -> tuple[str, dict[str, Any]]:
    rows = [{"name": name, "value": text} for name, text in values.items()]
    return ("util:SetVariables", {"scope": "roundtrip", "variables": rows})


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "repairs-signalwire"


async def told(it: Stand, door: str, form: dict[str, str]) -> int:
    """One of SignalWire's own deliveries; how it was answered."""
    headers = signed(it.sim.keys["signing_key"], PUBLIC + door, form)
    answer = await it.client.post(door, content=urlencode(form).encode(), headers=headers)
    return answer.status_code


async def set_up(it: Stand, path: str, **values: Any) -> str:
    """Gives a scenario's hook its settings; the path of its address."""
    door = await it.door(path)
    hooks = (await it.client.get("/api/v1/hooks")).json()["items"]
    (hook,) = [each for each in hooks if each["url"].endswith(door)]
    changed = await it.client.patch(
        f"/api/v1/hooks/{hook['id']}",
        json={"values": {"signing_key": it.sim.keys["signing_key"], **values}},
        headers=ANY,
    )
    assert changed.status_code == 200, changed.text
    return door


@asynchronous
async def test_calls_while_nobody_listened_arrive_once(database_url: str, folder: Path) -> None:
    async with standing(database_url, folder, "signalwire") as it:
        path = await it.scenario(
            ("signalwire:watchCalls", {}),
            keep(who="{{1.From}}"),
        )
        number, other = it.sim.state.numbers.values()
        before = dict(number)
        door = await set_up(it, path, number=number["id"])
        active = await it.client.post(f"{path}/activate", headers=ANY)
        assert active.status_code == 200, active.text
        assert number["call_request_url"] == PUBLIC + door
        order = {"told": False, "to": number["number"]}
        made = (await it.admin("/inbound-calls?wait=true", {**order, "count": 3}))["calls"]
        await it.admin("/inbound-calls?wait=true", {**order, "to": other["number"]})
        ringing = {**voice_form(it.sim.state.calls[made[0]]), "CallStatus": "ringing"}
        assert await told(it, door, ringing) == 200  # this one came all the same
        answer = await it.client.post(f"{path}/backfill", json={})
        assert answer.status_code == 200, answer.text
        (hook,) = answer.json()["hooks"]
        assert (hook["listed"], hook["stored"], hook["known"], hook["unidentified"]) == (3, 2, 1, 0)
        # SignalWire's own late delivery is known, too.
        late = {**voice_form(it.sim.state.calls[made[2]]), "CallStatus": "ringing"}
        assert await told(it, door, late) == 200
        async with own_worker(it.core):
            found = await it.first_bundles(await it.ended(path, 3))
        assert Counter(each["CallSid"] for each in found) == Counter(made)
        assert Counter(each["CallStatus"] for each in found) == {"ringing": 1, "failed": 2}
        stopped = await it.client.post(f"{path}/deactivate", headers=ANY)
        assert stopped.status_code == 200, stopped.text
        changed = {key for key in before if number[key] != before[key]} - {"call_fallback_url"}
        assert changed == set(), "what handled the number before handles it again"
        assert not number["call_fallback_url"]


@asynchronous
async def test_messages_to_numbers_entered_by_hand_arrive_once(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder, "signalwire") as it:
        path = await it.scenario(
            ("signalwire:watchMessages", {}), keep(body="{{1.Body}}", file="{{1.Media[].url}}")
        )
        door = await set_up(it, path)
        number, other = it.sim.state.numbers.values()
        number["message_request_url"] = f"{PUBLIC}{door}"
        for to in (number, other):
            for order in ({"body": "Hi"}, {"body": "", "media": ["https://example.com/a.jpg"]}):
                await it.admin("/inbound-messages", {**order, "to": to["number"], "times": 0})
        (hook,) = (await it.client.post(f"{path}/backfill", json={})).json()["hooks"]
        assert (hook["listed"], hook["stored"]) == (2, 2)
        async with own_worker(it.core):
            found = await it.first_bundles(await it.ended(path, 2))
        [picture] = [each for each in found if each["NumMedia"] == "1"]
        assert picture["Media"][0]["contentType"] == "image/jpeg"
        assert picture["Media"][0]["url"].startswith(it.sim.origin)


@pytest.mark.parametrize(
    ("module", "given", "place", "kind"),
    [
        ("createMessage", {"body": "Hello"}, "Messages", "messages"),
        ("createCall", {"callUrl": "https://example.com/call.xml"}, "Calls", "calls"),
    ],
)
@asynchronous
async def test_what_was_sent_is_found_and_the_run_goes_on(
    database_url: str, folder: Path, module: str, given: dict[str, str], place: str, kind: str
) -> None:
    async with standing(database_url, folder, "signalwire") as it, own_worker(it.core):
        number = next(iter(it.sim.state.numbers.values()))["number"]
        ends = {"from": number, "to": "(202) 555-0142"}
        path = await it.scenario(
            ("gateway:CustomWebHook", {}),
            (f"signalwire:{module}", {**ends, **given}),
            keep(sid="{{2.sid}}", day='{{formatDate(2.date_created; "YYYY-MM-DD")}}'),
        )
        before, begun = set(getattr(it.sim.state, kind)), it.sim.clock.date()
        match = {"path": f"/api/laml/2010-04-01/Accounts/{it.sim.project}/{place}"}
        await it.admin("/faults", {"kind": "cut_after", "match": match})
        await it.client.post(await it.door(path), json={})
        (run,) = await it.ended(path, 1, state="uncertain")
        settled = await it.client.post(
            f"/api/v1/runs/{run['id']}/settle", json={"outcome": "probe"}
        )
        assert settled.status_code == 200, settled.text
        assert settled.json()["found"] == "done", settled.text
        await it.ended(path, 1)
        (sid,) = set(getattr(it.sim.state, kind)) - before
        made = (await it.client.get(f"/api/v1/runs/{run['id']}/operations")).json()["operations"]
        assert made[2]["bundles"][0]["sid"] == sid
        days = {f"{each:%Y-%m-%d}" for each in (begun, it.sim.clock.date())}  # perhaps midnight
        assert made[2]["bundles"][0]["day"] in days


@asynchronous
async def test_a_poll_asks_for_what_is_new(database_url: str, folder: Path) -> None:
    async with standing(database_url, folder, "signalwire") as it, own_worker(it.core):
        path = await it.scenario(
            ("signalwire:watchNewMessages", {"limit": 10}), keep(body="{{1.body}}"), instant=False
        )
        for turn, body in enumerate(("", "One", "Two"), start=1):
            if body:
                await it.admin("/inbound-messages", {"body": body, "times": 0})
            started = await it.client.post(f"{path}/runs", json={})
            assert started.status_code == 202, started.text
            runs = await it.ended(path, turn)
            given = []
            for run in runs:
                made = (await it.client.get(f"/api/v1/runs/{run['id']}/operations")).json()
                given += [each["body"] for each in made["operations"][0]["bundles"]]
            assert sorted(given) == ["One", "Two"][: turn - 1]
        rows = it.sim.journal.as_record(operation="list_messages")["requests"]
        sizes = [re.search(r"PageSize=(\d+)", row["target"]) for row in rows]
        assert Counter(found[1] for found in sizes if found)["1000"] == 1
        assert {found[1] for found in sizes if found} == {"1000", "100"}
