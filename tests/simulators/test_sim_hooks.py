from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from sim_client import Receiver, Time, Vendor, call, receiving, until

from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.hooks import Retries
from junctor.simulators.kit import running
from junctor.simulators.wire import Request


def with_hook(
    test: Callable[[Vendor, Receiver, Time], Awaitable[None]],
    statuses: tuple[int, ...] = (),
    **options: Any,
) -> None:
    async def run() -> None:
        time = Time()
        sim = HighLevelSimulator(seed=1, clock=time.clock(), **options)
        async with running(sim), receiving(statuses) as receiver:
            await test(Vendor(sim), receiver, time)

    asyncio.run(run())


def verify(vendor: Vendor, request: Request) -> None:
    """As a receiver does: the published key, the raw body, the header."""
    key = load_der_public_key(base64.b64decode(vendor.sim.credentials["webhook_public_key"]))
    assert isinstance(key, Ed25519PublicKey)
    key.verify(base64.b64decode(request.headers["x-ghl-signature"]), request.body)


def test_an_event_is_signed_and_has_its_envelope() -> None:
    async def test(vendor: Vendor, receiver: Receiver, time: Time) -> None:
        await vendor.admin("POST", "/hooks", {"url": receiver.url, "events": ["ContactCreate"]})
        body = {"id": "c1", "phone": "+12025550142"}
        sent = await vendor.admin(
            "POST", "/events?wait=true", {"type": "ContactCreate", "body": body}
        )
        assert sent["deliveries"] == 1
        (request,) = receiver.requests
        verify(vendor, request)
        assert request.headers["content-type"] == "application/json"
        event = request.json()
        assert event["type"] == "ContactCreate"
        assert event["locationId"] == vendor.sim.credentials["location_id"]
        assert event["webhookId"] == sent["webhookId"]
        assert (event["id"], event["phone"]) == ("c1", "+12025550142")
        at = datetime.fromisoformat(event["timestamp"])
        assert abs(at.timestamp() - (1_790_000_000 + time.now)) < 1
        assert at.tzinfo == UTC
        await vendor.admin("POST", "/events?wait=true", {"type": "NoteCreate"})
        assert len(receiver.requests) == 1  # not subscribed to
        (row,) = (await vendor.admin("GET", "/deliveries"))["deliveries"]
        assert (row["status"], row["attempts"][0]["status"]) == ("delivered", 200)

    with_hook(test)


def test_a_signature_can_be_wrong_missing_or_stale() -> None:
    async def test(vendor: Vendor, receiver: Receiver, _time: Time) -> None:
        await vendor.admin("POST", "/hooks", {"url": receiver.url})
        for signature in ("bad", "none"):
            event = {"type": "X", "signature": signature}
            await vendor.admin("POST", "/events?wait=true", event)
        with pytest.raises(InvalidSignature):
            verify(vendor, receiver.requests[0])
        assert "x-ghl-signature" not in receiver.requests[1].headers
        stale = {"type": "X", "body": {"timestamp": "2020-01-01T00:00:00.000Z"}, "times": 2}
        await vendor.admin("POST", "/events?wait=true", stale)
        verify(vendor, receiver.requests[2])
        assert receiver.bodies[2]["timestamp"].startswith("2020")
        assert receiver.bodies[2] == receiver.bodies[3]  # the same event twice

    with_hook(test)


def test_work_in_the_location_sends_events() -> None:
    async def test(vendor: Vendor, receiver: Receiver, _time: Time) -> None:
        await vendor.admin("POST", "/hooks", {"url": receiver.url})
        location = vendor.sim.credentials["location_id"]
        base = {"locationId": location, "phone": "+12025550142"}
        made = await vendor("POST", "/contacts/upsert", base)
        contact = made.data["contact"]["id"]
        await vendor("POST", "/contacts/upsert", {**base, "firstName": "A"})
        await vendor("POST", f"/contacts/{contact}/tags", {"tags": ["x"]})
        await vendor("POST", f"/contacts/{contact}/tags", {"tags": ["x"]})  # changes nothing
        await vendor("POST", f"/contacts/{contact}/notes", {"body": "n"})
        due = {"title": "t", "dueDate": "2026-12-01", "completed": False}
        task = (await vendor("POST", f"/contacts/{contact}/tasks", due)).data["task"]["id"]
        await vendor("PUT", f"/contacts/{contact}/tasks/{task}", {"completed": True})
        await vendor("DELETE", f"/contacts/{contact}")
        await vendor.admin("GET", "/deliveries?wait=true")
        assert sorted(body["type"] for body in receiver.bodies) == [
            "ContactCreate",
            "ContactDelete",
            "ContactTagUpdate",
            "ContactUpdate",
            "NoteCreate",
            "TaskComplete",
            "TaskCreate",
        ]
        for request in receiver.requests:
            verify(vendor, request)
        created = next(body for body in receiver.bodies if body["type"] == "ContactCreate")
        assert (created["id"], created["phone"]) == (contact, "+12025550142")

    with_hook(test)


def test_a_refused_delivery_is_sent_again_with_growing_waits() -> None:
    async def test(vendor: Vendor, receiver: Receiver, time: Time) -> None:
        await vendor.admin("POST", "/hooks", {"url": receiver.url})
        await vendor.admin("POST", "/events?wait=true", {"type": "X"})
        assert len(receiver.requests) == 4
        assert len({request.body for request in receiver.requests}) == 1
        assert len(time.slept) == 3
        for wait, full in zip(time.slept, (2, 4, 8), strict=True):
            assert full / 2 <= wait <= full  # jitter of a half
        (row,) = (await vendor.admin("GET", "/deliveries"))["deliveries"]
        assert [attempt["status"] for attempt in row["attempts"]] == [500, 301, 404, 200]

    with_hook(test, (500, 301, 404))


def test_after_twelve_retries_it_is_given_up() -> None:
    async def test(vendor: Vendor, receiver: Receiver, time: Time) -> None:
        await vendor.admin("POST", "/hooks", {"url": receiver.url})
        await vendor.admin("POST", "/events?wait=true", {"type": "X"})
        assert len(receiver.requests) == 13
        found = await vendor.admin("GET", "/deliveries?status=failed&limit=1")
        assert found["counts"] == {"pending": 0, "delivered": 0, "failed": 1}
        assert found["attempts"] == 13
        assert max(time.slept) <= 3600

    with_hook(test, (500,) * 13)


def test_an_address_where_nobody_listens_is_an_error_of_the_attempt() -> None:
    async def test(vendor: Vendor, _receiver: Receiver, _time: Time) -> None:
        async with running(HighLevelSimulator()) as other:
            gone = other.base_url
        await vendor.admin("POST", "/hooks", {"url": gone})
        await vendor.admin("POST", "/events?wait=true", {"type": "X"})
        (row,) = (await vendor.admin("GET", "/deliveries"))["deliveries"]
        assert row["status"] == "failed"
        assert "ClientConnectorError" in row["attempts"][0]["error"]

    with_hook(test)


def test_reset_gives_up_what_is_pending_and_keeps_the_credentials() -> None:
    async def run() -> None:
        time = Time()
        clock = time.clock()
        forever = asyncio.Event()
        clock._sleep = lambda _seconds: forever.wait()
        sim = HighLevelSimulator(seed=1, clock=clock)
        async with running(sim), receiving((500,)) as receiver:
            vendor = Vendor(sim)
            before = sim.credentials
            await vendor.admin("POST", "/hooks", {"url": receiver.url})
            await vendor.admin("POST", "/events", {"type": "X"})
            await until(lambda: any(d.attempts for d in sim.deliveries.sent.values()))
            await vendor.admin("POST", "/reset")
            await sim.deliveries.settled()
            assert (await vendor.admin("GET", "/deliveries"))["total"] == 0
            assert (await vendor.admin("GET", "/hooks"))["hooks"] == []
            assert sim.credentials == before

    asyncio.run(run())


def test_subscriptions_are_checked_and_can_be_taken_back() -> None:
    async def test(vendor: Vendor, receiver: Receiver, _time: Time) -> None:
        bad = await call("POST", vendor.sim.admin_url + "/hooks", {"url": "ftp://x"})
        assert (bad.status, "ftp://x" in bad.data["error"]) == (400, True)
        few = await call("POST", vendor.sim.admin_url + "/events", {"type": "X", "times": 0})
        assert few.status == 400
        await vendor.admin("POST", "/hooks", {"url": receiver.url, "events": ["A"]})
        listed = await vendor.admin("POST", "/hooks", {"url": receiver.url, "events": ["B"]})
        assert listed["hooks"] == [{"url": receiver.url, "events": ["B"]}]
        await vendor.admin("DELETE", "/hooks")
        sent = await vendor.admin("POST", "/events?wait=true", {"type": "B"})
        assert sent["deliveries"] == 0

    with_hook(test)


def test_waits_double_up_to_a_cap() -> None:
    chance = random.Random(1)
    plain = Retries(limit=5, base=1, cap=10)
    assert [plain.wait(n, chance) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]
