"""How much of a vendor's budget is spent, and how often it refuses.

    PYTHONPATH=src python bench/governor.py [factor] [windows]

Two governors, as of two workers, on one PostgreSQL; a simulated HighLevel that permits 100 requests
in 10 s, on a clock that runs ``factor`` times as fast (10; at 100 an answer's few milliseconds are a
large part of a window). *alone*: two bulk runs with eight lanes each. *ordinary*: the same, and
single requests of other runs beside them, 15 in each window. *stranger*:
somebody else spends half. Last, what a request without budgets pays.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID, uuid4

from junctor.adapters.postgres.budgets import PostgresBudgets
from junctor.adapters.postgres.embedded import Embedded
from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.migrate import migrate
from junctor.adapters.transport import AiohttpTransport
from junctor.connectors.highlevel import highlevel
from junctor.language.connector import Connection, Connector, Request, Response, Secret
from junctor.runtime.accounts import Account
from junctor.runtime.governor import Governor
from junctor.simulators.clock import Clock
from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.kit import running

PERMITTED = 100
WINDOW = 10.0


class Round:
    """One location, two governors."""

    def __init__(self, url: str, factor: float) -> None:
        self.url, self.factor = url, factor
        self.statuses: list[int] = []
        self.waits: list[float] = []

    async def __aenter__(self) -> Round:
        self.stack = AsyncExitStack()
        self.sim = await self.stack.enter_async_context(
            running(HighLevelSimulator(seed=3, clock=Clock(self.factor)))
        )
        allow = [self.sim.origin.removeprefix("http://")]
        self.transport = await self.stack.enter_async_context(AiohttpTransport(allow))
        kind = highlevel.connections["private_integration"]
        known = self.sim.credentials
        form = kind.form(token=Secret(known["token"]), location_id=known["location_id"])
        self.account = Account(
            highlevel,
            kind,
            self.sim.base_url,
            form,
            organization_id=uuid4(),
            connection_id=uuid4(),
        )
        self.governors = []
        for _ in range(2):
            line = Line(self.url, patience=5.0)
            governor = Governor(PostgresBudgets(line))
            self.stack.push_async_callback(line.close)
            self.stack.push_async_callback(governor.close)
            self.governors.append(governor)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    async def ask(self, number: int, run: UUID, waits: list[float] | None = None) -> int:
        target = Request("GET", f"{self.sim.base_url}/locations/{self.account.form.location_id}")

        async def send() -> tuple[Response, None]:
            signed = self.account.definition.sign(target, self.account.form)
            return await self.transport.send(signed), None

        begun = time.perf_counter()
        governor = self.governors[number % 2]
        response, _ = await governor.through(self.account, target, run, send)
        if waits is not None:
            waits.append(time.perf_counter() - begun)
        return response.status

    async def lane(self, number: int, run: UUID) -> None:
        while True:
            self.statuses.append(await self.ask(number, run))

    async def ordinary(self, waits: list[float]) -> None:
        pause = 1 / (1.5 * self.factor)
        tasks = set()
        for number in range(1_000_000):
            tasks.add(asyncio.create_task(self.ask(number, uuid4(), waits)))
            await asyncio.sleep(pause)

    async def stranger(self) -> None:
        assert self.sim.meter is not None
        while True:
            await asyncio.sleep(WINDOW / PERMITTED * 2 / self.factor)
            if self.sim.meter.remaining:
                self.sim.meter.take()

    async def measure(self, title: str, windows: int, *beside: Awaitable[None]) -> None:
        runs = [uuid4(), uuid4()]
        work = [asyncio.ensure_future(self.lane(i, runs[i % 2])) for i in range(16)]
        work += [asyncio.ensure_future(each) for each in beside]
        one = WINDOW / self.factor
        await asyncio.sleep(2 * one)
        assert self.sim.meter is not None
        before, refused = len(self.statuses), self.sim.meter.refused
        exchanges = sum(each.exchanges for each in self.governors)
        begun = time.perf_counter()
        await asyncio.sleep(windows * one)
        span = (time.perf_counter() - begun) / one
        bulk = len(self.statuses) - before
        exchanges = sum(each.exchanges for each in self.governors) - exchanges
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        print(
            f"{title}: bulk {bulk / span:.1f} of {PERMITTED} per window "
            f"({bulk / span / PERMITTED:.1%}), 429: {self.sim.meter.refused - refused}, "
            f"exchanges with the database {exchanges / span:.1f} per window"
        )


async def overhead() -> None:
    governor = Governor(PostgresBudgets(Line("", patience=0)))
    kind = Connection(form=object, base_url="", sign=lambda request, _: request)
    account = Account(Connector(name="free", label="Free"), kind, "", None)
    answer = Response(200, {}, b""), None
    request = Request("GET", "https://example.com/")

    async def send() -> tuple[Response, None]:
        return answer

    count = 100_000
    begun = time.perf_counter()
    for _ in range(count):
        await send()
    bare = time.perf_counter() - begun
    begun = time.perf_counter()
    for _ in range(count):
        await governor.through(account, request, None, send)
    spent = time.perf_counter() - begun - bare
    print(f"a request without budgets: {spent / count * 1e9:.0f} ns more")


async def rounds(url: str, factor: float, windows: int) -> None:
    await migrate(url)
    async with Round(url, factor) as it:
        await it.measure("alone", windows)
    async with Round(url, factor) as it:
        waits: list[float] = []
        await it.measure("ordinary", windows, it.ordinary(waits))
        vendor = sorted(wait * factor for wait in waits)
        print(
            f"          {len(waits)} ordinary requests; waits in the vendor's seconds: median "
            f"{statistics.median(vendor):.2f}, 99 % {vendor[int(len(vendor) * 0.99)]:.2f}"
        )
    async with Round(url, factor) as it:
        await it.measure("stranger", windows, it.stranger())
        shown = (await it.governors[0].budgets_of(it.account))[0]
        print(f"          strangers' requests in this window, as we see it: {shown['others']}")
    await overhead()


def main() -> None:
    factor = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    windows = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    with tempfile.TemporaryDirectory() as folder:
        server = Embedded(Path(folder))
        url = server.start()
        try:
            asyncio.run(rounds(url, factor, windows))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
