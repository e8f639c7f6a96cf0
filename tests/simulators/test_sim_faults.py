from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sim_client import Time, Vendor, call, parse, raw, until

from junctor.simulators.faults import Fault, Faults, Match
from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.kit import Simulator, running
from junctor.simulators.toky import TokySimulator

Test = Callable[[Vendor, Time], Awaitable[Any]]


def with_sim(test: Test, make: Callable[..., Simulator] = HighLevelSimulator) -> None:
    async def run() -> None:
        time = Time()
        async with running(make(seed=1, clock=time.clock(factor=100))) as sim:
            await test(Vendor(sim), time)

    asyncio.run(run())


async def create(vendor: Vendor) -> bytes:
    """Creates a contact, from a client that shows whatever comes back."""
    sim = vendor.sim
    assert isinstance(sim, HighLevelSimulator)
    body = f'{{"locationId":"{sim.location_id}","phone":"+13035550177"}}'.encode()
    start = (
        f"POST /contacts/ HTTP/1.1\r\nauthorization: {vendor.headers['authorization']}\r\n"
        f"version: 2021-07-28\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return await raw(sim.base_url, start.encode() + body)


def made(vendor: Vendor) -> int:
    return vendor.sim.journal.processed("create-contact")


def test_latency_delays_the_answer_but_not_the_work() -> None:
    async def test(vendor: Vendor, time: Time) -> None:
        await vendor.fault(kind="latency", seconds=7)
        assert parse(await create(vendor)).status == 201
        assert time.slept == [7]  # the client's seconds, though the clock runs faster
        assert made(vendor) == 1

    with_sim(test)


def test_status_answers_in_the_vendors_shape_without_doing_the_work() -> None:
    async def test(vendor: Vendor, _time: Time) -> None:
        await vendor.fault(kind="status", status=503, retry_after=2.5)
        answer = parse(await create(vendor))
        assert answer.status == 503
        assert answer.headers["retry-after"] == "2.5"
        assert answer.data["statusCode"] == 503
        assert answer.data["error"] == "Service Unavailable"
        assert made(vendor) == 0

    with_sim(test)


def test_status_after_the_work_if_told_so() -> None:
    async def test(vendor: Vendor, _time: Time) -> None:
        await vendor.fault(kind="status", process=True)
        assert parse(await create(vendor)).status == 500
        assert made(vendor) == 1

    with_sim(test)


def test_rate_limit_has_the_vendors_headers() -> None:
    async def test(vendor: Vendor, _time: Time) -> None:
        await vendor.fault(kind="rate_limit", retry_after=3)
        answer = parse(await create(vendor))
        assert answer.status == 429
        assert answer.headers["retry-after"] == "3"
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert made(vendor) == 0

    with_sim(test)


@pytest.mark.parametrize(("kind", "effects"), [("cut_before", 0), ("cut_after", 1)])
def test_cut_resets_the_connection(kind: str, effects: int) -> None:
    async def test(vendor: Vendor, _time: Time) -> None:
        await vendor.fault(kind=kind)
        with pytest.raises(ConnectionResetError):
            await create(vendor)
        assert made(vendor) == effects
        entry = vendor.sim.journal.entries[-1]
        assert (entry.status, entry.fault, entry.processed) == (None, kind, effects == 1)
        assert parse(await create(vendor)).status == (400 if effects else 201)  # no longer cut

    with_sim(test)


@pytest.mark.parametrize("process", [False, True])
def test_hang_is_silent_and_then_cut(process: bool) -> None:
    async def test(vendor: Vendor, time: Time) -> None:
        await vendor.fault(kind="hang", seconds=90, process=process)
        with pytest.raises(ConnectionResetError):
            await create(vendor)
        assert time.slept == [90]
        assert made(vendor) == int(process)

    with_sim(test)


def test_a_client_that_gives_up_on_a_hang_is_noted() -> None:
    async def test() -> None:
        forever = asyncio.Event()
        time = Time()
        clock = time.clock()
        clock._sleep = lambda _seconds: forever.wait()
        async with running(HighLevelSimulator(seed=1, clock=clock)) as sim:
            vendor = Vendor(sim)
            await vendor.fault(kind="hang")
            attempt = asyncio.create_task(create(vendor))
            await until(lambda: sim.journal.in_flight == 1)
            attempt.cancel()
            await asyncio.gather(attempt, return_exceptions=True)
            await until(lambda: sim.journal.in_flight == 0)
            assert sim.journal.counts["create-contact"].unanswered == 1

    asyncio.run(test())


def test_garbage_is_no_http() -> None:
    async def test(vendor: Vendor, _time: Time) -> None:
        await vendor.fault(kind="garbage")
        with pytest.raises(ValueError, match="no HTTP"):
            parse(await create(vendor))
        assert made(vendor) == 1

    with_sim(test)


def test_garbage_in_the_body_is_no_json() -> None:
    async def test(vendor: Vendor, _time: Time) -> None:
        await vendor.fault(kind="garbage", garbage="body", process=False)
        answer = parse(await create(vendor))
        assert answer.status == 200
        with pytest.raises(ValueError, match="Expecting value"):
            _ = answer.data
        assert made(vendor) == 0

    with_sim(test)


def test_drip_comes_in_pieces_and_is_whole() -> None:
    async def test(vendor: Vendor, time: Time) -> None:
        await vendor.fault(kind="drip", seconds=10)
        assert parse(await create(vendor)).status == 201
        assert len(time.slept) > 20
        assert sum(time.slept) == pytest.approx(10, rel=0.05)
        assert made(vendor) == 1

    with_sim(test)


def test_toky_fails_in_its_own_shape() -> None:
    async def test(vendor: Vendor, _time: Time) -> None:
        await vendor.fault(kind="status", match={"path": "/agents"})
        answer = await vendor("GET", "/agents")
        assert (answer.status, answer.data["success"]) == (500, False)
        assert "error_message" in answer.data

    with_sim(test, TokySimulator)


def test_times_skip_and_match() -> None:
    async def test(vendor: Vendor, _time: Time) -> None:
        await vendor.fault(
            kind="status", times=2, skip=1, match={"method": "GET", "path": r"^/contacts/\w+$"}
        )
        await vendor.fault(kind="status", status=418, match={"operation": "get-location"})
        contact = next(iter((await vendor.admin("GET", "/state"))["contacts"]))["id"]
        got = [(await vendor("GET", f"/contacts/{contact}")).status for _ in range(4)]
        assert got == [200, 500, 500, 200]
        assert (await vendor("GET", f"/contacts/{contact}/notes")).status == 200
        left = (await vendor.admin("GET", "/faults"))["faults"]
        assert [rule["status"] for rule in left] == [418]
        await vendor.admin("DELETE", f"/faults/{left[0]['id']}")
        await vendor.fault(kind="status", times=None)
        await vendor.admin("DELETE", "/faults")
        assert (await vendor("GET", f"/contacts/{contact}")).status == 200

    with_sim(test)


def test_latencies_add_to_another_fault() -> None:
    faults = Faults()
    faults.add(Fault(kind="latency", seconds=2, times=None))
    faults.add(Fault(kind="latency", seconds=3))
    faults.add(Fault(kind="status", status=503))
    faults.add(Fault(kind="status", status=500))
    first = faults.choose("GET", ("/x",), "x")
    second = faults.choose("GET", ("/x",), "x")
    third = faults.choose("GET", ("/x",), "x")
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.latency, first.fault and first.fault.status) == (5, 503)
    assert (second.latency, second.fault and second.fault.status) == (2, 500)
    assert (third.latency, third.fault) == (2, None)


def test_probability_is_the_same_for_the_same_seed() -> None:
    def struck(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add(Fault(kind="cut_after", times=None, probability=0.3))
        return [faults.choose("GET", ("/",), "x") is not None for _ in range(200)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 30 < sum(struck(1)) < 90


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"kind": "explode"}, "explode"),
        ({"kind": "status", "status": 99}, "status: 99"),
        ({"kind": "hang", "times": 0}, "times: 0"),
        ({"kind": "hang", "skip": -1}, "skip: -1"),
        ({"kind": "hang", "seconds": -1}, "seconds: -1"),
        ({"kind": "hang", "probability": 2}, "probability: 2"),
        ({"kind": "cut_before", "process": True}, "use cut_after"),
        ({"kind": "hang", "match": {"path": "^("}}, "match.path"),
        ({"kind": "hang", "match": {"url": "x"}}, "$.match"),
        ({"kind": "hang", "colour": "red"}, "colour"),
        ({}, "kind"),
    ],
)
def test_a_bad_fault_is_refused_by_name(bad: dict[str, Any], words: str) -> None:
    async def test(vendor: Vendor, _time: Time) -> None:
        answer = await call("POST", vendor.sim.admin_url + "/faults", bad)
        assert answer.status == 400
        assert re.search(re.escape(words), answer.data["error"])
        assert vendor.sim.faults.rules == []

    with_sim(test)


def test_a_match_sees_paths_with_and_without_the_vendors_prefix() -> None:
    for path in ("/agents", "/v1/agents", "^/agents$", "^/v1/"):
        fault = Fault(kind="hang", match=Match(path=path))
        assert fault.matches("GET", ("/agents", "/v1/agents"), "list_agents")
    assert not Fault(kind="hang", match=Match(path="/age$")).matches("GET", ("/agents",), "x")
