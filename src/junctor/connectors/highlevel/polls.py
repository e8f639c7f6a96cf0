"""Triggers that look again and again: for what HighLevel sends no event about, and for connections
by a private integration, which get no events at all.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from junctor.connectors.highlevel import lists
from junctor.connectors.highlevel.account import LOCATION, V3, highlevel
from junctor.connectors.highlevel.conversations import newest_conversations
from junctor.connectors.highlevel.opportunities import newest_opportunities
from junctor.connectors.highlevel.search import newest_contacts, search_contacts
from junctor.connectors.highlevel.since import dated
from junctor.language.connector import Bundle, Field, Flow, Poll, Request

__all__: list[str] = []

Limit = Annotated[
    int, Field(label="Limit", help="The most that start runs in one cycle.", minimum=1)
]
Looked = Annotated[
    int,
    Field(
        label="Looked at",
        help="How many of the newest are listed each time; more than can change between two looks.",
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


def _changed(*keys: str) -> Poll:
    """New is what has another date than before, by the first of these fields that is filled."""

    def date(item: Bundle) -> datetime | None:
        return dated(item, *keys)

    def identity(item: Bundle) -> str:
        moment = date(item)
        own = item.get("id") or item.get("_id")
        return f"{own}@{moment.isoformat() if moment else ''}"

    return Poll(id=identity, date=date)


def _added(key: str) -> Poll:
    return Poll(id=lambda item: str(item.get("id")), date=lambda item: dated(item, key))


@highlevel.module(
    "Watch new contacts (polling)",
    kind="trigger",
    name="pollNewContacts",
    effect="read",
    poll=_added("dateAdded"),
)
def poll_new_contacts(limit: Limit = 10, looked_at: Looked = 100) -> Flow:
    """Starts when a contact was added. *Watch contacts* tells sooner, for marketplace apps."""
    del limit
    return (yield from newest_contacts("dateAdded", looked_at))


@highlevel.module(
    "Watch updated contacts (polling)",
    kind="trigger",
    name="pollUpdatedContacts",
    effect="read",
    poll=_changed("dateUpdated", "dateAdded"),
)
def poll_updated_contacts(limit: Limit = 10, looked_at: Looked = 100) -> Flow:
    """Starts when a contact was added or changed."""
    del limit
    return (yield from newest_contacts("dateUpdated", looked_at))


@highlevel.module(
    "Watch new opportunities (polling)",
    kind="trigger",
    name="pollNewOpportunities",
    effect="read",
    poll=_added("createdAt"),
)
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


@highlevel.module(
    "Watch active conversations (polling)",
    kind="trigger",
    name="pollConversations",
    effect="read",
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


def _submissions(kind: str, key: str, which: str, most: int) -> Flow:
    found: list[Bundle] = []
    for number in range(1, -(-most // PAGE) + 1):
        query: dict[str, Any] = {"locationId": LOCATION, "page": number, "limit": PAGE}
        answer = yield Request(
            "GET",
            f"/{kind}/submissions",
            query={**query, **({key: which} if which else {})},
            headers={"Version": V3},
        )
        rows = answer.json().get("submissions") or []
        found += rows
        if len(rows) < PAGE:
            break
    return found[:most]


@highlevel.module(
    "Watch form submissions",
    kind="trigger",
    name="pollFormSubmissions",
    effect="read",
    poll=_added("createdAt"),
)
def poll_form_submissions(
    form: Annotated[str, Field(label="Form", key="formId", options=lists.form)] = "",
    limit: Limit = 10,
    looked_at: Looked = 100,
) -> Flow:
    """Starts when someone has filled in a form; HighLevel sends no event about it."""
    del limit
    return (yield from _submissions("forms", "formId", form, looked_at))


@highlevel.module(
    "Watch survey submissions",
    kind="trigger",
    name="pollSurveySubmissions",
    effect="read",
    poll=_added("createdAt"),
)
def poll_survey_submissions(
    survey: Annotated[str, Field(label="Survey", key="surveyId", options=lists.survey)] = "",
    limit: Limit = 10,
    looked_at: Looked = 100,
) -> Flow:
    """Starts when someone has filled in a survey; HighLevel sends no event about it."""
    del limit
    return (yield from _submissions("surveys", "surveyId", survey, looked_at))


def _state_of(task: Bundle) -> str:
    shown = (task.get(key) for key in ("title", "body", "dueDate", "completed", "assignedTo"))
    return "|".join([str(task.get("id") or task.get("_id")), *(str(value) for value in shown)])


@highlevel.module(
    "Watch tasks of the location (polling)",
    kind="trigger",
    name="pollTasks",
    effect="read",
    poll=Poll(id=_state_of),
)
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


def _pages(path: str, items: str, step: str, most: int, query: Bundle) -> Flow:
    """The first items of a list that is counted from a start."""
    found: list[Bundle] = []
    while len(found) < most:
        size = min(PAGE, most - len(found))
        answer = yield Request(
            "GET",
            path,
            query={**query, "limit": size, step: len(found)},
            headers={"Version": V3},
        )
        rows = answer.json().get(items) or []
        found += rows
        if len(rows) < size:
            break
    return found


def _paid(path: str, contact: str, most: int) -> Flow:
    """HighLevel does not say how its lists of payments are sorted: taken as newest first."""
    query = {"altId": LOCATION, "altType": "location"}
    if contact:
        query["contactId"] = contact
    return (yield from _pages(path, "data", "offset", most, query))


@highlevel.module(
    "Watch payments (polling)",
    kind="trigger",
    name="pollTransactions",
    effect="read",
    poll=_changed("updatedAt", "createdAt"),
)
def poll_transactions(
    contact: Contact = "",
    limit: Limit = 10,
    looked_at: Looked = 100,
) -> Flow:
    """Starts when a payment was made or changed (refunded, say); there is no event about it."""
    del limit
    return (yield from _paid("/payments/transactions", contact, looked_at))


@highlevel.module(
    "Watch subscriptions (polling)",
    kind="trigger",
    name="pollSubscriptions",
    effect="read",
    poll=_changed("updatedAt", "createdAt"),
)
def poll_subscriptions(
    contact: Contact = "",
    limit: Limit = 10,
    looked_at: Looked = 100,
) -> Flow:
    """Starts when a subscription was taken out or changed; there is no event about it."""
    del limit
    return (yield from _paid("/payments/subscriptions", contact, looked_at))


@highlevel.module(
    "Watch businesses (polling)",
    kind="trigger",
    name="pollBusinesses",
    effect="read",
    poll=_changed("updatedAt", "createdAt"),
)
def poll_businesses(limit: Limit = 10, looked_at: Looked = 1000) -> Flow:
    """Starts when a business was added or changed; there is no event about it."""
    del limit
    query = {"locationId": LOCATION}
    return (yield from _pages("/businesses/", "businesses", "skip", looked_at, query))
