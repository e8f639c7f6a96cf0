"""Every request of a module made by hand has an operation of the double behind it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sim_client import Time, Vendor, call

from junctor.connectors.highlevel import generated
from junctor.connectors.highlevel.table import MADE
from junctor.simulators import make
from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.kit import running

AT = "2026-12-01T10:00:00Z"


def plain(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


@pytest.mark.parametrize(("method", "path"), sorted(MADE | generated.BY_FUNCTIONS))
def test_the_double_has_every_operation_made_by_hand(method: str, path: str) -> None:
    """A literal route, not one whose parameter happens to take the word."""
    assert (method, plain(path)) in {
        (route.method, plain(route.path)) for route in make("highlevel", seed=1).routes()
    }


def play(story: Callable[[Vendor, HighLevelSimulator], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running(HighLevelSimulator(seed=1, clock=Time().clock())) as sim:
            vendor = Vendor(sim)
            vendor.headers["version"] = "v3"
            await story(vendor, sim)

    asyncio.run(run())


async def contact(sim: HighLevelSimulator) -> str:
    return next(iter(sim.state.contacts.rows))


async def ask(
    sim: HighLevelSimulator, version: str, method: str, path: str, body: Any = None
) -> Any:
    token = {"authorization": f"Bearer {sim.credentials['token']}", "version": version}
    return await call(method, sim.base_url + path, body, headers=token)


def test_a_calendar_from_made_to_deleted() -> None:
    async def story(vendor: Vendor, sim: HighLevelSimulator) -> None:
        where = {"locationId": sim.location_id}
        [group] = sim.more.kinds["/calendars/groups"].rows
        body = {**where, "name": "Demos", "slug": "demos", "slotDuration": 30, "groupId": group}
        made = await vendor("POST", "/calendars/", body)
        calendar = made.data["calendar"]
        assert (made.status, calendar["isActive"], calendar["slug"]) == (200, True, "demos")
        for wrong, said in (
            ({**body, "name": "x"}, "slug demos is already taken"),
            ({**where, "name": ""}, "name should not be empty"),
            ({**where, "name": "x", "calendarType": "lunar"}, "calendarType must be one of"),
            ({**where, "name": "x", "slotDurationUnit": "days"}, "slotDurationUnit must be one of"),
            ({**where, "name": "x", "colour": "red"}, "property colour should not exist"),
        ):
            refused = await vendor("POST", "/calendars/", wrong)
            assert refused.status == 422
            assert said in refused.data["error"]["message"]
        away = await vendor("POST", "/calendars/", {**where, "name": "x", "groupId": "none"})
        assert away.status == 404
        path = f"/calendars/{calendar['id']}"
        changed = await vendor("PUT", path, {"name": "Tours", "slug": "demos"})
        assert changed.data["calendar"]["name"] == "Tours"
        assert (await vendor("PUT", path, where)).status == 422, "a calendar stays where it is"
        assert (await vendor("DELETE", path)).data["success"] is True
        assert (await vendor("GET", path)).status == 404

    play(story)


def test_groups_are_turned_off_and_their_addresses_looked_up() -> None:
    async def story(vendor: Vendor, sim: HighLevelSimulator) -> None:
        [group] = sim.more.kinds["/calendars/groups"].rows
        path = f"/calendars/groups/{group}/status"
        assert (await vendor("PUT", path, {"isActive": False})).data["success"] is True
        assert sim.more.kinds["/calendars/groups"].get(group)["isActive"] is False
        assert (await vendor("PUT", path, {"isActive": "no"})).status == 422
        for slug, free in (("sales", False), ("tours", True)):
            body = {"locationId": sim.location_id, "slug": slug}
            answer = await vendor("POST", "/calendars/groups/validate-slug", body)
            assert answer.data["available"] is free

    play(story)


def test_notes_of_an_appointment() -> None:
    async def story(vendor: Vendor, sim: HighLevelSimulator) -> None:
        body = {
            "calendarId": sim.state.calendars[0]["id"],
            "locationId": sim.location_id,
            "contactId": await contact(sim),
            "startTime": AT,
        }
        booked = await vendor("POST", "/calendars/events/appointments", body)
        path = f"/calendars/appointments/{booked.data['id']}/notes"
        assert (await vendor("POST", path, {"body": " "})).status == 422
        for text in ("a", "b", "c"):
            assert (await vendor("POST", path, {"body": text})).status == 201
        page = (await vendor("GET", f"{path}?limit=2&offset=0")).data
        assert ([row["body"] for row in page["notes"]], page["hasMore"]) == (["c", "b"], True)
        assert page["notes"][0]["contactId"] == body["contactId"]
        rest = (await vendor("GET", f"{path}?limit=2&offset=2")).data
        assert ([row["body"] for row in rest["notes"]], rest["hasMore"]) == (["a"], False)
        assert (await vendor("GET", path)).status == 422
        one = f"{path}/{page['notes'][0]['id']}"
        assert (await vendor("PUT", one, {"body": "C"})).data["note"]["body"] == "C"
        assert (await vendor("DELETE", one)).data["success"] is True
        assert (await vendor("DELETE", one)).status == 404
        assert (
            await vendor("GET", "/calendars/appointments/x/notes?limit=2&offset=0")
        ).status == 404

    play(story)


def test_a_blocked_time_moves() -> None:
    async def story(vendor: Vendor, sim: HighLevelSimulator) -> None:
        body = {"locationId": sim.location_id, "startTime": AT, "endTime": AT, "title": "Lunch"}
        made = await vendor("POST", "/calendars/events/block-slots", body)
        path = f"/calendars/events/block-slots/{made.data['id']}"
        later = {"locationId": sim.location_id, "startTime": "2026-12-02T10:00:00Z"}
        moved = await vendor("PUT", path, later)
        assert (moved.status, moved.data["startTime"]) == (201, later["startTime"])
        assert moved.data["title"] == "Lunch"
        assert (await vendor("PUT", path, {**later, "startTime": "soon"})).status == 422

    play(story)


def test_calls_are_recorded_and_mails_have_numbers_of_their_own() -> None:
    async def story(vendor: Vendor, sim: HighLevelSimulator) -> None:
        who = await contact(sim)
        mail = {"type": "Email", "contactId": who, "subject": "Hi", "html": "<p>Hi</p>"}
        sent = (await vendor("POST", "/conversations/messages", mail)).data
        found = await vendor("GET", f"/conversations/messages/email/{sent['emailMessageId']}")
        assert (found.data["subject"], found.data["body"]) == ("Hi", "<p>Hi</p>")
        assert (await vendor("GET", "/conversations/messages/email/x")).status == 404
        talk = sent["conversationId"]
        call = {"type": "Call", "conversationId": talk, "call": {"status": "completed"}}
        rung = (await vendor("POST", "/conversations/messages/outbound", call)).data["messageId"]
        place = f"/conversations/locations/{sim.location_id}/messages/{rung}/transcription"
        said = await vendor("GET", place)
        assert said.data["transcript"].startswith("Hello")
        lost = {**call, "call": {"status": "no-answer"}}
        none = (await vendor("POST", "/conversations/messages/outbound", lost)).data["messageId"]
        path = f"/conversations/messages/{none}/locations/{sim.location_id}/recording"
        assert (await vendor("GET", path)).status == 404
        files = {"attachments": ["https://files.test/a.png"]}
        path = f"/conversations/messages/{sent['messageId']}/attachments"
        assert (await vendor("PUT", path, files)).status == 200
        assert sim.talk.messages.get(sent["messageId"])["attachments"] == files["attachments"]

    play(story)


def test_only_what_is_scheduled_can_be_taken_back() -> None:
    async def story(vendor: Vendor, sim: HighLevelSimulator) -> None:
        body = {"type": "Email", "contactId": await contact(sim), "message": "Hi"}
        now = (await vendor("POST", "/conversations/messages", body)).data
        for path in (now["messageId"], f"email/{now['emailMessageId']}"):
            refused = await vendor("DELETE", f"/conversations/messages/{path}/schedule")
            assert refused.status == 400
        due = {**body, "scheduledTimestamp": 1_800_000_000}
        later = [(await vendor("POST", "/conversations/messages", due)).data for _ in range(2)]
        for path in (later[0]["messageId"], f"email/{later[1]['emailMessageId']}"):
            done = await vendor("DELETE", f"/conversations/messages/{path}/schedule")
            assert done.data["status"] == 200
        assert list(sim.talk.messages.rows) == [now["messageId"]]

    play(story)


def test_people_are_found_by_text_and_by_mail() -> None:
    async def story(vendor: Vendor, sim: HighLevelSimulator) -> None:
        one, two = sim.state.users
        found = await vendor("GET", f"/users/search?companyId=c&query={one['lastName']}")
        assert one in found.data["users"]
        assert (await vendor("GET", "/users/search")).status == 422
        body = {"companyId": "c", "emails": f"{two['email'].upper()}, nobody@example.com"}
        answer = await vendor("POST", "/users/search/filter-by-email", body)
        assert [row["id"] for row in answer.data["users"]] == [two["id"]]
        place = f"/locations/{sim.location_id}"
        assert "UTC" in (await vendor("GET", f"{place}/timezones")).data["timeZones"]
        listed = await vendor("GET", f"{place}/templates?originId=x&type=sms")
        assert [row["type"] for row in listed.data["templates"]] == ["sms"]
        assert (await vendor("GET", f"{place}/templates")).status == 422

    play(story)


def test_both_dialects_are_spoken() -> None:
    async def story(_vendor: Vendor, sim: HighLevelSimulator) -> None:
        pipeline = sim.more.pipelines[0]["id"]
        body = {
            "pipelineId": pipeline,
            "locationId": sim.location_id,
            "name": "Deal",
            "status": "open",
            "contactId": await contact(sim),
        }
        assert (await ask(sim, "v3", "POST", "/opportunities/", body)).status == 201
        place = sim.location_id
        newer = f"/opportunities/search?locationId={place}&pipelineId={pipeline}"
        older = f"/opportunities/search?location_id={place}&pipeline_id={pipeline}"
        for version, path in (("v3", newer), ("2021-07-28", older)):
            found = await ask(sim, version, "GET", path)
            assert [row["name"] for row in found.data["opportunities"]] == ["Deal"]
        assert (await ask(sim, "v3", "GET", older)).status == 422
        assert (await ask(sim, "2021-07-28", "GET", newer)).status == 422
        for version in ("v3", "2021-07-28"):
            wrong = await ask(sim, version, "POST", "/opportunities/", {})
            said = wrong.data["error"]
            assert wrong.status == 422
            assert (said["code"] == "UNPROCESSABLE_ENTITY") if version == "v3" else said
            assert wrong.data["traceId"]
        for path in ("remove-all", "removeAll"):
            who = await contact(sim)
            answer = await ask(sim, "v3", "DELETE", f"/contacts/{who}/campaigns/{path}")
            assert answer.status == 200

    play(story)


def test_followers_of_an_opportunity() -> None:
    async def story(vendor: Vendor, sim: HighLevelSimulator) -> None:
        row = sim.more.opportunities.add({"name": "Deal"})
        path = f"/opportunities/{row['id']}/followers"
        added = await vendor("POST", path, {"followers": ["a", "b"]})
        assert (added.status, added.data["followersAdded"]) == (201, ["a", "b"])
        again = await vendor("POST", path, {"followers": ["b", "c"]})
        assert again.data == {**again.data, "followers": ["a", "b", "c"], "followersAdded": ["c"]}
        assert (await vendor("DELETE", path, {"followers": ["a"]})).data["followers"] == ["b", "c"]
        gone = await vendor("DELETE", f"{path}?isRemoveAllFollowers=true", {"followers": []})
        assert gone.data["followersRemoved"] == ["b", "c"]
        assert (await vendor("POST", path, {})).status == 422

    play(story)
