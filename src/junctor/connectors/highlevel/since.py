"""What HighLevel's lists hold back to an instant: for polls, probes and gap repair.

Every list is read newest first, page by page, until its rows are older; one without end is an
error, for what was left out would be lost.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from junctor.connectors.highlevel.account import LOCATION, V3
from junctor.connectors.highlevel.assumptions import APPOINTMENTS_AHEAD
from junctor.connectors.highlevel.search import pages
from junctor.connectors.highlevel.table import address, iso, millis
from junctor.errors import DataError
from junctor.language.connector import Bundle, Request, Response

__all__ = [
    "Rows",
    "appointments_since",
    "ask",
    "contacts_since",
    "dated",
    "messages_of",
    "messages_since",
    "notes_since",
    "opportunities_since",
    "tasks_since",
]

PAGE = 100
MOST = 20_000
"""Rows that a list is read for: a longest downtime's worth of a busy location."""
MOST_CONTACTS = 2_000
"""Contacts whose notes are read one after the other."""

Rows = Generator[Request, Response, list[Bundle]]


def dated(row: Mapping[str, Any], *keys: str) -> datetime | None:
    """The first of some dates that a row has: ISO 8601, or milliseconds since 1970."""
    for key in keys:
        value = row.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def ask(
    method: str, where: str, *, json: Any = None, fitting: bool = False, **query: Any
) -> Request:
    """A request as the operations of version 3 want it. ``fitting``: a refusal is looked at."""
    return Request(
        method, where, headers={"Version": V3}, query=query, json=json, raises=not fitting
    )


def _endless(what: str, most: int = MOST) -> DataError:
    return DataError(
        reason=f"HighLevel's list of {what} is longer than {most} since then; choose a later time"
    )


def _listed(response: Response, key: str, where: str) -> list[Bundle]:
    content = response.json()
    rows = content.get(key) if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise DataError(reason=f"HighLevel gave no list of {key} at {where}")
    return [row for row in rows if isinstance(row, dict)]


def contacts_since(key: str, since: datetime, place: str = "", *, most: int = MOST) -> Rows:
    """Contacts whose date ``key`` is not older, newest first."""

    def older(row: Mapping[str, Any]) -> bool:
        moment = dated(row, key)
        return moment is not None and moment < since

    order = {"sort": [{"field": key, "direction": "desc"}]}
    found = yield from pages(order, most, place, enough=older)
    if len(found) >= most and not older(found[-1]):
        raise _endless("contacts", most)
    return [row for row in found if not older(row)]


def tasks_since(since: datetime, place: str = "") -> Rows:
    """Tasks of all contacts by when they were made; their order is not documented, so all are
    read.
    """
    where = f"/locations/{place or LOCATION}/tasks/search"
    found: list[Bundle] = []
    for start in range(0, MOST, PAGE):
        answer = yield ask("POST", where, json={"limit": PAGE, "skip": start})
        rows = _listed(answer, "tasks", where)
        for row in rows:
            moment = dated(row, "dateAdded", "createdAt")
            if moment is not None and moment >= since:
                found.append(row)
        if len(rows) < PAGE:
            return found
    raise _endless("tasks")


def notes_since(since: datetime, place: str = "") -> Rows:
    """Notes on contacts that were added or changed: there is no list of all notes."""
    found: list[Bundle] = []
    contacts = yield from contacts_since("dateUpdated", since, place, most=MOST_CONTACTS)
    for contact in contacts:
        where = address("/contacts/{id}/notes", contact)
        answer = yield ask("GET", where, fitting=True)
        if answer.status == 404:  # deleted meanwhile
            continue
        for row in _listed(answer, "notes", where):
            moment = dated(row, "dateAdded")
            if moment is not None and moment >= since:
                found.append({"contactId": contact["id"], **row})
    return found


def appointments_since(since: datetime, place: str = "") -> Rows:
    """Appointments that were booked or changed, of all calendars: listed by when they take place,
    and so only those of the time that is looked at (`assumptions.APPOINTMENTS_AHEAD`).
    """
    answer = yield ask("GET", "/calendars/", locationId=place or LOCATION)
    span: dict[str, Any] = {
        "startTime": millis(since - timedelta(days=1)),
        "endTime": millis(since + APPOINTMENTS_AHEAD),
    }
    found: dict[Any, Bundle] = {}
    for calendar in _listed(answer, "calendars", "/calendars/"):
        answer = yield ask(
            "GET",
            "/calendars/events",
            locationId=place or LOCATION,
            calendarId=calendar["id"],
            **span,
        )
        for row in _listed(answer, "events", "/calendars/events"):
            moment = dated(row, "dateUpdated", "dateAdded")
            if moment is not None and moment >= since:
                found[row.get("id")] = row
    return list(found.values())


def opportunities_since(since: datetime, place: str = "", **wanted: str) -> Rows:
    """Opportunities by when they were made, newest first."""
    query: dict[str, Any] = {"locationId": place or LOCATION, "limit": PAGE, "order": "added_desc"}
    query |= {key: value for key, value in wanted.items() if value}
    found: list[Bundle] = []
    after: dict[str, Any] = {}
    while len(found) < MOST:
        answer = yield ask("GET", "/opportunities/search", **query, **after)
        rows = _listed(answer, "opportunities", "/opportunities/search")
        new = [row for row in rows if (dated(row, "createdAt") or since) >= since]
        found += new
        meta = answer.json().get("meta") or {}
        place_after = {key: meta.get(key) for key in ("startAfter", "startAfterId")}
        if len(new) < len(rows) or len(rows) < PAGE or not all(place_after.values()):
            return found
        if place_after == after:
            raise DataError(reason=f"HighLevel's next page repeats: {after}")
        after = place_after
    raise _endless("opportunities")


def messages_since(since: datetime, place: str = "") -> Rows:
    """Messages and calls of all conversations, oldest first."""
    query: dict[str, Any] = {"locationId": place or LOCATION, "limit": PAGE}
    query |= {"startDate": iso(since), "sortBy": "createdAt", "sortOrder": "asc"}
    found: list[Bundle] = []
    cursor: str | None = None
    while len(found) < MOST:
        more: dict[str, Any] = {"cursor": cursor} if cursor else {}
        answer = yield ask("GET", "/conversations/messages/export", **query, **more)
        rows = _listed(answer, "messages", "/conversations/messages/export")
        found += [row for row in rows if (dated(row, "dateAdded") or since) >= since]
        following = answer.json().get("nextCursor")
        if not rows or not following:
            return found
        if following == cursor:
            raise DataError(reason=f"HighLevel's next page repeats: {str(cursor)[:80]}")
        cursor = str(following)
    raise _endless("messages")


def messages_of(conversation: Any, since: datetime) -> Rows:
    """Messages of one conversation, newest first."""
    where = address("/conversations/{id}/messages", {"id": conversation})
    found: list[Bundle] = []
    more: dict[str, Any] = {}
    while len(found) < MOST:
        answer = yield ask("GET", where, limit=PAGE, **more)
        content = answer.json()
        # The specification nests the page below `messages`; the list has the same name in it.
        page = content.get("messages") if isinstance(content, dict) else None
        inner = page if isinstance(page, dict) else content
        rows = inner.get("messages") or []
        new = [row for row in rows if (dated(row, "dateAdded") or since) >= since]
        found += new
        last = inner.get("lastMessageId")
        if len(new) < len(rows) or not rows or not inner.get("nextPage") or not last:
            return found
        if last == more.get("lastMessageId"):
            raise DataError(reason=f"HighLevel's next page repeats: {last}")
        more = {"lastMessageId": last}
    raise _endless("messages")
