"""Keeps to what vendors permit: every request with an account waits here for its turn.

The arithmetic is `language.budgets`; this leases shares of the budgets' rows, hands them to waiting
requests, and reports what was used. A request of an account without budgets passes at once. While
the database does not answer, what is leased is used, and then requests wait: nothing is overspent.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import structlog

from junctor.errors import NotSent, RateLimited, Retry
from junctor.language.budgets import (
    LONGEST_LEASE,
    PACED,
    SHARE,
    Budget,
    Grant,
    Observation,
    Report,
)
from junctor.language.connector import Request, Response
from junctor.ports.budgets import BudgetKey, Budgets
from junctor.runtime.outcomes import retry_after

if TYPE_CHECKING:
    from junctor.runtime.accounts import Account

__all__ = ["STAYS", "Governor"]

T = TypeVar("T")

log = structlog.get_logger(__name__)

STAYS = 30.0
"""Seconds that a request waits for its turn here; a longer wait is the run's, in the database."""
ALIVE = 30.0
"""Seconds between reports of a process whose requests are still under way."""
_AGAIN = 0.5
"""Seconds until the database is asked again after it failed."""
_MOST_RUNS = 500
"""How many runs' use is remembered for telling bulk from ordinary; half of it is always recent."""

ORDINARY, BULK = 0, 1


class Governor:
    """All budgets that this process spends. ``clock``: seconds that never go back."""

    def __init__(self, store: Budgets, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._gates: dict[BudgetKey, Gate] = {}

    @property
    def exchanges(self) -> int:
        """How often the rows were changed, by the budgets in use."""
        return sum(gate.exchanges for gate in self._gates.values())

    async def through(
        self,
        account: Account,
        target: Request,
        run_id: UUID | None,
        send: Callable[[], Awaitable[tuple[Response, T]]],
    ) -> tuple[Response, T]:
        """Has ``target`` sent by ``send`` when it is its turn, and learns from the answer.

        `RateLimited` with ``retry_after`` if the turn is more than `STAYS` seconds away.
        """
        if not account.definition.budgets:
            return await send()
        turns: list[tuple[Gate, int]] = []
        used = True
        response: Response | None = None
        try:
            for gate in self._of(account, target):
                kind = gate.kind(run_id)
                used = False
                await gate.take(kind)
                turns.append((gate, kind))
            used = True
            sent = await send()
            response = sent[0]
        except NotSent:
            used = False
            raise
        else:
            return sent
        finally:
            for gate, kind in turns:
                gate.done(kind, used=used)
            if response is not None and turns:
                _learn(account, response, [gate for gate, _ in turns])

    async def budgets_of(self, account: Account) -> list[dict[str, Any]]:
        """What is known of a connection's budgets, for people to look at: name, limit and window,
        ``spent`` and ``leased`` units of it, what ``others`` spent, and how many were ``refused``.
        """
        shown = []
        for budget in _budgets(account):
            key = self._key(account, budget, Request("POST", "/"))
            if key is None:
                continue
            bucket, now = await self._store.look(key, budget)
            leased = int(sum(row[1] + row[2] for row in bucket.leases.values()))
            shown.append(
                {
                    "name": budget.name,
                    "limit": bucket.limit,
                    "window_seconds": bucket.window,
                    "spent": sum(bucket.taken(now)) - leased,
                    "leased": leased,
                    "others": bucket.others_at(now),
                    "refused": bucket.refused,
                    "paused_seconds": max(0.0, round(bucket.paused_until - now, 3)) if now else 0.0,
                }
            )
        return shown

    async def close(self) -> None:
        """Gives back what was leased and not used."""
        for gate in self._gates.values():
            await gate.close()
        self._gates.clear()

    def _of(self, account: Account, target: Request) -> Iterator[Gate]:
        """The gates that a request passes; that of the longest window first, which seldom waits."""
        for budget in sorted(_budgets(account), key=lambda each: -each.window):
            key = self._key(account, budget, target)
            if key is None:
                continue
            gate = self._gates.get(key)
            if gate is None or gate.budget != budget:
                gate = self._gates[key] = Gate(self._store, key, budget, self._clock)
            yield gate

    @staticmethod
    def _key(account: Account, budget: Budget, target: Request) -> BudgetKey | None:
        if account.organization_id is None or account.connection_id is None:
            return None  # not saved: one request that tests it
        key = budget.key(account.form, target)
        if key is None:
            return None
        return BudgetKey(
            account.organization_id,
            account.connector.name,
            budget.name,
            key or str(account.connection_id),
        )


def _budgets(account: Account) -> list[Budget]:
    """Those of its kind of connection, as this one has them."""
    return [budget.of(account.form) for budget in account.definition.budgets]


def _learn(account: Account, response: Response, gates: list[Gate]) -> None:
    """Tells the gates what the answer says; a refusal is the shortest window's, unless another's
    own header says that nothing remains.
    """
    known = account.connector.errors(response) if account.connector.errors is not None else None
    refused = response.status == 429 or isinstance(known, RateLimited)
    learned = [gate.budget.learn(response) for gate in gates]
    empty = [i for i, each in enumerate(learned) if each is not None and each.remaining == 0]
    blamed = (empty or [len(gates) - 1])[0] if refused else -1
    for index, (gate, each) in enumerate(zip(gates, learned, strict=True)):
        if each is not None:
            gate.observe(Observation(0.0, each))
        if index == blamed:
            shortest = index == len(gates) - 1
            said = retry_after(response) if shortest or "retry-after" in response.headers else None
            gate.refuse(said)


class Gate:
    """One budget in this process: units in hand, and who waits for them."""

    def __init__(
        self, store: Budgets, key: BudgetKey, budget: Budget, clock: Callable[[], float]
    ) -> None:
        self.budget = budget
        self._store = store
        self._key = key
        self._clock = clock
        self._holder = uuid.uuid4().hex[:12]
        self._limit, self._window = budget.amount, budget.window
        self._units: tuple[deque[float], deque[float]] = (deque(), deque())
        """When each may be used; ordinary, bulk."""
        self._waiters: tuple[deque[asyncio.Future[None]], deque[asyncio.Future[None]]]
        self._waiters = (deque(), deque())
        self._flying = [0, 0]
        self._spent: list[tuple[float, int]] = []
        self._observed: list[tuple[float, Observation]] = []
        self._refused = 0
        self._closed = False
        self._away = False
        self.exchanges = 0
        """How often the row was changed."""
        self._pause: float | None = None
        self._held_until = 0.0
        self._ahead = [1, 1]
        self._asked = [0.0, 0.0]
        self._ask_at = [0.0, 0.0]
        self._runs: tuple[dict[UUID, int], dict[UUID, int]] = ({}, {})
        self._turned = clock()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def kind(self, run_id: UUID | None) -> int:
        """Counts a request of a run; whether the run is bulk by now. Who is no run is ordinary."""
        if run_id is None:
            return ORDINARY
        recent, before = self._runs
        now = self._clock()
        if now - self._turned > min(self._window, PACED) or len(recent) > _MOST_RUNS:
            self._runs = recent, before = {}, recent
            self._turned = now
        recent[run_id] = recent.get(run_id, 0) + 1
        asked = recent[run_id] + before.get(run_id, 0)
        return BULK if asked > max(1, self._bulk_from()) else ORDINARY

    def _bulk_from(self) -> float:
        """Requests of one run in a window (a minute, if that is shorter) that make it bulk."""
        return SHARE * self._limit * min(1.0, PACED / self._window)

    async def take(self, kind: int) -> None:
        """Waits for a unit. `RateLimited` if that takes too long; `NotSent` if the database is
        why.
        """
        now = self._clock()
        units, waiters = self._units[kind], self._waiters[kind]
        if not waiters and units and units[0] <= now and now >= self._held_until:
            units.popleft()
            self._flying[kind] += 1
            return
        if self._window <= PACED and (wait := len(waiters) * self._window / self._limit) > STAYS:
            raise self._late(wait)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters.append(turn)
        self._start()
        try:
            async with asyncio.timeout(STAYS):
                await turn
        except TimeoutError:
            self._leave(turn, kind)
            raise self._late(max(1.0, self._window / self._limit * len(waiters))) from None
        except BaseException:
            self._leave(turn, kind)
            raise

    def _leave(self, turn: asyncio.Future[None], kind: int) -> None:
        """Who no longer waits is no longer in the queue; a unit just given goes back."""
        with suppress(ValueError):
            self._waiters[kind].remove(turn)
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self.done(kind, used=False)

    def _late(self, wait: float) -> Retry:
        if self._away:
            return NotSent(
                host=self._key.connector,
                reason="the database does not answer, so nobody knows what may be spent",
            )
        return RateLimited(
            f"What {self._key.connector} permits ({self._limit} requests in {self._window:g} s) is "
            f"spent; nothing was sent. The next turn is in about {wait:.0f} s.",
            retry_after=wait,
            budget=self.budget.name,
        )

    def done(self, kind: int, *, used: bool) -> None:
        """The answer is here; or nothing was sent, and the unit serves another."""
        self._flying[kind] -= 1
        if used:
            self._spent.append((self._clock(), kind))
        else:
            self._units[kind].appendleft(self._clock())
        self._start()

    def observe(self, observation: Observation) -> None:
        """What an answer says."""
        self._observed.append((self._clock(), observation))

    def refuse(self, pause: float | None) -> None:
        """Too many, said the vendor: nothing more goes out until the row says when."""
        self._refused += 1
        if pause is not None:
            self._pause = max(self._pause or 0.0, pause)
        self._held_until = float("inf")
        self._ask_at = [0.0, 0.0]
        self._start()

    def _start(self) -> None:
        self._wake.set()
        if self._closed:
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._pump(), name=f"budget {self._key.connector}")

    async def close(self) -> None:
        """Ends, and gives back. Who still waits is told that nothing was sent."""
        self._closed = True
        for turn in (*self._waiters[ORDINARY], *self._waiters[BULK]):
            if not turn.done():
                turn.set_exception(self._late(1.0))
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if any(self._units) or self._spent:
            for units in self._units:
                units.clear()
            await self._exchange([0, 0])

    async def _pump(self) -> None:
        """Hands out units and gets more, while anyone waits; then gives back what is left."""
        while True:
            now = self._clock()
            self._hand_out(now)
            short = [len(w) > len(u) for w, u in zip(self._waiters, self._units, strict=True)]
            unsaid = self._held_until == float("inf")  # a refusal that the row does not know of
            if any(self._waiters) or unsaid:
                due = [each and now >= at for each, at in zip(short, self._ask_at, strict=True)]
                if any(due) or (unsaid and now >= min(self._ask_at)):
                    await self._ask(due)
                else:
                    await self._sleep(self._next(short) - now)
            elif any(self._units) or self._spent or any(self._flying):
                idle = min(SHARE * self._window, LONGEST_LEASE)
                if await self._sleep(ALIVE if self._idle_flying() else idle):
                    continue
                for units in self._units:
                    units.clear()
                await self._exchange([0, 0])
            else:
                return

    def _idle_flying(self) -> bool:
        return any(self._flying) and not any(self._units) and not self._spent

    async def _sleep(self, seconds: float) -> bool:
        """Whether something happened before the time was over."""
        self._wake.clear()
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    def _hand_out(self, now: float) -> None:
        if now < self._held_until:
            return
        for kind, (waiters, units) in enumerate(zip(self._waiters, self._units, strict=True)):
            while waiters and units and units[0] <= now:
                turn = waiters.popleft()
                if not turn.done():
                    units.popleft()
                    self._flying[kind] += 1
                    turn.set_result(None)

    def _next(self, short: list[bool]) -> float:
        """When something may be done again."""
        if self._held_until == float("inf"):
            return min(self._ask_at)
        moments = [at for each, at in zip(short, self._ask_at, strict=True) if each]
        moments += [
            max(units[0], self._held_until)
            for waiters, units in zip(self._waiters, self._units, strict=True)
            if waiters and units
        ]
        return min(moments)

    async def _ask(self, due: list[bool]) -> None:
        """Leases for who waits; twice as much as last time if that was soon used up."""
        now = self._clock()
        most = max(1, int(self._limit * SHARE))
        wanted = [0, 0]
        span = min(SHARE * self._window, LONGEST_LEASE)
        for kind in (ORDINARY, BULK):
            if not due[kind]:
                continue
            soon = now - self._asked[kind] < span
            ahead = self._ahead[kind]
            self._ahead[kind] = min(most, ahead * 2) if soon else max(1, ahead // 2)
            self._asked[kind] = now
            waits = len(self._waiters[kind]) - len(self._units[kind])
            wanted[kind] = max(1, min(most, max(waits, self._ahead[kind])))
        grant = await self._exchange(wanted)
        now = self._clock()
        if grant is None:
            self._ask_at = [now + _AGAIN, now + _AGAIN]
            return
        for kind, got in enumerate((len(grant.ordinary), len(grant.bulk))):
            if got < wanted[kind]:
                self._ask_at[kind] = now + grant.retry_in
                if grant.retry_in > STAYS:
                    self._send_away(kind, grant.retry_in)
            elif due[kind]:
                self._ask_at[kind] = 0.0

    def _send_away(self, kind: int, wait: float) -> None:
        """Who would wait for very long waits elsewhere."""
        waiters = self._waiters[kind]
        while len(waiters) > len(self._units[kind]):
            turn = waiters.pop()
            if not turn.done():
                turn.set_exception(self._late(wait))

    async def _exchange(self, wanted: list[int]) -> Grant | None:
        """Reports and leases; ``None`` if the database did not answer."""
        self.exchanges += 1
        begun = self._clock()
        spent, observed = self._spent, self._observed
        refused, pause = self._refused, self._pause
        self._spent, self._observed, self._refused, self._pause = [], [], 0, None
        report = Report(
            spent=_together(spent, begun),
            holds=(
                len(self._units[ORDINARY]) + self._flying[ORDINARY],
                len(self._units[BULK]) + self._flying[BULK],
            ),
            observed=[Observation(begun - at, each.learned) for at, each in observed],
            refused=refused,
            pause=pause,
        )
        try:
            grant, paused = await self._store.change(
                self._key,
                self.budget,
                lambda bucket, now: (
                    bucket.exchange(
                        now, self._holder, report, ordinary=wanted[ORDINARY], bulk=wanted[BULK]
                    ),
                    bucket.paused_until - now,
                ),
            )
        except asyncio.CancelledError:
            self._spent[:0] = spent
            raise
        except Exception as error:  # whatever it is, nothing may go out on what is not leased
            self._away = True
            self._spent[:0], self._observed[:0] = spent, observed
            self._refused += refused
            self._pause = pause if self._pause is None else self._pause
            log.warning("budget.not_leased", budget=self._key, error=str(error).partition("\n")[0])
            return None
        self._away = False
        now = self._clock()
        if not self._refused:
            self._held_until = now + paused if paused > 0 else 0.0
        self._limit, self._window = grant.limit, grant.window
        for units, delays in zip(self._units, (grant.ordinary, grant.bulk), strict=True):
            if delays:
                merged = sorted([*units, *(now + delay for delay in delays)])
                units.clear()
                units.extend(merged)
        return grant


def _together(spent: list[tuple[float, int]], now: float) -> list[tuple[float, int, int]]:
    """(age, ordinary, bulk) of each answer."""
    return [(max(0.0, now - at), int(kind == ORDINARY), int(kind == BULK)) for at, kind in spent]
