"""What is new since a trigger last looked. Pure: what it remembers goes in and comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from junctor.errors import Misconfigured
from junctor.language.connector import Bundle, Poll

__all__ = ["REMEMBERED", "fresh", "listed_since", "reaches"]

REMEMBERED = 5_000
"""Ids kept besides those of the last listing."""


def listed_since(
    state: Mapping[str, Any] | None, poll: Poll, *, start: str = "now"
) -> datetime | None:
    """From when on a listing must hold all that there is; ``None``: from the beginning.

    What is older is not new, whatever the listing holds. `Misconfigured` as `fresh`.
    """
    if poll.mark is not None or poll.date is None:
        return None
    if state is None:
        return _start(start)
    date, floor = _date(state.get("date")), _date(state.get("from"))
    if date is None:
        return None
    try:
        since = date - poll.overlap
    except OverflowError:
        return date
    return max(since, floor) if floor is not None else since


def reaches(page: Sequence[Bundle], poll: Poll, since: datetime | None) -> bool:
    """Whether a listing that is newest first has come to what is older than ``since``."""
    if since is None or poll.date is None or not poll.newest_first:
        return False
    date = poll.date
    return any(_before(date(item), since) for item in page)


def fresh(
    items: Sequence[Bundle],
    state: Mapping[str, Any] | None,
    poll: Poll,
    *,
    limit: int | None = None,
    start: str = "now",
) -> tuple[list[Bundle], dict[str, Any]]:
    """The new items, oldest first, at most ``limit``; and what to remember: ``date`` and ``ids``.

    Without a state the trigger has never looked: ``start`` says where it begins. ``now`` takes all
    that is there as seen, ``all`` as new, an ISO date what is not older (and with an overlap, that
    date is remembered as ``from``). `Misconfigured` on another text.

    If ``poll`` has a mark, ``marks`` are remembered in place of ids: those of what was passed on
    and is still listed, so that an item is passed on again once its mark is another one.
    """
    if poll.mark is not None:
        return _changed(items, state, poll, poll.mark, limit=limit, start=start)
    listed = [(str(poll.id(item)), poll.date(item) if poll.date else None, item) for item in items]
    if poll.newest_first:
        listed.reverse()
    if poll.date is not None:
        listed.sort(key=lambda each: each[1] or _NEVER)
    first = state is None
    since = listed_since(state, poll, start=start)
    known = set(() if state is None else state.get("ids", ()))
    listed = list({each[0]: each for each in listed}.values())
    new = [each for each in listed if each[0] not in known and not _before(each[1], since)]
    taken = new if first and start == "now" else new[:limit]
    seen = known | {each[0] for each in taken}
    still = [each[0] for each in listed if each[0] in seen]
    older = list(() if state is None else state.get("ids", ()))
    dates = [each[1] for each in taken if each[1] is not None]
    before = since if state is None else _date(state.get("date"))
    date = max([*dates, before]) if dates and before else max(dates, default=before)
    remembered: dict[str, Any] = {
        "date": date.isoformat() if date else None,
        "ids": list(dict.fromkeys([*older[-REMEMBERED:], *still])),
    }
    floor = since.isoformat() if first and since else (state or {}).get("from")
    if floor and poll.overlap:
        remembered["from"] = floor
    if first and start == "now":
        return [], remembered
    return [each[2] for each in taken], remembered


def _changed(
    items: Sequence[Bundle],
    state: Mapping[str, Any] | None,
    poll: Poll,
    mark: Callable[[Bundle], str],
    *,
    limit: int | None,
    start: str,
) -> tuple[list[Bundle], dict[str, Any]]:
    """`fresh` for items that change."""
    since = _start(start) if state is None else None
    marks: dict[str, str] = {} if state is None else dict(state.get("marks", {}))
    ordered = list(items)[::-1] if poll.newest_first else list(items)
    if poll.date is not None:
        date = poll.date
        ordered.sort(key=lambda item: date(item) or _NEVER)
    listed = {str(poll.id(item)): (mark(item), item) for item in ordered}
    kept = {name: found for name, found in marks.items() if name in listed}
    new = [name for name, (found, _) in listed.items() if marks.get(name) != found]
    if state is None and start == "now":
        passed: list[str] = []
        seen = new
    else:
        old = [
            name
            for name in new
            if poll.date is not None and _before(poll.date(listed[name][1]), since)
        ]
        passed = [name for name in new if name not in set(old)][:limit]
        seen = old + passed
    kept |= {name: listed[name][0] for name in seen}
    return [listed[name][1] for name in passed], {"date": None, "ids": [], "marks": kept}


_NEVER = datetime.min.replace(tzinfo=UTC)


def _before(date: datetime | None, since: datetime | None) -> bool:
    return date is not None and since is not None and date < since


def _start(start: str) -> datetime | None:
    if start in {"now", "all"}:
        return None
    try:
        return _date(start)
    except ValueError:
        raise Misconfigured(
            reason=f"a trigger can't start at {start!r}; give now, all, or a date like 2026-11-21"
        ) from None


def _date(text: str | None) -> datetime | None:
    if not text:
        return None
    date = datetime.fromisoformat(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)
