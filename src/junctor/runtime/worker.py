"""The worker: claims slices of backlogs, runs their deliveries, gives them back.

One loop owns all claims of the process. A pass: claim what is ready, take deliveries for all claims
that have room, start them, release what is done. Between passes it waits for a signal (a hint; it
looks once a second anyway), and under load it gathers a few milliseconds, so that groups grow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from junctor.adapters.mail import MailServers
from junctor.adapters.postgres.database import connect
from junctor.adapters.postgres.hot import Line, PostgresBacklog, PostgresLedger
from junctor.errors import Fault, JunctorError
from junctor.language.connector import Connector, ModuleDef
from junctor.ports.backlog import Claim, Taken
from junctor.ports.blobs import Blobs
from junctor.ports.transport import Transport
from junctor.ports.vault import Vault
from junctor.runtime.accounts import Accounts
from junctor.runtime.committer import Committer
from junctor.runtime.complaints import Complaint
from junctor.runtime.disk import Disk
from junctor.runtime.drive import SLICE, Driver
from junctor.runtime.flights import Flights
from junctor.runtime.heartbeat import Heartbeat
from junctor.runtime.hints import hinted
from junctor.runtime.notices import Notices
from junctor.runtime.pace import Pace
from junctor.runtime.plans import Plans, Prepared
from junctor.runtime.services import Services, Tools
from junctor.runtime.shares import Looks, Places, Rest, full, spread
from junctor.runtime.starting import SLICE_RUNS, Starter
from junctor.runtime.stops import Stops
from junctor.runtime.waiting import Waiting

__all__ = ["LEASE", "Worker"]

log = structlog.get_logger(__name__)

LEASE = 10.0
"""Seconds until a silent worker's claims are taken over."""
GATHER = 0.002
"""Seconds between passes under load."""
RETAKEN = 64
"""Runs of one claim in flight, as long as its last owner, who crashed, may have begun them."""
MOST_CLAIMS = 64
TAKEN_OVER = 4
"""So many times as many in the pass after one that found something of the dead: they left more."""
MOST_RUNS = 704
"""Runs in flight in one process; one scenario alone gets 528 of them."""
MOST_WAITING = 2048
"""Runs that wait for runs they called, besides."""
MOST_UNCOUNTED = 2000
"""Ends of runs that are not counted yet: where all fail, failing must not outrun its being told."""
PURE_RUNS = 500
"""Runs of one claim in flight if they have no effects to wait for; `SLICE_RUNS` if they have."""
LONGEST_PASS = 0.1
"""Seconds for which runs are started before somebody who has signalled is looked for all the same,
though looking has taken much of the time."""
QUICK = 0.1
"""Seconds for which a pass that was cut short is followed by quick ones: they look for those who
have signalled, and neither give back nor read what is known to have more.
"""
KEPT = 8
"""Claims with nothing left that they look at once more, too, rather than give them back."""
HASTE = 0.5
"""Seconds since a pass was cut short for which full ones are smaller: whoever signals during one
waits for all of it.
"""
SMALLER = 3
"""So many times, in deliveries."""
FEWER = 2
"""And in claims: each pass costs them all something, however few there are."""
MOST_PAUSES = 20
"""Milliseconds a long run holds still at a time while others are being started."""


class Worker:
    """Runs scenarios until told to stop. ``name`` must be this process's own; ``public_url`` is how
    the world reaches our servers.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        find: Callable[[str], ModuleDef | None],
        connector: Callable[[str], Connector | None],
        vault: Vault,
        blobs: Blobs,
        transport: Transport,
        mail: MailServers | None = None,
        public_url: str = "",
        lease: float = LEASE,
        grace: float = 5.0,
        disk: Disk | None = None,
    ) -> None:
        self.name = name
        self._url = url
        self._grace = grace
        self._disk = disk
        # What a pass needs is read on a line of its own, not behind whatever runs read.
        self._work = Line(url, patience=float("inf"))
        self._writes = Line(url, patience=float("inf"))
        self._reads = Line(url, patience=float("inf"))
        self.backlog = PostgresBacklog(self._work, owner=name, lease=lease)
        self.committer = Committer(PostgresLedger(self._writes), blobs)
        self.plans = Plans(self._work, find)
        self.pace = Pace(self._work)
        self._accounts = accounts = Accounts(
            self._reads, vault=vault, transport=transport, connector=connector
        )
        services = Services(
            Tools(
                line=self._reads,
                transport=transport,
                mail=mail or MailServers(),
                blobs=blobs,
                public_url=public_url,
            )
        )
        self._ends = services.tools.ends
        self._waiting = Waiting(self._reads, vault=vault, blobs=blobs, connector=connector)
        self._stops = Stops(self._work)
        self._heartbeat = Heartbeat(url, name=name, role="worker", lease=lease)
        self.driver = Driver(
            self.committer, accounts, transport, connector, services,
            waiting=self._waiting, stops=self._stops, holds=self._heartbeat.holds,
            breathe=self._breathe,
        )  # fmt: skip
        self._wake = asyncio.Event()
        self._ends.told = self._wake.set
        self._claims: set[Claim] = set()
        self._rest = Rest()
        self._woken = self._signalled = False
        self._starting = self._taking_over = False
        self._looks = Looks()
        self._full_at = self._cut_at = 0.0
        self.starter = Starter(
            self.backlog,
            Flights(self.backlog, vault, blobs, self._prepared),
            self.driver,
            self.committer,
            prepare=self._prepared,
            notices=Notices(self._work),
            lost=self._lost,
            wake=self._wake.set,
            offer=self._waiting.offer,
        )

    @property
    def runs(self) -> int:
        """Runs that ended here."""
        return self.starter.ended

    @property
    def active(self) -> int:
        """Runs in flight."""
        return sum(len(claim.busy) for claim in self._claims)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop``; then finishes what is quickly finished and gives claims back."""
        self.committer.start()
        self._heartbeat.start()
        listening = asyncio.create_task(self._listen(), name="listen")
        stops = asyncio.create_task(self._stops.watch(), name="stops")
        stopping = asyncio.create_task(self._stopping(stop), name="stopping")
        working = asyncio.create_task(self._loop(stop), name="working")
        watching = asyncio.create_task(self._waiting.watch(stop), name="watching")
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
            # A pass ends soon, but for a database that is away; that must not keep us from ending.
            async with asyncio.timeout(self._grace):
                await working
            await self._drain()
        except TimeoutError:
            log.warning("stopped_without_database")
        finally:
            tasks = (
                working, listening, stopping, watching, stops, *self.starter.tasks
            )  # fmt: skip
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.committer.stop(self._grace)
            await asyncio.to_thread(self._heartbeat.stop)
            await self._accounts.close()
            for line in (self._work, self._writes, self._reads):
                await line.close()

    async def _loop(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._heartbeat.alive()
            self._heartbeat.details["active"] = self.active
            self._woken, woken = self._woken or self._wake.is_set(), self._wake
            woken.clear()
            self._starting = True
            started = await self._pass()
            self._starting = self._woken = False
            if started:
                await asyncio.sleep(0 if self._rest and self._signalled else GATHER)
                continue
            self._woken = not await hinted(woken, 1.0)

    async def _breathe(self) -> None:
        """A long run's pause: others get a turn, and new ones as long as it takes to start them."""
        await asyncio.sleep(0)
        for _ in range(MOST_PAUSES):
            if not (self._starting or self._wake.is_set()):
                break
            await asyncio.sleep(0.001)

    async def _stopping(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _drain(self) -> None:
        """Lets runs in flight end for a moment. A claim with runs left is not given back: its lease
        runs out, and the next owner reads the journals before it does anything. That it will count
        a try of them, as after a crash, is made good for here: stopping us is no fault of theirs.
        """
        until = time.monotonic() + self._grace
        while self.active and time.monotonic() < until:  # in tasks, or in the group commit
            self._heartbeat.alive()
            self._wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 0.1)
        self._rest.drop()
        async with asyncio.timeout(self._grace):
            await self.starter.notices.caught_up()
            await self.backlog.release([claim for claim in self._claims if not claim.busy])
            left = [claim for claim in self._claims if claim.busy]
            if left:
                begun = [(claim, run) for claim in left for run in claim.busy]
                await self.backlog.attempt(begun, by=-1)
            for each in left:
                await self.backlog.tried(each, list(each.busy), by=-1)
        self._claims.clear()

    async def _listen(self) -> None:
        """Wakes the loop when something is signalled."""
        deaf = Complaint(log.warning, "not_listening")
        while True:
            try:
                connection = await connect(self._url, "engine")
                async with connection:
                    await connection.execute("listen junctor_wake; listen junctor_stop")
                    self._wake.set()
                    async for notice in connection.notifies():
                        if notice.channel == "junctor_stop":
                            self._stops.hint()
                        else:
                            self._signalled = True
                            self._wake.set()
            except Exception as error:  # whatever it is: hear again
                deaf(str(error))
                await asyncio.sleep(0.2)

    async def _pass(self) -> int:
        """One round; returns how many runs it started."""
        begun = time.perf_counter()
        await self.starter.notices.caught_up(MOST_UNCOUNTED)
        quick = bool(self._rest) and begun - self._full_at < QUICK
        hasty = begun - self._cut_at < HASTE
        if not quick:
            self._full_at = begun
        await self._release(quick)
        idle = [c for c in self._claims if not c.busy and c not in self._rest]
        # A line stands still until it is read; of others, something is under way, or left to begin.
        kept = [claim for claim in idle if not (quick and claim.more) or claim.in_line]
        # Runs that only wait for runs they called must not keep those from being claimed; nor those
        # that stand in a line behind others what a dead worker has left.
        active = self.active
        queued = sum(claim.queued for claim in self._claims)
        free = MOST_RUNS - (active - self._ends.waiting - queued)
        room = min(free, MOST_RUNS + MOST_WAITING - active)
        fresh: list[Claim] = []
        self._signalled = False
        no_room = self._disk is not None and self._disk.full
        if no_room:  # what is under way may end; nothing is begun
            self._rest.drop()
        elif room > 0 and self._heartbeat.steady():
            crowd = full(self._claims, room, MOST_RUNS, self._ends.among)
            if quick:
                crowd += self._rest.scenarios
            most = MOST_CLAIMS * (TAKEN_OVER if self._taking_over else 1)
            most //= FEWER if hasty else 1
            fresh = await self.backlog.claim(most, most, crowd)
            self._taking_over = any(claim.cautious_until is not None for claim in fresh)
        self._claims.update(fresh)
        self._renewed()
        wanted: list[tuple[Claim, int]] = []
        going = [
            claim
            for claim in self._claims
            if claim.busy and claim not in self._rest and (not quick if claim.more else self._woken)
        ]
        for claim in [*kept, *fresh, *going]:
            limit = await self._limit(claim)
            if limit > 0 and not claim.stale and not no_room:
                wanted.append((claim, limit))
        started = 0
        places = Places(self._claims, free, MOST_WAITING - queued, self._ends.among)
        for claim in fresh:
            if claim.due:
                started += await self.starter.resume_due(claim, places)
        wanted = [
            (claim, limit)
            for claim, limit in wanted
            if claim.blocked_by_run is None and not (claim.in_line and claim.busy)
        ]
        wanted = await self.pace.grant(
            places.fitting(spread(wanted, PURE_RUNS, SMALLER if hasty else 1))
        )
        given = []
        if wanted:
            busy = [run for claim, _ in wanted for run in claim.busy]
            given = await self.backlog.take(wanted, busy)
        for claim, _ in given:
            if claim.due and claim not in fresh and not claim.in_line:
                # One that is always busy is never given back, and would never be looked at.
                started += await self.starter.resume_due(claim, places)
        if quick:
            self._looks.spent(time.perf_counter() - begun)
        started += await self._begin(given)
        if quick and not started:  # whatever it did not look at may be there still
            self._full_at = 0.0
            self._wake.set()
        return started

    async def _begin(self, given: list[tuple[Claim, list[Taken]]]) -> int:
        """Begins what was taken, now and before; how many. If somebody signals meanwhile, the rest
        is left to the next pass.
        """
        started = 0
        begun = paused = time.perf_counter()
        ordered = self._rest.with_fresh(given)

        def late(claim: Claim) -> bool:
            if not (started and self._signalled) or self.pace.concerns(claim):
                return False
            lasted = time.perf_counter() - begun
            if lasted > LONGEST_PASS:
                return True
            return lasted > self._rest.patience(claim) and self._looks.affordable()

        async def cut(place: int, number: int = 0) -> int:
            self._cut_at = time.perf_counter()
            (claim, taken), *rest = ordered[place:]
            for other, left in rest:  # what it was granted beyond these goes back now
                await self.pace.used(other, len(left))
            self._rest.keep([(claim, taken[number:]), *rest])
            return started

        for place, (claim, taken) in enumerate(ordered):
            prepared = await self._prepared(claim)
            if late(claim):
                return await cut(place)
            if claim.in_line or isinstance(prepared, JunctorError):
                self._rest.begun(claim)
                await self.pace.used(claim, len(taken))
                started += self.starter.start_line(claim, taken)
                await asyncio.sleep(0)  # or those of many claims would begin at a stretch
                continue
            if self._through(claim, taken):
                claim.cautious_until = None
            if claim.cautious_until is not None:
                self._rest.begun(claim)
                await self.pace.used(claim, len(taken))
                try:
                    started += await self.starter.retake(claim, prepared, taken)
                except Exception as error:
                    self.starter.give_up(claim, error)
                continue
            for number, delivery in enumerate(taken):
                if claim.lost:
                    break
                if late(claim):
                    return await cut(place, number)
                await self.starter.begin(claim, prepared, delivery)
                started += 1
                if time.perf_counter() - paused > SLICE:
                    await asyncio.sleep(0)
                    paused = time.perf_counter()
            self._rest.begun(claim)
            await self.pace.used(claim, len(taken))
        return started

    @staticmethod
    def _through(claim: Claim, taken: list[Taken]) -> bool:
        """Whether all that the last owner may have begun has ended."""
        until = claim.cautious_until
        if until is None or not taken or taken[0].id <= until:
            return False
        return all(run > until for run in claim.busy)

    async def _limit(self, claim: Claim) -> int:
        """How many more deliveries a claim may have in flight."""
        prepared = await self._prepared(claim)
        if isinstance(prepared, JunctorError) or claim.in_line:
            return 0 if claim.busy else 16
        busy = len(claim.busy) - self._ends.among(claim.busy)
        if claim.cautious_until is not None:
            return RETAKEN - busy
        return (PURE_RUNS if prepared.pure else SLICE_RUNS) - busy

    async def _prepared(self, claim: Claim, version: int = 0) -> Prepared | JunctorError:
        """The version to run, or why it can't be."""
        number = version or claim.published or claim.draft
        try:
            prepared = await self.plans.get(claim.organization_id, claim.scenario_id, number)
        except JunctorError as error:
            return error
        except Exception as error:  # a version that nothing can be made of stops its own runs only
            log.exception("version_unusable", scenario=str(claim.scenario_id), version=number)
            return Fault(reason=f"version {number} can't be used: {type(error).__name__}: {error}")
        if not version:
            claim.in_order = prepared.in_order
            claim.alone = prepared.plan.head is not None and prepared.plan.head.polls
            claim.pure = prepared.pure
        return prepared

    async def _release(self, quick: bool) -> None:
        free = (claim for claim in self._claims if not (claim.busy or claim.paced))
        done = [c for c in free if not c.looking_through and c not in self._rest]
        if quick:
            done = [claim for claim in done if not claim.more]
            if len(done) <= KEPT:
                return
        self._claims.difference_update(done)
        await self.backlog.release(done)
        self._renewed()

    def _renewed(self) -> None:
        """Tells the heartbeat what to keep."""
        self._heartbeat.claims = tuple(self._claims)

    def _lost(self, claim: Claim) -> None:
        self._claims.discard(claim)
        self._renewed()
