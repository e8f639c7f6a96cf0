"""What HighLevel told nobody while nobody listened: made anew from its lists.

A creation, a message and an appointment's change have a key of their own in the payload, by which
the event itself is recognised (`occurrence`). A contact's change has none: HighLevel's event does
not say when the contact changed, and so a change that did arrive may be fetched once more.

Deletions leave no row; of tags, do-not-disturb settings, stages, statuses and values no list says
that just they changed; and completed tasks don't say since when they are.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from junctor.connectors.highlevel.account import said
from junctor.connectors.highlevel.event_types import events_of
from junctor.connectors.highlevel.since import (
    Rows,
    appointments_since,
    contacts_since,
    dated,
    messages_since,
    notes_since,
    opportunities_since,
    tasks_since,
)
from junctor.connectors.highlevel.table import iso
from junctor.errors import VendorRefused
from junctor.language.connector import Backfill, Bundle, Missed, Request, Response

__all__ = ["FETCHED", "backfill", "occurrence"]

AT_ONCE = timedelta(seconds=10)
"""What changed so soon after it was made was being made."""
_MADE = frozenset({"ContactCreate", "TaskCreate", "NoteCreate", "OpportunityCreate"})
_MESSAGES = frozenset({"InboundMessage", "OutboundMessage"})
_NO_MESSAGE = ("TYPE_ACTIVITY", "TYPE_INTERNAL")
"""What a conversation shows between its messages."""


def occurrence(event: Mapping[str, Any]) -> str | None:
    """What happens once only: the same for an event and for the row of a list that tells of it.

    HighLevel's own ``webhookId`` where nothing else identifies it. Assumed: what is made has one
    event of that kind, and a message one, whatever becomes of it.
    """
    names = events_of(event)
    name = names[0] if len(names) == 1 else ""
    if name in _MADE and event.get("id"):
        return f"{name}:{event['id']}"
    if name in _MESSAGES and event.get("messageId"):
        return f"{name}:{event['messageId']}"
    inner = event.get("appointment")
    if name in {"AppointmentCreate", "AppointmentUpdate"} and isinstance(inner, dict):
        added, updated = dated(inner, "dateAdded"), dated(inner, "dateUpdated")
        if inner.get("id") and added and updated:
            # The vendor's examples of changes are called creations.
            if updated - added <= AT_ONCE:
                return f"AppointmentCreate:{inner['id']}"
            return f"AppointmentUpdate:{inner['id']}:{iso(updated)}"
    found = event.get("webhookId")
    return str(found) if found else None


Told = Iterator[tuple[str, datetime, Bundle, str | None]]
"""Event, when it happened, its fields, and its key if the fields don't make one."""


def _contacts(since: datetime, place: str, wanted: frozenset[str]) -> Rows:
    # What is new has changed, too; but the other way round the list may be short.
    key = "dateUpdated" if "ContactUpdate" in wanted else "dateAdded"
    return contacts_since(key, since, place)


def _of_contact(row: Bundle, since: datetime) -> Told:
    added, updated = dated(row, "dateAdded"), dated(row, "dateUpdated")
    if added is not None and added >= since:
        yield "ContactCreate", added, row, None
    made = added is not None and updated is not None and updated - added <= AT_ONCE
    if updated is not None and updated >= since and not made:
        yield "ContactUpdate", updated, row, f"ContactUpdate:{row.get('id')}:{iso(updated)}"


def _of_made(event: str, *keys: str) -> Callable[[Bundle, datetime], Told]:
    def told(row: Bundle, _since: datetime) -> Told:
        at = dated(row, *keys)
        if at is not None:
            number = row.get("id") or row.get("_id")
            yield event, at, {**row, "id": number, "dateAdded": iso(at)}, None

    return told


def _of_appointment(row: Bundle, _since: datetime) -> Told:
    added, updated = dated(row, "dateAdded"), dated(row, "dateUpdated")
    at = updated or added
    if at is not None:
        changed = added is not None and at - added > AT_ONCE
        where = {"locationId": row.get("locationId")}
        name = "AppointmentUpdate" if changed else "AppointmentCreate"
        yield name, at, {**where, "appointment": row}, None


def _of_message(row: Bundle, _since: datetime) -> Told:
    at, kind = dated(row, "dateAdded"), str(row.get("messageType") or "")
    if at is not None and not kind.startswith(_NO_MESSAGE):
        name = "OutboundMessage" if row.get("direction") == "outbound" else "InboundMessage"
        fields = {key: value for key, value in row.items() if key != "id"}
        more = {"messageId": row.get("id"), "messageType": kind.removeprefix("TYPE_")}
        yield name, at, {**fields, **more}, None


@dataclass(frozen=True, slots=True)
class _Source:
    """A list, and the events that its rows tell of."""

    events: frozenset[str]
    rows: Callable[[datetime, str, frozenset[str]], Rows]
    told: Callable[[Bundle, datetime], Told]


def _source(events: str, rows: Callable[[datetime, str], Rows], told: Any) -> _Source:
    return _Source(frozenset(events.split()), lambda since, place, _: rows(since, place), told)


SOURCES = (
    _Source(frozenset({"ContactCreate", "ContactUpdate"}), _contacts, _of_contact),
    _source("TaskCreate", tasks_since, _of_made("TaskCreate", "dateAdded", "createdAt")),
    _source("NoteCreate", notes_since, _of_made("NoteCreate", "dateAdded")),
    _source("AppointmentCreate AppointmentUpdate", appointments_since, _of_appointment),
    _source("OpportunityCreate", opportunities_since, _of_made("OpportunityCreate", "createdAt")),
    _source("InboundMessage OutboundMessage", messages_since, _of_message),
)
FETCHED: frozenset[str] = frozenset(event for source in SOURCES for event in source.events)
"""Events that can be fetched afterwards."""


def backfill(events: tuple[str, ...] | None = None) -> Backfill | None:
    """The backfill of a trigger that watches these events, or all there are.

    ``None`` if no list tells of any. A trigger for all events leaves out what its connection may
    not read; another fails, as then something would be missing.
    """
    if events is not None and not FETCHED & set(events):
        return None

    def missed(
        since: datetime, settings: Mapping[str, Any]
    ) -> Generator[Request, Response, list[Missed]]:
        named = settings.get("types") or events
        wanted = FETCHED & set(named) if named else FETCHED
        place = str(settings.get("location_id") or "").strip()
        app = str(settings.get("client_id") or "").strip().partition("-")[0]
        found: list[Missed] = []
        refused: VendorRefused | None = None
        read = False
        for source in SOURCES:
            if not wanted & source.events:
                continue
            rows = source.rows(since, place, wanted)
            if named:
                listed = yield from rows
            else:
                try:
                    listed = yield from _if_allowed(rows)
                except VendorRefused as error:
                    refused = error
                    continue
            read = True
            for row in listed:
                for name, at, fields, key in source.told(row, since):
                    if name in wanted:
                        made = _event(name, at, fields, place, app)
                        found.append(Missed(body=made, at=at, key=key))
        if refused is not None and not read:
            raise refused
        return found

    return missed


def _event(name: str, at: datetime, fields: Bundle, place: str, app: str) -> Bundle:
    """The payload of an event; a row's own ``type`` is something else."""
    where = fields.get("locationId") or place
    whose = {"appId": app} if app else {}
    return {**fields, "type": name, "locationId": where, "timestamp": iso(at), **whose}


def _if_allowed(rows: Rows) -> Rows:
    """A list that the connection may lack the scope for: `VendorRefused` if it does."""
    try:
        request = next(rows)
        while True:
            response = yield replace(request, raises=False)
            if response.status in {401, 403}:
                raise VendorRefused(status=response.status, reason=said(response))
            if request.raises and not 200 <= response.status < 300:
                # Again as it was, so that the refusal ends the repair as it would otherwise.
                response = yield request
            request = rows.send(response)
    except StopIteration as stop:
        found: list[Bundle] = stop.value
        return found
    finally:
        rows.close()
