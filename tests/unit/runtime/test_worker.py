"""The worker's passes over fakes: what it starts, holds back, parks and gives back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from junctor.adapters.system import uptime
from junctor.errors import Uncertain
from junctor.language.connector import Request, Response
from junctor.ports.backlog import Claim
from junctor.ports.inbox import NewDelivery
from junctor.runtime import worker as worker_module
from junctor.runtime.disk import SAID, Disk
from junctor.runtime.envelope import pack_manual
from junctor.runtime.flight import Flight
from junctor.runtime.flights import Flights
from junctor.runtime.notices import Notices
from junctor.runtime.pace import Pace
from junctor.runtime.starting import POISON
from junctor.runtime.worker import RETAKEN, Worker
from tests.support import asynchronous
from tests.unit.runtime.drive_kit import LEASE, OK, ORGANIZATION, SCENARIO, Bench, placed, world

SEND = placed(2, "send", {"text": "{{1.n}}"})
BUSY = Response(429, {"retry-after": "60"}, b"")


class Unheard(Notices):
    """Nobody is told of anything."""

    def __init__(self) -> None:
        self.told: list[Flight] = []

    async def ended(self, flight: Flight) -> None:
        self.told.append(flight)

    async def caught_up(self, most: int = 0) -> None:
        """At once."""


class Unpaced(Pace):
    """As many runs may start as want to."""

    def __init__(self) -> None:
        """Without a database."""

    async def grant(self, wanted: Sequence[tuple[Claim, int]]) -> list[tuple[Claim, int]]:
        return list(wanted)

    def concerns(self, claim: Claim) -> bool:
        """None is limited."""
        del claim
        return False

    async def used(self, claim: Claim, count: int) -> None:
        """Nobody counts."""


class Hurried(Unpaced):
    """Somebody signals whenever the worker looks, so that it begins one and looks again."""

    worker: Worker

    async def grant(self, wanted: Sequence[tuple[Claim, int]]) -> list[tuple[Claim, int]]:
        self.worker._signalled = True
        return await super().grant(wanted)


class Minute(Pace):
    """Places of a minute for one scenario, counted here and not in a database."""

    worker: Worker

    def __init__(self, scenario_id: UUID, places: int) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # it asks no database
        self.scenario_id, self.places, self.left = scenario_id, places, places

    async def grant(self, wanted: Sequence[tuple[Claim, int]]) -> list[tuple[Claim, int]]:
        self.worker._signalled = True
        return await super().grant(wanted)

    async def _execute(self, name: str, parameters: Mapping[str, Any]) -> list[Any]:
        if name == "limits":
            return [(ORGANIZATION, self.scenario_id, self.places)]
        assert parameters["scenario"] == self.scenario_id
        if name == "give_back":
            self.left += parameters["unused"]
            return []
        granted = min(self.left, parameters["wanted"])
        self.left -= granted
        return [(granted, 60.0)]


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass is over after its first run, if somebody has signalled; and quick ones follow."""
    monkeypatch.setattr(worker_module, "LONGEST_PASS", 0.0)
    monkeypatch.setattr(worker_module, "QUICK", float("inf"))


def worker_on(bench: Bench, *, disk: Disk | None = None) -> Worker:
    """A worker whose parts are the bench's; its own, never started, know no database."""
    worker = Worker(
        "",
        name="me",
        find=world.modules.get,
        connector=lambda _: world,
        vault=bench.vault,
        blobs=bench.blobs,
        transport=bench.transport,
        disk=disk,
    )
    worker.backlog = worker.starter.backlog = bench.backlog  # type: ignore[assignment]  # as the port has it
    worker.committer, worker.driver = bench.committer, bench.driver
    worker.starter.committer, worker.starter.driver = bench.committer, bench.driver
    worker.starter.flights = Flights(bench.backlog, bench.vault, bench.blobs, worker._prepared)
    worker.starter.notices = Unheard()
    worker.pace = Unpaced()
    worker.plans._cache[ORGANIZATION, SCENARIO, 1] = (float("inf"), bench.prepared)
    return worker


async def accept(
    bench: Bench,
    *numbers: int,
    order_key: str = "",
    scenario: UUID = SCENARIO,
    organization: UUID = ORGANIZATION,
) -> None:
    await bench.inbox.accept(
        [
            NewDelivery(
                organization,
                UUID(int=number),
                scenario,
                order_key,
                None,
                pack_manual([{"n": str(number)}], version=0, actor="me"),
                None,
                None,
            )
            for number in numbers
        ]
    )


def planted(bench: Bench, worker: Worker, organization: UUID, scenario: UUID) -> None:
    """One more scenario, of the same version."""
    bench.store.plant(organization, scenario)
    worker.plans._cache[organization, scenario, 1] = (
        float("inf"),
        replace(bench.prepared, organization_id=organization, scenario_id=scenario),
    )


async def work(bench: Bench, worker: Worker) -> None:
    """Passes until there is nothing to do now."""
    bench.committer.start()
    for _ in range(20):
        started = await worker._pass()
        while worker.starter.tasks:
            await asyncio.wait(worker.starter.tasks)
        if not started and not worker._claims:
            break
    else:
        raise AssertionError("the worker finds no rest")
    await bench.committer.stop()


def sent(bench: Bench) -> list[str]:
    return [request.json["text"] for request in bench.transport.sent]


def states(bench: Bench) -> dict[int, str]:
    return {run.int: stored.row.state for (_, run), stored in bench.store.runs.items()}


def first(answer: Response | Exception, wanted: str) -> Callable[[Request], Response]:
    """A vendor that answers so to the first request that says ``wanted``."""
    left = [answer]

    def handler(request: Request) -> Response:
        if request.json["text"] == wanted and left:
            given = left.pop()
            if isinstance(given, Exception):
                raise given
            return given
        return OK

    return handler


@asynchronous
async def test_what_is_there_is_run_and_the_claim_given_back() -> None:
    bench = Bench(SEND, handler=lambda _: OK)
    await accept(bench, *range(1, 101))
    worker = worker_on(bench)
    await work(bench, worker)
    assert sorted(map(int, sent(bench))) == list(range(1, 101))
    assert set(states(bench).values()) == {"finished"}
    assert worker.runs == 100
    assert not bench.store.backlog
    assert not bench.store.inbox


@asynchronous
async def test_a_line_stands_behind_a_run_that_waits() -> None:
    bench = Bench(SEND, handler=first(BUSY, "1"))
    await accept(bench, 1, 2, 3, order_key="k:a")
    await accept(bench, 4, order_key="k:b")
    worker = worker_on(bench)
    await work(bench, worker)
    assert states(bench) == {1: "waiting", 4: "finished"}
    bench.time += 61
    await work(bench, worker)
    assert [text for text in sent(bench) if text != "4"] == ["1", "1", "2", "3"]
    assert set(states(bench).values()) == {"finished"}


@asynchronous
async def test_a_line_behind_an_uncertain_run_goes_on_when_that_is_given_up() -> None:
    bench = Bench(SEND, handler=first(Uncertain(), "1"))
    await accept(bench, 1, 2, order_key="k:a")
    worker = worker_on(bench)
    await work(bench, worker)
    assert states(bench) == {1: "uncertain"}
    bench.store.discard(ORGANIZATION, UUID(int=1))
    await work(bench, worker)
    assert states(bench) == {1: "discarded", 2: "finished"}
    assert sent(bench) == ["1", "2"]


@asynchronous
async def test_others_go_on_beside_a_run_that_waits() -> None:
    bench = Bench(SEND, handler=first(BUSY, "1"))
    await accept(bench, 1, 2)
    worker = worker_on(bench)
    await work(bench, worker)
    assert states(bench) == {1: "waiting", 2: "finished"}
    bench.time += 61
    await work(bench, worker)
    assert states(bench) == {1: "finished", 2: "finished"}


@asynchronous
async def test_after_a_crash_deliveries_are_run_in_order_and_the_poisonous_is_parked() -> None:
    bench = Bench(SEND, handler=lambda _: OK)
    await accept(bench, 1, 2, 3)
    await bench.claimed()
    bench.crash()
    bench.store.inbox[ORGANIZATION, UUID(int=2)].attempts = POISON
    worker = worker_on(bench)
    await work(bench, worker)
    assert sent(bench) == ["1", "3"]
    assert states(bench) == {1: "finished", 2: "incomplete", 3: "finished"}
    parked = bench.store.inbox[ORGANIZATION, UUID(int=2)]
    assert parked.parked
    error = json.loads(bench.store.runs[ORGANIZATION, UUID(int=2)].row.error or "")
    assert "stopped its worker three times" in error["message"]
    bench.store.resume(ORGANIZATION, UUID(int=2))
    await work(bench, worker)
    assert sent(bench) == ["1", "3", "2"]
    assert bench.store.inbox == {}


@asynchronous
async def test_whose_lease_was_over_before_sending_repeats_nothing_that_was_done() -> None:
    """The database was away for a while: nobody else could take the claim, and it is renewed."""

    def handler(request: Request) -> Response:
        bench.held = request.json["text"] != "a"
        return OK

    async def renewed(seconds: float) -> None:
        bench.held = True
        bench.time += seconds

    flow = placed(2, "send", {"text": "a"}), placed(3, "send", {"text": "b"})
    bench = Bench(*flow, handler=handler)
    bench.driver._sleep = renewed
    await accept(bench, 1)
    await work(bench, worker_on(bench))
    assert states(bench) == {1: "finished"}
    assert sent(bench) == ["a", "b"]


@asynchronous
async def test_what_was_under_way_at_two_crashes_is_one_by_one_though_more_is_taken() -> None:
    together: list[int] = []
    at_it = 0

    async def handler(_request: Request) -> Response:
        nonlocal at_it
        at_it += 1
        together.append(at_it)
        await asyncio.sleep(0)
        await worker._pass()  # there is room for another
        at_it -= 1
        return OK

    bench = Bench(SEND, handler=handler)
    await accept(bench, *range(1, RETAKEN + 9))
    await bench.claimed()
    bench.crash()
    for delivery in bench.store.inbox.values():
        delivery.attempts = 1
    worker = worker_on(bench)
    await work(bench, worker)
    assert states(bench) == dict.fromkeys(range(1, RETAKEN + 9), "finished")
    assert max(together) == 1


@asynchronous
async def test_a_worker_does_not_take_over_from_itself_when_the_database_was_away() -> None:
    """Its leases are over, and it is there before its heartbeat has renewed them."""
    asked = asyncio.Event()
    answered = asyncio.Event()

    async def handler(_request: Request) -> Response:
        asked.set()
        await answered.wait()
        return OK

    bench = Bench(SEND, handler=handler)
    await accept(bench, 1)
    worker = worker_on(bench)
    bench.committer.start()
    await worker._pass()
    await asked.wait()
    bench.time += LEASE + 1
    worker._heartbeat._renewed_at = uptime() - LEASE - 1
    await worker._pass()
    fences = [claim.fence for claim in worker._heartbeat.claims]
    bench.store.renew("me", fences, LEASE)
    worker._heartbeat._renewed_at = uptime()
    answered.set()
    await work(bench, worker)
    assert states(bench) == {1: "finished"}
    assert sent(bench) == ["1"]


@pytest.mark.usefixtures("hurry")
@asynchronous
async def test_on_a_full_disk_nothing_is_begun_of_what_a_pass_had_taken() -> None:
    bench, now = Bench(SEND, handler=lambda _: OK), [1000.0]
    await accept(bench, 1, 2, 3, 4)
    disk = Disk({}, clock=lambda: now[0])
    worker = worker_on(bench, disk=disk)
    worker.pace = Hurried()
    worker.pace.worker = worker
    bench.committer.start()
    assert await worker._pass() == 1
    (claim,) = worker._claims
    assert claim in worker._rest, "three are taken and not begun"

    disk.said_full()
    for _ in range(3):
        assert await worker._pass() == 0
    while worker.starter.tasks:  # what is under way ends
        await asyncio.wait(worker.starter.tasks)
    assert await worker._pass() == 0
    assert (sent(bench), states(bench)) == (["1"], {1: "finished"})
    assert sorted(run.int for _, run in bench.store.inbox) == [2, 3, 4]

    now[0] += SAID + 1
    await bench.committer.stop()
    await work(bench, worker)
    assert sorted(sent(bench)) == ["1", "2", "3", "4"]
    assert not bench.store.inbox


@pytest.mark.usefixtures("hurry")
@asynchronous
async def test_starts_that_a_pass_has_no_use_for_go_back_when_it_ends() -> None:
    """Of a scenario with a pace that it did not even come to: its minute is others', too."""
    bench, paced = Bench(SEND, handler=lambda _: OK), UUID(int=77)
    bench.store.plant(ORGANIZATION, paced)
    await accept(bench, 1, 2)
    await accept(bench, 11, 12, 13, scenario=paced)
    worker = worker_on(bench)
    prepared = replace(bench.prepared, scenario_id=paced)
    worker.plans._cache[ORGANIZATION, paced, 1] = (float("inf"), prepared)
    minute = worker.pace = Minute(paced, 10)
    minute.worker = worker
    bench.committer.start()
    assert await worker._pass() == 1
    assert {claim.scenario_id for claim in worker._rest._kept} == {SCENARIO, paced}
    assert minute.left == 7, "three of ten will be begun"
    await bench.committer.stop()
    await work(bench, worker)
    assert sorted(map(int, sent(bench))) == [1, 2, 11, 12, 13]
    assert minute.left == 7


@asynchronous
async def test_an_orderly_stop_is_not_counted_as_a_crash_of_what_was_under_way() -> None:
    """Or a run of an hour would be set aside after four upgrades in it."""
    asked = asyncio.Event()

    async def handler(_request: Request) -> Response:
        asked.set()
        await asyncio.Event().wait()
        return OK

    bench = Bench(SEND, handler=handler)
    await accept(bench, 1)
    bench.store.inbox[ORGANIZATION, UUID(int=1)].attempts = POISON - 1
    await bench.claimed()
    bench.crash()
    worker = worker_on(bench)
    worker._grace = 0.01
    bench.committer.start()
    await worker._pass()
    await asked.wait()
    delivery = bench.store.inbox[ORGANIZATION, UUID(int=1)]
    assert delivery.attempts == POISON
    await worker._drain()
    assert delivery.attempts == POISON - 1
    for task in worker.starter.tasks:
        task.cancel()
    await asyncio.gather(*worker.starter.tasks, return_exceptions=True)
    await bench.committer.stop()


@asynchronous
async def test_lines_that_stand_keep_nobody_from_what_a_dead_worker_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hundred deliveries in order hold the place of the one that is under way."""
    monkeypatch.setattr(worker_module, "MOST_RUNS", 20)
    asked = asyncio.Event()
    go_on = asyncio.Event()

    async def handler(request: Request) -> Response:
        if request.json["text"] == "99":
            asked.set()
        await go_on.wait()
        return OK

    bench, dead = Bench(SEND, handler=handler), UUID(int=77)
    bench.store.plant(ORGANIZATION, dead)
    for key in "abc":
        await accept(bench, *(ord(key) * 1000 + n for n in range(16)), order_key=f"k:{key}")
    worker = worker_on(bench)
    worker.plans._cache[ORGANIZATION, dead, 1] = (
        float("inf"), replace(bench.prepared, scenario_id=dead),
    )  # fmt: skip
    bench.committer.start()
    await worker._pass()
    assert worker.active == 48
    await accept(bench, 99, scenario=dead)
    await worker._pass()
    await asked.wait()
    assert sum(claim.queued for claim in worker._claims) == worker.active - len(sent(bench))
    go_on.set()
    await bench.committer.stop()
    await work(bench, worker)
    assert not bench.store.inbox
    assert not any(claim.queued for claim in worker._claims)


@asynchronous
@pytest.mark.usefixtures("hurry")
async def test_a_quick_pass_leaves_the_rest_and_finds_who_has_signalled() -> None:
    bench = Bench(SEND, handler=lambda _: OK)
    worker = worker_on(bench)
    bench.committer.start()
    planted(bench, worker, other := UUID(int=77), other)
    await accept(bench, *range(1, 11))
    begin = worker.starter.begin

    async def signalled(*of: Any, **how: Any) -> None:
        await begin(*of, **how)
        worker._signalled = worker._woken = True

    worker.starter.begin = signalled  # type: ignore[method-assign]  # somebody signals meanwhile
    assert await worker._pass() == 1
    await accept(bench, 21, scenario=other, organization=other)
    await accept(bench, 11, order_key="k:a")
    assert await worker._pass() == 1
    (claim,) = {claim for claim in worker._claims if claim not in worker._rest}
    assert claim.scenario_id == other  # and no more of the scenario that has some left
    for claim in worker._claims:
        claim.stale = True  # somebody else has it now
    worker._wake.clear()
    assert await worker._pass() == 0
    assert worker._wake.is_set()  # or who has more would wait for the next second
    assert await worker._pass() == 1
    assert "k:a" in {claim.order_key for claim in worker._claims if claim.busy}
    await asyncio.gather(*worker.starter.tasks)
    await bench.committer.stop()
