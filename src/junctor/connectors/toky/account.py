"""The Toky account: an API key, and what Toky says when it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from junctor.connectors.toky.assumptions import corrected
from junctor.errors import DataError
from junctor.language.connector import Connection, Connector, Field, Request, Response, Secret

__all__ = ["BASE", "said", "toky"]

BASE = "https://api.toky.co/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A Toky account's API key: in its dashboard under Profile, API Keys (administrators only)."""

    api_key: Annotated[Secret, Field(label="API key")]
    corrections: Annotated[
        str,
        Field(
            label="Corrections",
            help="Addresses and names that Toky does not publish and that differ for this "
            "account, one a line; see the page about this connector.",
            multiline=True,
            advanced=True,
        ),
    ] = ""


def sign(request: Request, account: ApiKey) -> Request:
    """Adds the key's header, as Toky's developer pages describe."""
    changed = corrected(request, account.corrections)
    return changed.with_headers(X_Toky_Key=str(account.api_key))


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
        )
    },
    error_text=said,
)
