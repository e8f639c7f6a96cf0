from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sim_client import Time, Vendor, call, parse, raw

from junctor.simulators.kit import running
from junctor.simulators.toky import TokySimulator
from junctor.simulators.wire import MAX_BODY, MAX_HEAD, BadBody, Reply, Request


def with_sim(test: Callable[[Vendor, str], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running(TokySimulator(seed=1, clock=Time().clock())) as sim:
            await test(Vendor(sim), f"X-Toky-Key: {sim.credentials['api_key']}\r\n")

    asyncio.run(run())


def test_requests_on_one_connection_are_answered_in_order() -> None:
    async def test(vendor: Vendor, key: str) -> None:
        await vendor.fault(kind="latency", seconds=5, match={"path": "/agents"})
        paths = ["/v1/agents", "/v1/contacts?limit=1", "/v1/nowhere"]
        requests = [f"GET {path} HTTP/1.1\r\n{key}\r\n" for path in paths]
        last = f"GET /v1/agents HTTP/1.1\r\n{key}connection: close\r\n\r\n"
        data = await raw(vendor.sim.origin, "".join([*requests, last]).encode())
        starts = [part.split(b" ", 1)[0] for part in data.split(b"HTTP/1.1 ")[1:]]
        assert starts == [b"200", b"200", b"404", b"200"]
        assert data.index(b"is_admin") < data.index(b"contact_name") < data.index(b"Cannot GET")

    with_sim(test)


def test_a_body_may_come_in_chunks_and_bytes_one_by_one() -> None:
    async def test(vendor: Vendor, key: str) -> None:
        head = f"POST /v1/contacts HTTP/1.1\r\n{key}transfer-encoding: chunked\r\n"
        body = '{"phone":"+12025550100","contact_name":"A"}'
        chunks = f"5\r\n{body[:5]}\r\n{len(body) - 5:x}\r\n{body[5:]}\r\n0\r\n\r\n"
        data = (head + "connection: close\r\n\r\n" + chunks).encode()
        assert parse(await raw(vendor.sim.origin, data)).status == 201

    with_sim(test)


def test_a_client_that_asks_first_is_told_to_continue() -> None:
    async def test(vendor: Vendor, key: str) -> None:
        head = f"POST /v1/contacts HTTP/1.1\r\n{key}expect: 100-continue\r\ncontent-length: 2\r\n"
        got = await raw(vendor.sim.origin, (head + "connection: close\r\n\r\n{}").encode())
        first, _, rest = got.partition(b"\r\n\r\n")
        assert first == b"HTTP/1.1 100 Continue"
        assert parse(rest).status == 400

    with_sim(test)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * (MAX_HEAD + 1) + b"\r\n\r\n", 431),
        (
            b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (MAX_BODY + 1)
            + b" " * (MAX_BODY + 1),
            413,
        ),
    ],
    ids=["no HTTP", "long head", "long body"],
)
def test_what_it_can_not_take_is_refused(data: bytes, status: int) -> None:
    async def test(vendor: Vendor, _key: str) -> None:
        got = await raw(vendor.sim.origin, data)
        assert got.startswith(b"HTTP/1.1 %d " % status)

    with_sim(test)


def test_an_upgrade_is_declined_by_a_plain_answer() -> None:
    async def test(vendor: Vendor, key: str) -> None:
        first = f"GET /v1/agents HTTP/1.1\r\n{key}connection: upgrade\r\nupgrade: h2c\r\n\r\n"
        second = f"GET /v1/sms HTTP/1.1\r\n{key}connection: close\r\n\r\n"
        got = await raw(vendor.sim.origin, (first + second).encode())
        assert got.count(b"HTTP/1.1 200 OK") == 2

    with_sim(test)


def test_a_path_is_unquoted_by_segment() -> None:
    async def test(vendor: Vendor, _key: str) -> None:
        answer = await vendor("GET", "/contacts/%2Fagents")
        assert answer.status == 404
        assert "/agents" in answer.data["error_message"]

    with_sim(test)


def test_a_taken_port_is_an_error_and_a_free_one_is_said() -> None:
    async def test(vendor: Vendor, _key: str) -> None:
        port = int(vendor.sim.origin.rpartition(":")[2])
        with pytest.raises(OSError, match="address"):
            async with running(TokySimulator(), port=port):
                raise AssertionError("it can't run twice")
        async with running(TokySimulator(), host="127.0.0.1") as other:
            assert other.origin != vendor.sim.origin

    with_sim(test)


def test_a_handler_that_fails_is_a_500_that_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def test(vendor: Vendor, _key: str) -> None:
        assert isinstance(vendor.sim, TokySimulator)
        vendor.sim.state.agents = 7  # type: ignore[assignment]  # a bug, on purpose
        answer = await vendor("GET", "/agents")
        assert answer.status == 500
        assert "the simulator failed" in answer.data["error_message"]
        assert "list_agents" in caplog.text

    with_sim(test)


def test_requests_and_replies_are_values() -> None:
    request = Request("GET", "/a?b=1&b=2&c", {}, b"")
    assert request.query == {"b": "2", "c": ""}
    assert request.json() == {}
    with pytest.raises(BadBody, match="JSON object"):
        Request("POST", "/", {}, b"3").json()
    wire = Reply.json({"a": 1}, 299, (("x-y", "z"),)).encode(keep_alive=False)
    assert wire.startswith(b"HTTP/1.1 299 Other\r\n")
    assert b"x-y: z\r\nconnection: close\r\n\r\n" in wire


def test_the_admin_api_shows_resets_and_counts() -> None:
    async def test(vendor: Vendor, _key: str) -> None:
        await vendor("POST", "/contacts", {"phone": "+12025550100", "contact_name": "A"})
        await vendor("POST", "/contacts", {"phone": "bad"})
        state = await vendor.admin("GET", "/state")
        assert len(state["contacts"]) == 21
        journal = await vendor.admin("GET", "/requests")
        assert journal["counts"]["create_contact"] == {
            "received": 2,
            "processed": 1,
            "refused": 1,
            "unanswered": 0,
        }
        entry = journal["requests"][0]
        assert (entry["method"], entry["target"]) == ("POST", "/v1/contacts")
        assert entry["headers"]["x-toky-key"] == "…"
        assert "+12025550100" in entry["body"]
        some = await vendor.admin("GET", "/requests?operation=none&limit=5")
        assert (some["requests"], some["total"]) == ([], 2)
        overview = await vendor.admin("GET", "")
        assert overview["credentials"] == vendor.sim.credentials
        await vendor.admin("DELETE", "/requests")
        assert (await vendor.admin("GET", "/requests"))["total"] == 0
        await vendor.fault(kind="hang")
        await vendor.admin("POST", "/reset")
        assert len((await vendor.admin("GET", "/state"))["contacts"]) == 20
        assert (await vendor.admin("GET", "/faults"))["faults"] == []

    with_sim(test)


def test_the_admin_api_names_what_is_wrong() -> None:
    async def test(vendor: Vendor, _key: str) -> None:
        url = vendor.sim.admin_url
        assert (await call("GET", url + "/nothing")).status == 404
        assert (await call("DELETE", url + "/faults/9")).status == 404
        for method, path, body, words in (
            ("DELETE", "/faults/x", None, "id: 'x'"),
            ("GET", "/requests?limit=x", None, "limit: 'x'"),
            ("GET", "/deliveries?limit=-1&wait=true", None, "limit: '-1'"),
            ("POST", "/clock", {"factor": 0}, "factor"),
            ("POST", "/clock", {"factor": "fast"}, "$.factor"),
            ("POST", "/calls?wait=true", {"count": "many"}, "$.count"),
        ):
            answer = await call(method, url + path, body)
            assert answer.status == 400
            assert words in answer.data["error"]

    with_sim(test)


def test_web_pages_can_not_reach_the_admin_api() -> None:
    async def test(vendor: Vendor, _key: str) -> None:
        url = vendor.sim.admin_url + "/state"
        assert (await call("GET", url, headers={"origin": "https://evil.example"})).status == 403
        assert (await call("GET", url, headers={"host": "evil.example:80"})).status == 403
        assert (await call("GET", url, headers={"host": "localhost:80"})).status == 200

    with_sim(test)


def test_latency_of_the_constructor_outlives_a_reset() -> None:
    async def run() -> None:
        time = Time()
        async with running(TokySimulator(seed=1, clock=time.clock(), latency=0.25)) as sim:
            vendor = Vendor(sim)
            await vendor("GET", "/agents")
            await vendor.admin("POST", "/reset")
            await vendor("GET", "/agents")
            assert time.slept == [0.25, 0.25]

    asyncio.run(run())
