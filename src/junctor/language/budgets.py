"""How much a vendor permits, and how processes share it without asking each other.

A `Budget` is declared with a kind of connection: so many requests in so many seconds. A `Bucket` is
what is known of one budget of one account: it lies in one row that all processes change in turn,
and everything here is plain arithmetic on it, with the time as an argument.

**Safe whatever the vendor's windows.** A request may be counted by the vendor at any moment from
when it is sent to when its answer is here. So a unit is taken when it is leased, and free again one
window after its *answer*: then no window of the vendor's, wherever it begins, fixed or sliding, can
hold more than the amount. The price is the time of an answer per window: 50 ms in 10 s are 0.5 %.

**Leases.** A process takes units ahead, for about a fifth of a window; each has a time before which
it may not be used, so what comes free soon is leased already. It says what it used and gives back
the rest when it comes again. Units of a process that is gone come free when it is surely silent.

**Two classes.** A run that sends more than a fifth of the amount in a window is *bulk*, all else
is *ordinary*. Bulk is paced evenly, and leaves to ordinary work up to a fifth of the amount: twice
what that used in the last window, or what it waits for now. So bulk alone gets everything.

**Strangers.** Where the vendor says what remains, more being gone than is ours means that others
spend too; then only what the vendor says remains is leased until its window ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from junctor.language.messages import Request, Response

__all__ = ["Bucket", "Budget", "Grant", "Learned", "Observation", "Report", "rate_headers"]

SHARE = 0.2
"""Of the amount: kept for ordinary work, leased at a time, and what makes a run bulk."""
SLOTS = 200
"""Answers are remembered by such parts of a window."""
LONGEST_LEASE = 5.0
"""Seconds ahead that units are leased, at most; a fifth of the window if that is shorter."""
SILENT = 90.0
"""Seconds after which a process that has not come back is gone."""
PACED = 60.0
"""Windows up to so many seconds are paced; a day's amount may be spent in an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What an answer says about a budget. ``None``: nothing."""

    limit: int | None = None
    remaining: int | None = None
    window: float | None = None
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a vendor permits: ``amount`` requests in any ``window`` seconds."""

    name: str
    amount: int
    window: float
    key: Callable[[Any, Request], str | None] = lambda _form, _request: ""
    """Gets the connection's form and the request. What the vendor counts by; connections of an
    organisation with the same key share. ``""``: the connection itself; ``None``: such a request is
    not counted."""
    learn: Callable[[Response], Learned | None] = lambda _response: None
    told: Callable[[Any], tuple[int, float] | None] = lambda _form: None
    """Gets the connection's form: amount and window (seconds) that it names itself, where the
    vendor publishes none; ``None``: these here."""

    def of(self, form: Any) -> Budget:
        """This budget as a connection has it. Own figures make it another one, counted anew."""
        told = self.told(form)
        if told is None or told == (self.amount, self.window):
            return self
        amount, window = told
        name = f"{self.name} ({amount} in {window:g} s)"
        return replace(self, name=name, amount=amount, window=window)


def rate_headers(
    *, limit: str = "", remaining: str = "", milliseconds: str = ""
) -> Callable[[Response], Learned | None]:
    """Learns from headers of these names; what isn't a whole number is passed over."""
    names = [limit.lower(), remaining.lower(), milliseconds.lower()]

    def learn(response: Response) -> Learned | None:
        found = [_whole(response.headers, name) for name in names]
        if found == [None, None, None]:
            return None
        most, rest, interval = found
        return Learned(
            limit=most or None, remaining=rest, window=interval / 1000 if interval else None
        )

    return learn


def _whole(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


@dataclass(frozen=True, slots=True)
class Observation:
    """An answer's word on what remains, ``age`` seconds ago."""

    age: float
    learned: Learned


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a process did since it came last. Pairs are (ordinary, bulk)."""

    spent: Iterable[tuple[float, int, int]] = ()
    """(age of the answer in seconds, ordinary, bulk)"""
    holds: tuple[int, int] = (0, 0)
    """Units leased before that it still has: not used yet, or their answer not here."""
    observed: Iterable[Observation] = ()
    refused: int = 0
    """Answers that said: too many."""
    pause: float | None = None
    """Seconds that a refusal asks for; ``None`` with a refusal: not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Units leased: for each, the seconds from now before which it may not be used."""

    ordinary: tuple[float, ...] = ()
    bulk: tuple[float, ...] = ()
    retry_in: float = 0.0
    """If a class got less than it wanted: seconds until it is worth asking again."""
    limit: int = 0
    window: float = 0.0


@dataclass(slots=True, kw_only=True)
class Bucket:
    """A budget's state. Times are seconds of one clock, that of whoever calls."""

    limit: int
    window: float
    spent: list[list[float]] = field(default_factory=list)
    """[time of the answers, rounded up; ordinary; bulk], oldest first."""
    leases: dict[str, list[float]] = field(default_factory=dict)
    """By process: [when it came last, ordinary, bulk] not accounted for yet."""
    waiting: list[float] = field(default_factory=lambda: [0.0, 0])
    """[until when it counts, ordinary units that were wanted in vain]"""
    pace: float = 0.0
    """When the next bulk unit would be due, were bulk to go evenly."""
    paused_until: float = 0.0
    sight: list[float] = field(default_factory=list)
    """What the vendor said last: [the first answer of its window, from when ours are counted, when
    it said so, what remained]; or nothing."""
    others: int = 0
    """Units of the vendor's present window that strangers spent, as far as known."""
    rate: float = 0.0
    """Units a second that they spend: in this window, or else in the one before."""
    refused: int = 0

    @classmethod
    def of(cls, budget: Budget, record: Mapping[str, Any] | None) -> Bucket:
        """From `as_record`; new if there is none."""
        if not record:
            return cls(limit=budget.amount, window=budget.window)
        return cls(**record)

    def as_record(self) -> dict[str, Any]:
        """Plain data."""
        return {name: getattr(self, name) for name in self.__slots__}

    def taken(self, now: float) -> tuple[int, int]:
        """(ordinary, bulk) that may count in a window of the vendor's at this moment."""
        kept = [row for row in self.spent if row[0] + self.window > now]
        rows = kept + list(self.leases.values())
        return int(sum(row[1] for row in rows)), int(sum(row[2] for row in rows))

    def others_at(self, now: float) -> int:
        """What strangers are known to have spent of the vendor's present window."""
        return self.others if self.sight and now < self.sight[0] + self.window else 0

    def exchange(
        self, now: float, holder: str, report: Report, *, ordinary: int = 0, bulk: int = 0
    ) -> Grant:
        """Takes what a process reports, and leases it so many units, or as many as there are."""
        self._account(now, holder, report)
        for each in sorted(report.observed, key=lambda seen: -seen.age):
            self._observe(now - each.age, each.learned)
        if report.refused:
            self._refuse(now, report)
        times_ordinary = self._free(now, ordinary, 0)
        short = ordinary - len(times_ordinary)
        if times_ordinary:
            self._lease(now, holder, len(times_ordinary), 0)
        if ordinary:
            self.waiting = [now + max(2.0, self._ahead), short]
        elif now >= self.waiting[0]:
            self.waiting = [0.0, 0]
        free = self._free(now, bulk, self._reserve(now))
        times_bulk = self._paced(now, free)
        if times_bulk:
            self._lease(now, holder, 0, len(times_bulk))
        retry = 0.0
        if short > 0 or len(times_bulk) < bulk:
            retry = self._next(now, paced=len(times_bulk) < len(free))
        return Grant(
            ordinary=tuple(max(0.0, at - now) for at in times_ordinary),
            bulk=tuple(max(0.0, at - now) for at in times_bulk),
            retry_in=retry,
            limit=self.limit,
            window=self.window,
        )

    @property
    def _ahead(self) -> float:
        return min(self.window * SHARE, LONGEST_LEASE)

    def _lease(self, now: float, holder: str, ordinary: int, bulk: int) -> None:
        row = self.leases.get(holder, [now, 0, 0])
        self.leases[holder] = [now, row[1] + ordinary, row[2] + bulk]

    def _account(self, now: float, holder: str, report: Report) -> None:
        """Moves what was used from leased to spent, and forgets what is free again."""
        slot = self.window / SLOTS
        rows = {row[0]: row for row in self.spent if row[0] + self.window > now}
        spent = [(now - age, ordinary, bulk) for age, ordinary, bulk in report.spent]
        had = self.leases.pop(holder, [now, 0, 0])
        returned = had[2] - report.holds[1] - sum(bulk for _, _, bulk in spent)
        if returned > 0:
            self.pace -= returned * self.window / self.limit
        # As the process says, not counted down: an answer of ours may not have reached it.
        if any(report.holds):
            self.leases[holder] = [now, *report.holds]
        for other in [name for name, row in self.leases.items() if row[0] + SILENT < now]:
            _, ordinary, bulk = self.leases.pop(other)
            spent.append((now, int(ordinary), int(bulk)))
        for at, ordinary, bulk in spent:
            rounded = ceil(at / slot) * slot
            row = rows.setdefault(rounded, [rounded, 0, 0])
            row[1] += ordinary
            row[2] += bulk
        self.spent = sorted(rows.values())

    def _observe(self, at: float, learned: Learned) -> None:
        """Believes the vendor's limit and window, and sees what others spend."""
        if learned.limit is not None:
            self.limit = learned.limit
        if learned.window is not None:
            self.window = learned.window
        remaining = learned.remaining
        if remaining is None or (self.sight and at < self.sight[2]):
            return
        leased = sum(int(row[1] + row[2]) for row in self.leases.values())
        since, counted = self.sight[:2] if self.sight else (at, at - self.window)
        if not self.sight or at >= since + self.window:
            since, counted = at, at - self.window
        elif remaining > self.sight[3] + leased:  # answers overtake each other, but by no more
            since, counted = at, at - self.window / 20
        if self.sight and since != self.sight[0] and not self.others:
            self.rate = 0.0
        self.sight = [since, counted, at, remaining]
        ours = leased + sum(row[1] + row[2] for row in self.spent if row[0] >= counted)
        others = self.limit - remaining - int(ours)
        self.others = others if others > max(2, self.limit // 20) else 0
        if self.others:
            self.rate = self.others / max(at - since, self.window / 4)

    def _refuse(self, now: float, report: Report) -> None:
        """Nobody asks again before the vendor's window can have ended."""
        self.refused += report.refused
        known = self.sight and now < self.sight[0] + self.window
        until = self.sight[0] + self.window if known else now + self.window
        if report.pause is not None:
            until = now + report.pause
        self.paused_until = max(self.paused_until, until)

    def _reserve(self, now: float) -> int:
        """Units that bulk leaves: what ordinary work is expected to want beyond what it has."""
        used = self.taken(now)[0]
        waits = int(self.waiting[1]) if now < self.waiting[0] else 0
        return max(0, min(int(self.limit * SHARE), max(2 * used, used + waits)) - used)

    def _free(self, now: float, wanted: int, reserve: int) -> list[float]:
        """When each of so many units is free, in order; only those that are soon."""
        if wanted <= 0:
            return []
        until, horizon = max(now, self.paused_until), now + self._ahead
        free = self.limit - sum(self.taken(until)) - reserve
        out = [until] * max(0, min(free, wanted)) if until <= horizon else []
        for row in self.spent:
            at = row[0] + self.window
            if at > horizon or len(out) >= wanted:
                break
            if at > until:
                before, free = max(0, free), free + int(row[1] + row[2])
                out += [at] * min(max(0, free - before), wanted - len(out))
        return self._seen(now, out)

    def _seen(self, now: float, times: list[float]) -> list[float]:
        """While strangers spend, no more than the vendor says remains of its window, less what
        they will spend until the units are used.
        """
        if not self.rate or not self.sight or now >= self.sight[0] + self.window:
            return times
        ends, at, remaining = self.sight[0] + self.window, self.sight[2], self.sight[3]
        since = sum(row[1] + row[2] for row in self.spent if row[0] > at)
        leased = sum(row[1] + row[2] for row in self.leases.values())
        theirs = self.rate * (now - at + self._ahead)
        left = max(0, int(remaining - since - leased - theirs))
        soon = [each for each in times if each < ends]
        return soon[:left] + [each for each in times if each >= ends]

    def _paced(self, now: float, times: list[float]) -> list[float]:
        """Bulk goes evenly, but for a small start; so others never wait a whole window for it."""
        if self.window > PACED or not times:
            return times
        each = self.window / self.limit
        burst = each * max(1, self.limit // 20)
        out = []
        for time in times:
            at = max(time, self.pace - burst)
            if at > now + self._ahead:
                break
            self.pace = max(self.pace, at) + each
            out.append(at)
        return out

    def _next(self, now: float, paced: bool) -> float:
        """Seconds until more may be had: all that is free within the lease's reach was given."""
        reach = now + self._ahead
        moments = [row[0] + self.window for row in self.spent]
        if self.others_at(now):
            moments.append(self.sight[0] + self.window)
        soonest = min((at for at in moments if at > reach), default=reach)
        if paced:
            soonest = reach  # what is free already is given bit by bit
        return max(max(soonest, self.paused_until) - reach, self._ahead / 2)
