"""Whether something that was sent to HighLevel was also done: looked for where a list allows it.

What HighLevel dates is looked for around the time of sending (`assumptions.EARLY`, ``LATE``); what
it doesn't date is taken for it if it looks as was asked for. One that fits is a yes, several leave
it open. Where HighLevel may have put a text differently, it is compared loosely: a wrong no would
send something twice.

Without a probe are *Create a recurring task*, *Add a contact to a campaign* and *to a workflow* (no
list shows them), and *Make an API call* (nobody knows what it does).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime
from html import unescape
from typing import Any

from junctor.connectors.highlevel.account import LOCATION
from junctor.connectors.highlevel.assumptions import EARLY, LATE
from junctor.connectors.highlevel.since import (
    ask,
    contacts_since,
    dated,
    messages_of,
    opportunities_since,
)
from junctor.connectors.highlevel.table import address, millis
from junctor.language.connector import Asked, Bundle, Probe, Request, Response

__all__ = [
    "APPOINTMENT",
    "APPOINTMENT_NOTE",
    "BLOCKED_TIME",
    "BUSINESS",
    "CALENDAR",
    "CALENDAR_GROUP",
    "CONTACT",
    "CONVERSATION",
    "CUSTOM_FIELD",
    "CUSTOM_VALUE",
    "INBOUND_MESSAGE",
    "LINK",
    "MESSAGE",
    "NOTE",
    "OPPORTUNITY",
    "OUTBOUND_CALL",
    "TAG",
    "TASK",
    "UPSERTED_CONTACT",
    "UPSERTED_OPPORTUNITY",
    "USER",
]

SOON = 120.0
"""Seconds after which a plain list is taken to be up to date; a search gets ten minutes."""
PAGE = 100
MOST_PAGES = 20
MINUTE = 60_000

Given = Mapping[str, Any]
Found = Generator[Request, Response, list[Bundle]]


def _one(found: list[Bundle], as_given: Callable[[Bundle], Bundle] = dict) -> Bundle | bool | None:
    """Of several nobody can say which it was."""
    if not found:
        return False
    return as_given(found[0]) if len(found) == 1 else None


def _then(row: Given, at: datetime, *keys: str) -> bool:
    """Whether a row is from the time of sending, or does not say from when it is."""
    moment = dated(row, *keys)
    return moment is None or at - EARLY <= moment <= at + LATE


def _plain(value: Any) -> str:
    """A text without markup, line breaks and entities, which HighLevel may add."""
    return " ".join(unescape(re.sub(r"<[^<>]*>", " ", str(value or ""))).split())


def _like(row: Given, given: Given, **keys: str) -> bool:
    """Whether a row has what was given: names of arguments, each with the row's key."""
    return all(
        _plain(row.get(key)).casefold() == _plain(given[name]).casefold()
        for name, key in keys.items()
        if given.get(name) not in (None, "", [])
    )


def _instant(row: Given, key: str, wanted: Any) -> bool:
    return not isinstance(wanted, datetime) or dated(row, key) == wanted


def same_number(one: Any, other: Any) -> bool:
    """Whether two ways to write a phone number mean the same: which country it is in may be said by
    one of them only.
    """
    left, right = (re.sub(r"\D", "", str(each or "")).lstrip("0") for each in (one, other))
    longer, shorter = sorted((left, right), key=len, reverse=True)
    return len(shorter) >= 7 and longer.endswith(shorter)


def _rows(where: str, key: str, paged: bool = False, **query: Any) -> Found:
    """All rows of a list; ``paged``: by limit and skip."""
    found: list[Bundle] = []
    for number in range(MOST_PAGES):
        more: dict[str, Any] = {"limit": PAGE, "skip": number * PAGE} if paged else {}
        answer = yield ask("GET", where, **query, **more)
        rows = [row for row in answer.json().get(key) or [] if isinstance(row, dict)]
        found += rows
        if not paged or len(rows) < PAGE:
            break
    return found


def _place(given: Given) -> str:
    return str(given.get("location_id") or LOCATION)


# Contacts


def _contact(given: Given, at: datetime) -> Generator[Request, Response, Bundle | bool | None]:
    rows = yield from contacts_since("dateAdded", at - EARLY, given.get("location_id") or "")
    named = [row for row in rows if _then(row, at, "dateAdded") and _is_who(row, given)]
    if len(named) != 1:
        return None if named else False
    answer = yield ask("GET", address("/contacts/{id}", named[0]))
    return {"contact": answer.json().get("contact")}


def _is_who(row: Given, given: Given) -> bool:
    phone = given.get("phone")
    if phone and not same_number(row.get("phone"), phone):
        return False
    if not _like(row, given, email="email"):
        return False
    if phone or given.get("email"):
        return True
    parts = (given.get("first_name"), given.get("last_name"))
    name = given.get("name") or " ".join(part for part in parts if part)
    return _plain(row.get("name")).casefold() == _plain(name).casefold()


def _upserted(given: Given, at: datetime) -> Asked:
    found = yield from _contact(given, at)
    return {"new": True, **found} if isinstance(found, dict) else found


def _task(given: Given, _at: datetime) -> Asked:
    where = address("/contacts/{id}/tasks", {"id": given["contact_id"]})
    rows = yield from _rows(where, "tasks")
    same = [
        row
        for row in rows
        if _like(row, given, title="title") and _instant(row, "dueDate", given.get("due_date"))
    ]
    described = [row for row in same if _like(row, given, body="body", assigned_to="assignedTo")]
    return _one(described or same)


def _note(given: Given, at: datetime) -> Asked:
    where = address("/contacts/{id}/notes", {"id": given["contact_id"]})
    rows = yield from _rows(where, "notes")
    return _one(
        [
            row
            for row in rows
            if _then(row, at, "dateAdded") and _like(row, given, body="body", title="title")
        ]
    )


# Calendars


def _appointment(given: Given, at: datetime) -> Asked:
    rows = yield from _events("/calendars/events", given, calendarId=given["calendar_id"])
    kept = [row for row in rows if row.get("contactId") == given["contact_id"]]
    return _one([row for row in kept if _then(row, at, "dateAdded")])


def _blocked(given: Given, _at: datetime) -> Asked:
    whose = {"calendarId": given.get("calendar_id"), "userId": given.get("assigned_user_id")}
    wanted = {key: value for key, value in whose.items() if value}
    rows = yield from _events("/calendars/blocked-slots", given, **wanted)
    return _one([row for row in rows if _instant(row, "endTime", given.get("end_time"))])


def _events(where: str, given: Given, **wanted: Any) -> Found:
    """What begins when it was to, of the same title."""
    start = millis(given["start_time"])
    span: dict[str, Any] = {"startTime": start - MINUTE, "endTime": start + MINUTE}
    rows = yield from _rows(where, "events", locationId=_place(given), **wanted, **span)
    return [
        row
        for row in rows
        if _instant(row, "startTime", given["start_time"]) and _like(row, given, title="title")
    ]


def _appointment_note(given: Given, at: datetime) -> Asked:
    where = address("/calendars/appointments/{id}/notes", {"id": given["appointment_id"]})
    found: list[Bundle] = []
    for number in range(MOST_PAGES):
        answer = yield ask("GET", where, limit=20, offset=20 * number)
        content = answer.json()
        rows = content.get("notes") or []
        found += [
            row for row in rows if _then(row, at, "dateAdded") and _like(row, given, body="body")
        ]
        if not rows or not content.get("hasMore"):
            break
    return _one(found)


# Opportunities


def _opportunity(given: Given, at: datetime) -> Asked:
    wanted = {"pipelineId": given["pipeline_id"], "contactId": given.get("contact_id") or ""}
    place = given.get("location_id") or ""
    rows = yield from opportunities_since(at - EARLY, place, **wanted)
    return _one(
        [
            row
            for row in rows
            if _then(row, at, "createdAt")
            and _like(row, given, name="name", pipeline_stage_id="pipelineStageId")
        ]
    )


def _upserted_opportunity(given: Given, at: datetime) -> Asked:
    found = yield from _opportunity(given, at)
    return {"opportunity": found, "new": True} if isinstance(found, dict) else found


# Conversations

_WORDS = {"IG": ("IG", "INSTAGRAM"), "FB": ("FB", "FACEBOOK"), "ALL_IN_ONE_CHAT": ("",)}


def _conversations(given: Given) -> Found:
    where = "/conversations/search"
    query = {"locationId": _place(given), "contactId": given["contact_id"], "limit": PAGE}
    return (yield from _rows(where, "conversations", **query))


def _conversation(given: Given, _at: datetime) -> Asked:
    # A contact has one: if there is one, it is what was to be opened.
    rows = yield from _conversations(given)
    return _one(rows)


def _said(direction: str) -> Callable[[Given, datetime], Asked]:
    """Looks for a message of this direction, unless the arguments say another."""

    def looked_for(given: Given, at: datetime) -> Asked:
        way = given.get("direction") or direction
        if given.get("conversation_id"):
            talks: Iterable[Any] = [given["conversation_id"]]
        else:
            talks = [row["id"] for row in (yield from _conversations(given))]
        # What was written down afterwards, or is to be sent later, may carry that date.
        other = given.get("date") or given.get("scheduled_timestamp")
        times = [at, *([other] if isinstance(other, datetime) else [])]
        same: list[Bundle] = []
        open_question = False
        for talk in talks:
            for row in (yield from messages_of(talk, min(times) - EARLY)):
                fits = row.get("direction") == way and _of_kind(row, given["type_"])
                if not fits or not any(_then(row, time, "dateAdded") for time in times):
                    continue
                text = yield from _text_of(row)
                said = _told(given)
                if said is None or _plain(said) in {_plain(each) for each in text}:
                    same.append(row)
                else:
                    # HighLevel fills in its own placeholders, so texts may differ.
                    open_question |= "{{" in said
        if not same and open_question:
            return None
        if _told(given) is None and given["type_"] != "Call" and same:
            return None  # a template's text, or files only: this may be another's
        return _one(same, _as_sent)

    return looked_for


def _of_kind(row: Given, kind: Any) -> bool:
    words = _WORDS.get(str(kind), (str(kind).upper(),))
    return any(word in str(row.get("messageType", "")).upper() for word in words)


def _told(given: Given) -> str | None:
    """The text by which a message is known: an e-mail's subject, if it has one."""
    keys = ("subject", "html", "message") if given.get("type_") == "Email" else ("message",)
    return next((str(given[key]) for key in keys if given.get(key)), None)


def _text_of(row: Given) -> Generator[Request, Response, list[Any]]:
    """What a message says. The list leaves out the subject of an e-mail, and may its text."""
    texts = [row.get("body"), row.get("subject")]
    meta = row.get("meta")
    mails = (meta.get("email") or {}).get("messageIds") if isinstance(meta, dict) else None
    if isinstance(mails, list) and mails:
        where = address("/conversations/messages/email/{id}", {"id": mails[0]})
        answer = yield ask("GET", where, fitting=True)
        if 200 <= answer.status < 300:
            mail = answer.json()
            texts += [mail.get("subject"), mail.get("body")]
    return [text for text in texts if text]


def _as_sent(row: Bundle) -> Bundle:
    """As the operations answer that write a message."""
    meta = row.get("meta")
    mails = (meta.get("email") or {}).get("messageIds") if isinstance(meta, dict) else None
    return {
        "conversationId": row.get("conversationId"),
        "messageId": row.get("id"),
        **({"emailMessageId": mails[0]} if mails else {}),
    }


# What a location holds


def _equal(
    where: str,
    many: str,
    as_given: Callable[[Bundle], Bundle] = dict,
    *,
    paged: bool = False,
    within: bool = False,
    **keys: str,
) -> Probe:
    """A probe that looks for a row equal in these fields.

    ``within``: the location is in the path.
    """

    def looked_for(given: Given, at: datetime) -> Asked:
        path = address(where, {"locationId": _place(given)}) if within else where
        query = {} if within else {"locationId": _place(given)}
        rows = yield from _rows(path, many, paged, **query)
        fit = [row for row in rows if _like(row, given, **keys) and _then(row, at, "createdAt")]
        return _one(fit, as_given)

    return Probe(ask=looked_for, sure_after=SOON)


def _user(given: Given, _at: datetime) -> Asked:
    query = {"companyId": given["company_id"], "query": given["email"]}
    rows = yield from _rows("/users/search", "users", **query)
    return _one([row for row in rows if _like(row, given, email="email")])


CONTACT = Probe(ask=_contact)
UPSERTED_CONTACT = Probe(ask=_upserted)
TASK = Probe(ask=_task, sure_after=SOON)
NOTE = Probe(ask=_note, sure_after=SOON)
APPOINTMENT = Probe(ask=_appointment, sure_after=SOON)
BLOCKED_TIME = Probe(ask=_blocked, sure_after=SOON)
APPOINTMENT_NOTE = Probe(ask=_appointment_note, sure_after=SOON)
OPPORTUNITY = Probe(ask=_opportunity)
UPSERTED_OPPORTUNITY = Probe(ask=_upserted_opportunity)
CONVERSATION = Probe(ask=_conversation)
MESSAGE = Probe(ask=_said("outbound"))
INBOUND_MESSAGE = Probe(ask=_said("inbound"))
OUTBOUND_CALL = Probe(ask=_said("outbound"))
USER = Probe(ask=_user)
CALENDAR = _equal("/calendars/", "calendars", name="name", slug="slug")
CALENDAR_GROUP = _equal("/calendars/groups", "groups", slug="slug")
BUSINESS = _equal(
    "/businesses/",
    "businesses",
    lambda row: {"success": True, "buiseness": row},
    paged=True,
    name="name",
)
TAG = _equal("/locations/{locationId}/tags", "tags", within=True, name="name")
CUSTOM_FIELD = _equal(
    "/locations/{locationId}/customFields",
    "customFields",
    within=True,
    name="name",
    data_type="dataType",
    model="model",
)
CUSTOM_VALUE = _equal(
    "/locations/{locationId}/customValues", "customValues", within=True, name="name", value="value"
)
LINK = _equal("/links/", "links", name="name", redirect_to="redirectTo")
