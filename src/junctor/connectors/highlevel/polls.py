"""Triggers that look again and again: for what HighLevel sends no event about, and for connections
by a private integration, which get no events at all.

Only submissions are asked for by date. Payments and subscriptions can be, but by when they were
made: one that changes later would be missed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal

from junctor.connectors.highlevel import lists
from junctor.connectors.highlevel.account import LOCATION, V3, highlevel
from junctor.connectors.highlevel.conversations import newest_conversations
from junctor.connectors.highlevel.opportunities import newest_opportunities
from junctor.connectors.highlevel.search import newest_contacts, search_contacts
from junctor.connectors.highlevel.since import dated
from junctor.language.connector import Bundle, Field, Flow, Paging, Poll, Request

__all__: list[str] = []

Limit = Annotated[
    int, Field(label="Limit", help="The most that start runs in one cycle.", minimum=1)
]
Looked = Annotated[
    int,
    Field(
        label="Looked at",
        help="How many of the newest are listed each time; more of them if all of these are new.",
        key="lookedAt",
        minimum=1,
        maximum=10_000,
        advanced=True,
    ),
]
Contact = Annotated[
    str,
    Field(
        label="Contact",
        help="Only this one's. Empty: all.",
        key="contactId",
        options=search_contacts,
    ),
]
PAGE = 100
MOST = 10_000
"""Items that a trigger reads back through, whatever its form says, to where it was."""

_polls = partial(highlevel.module, kind="trigger", effect="read", limit_field="looked_at")


def _changed(*keys: str) -> Poll:
    """New is what has another date than before, by the first of these fields that is filled."""

    def date(item: Bundle) -> datetime | None:
        return dated(item, *keys)

    def identity(item: Bundle) -> str:
        moment = date(item)
        own = item.get("id") or item.get("_id")
        return f"{own}@{moment.isoformat() if moment else ''}"

    return Poll(id=identity, date=date, most=MOST)


def _added(key: str) -> Poll:
    return Poll(id=lambda item: str(item.get("id")), date=lambda item: dated(item, key), most=MOST)


def _submitted_since(request: Request, since: datetime) -> Request:
    # From the start of a day on, in a time zone that is not documented: the day before has begun
    # everywhere. Without it, HighLevel lists a month.
    day = (since.astimezone(UTC) - timedelta(days=1)).date().isoformat()
    return replace(request, query={**dict(request.query), "startAt": day})


_submissions = partial(
    _polls,
    items="submissions",
    paging=Paging(style="page", param="page", first=1, size=PAGE),
    poll=replace(_added("createdAt"), since=_submitted_since),
)
_payments = partial(
    _polls,
    items="data",
    paging=Paging(style="offset", param="offset", size=PAGE),
    poll=_changed("updatedAt", "createdAt"),
)


def _filled_in(path: str, **which: str) -> Request:
    given = {key: value for key, value in which.items() if value}
    return Request("GET", path, query={"locationId": LOCATION, **given}, headers={"Version": V3})


def _paid(path: str, contact: str) -> Request:
    """HighLevel does not say how its lists of payments are sorted: taken as newest first."""
    query = {"altId": LOCATION, "altType": "location"}
    if contact:
        query["contactId"] = contact
    return Request("GET", path, query=query, headers={"Version": V3})


@_polls("Watch new contacts (polling)", name="pollNewContacts", poll=_added("dateAdded"))
def poll_new_contacts(limit: Limit = 10, looked_at: Looked = 100) -> Flow:
    """Starts when a contact was added. *Watch contacts* tells sooner, for marketplace apps."""
    del limit
    return (yield from newest_contacts("dateAdded", looked_at))


@_polls(
    "Watch updated contacts (polling)",
    name="pollUpdatedContacts",
    poll=_changed("dateUpdated", "dateAdded"),
)
def poll_updated_contacts(limit: Limit = 10, looked_at: Looked = 100) -> Flow:
    """Starts when a contact was added or changed."""
    del limit
    return (yield from newest_contacts("dateUpdated", looked_at))


@_polls("Watch new opportunities (polling)", name="pollNewOpportunities", poll=_added("createdAt"))
def poll_new_opportunities(
    pipeline: Annotated[
        str, Field(label="Pipeline", key="pipelineId", options=lists.pipeline)
    ] = "",
    limit: Limit = 10,
    looked_at: Looked = 100,
) -> Flow:
    """Starts when an opportunity was added."""
    del limit
    return (yield from newest_opportunities(looked_at, pipeline))


@_polls(
    "Watch active conversations (polling)",
    name="pollConversations",
    poll=_changed("lastMessageDate", "dateUpdated"),
)
def poll_conversations(
    direction: Annotated[
        Literal["inbound", "outbound"] | None, Field(label="Direction of the last message")
    ] = None,
    kind: Annotated[
        str, Field(label="Kind of the last message", key="type", example="TYPE_SMS")
    ] = "",
    limit: Limit = 10,
    looked_at: Looked = 100,
) -> Flow:
    """Starts when a conversation has a newer message. Messages between two looks count once."""
    del limit
    return (yield from newest_conversations(looked_at, direction or "", kind))


@_submissions("Watch form submissions", name="pollFormSubmissions")
def poll_form_submissions(
    form: Annotated[str, Field(label="Form", key="formId", options=lists.form)] = "",
    limit: Limit = 10,
    looked_at: Looked = 100,
) -> Request:
    """Starts when someone has filled in a form; HighLevel sends no event about it."""
    del limit, looked_at
    return _filled_in("/forms/submissions", formId=form)


@_submissions("Watch survey submissions", name="pollSurveySubmissions")
def poll_survey_submissions(
    survey: Annotated[str, Field(label="Survey", key="surveyId", options=lists.survey)] = "",
    limit: Limit = 10,
    looked_at: Looked = 100,
) -> Request:
    """Starts when someone has filled in a survey; HighLevel sends no event about it."""
    del limit, looked_at
    return _filled_in("/surveys/submissions", surveyId=survey)


def _state_of(task: Bundle) -> str:
    shown = (task.get(key) for key in ("title", "body", "dueDate", "completed", "assignedTo"))
    return "|".join([str(task.get("id") or task.get("_id")), *(str(value) for value in shown)])


@_polls("Watch tasks of the location (polling)", name="pollTasks", poll=Poll(id=_state_of))
def poll_tasks(
    assigned_to: Annotated[
        list[str], Field(label="Assigned to", key="assignedTo", options=lists.user)
    ] = [],  # noqa: B006  # a form's default; `bind` copies it
    limit: Limit = 10,
    looked_at: Looked = 100,
) -> Flow:
    """Starts when a task is new or changed, which HighLevel sends no event about."""
    del limit
    found: list[Bundle] = []
    while len(found) < looked_at:
        size = min(PAGE, looked_at - len(found))
        body: dict[str, Any] = {"limit": size, "skip": len(found)}
        answer = yield Request(
            "POST",
            f"/locations/{LOCATION}/tasks/search",
            headers={"Version": V3},
            json={**body, **({"assignedTo": assigned_to} if assigned_to else {})},
        )
        rows = answer.json().get("tasks") or []
        found += rows
        if len(rows) < size:
            break
    return found


@_payments("Watch payments (polling)", name="pollTransactions")
def poll_transactions(
    contact: Contact = "",
    limit: Limit = 10,
    looked_at: Looked = 100,
) -> Request:
    """Starts when a payment was made or changed (refunded, say); there is no event about it."""
    del limit, looked_at
    return _paid("/payments/transactions", contact)


@_payments("Watch subscriptions (polling)", name="pollSubscriptions")
def poll_subscriptions(
    contact: Contact = "",
    limit: Limit = 10,
    looked_at: Looked = 100,
) -> Request:
    """Starts when a subscription was taken out or changed; there is no event about it."""
    del limit, looked_at
    return _paid("/payments/subscriptions", contact)


@_polls(
    "Watch businesses (polling)",
    name="pollBusinesses",
    items="businesses",
    paging=Paging(style="skip", param="skip", size=PAGE),
    poll=_changed("updatedAt", "createdAt"),
)
def poll_businesses(limit: Limit = 10, looked_at: Looked = 1000) -> Request:
    """Starts when a business was added or changed; there is no event about it."""
    del limit, looked_at
    query = {"locationId": LOCATION}
    return Request("GET", "/businesses/", query=query, headers={"Version": V3})
