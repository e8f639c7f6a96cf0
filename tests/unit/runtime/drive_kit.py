"""A driver over fakes: a small connector, a clock that only waits move, a store to look into."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC
from typing import Annotated, Any
from uuid import UUID

from junctor.adapters.postgres.hot import Line
from junctor.engine.journal import Journal, Tag, decode_segment
from junctor.engine.plan import compile_plan
from junctor.language.calls import refusal
from junctor.language.connector import Answer, Bundle, Connector, Field, Flow, Request, Response
from junctor.language.scenario import Module, Scenario, Settings
from junctor.ports.backlog import Claim
from junctor.ports.inbox import NewDelivery
from junctor.ports.transport import Transport
from junctor.ports.vault import Keyring
from junctor.runtime.accounts import Accounts
from junctor.runtime.committer import Committer
from junctor.runtime.drive import Driver
from junctor.runtime.envelope import pack_manual
from junctor.runtime.flight import Flight, segment_aad
from junctor.runtime.flights import Flights
from junctor.runtime.plans import Prepared
from junctor.runtime.services import Services, Tools
from junctor.testing.blobs import FakeBlobs
from junctor.testing.hot import MemoryBacklog, MemoryInbox, MemoryLedger, MemoryStore
from junctor.testing.transport import FakeTransport
from junctor.testing.vault import FakeVault

ORGANIZATION, SCENARIO, RUN = UUID(int=1), UUID(int=2), UUID(int=3)
LEASE = 10.0
OK = Response(200, {}, b'{"ok": true}')
FOUND = Response(200, {}, b'[{"found": 1}]')

Text = Annotated[str, Field(label="Text")]
Handler = Callable[[Request], Response | Awaitable[Response]]

world = Connector(name="world", label="World")


def _unused(**_arguments: Any) -> Any:
    raise AssertionError("a trigger that is started by hand is not called")


world.module("Starts", kind="trigger", name="start")(_unused)


@world.action("Sends", effect="once")
def send(text: Text = "") -> Request:
    return Request("POST", "https://vendor.test/send", json={"text": text})


@world.action("Sends twice", effect="once")
def twice() -> Flow:
    yield Request("POST", "https://vendor.test/first")
    answer = yield Request("POST", "https://vendor.test/second")
    return answer.json()


@world.action("Puts", effect="idempotent")
def put(text: Text = "") -> Request:
    return Request("PUT", "https://vendor.test/put", json={"text": text})


@world.action("Looks at answers itself", effect="once")
def look() -> Flow:
    answer = yield Request("POST", "https://vendor.test/look", raises=False)
    refused = refusal(answer, "once")
    if refused is not None:
        raise refused
    return {}


@world.search("Finds")
def find() -> Request:
    return Request("GET", "https://vendor.test/find")


@world.action("Has a bug", effect="once")
def bug() -> Request:
    raise KeyError("missing")


@world.module("Iterates", kind="iterator")
def each(_parameters: Mapping[str, Any], mapper: Any) -> Iterator[Bundle]:
    for item in mapper["array"]:
        yield {"value": item}


for _name in ("ignore", "break", "commit", "rollback"):
    world.module(_name, kind="directive", name=_name)(lambda: None)


@world.module("Sleeps", kind="sleep")
def pause(_parameters: Mapping[str, Any], _mapper: Any) -> float:
    return 60.0


@world.module("Answers", kind="responder")
def answer(body: Text) -> Answer:
    return Answer(status=201, body=body.encode())


def placed(id_: int, name: str, mapper: Any = None, **rest: Any) -> Module:
    """A placed module of this connector."""
    return Module(id=id_, module=f"world:{name}", mapper=mapper, path=f"flow[{id_}]", **rest)


class Bench:
    """One delivery of a scenario: trigger, then ``flow``. ``handler`` is the vendor."""

    def __init__(
        self,
        *flow: Module,
        handler: Handler,
        order_key: str = "",
        trigger: str = "start",
        settings: Settings = Settings(),  # noqa: B008  # frozen
        connectors: Mapping[str, Connector] | None = None,
        transport: Transport | None = None,
        accounts: Callable[[Transport], Accounts] | None = None,
        bindings: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """``connectors``: others besides `world`, whose modules go through ``transport``, if it is
        given, with the connections of ``accounts`` that ``bindings`` names.
        """
        self.connectors = {"world": world, **(connectors or {})}
        self.time = 1_800_000_000.0
        self.held = True
        """Whether its leases have not run out."""
        self.slept: list[float] = []
        self.store = MemoryStore(clock=lambda: self.time)
        self.store.plant(ORGANIZATION, SCENARIO)
        self.inbox = MemoryInbox(self.store)
        self.backlog = MemoryBacklog(self.store, owner="me", lease=LEASE)
        self.blobs, self.vault = FakeBlobs(), FakeVault()
        self.committer = Committer(MemoryLedger(self.store), self.blobs)
        self.transport = FakeTransport(handler)
        through = transport or self.transport
        line = Line("", patience=0)
        self.services = Services(Tools(line=line, transport=through, blobs=self.blobs))
        self.driver = Driver(
            self.committer,
            accounts(through)
            if accounts is not None
            else Accounts(
                Line("", patience=0),  # never used: the connector has no connections
                vault=self.vault,
                transport=through,
                connector=self.connectors.get,
            ),
            through,
            self.connectors.get,
            self.services,
            holds=lambda _: self.held,
            clock=lambda: self.time,
            sleep=self._sleep,
        )
        scenario = Scenario(name="test", flow=(placed(1, trigger), *flow), settings=settings)
        self.prepared = Prepared(
            organization_id=ORGANIZATION,
            scenario_id=SCENARIO,
            version=1,
            name="test",
            plan=compile_plan(scenario, self._find, version=1),
            zone=UTC,
            locale="en",
            country="",
            organization_name="o",
            bindings=bindings or {},
        )
        self.flights = Flights(self.backlog, self.vault, self.blobs, self._prepare)
        self.order_key = order_key
        self.keyring: Keyring | None = None

    def _find(self, id_: str) -> Any:
        connector, _, name = id_.partition(":")
        return self.connectors[connector].modules.get(name)

    def serve(self, **services: Any) -> None:
        """Has what is asked for done by these functions, by the asks' names."""
        self.services.add(services)

    async def accepted(self, *, ask: Mapping[str, Any] | None = None, **bundle: Any) -> Claim:
        """Stores the delivery and claims it; with ``ask``, options, the trigger is to be asked."""
        self.keyring = await self.vault.keyring(ORGANIZATION)
        given = [bundle] if ask is None else None
        payload = pack_manual(given, version=0, actor="me", options=ask)
        delivery = NewDelivery(
            ORGANIZATION, RUN, SCENARIO, self.order_key, None, payload, None, "server"
        )
        await self.inbox.accept([delivery])
        return await self.claimed()

    async def claimed(self) -> Claim:
        (claim,) = await self.backlog.claim(1, 1)
        return claim

    async def flight(self, claim: Claim, *, read_back: bool = False) -> Flight:
        ((_, (taken,)),) = await self.backlog.take([(claim, 2)], [])
        return await self.flights.of_delivery(claim, self.prepared, taken, read_back=read_back)

    async def resumed(self, claim: Claim) -> Flight:
        """The run that waited, from its journal."""
        (run,) = await self.backlog.due(claim, 1)
        flight = await self.flights.bare(claim, run.id, None)
        flight.prepared, flight.parks, flight.visible = self.prepared, False, True
        recording = await self.flights.read_back(flight)
        flight.journal = Journal()
        self.flights.load(flight, recording, [])
        return flight

    async def drive(self, flight: Flight) -> Flight:
        """To the end, or to a long wait; what is queued is committed."""
        self.committer.start()
        try:
            await self.driver.drive(flight, self.driver.advance(flight))
        finally:
            await self.committer.stop()
        return flight

    async def run(self, **bundle: Any) -> Flight:
        return await self.drive(await self.flight(await self.accepted(**bundle)))

    def crash(self) -> None:
        """The owner is not heard of any more."""
        self.time += LEASE + 1

    def records(self, tag: Tag, module: int | None = None) -> list[list[Any]]:
        """What is durable of the run's journal."""
        keyring = self.keyring
        assert keyring is not None
        kept = sorted(self.store.segments[ORGANIZATION, RUN].items())
        opened = [keyring.open(row.data, segment_aad(ORGANIZATION, RUN, seq)) for seq, row in kept]
        blobs = {name: content for (_, _, name), content in self.blobs.stored.items()}
        found = itertools.chain.from_iterable(decode_segment(data, blobs) for data in opened)
        return [record for record in found if record[0] == tag and module in {None, record[2]}]

    @property
    def row(self) -> Any:
        """The run's row."""
        return self.store.runs[ORGANIZATION, RUN].row

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    async def _prepare(self, _claim: Claim, _version: int) -> Prepared:
        return self.prepared
