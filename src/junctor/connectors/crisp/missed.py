"""What happened at Crisp while nobody listened, as its hooks would have told it.

Crisp's API lists messages by conversation, conversations by when they were last updated, and people
by when they were created or updated. So new messages, begun conversations, and new and changed
people are found again; of several changes of a person only the last. What leaves no dated trace in
a list is not: messages edited or removed, a conversation's state, assignment, rating and details,
what was removed, campaigns, calls and the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from datetime import datetime
from typing import Any

from junctor.connectors.crisp.account import below
from junctor.connectors.crisp.dates import date_of, milliseconds
from junctor.connectors.crisp.reading import (
    batch,
    conversations_since,
    messages_since,
    people_since,
    stamp_of,
)
from junctor.errors import DataError
from junctor.language.connector import Backfill, Bundle, Missed, Request, Response

__all__ = ["BEGUN", "CREATED", "LISTED", "RECEIVED", "SENT", "UPDATED", "missed"]

SENT, RECEIVED = "message:send", "message:received"
"""A visitor wrote; an operator did."""
BEGUN = "session:request:initiated"
CREATED, UPDATED = "people:profile:created", "people:profile:updated"
LISTED = (SENT, RECEIVED, BEGUN, CREATED, UPDATED)
"""The events that can be found again."""

_TOLD = ("type", "from", "origin", "content", "timestamp", "fingerprint", "user", "mentions")
_TOLD_IF_THERE = ("automated", "stamped")
Found = Generator[Request, Response, list[Missed]]


def missed(usual: Collection[str]) -> Backfill:
    """The backfill of a trigger; ``usual``: its events where its settings choose none."""

    def backfill(since: datetime, settings: Mapping[str, Any]) -> Found:
        names = set(settings.get("events") or usual)
        website = str(settings.get("website_id") or "")
        found: list[Missed] = []
        if names & {SENT, RECEIVED, BEGUN}:
            found += yield from _talks(website, since, names, settings.get("types") or ())
        if names & {CREATED, UPDATED}:
            found += yield from _people(website, since, names)
        return found

    return backfill


def _talks(website: str, since: datetime, names: set[str], types: Collection[str]) -> Found:
    found: list[Missed] = []
    for row in (yield from conversations_since(website, since)):
        session = str(row.get("session_id"))
        messages = yield from messages_since(website, session, since)
        if messages and BEGUN in names:
            begun = stamp_of(row, "created_at") >= milliseconds(since)
            if begun or not (yield from batch(website, session, milliseconds(since))):
                # It is said when its first message is written.
                found.append(_event(BEGUN, row, {}, stamp_of(messages[0])))
        for message in messages:
            name = SENT if message.get("from") == "user" else RECEIVED
            if name in names and not (types and message.get("type") not in types):
                kept = {key: message.get(key) for key in _TOLD}
                kept |= {key: message[key] for key in _TOLD_IF_THERE if key in message}
                found.append(_event(name, row, kept, stamp_of(message)))
    return found


def _event(name: str, row: Bundle, data: Bundle, stamp: int) -> Missed:
    about = {key: row.get(key) for key in ("website_id", "session_id", "inbox_id")}
    return _missed(name, row.get("website_id"), {**about, **data}, stamp)


def _missed(name: str, website: Any, data: Bundle, stamp: int) -> Missed:
    at = date_of(stamp)
    assert at is not None  # only what has a date is looked at
    body = {"website_id": website, "event": name, "data": data, "timestamp": stamp}
    return Missed(body=body, at=at)


def _people(website: str, since: datetime, names: set[str]) -> Found:
    found: list[Missed] = []
    rows: list[tuple[str, str, Bundle]] = []
    for name, field in ((CREATED, "created_at"), (UPDATED, "updated_at")):
        if name in names:
            listed = yield from people_since(website, since, field)
            rows += [(name, field, row) for row in listed]
    if rows and not website:  # people don't say whose they are
        website = yield from _website()
    for name, field, row in rows:
        stamp = stamp_of(row, field)
        data: Bundle = {
            "website_id": website,
            "people_id": row.get("people_id"),
            "email": row.get("email"),
        }
        if name == UPDATED:
            if stamp <= stamp_of(row, "created_at"):
                continue  # as it was created
            data["update"] = {"person": row.get("person"), "updated_at": stamp}
        found.append(_missed(name, website, data, stamp))
    return found


def _website() -> Generator[Request, Response, str]:
    answer = (yield Request("GET", below(""))).json()
    data = answer.get("data") if isinstance(answer, dict) else None
    found = data.get("website_id") if isinstance(data, dict) else None
    if not isinstance(found, str):
        raise DataError(reason="Crisp did not say the ID of the website")
    return found
