"""Accounts of services without a connector: keys, passwords, tokens, certificates, proxies.

Each one that proves who we are names the hosts it may be sent to; no other host ever gets it.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import quote_plus, urlsplit

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

from junctor.errors import BundleInvalid, DataError, Reconnect
from junctor.language.calls import refusal
from junctor.language.connector import (
    Connection,
    Field,
    Grant,
    Proxy,
    Request,
    Response,
    Secret,
    Tls,
    Token,
)
from junctor.language.hosts import bound_to, read_hosts

__all__ = ["CONNECTIONS", "ApiKey", "Basic", "Certificate", "OAuth", "ThroughProxy"]

Hosts = Annotated[
    str,
    Field(
        label="Hosts",
        help="Where it may be sent, by comma; no other host ever gets it. HTTPS on port 443 "
        "unless an entry says otherwise (`api.example.com:8443`, `http://10.0.0.7:8080`).",
        example="api.example.com, *.example.org",
    ),
]
TestUrl = Annotated[
    str,
    Field(
        label="Test address",
        help="Read with GET to test the connection; empty: it is not tested.",
        format="uri",
        key="testUrl",
        advanced=True,
    ),
]

_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_NOT_FOR_KEYS = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "content-length",
        "content-type",
        "host",
        "keep-alive",
        "transfer-encoding",
    }
)
"""Headers that may follow a redirect to another host, or are not sent as given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key that is sent in a header or in the query."""

    hosts: Hosts
    key: Annotated[Secret, Field(label="Key")]
    placement: Annotated[Literal["header", "query"], Field(label="Placement")] = "header"
    name: Annotated[str, Field(label="Name", help="Of the header or the query parameter.")] = (
        "Authorization"
    )
    template: Annotated[
        str,
        Field(
            label="Value",
            help="What is sent; `{key}` stands for the key, as in `Bearer {key}`.",
            advanced=True,
        ),
    ] = "{key}"
    test_url: TestUrl = ""

    def __post_init__(self) -> None:
        """Refuses what could not be sent, or would be sent too far."""
        read_hosts(self.hosts)
        _check_test(self.test_url, self.hosts)
        if self.template.count("{key}") != 1:
            raise BundleInvalid(field="template", reason="{key} must stand in it once, for the key")
        if self.placement == "header":
            if not _TOKEN.fullmatch(self.name) or self.name.lower() in _NOT_FOR_KEYS:
                raise BundleInvalid(
                    field="name",
                    reason=f"{self.name!r} is no header for a key; use one such as X-API-Key",
                )
            _one_line("key", self.key)
            _one_line("template", self.template)
        elif not self.name:
            raise BundleInvalid(field="name", reason="name the query parameter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic:
    """A user name and a password (HTTP Basic)."""

    hosts: Hosts
    user: Annotated[str, Field(label="User name")]
    password: Annotated[Secret | None, Field(label="Password")] = None
    test_url: TestUrl = ""

    def __post_init__(self) -> None:
        """Refuses a user name that would be read as another."""
        read_hosts(self.hosts)
        _check_test(self.test_url, self.hosts)
        if ":" in self.user:
            raise BundleInvalid(field="user", reason="a user name can't hold a colon")


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """An OAuth 2.0 access token: one you have, or one fetched with a client's own credentials."""

    hosts: Hosts
    flow: Annotated[
        Literal["client_credentials", "token"],
        Field(
            label="Flow",
            help="`client_credentials`: fetched from the token address and renewed in time; "
            "`token`: the one typed below.",
        ),
    ] = "client_credentials"
    token_url: Annotated[str, Field(label="Token address", format="uri", key="tokenUrl")] = ""
    client_id: Annotated[str, Field(label="Client ID", key="clientId")] = ""
    client_secret: Annotated[Secret | None, Field(label="Client secret", key="clientSecret")] = None
    scope: Annotated[str, Field(label="Scope", help="Separated by spaces.")] = ""
    audience: Annotated[
        str, Field(label="Audience", help="If the vendor asks for one.", advanced=True)
    ] = ""
    client_in: Annotated[
        Literal["header", "body"],
        Field(label="Client credentials in", key="clientIn", advanced=True),
    ] = "header"
    access_token: Annotated[Secret | None, Field(label="Access token", key="accessToken")] = None
    prefix: Annotated[
        str, Field(label="Header prefix", help="Before the token.", advanced=True)
    ] = "Bearer"
    test_url: TestUrl = ""

    def __post_init__(self) -> None:
        """Refuses a flow whose fields are missing."""
        read_hosts(self.hosts)
        _check_test(self.test_url, self.hosts)
        _one_line("prefix", self.prefix)
        _one_line("accessToken", self.access_token or "")
        if self.flow == "token":
            if not self.access_token:
                raise BundleInvalid(field="accessToken", reason="type the token of this flow")
            return
        for field, value in (("clientId", self.client_id), ("clientSecret", self.client_secret)):
            if not value:
                raise BundleInvalid(field=field, reason="client credentials need it")
        scheme = urlsplit(self.token_url).scheme
        plain = any(entry.scheme == "http" for entry in read_hosts(self.hosts))
        if not urlsplit(self.token_url).hostname or not (
            scheme == "https" or (scheme == "http" and plain)
        ):
            raise BundleInvalid(
                field="tokenUrl",
                reason=f"{self.token_url[:80]!r} must be an address that begins with https://",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A client certificate with its key (mutual TLS), an own authority to believe, or both."""

    hosts: Hosts
    certificate: Annotated[
        str, Field(label="Client certificate", help="PEM, with its chain.", multiline=True)
    ] = ""
    key: Annotated[Secret | None, Field(label="Private key", help="PEM.", multiline=True)] = None
    key_password: Annotated[
        Secret | None, Field(label="Password of the key", key="keyPassword")
    ] = None
    authorities: Annotated[
        str,
        Field(
            label="Own authority",
            help="PEM of the certificates to believe beside the public ones, such as a server's "
            "self-signed one.",
            multiline=True,
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Refuses what OpenSSL could not use."""
        read_hosts(self.hosts)
        if not self.certificate and not self.authorities:
            raise BundleInvalid(
                field="certificate", reason="give a client certificate, an own authority, or both"
            )
        for field, text in (("certificate", self.certificate), ("authorities", self.authorities)):
            if text:
                check_pem(field, text)
        if self.certificate:
            _check_key(self.key, self.key_password)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughProxy:
    """An HTTP proxy that requests go through."""

    url: Annotated[
        str,
        Field(label="Address", help="With its port.", example="http://proxy.example.com:3128"),
    ]
    user: Annotated[str, Field(label="User name")] = ""
    password: Annotated[Secret | None, Field(label="Password")] = None

    def __post_init__(self) -> None:
        """Refuses an address that is none of a proxy."""
        try:
            parts = urlsplit(self.url)
            good = parts.scheme == "http" and parts.hostname and parts.port
        except ValueError:
            good = False
        if not good or "@" in parts.netloc or parts.path not in {"", "/"}:
            raise BundleInvalid(
                field="url", reason="write it as http://host:port; user and password have fields"
            )


# Signing


def _with_key(request: Request, account: ApiKey) -> Request:
    bound_to(request.url, account.hosts, what="API key")
    value = account.template.replace("{key}", str.__str__(account.key))
    if account.placement == "header":
        return _with_header(request, account.name, value)
    query = request.query
    rows = tuple(query.items()) if not isinstance(query, tuple) else query
    kept = tuple((name, text) for name, text in rows if name != account.name)
    return dataclasses.replace(request, query=(*kept, (account.name, value)))


def _with_password(request: Request, account: Basic) -> Request:
    bound_to(request.url, account.hosts, what="password")
    return _with_header(
        request, "Authorization", basic(account.user, str.__str__(account.password or ""))
    )


def _with_token(request: Request, account: OAuth) -> Request:
    bound_to(request.url, account.hosts, what="access token")
    token = str.__str__(account.access_token or "")
    return _with_header(request, "Authorization", f"{account.prefix} {token}".strip())


def _with_certificate(request: Request, account: Certificate) -> Request:
    bound_to(request.url, account.hosts, what="certificate")
    before = request.tls.authorities if request.tls is not None else ""
    return dataclasses.replace(
        request,
        tls=Tls(
            authorities="\n".join(text for text in (before, account.authorities) if text),
            certificate=account.certificate,
            key=account.key or Secret(""),
            password=account.key_password or Secret(""),
        ),
    )


def _through(request: Request, account: ThroughProxy) -> Request:
    proxy = Proxy(
        url=account.url.rstrip("/"), user=account.user, password=account.password or Secret("")
    )
    return dataclasses.replace(request, proxy=proxy)


def _with_header(request: Request, name: str, value: str) -> Request:
    kept = {key: text for key, text in request.headers.items() if key.lower() != name.lower()}
    return dataclasses.replace(request, headers={**kept, name: value})


def basic(user: str, password: str) -> str:
    """The value of ``Authorization`` (RFC 7617), in UTF-8."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# Tokens


def _token_request(account: OAuth) -> Request | None:
    """RFC 6749 §4.4, with the client's credentials as §2.3.1 says."""
    if account.flow == "token":
        return None
    form = {"grant_type": "client_credentials"}
    if account.scope:
        form["scope"] = account.scope
    if account.audience:
        form["audience"] = account.audience
    headers = {"Accept": "application/json"}
    secret = str.__str__(account.client_secret or "")
    if account.client_in == "header":
        # §2.3.1 has both form-encoded before they are joined.
        headers["Authorization"] = basic(quote_plus(account.client_id), quote_plus(secret))
    else:
        form |= {"client_id": account.client_id, "client_secret": secret}
    return Request(
        "POST", account.token_url, headers=headers, form=form, timeout=30, max_bytes=1024 * 1024
    )


def _granted(response: Response) -> Token:
    if response.status == 429 or response.status >= 500:
        error = refusal(response, "read", reason="the token address refused for now")
        assert error is not None
        raise error
    try:
        found: Any = response.json()
    except DataError:
        found = None
    found = found if isinstance(found, dict) else {}
    value = found.get("access_token")
    if not 200 <= response.status < 300 or not isinstance(value, str) or not value:
        said = " ".join(
            str(found[key])[:200] for key in ("error", "error_description") if found.get(key)
        )
        raise Reconnect(
            f"No access token was given ({response.status}): {said or 'no reason given'}. "
            "Check token address, client and scope of the connection.",
            status=response.status,
        )
    age = found.get("expires_in")
    if isinstance(age, str) and age.isdecimal():
        age = float(age[:12])
    seconds = float(age) if isinstance(age, int | float) and age > 0 else None
    refresh = found.get("refresh_token")
    return Token(
        value=Secret(value),
        expires_in=seconds,
        refresh=Secret(refresh) if isinstance(refresh, str) and refresh else None,
    )


def _put(account: OAuth, token: Token) -> OAuth:
    return dataclasses.replace(account, access_token=token.value)


# Checks


def check_pem(field: str, text: str) -> None:
    """`BundleInvalid` unless the text holds certificates as PEM."""
    try:
        load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise BundleInvalid(
            field=field,
            reason="it holds no certificate as PEM; it begins with -----BEGIN CERTIFICATE-----",
        ) from error


def _check_key(key: Secret | None, password: Secret | None) -> None:
    if not key:
        raise BundleInvalid(field="key", reason="the client certificate needs its private key")
    secret = str.__str__(password).encode() if password else None
    try:
        load_pem_private_key(str.__str__(key).encode(), secret)
    except Exception as error:  # the library has several kinds
        raise BundleInvalid(
            field="key",
            reason="the private key can't be read as PEM; is its password missing or wrong?",
        ) from error


def _check_test(url: str, hosts: str) -> None:
    if url:
        bound_to(url, hosts, what="secret")


def _one_line(field: str, text: str) -> None:
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in str.__str__(text)):
        raise BundleInvalid(field=field, reason="it holds a line break; it must be one line")


def _test(account: ApiKey | Basic | OAuth) -> Request | None:
    return Request("GET", account.test_url, redirects=5) if account.test_url else None


def _nothing(_account: Any) -> Request | None:
    return None


CONNECTIONS = {
    "apikey": Connection(
        form=ApiKey,
        base_url="",
        sign=_with_key,
        test=_test,
        label="API key",
        help="A key in a header or the query, for services without a connector.",
    ),
    "basic": Connection(
        form=Basic,
        base_url="",
        sign=_with_password,
        test=_test,
        label="Basic authentication",
        help="A user name and a password, for services without a connector.",
    ),
    "oauth2": Connection(
        form=OAuth,
        base_url="",
        sign=_with_token,
        test=_test,
        grant=Grant(request=_token_request, granted=_granted, put=_put),
        label="OAuth 2.0",
        help="An access token, typed or fetched with client credentials.",
    ),
    "tls": Connection(
        form=Certificate,
        base_url="",
        sign=_with_certificate,
        test=_nothing,
        label="Certificate",
        help="A client certificate (mutual TLS), or an own authority to believe.",
    ),
    "proxy": Connection(
        form=ThroughProxy,
        base_url="",
        sign=_through,
        test=_nothing,
        label="Proxy",
        help="An HTTP proxy that requests go through.",
    ),
}
