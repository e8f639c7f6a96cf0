"""What all simulators share: routes, the path of a request through faults and limits, running.

    class Parrot(Simulator):
        name = "parrot"
        ...

    async with running(Parrot(seed=1)) as sim:
        ...  # sim.base_url, sim.credentials, sim.journal, sim.faults

A simulator holds its state in memory. Its handlers are plain functions from `Request` to `Reply`;
they run within one event-loop step, so that a request's work is done wholly or not at all.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeVar

from junctor.simulators.admin import Admin
from junctor.simulators.clock import Clock
from junctor.simulators.describe import Description
from junctor.simulators.faults import Fault, Faults, Verdict
from junctor.simulators.hooks import Deliveries, Retries
from junctor.simulators.journal import Entry, Journal
from junctor.simulators.routes import Refused, Route, Router
from junctor.simulators.wire import BadBody, Connection, Exchange, Reply, Request

__all__ = ["Refused", "Route", "Simulator", "running"]

S = TypeVar("S", bound="Simulator")

ADMIN = "/_sim"
_GARBAGE_WIRE = b"\x00\xff\x16\x03 this is no HTTP \r\n\x7f\r\n\r\n"
_GARBAGE_BODY = b'<html><body>{"half": '

log = logging.getLogger("junctor.simulators")


class Simulator:
    """A vendor's double. Subclasses give routes, state, authentication and error shapes.

    ``seed``: ``None`` draws new credentials at each start over data of seed 1; a number makes
    credentials, key pair and data from it. ``latency``: real seconds that every answer takes.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    prefix: ClassVar[str] = ""
    """The path of the vendor's base URL."""
    retries: ClassVar[Retries]

    def __init__(
        self, *, seed: int | None = None, clock: Clock | None = None, latency: float = 0.0
    ) -> None:
        self.seed = 1 if seed is None else seed
        self.keyed_seed = seed
        self.clock = clock or Clock()
        self.latency = latency
        self.origin = ""
        self.journal = Journal()
        self.chance = random.Random(self.seed)
        self.faults = Faults(self.seed)
        self.deliveries = Deliveries(self.clock, self.retries, seed=self.seed)
        self._router = Router(self.routes())
        self.admin = Admin(self)
        self.reset()

    # What a vendor's double says about itself.

    def routes(self) -> Iterable[Route]:
        """The vendor's operations; paths below ``prefix``."""
        raise TypeError(f"{type(self).__name__} has no routes")

    def described(self) -> Description:
        """What the operations take beside their paths, for the OpenAPI document."""
        return Description()

    def admin_routes(self) -> Iterable[Route]:
        """Operations below ``/_sim`` that only this vendor has."""
        return ()

    def populate(self) -> None:
        """Fills the state as new."""

    def snapshot(self) -> dict[str, Any]:
        """Everything held, as plain data."""
        return {}

    @property
    def credentials(self) -> dict[str, str]:
        """What a connection to this simulator needs."""
        return {}

    def admit(self, request: Request, route: Route | None) -> tuple[tuple[str, str], ...]:
        """Checks account and limits; headers for the answer. `Refused` if not admitted."""
        del request, route
        return ()

    def error(self, status: int, message: str | list[str], **more: Any) -> Reply:
        """A refusal in the vendor's shape."""
        return Reply.json({"status": status, "message": message, **more}, status)

    def too_many(self, message: str | None) -> Reply:
        """The vendor's 429."""
        return self.error(429, message or "Too Many Requests")

    # What they share.

    @property
    def base_url(self) -> str:
        """What replaces the vendor's base URL in a connection."""
        return self.origin + self.prefix

    @property
    def admin_url(self) -> str:
        """Where the admin API is."""
        return self.origin + ADMIN

    def reset(self) -> None:
        """As freshly started, with the same credentials."""
        self.chance = random.Random(self.seed)
        self.faults.clear()
        if self.latency:
            self.faults.add(Fault(kind="latency", times=None, seconds=self.latency))
        self.deliveries.abandon()
        self.journal.clear()
        self.populate()

    def application(self, request: Request, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """The path of every request."""
        if request.path.startswith(ADMIN):
            return self.admin.application(request, exchange)
        path = request.path
        below = path[len(self.prefix) :] if path.startswith(self.prefix + "/") else None
        found = None if below is None else self._router.find(request.method, below)
        route = found[0] if found else None
        if found:
            request.params = found[1]
        operation = route.operation if route else "unknown"
        entry = self.journal.open(operation, request, self.clock.now())
        if self.faults.rules:
            paths = (path,) if below is None else (below, path)
            verdict = self.faults.choose(request.method, paths, operation)
            if verdict is not None:
                return self._suffer(verdict, route, request, exchange, entry)
        reply = self._answer(route, request, entry)
        exchange.send(reply)
        self.journal.close(entry, reply.status)
        return None

    def _answer(self, route: Route | None, request: Request, entry: Entry) -> Reply:
        headers: tuple[tuple[str, str], ...] = ()
        try:
            headers = self.admit(request, route)
            if route is None:
                raise Refused(404, f"Cannot {request.method} {request.path}")
            reply = route.handler(request)
            entry.processed = True
        except Refused as refusal:
            headers += refusal.headers
            reply = self.error(refusal.status, refusal.message, **refusal.more)
        except BadBody as error:
            reply = self.error(400, str(error))
        except Exception as error:
            log.exception("%s failed in %s", self.name, entry.operation)
            reply = self.error(500, f"the simulator failed: {error!r}")
        if headers:
            reply.headers += headers
        return reply

    async def _suffer(
        self,
        verdict: Verdict,
        route: Route | None,
        request: Request,
        exchange: Exchange,
        entry: Entry,
    ) -> None:
        fault = verdict.fault
        entry.fault = "latency" if fault is None else fault.kind
        status: int | None = None
        try:
            # The work comes before any wait: a slow answer is still an effect.
            reply = None
            if fault is None or fault.processes:
                reply = self._answer(route, request, entry)
            if verdict.latency:
                await self.clock.sleep_real(verdict.latency)
            status = await self._strike(fault, reply, exchange)
        finally:
            self.journal.close(entry, status)

    async def _strike(
        self, fault: Fault | None, reply: Reply | None, exchange: Exchange
    ) -> int | None:
        if fault is None:
            assert reply is not None  # a latency always lets the work be done
            exchange.send(reply)
            return reply.status
        kind = fault.kind
        if kind == "drip":
            answer = reply or self.error(503, "Service Unavailable")
            span = 1.0 if fault.seconds is None else fault.seconds
            stayed = await exchange.drip(answer, lambda n: self.clock.sleep_real(span / n))
            return answer.status if stayed else None
        if kind in {"status", "rate_limit"}:
            if kind == "status":
                answer = self.error(fault.status, fault.message or "Simulated fault")
            else:
                answer = self.too_many(fault.message)
            if fault.retry_after is not None:
                answer.headers += (("retry-after", f"{fault.retry_after:g}"),)
            exchange.send(answer)
            return answer.status
        if kind == "hang":
            await self.clock.sleep_real(3600.0 if fault.seconds is None else fault.seconds)
        if kind == "garbage" and fault.garbage == "body":
            exchange.send(Reply(200, _GARBAGE_BODY))
            return 200
        if kind == "garbage":
            exchange.garbage(_GARBAGE_WIRE)
        else:
            exchange.cut()
        return None


@asynccontextmanager
async def running(
    simulator: S,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: ssl.SSLContext | None = None,
) -> AsyncIterator[S]:
    """Serves a simulator while the block runs; port 0 takes any free one. `OSError` if taken.

    With a ``certificate`` it speaks HTTPS: some vendors' own clients speak nothing else.
    """
    loop = asyncio.get_running_loop()
    connections: set[Connection] = set()
    server = await loop.create_server(
        lambda: Connection(simulator.application, connections), host, port, ssl=certificate
    )
    try:
        address = server.sockets[0].getsockname()
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        scheme = "https" if certificate else "http"
        simulator.origin = f"{scheme}://{shown}:{address[1]}"
        yield simulator
    finally:
        server.close()
        await asyncio.gather(*[connection.end() for connection in list(connections)])
        await simulator.deliveries.stop()
        await server.wait_closed()
