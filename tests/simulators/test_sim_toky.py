from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from sim_client import Receiver, Time, Vendor, call, receiving

from junctor.simulators.kit import running
from junctor.simulators.toky import EVENTS, TokySimulator
from junctor.simulators.toky_state import filtered


def with_sim(test: Callable[[Vendor, TokySimulator], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        async with running(TokySimulator(seed=1, clock=Time().clock(), **options)) as sim:
            await test(Vendor(sim), sim)

    asyncio.run(run())


def with_hooks(
    test: Callable[[Vendor, TokySimulator, Receiver, Time], Awaitable[None]],
    *events: str,
    statuses: tuple[int, ...] = (),
) -> None:
    async def run() -> None:
        time = Time()
        sim = TokySimulator(seed=1, clock=time.clock())
        async with running(sim), receiving(statuses) as receiver:
            vendor = Vendor(sim)
            for event in events:
                body = {"event": event, "hook_url": receiver.url}
                assert (await vendor("POST", "/webhooks", body)).status == 201
            await test(vendor, sim, receiver, time)

    asyncio.run(run())


def test_the_key_is_needed() -> None:
    async def test(_vendor: Vendor, sim: TokySimulator) -> None:
        for headers in ({}, {"X-Toky-Key": "wrong"}):
            answer = await call("GET", sim.base_url + "/agents", headers=headers)
            assert answer.status == 401
            assert answer.data["success"] is False
            assert "X-Toky-Key" in answer.data["error_message"]
        assert sim.base_url.endswith("/v1")
        good = {"X-Toky-Key": sim.credentials["api_key"]}
        assert (await call("GET", sim.base_url + "/agents", headers=good)).status == 200
        outside = await call("GET", sim.origin + "/agents", headers=good)
        assert outside.status == 404

    with_sim(test)


def test_agents_have_the_vendors_fields() -> None:
    async def test(vendor: Vendor, _sim: TokySimulator) -> None:
        answer = (await vendor("GET", "/agents")).data
        assert (answer["count"], answer["next"]) == (3, None)
        assert {"email", "fullname", "created_at", "is_admin", "phone_number"} <= set(
            answer["results"][0]
        )
        assert [row["is_admin"] for row in answer["results"]] == ["true", "false", "false"]

    with_sim(test)


def test_pages_follow_next_until_null() -> None:
    async def test(vendor: Vendor, sim: TokySimulator) -> None:
        url: str | None = sim.base_url + "/contacts?limit=8"
        seen: list[str] = []
        counts = []
        while url:
            page = (await call("GET", url, headers=vendor.headers)).data
            seen += [row["phone"] for row in page["results"]]
            counts.append(page["count"])
            url = page["next"]
        assert counts == [8, 8, 4]
        assert len(set(seen)) == 20
        for query in ("limit=501", "limit=0", "limit=x", "offset=-1"):
            assert (await vendor("GET", f"/contacts?{query}")).status == 400
        assert (await vendor("GET", "/contacts?limit=500&offset=99")).data["results"] == []

    with_sim(test)


def test_contacts_are_known_by_phone() -> None:
    async def test(vendor: Vendor, _sim: TokySimulator) -> None:
        body = {
            "phone": "+12025550199",
            "first_name": "Ada",
            "last_name": "King",
            "email": "a@b.co",
        }
        made = await vendor("POST", "/contacts", body)
        assert (made.status, made.data["contact_name"]) == (201, "Ada King")
        assert (await vendor("POST", "/contacts", body)).status == 409
        path = "/contacts/" + quote("+12025550199", safe="")
        assert (await vendor("GET", path)).data["email"] == "a@b.co"
        assert (await vendor("GET", "/contacts/+12025550199")).status == 200
        await vendor("POST", "/contacts", {"phone": "+4989123456", "contact_name": "B"})
        for phone in ("4989123456", "2025550199", "12025550199", "%28202%29%20555-0199"):
            assert (await vendor("GET", f"/contacts/{phone}")).status == 200, phone
        changed = await vendor("PUT", path, {"city": "Boise", "phone": "+12025550198"})
        assert changed.data == {**made.data, "city": "Boise", "phone": "+12025550198"}
        assert (await vendor("GET", path)).status == 404
        assert (await vendor("PUT", path, {})).status == 404
        for bad in (
            {"phone": "x", "contact_name": "A"},
            {"contact_name": "A"},
            {"phone": "+12025550111"},
            {"phone": "+12025550111", "contact_name": "A", "email": "nobody"},
            {"phone": "+12025550111", "contact_name": 5},
        ):
            assert (await vendor("POST", "/contacts", bad)).status == 400, bad

    with_sim(test)


def test_a_refused_message_is_a_200_without_success() -> None:
    async def test(vendor: Vendor, sim: TokySimulator) -> None:
        good = {"from": "+12025550100", "to": "+12025550101", "text": "Hi", "email": "a@b.co"}
        sent = await vendor("POST", "/sms/send", good)
        assert (sent.status, sent.data["success"]) == (200, True)
        for key in good:
            answer = await vendor("POST", "/sms/send", {**good, key: ""})
            assert (answer.status, answer.data["success"]) == (200, False)
            assert answer.data["error_message"] == f"{key} is missing or not valid"
        listed = (await vendor("GET", "/sms")).data["results"]
        assert [(row["text"], row["direction"]) for row in listed] == [("Hi", "outbound")]
        assert len(sim.state.sms) == 1

    with_sim(test)


def test_lists_are_filtered_by_date() -> None:
    rows = [{"d": f"2026-06-{day:02d} 10:00:00"} for day in range(1, 11)]
    text = "(created_at >= 2026-06-03) AND (created_at <= 2026-06-05)"
    assert len(filtered(rows, text, "d")) == 3
    assert len(filtered(rows, "(created_at > 2026-06-03 10:00:00)", "d")) == 7
    assert len(filtered(rows, "created_at = '2026-06-03'", "d")) == 1
    assert len(filtered(rows, "(created_at < 2026-06-03)", "d")) == 2
    for bad in ("", "(id = 3)", "(created_at >= 2026-06-03) OR (created_at <= 2026-06-05)"):
        with pytest.raises(ValueError, match="filter"):
            filtered(rows, bad, "d")

    async def test(vendor: Vendor, _sim: TokySimulator) -> None:
        await vendor.admin("POST", "/calls", {"count": 3})
        query = "/cdrs?filter=" + quote("(created_at >= 2020-01-01)")
        assert (await vendor("GET", query)).status == 400  # needs limit and offset
        assert (await vendor("GET", query + "&limit=9&offset=0")).data["count"] == 3
        query = "/cdrs?limit=9&offset=0&filter=" + quote("(created_at <= 2020-01-01)")
        assert (await vendor("GET", query)).data["count"] == 0

    with_sim(test)


def test_webhooks_are_made_listed_and_deleted() -> None:
    async def test(vendor: Vendor, _sim: TokySimulator) -> None:
        made = (
            await vendor("POST", "/webhooks", {"event": "new_call", "hook_url": "http://h/x"})
        ).data
        listed = (await vendor("GET", "/webhooks")).data
        assert listed["results"] == [made]
        assert (await vendor("DELETE", f"/webhooks/{made['id']}")).data["success"] is True
        assert (await vendor("DELETE", f"/webhooks/{made['id']}")).status == 404
        assert (await vendor("DELETE", "/webhooks/x")).status == 404
        bad = await vendor("POST", "/webhooks", {"event": "tea_time", "hook_url": "http://h/x"})
        assert bad.status == 400
        assert all(event in bad.data["error_message"] for event in EVENTS)
        assert (await vendor("POST", "/webhooks", {"event": "new_sms"})).status == 400

    with_sim(test)


def test_a_hundred_calls_reach_the_hook_once_each() -> None:
    async def test(vendor: Vendor, sim: TokySimulator, receiver: Receiver, _time: Time) -> None:
        made = await vendor.admin("POST", "/calls?wait=true", {"count": 100})
        assert made["calls"] == 100
        assert sum(made["kinds"].values()) == 100
        assert all(made["kinds"].values())
        assert 0 < made["known_callers"] < 100
        bodies = receiver.bodies
        assert sorted(body["callid"] for body in bodies) == sorted(made["callids"])
        assert len(set(made["callids"])) == 100
        for state, count in made["kinds"].items():
            assert sum(body["state"] == state for body in bodies) == count
        known = [body for body in bodies if body["contact_name"]]
        assert len(known) == made["known_callers"]
        assert all(sim.state.contacts[body["from_number"]] for body in known)
        deliveries = await vendor.admin("GET", "/deliveries?limit=0")
        assert deliveries["counts"] == {"pending": 0, "delivered": 100, "failed": 0}
        assert (await vendor("GET", "/cdrs?limit=500")).data["count"] == 100
        voicemails = (await vendor("GET", "/voicemails")).data
        assert voicemails["count"] == made["kinds"]["voicemail"]
        one = voicemails["results"][0]
        assert (await vendor("GET", f"/voicemails/{one['id']}")).data == one
        recording = await vendor("GET", f"/recordings/{one['callid']}")
        assert recording.data["record_url"] == one["record_url"]
        assert (await vendor("DELETE", f"/recordings/{one['callid']}")).status == 200
        assert (await vendor("GET", f"/recordings/{one['callid']}")).status == 404
        assert (await vendor("GET", "/voicemails/0")).status == 404

    with_hooks(test, "new_call")


def test_outbound_calls_have_events_and_states_of_their_own() -> None:
    async def test(vendor: Vendor, sim: TokySimulator, receiver: Receiver, _time: Time) -> None:
        order = {"count": 6, "direction": "outbound", "caller": "+12025550143"}
        await vendor.admin("POST", "/calls?wait=true", order)
        assert {body["state"] for body in receiver.bodies} == {"completed", "unsuccessful"}
        assert {body["to_number"] for body in receiver.bodies} == {"+12025550143"}
        assert {row["direction"] for row in sim.state.cdrs} == {"outbound"}
        assert not sim.state.voicemails

    with_hooks(test, "outbound_call_ended")


def test_what_is_not_told_is_in_the_lists_all_the_same() -> None:
    async def test(vendor: Vendor, sim: TokySimulator, receiver: Receiver, _time: Time) -> None:
        order = {"count": 3, "kinds": ["voicemail"], "told": False}
        await vendor.admin("POST", "/calls?wait=true", order)
        quiet = {"from": "+12025550143", "text": "psst", "told": False}
        assert (await vendor.admin("POST", "/sms?wait=true", quiet))["hooks"] == 0
        assert receiver.bodies == []
        assert (len(sim.state.cdrs), len(sim.state.voicemails), len(sim.state.sms)) == (3, 3, 1)

    with_hooks(test, "new_call", "new_voicemail", "new_sms")


def test_calls_are_the_same_for_the_same_seeds() -> None:
    def facts(sim: TokySimulator) -> list[tuple[str, str, str]]:
        return [(row["callid"], row["from"], row["duration"]) for row in sim.state.cdrs]

    found: list[list[tuple[str, str, str]]] = []

    async def test(vendor: Vendor, sim: TokySimulator) -> None:
        await vendor.admin("POST", "/calls", {"count": 30, "seed": 7})
        found.append(facts(sim))

    async def twice(vendor: Vendor, sim: TokySimulator) -> None:
        await test(vendor, sim)
        await vendor.admin("POST", "/calls", {"count": 30, "seed": 7})
        rows = facts(sim)
        assert [row[1:] for row in rows[:30]] == [row[1:] for row in rows[30:]]
        assert len({row[0] for row in rows}) == 60  # other calls, though they look the same
        await vendor.admin("POST", "/reset")
        await test(vendor, sim)

    with_sim(test)
    with_sim(twice)
    assert found[0] == found[1] == found[2]


def test_calls_may_be_slow_doubled_chosen_and_from_one_caller() -> None:
    async def test(vendor: Vendor, _sim: TokySimulator, receiver: Receiver, time: Time) -> None:
        order = {
            "count": 4,
            "rate": 2,
            "kinds": ["voicemail"],
            "known": 0,
            "duplicates": 1,
            "caller": "+12025550123",
        }
        made = await vendor.admin("POST", "/calls?wait=true", order)
        assert time.slept == [0.5] * 3
        bodies = receiver.bodies
        calls = [body["callid"] for body in bodies if "state" in body]
        assert len(calls) == 5
        assert len(set(calls)) == 4
        assert {body["from_number"] for body in bodies} == {"+12025550123"}
        assert made["kinds"] == {"missed": 0, "voicemail": 4, "completed": 0}
        left = [body for body in bodies if "state" not in body]
        assert sorted(body["callid"] for body in left) == sorted(made["callids"])

    with_hooks(test, "new_call", "new_voicemail")


def test_a_refused_hook_is_sent_again() -> None:
    async def test(vendor: Vendor, _sim: TokySimulator, receiver: Receiver, time: Time) -> None:
        await vendor.admin("POST", "/calls?wait=true", {"count": 1})
        assert len(receiver.requests) == 3
        assert time.slept == [1, 2]

    with_hooks(test, "new_call", statuses=(500, 503))


def test_an_inbound_text_message() -> None:
    async def test(vendor: Vendor, sim: TokySimulator, receiver: Receiver, _time: Time) -> None:
        body = {"from": "+12025550123", "text": "Hello"}
        got = await vendor.admin("POST", "/sms?wait=true", body)
        assert got["hooks"] == 1
        (event,) = receiver.bodies
        assert (event["from_number"], event["text"]) == ("+12025550123", "Hello")
        assert event["to_number"] == sim.state.agents[0]["phone_number"]
        assert (await vendor("GET", "/sms")).data["results"][0]["direction"] == "inbound"

    with_hooks(test, "new_sms")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"count": 0}, "count"),
        ({"rate": 0}, "rate"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["lost"]}, "lost"),
        ({"known": 2}, "known"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_bad_order_of_calls_is_refused_by_name(bad: dict[str, Any], words: str) -> None:
    async def test(_vendor: Vendor, sim: TokySimulator) -> None:
        answer = await call("POST", sim.admin_url + "/calls", bad)
        assert answer.status == 400
        assert words in answer.data["error"]

    with_sim(test)
