from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sim_client import Receiver, Time, Vendor, call, receiving

from junctor.connectors.crisp import crisp, events
from junctor.errors import Unauthorized
from junctor.language.connector import Delivery
from junctor.simulators.crisp import PASSWORD, CrispSimulator
from junctor.simulators.crisp_account import DAILY
from junctor.simulators.kit import running
from junctor.simulators.wire import Request


def with_sim(test: Callable[[Vendor, CrispSimulator], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        options.setdefault("clock", Time().clock())
        async with running(CrispSimulator(seed=1, **options)) as sim:
            await test(Vendor(sim), sim)

    asyncio.run(run())


def test_a_token_belongs_to_its_tier() -> None:
    async def test(vendor: Vendor, sim: CrispSimulator) -> None:
        url = f"{sim.base_url}/website/{sim.website_id}"
        bare = await call("GET", url)
        assert (bare.status, bare.data) == (401, {"error": True, "reason": "invalid_session"})
        assert (await call("GET", url, headers=sim.authorization("plugin"))).status == 200
        mixed = {**sim.authorization("plugin"), "x-crisp-tier": "user"}
        assert (await call("GET", url, headers=mixed)).status == 401
        strange = {**sim.authorization("plugin"), "x-crisp-tier": "god"}
        assert (await call("GET", url, headers=strange)).status == 401
        found = await vendor("GET", f"/website/{sim.website_id}")
        assert found.headers["bloom-status"] == "DIRECT"
        assert found.data["data"]["website_id"] == sim.website_id

    with_sim(test)


@pytest.mark.parametrize(
    ("tier", "method", "path", "status", "reason"),
    [
        ("website", "GET", "/website/{own}", 200, "resolved"),
        ("website", "GET", "/website/{other}", 403, "not_allowed"),
        ("plugin", "GET", "/website/{other}", 404, "not_subscribed"),
        ("user", "GET", "/website/{other}", 200, "resolved"),
        ("user", "GET", "/website/nowhere", 404, "not_found"),
        ("plugin", "POST", "/website", 403, "not_allowed"),
        ("website", "GET", "/plugin/connect/account", 403, "not_allowed"),
        ("plugin", "GET", "/plugin/connect/account", 200, "resolved"),
        ("plugin", "GET", "/plugin/connect/websites/all/1", 200, "listed"),
        ("plugin", "GET", "/user/account/websites", 403, "not_allowed"),
        ("user", "GET", "/nothing/here", 404, "not_found"),
        ("user", "GET", "/website/{own}/conversations/0", 400, "invalid_data"),
        ("user", "GET", "/website/{own}/conversations/1?per_page=51", 400, "invalid_data"),
        ("user", "GET", "/website/{own}/conversations/1?filter_unread=yes", 400, "invalid_data"),
        ("user", "GET", "/website/{own}/conversations/1?filter_date_start=x", 400, "invalid_data"),
        ("user", "GET", "/website/{own}/people/profiles/1?sort_order=up", 400, "invalid_data"),
        ("user", "GET", "/website/{own}/people/profiles/1?search_filter=x", 400, "invalid_data"),
        ("user", "GET", "/website/{own}/conversation/session_x", 404, "invalid_session"),
        ("user", "GET", "/website/{own}/people/profile/x", 404, "people_not_found"),
        ("user", "GET", "/website/{own}/people/stats", 200, "resolved"),
        ("user", "GET", "/website/{own}/conversations", 200, "listed"),
    ],
)
def test_who_may_and_what_is_said(
    tier: Any, method: str, path: str, status: int, reason: str
) -> None:
    async def test(_vendor: Vendor, sim: CrispSimulator) -> None:
        where = path.format(own=sim.website_id, other=sim.other_website_id)
        answer = await call(method, sim.base_url + where, headers=sim.authorization(tier))
        assert (answer.status, answer.data["reason"]) == (status, reason)
        assert answer.data["error"] is (status >= 400)

    with_sim(test)


def test_head_has_no_body_and_the_connection_stays_usable() -> None:
    async def test(vendor: Vendor, sim: CrispSimulator) -> None:
        for domain, status in (("harbour-bakery.example", b"200"), ("nobody.example", b"404")):
            reader, writer = await asyncio.open_connection(*sim.origin[7:].split(":"))
            tokens = "".join(f"{key}: {value}\r\n" for key, value in vendor.headers.items())
            head = f"HEAD /v1/website?domain={domain} HTTP/1.1\r\nhost: x\r\n{tokens}\r\n"
            get = f"GET /v1/website/{sim.website_id} HTTP/1.1\r\nhost: x\r\n{tokens}"
            writer.write(f"{head}{get}connection: close\r\n\r\n".encode())
            first, _, second = (await reader.read()).partition(b"\r\n\r\n")
            assert first.split()[1] == status
            assert second.startswith(b"HTTP/1.1 200")
            writer.close()
            await writer.wait_closed()

    with_sim(test)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "type should not be empty"),
        ({"type": "letter"}, "type must be one of"),
        ({"from": "robot"}, "from must be one of"),
        ({"origin": "sms"}, "origin must be chat, email or a URN"),
        ({"content": ""}, "content should not be empty"),
        ({"type": "file", "content": {"url": "x"}}, "name should not be empty"),
        ({"type": "file", "content": "x"}, "content must be an object"),
        ({"type": "picker", "content": {"id": "a", "choices": []}}, "choices must be an array"),
        ({"type": "carousel", "content": {"targets": [{}]}}, "title should not be empty"),
        ({"mood": "good"}, "property mood should not exist"),
        ({"fingerprint": "12"}, "fingerprint must be an integer"),
        ({"user": {"avatar": "me"}}, "avatar must be a URL"),
    ],
)
def test_a_message_is_checked(body: dict[str, Any], said: str) -> None:
    async def test(vendor: Vendor, sim: CrispSimulator) -> None:
        made = await vendor("POST", f"/website/{sim.website_id}/conversation")
        session = made.data["data"]["session_id"]
        good = {"type": "text", "from": "user", "origin": "chat", "content": "Hi"}
        where = f"/website/{sim.website_id}/conversation/{session}/message"
        answer = await vendor("POST", where, {**good, **body} if body else {})
        assert (answer.status, answer.data["reason"]) == (400, "invalid_data")
        assert said in answer.data["data"]["message"]
        assert (await vendor("POST", where, good)).status == 202
        broken = await vendor("POST", where, b"{")
        assert (broken.status, broken.data["reason"]) == (400, "invalid_data")

    with_sim(test)


def test_the_day_is_counted_per_tier_and_the_short_limit_answers_420() -> None:
    time = Time()

    async def test(vendor: Vendor, sim: CrispSimulator) -> None:
        await vendor.admin("POST", "/limits", {"max": 2, "interval_ms": 1000, "daily": 3})
        where = f"/website/{sim.website_id}"
        statuses = [(await vendor("GET", where)).status for _ in range(3)]
        time.now += 2
        after = [await vendor("GET", where) for _ in range(2)]
        assert statuses + [answer.status for answer in after] == [200, 200, 420, 200, 429]
        assert after[-1].data["reason"] == "quota_limit_exceeded"
        other = await call("GET", sim.base_url + where, headers=sim.authorization("plugin"))
        assert other.status == 200
        assert (await vendor.admin("GET", "/state"))["refused_by_limits"] == 2

    with_sim(test, clock=time.clock())
    assert DAILY["website"] > DAILY["plugin"]


def test_a_fault_speaks_crisps_language() -> None:
    async def test(vendor: Vendor, sim: CrispSimulator) -> None:
        where = f"/website/{sim.website_id}"
        await vendor.fault(kind="status", status=503)
        down = await vendor("GET", where)
        assert (down.status, down.data["reason"]) == (503, "unavailable")
        await vendor.fault(kind="rate_limit")
        assert (await vendor("GET", where)).data == {"error": True, "reason": "rate_limited"}
        await vendor.fault(kind="cut_after", match={"operation": "create_conversation"})
        before = len(sim.state.websites[sim.website_id].conversations)
        with pytest.raises((ConnectionError, ValueError)):
            await vendor("POST", where + "/conversation")
        assert len(sim.state.websites[sim.website_id].conversations) == before + 1
        await vendor.admin("POST", "/reset")
        assert len(sim.state.websites[sim.website_id].conversations) == before

    with_sim(test)


def test_a_website_is_deleted_later_and_may_be_kept() -> None:
    async def test(vendor: Vendor, sim: CrispSimulator) -> None:
        where = f"/website/{sim.website_id}"
        old = await vendor("DELETE", where, {"verify": PASSWORD})
        assert (old.status, old.data["data"]["message"]) == (400, "verify must be an object")
        verify = {"method": "password", "secret": PASSWORD}
        assert (await vendor("DELETE", where, {"verify": verify})).status == 202
        assert sim.state.websites[sim.website_id].deletion
        assert (await vendor("DELETE", where + "/expunge")).status == 200
        assert not sim.state.websites[sim.website_id].deletion
        twice = await vendor("POST", "/website", {"name": "x", "domain": "harbour-cafe.example"})
        assert twice.status == 409

    with_sim(test)


def test_profiles_are_merged_or_replaced() -> None:
    async def test(vendor: Vendor, sim: CrispSimulator) -> None:
        people = f"/website/{sim.website_id}/people"
        made = await vendor("POST", f"{people}/profile", {"email": "a@b.cd", "notepad": "n"})
        where = f"{people}/profile/{made.data['data']['people_id']}"
        await vendor("PATCH", where, {"person": {"nickname": "A", "phone": "1"}})
        await vendor("PATCH", where, {"person": {"phone": None}})
        held = (await vendor("GET", where)).data["data"]
        assert (held["person"], held["notepad"]) == ({"nickname": "A", "phone": None}, "n")
        await vendor("PUT", where, {"person": {"nickname": "B"}, "active": 5})
        held = (await vendor("GET", where)).data["data"]
        assert (held["person"], held["notepad"]) == ({"nickname": "B"}, "")
        assert (held["email"], held["active"]["last"]) == ("a@b.cd", 5)
        wrong = await vendor("PATCH", where, {"person": {"timezone": "CET"}})
        assert "timezone must be a number" in wrong.data["data"]["message"]
        other = next(iter(sim.state.websites[sim.website_id].people.values()))
        assert (await vendor("PATCH", where, {"email": other["email"]})).status == 409
        data = where.replace("/profile/", "/data/")
        await vendor("PUT", data, {"data": {"a": 1}})
        await vendor("PATCH", data, {"data": {"b": 2}})
        assert (await vendor("GET", data)).data["data"] == {"data": {"a": 1, "b": 2}}
        history = where.replace("/profile/", "/events/")
        await vendor("POST", history, {"text": "Paid"})
        assert (await vendor("GET", history + "/list/1")).data["data"][0]["text"] == "Paid"

    with_sim(test)


# Hooks, as the connector takes them.

Story = Callable[[Vendor, CrispSimulator, Receiver], Awaitable[None]]


def with_hook(story: Story, source: str = "plugin", query: str = "", **body: Any) -> None:
    async def test(vendor: Vendor, sim: CrispSimulator) -> None:
        async with receiving() as receiver:
            url = receiver.url + query
            await vendor.admin("POST", "/hooks", {"url": url, "source": source, **body})
            await story(vendor, sim, receiver)

    with_sim(test)


def delivered(request: Request, sim: CrispSimulator, **settings: Any) -> Delivery:
    query = tuple(request.query.items())
    return Delivery(
        id="d",
        method="POST",
        query=query,
        headers=request.headers,
        body=request.body,
        received_at=sim.clock.date(),
        settings=settings,
    )


def test_a_plugins_hook_is_verified_and_read_by_the_connector() -> None:
    async def story(vendor: Vendor, sim: CrispSimulator, receiver: Receiver) -> None:
        sent = await vendor.admin("POST", "/messages?wait=true", {"text": "Hi", "nickname": "Ada"})
        assert [body["event"] for body in receiver.bodies] == [
            "session:request:initiated",
            "message:send",
        ]
        settings = {"source": "plugin", "secret": sim.credentials["hook_secret"]}
        message = delivered(receiver.requests[1], sim)
        events.VERIFY(message, settings)
        assert events.dedup(message) == f"message:send:{sent['session_id']}:{sent['fingerprint']}"
        assert events.order_key(message) == sent["session_id"]
        [bundle] = crisp.modules["watchMessages"].function(message)
        assert (bundle["data"]["content"], bundle["website_id"]) == ("Hi", sim.website_id)
        assert list(crisp.modules["watchConversations"].function(message)) == []
        for wrong, words in (
            ({"signature": "bad"}, "does not match"),
            ({"signature": "none"}, "is missing"),
            ({"age": 301}, "more than 300 s"),
        ):
            receiver.requests.clear()
            event = {"event": "campaign:dispatched", **wrong}
            await vendor.admin("POST", "/events?wait=true", event)
            with pytest.raises(Unauthorized, match=words):
                events.VERIFY(delivered(receiver.requests[0], sim), settings)

    with_hook(story)


def test_a_websites_hook_is_unsigned_and_keyed() -> None:
    async def story(vendor: Vendor, sim: CrispSimulator, receiver: Receiver) -> None:
        order = {"event": "session:set_state", "data": {"session_id": "s"}, "times": 2}
        told = await vendor.admin("POST", "/events?wait=true", order)
        assert told == {"hooks": 1, "deliveries": 2}
        first, second = (delivered(request, sim) for request in receiver.requests)
        assert "x-crisp-signature" not in first.headers
        events.VERIFY(first, {"source": "website", "key": "my-secret-key"})
        assert events.dedup(first) == events.dedup(second) is not None
        skipped = await vendor.admin("POST", "/events", {"event": "message:send"})
        assert skipped["hooks"] == 0

    with_hook(story, "website", "?key=my-secret-key", events=["session:set_state"])


def test_what_happens_is_told() -> None:
    async def story(vendor: Vendor, sim: CrispSimulator, receiver: Receiver) -> None:
        site = f"/website/{sim.website_id}"
        made = await vendor("POST", f"{site}/conversation")
        where = f"{site}/conversation/{made.data['data']['session_id']}"
        message = {"type": "text", "from": "operator", "origin": "chat", "content": "Hi"}
        sent = await vendor("POST", f"{where}/message", message)
        number = sent.data["data"]["fingerprint"]
        operator = sim.state.websites[sim.website_id].operators[0]["details"]["user_id"]
        await vendor("PATCH", f"{where}/message/{number}", {"content": "Ho"})
        await vendor("PATCH", f"{where}/state", {"state": "resolved"})
        await vendor("PATCH", f"{where}/routing", {"assigned": {"user_id": operator}})
        await vendor("PATCH", f"{where}/meta", {"email": "a@b.cd", "segments": ["x"]})
        await vendor("PATCH", f"{where}/block", {"blocked": True})
        await vendor("PATCH", f"{where}/unread", {"from": "operator"})
        await vendor("DELETE", f"{where}/message/{number}")
        await vendor("DELETE", where)
        person = await vendor("POST", f"{site}/people/profile", {"email": "a@b.cd"})
        profile = f"{site}/people/profile/{person.data['data']['people_id']}"
        await vendor("PATCH", profile, {"notepad": "x"})
        await vendor("DELETE", profile)
        await vendor.admin("GET", "/deliveries?wait=true")
        assert {body["event"] for body in receiver.bodies} == {
            *("session:request:initiated", "message:received", "message:updated"),
            *("session:set_state", "session:set_routing", "session:set_email"),
            *("session:set_segments", "session:set_block", "message:removed", "session:removed"),
            *("people:profile:created", "people:profile:updated", "people:profile:removed"),
        }
        for body in receiver.bodies:
            assert body.keys() == {"website_id", "event", "data", "timestamp"}
            age = datetime.fromtimestamp(body["timestamp"] / 1000, UTC) - sim.clock.date()
            assert abs(age) < timedelta(minutes=1)

    with_hook(story)


def test_admin_mistakes_are_named() -> None:
    async def test(_vendor: Vendor, sim: CrispSimulator) -> None:
        for path, body, words in (
            ("/hooks", {"url": "ftp://x"}, "no http"),
            ("/hooks", {"url": "http://x", "source": "sky"}, "source"),
            ("/events", {"event": "x", "times": 0}, "times"),
            ("/events", {"event": "x", "website_id": "nowhere"}, "no website"),
            ("/messages", {"text": "x", "session_id": "s"}, "no conversation"),
            ("/limits", {"max": 0}, "above 0"),
        ):
            answer = await call("POST", sim.admin_url + path, body)
            assert answer.status in {400, 404}
            assert words in json.dumps(answer.data)
        listed = await call("DELETE", sim.admin_url + "/hooks")
        assert listed.data == {"hooks": []}

    with_sim(test)
