"""The Toky account: an API key, and what Toky says when it refuses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import quote, unquote

from junctor.connectors.toky.assumptions import RATE, corrected, rate
from junctor.errors import DataError
from junctor.language.connector import (
    Budget,
    Connection,
    Connector,
    Field,
    Request,
    Response,
    Secret,
)
from junctor.language.phones import in_country

__all__ = ["BASE", "said", "toky"]

BASE = "https://api.toky.co/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A Toky account's API key: in its dashboard under Profile, API Keys (administrators only)."""

    api_key: Annotated[
        Secret, Field(label="API key", help="In Toky's dashboard under Profile, API Keys.")
    ]
    country: Annotated[
        str,
        Field(
            label="Country",
            help="Two letters, such as US: whose numbers are meant where one has no country code. "
            "Empty: such numbers go to Toky as they are typed.",
            example="US",
            advanced=True,
        ),
    ] = ""
    corrections: Annotated[
        str,
        Field(
            label="Corrections",
            help="Addresses, names and the rate of requests that Toky does not publish and that "
            "differ for this account, one a line; see the page about this connector.",
            multiline=True,
            advanced=True,
        ),
    ] = ""


def sign(request: Request, account: ApiKey) -> Request:
    """Adds the key's header, as Toky's developer pages describe, and brings phone numbers into
    E.164 form.
    """
    changed = corrected(_dialable(request, account.country), account.corrections)
    return changed.with_headers(X_Toky_Key=str(account.api_key))


_PHONES = {"phone": False, "from": True, "to": True}
"""Keys of bodies that hold a phone number, and whether a sender's name or a short code will do."""


def _dialable(request: Request, country: str) -> Request:
    """The request with every phone number of its body and its address in E.164 form."""
    head, slash, last = request.url.rpartition("/")
    typed = unquote(last)
    if head.endswith("/contacts") and (typed.startswith("+") or (country and typed.isdigit())):
        number = in_country(typed, country, field="phone", senders=False)
        request = replace(request, url=head + slash + quote(number, safe=""))
    body = request.json
    if not isinstance(body, dict) or not _PHONES.keys() & body.keys():
        return request
    made = {
        key: in_country(value, country, field=key, senders=_PHONES[key], national=True)
        if key in _PHONES
        else value
        for key, value in body.items()
    }
    return replace(request, json=made)


def said(response: Response) -> str:
    """Toky's own message, from the one shape of refusal that is documented."""
    try:
        content = response.json()
    except DataError:
        return ""
    if not isinstance(content, dict):
        return ""
    text = content.get("error_message") or content.get("message") or content.get("error")
    return text if isinstance(text, str) else ""


toky = Connector(
    name="toky",
    label="Toky",
    docs="https://developer.toky.co/",
    help="Calls, text messages, voicemails and contacts of a Toky account.",
    connections={
        "toky": Connection(
            form=ApiKey,
            base_url=BASE,
            sign=sign,
            test=Request("GET", "/agents", query={"limit": "1"}),
            label="Toky",
            budgets=(
                Budget(
                    name="rate",
                    amount=RATE[0],
                    window=RATE[1],
                    told=lambda account: rate(account.corrections),
                ),
            ),
        )
    },
    error_text=said,
)
