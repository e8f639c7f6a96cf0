"""The HighLevel account: a private integration's token for one location."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import quote

import phonenumbers

from junctor.errors import DataError, Misconfigured
from junctor.language.connector import (
    Connection,
    Connector,
    Field,
    Request,
    Response,
    Secret,
    path,
)

__all__ = ["BASE", "LOCATION", "OWN", "PHONES", "V3", "VERSION", "highlevel", "said"]

BASE = "https://services.leadconnectorhq.com"
VERSION = "2021-07-28"
"""The API version of requests that are no module's, such as those for tokens."""
V3 = "v3"
"""The API version of the vendor's current specification (2026-06-11); an operation that only an
older one has, or that the specification still gives a date, names its own in a header."""
LOCATION = "{location}"
"""In path, query or body: the connection's location, put in when the request is signed. At the same
time phone numbers (`PHONES`) are brought into E.164 form by the connection's country."""
PHONES = ("phone", "fromNumber", "toNumber", "number")
"""Fields of bodies and queries that hold a phone number."""
OWN = ("locationId", "altId", "location_id")
"""Fields of bodies and queries that may hold `LOCATION`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateIntegration:
    """A private integration of a sub-account: in its settings under Private Integrations."""

    token: Annotated[Secret, Field(label="Token", help="Begins with `pit-`.")]
    location_id: Annotated[
        str,
        Field(
            label="Location ID",
            help="In the sub-account's settings under Business Profile.",
        ),
    ]
    country: Annotated[
        str,
        Field(
            label="Country",
            help="Two letters, such as US: for phone numbers written without a country code.",
            example="US",
        ),
    ] = "US"


def sign(request: Request, account: PrivateIntegration) -> Request:
    """Adds token, version and location, as HighLevel's page on authorization describes."""
    headers = {"Version": V3, **request.headers, "Authorization": f"Bearer {account.token!s}"}
    query, body, url = request.query, request.json, request.url
    asked = [*dict(query).values(), *(body.values() if isinstance(body, dict) else ())]
    if not account.location_id and (LOCATION in url or LOCATION in asked):
        raise Misconfigured(
            "This module works in a sub-account, and the connection is an agency's: "
            "name the sub-account in its Location ID."
        )
    if isinstance(query, Mapping):
        query = _filled(query, account)
    if isinstance(body, dict):
        body = _filled(body, account)
    if LOCATION in url:
        url = url.replace(LOCATION, quote(account.location_id, safe=""))
    return replace(request, url=url, headers=headers, query=query, json=body)


def _filled(values: Mapping[str, Any], account: PrivateIntegration) -> dict[str, Any]:
    made = dict(values)
    for key in OWN:
        if made.get(key) == LOCATION:
            made[key] = account.location_id
    for key in PHONES:
        if isinstance(made.get(key), str):
            made[key] = e164(made[key], account.country)
    return made


def e164(phone: str, country: str) -> str:
    """A phone number in E.164 form; as it was, if it can't be read as one."""
    try:
        number = phonenumbers.parse(phone, country.strip().upper() or None)
    except phonenumbers.NumberParseException:
        return phone
    if not phonenumbers.is_possible_number(number):
        return phone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def said(response: Response) -> str:
    """HighLevel's own message: ``message`` (text or list) of its date versions, or ``error`` as an
    object with ``message`` and ``resolution`` of v3.
    """
    try:
        content = response.json()
    except DataError:
        return ""
    if not isinstance(content, dict):
        return ""
    found: Any = content.get("message")
    error = content.get("error")
    if found is None and isinstance(error, dict):
        texts = (error.get("message"), error.get("resolution"))
        found = [text for text in texts if text]
    if found is None:
        found = error or content.get("detail")
    if isinstance(found, list):
        return "; ".join(str(item) for item in found)
    return found if isinstance(found, str) else ""


highlevel = Connector(
    name="highlevel",
    label="HighLevel",
    docs="https://marketplace.gohighlevel.com/docs/",
    help="Contacts, tasks, opportunities, calendars, conversations and all else of HighLevel.",
    connections={
        "private_integration": Connection(
            form=PrivateIntegration,
            base_url=BASE,
            sign=sign,
            test=lambda account: Request("GET", path("locations", account.location_id)),
            label="Private integration",
        )
    },
    error_text=said,
)
