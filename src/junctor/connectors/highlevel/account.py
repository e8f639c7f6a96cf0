"""HighLevel accounts: a private integration's token, or OAuth with the organisation's own app.

Facts: the vendor's page *Authorization* and `apps/oauth.json` of its specifications (CC0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import quote

from junctor.connectors.highlevel.app_hook import APP_HOOK
from junctor.connectors.highlevel.budgets import BUDGETS
from junctor.errors import DataError, Misconfigured
from junctor.language.connector import (
    Connection,
    Connector,
    Field,
    OAuth,
    Request,
    Response,
    Secret,
    Token,
    path,
)
from junctor.language.oauth import Client
from junctor.language.phones import in_country

__all__ = ["BASE", "LOCATION", "OWN", "PHONES", "V3", "VERSION", "highlevel", "said"]

BASE = "https://services.leadconnectorhq.com"
VERSION = "2021-07-28"
"""The API version of requests that are no module's, such as those for tokens."""
V3 = "v3"
"""The API version of the vendor's current specification (2026-06-11); an operation that only an
older one has, or that the specification still gives a date, names its own in a header."""
CONSENT = "https://marketplace.gohighlevel.com/v2/oauth/chooselocation"
READ_ONLY = (
    "businesses.readonly calendars.readonly calendars/events.readonly contacts.readonly "
    "conversations.readonly conversations/message.readonly locations.readonly "
    "locations/customFields.readonly locations/tags.readonly opportunities.readonly "
    "users.readonly"
)
"""What a new connection asks for: to look, and to change nothing."""
AGENCY = ("companies.readonly", "oauth.readonly", "oauth.write")
"""What an agency's access needs besides: ``oauth.write`` is HighLevel's name for fetching the token
of a sub-account."""
LOCATION = "{location}"
"""In path, query or body: the connection's location, put in when the request is signed. At the same
time phone numbers (`PHONES`) are brought into E.164 form by the connection's country."""
PHONES = {"phone": False, "fromNumber": True, "toNumber": True}
"""Fields of bodies and queries that hold a phone number, and whether a sender's name or a short
code will do, too."""
_DUPLICATE = "/contacts/search/duplicate"
"""The only operation whose ``number`` is a phone number; others number invoices and orders."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app of your own in HighLevel's marketplace, and what it is to be allowed."""

    client_id: Annotated[str, Field(label="Client ID", help="In the app's settings under Auth.")]
    client_secret: Annotated[Secret, Field(label="Client secret")]
    scopes: Annotated[
        str,
        Field(
            label="Scopes",
            help="What it may do, separated by spaces; the app must have them. The usual ones only "
            "look. To change contacts add `contacts.write`, and so on.",
            multiline=True,
        ),
    ] = READ_ONLY
    access: Annotated[
        Literal["Location", "Company"],
        Field(
            label="Access",
            help="`Location`: the sub-account that is chosen on HighLevel's page; `Company`: the "
            "agency.",
        ),
    ] = "Location"
    location_id: Annotated[
        str,
        Field(
            label="Location ID",
            help="With access `Company`: the sub-account to work in. Its own token is fetched with "
            "the agency's. With access `Location`: leave it empty.",
        ),
    ] = ""
    country: Annotated[
        str,
        Field(
            label="Country",
            help="Two letters, such as US: for phone numbers written without a country code.",
            example="US",
        ),
    ] = "US"
    consent_url: Annotated[
        str,
        Field(
            label="Page of consent",
            help="Empty: HighLevel's own. White label: "
            "`https://marketplace.leadconnectorhq.com/v2/oauth/chooselocation`.",
            format="uri",
            advanced=True,
        ),
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed(PrivateIntegration):
    """What requests are signed with once an app is allowed."""

    company_id: str = ""


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
        if url.endswith(_DUPLICATE) and "number" in query:
            query["number"] = in_country(
                query["number"], account.country, field="number", senders=False
            )
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
    for key, senders in PHONES.items():
        if key in made:
            made[key] = in_country(made[key], account.country, field=key, senders=senders)
    return made


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


def _consent(account: App, base_url: str) -> str:
    # Who points the connection at a simulator or a proxy finds the page there.
    return account.consent_url or (
        CONSENT if base_url == BASE else f"{base_url}/v2/oauth/chooselocation"
    )


def _scopes(account: App) -> tuple[str, ...]:
    more = AGENCY if account.access == "Company" else ()
    return tuple(dict.fromkeys((*account.scopes.split(), *more)))


def _put(account: App, token: Token) -> Allowed:
    given = token.facts.get("locationId", "")
    if given and account.location_id not in {"", given}:
        raise Misconfigured(
            f"HighLevel allowed the location {given}, and the connection names "
            f"{account.location_id}: authorise it for that one, or leave Location ID empty."
        )
    return Allowed(
        token=token.value,
        location_id=account.location_id or given,
        country=account.country,
        company_id=token.facts.get("companyId", ""),
    )


def _of_location(account: App, token: Token) -> Request | None:
    """The sub-account's token, by the agency's (``get-location-access-token``)."""
    if token.facts.get("userType") != "Company" or not account.location_id:
        return None
    return Request(
        "POST",
        path("oauth", "locationToken"),
        headers={
            "Accept": "application/json",
            "Authorization": f"Bearer {token.value!s}",
            "Version": VERSION,
        },
        form={
            "companyId": token.facts.get("companyId", ""),
            "locationId": account.location_id,
        },
        timeout=20,
    )


def _whose(token: Token) -> tuple[str, str]:
    location, company = token.facts.get("locationId", ""), token.facts.get("companyId", "")
    if location:
        return f"location:{location}", f"location {location}"
    return (f"company:{company}", f"agency {company}") if company else ("", "")


def _test(account: PrivateIntegration) -> Request:
    if not account.location_id and isinstance(account, Allowed):
        return Request("GET", path("companies", account.company_id))
    return Request("GET", path("locations", account.location_id))


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
            test=_test,
            label="Private integration",
            budgets=BUDGETS,
        ),
        "oauth": Connection(
            form=App,
            base_url=BASE,
            sign=sign,
            test=_test,
            oauth=OAuth(
                authorize=_consent,
                token_url="/oauth/token",  # noqa: S106  a path, no password
                client=lambda account: Client(id=account.client_id, secret=account.client_secret),
                put=_put,
                scopes=_scopes,
                token_parameters=lambda account: {"user_type": account.access},
                account=_whose,
                derive=_of_location,
            ),
            label="OAuth 2.0",
            budgets=BUDGETS,
            help="An app of your own in HighLevel's marketplace, allowed by a sub-account or an "
            "agency. Its redirect address is `/oauth/callback` at Junctor's public address.",
        ),
    },
    error_text=said,
    app_hook=APP_HOOK,
)
