"""When a scenario starts by itself: Make's scheduling JSON, typed.

The JSON is ``{type, interval, date, time, days, months, between, restrict}`` (source: the types of
Make's API in its TypeScript SDK): ``interval`` in seconds, ``time`` as ``HH:mm[:ss]``, weekdays
from 0 (Sunday) to 6, days of the month from 1 to 31, months from 1 to 12. `language.firings` says
which instants a schedule means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final, Literal, TypeVar, cast, get_args

from junctor.language.blueprint_scalars import integer, shown
from junctor.language.scenario import Problem

__all__ = ["KINDS", "LEAST_INTERVAL", "Kind", "Schedule", "Window", "describe", "read", "write"]

T = TypeVar("T")

Kind = Literal[
    "immediately", "indefinitely", "once", "daily", "weekly", "monthly", "yearly", "on-demand"
]
"""Make's names. ``indefinitely`` is *at regular intervals*; ``immediately`` and ``on-demand`` have
no instants: the one starts with what comes in, the other when somebody says so.
"""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
LEAST_INTERVAL: Final = 10
"""Seconds. Make's is 60; who polls more often than this wants a hook."""
MOST_INTERVAL: Final = 366 * 86_400
LISTS: Final = {"weekly": ("days",), "monthly": ("days",), "yearly": ("months", "days")}
TIMED: Final = frozenset({"daily", "weekly", "monthly", "yearly"})

WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When firings are allowed: all that it names must hold; what it leaves out always does."""

    days: tuple[int, ...] = ()
    """Of the week, 0 is Sunday."""
    months: tuple[int, ...] = ()
    times: tuple[time, time] | None = None
    """From and until, both minutes included; from 22:00 until 06:00 goes over midnight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a scenario starts. Times of day are local; see `firings` for the zone."""

    kind: Kind
    interval: int = 900
    """Seconds, of ``indefinitely``."""
    date: datetime | None = None
    """Of ``once``; without a zone it is local."""
    time: time | None = None
    """Of day."""
    days: tuple[int, ...] = ()
    """Of the week (``weekly``) or of the month."""
    months: tuple[int, ...] = ()
    """Of ``yearly``."""
    between: tuple[datetime | None, datetime | None] = (None, None)
    """No firing before the first, none after the second; without a zone they are local."""
    restrict: tuple[Window, ...] = ()
    """Any of these must allow it; none: all is allowed."""

    @property
    def fires(self) -> bool:
        """Whether it has instants at all."""
        return self.kind not in {"immediately", "on-demand"}


def read(data: Any, path: str = "scheduling") -> tuple[Schedule | None, tuple[Problem, ...]]:
    """The schedule that the JSON means, and what is wrong with it; ``None`` if that is an error.

    Unknown keys are somebody else's and no problem; numbers may be texts, as Make exports them.
    """
    reader = _Reader()
    schedule = reader.schedule(data, path)
    failed = any(problem.severity == "error" for problem in reader.problems)
    return (None if failed else schedule), tuple(reader.problems)


class _Reader:
    """Collects what is wrong while it reads."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, "error", message))

    def schedule(self, data: Any, path: str) -> Schedule | None:
        if not isinstance(data, Mapping):
            self.wrong(path, f"A schedule is an object with a type, found {shown(data)}.")
            return None
        kind = data.get("type")
        if kind not in KINDS:
            known = ", ".join(KINDS)
            self.wrong(f"{path}.type", f"{shown(kind)} is no kind of schedule. Choose of: {known}.")
            return None
        kind = cast("Kind", kind)
        given: dict[str, Any] = {"kind": kind}
        if kind == "indefinitely":
            given["interval"] = self._interval(data.get("interval"), f"{path}.interval")
        if kind == "once":
            given["date"] = self._moment(data.get("date"), f"{path}.date", needed=True)
        if kind in TIMED:
            given["time"] = self._time(data.get("time"), f"{path}.time")
        for key in LISTS.get(kind, ()):
            weekly = kind == "weekly"
            low, high = (1, 12) if key == "months" else (0, 6) if weekly else (1, 31)
            numbers = self._numbers(data.get(key), f"{path}.{key}", low, high)
            if not numbers:
                what = {"months": "months from 1 to 12"}.get(key) or (
                    "weekdays from 0 (Sunday) to 6" if weekly else "days from 1 to 31"
                )
                self.wrong(f"{path}.{key}", f"This schedule needs {key}: {what}, at least one.")
            given[key] = numbers
        given["between"] = self._between(data.get("between"), f"{path}.between")
        given["restrict"] = self._restrict(data.get("restrict"), f"{path}.restrict")
        return Schedule(**given)

    def _interval(self, value: Any, path: str) -> int:
        if value is None:
            return 900
        number = integer(value)
        if number is None or not LEAST_INTERVAL <= number <= MOST_INTERVAL:
            self.wrong(
                path,
                f"An interval is a number of seconds from {LEAST_INTERVAL} to {MOST_INTERVAL}, "
                f"found {shown(value)}.",
            )
            return 900
        return number

    def _time(self, value: Any, path: str) -> time | None:
        found = self._parsed(value, _time_of)
        if found is None:
            self.wrong(path, f"A time of day is a text like '09:30', found {shown(value)}.")
        return found

    def _moment(
        self, value: Any, path: str, *, needed: bool = False, last: bool = False
    ) -> datetime | None:
        if value in (None, "") and not needed:
            return None
        found = self._parsed(value, lambda text: _moment_of(text, last=last))
        if found is None:
            self.wrong(path, f"A date is a text like '2026-11-21T09:30', found {shown(value)}.")
        return found

    def _parsed(self, value: Any, parse: Callable[[str], T]) -> T | None:
        if not isinstance(value, str):
            return None
        try:
            return parse(value.strip())
        except (ValueError, OverflowError):
            return None

    def _numbers(self, value: Any, path: str, low: int, high: int) -> tuple[int, ...]:
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            self.wrong(path, f"This is a list of numbers, found {shown(value)}.")
            return ()
        found = set()
        for index, item in enumerate(value):
            number = integer(item)
            if number is None or not low <= number <= high:
                self.wrong(
                    f"{path}[{index}]", f"A number from {low} to {high}, found {shown(item)}."
                )
            else:
                found.add(number)
        return tuple(sorted(found))

    def _between(self, value: Any, path: str) -> tuple[datetime | None, datetime | None]:
        if value in (None, [], ()):
            return None, None
        if not isinstance(value, list | tuple) or len(value) != 2:
            self.wrong(path, f"This is a list of two dates (or null), found {shown(value)}.")
            return None, None
        return (
            self._moment(value[0], f"{path}[0]"),
            self._moment(value[1], f"{path}[1]", last=True),
        )

    def _restrict(self, value: Any, path: str) -> tuple[Window, ...]:
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            self.wrong(path, f"This is a list of objects, found {shown(value)}.")
            return ()
        windows = []
        for index, item in enumerate(value):
            here = f"{path}[{index}]"
            if not isinstance(item, Mapping):
                self.wrong(here, f"A restriction is an object, found {shown(item)}.")
                continue
            windows.append(
                Window(
                    days=self._numbers(item.get("days"), f"{here}.days", 0, 6),
                    months=self._numbers(item.get("months"), f"{here}.months", 1, 12),
                    times=self._times(item.get("time"), f"{here}.time"),
                )
            )
        return tuple(windows)

    def _times(self, value: Any, path: str) -> tuple[time, time] | None:
        if value in (None, [], ()):
            return None
        if not isinstance(value, list | tuple) or len(value) != 2:
            self.wrong(path, f"This is a list of two times of day, found {shown(value)}.")
            return None
        begin, end = self._time(value[0], f"{path}[0]"), self._time(value[1], f"{path}[1]")
        return None if begin is None or end is None else (begin, end)


def _time_of(text: str) -> time:
    parts = [int(part) for part in text.split(":") if part.isascii() and part.isdigit()]
    if len(parts) != text.count(":") + 1 or not 2 <= len(parts) <= 3:
        raise ValueError(text)
    return time(parts[0], parts[1], parts[2] if len(parts) == 3 else 0)


def _moment_of(text: str, *, last: bool) -> datetime:
    found = datetime.fromisoformat(text)
    if last:
        with suppress(ValueError):  # a day as an end is meant with all its hours
            date.fromisoformat(text)
            found = found.replace(hour=23, minute=59, second=59)
    return found


def write(schedule: Schedule) -> dict[str, Any]:
    """Make's JSON of a schedule; `read` gives the same back."""
    out: dict[str, Any] = {"type": schedule.kind}
    if schedule.kind == "indefinitely":
        out["interval"] = schedule.interval
    if schedule.date is not None:
        out["date"] = schedule.date.isoformat()
    if schedule.time is not None:
        out["time"] = _clock(schedule.time)
    for key in ("months", "days"):
        if getattr(schedule, key):
            out[key] = list(getattr(schedule, key))
    if schedule.between != (None, None):
        out["between"] = [
            None if moment is None else moment.isoformat() for moment in schedule.between
        ]
    if schedule.restrict:
        out["restrict"] = [_window(window) for window in schedule.restrict]
    return out


def _window(window: Window) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if window.days:
        out["days"] = list(window.days)
    if window.months:
        out["months"] = list(window.months)
    if window.times is not None:
        out["time"] = [_clock(each) for each in window.times]
    return out


def _clock(value: time) -> str:
    return value.isoformat("seconds" if value.second else "minutes")


def describe(schedule: Schedule) -> str:
    """The schedule in a few English words, e.g. ``every 15 minutes``."""
    at = f" at {_clock(schedule.time)}" if schedule.time is not None else ""
    days = ", ".join(str(day) for day in schedule.days)
    match schedule.kind:
        case "immediately":
            said = "as deliveries come in"
        case "on-demand":
            said = "on demand"
        case "indefinitely":
            said = f"every {_span(schedule.interval)}"
        case "once":
            said = f"once, {schedule.date:%Y-%m-%d %H:%M}" if schedule.date else "once"
        case "daily":
            said = f"every day{at}"
        case "weekly":
            said = f"on {_names(schedule.days, WEEKDAYS, 0)}{at}"
        case "monthly":
            said = f"on day {days} of each month{at}"
        case "yearly":
            said = f"on day {days} of {_names(schedule.months, MONTHS, 1)}{at}"
    return ", ".join([said, *_limits(schedule)])


def _limits(schedule: Schedule) -> list[str]:
    begin, end = schedule.between
    said = []
    if begin is not None:
        said.append(f"from {_date(begin)}")
    if end is not None:
        said.append(f"until {_date(end)}")
    if schedule.restrict:
        said.append("only " + " or ".join(_allowed(each) for each in schedule.restrict))
    return said


def _allowed(window: Window) -> str:
    said = []
    if window.days:
        said.append(f"on {_names(window.days, WEEKDAYS, 0)}")
    if window.months:
        said.append(f"in {_names(window.months, MONTHS, 1)}")
    if window.times is not None:
        said.append(" to ".join(_clock(each) for each in window.times))
    return " ".join(said) or "always"


def _date(moment: datetime) -> str:
    """Its day; with the time, unless that is the day's edge."""
    edge = moment.time() == time(0) or moment.time() >= time(23, 59, 59)
    return f"{moment:%Y-%m-%d}" if edge else f"{moment:%Y-%m-%d %H:%M}"


def _names(numbers: tuple[int, ...], names: tuple[str, ...], first: int) -> str:
    return ", ".join(names[number - first] for number in numbers)


def _span(seconds: int) -> str:
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            count = seconds // size
            return name if count == 1 else f"{count} {name}s"
    return f"{seconds} seconds"
