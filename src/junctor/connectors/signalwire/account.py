"""The SignalWire account: a project of a space, and what SignalWire says when it refuses."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import quote

from junctor.connectors.signalwire.assumptions import CODES_FOR_NOW, STATUS_REFUSED
from junctor.connectors.signalwire.budgets import BUDGETS
from junctor.errors import BundleInvalid, DataError, JunctorError, RateLimited, Reconnect
from junctor.language.calls import retry_after
from junctor.language.connector import Connection, Connector, Field, Request, Response, Secret
from junctor.language.phones import in_country

__all__ = ["BASE", "LAML", "PROJECT", "Project", "base_of", "said", "sign", "signalwire"]

BASE = "https://example.signalwire.com"
"""Only an example: every space has a host of its own."""
PROJECT = "{project}"
"""In a path: the connection's project, put in when the request is signed. What is mapped can't
hold it: `path` quotes braces."""
LAML = f"/api/laml/2010-04-01/Accounts/{PROJECT}"
"""Where the Compatibility API keeps a project."""

_SPACE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_PHONES = {"From": "from", "To": "to", "CallerId": "callerId"}
"""Parameters that hold who calls or is called, and the fields of our forms that fill them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project's API credentials: in its dashboard under API. The token needs the scopes of what
    it is used for: Voice, Messaging, Numbers, Fax.
    """

    space: Annotated[
        str,
        Field(
            label="Space name",
            help="What stands before `.signalwire.com` in your dashboard's address; the whole "
            "address will do, too.",
            example="acme",
        ),
    ]
    project_id: Annotated[str, Field(label="Project ID")]
    api_token: Annotated[Secret, Field(label="API token", help="Begins with `PT`.")]
    country: Annotated[
        str,
        Field(
            label="Country",
            help="Two letters: whose numbers are meant where one has no country code.",
            example="US",
            advanced=True,
        ),
    ] = "US"

    def __post_init__(self) -> None:
        """Refuses a space that is no host name of SignalWire's."""
        host_of(self.space)


def host_of(space: str) -> str:
    """The host of a space, from its name or address. `BundleInvalid` if it is neither."""
    text = space.strip().lower().removeprefix("https://").rstrip("/")
    name = text.removesuffix(".signalwire.com")
    if not _SPACE.fullmatch(name) or len(name) > 63:
        raise BundleInvalid(
            field="space",
            reason=f"{space[:80]!r} is no space of SignalWire; give what stands before "
            ".signalwire.com in your dashboard's address, such as acme",
        )
    return f"{name}.signalwire.com"


def base_of(account: Project) -> str:
    """The account's own base URL."""
    return f"https://{host_of(account.space)}"


def sign(request: Request, account: Project) -> Request:
    """Adds project and token (HTTP Basic), and brings phone numbers into E.164 form."""
    project = account.project_id.strip()
    pair = f"{project}:{account.api_token!s}".encode()
    headers = {**request.headers, "Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return replace(
        request,
        url=request.url.replace(PROJECT, quote(project, safe="")),
        headers=headers,
        form=_with_phones(request.form, account.country),
        query=_with_phones(request.query, account.country),
    )


def _with_phones(rows: Any, country: str) -> Any:
    if not rows:
        return rows
    pairs: Iterable[tuple[str, Any]] = rows.items() if isinstance(rows, Mapping) else rows
    named = [
        (key, in_country(value, country, field=_PHONES[key]) if key in _PHONES else value)
        for key, value in pairs
    ]
    return dict(named) if isinstance(rows, Mapping) else tuple(named)


def said(response: Response) -> str:
    """SignalWire's own message, from any of the shapes that its APIs use."""
    return "; ".join(text for _, text in _reasons(response))


def _reasons(response: Response) -> list[tuple[str, str]]:
    """Code and message of each thing that is wrong.

    Compatibility: an object with ``code``, ``message``, ``more_info`` and ``status``, or a list
    ``errors`` of such objects or of texts. REST: ``errors`` of objects with ``code``, ``message``
    and ``attribute``, or ``detail`` and ``title``; or ``error``, a text.
    """
    try:
        content = response.json()
    except DataError:
        return []
    if not isinstance(content, dict):
        return []
    found = content.get("errors")
    rows = found if isinstance(found, list) else [content]
    return [reason for row in rows if (reason := _reason(row)) is not None]


def _reason(row: Any) -> tuple[str, str] | None:
    if isinstance(row, str):
        return ("", row)
    if not isinstance(row, dict):
        return None
    text = row.get("message") or row.get("detail") or row.get("title") or row.get("error")
    if not isinstance(text, str):
        return None
    code = str(row.get("code") or "")
    where = row.get("attribute")
    named = f"{where}: {text}" if isinstance(where, str) and where else text
    return (code, f"{named} ({code})" if code else named)


def errors(response: Response) -> JunctorError | None:
    """What a refusal means beyond the general rules: a token that may not, a queue that is full."""
    reasons = _reasons(response)
    text = "; ".join(text for _, text in reasons) or "no reason given"
    if response.status in STATUS_REFUSED:
        return Reconnect(
            f"SignalWire refused the connection ({response.status}): {text}. Check its space, "
            "project and token, and that the token has the scope for this module (Voice, "
            "Messaging, Numbers or Fax).",
            status=response.status,
            reason=text,
        )
    if any(code in CODES_FOR_NOW for code, _ in reasons):
        return RateLimited(
            f"SignalWire refused for now: {text}.",
            retry_after=retry_after(response.headers),
            status=response.status,
            reason=text,
        )
    return None


signalwire = Connector(
    name="signalwire",
    label="SignalWire",
    docs="https://signalwire.com/docs",
    help="Calls, messages, recordings and numbers of a SignalWire project.",
    connections={
        "signalwire": Connection(
            form=Project,
            base_url=BASE,
            base_of=base_of,
            sign=sign,
            test=Request("GET", LAML),
            budgets=BUDGETS,
            label="SignalWire",
        )
    },
    errors=errors,
    error_text=said,
)
