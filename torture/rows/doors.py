"""What comes in at the door: twice, a hundred times, too large, too slow, forged, nonsense."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import aiohttp

from torture.account import conclude
from torture.load import Event, Load
from torture.outcome import Options, Outcome
from torture.rig import Process, Rig
from torture.rows import row
from torture.rows.kills import background
from torture.scenarios import SECRET, Hook, flow, plant, post, two_effects

MOST_BYTES = 10 * 1024 * 1024
"""The longest body that a hook takes."""
GROWTH = 200.0
"""Megabytes by which a server may grow under a thousand slow senders and the largest bodies."""

MOST_RATIO = 3.0
"""How many times as long the p99 of good senders may be while a thousand others dawdle."""
LEAST = 0.1
"""Seconds: what is shorter counts as so long in that ratio, as it is the machine's noise."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls hooks."""

    session: aiohttp.ClientSession
    port: int

    async def post(self, path: str, body: bytes, **headers: str) -> int:
        """The status of a POST; 0 if there was no answer."""
        given = {"content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            url = f"http://127.0.0.1:{self.port}{path}"
            async with self.session.post(url, data=body, headers=given) as answer:
                await answer.read()
                return answer.status
        return 0

    async def event(self, event: Event, **headers: str) -> int:
        """Sends an event; notes its acknowledgement."""
        status = await self.post(event.hook.path, body_of(event), **headers)
        event.statuses.append(status)
        if status == 200 and event.acknowledged is None:
            event.acknowledged = time.monotonic()
        return status


def body_of(event: Event) -> bytes:
    """An event's body."""
    return json.dumps({"n": event.number, "key": event.line}).encode()


@row("twice", short=True)
async def twice(options: Options) -> Outcome:
    """The same delivery a hundred times at once, and again later, out of order: one run each."""
    begun = time.monotonic()
    draw = options.draw("twice")
    events, copies = int(options.pick(5, 30, 200)), int(options.pick(50, 100, 100))
    outcome = Outcome()
    async with (
        Rig.up(
            options, servers=int(options.pick(1, 2, 2)), workers=int(options.pick(1, 2, 2))
        ) as rig,
        AsyncExitStack() as stack,
    ):
        load = await stack.enter_async_context(Load(rig, []))
        hook = two_effects(rig)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100))
        )
        callers = [Caller(session, server.port) for server in rig.servers]
        made = [load.make(hook) for _ in range(events)]
        for event in made:
            event.key = f"event {event.number}"
        shuffled = draw.sample(made, len(made))
        for event in shuffled:
            assert event.key is not None
            await asyncio.gather(
                *(
                    callers[turn % len(callers)].event(event, idempotency_key=event.key)
                    for turn in range(copies)
                )
            )
        for event in draw.sample(made, len(made)):  # and again, when most have run
            assert event.key is not None
            await callers[0].event(event, idempotency_key=event.key)
        said = Counter(status for event in made for status in event.statuses)
        outcome.expect(set(said) == {200}, f"every copy is acknowledged, not {dict(said)}")
        await conclude(rig, load, outcome, seconds=60)
        again = rig.value("select sum(duplicates) from seen")
        outcome.expect(again == events * copies, f"{again} duplicates of {events * copies}")
        outcome.notes.append(f"{events} events, each sent {copies + 1} times, {copies} at once")
    outcome.seconds = time.monotonic() - begun
    return outcome


@row("forged")
async def forged(options: Options) -> Outcome:
    """Signatures that are missing, wrong, of another, old, early or replayed: none becomes work."""
    begun = time.monotonic()
    rounds = int(options.pick(5, 20, 200))
    outcome = Outcome()
    async with Rig.up(options, servers=1, workers=1) as rig, AsyncExitStack() as stack:
        assert rig.sink is not None
        load = await stack.enter_async_context(Load(rig, []))
        step = post(3, rig.sink.port, "ok", "a")
        plain = plant(rig, flow(step), steps=("a",), signing_secret=SECRET)
        crisp = "crisp:watchEvents"
        dated = plant(rig, flow(step, trigger=crisp), steps=("a",), trigger=crisp, secret=SECRET)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(  # a kept one may be closed at the moment of the next call
                connector=aiohttp.TCPConnector(force_close=True)
            )
        )
        caller = Caller(session, rig.servers[0].port)
        refused: Counter[str] = Counter()
        taken: Counter[str] = Counter()
        for _ in range(rounds):
            await _plainly(caller, load.make(plain), refused, taken)
            await _dated(caller, load.make(dated), refused, taken)
        wrong = [name for name in refused if not name.endswith(" 401")]
        outcome.expect(not wrong, f"taken or answered otherwise than 401: {wrong}")
        outcome.expect(set(taken) == {"200"}, f"true ones are taken: {dict(taken)}")
        await conclude(rig, load, outcome, seconds=60)
        outcome.expect(outcome.ends["finished"] == 2 * rounds, "each true one ran, once")
        counted = rig.value("select sum(refused) from hooks")
        outcome.expect(counted == refused.total(), f"{counted} of {refused.total()} counted")
        outcome.notes.append(
            f"{refused.total()} forged ones refused, in {len(refused)} ways;"
            f" {taken.total() - 2 * rounds} replayed ones known"
        )
    outcome.seconds = time.monotonic() - begun
    return outcome


async def _plainly(
    caller: Caller, event: Event, refused: Counter[str], taken: Counter[str]
) -> None:
    """HMAC over the body: forged in four ways, then true."""
    body, path = body_of(event), event.hook.path

    def signed(secret: str, text: bytes = body) -> str:
        return "sha256=" + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()

    true = signed(SECRET)
    ways = {
        "missing": {}, "short": {"x_signature_256": true[:-1]},
        "of another": {"x_signature_256": signed("another-secret")},
        "of another body": {"x_signature_256": signed(SECRET, body + b" ")},
    }  # fmt: skip
    for way, headers in ways.items():
        refused[f"{way} {await caller.post(path, body, **headers)}"] += 1
    key = f"event {event.number}"
    for _ in range(2):  # and replayed by whoever saw it
        status = await caller.event(event, x_signature_256=true, idempotency_key=key)
        taken[str(status)] += 1


async def _dated(caller: Caller, event: Event, refused: Counter[str], taken: Counter[str]) -> None:
    """HMAC over time and body: forged, old, early, and then true."""
    now = time.time()
    body = json.dumps(
        {
            "event": "campaign:dispatched", "timestamp": int(now * 1000), "n": event.number,
            "data": {"n": event.number},
        }
    ).encode()  # fmt: skip
    path = event.hook.path

    def headers(at: float, *, claimed: float | None = None) -> dict[str, str]:
        stamp = str(int(at * 1000))
        mac = hmac.new(SECRET.encode(), f"[{stamp};".encode() + body + b"]", hashlib.sha256)
        shown = stamp if claimed is None else str(int(claimed * 1000))
        return {"x_crisp_request_timestamp": shown, "x_crisp_signature": mac.hexdigest()}

    for way, given in {
        "old": headers(now - 400),
        "early": headers(now + 400),
        "old, redated": headers(now - 400, claimed=now),
        "without a date": {"x_crisp_signature": headers(now)["x_crisp_signature"]},
    }.items():
        refused[f"{way} {await caller.post(path, body, **given)}"] += 1
    for _ in range(2):
        status = await caller.post(path, body, **headers(now))
        taken[str(status)] += 1
        if status == 200:
            event.acknowledged = time.monotonic()


NONSENSE: dict[str, bytes] = {
    "no JSON": b"{",
    "bad UTF-8": b'{"n": "\xff\xfe\xfa"}',
    "NUL": b'{"n": "\\u0000", "x": "\x00"}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "lone surrogate": b'{"n": "\\ud800"}',
    "huge number": b'{"n": 1e999999, "m": ' + b"9" * 5000 + b"}",
    "not a number": b'{"n": NaN}',
    "repeated names": b'{"n": 1, "n": 2, "__proto__": {"a": 1}}',
    "empty": b"",
}

WIRE: dict[str, bytes] = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    "bad version": b"POST {path} HTTP/9.9\r\nhost: t\r\n\r\n",
    "bad length": b"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: -5\r\n\r\n",
    "two lengths": (
        b"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\ncontent-length: 9\r\n\r\n{}"
    ),
    "length and chunks": (
        b"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: 4\r\n"
        b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "bad chunk": (
        b"POST {path} HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n"
    ),
    "long header": b"POST {path} HTTP/1.1\r\nhost: t\r\nx: " + b"y" * 300_000 + b"\r\n\r\n",
    "many headers": b"POST {path} HTTP/1.1\r\nhost: t\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
}


@row("nonsense", alone=True)
async def nonsense(options: Options) -> Outcome:
    """Malformed, oversized, lying and slow senders, a thousand at a time: others are well served.

    Nothing of it may end a process, be answered with 500, or hold a server's memory; what is too
    large is 413; and good senders are served all the while.
    """
    begun = time.monotonic()
    draw = options.draw("nonsense")
    slow = int(options.pick(200, 1000, 1000) * min(1.0, options.scale))
    outcome = Outcome()
    async with Rig.up(options, servers=1, workers=2) as rig, AsyncExitStack() as stack:
        load = await stack.enter_async_context(Load(rig, []))
        good, bad = two_effects(rig, "ok"), plant(rig, flow())
        server = rig.servers[0]
        session = await stack.enter_async_context(aiohttp.ClientSession())
        caller = Caller(session, server.port)
        await load.some(50, good)
        calm = await _good(load, good, options)
        resting = server.rss()
        peak = resting

        async def watch() -> None:
            nonlocal peak
            while True:
                peak = max(peak, server.rss())
                await asyncio.sleep(0.05)

        await background(stack, watch())
        senders = await stack.enter_async_context(AsyncExitStack())
        await background(senders, *(_drip(server, bad, draw) for _ in range(slow)))
        await asyncio.sleep(1.0)
        storm = asyncio.create_task(_good(load, good, options))
        said = await _say_all(caller, server, bad)
        stormy = await storm
        await load.finish()
        await senders.aclose()
        calm += await _good(load, good, options)  # the machine may have become busier meanwhile
        outcome.expect(server.alive and all(w.alive for w in rig.workers), "nothing died")
        odd = [what for what in said if what.endswith(" 500")]
        outcome.expect(not odd, f"answered with 500: {odd}")
        for what in ("oversized", "oversized, in chunks"):
            outcome.expect(said[f"{what} 413"] == 1, f"{what} is 413: {dict(said)}")
        growth = peak - resting
        outcome.expect(growth <= GROWTH, f"the server grew by {growth:.0f} MB")
        await conclude(rig, load, outcome, seconds=60)
        before, meanwhile = worst(calm), worst(stormy)
        ratio = meanwhile / max(before, LEAST)
        outcome.expect(
            ratio <= MOST_RATIO,
            f"good senders' p99 {before * 1000:.0f} ms became {meanwhile * 1000:.0f} ms,"
            f" {ratio:.1f} times as long",
        )
        outcome.notes.append(
            f"{slow} slow senders; acknowledged p99 {before * 1000:.0f} ms before and after,"
            f" {meanwhile * 1000:.0f} ms meanwhile: {ratio:.1f} times (of {LEAST * 1000:.0f} ms at"
            f" least); the server grew by {growth:.0f} MB"
        )
        outcome.notes.append("answers: " + ", ".join(sorted(said)))
    outcome.seconds = time.monotonic() - begun
    return outcome


def worst(took: list[list[float]]) -> float:
    """The p99 of each part of a measurement, and the middle one of those.

    A machine that others use stops for a second now and then: that spoils one part, not the middle.
    What a server does to its callers all the while is in most of them.
    """
    p99 = sorted(sorted(part)[int(len(part) * 0.99)] for part in took)
    return p99[len(p99) // 2]


async def _good(load: Load, hook: Hook, options: Options) -> list[list[float]]:
    """Good events at a steady rate, in five parts; how long each acknowledgement took."""
    parts = []
    for _ in range(5):
        made = []
        for _ in range(int(options.pick(20, 50, 200))):
            made.append(load.send(hook))
            await asyncio.sleep(0.03)
        await load.finish()
        parts.append([(each.acknowledged or 1e9) - each.begun for each in made])
    return parts


async def _drip(server: Process, hook: Hook, draw: random.Random) -> None:
    """A sender that never ends: some dawdle in the head, some in the body."""
    head = f"POST {hook.path} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n"
    body = draw.random() < 0.5
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            try:
                writer.write(
                    (head + ("content-length: 5000\r\n\r\n" if body else "x-a: ")).encode()
                )
                while not reader.at_eof() and not writer.is_closing():
                    writer.write(b"1")
                    await writer.drain()
                    await asyncio.sleep(draw.uniform(0.3, 0.7))
            finally:
                writer.close()
        await asyncio.sleep(0.1)


async def _say_all(caller: Caller, server: Process, hook: Hook) -> Counter[str]:
    """Every nonsense once; what was answered."""
    said: Counter[str] = Counter()
    for what, body in NONSENSE.items():
        said[f"{what} {await caller.post(hook.path, body)}"] += 1
    large = b'"' + b"x" * MOST_BYTES + b'"'
    said[f"oversized {await caller.post(hook.path, large)}"] += 1
    said[f"oversized, in chunks {await _chunked(server, hook, len(large))}"] += 1
    for what, text in WIRE.items():
        said[f"{what} {await _raw(server, text.replace(b'{path}', hook.path.encode()))}"] += 1
    said[f"an unknown hook {await caller.post('/hook/' + '0' * 32, b'{}')}"] += 1
    return said


async def _raw(server: Process, data: bytes) -> int:
    """The status that these bytes are answered with; 0: cut without an answer."""
    with suppress(OSError, asyncio.IncompleteReadError, TimeoutError, ValueError):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async with asyncio.timeout(20):
                writer.write(data)
                line = await reader.readline()
            return int(line.split(b" ")[1]) if line else 0
        finally:
            writer.close()
    return 0


async def _chunked(server: Process, hook: Hook, size: int) -> int:
    """A body in chunks that doesn't say how long it is."""
    head = f"POST {hook.path} HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    block = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    return await _raw(server, head + block * (size // 65536 + 2) + b"0\r\n\r\n")
