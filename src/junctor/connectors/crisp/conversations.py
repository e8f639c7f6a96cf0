"""Conversations: found, started, changed, handed to someone, removed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal, TypedDict

from junctor.connectors.crisp.account import below, crisp
from junctor.connectors.crisp.assumptions import PAGE, SHORT_PAGE
from junctor.connectors.crisp.dates import iso
from junctor.connectors.crisp.probes import (
    CONVERSATION_CREATED,
    CONVERSATION_STARTED,
    fingerprinted,
)
from junctor.connectors.crisp.website import PAGES, Limit, Operator, Website, list_inboxes
from junctor.connectors.crisp.website import list_operators as operators
from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Field, Flow, Request, Response

__all__ = ["Fingerprinted", "Session"]


class SearchFilter(TypedDict, total=False):
    """One condition of a search by filter."""

    model: Annotated[str, Field(label="Model", example="people")]
    criterion: Annotated[str, Field(label="Criterion", example="meta.email")]
    operator: Annotated[str, Field(label="Operator", example="eq")]
    query: Annotated[list[str], Field(label="Values")]


@crisp.search("Search conversations", items="data", paging=PAGES, limit_field="limit")
def search_conversations(
    search_query: Annotated[
        str, Field(label="Search query", help="A keyword, an e-mail address or a phrase.")
    ] = "",
    search_type: Annotated[
        Literal["", "text", "segment", "filter"],
        Field(
            label="Search type",
            help="text: the query is looked for in messages and people; segment: it is the name of "
            "a segment; filter: the conditions below are used.",
        ),
    ] = "",
    search_filters: Annotated[
        list[SearchFilter],
        Field(label="Conditions", help="For the search type *filter*.", advanced=True),
    ] = [],  # noqa: B006  # a form's default; `bind` copies it
    search_operator: Annotated[
        Literal["", "and", "or"],
        Field(label="Conditions hold", help="and: all of them; or: any.", advanced=True),
    ] = "",
    include_empty: Annotated[
        bool, Field(label="Include empty", help="Also conversations without a message.")
    ] = False,
    filter_unread: Annotated[bool, Field(label="Filter unread", help="Only unread ones.")] = False,
    filter_resolved: Annotated[
        bool, Field(label="Filter resolved", help="Only resolved ones.")
    ] = False,
    filter_not_resolved: Annotated[
        bool, Field(label="Filter not resolved", help="Only those that are not resolved.")
    ] = False,
    filter_mention: Annotated[
        bool, Field(label="Filter mention", help="Only those that mention the token's user.")
    ] = False,
    filter_assigned: Annotated[
        Operator,
        Field(
            label="Filter assigned",
            help="Only those assigned to this operator (user ID). In older versions of the API "
            "this was a yes or no, for the token's own user.",
            options=operators,
            option_value="details.user_id",
            option_label="details.email",
        ),
    ] = "",
    filter_unassigned: Annotated[
        bool, Field(label="Filter unassigned", help="Only those assigned to nobody.")
    ] = False,
    filter_inbox_id: Annotated[
        str,
        Field(
            label="Filter inbox",
            options=list_inboxes,
            option_value="inbox_id",
            advanced=True,
        ),
    ] = "",
    filter_date_start: Annotated[
        datetime | None,
        Field(label="Filter date start", help="Only those updated since."),
    ] = None,
    filter_date_end: Annotated[
        datetime | None,
        Field(label="Filter date end", help="Only those updated until then."),
    ] = None,
    order_date_created: Annotated[
        bool,
        Field(
            label="Order by date created",
            help="Newest created first. Today's API takes a yes or no here, no date.",
        ),
    ] = False,
    order_date_updated: Annotated[
        bool,
        Field(
            label="Order by date updated",
            help="Last updated first. Today's API takes a yes or no here, no date.",
        ),
    ] = False,
    order_date_waiting: Annotated[
        bool,
        Field(label="Order by waiting time", help="Longest waiting first.", advanced=True),
    ] = False,
    limit: Limit = 10,
    website_id: Website = "",
) -> Request:
    """Gives the website's conversations that match, with state, person and last message."""
    query: dict[str, Any] = {
        "per_page": PAGE if limit > SHORT_PAGE else SHORT_PAGE,
        "search_query": search_query,
        "search_type": search_type,
        "search_operator": search_operator,
        "filter_assigned": filter_assigned,
        "filter_inbox_id": filter_inbox_id,
        "filter_date_start": iso(filter_date_start),
        "filter_date_end": iso(filter_date_end),
    }
    if search_filters:
        query |= {"search_type": "filter", "search_query": _conditions(search_filters)}
    flags = {
        "include_empty": include_empty,
        "filter_unread": filter_unread,
        "filter_resolved": filter_resolved,
        "filter_not_resolved": filter_not_resolved,
        "filter_mention": filter_mention,
        "filter_unassigned": filter_unassigned,
        "order_date_created": order_date_created,
        "order_date_updated": order_date_updated,
        "order_date_waiting": order_date_waiting,
    }
    query |= {name: 1 for name, on in flags.items() if on}
    query = {name: value for name, value in query.items() if value not in (None, "")}
    return Request("GET", f"{below(website_id, 'conversations')}/{{page}}", query=query)


def _conditions(filters: list[SearchFilter]) -> str:
    for row in filters:
        for key in ("model", "criterion", "operator"):
            if not row.get(key):
                raise BundleInvalid(
                    field="search_filters", reason=f"a condition has no {key}: {row!r}"
                )
    rows = [{**row, "query": row.get("query") or []} for row in filters]
    return json.dumps(rows, separators=(",", ":"), ensure_ascii=False)


Session = Annotated[
    str,
    Field(
        label="Session ID",
        help="The conversation.",
        example="session_11111111-1111-4111-8111-111111111111",
        key="session_id",
        options=search_conversations,
        option_value="session_id",
        option_label="meta.nickname",
    ),
]
Segments = Annotated[list[str] | None, Field(label="Segments")]
Fingerprinted = Annotated[
    int | None,
    Field(
        label="Unique message fingerprint",
        help="A number of your own, by which the message is known afterwards. Empty: one that "
        "belongs to this operation of this run, and stays the same if it is tried again.",
        minimum=0,
        advanced=True,
    ),
]


@crisp.action("Create a conversation", effect="once", items="data", probe=CONVERSATION_CREATED)
def create_conversation(website_id: Website = "") -> Request:
    """Creates an empty conversation and gives its session ID."""
    return Request("POST", below(website_id, "conversation"))


@crisp.action(
    "Start a conversation", effect="once", probe=CONVERSATION_STARTED, handle=fingerprinted
)
def start_conversation(
    text: Annotated[str, Field(label="Text", help="The first message.", multiline=True)],
    nickname: Annotated[str, Field(label="Name of the person")] = "",
    email: Annotated[str, Field(label="E-mail of the person", format="email")] = "",
    phone: Annotated[str, Field(label="Phone of the person", format="phone")] = "",
    subject: Annotated[str, Field(label="Subject")] = "",
    segments: Segments = None,
    from_: Annotated[
        Literal["user", "operator"],
        Field(label="Message sender", help="user: the person writes; operator: you do."),
    ] = "user",
    fingerprint: Fingerprinted = None,
    website_id: Website = "",
) -> Flow:
    """Creates a conversation, says whom it is with, and writes its first message."""
    created = yield Request("POST", below(website_id, "conversation"))
    session = session_of(created)
    given = {"nickname": nickname, "email": email, "phone": phone, "subject": subject}
    meta: dict[str, Any] = {name: value for name, value in given.items() if value}
    if segments:
        meta["segments"] = segments
    if meta:
        yield Request("PATCH", below(website_id, "conversation", session, "meta"), json=meta)
    message: dict[str, Any] = {"type": "text", "from": from_, "origin": "chat", "content": text}
    if fingerprint is not None:
        message["fingerprint"] = fingerprint
    sent = yield Request(
        "POST", below(website_id, "conversation", session, "message"), json=message
    )
    answer = sent.json()
    data = answer.get("data") if isinstance(answer, dict) else None
    return {"session_id": session, **(data if isinstance(data, dict) else {})}


def session_of(response: Response) -> str:
    """The session ID of a new conversation."""
    answer = response.json()
    data = answer.get("data") if isinstance(answer, dict) else None
    session = data.get("session_id") if isinstance(data, dict) else None
    if not isinstance(session, str) or not session:
        raise DataError(reason="Crisp did not say the session ID of the new conversation")
    return session


@crisp.action("Get a conversation", effect="read", items="data")
def get_conversation(session_id: Session, website_id: Website = "") -> Request:
    """Gives a conversation with its state, person, assignment and unread counts."""
    return Request("GET", below(website_id, "conversation", session_id))


@crisp.action("Remove a conversation", effect="idempotent")
def remove_conversation(session_id: Session, website_id: Website = "") -> Request:
    """Removes a conversation with all its messages, for good."""
    return Request("DELETE", below(website_id, "conversation", session_id))


@crisp.action("Change a conversation's state", effect="idempotent")
def change_conversation_state(
    session_id: Session,
    state: Annotated[Literal["pending", "unresolved", "resolved"], Field(label="State")],
    website_id: Website = "",
) -> Request:
    """Marks a conversation as pending, unresolved or resolved."""
    where = below(website_id, "conversation", session_id, "state")
    return Request("PATCH", where, json={"state": state})


@crisp.action("Assign a conversation", effect="idempotent")
def assign_conversation(
    session_id: Session,
    user_id: Annotated[
        str,
        Field(
            label="Operator",
            help="Who is to answer (user ID); empty: nobody any more.",
            options=operators,
            option_value="details.user_id",
            option_label="details.email",
        ),
    ] = "",
    silent: Annotated[
        bool, Field(label="Silent", help="Leave no note of it in the conversation.", advanced=True)
    ] = False,
    website_id: Website = "",
) -> Request:
    """Hands a conversation to an operator, or takes it back."""
    body: dict[str, Any] = {"assigned": {"user_id": user_id} if user_id else {}}
    if silent:
        body["silent"] = True
    return Request("PATCH", below(website_id, "conversation", session_id, "routing"), json=body)


Text = str | None
"""``erase`` in a mapping clears the field at Crisp; an empty value leaves it as it is."""


@crisp.action("Update a conversation's details", effect="idempotent")
def update_conversation_details(
    session_id: Session,
    nickname: Annotated[Text, Field(label="Name")] = "",
    email: Annotated[Text, Field(label="E-mail", format="email")] = "",
    phone: Annotated[Text, Field(label="Phone", format="phone")] = "",
    address: Annotated[Text, Field(label="Address")] = "",
    subject: Annotated[Text, Field(label="Subject")] = "",
    avatar: Annotated[Text, Field(label="Avatar URL", format="uri", advanced=True)] = "",
    segments: Annotated[
        list[str] | None,
        Field(label="Segments", help="Replaces those it has."),
    ] = [],  # noqa: B006  # a form's default; `bind` copies it
    data: Annotated[
        dict[str, Any],
        Field(label="Data", help="Names and values of your own.", advanced=True),
    ] = {},  # noqa: B006  # as above
    website_id: Website = "",
) -> Request:
    """Changes the fields that are filled in of the person and subject of a conversation."""
    given = {
        "nickname": nickname,
        "email": email,
        "phone": phone,
        "address": address,
        "subject": subject,
        "avatar": avatar,
        "segments": segments,
        "data": data,
    }
    body = {name: value for name, value in given.items() if value not in ("", [], {})}
    if not body:
        raise BundleInvalid(field="nickname", reason="nothing to change is given; fill in a field")
    return Request("PATCH", below(website_id, "conversation", session_id, "meta"), json=body)


@crisp.action("Block or unblock a conversation", effect="idempotent")
def block_conversation(
    session_id: Session,
    blocked: Annotated[bool, Field(label="Blocked")] = True,
    website_id: Website = "",
) -> Request:
    """Refuses further messages of the person in a conversation, or takes them again."""
    where = below(website_id, "conversation", session_id, "block")
    return Request("PATCH", where, json={"blocked": blocked})


@crisp.action("Schedule a reminder", effect="once")
def schedule_reminder(
    session_id: Session,
    date: Annotated[datetime, Field(label="Date")],
    note: Annotated[str, Field(label="Note", multiline=True)],
    website_id: Website = "",
) -> Request:
    """Reminds the operators of a conversation at a date, with a note."""
    return Request(
        "POST",
        below(website_id, "conversation", session_id, "reminder"),
        json={"date": iso(date), "note": note},
    )
