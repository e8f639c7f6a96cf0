from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from sim_client import Time, Vendor, call

from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.kit import running
from junctor.simulators.limits import Limits


def with_sim(test: Callable[[Vendor, str], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        options.setdefault("clock", Time().clock())
        async with running(HighLevelSimulator(seed=1, **options)) as sim:
            await test(Vendor(sim), sim.location_id)

    asyncio.run(run())


async def add(vendor: Vendor, location: str, **fields: Any) -> dict[str, Any]:
    answer = await vendor("POST", "/contacts/", {"locationId": location, **fields})
    assert answer.status == 201, answer
    contact: dict[str, Any] = answer.data["contact"]
    return contact


def test_token_and_version_are_needed() -> None:
    async def test(vendor: Vendor, location: str) -> None:
        url = f"{vendor.sim.base_url}/locations/{location}"
        bare = await call("GET", url)
        assert (bare.status, bare.data["error"]) == (401, "Unauthorized")
        wrong = await call("GET", url, headers={**vendor.headers, "authorization": "Bearer x"})
        assert wrong.status == 401
        token = {"authorization": vendor.headers["authorization"]}
        no_version = await call("GET", url, headers=token)
        assert no_version.status == 401
        assert "version header was not found" in no_version.data["message"]
        other = await call("GET", url, headers={**token, "version": "2021-04-15"})
        assert other.status == 401
        newest = await call("GET", url, headers={**token, "version": "v3"})
        assert newest.data["location"]["id"] == location

    with_sim(test)


def test_another_location_is_forbidden_and_an_unknown_path_not_found() -> None:
    async def test(vendor: Vendor, _location: str) -> None:
        assert (await vendor("GET", "/locations/elsewhere")).status == 403
        body = {"locationId": "elsewhere", "phone": "+12025550100"}
        assert (await vendor("POST", "/contacts/", body)).status == 403
        lost = await vendor("GET", "/nowhere")
        assert lost.status == 404
        assert lost.data["message"] == "Cannot GET /nowhere"
        assert lost.data["traceId"]

    with_sim(test)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"locationId": None}, "locationId should not be empty"),
        ({"planet": "Mars"}, "property planet should not exist"),
        ({"phone": "call me"}, "phone must be a valid phone number"),
        ({"email": "nobody"}, "email must be an email"),
        ({"tags": "vip"}, "tags must be an array"),
        ({"tags": ["vip", 1]}, "each value in tags must be a string"),
        ({"dnd": "yes"}, "dnd must be a boolean value"),
        ({"firstName": 7}, "firstName must be a string"),
        ({"dateOfBirth": "yesterday"}, "dateOfBirth must be a valid ISO 8601 date string"),
        ({"customFields": [{"value": 1}]}, "customFields.0.id must be a string"),
    ],
)
def test_validation_answers_as_the_vendor(fields: dict[str, Any], message: str) -> None:
    async def test(vendor: Vendor, location: str) -> None:
        answer = await vendor("POST", "/contacts/upsert", {"locationId": location, **fields})
        assert answer.status == 422
        assert answer.data["statusCode"] == 422
        assert answer.data["message"] == [message]
        assert answer.data["error"] == "Unprocessable Entity"
        assert answer.data["traceId"]

    with_sim(test)


def test_all_problems_are_listed_and_a_body_must_be_json() -> None:
    async def test(vendor: Vendor, _location: str) -> None:
        answer = await vendor("POST", "/contacts/", {"a": 1, "dnd": 1})
        assert answer.data["message"] == [
            "property a should not exist",
            "locationId should not be empty",
            "dnd must be a boolean value",
        ]
        assert (await vendor("POST", "/contacts/", b"{")).status == 400
        assert (await vendor("POST", "/contacts/", b"[]")).status == 400

    with_sim(test)


def test_a_contact_lives_from_create_to_delete() -> None:
    async def test(vendor: Vendor, location: str) -> None:
        contact = await add(
            vendor,
            location,
            name="Ada Byron King",
            phone="(202) 555-0142",
            email="Ada@Example.com",
            customFields=[{"key": "toky_call", "field_value": "c1"}],
        )
        path = f"/contacts/{contact['id']}"
        assert len(contact["id"]) == 20
        assert contact["phone"] == "+12025550142"
        assert (contact["firstName"], contact["lastName"]) == ("Ada", "Byron King")
        assert contact["customFields"][0]["value"] == "c1"
        changed = await vendor("PUT", path, {"firstName": "Augusta", "tags": ["a"], "email": None})
        assert changed.data["succeded"] is True
        got = (await vendor("GET", path)).data["contact"]
        assert got["firstName"] == "Augusta"
        assert got["tags"] == ["a"]
        assert "email" not in got
        refused = await vendor("PUT", path, {"locationId": location})
        assert refused.data["message"] == ["property locationId should not exist"]
        assert (await vendor("DELETE", path)).data["succeded"] is True
        assert (await vendor("GET", path)).status == 404
        assert (await vendor("DELETE", path)).status == 404
        await add(vendor, location, phone="+12025550142")  # its number is free again

    with_sim(test)


def test_duplicates_are_refused_unless_allowed() -> None:
    async def test(vendor: Vendor, location: str) -> None:
        first = await add(vendor, location, phone="+12025550142")
        body = {"locationId": location, "phone": "202-555-0142"}
        answer = await vendor("POST", "/contacts/", body)
        assert answer.status == 400
        assert answer.data["meta"] == {"contactId": first["id"], "matchingField": "phone"}

    async def allowed(vendor: Vendor, location: str) -> None:
        one = await add(vendor, location, phone="+12025550142")
        two = await add(vendor, location, phone="+12025550142")
        assert one["id"] != two["id"]

    with_sim(test)
    with_sim(allowed, allow_duplicates=True)


def test_upsert_matches_by_email_or_phone() -> None:
    async def test(vendor: Vendor, location: str) -> None:
        async def upsert(**fields: Any) -> Any:
            body = {"locationId": location, **fields}
            return (await vendor("POST", "/contacts/upsert", body)).data

        made = await upsert(phone="+12025550142", firstName="A", tags=["x"])
        assert made["new"] is True
        again = await upsert(phone="+1 202 555 0142", email="a@example.com", tags=["y"])
        assert (again["new"], again["contact"]["id"]) == (False, made["contact"]["id"])
        assert again["contact"]["tags"] == ["y"]  # replaced, not added
        assert (await upsert(email="A@EXAMPLE.com"))["contact"]["id"] == made["contact"]["id"]
        other = await upsert(phone="+12025550143")
        # E-mail and phone belong to two contacts: the first of the location's order wins.
        mixed = await upsert(email="a@example.com", phone="+12025550143")
        assert mixed["contact"]["id"] == made["contact"]["id"]
        assert mixed["contact"]["phone"] == "+12025550142"
        forced = await upsert(phone="+12025550143", createNewIfDuplicateAllowed=True)
        assert forced["contact"]["id"] == other["contact"]["id"]  # the location forbids doubles

    async def allowed(vendor: Vendor, location: str) -> None:
        body: dict[str, Any] = {"locationId": location, "phone": "+12025550143"}
        await vendor("POST", "/contacts/upsert", body)
        body["createNewIfDuplicateAllowed"] = True
        assert (await vendor("POST", "/contacts/upsert", body)).data["new"] is True

    with_sim(test)
    with_sim(allowed, allow_duplicates=True)


def test_the_phone_may_come_first() -> None:
    async def test(vendor: Vendor, location: str) -> None:
        await add(vendor, location, email="a@example.com")
        phone = await add(vendor, location, phone="+12025550143")
        body = {"locationId": location, "email": "a@example.com", "phone": "+12025550143"}
        got = (await vendor("POST", "/contacts/upsert", body)).data["contact"]
        assert got["id"] == phone["id"]
        number = quote("+12025550143")
        query = f"/contacts/search/duplicate?locationId={location}&number={number}"
        assert (await vendor("GET", query)).data["contact"]["id"] == phone["id"]
        query = f"/contacts/search/duplicate?locationId={location}&email=none@example.com"
        assert (await vendor("GET", query)).data["contact"] is None

    with_sim(test, match_order=("phone", "email"))


def test_a_refused_write_changes_nothing() -> None:
    async def test(vendor: Vendor, location: str) -> None:
        contact = await add(vendor, location, phone="+12025550142")
        before = await vendor.admin("GET", "/state")
        bad = {"firstName": "X", "phone": "+12025550149", "customFields": [{"value": 1}]}
        assert (await vendor("PUT", f"/contacts/{contact['id']}", bad)).status == 422
        new = {"locationId": location, **bad}
        assert (await vendor("POST", "/contacts/", new)).status == 422
        assert await vendor.admin("GET", "/state") == before
        found = await vendor(
            "POST", "/contacts/", {"locationId": location, "phone": "+12025550142"}
        )
        assert found.data["meta"]["contactId"] == contact["id"]

    with_sim(test)


def test_tags_are_added_and_removed() -> None:
    async def test(vendor: Vendor, location: str) -> None:
        path = f"/contacts/{(await add(vendor, location, tags=['a']))['id']}/tags"
        added = await vendor("POST", path, {"tags": ["Missed call", "a"]})
        assert (added.status, added.data["tags"]) == (201, ["a", "Missed call"])
        removed = await vendor("DELETE", path, {"tags": ["a"]})
        assert (removed.status, removed.data["tags"]) == (200, ["Missed call"])
        assert (await vendor("POST", path, {})).data["message"] == ["tags should not be empty"]
        listed = (await vendor("GET", f"/locations/{location}/tags")).data["tags"]
        assert [tag["name"] for tag in listed] == ["Missed call"]

    with_sim(test)


def test_notes_and_tasks() -> None:
    async def test(vendor: Vendor, location: str) -> None:
        contact = (await add(vendor, location))["id"]
        notes, tasks = f"/contacts/{contact}/notes", f"/contacts/{contact}/tasks"
        note = await vendor("POST", notes, {"body": "Called", "title": "t"})
        assert note.status == 201
        note_path = f"{notes}/{note.data['note']['id']}"
        assert (await vendor("PUT", note_path, {"pinned": True})).data["note"]["pinned"] is True
        assert (await vendor("GET", note_path)).data["note"]["contactId"] == contact
        assert len((await vendor("GET", notes)).data["notes"]) == 1
        assert (await vendor("POST", notes, {"body": " "})).status == 422
        assert (await vendor("DELETE", note_path)).data["succeded"] is True
        assert (await vendor("GET", note_path)).status == 404

        missing = await vendor("POST", tasks, {"title": "Call back"})
        assert missing.data["message"] == [
            "dueDate should not be empty",
            "completed should not be empty",
        ]
        body = {"title": "Call back", "dueDate": "2026-12-01T10:00:00Z", "completed": False}
        task = await vendor("POST", tasks, body)
        assert task.status == 201
        task_path = f"{tasks}/{task.data['task']['id']}"
        done = await vendor("PUT", f"{task_path}/completed", {"completed": True})
        assert done.data["task"]["completed"] is True
        assert (await vendor("PUT", task_path, {"title": "New"})).data["task"]["title"] == "New"
        assert (await vendor("GET", task_path)).status == 200
        assert len((await vendor("GET", tasks)).data["tasks"]) == 1
        assert (await vendor("GET", "/contacts/nobody/tasks")).status == 404
        assert (await vendor("DELETE", task_path)).status == 200
        # A contact takes its notes and tasks along.
        await vendor("POST", notes, {"body": "x"})
        await vendor("DELETE", f"/contacts/{contact}")
        assert (await vendor.admin("GET", "/state"))["notes"] == []

    with_sim(test)


def test_appointments_have_their_own_version() -> None:
    async def test(vendor: Vendor, location: str) -> None:
        contact = (await add(vendor, location))["id"]
        body = {
            "calendarId": "c",
            "locationId": location,
            "contactId": contact,
            "startTime": "2026-12-01T10:00:00+01:00",
        }
        path = "/calendars/events/appointments"
        assert (await vendor("POST", path, body)).status == 401
        made = await vendor("POST", path, body, version="2021-04-15")
        assert made.status == 200
        assert made.data["endTime"] == "2026-12-01T10:30:00+01:00"
        listed = (await vendor("GET", f"/contacts/{contact}/appointments")).data["events"]
        assert [row["id"] for row in listed] == [made.data["id"]]
        one = await vendor("GET", f"{path}/{made.data['id']}", version="2021-04-15")
        assert one.data["event"]["contactId"] == contact
        wrong = await vendor("POST", path, {**body, "appointmentStatus": "x"}, version="2021-04-15")
        assert "must be one of the following values" in wrong.data["message"][0]
        stranger = {**body, "contactId": "nobody"}
        assert (await vendor("POST", path, stranger, version="2021-04-15")).status == 404

    with_sim(test)


def test_lists_for_pick_lists() -> None:
    async def test(vendor: Vendor, location: str) -> None:
        users = await vendor("GET", f"/users/?locationId={location}")
        assert len(users.data["users"]) == 2
        fields = await vendor("GET", f"/locations/{location}/customFields")
        assert fields.data["customFields"][0]["fieldKey"] == "contact.toky_call"
        calendars = await vendor("GET", f"/calendars/?locationId={location}", version="2021-04-15")
        assert len(calendars.data["calendars"]) == 1

    with_sim(test)


def test_the_same_seed_gives_the_same_world_and_no_seed_new_credentials() -> None:
    one, two = HighLevelSimulator(seed=5), HighLevelSimulator(seed=5)
    assert one.credentials == two.credentials
    assert set(one.credentials) == {"token", "location_id", "webhook_public_key"}
    assert list(one.state.contacts.rows) == list(two.state.contacts.rows)
    free, other = HighLevelSimulator(), HighLevelSimulator()
    assert free.credentials["token"] != other.credentials["token"]
    assert free.credentials["webhook_public_key"] != other.credentials["webhook_public_key"]
    assert HighLevelSimulator(seed=6).credentials["location_id"] != one.credentials["location_id"]


def test_the_vendors_limits_and_the_five_headers() -> None:
    async def run() -> None:
        time = Time()
        async with running(HighLevelSimulator(seed=1, clock=time.clock())) as sim:
            vendor = Vendor(sim)
            path = f"/locations/{sim.location_id}"
            first = await vendor("GET", path)
            assert {k: v for k, v in first.headers.items() if k.startswith("x-ratelimit")} == {
                "x-ratelimit-limit-daily": "200000",
                "x-ratelimit-daily-remaining": "199999",
                "x-ratelimit-interval-milliseconds": "10000",
                "x-ratelimit-max": "100",
                "x-ratelimit-remaining": "99",
            }
            statuses = [(await vendor("GET", path)).status for _ in range(100)]
            assert statuses == [200] * 99 + [429]
            refused = await vendor("GET", path)
            assert refused.data["statusCode"] == 429
            assert refused.headers["x-ratelimit-remaining"] == "0"
            assert refused.headers["x-ratelimit-daily-remaining"] == "199900"
            time.now += 9.99
            assert (await vendor("GET", path)).status == 429
            time.now += 0.02
            assert (await vendor("GET", path)).status == 200
            assert (await vendor.admin("GET", "/state"))["refused_by_limits"] == 3

    asyncio.run(run())


def test_a_clock_a_hundred_times_faster_shortens_window_and_day() -> None:
    async def run() -> None:
        time = Time()
        limits = Limits(maximum=2, interval_ms=10_000, daily=3)
        sim = HighLevelSimulator(seed=1, clock=time.clock(factor=100), limits=limits)
        async with running(sim):
            vendor = Vendor(sim)
            path = f"/locations/{sim.location_id}"
            first = await vendor("GET", path)
            assert first.headers["x-ratelimit-interval-milliseconds"] == "100"
            assert [(await vendor("GET", path)).status for _ in range(2)] == [200, 429]
            time.now += 0.101
            assert [(await vendor("GET", path)).status for _ in range(2)] == [200, 429]
            time.now += 0.101
            daily = await vendor("GET", path)
            assert (daily.status, daily.headers["x-ratelimit-daily-remaining"]) == (429, "0")
            time.now += 864
            assert (await vendor("GET", path)).status == 200
            # Back to real time, by the admin API; the present does not move.
            assert (await vendor.admin("POST", "/clock", {"factor": 1}))["factor"] == 1
            again = await vendor("GET", path)
            assert again.headers["x-ratelimit-interval-milliseconds"] == "10000"
            await vendor.admin("POST", "/limits", {"max": 1, "interval_ms": 50, "daily": 5})
            assert [(await vendor("GET", path)).status for _ in range(2)] == [200, 429]

    asyncio.run(run())


def test_no_limits_if_told_so() -> None:
    async def test(vendor: Vendor, location: str) -> None:
        answer = await vendor("GET", f"/locations/{location}")
        assert "x-ratelimit-max" not in answer.headers

    with_sim(test, limits=None)
