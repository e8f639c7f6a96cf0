"""What can be asked of Toky and done in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from junctor.connectors.toky.account import BASE, said, toky
from junctor.connectors.toky.assumptions import KEYS, route
from junctor.connectors.toky.recovery import (
    CONTACT_CREATED,
    MESSAGE_SENT,
    contact_in,
    digits,
)
from junctor.errors import BundleInvalid, VendorRefused
from junctor.language.calls import add_api_call, refusal
from junctor.language.connector import Bundle, Field, Flow, Paging, Poll, Request, path

PAGES = Paging(style="offset", size=500, param="offset", next_key="next")
"""Up to 500 rows a page, counted from 0; ``next`` is null on the last one."""

Limit = Annotated[int, Field(label="Limit", help="The most results per cycle.", minimum=1)]


@toky.search("List agents", items="results", paging=PAGES, limit_field="limit")
def list_agents(limit: Limit = 10) -> Request:
    """Gives the agents of the account: e-mail, name, number and whether they are administrators."""
    del limit
    return Request("GET", "/agents")


def _mark(contact: Bundle) -> str:
    """Another text when a contact has changed; when it was last called or saved is no change."""
    kept = {
        key: value
        for key, value in contact.items()
        if not key.startswith("last_") and not key.startswith("updated")
    }
    content = json.dumps(kept, sort_keys=True, default=str).encode()
    return hashlib.blake2b(content, digest_size=8).hexdigest()


@toky.search("List contacts", items="results", paging=PAGES, limit_field="limit")
def list_contacts(limit: Limit = 10) -> Request:
    """Gives the contacts of the phone directory."""
    del limit
    return Request("GET", "/contacts")


_BY_PHONE = Poll(id=lambda contact: str(contact.get("phone")), newest_first=False)
_directory = partial(toky.module, kind="trigger", effect="read", items="results", paging=PAGES)


@_directory("Watch new contacts", poll=_BY_PHONE)
def watch_new_contacts(limit: Limit = 10) -> Request:
    """Starts when a phone number is new in the phone directory.

    Toky tells nothing of contacts, so the whole directory is read and compared each time.
    """
    del limit
    return Request("GET", "/contacts")


@_directory("Watch new and changed contacts", poll=replace(_BY_PHONE, mark=_mark))
def watch_contacts(limit: Limit = 10) -> Request:
    """Starts when a contact of the phone directory is new, or differs from what it was.

    Toky tells nothing of contacts, so the whole directory is read and compared each time.
    """
    del limit
    return Request("GET", "/contacts")


Phone = Annotated[
    str,
    Field(
        label="Phone number",
        help="With the country code, or a number of the connection's country.",
        example="+15551234567",
        format="phone",
        options=list_contacts,
        option_value="phone",
        option_label="contact_name",
    ),
]
NewPhone = Annotated[
    str,
    Field(
        label="Phone number",
        help="With the country code, or a number of the connection's country.",
        example="+15551234567",
        format="phone",
    ),
]
Agent = Annotated[
    str,
    Field(
        label="Agent's e-mail",
        options=list_agents,
        option_value="email",
        option_label="fullname",
        format="email",
    ),
]
Email = Annotated[str, Field(label="E-mail", key="email", format="email")]


def _number(phone: str) -> str:
    """The number as Toky keys its directory. `BundleInvalid` on what has no digit, or letters."""
    number = digits(phone)
    if any(letter.isalpha() for letter in number) or not any(map(str.isdigit, number)):
        raise BundleInvalid(
            field="phone",
            reason=f"{phone[:40]!r} is no phone number; write it with its country code, such as "
            "+12025550142",
        )
    return number


@toky.action("Get a contact", effect="read")
def get_contact(phone: Phone) -> Flow:
    """Gives the contact with a phone number; an unknown number gives an empty bundle.

    So a router after it can tell known callers from unknown ones: the filter *phone exists* lets
    only known ones through.
    """
    method, where = route("get_contact", path(_number(phone)))
    response = yield Request(method, where, raises=False)
    if response.status == 404:
        return {}
    error = refusal(response, "read", reason=said(response))
    if error is not None:
        raise error
    return contact_in(response.json())


@toky.action("Create a contact", effect="once", probe=CONTACT_CREATED)
def create_contact(
    created_by: Annotated[
        Agent,
        Field(
            label="Created by (agent's e-mail)",
            key="createdBy",
            options=list_agents,
            option_value="email",
            option_label="fullname",
            format="email",
        ),
    ],
    phone: NewPhone,
    first_name: Annotated[str, Field(label="First name", key="firstName", example="Ada")] = "",
    last_name: Annotated[str, Field(label="Last name", key="lastName", example="Lovelace")] = "",
    email: Email = "",
) -> Request:
    """Adds a contact to the phone directory; its phone number must be new there."""
    return Request(
        "POST",
        "/contacts",
        json=_fields(
            created_by=created_by,
            first_name=first_name,
            last_name=last_name,
            phone=_number(phone),
            email=email,
        ),
    )


@toky.action("Update a contact", effect="idempotent")
def update_contact(
    phone: Phone,
    first_name: Annotated[str, Field(label="First name", key="firstName", example="Ada")] = "",
    last_name: Annotated[str, Field(label="Last name", key="lastName", example="Lovelace")] = "",
    email: Email = "",
    company: Annotated[
        str, Field(label="Company name", key="companyName", example="Analytical Engines")
    ] = "",
) -> Request:
    """Changes the fields that are filled in of the contact with a phone number."""
    method, where = route("update_contact", path(_number(phone)))
    body = _fields(first_name=first_name, last_name=last_name, email=email, company=company)
    return Request(method, where, json=body)


def _fields(**values: str) -> dict[str, str]:
    return {KEYS[name]: value for name, value in values.items() if value}


Since = Annotated[
    datetime | None,
    Field(label="Date from", key="dateFrom", help="Only of this day and later.", advanced=True),
]
Until = Annotated[
    datetime | None,
    Field(label="Date to", key="dateTo", help="Only of this day and earlier.", advanced=True),
]


def _days(since: datetime | None, until: datetime | None) -> dict[str, str]:
    """A query for rows of some days, as *SMS by date* describes its filter. Days are of GMT."""
    parts = [
        f"(created_at {sign} {date.astimezone(UTC).date().isoformat()})"
        for sign, date in ((">=", since), ("<=", until))
        if date is not None
    ]
    return {"filter": " AND ".join(parts)} if parts else {}


@toky.search("List text messages", items="results", paging=PAGES, limit_field="limit")
def list_text_messages(
    limit: Limit = 10, date_from: Since = None, date_to: Until = None
) -> Request:
    """Gives text messages sent and received, newest first."""
    del limit
    return Request(*route("list_messages"), query=_days(date_from, date_to))


@toky.action("Create a text message", effect="once", probe=MESSAGE_SENT)
def create_text_message(
    from_: Annotated[
        str,
        Field(
            label="From",
            help="A Toky number that can send text messages.",
            example="+15551234567",
            format="phone",
            options=list_agents,
            option_value="phone_number",
            option_label="fullname",
        ),
    ],
    to: Annotated[
        str,
        Field(
            label="To",
            help="With the country code, or a number of the connection's country.",
            example="+15551234567",
            format="phone",
            options=list_contacts,
            option_value="phone",
            option_label="contact_name",
        ),
    ],
    text: Annotated[str, Field(label="Text", help="What the message says.", multiline=True)],
    email: Annotated[
        Agent,
        Field(
            label="Agent's e-mail",
            help="Who sends it.",
            options=list_agents,
            option_value="email",
            option_label="fullname",
            format="email",
        ),
    ],
) -> Flow:
    """Sends a text message."""
    response = yield Request(
        "POST",
        "/sms/send",
        json={"from": digits(from_), "to": digits(to), "text": text, "email": email},
    )
    answer = response.json()
    # Toky answers 200 to a message it refuses; only ``success`` tells (its PHP sample tests that).
    if isinstance(answer, dict) and answer.get("success") in {False, "false"}:
        raise VendorRefused(status=response.status, reason=said(response) or "it gave no reason")
    return answer if isinstance(answer, dict) else {}


@toky.search("List voicemails", items="results", paging=PAGES, limit_field="limit")
def list_voicemails(limit: Limit = 10) -> Request:
    """Gives voicemails, newest first."""
    del limit
    return Request(*route("list_voicemails"))


@toky.action("Get a voicemail", effect="read")
def get_voicemail(
    voicemail_id: Annotated[
        str,
        Field(label="Voicemail", key="voicemailId", options=list_voicemails, option_label="from"),
    ],
) -> Flow:
    """Gives a voicemail with the address of its recording, also as `recording_url`."""
    response = yield Request(*route("get_voicemail", path(voicemail_id)))
    return _with_recording(response.json())


@toky.search("List calls", items="results", paging=PAGES, limit_field="limit")
def list_calls(limit: Limit = 10, date_from: Since = None, date_to: Until = None) -> Request:
    """Gives call data records: who called whom, when, how long, and how it ended."""
    del limit
    return Request("GET", "/cdrs", query=_days(date_from, date_to))


Call = Annotated[
    str,
    Field(
        label="Call ID",
        key="callId",
        options=list_calls,
        option_value="callid",
        option_label="from",
    ),
]


@toky.action("Get a call's recording", effect="read")
def get_recording(call_id: Call) -> Flow:
    """Gives the address of a call's recording as `recording_url`."""
    response = yield Request("GET", path("recordings", call_id))
    return _with_recording(response.json())


@toky.action("Delete a call's recording", effect="idempotent")
def delete_recording(call_id: Call) -> Request:
    """Deletes the recording of a call, for good."""
    return Request("DELETE", path("recordings", call_id))


def _with_recording(found: object) -> Bundle:
    """What is told of a recording, and its address under one name: Toky has several."""
    if not isinstance(found, dict):
        return {"recording_url": found} if isinstance(found, str) else {}
    named = (found.get(key) for key in ("recording_url", "record_url", "url"))
    return {**found, "recording_url": next((url for url in named if url), "")}


add_api_call(
    toky,
    base=BASE,
    docs="For example `/v1/contacts`.",
    example="/v1/contacts",
    error_text=said,
)
