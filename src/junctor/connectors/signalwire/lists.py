"""What a project has: numbers, applications, number groups, recordings, faxes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated

from junctor.connectors.signalwire.account import LAML, signalwire
from junctor.connectors.signalwire.fields import (
    NEW,
    PAGES,
    Depth,
    Limit,
    When,
    day,
    filtered,
    rows,
    second,
    when,
)
from junctor.language.connector import Field, Flow, Paging, Request, path

REST = "/api/relay/rest"
REST_PAGES = Paging(style="next_url", size=1000, limit_param="page_size", next_key="links.next")
"""The REST API's lists: ``data``, and the next address in ``links``."""
RECORDINGS = f"{LAML}/Recordings"
FAXES = f"{LAML}/Faxes"


@signalwire.search("List numbers", items="data", paging=REST_PAGES, limit_field="limit")
def list_numbers(
    phone_number: Annotated[
        str, Field(label="Number", key="phoneNumber", help="Whole or a part of it.")
    ] = "",
    name: Annotated[str, Field(label="Name", help="Whole or a part of it.")] = "",
    limit: Limit = 100,
) -> Request:
    """Gives the phone numbers of the project, and what handles their calls and messages."""
    del limit
    query = rows(("filter_number", phone_number), ("filter_name", name))
    return Request("GET", f"{REST}/phone_numbers", query=query)


def number_field(label: str, help_text: str = "", *, advanced: bool = False) -> Field:
    """A phone number, with those of the project to pick from."""
    return Field(
        label=label,
        help=help_text,
        format="phone",
        options=list_numbers,
        option_value="number",
        option_label="name",
        advanced=advanced,
    )


@signalwire.search("List applications", items="applications", paging=PAGES, limit_field="limit")
def list_applications(
    friendly_name: Annotated[
        str, Field(label="Name", key="friendlyName", help="Only applications of this name.")
    ] = "",
    limit: Limit = 100,
) -> Request:
    """Gives the LaML applications of the project."""
    del limit
    return Request("GET", f"{LAML}/Applications", query=rows(("FriendlyName", friendly_name)))


@signalwire.search("List number groups", items="data", paging=REST_PAGES, limit_field="limit")
def list_number_groups(
    name: Annotated[str, Field(label="Name", help="Whole or a part of it.")] = "",
    limit: Limit = 100,
) -> Request:
    """Gives the number groups of the project, which choose the best number to send from."""
    del limit
    return Request("GET", f"{REST}/number_groups", query=rows(("filter_name", name)))


@signalwire.search("List recordings", items="recordings", paging=PAGES, limit_field="limit")
def list_recordings(
    call_sid: Annotated[
        str, Field(label="Call SID", key="callSid", help="Recordings of this call.")
    ] = "",
    conference_sid: Annotated[
        str,
        Field(
            label="Conference SID",
            key="conferenceSid",
            help="Recordings of this conference.",
            advanced=True,
        ),
    ] = "",
    date_created_type: Annotated[
        When, Field(label="Created is", key="dateCreatedType", help="Only with a date.")
    ] = "at",
    date_created: Annotated[datetime | None, Field(label="Created", key="dateCreated")] = None,
    limit: Limit = 10,
) -> Request:
    """Gives recordings of calls and conferences, newest first. Days are counted in UTC."""
    del limit
    pairs = [("CallSid", call_sid), ("ConferenceSid", conference_sid)]
    if date_created is not None:
        pairs.append(when("DateCreated", date_created_type, day(date_created)))
    return Request("GET", RECORDINGS, query=rows(*pairs))


RecordingSid = Annotated[
    str,
    Field(
        label="Recording SID",
        key="recordingSid",
        options=list_recordings,
        option_value="sid",
        option_label="date_created",
    ),
]


def _recorded_since(request: Request, since: datetime) -> Request:
    # Days after this one; a day more, as SignalWire does not say whose.
    return filtered(request, when("DateCreated", "after", day(since - timedelta(days=2))))


@signalwire.module(
    "Watch new recordings",
    kind="trigger",
    effect="read",
    items="recordings",
    paging=PAGES,
    limit_field="depth",
    poll=replace(NEW, since=_recorded_since),
)
def watch_new_recordings(limit: Limit = 10, depth: Depth = 1000) -> Request:
    """Starts when there is a new recording.

    It looks by schedule; *Watch recordings* hears at once, of calls that name its address.
    """
    del limit, depth
    return Request("GET", RECORDINGS)


@signalwire.action("Get a recording", effect="read")
def get_recording(recording_sid: RecordingSid) -> Request:
    """Gives a recording: its call, status, duration, channels and address."""
    return Request("GET", RECORDINGS + path(recording_sid))


@signalwire.action("Delete a recording", effect="idempotent")
def delete_recording(recording_sid: RecordingSid) -> Flow:
    """Removes a recording for good."""
    yield Request("DELETE", RECORDINGS + path(recording_sid))
    return {"sid": recording_sid, "deleted": True}


@signalwire.search("List faxes", items="faxes", paging=PAGES, limit_field="limit")
def list_faxes(
    from_: Annotated[str, Field(label="From", format="phone")] = "",
    to: Annotated[str, Field(label="To", format="phone")] = "",
    created_after: Annotated[
        datetime | None, Field(label="Created after", key="createdAfter", advanced=True)
    ] = None,
    created_until: Annotated[
        datetime | None, Field(label="Created until", key="createdUntil", advanced=True)
    ] = None,
    limit: Limit = 10,
) -> Request:
    """Gives faxes sent and received, newest first."""
    del limit
    query = rows(
        ("From", from_),
        ("To", to),
        ("DateCreatedAfter", created_after and second(created_after)),
        ("DateCreatedOnOrBefore", created_until and second(created_until)),
    )
    return Request("GET", FAXES, query=query)


def _faxed_since(request: Request, since: datetime) -> Request:
    # Later than this, by whole seconds.
    return filtered(request, ("DateCreatedAfter", second(since - timedelta(seconds=1))))


@signalwire.module(
    "Watch new faxes",
    kind="trigger",
    effect="read",
    items="faxes",
    paging=PAGES,
    limit_field="depth",
    poll=replace(NEW, since=_faxed_since),
)
def watch_new_faxes(limit: Limit = 10, depth: Depth = 1000) -> Request:
    """Starts when there is a new fax, in or out."""
    del limit, depth
    return Request("GET", FAXES)
