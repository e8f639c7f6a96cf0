"""OAuth 2.0's authorization code, as values: what to ask, and what an answer means. All pure.

RFC 6749 §4.1 (authorization code) and §6 (refresh), RFC 7636 (PKCE, S256 alone), RFC 9207 (issuer).
A connector says what is its vendor's own in an `OAuth`; `runtime.tokens` keeps and renews what was
given, `runtime.authorizing` takes the person there and back.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit, urlunsplit

from junctor.errors import (
    DataError,
    JunctorError,
    Misconfigured,
    RateLimited,
    Reconnect,
    VendorUnavailable,
)
from junctor.language.messages import Request, Response, Secret

__all__ = [
    "Client",
    "OAuth",
    "Token",
    "authorize_url",
    "challenge_of",
    "exchange",
    "granted",
    "renewal",
]

_MOST = 1024 * 1024
_OURS = re.compile("token|secret|expires|code", re.IGNORECASE)
"""Members of an answer that are no facts about the account, and must not be shown as such."""
_SECONDS = 20.0
"""A token is small and soon made; longer, and those who wait for it wait in vain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token as its vendor gave it (RFC 6749 §5.1)."""

    value: Secret
    expires_in: float | None = None
    """Seconds from when it was given; ``None``: not said."""
    refresh: Secret | None = None
    """What the next one may be had for."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else the vendor said of the account, and nothing secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The organisation's own application at the vendor."""

    id: str
    secret: Secret


def granted(response: Response) -> Token:
    """The token of a good answer, with its texts as facts.

    Raises `RateLimited` and `VendorUnavailable` if the vendor only can't answer now, `Reconnect`
    with its own words if it refuses.
    """
    status = response.status
    try:
        found: Any = response.json()
    except DataError:
        found = None
    found = found if isinstance(found, dict) else {}
    value = found.get("access_token")
    if not 200 <= status < 300 or not isinstance(value, str) or not value:
        raise _refused(status, found)
    age = found.get("expires_in")
    if isinstance(age, str) and age.isdecimal():
        age = float(age[:12])
    seconds = float(age) if isinstance(age, int | float) and age > 0 else None
    again = found.get("refresh_token")
    facts = {
        name: text
        for name, text in found.items()
        if isinstance(text, str) and not _OURS.search(name) and len(text) <= 2000
    }
    return Token(
        value=Secret(value),
        expires_in=seconds,
        refresh=Secret(again) if isinstance(again, str) and again else None,
        facts=facts,
    )


def _refused(status: int, found: Mapping[str, Any]) -> JunctorError:
    texts = [
        str(found[key])[:300]
        for key in ("error", "error_description", "message")
        if isinstance(found.get(key), str | list)
    ]
    said = "; ".join(dict.fromkeys(texts)) or "no reason given"
    if status == 429:
        return RateLimited(f"The token address refused for now (429): {said}")
    if status >= 500:
        return VendorUnavailable(f"The token address answered {status}: {said}", status=status)
    if 300 <= status < 400:
        return Misconfigured(
            f"The token address points elsewhere ({status}); credentials are not sent there."
        )
    if not texts and status not in {400, 401}:
        # No word of OAuth: a proxy's or a shop front's page, not a refusal of ours.
        return VendorUnavailable(f"The token address answered {status} and no token", status=status)
    return Reconnect(f"No access token was given ({status}): {said}.", status=status)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """How a kind of connection is authorised by its owner on the vendor's page. All pure.

    ``form`` is the connection's form with the organisation's own client.
    """

    authorize: Callable[[Any, str], str]
    """(form, base URL) → the address of the vendor's page; it may have a query."""
    token_url: str
    """A path below the base URL, or an absolute one. It never may redirect."""
    client: Callable[[Any], Client]
    put: Callable[[Any, Token], Any]
    """(form, token) → what the connection's ``sign`` and ``test`` get in place of the form."""
    scopes: Callable[[Any], tuple[str, ...]] = lambda _form: ()
    """What to ask for; connectors propose what only reads."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """More for the query of the vendor's page."""
    token_parameters: Callable[[Any], Mapping[str, str]] = lambda _form: {}
    """More for the bodies of both requests for tokens."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """More headers of the same."""
    pkce: bool = True
    """Whether a code challenge is sent (S256). Vendors that know none of it ignore it."""
    client_in: Literal["body", "header"] = "body"
    """Where the client's credentials stand (RFC 6749 §2.3.1)."""
    issuer: str = ""
    """What ``iss`` must be if it comes back (RFC 9207); empty: whatever it is."""
    granted: Callable[[Response], Token] = granted
    """The token of a good answer, else raises, as `granted` does."""
    account: Callable[[Token], tuple[str, str]] = lambda _token: ("", "")
    """(id, text for people) of whose account it is; connecting anew must give the same id."""
    derive: Callable[[Any, Token], Request | None] | None = None
    """(form, token) → the request for a narrower token that requests are to carry in its place,
    as a path below the base URL; ``None``: they carry the token itself."""


def challenge_of(verifier: str) -> str:
    """PKCE's challenge of a verifier (RFC 7636 §4.2, S256)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def authorize_url(
    oauth: OAuth, form: Any, base_url: str, *, redirect_uri: str, state: str, verifier: str
) -> str:
    """Where the person is sent; the verifier itself is not in it."""
    asked = {
        "response_type": "code",
        "client_id": oauth.client(form).id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(oauth.scopes(form)),
        **oauth.parameters,
        "state": state,
    }
    if oauth.pkce:
        asked |= {"code_challenge": challenge_of(verifier), "code_challenge_method": "S256"}
    parts = urlsplit(oauth.authorize(form, base_url))
    rows = [row for row in parse_qsl(parts.query, keep_blank_values=True) if row[0] not in asked]
    rows += [(name, text) for name, text in asked.items() if text]
    return urlunsplit(parts._replace(query=urlencode(rows), fragment=""))


def exchange(oauth: OAuth, form: Any, *, code: str, redirect_uri: str, verifier: str) -> Request:
    """The request for the tokens that a code stands for."""
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    if oauth.pkce:
        fields["code_verifier"] = verifier
    return _token_request(oauth, form, fields)


def renewal(oauth: OAuth, form: Any, refresh: Secret) -> Request:
    """The request for new tokens."""
    fields = {"grant_type": "refresh_token", "refresh_token": str.__str__(refresh)}
    return _token_request(oauth, form, fields)


def _token_request(oauth: OAuth, form: Any, fields: Mapping[str, str]) -> Request:
    client = oauth.client(form)
    secret = str.__str__(client.secret)
    body = {**fields, **oauth.token_parameters(form)}
    headers = {"Accept": "application/json", **oauth.headers}
    if oauth.client_in == "header":
        pair = f"{quote_plus(client.id)}:{quote_plus(secret)}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    else:
        body |= {"client_id": client.id, "client_secret": secret}
    return Request(
        "POST", oauth.token_url, headers=headers, form=body, timeout=_SECONDS, max_bytes=_MOST
    )
