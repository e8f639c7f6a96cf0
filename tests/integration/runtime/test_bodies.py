"""Oversized, malformed, slow and many bodies: refused or served; the door stays open."""

from __future__ import annotations

import asyncio
import json

import psycopg
import pytest

from junctor.app.handover import raise_file_limit
from tests.integration.runtime.door import (
    SET,
    WEBHOOK,
    Door,
    door,
    flow,
    idle,
    plant_hook,
    request,
    waiting_deliveries,
    working,
)
from tests.support import asynchronous

JSON = {"content_type": "application/json"}


@pytest.fixture
def path(database_url: str) -> str:
    """A hook in a database without runs and deliveries."""
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("truncate inbox, backlog, runs, segments, seen, answers")
    return plant_hook(database_url, flow(WEBHOOK, SET))


async def still_open(it: Door, path: str) -> None:
    answer = await it.post(path, b'{"n": 1}', **JSON)
    assert (answer.status, answer.body) == (200, b"Accepted")


@asynchronous
async def test_oversized(database_url: str, path: str) -> None:
    async with door(database_url, most_bytes=1000) as it:
        assert (await it.post(path, b"x" * 1000)).status == 200
        assert (await it.post(path, b"x" * 1001)).status == 413
        # Said before anything is read of what is announced.
        said = await it.raw(f"POST {path} HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n".encode())
        assert said.status == 413
        chunks = b"".join(b"64\r\n" + b"x" * 100 + b"\r\n" for _ in range(11)) + b"0\r\n\r\n"
        head = f"POST {path} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        assert (await it.raw(head + chunks)).status == 413
        await still_open(it, path)
    assert waiting_deliveries(database_url) == 2


@pytest.mark.parametrize(
    "head",
    [
        "content-length: many\r\n",
        "content-length: -5\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 99999999999999999999999999\r\n",
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\n",
        "no colon here\r\n",
        "a\0b: c\r\n",
    ],
)
@asynchronous
async def test_malformed_requests(head: str, database_url: str, path: str) -> None:
    async with door(database_url) as it:
        answer = await it.raw(f"POST {path} HTTP/1.1\r\n{head}\r\nZZZZ\r\nxyz".encode())
        assert answer.status == 400
        await still_open(it, path)
    assert waiting_deliveries(database_url) == 1


@pytest.mark.parametrize("target", ["/hook/", "/hook/%00", "/hook/%ff", "/hook/a%2Fb", "/hook/é"])
@asynchronous
async def test_addresses_that_are_none(target: str, database_url: str, path: str) -> None:
    async with door(database_url) as it:
        assert (await it.raw(request(target, b"{}"))).status in {400, 404}
        await still_open(it, path)


DEEP = b"[" * 100_000 + b"]" * 100_000
CONTENTS = {
    "empty": (b"", "application/json"),
    "cut off": (b'{"n": ', "application/json"),
    "not JSON at all": (b"\0\1\2\xff\xfe", "application/json"),
    "invalid UTF-8": (b'{"n": "\xff\xfe"}', "application/json"),
    "NUL": (b'{"n": "a\\u0000b", "\\u0000": 1}', "application/json"),
    "lone surrogate": (b'{"n": "\\ud800"}', "application/json"),
    "deep": (DEEP, "application/json"),
    "deep as text": (DEEP, "text/plain"),
    "deep enough to be read": (b'{"n":' + b"[" * 150 + b"]" * 150 + b"}", "application/json"),
    "huge integer": (b'{"n": ' + b"9" * 400 + b"}", "application/json"),
    "integer of 65 bits": (b'{"n": 36893488147419103232}', "application/json"),
    "huge exponent": (b'{"n": 1e999999}', "application/json"),
    "wrong type": (b"n=1", "application/json"),
    "form that is none": (b"%%%=%zz&&&\0", "application/x-www-form-urlencoded"),
    "multipart without boundary": (b"--x\r\n\r\n--x--", "multipart/form-data"),
    "multipart cut off": (b"--x\r\nContent-Disp", "multipart/form-data; boundary=x"),
    "unknown charset": (b"abc", "text/plain; charset=nothing-known"),
    "charset that is no text's": (b"abc", "text/plain; charset=hex"),
    "unspeakable type": (b"{}", '"";;;=; charset="\xe9'),
}


@asynchronous
async def test_contents_that_break_things_end_in_runs_of_their_own(
    database_url: str, path: str
) -> None:
    """All at once, so that they share batches with each other and with good neighbours."""
    async with door(database_url) as it, working(database_url):
        good = [it.post(path, b'{"n": 1}', **JSON) for _ in CONTENTS]
        bad = [it.post(path, body, content_type=kind) for body, kind in CONTENTS.values()]
        answers = await asyncio.gather(*good, *bad)
        assert {answer.status for answer in answers} == {200}
        await idle(database_url)
        with psycopg.connect(database_url) as db:
            found: dict[str, int] = dict(
                db.execute("select state, count(*) from runs group by state").fetchall()
            )
        assert sum(found.values()) == 2 * len(CONTENTS)
        assert found["finished"] >= len(CONTENTS)
        assert set(found) <= {"finished", "incomplete"}


@asynchronous
async def test_every_depth_around_the_limits_is_served(database_url: str, path: str) -> None:
    """What can just be read may be too deep for what comes after."""
    depths = [*range(20, 1100, 20), *range(900, 1010)]
    async with door(database_url) as it, working(database_url):
        bodies = (b'{"n":' + b"[" * depth + b"]" * depth + b"}" for depth in depths)
        answers = await asyncio.gather(*(it.post(path, body, **JSON) for body in bodies))
        assert {answer.status for answer in answers} == {200}
        await idle(database_url)
        await still_open(it, path)
        await idle(database_url)
        with psycopg.connect(database_url) as db:
            row = db.execute("select count(*) from runs where state in ('finished', 'incomplete')")
            assert row.fetchone() == (len(depths) + 1,)


@asynchronous
async def test_a_slow_body_is_told_so(database_url: str, path: str) -> None:
    async with door(database_url, body_seconds=0.1) as it:
        for begun in (b"", b'{"n'):
            async with it.wire() as wire:
                head = f"POST {path} HTTP/1.1\r\ncontent-length: 100\r\n\r\n".encode()
                await wire.send(head + begun)
                assert (await wire.answer()).status == 408
        await still_open(it, path)
    assert waiting_deliveries(database_url) == 1


@asynchronous
async def test_a_caller_that_goes_away_has_said_nothing(database_url: str, path: str) -> None:
    async with door(database_url) as it:
        for begun in (b"", b'{"n'):
            async with it.wire() as wire:
                head = f"POST {path} HTTP/1.1\r\ncontent-length: 100\r\n\r\n".encode()
                await wire.send(head + begun)
        await still_open(it, path)
    assert waiting_deliveries(database_url) == 1


@asynchronous
async def test_500_large_bodies_at_once(database_url: str, path: str) -> None:
    raise_file_limit(2000)  # both ends of each connection are ours
    body = json.dumps({"n": "x" * 100_000}).encode()
    async with door(database_url) as it:
        answers = await asyncio.gather(*(it.post(path, body, **JSON) for _ in range(500)))
        assert {answer.status for answer in answers} == {200}
    assert waiting_deliveries(database_url) == 500


@asynchronous
async def test_a_key_that_cannot_be_stored_takes_no_neighbour_along(
    database_url: str, path: str
) -> None:
    order = flow(("gateway:CustomWebHook", {}), SET, order_key="{{1.key}}")
    toky = flow(("toky:watchNewCalls", {}), SET)
    paths = [
        path,
        plant_hook(database_url, order),
        plant_hook(database_url, toky, connector="toky", kind="watchNewCalls"),
    ]
    odd = [
        b"a\\u0000b", b"\\u0000", "\u00e9".encode() * 150, b"x" * 5000, b"\\ud83d\\ude00",
    ]  # fmt: skip
    bodies = [b'{"n": 1, "key": "%s", "callid": "%s"}' % (key, key) for key in odd]
    bodies += [
        b'{"n": 1, "key": [1], "callid": {"a": "\\u0000"}}',
        b'{"n": 1, "key": {"a": 1}, "callid": 7}',
    ]
    async with door(database_url) as it, working(database_url):
        with psycopg.connect(database_url) as db:
            before = db.execute("select count(*) from runs").fetchone()
        answers = await asyncio.gather(
            *(it.post(path, body, **JSON) for path in paths for body in bodies),
            *(it.post(path, b'{"n": 1}', **JSON) for path in paths for _ in range(10)),
        )
        assert {answer.status for answer in answers} == {200}
        await idle(database_url)
        with psycopg.connect(database_url) as db:
            after = db.execute("select count(*) from runs").fetchone()
        assert before is not None
        assert after is not None
        assert after[0] - before[0] == len(answers)


@asynchronous
async def test_lines_of_forwarded_addresses_are_one_list(database_url: str) -> None:
    path = plant_hook(database_url, flow(WEBHOOK, SET), networks=["203.0.113.7"])
    async with door(database_url, trusted_proxies=["127.0.0.1", "10.0.0.0/8"]) as it:
        for lines, status in (
            (("203.0.113.7", "10.0.0.2"), 200),
            (("198.51.100.1, 203.0.113.7", "10.0.0.3, 10.0.0.2", "10.0.0.4"), 200),
            (("203.0.113.7, 198.51.100.1", "10.0.0.2"), 401),
            (("10.0.0.2", "203.0.113.7"), 200),
        ):
            given = "".join(f"x-forwarded-for: {line}\r\n" for line in lines)
            head = f"POST {path} HTTP/1.1\r\nhost: t\r\n{given}content-length: 0\r\n\r\n"
            assert (await it.raw(head.encode())).status == status, lines
