"""What can be asked of Toky and done in it."""

from __future__ import annotations

from typing import Annotated, Any

from junctor.connectors.toky.account import BASE, said, toky
from junctor.connectors.toky.assumptions import KEYS, route
from junctor.errors import VendorRefused
from junctor.language.calls import add_api_call, refusal
from junctor.language.connector import Bundle, Field, Flow, Paging, Request, path

PAGES = Paging(style="offset", size=500, param="offset", next_key="next")
"""Up to 500 rows a page, counted from 0; ``next`` is null on the last one."""

Limit = Annotated[int, Field(label="Limit", help="The most results per cycle.", minimum=1)]


@toky.search("List agents", items="results", paging=PAGES, limit_field="limit")
def list_agents(limit: Limit = 10) -> Request:
    """Gives the agents of the account: e-mail, name, number and whether they are administrators."""
    del limit
    return Request("GET", "/agents")


@toky.search("List contacts", items="results", paging=PAGES, limit_field="limit")
def list_contacts(limit: Limit = 10) -> Request:
    """Gives the contacts of the phone directory."""
    del limit
    return Request("GET", "/contacts")


Phone = Annotated[
    str,
    Field(
        label="Phone number",
        help="With the country code.",
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
        label="Phone number", help="With the country code.", example="+15551234567", format="phone"
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


@toky.action("Get a contact", effect="read")
def get_contact(phone: Phone) -> Flow:
    """Gives the contact with a phone number; an unknown number gives an empty bundle.

    So a router after it can tell known callers from unknown ones: the filter *phone exists* lets
    only known ones through.
    """
    method, where = route("get_contact", path(_digits(phone)))
    response = yield Request(method, where, raises=False)
    if response.status == 404:
        return {}
    error = refusal(response, "read", reason=said(response))
    if error is not None:
        raise error
    return _contact(response.json())


def _contact(found: Any) -> Bundle:
    """One contact, from an object or from a page of at most one."""
    if isinstance(found, dict) and isinstance(found.get("results"), list):
        found = found["results"][0] if found["results"] else {}
    return found if isinstance(found, dict) else {}


def _digits(phone: str) -> str:
    """A phone number as Toky keys its directory: no blanks, dots or brackets."""
    return "".join(letter for letter in phone if letter not in " ()-./\u00a0")


@toky.action("Create a contact", effect="once")
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
    first_name: Annotated[str, Field(label="First name", key="firstName")] = "",
    last_name: Annotated[str, Field(label="Last name", key="lastName")] = "",
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
            phone=_digits(phone),
            email=email,
        ),
    )


@toky.action("Update a contact", effect="idempotent")
def update_contact(
    phone: Phone,
    first_name: Annotated[str, Field(label="First name", key="firstName")] = "",
    last_name: Annotated[str, Field(label="Last name", key="lastName")] = "",
    email: Email = "",
    company: Annotated[str, Field(label="Company name", key="companyName")] = "",
) -> Request:
    """Changes the fields that are filled in of the contact with a phone number."""
    method, where = route("update_contact", path(_digits(phone)))
    body = _fields(first_name=first_name, last_name=last_name, email=email, company=company)
    return Request(method, where, json=body)


def _fields(**values: str) -> dict[str, str]:
    return {KEYS[name]: value for name, value in values.items() if value}


@toky.search("List text messages", items="results", paging=PAGES, limit_field="limit")
def list_text_messages(limit: Limit = 10) -> Request:
    """Gives text messages sent and received, newest first."""
    del limit
    return Request(*route("list_messages"))


@toky.action("Send a text message", effect="once")
def create_text_message(
    from_: Annotated[
        str,
        Field(label="From", help="A Toky number that can send text messages.", format="phone"),
    ],
    to: Annotated[str, Field(label="To", example="+15551234567", format="phone")],
    text: Annotated[str, Field(label="Text", multiline=True)],
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
        json={"from": _digits(from_), "to": _digits(to), "text": text, "email": email},
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
) -> Request:
    """Gives a voicemail with the address of its recording."""
    return Request(*route("get_voicemail", path(voicemail_id)))


add_api_call(
    toky,
    base=BASE,
    docs="For example `/v1/contacts`.",
    example="/v1/contacts",
    error_text=said,
)
