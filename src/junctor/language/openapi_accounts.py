"""Security schemes of an OpenAPI document as kinds of connection.

A kind is what one security requirement asks for together, so ``{"key": [], "tenant": []}`` is one
kind with the fields of both. Credentials go to the connector's base URL and nowhere else; a token
is asked for at the address that the document names.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from urllib.parse import quote_plus, urljoin

from junctor.errors import BundleInvalid, DataError, Reconnect
from junctor.language.calls import refusal
from junctor.language.catalogue import words
from junctor.language.connector import (
    Connection,
    Field,
    Grant,
    Request,
    Response,
    Secret,
    Token,
)
from junctor.language.openapi_schemas import Resolver, as_list, as_mapping, short
from junctor.language.signatures import identifier

__all__ = ["connections_of", "kinds_of"]

Scheme = Mapping[str, Any]

_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]{1,100}")
_ADDRESS = re.compile(r"[-!#$%&'()*+,./:;=?@_~0-9A-Za-z]{1,2000}")
_NOT_FOR_KEYS = {
    "accept", "accept-encoding", "connection", "content-length", "content-type", "host",
    "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip


# From the document


def kinds_of(
    document: Mapping[str, Any], operations: Iterable[Mapping[str, Any]], resolver: Resolver
) -> tuple[dict[str, list[dict[str, Any]]], list[str], bool]:
    """Kinds of connection by name, notes on what can't be used, and whether one may do without.

    The kinds are those that the document and its operations ask for; if none asks, one for each
    scheme there is.
    """
    schemes = as_mapping(as_mapping(document.get("components")).get("securitySchemes"))
    notes: list[str] = []
    read: dict[str, dict[str, Any] | None] = {}
    for name, given in list(schemes.items())[:50]:
        read[name] = _scheme(name, resolver.resolved(given), notes)
    asked = [each for each in as_list(document.get("security")) if isinstance(each, dict)]
    for operation in operations:
        for each in as_list(operation.get("security")):
            if isinstance(each, dict) and each not in asked and len(asked) < 50:
                asked.append(each)
    wanted = [tuple(each) for each in asked if each] or [(name,) for name in read]
    kinds: dict[str, list[dict[str, Any]]] = {}
    for names in dict.fromkeys(wanted):
        found = [read.get(name) for name in names]
        usable = [each for each in found if each is not None]
        if len(usable) < len(found) or not usable:
            lost = ", ".join(name for name in names if read.get(name) is None)
            notes.append(f"accounts by {lost} can't be connected")
            continue
        kinds.setdefault("-".join(each["name"] for each in usable), usable)
    return kinds, list(dict.fromkeys(notes)), not asked or {} in asked


def _scheme(name: str, given: Mapping[str, Any], notes: list[str]) -> dict[str, Any] | None:
    kind, how = given.get("type"), str(given.get("scheme", "")).lower()
    out: dict[str, Any] = {"name": identifier(name).lower(), "label": words(name)}
    if about := short(given.get("description")):
        out["help"] = about
    param = given.get("name")
    if kind == "apiKey" and isinstance(param, str):
        place = str(given.get("in"))
        bad = place != "query" and (
            not _TOKEN.fullmatch(param) or param.lower() in _NOT_FOR_KEYS or place == "path"
        )
        if place in {"header", "query", "cookie"} and param and not bad:
            return {**out, "type": "apikey", "in": place, "param": param}
    elif kind == "http" and how in {"basic", "bearer"}:
        return {**out, "type": how}
    elif kind == "oauth2":
        flow = as_mapping(as_mapping(given.get("flows")).get("clientCredentials"))
        address = flow.get("tokenUrl")
        if isinstance(address, str) and _ADDRESS.fullmatch(address):
            scopes = [each for each in as_mapping(flow.get("scopes")) if _TOKEN.fullmatch(each)]
            return {**out, "type": "oauth2", "token_url": address, "scopes": scopes}
        return {**out, "type": "bearer"}
    elif kind == "openIdConnect":
        return {**out, "type": "bearer"}
    notes.append(f"the security scheme {name[:60]!r} ({kind} {how}) is of no known kind")
    return None


# To connections


def connections_of(compiled: Mapping[str, Any]) -> dict[str, Connection]:
    """The kinds of connection of a compiled document, the first being the usual one."""
    base: str = compiled["base_url"]
    test = compiled.get("test")
    made = {}
    for kind, schemes in compiled["accounts"].items():
        account = _Account(schemes, base)
        made[kind] = Connection(
            form=account.form,
            base_url=base,
            sign=account.sign,
            test=Request("GET", test) if test else _nothing,
            grant=account.grant(),
            label=f"{compiled['label']} ({' and '.join(each['label'] for each in schemes)})",
            help=" ".join(each["help"] for each in schemes if each.get("help")),
        )
    return made


def _nothing(_account: Any) -> Request | None:
    return None


class _Account:
    """One kind of connection: its form, and how requests are signed with it."""

    def __init__(self, schemes: Iterable[Scheme], base: str) -> None:
        self._base = base
        rows: list[tuple[str, Any, Any]] = []
        self._fields: list[tuple[Scheme, str]] = []
        many = len(list(schemes)) > 1
        for scheme in schemes:
            prefix = f"{scheme['name']}_" if many else ""
            self._fields.append((scheme, prefix))
            rows += _rows(scheme, prefix, scheme["label"] if many else "")
        form = dataclasses.make_dataclass(
            "Account",
            [
                (name, hint) if default is None else (name, hint, default)
                for name, hint, default in rows
            ],
            frozen=True,
            kw_only=True,
            namespace={"__post_init__": _one_line, "__doc__": "An account of the service."},
        )
        self.form: type = form

    def sign(self, request: Request, account: Any) -> Request:
        """The request with what every scheme of the kind adds."""
        for scheme, prefix in self._fields:
            kind = scheme["type"]
            if kind == "basic":
                user = getattr(account, f"{prefix}user")
                password = str.__str__(getattr(account, f"{prefix}password"))
                pair = base64.b64encode(f"{user}:{password}".encode()).decode()
                request = _with_header(request, "Authorization", f"Basic {pair}")
            elif kind == "bearer":
                token = str.__str__(getattr(account, f"{prefix}token"))
                request = _with_header(request, "Authorization", f"Bearer {token}")
            elif kind == "oauth2":
                token = str.__str__(getattr(account, f"{prefix}token") or "")
                request = _with_header(request, "Authorization", f"Bearer {token}")
            else:
                value = str.__str__(getattr(account, f"{prefix}key"))
                request = _with_key(request, scheme, value)
        return request

    def grant(self) -> Grant | None:
        """How a token is had, if one of the schemes works by client credentials."""
        for scheme, prefix in self._fields:
            if scheme["type"] == "oauth2":
                return _grant(urljoin(f"{self._base}/", scheme["token_url"]), prefix)
        return None


def _rows(scheme: Scheme, prefix: str, of: str) -> list[tuple[str, Any, Any]]:
    end = f" ({of})" if of else ""

    def secret(label: str) -> Any:
        return Annotated[Secret, Field(label=label + end, help=scheme.get("help", ""))]

    match scheme["type"]:
        case "basic":
            user = Annotated[str, Field(label=f"User name{end}")]
            return [(f"{prefix}user", user, None), (f"{prefix}password", secret("Password"), None)]
        case "bearer":
            return [(f"{prefix}token", secret("Token"), None)]
        case "oauth2":
            known = ", ".join(scheme["scopes"][:30])
            scopes = Field(label=f"Scopes{end}", help=f"Separated by spaces. Known: {known}.")
            held = Annotated[
                Secret | None,
                Field(
                    label=f"Access token{end}",
                    help="One that you have; empty: fetched with the client's credentials.",
                    advanced=True,
                ),
            ]
            nothing = Secret("")
            return [
                (f"{prefix}client_id", Annotated[str, Field(label=f"Client ID{end}")], ""),
                (f"{prefix}client_secret", secret("Client secret"), nothing),
                (f"{prefix}scope", Annotated[str, scopes], ""),
                (f"{prefix}token", held, nothing),
            ]
        case _:
            return [(f"{prefix}key", secret("Key"), None)]


def _one_line(account: Any) -> None:
    for item in dataclasses.fields(account):
        text = str.__str__(getattr(account, item.name) or "")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
            raise BundleInvalid(field=item.name, reason="it holds a line break; write one line")


def _with_header(request: Request, name: str, value: str) -> Request:
    kept = {key: text for key, text in request.headers.items() if key.lower() != name.lower()}
    return dataclasses.replace(request, headers={**kept, name: value})


def _with_key(request: Request, scheme: Scheme, value: str) -> Request:
    name = scheme["param"]
    if scheme["in"] == "header":
        return _with_header(request, name, value)
    if scheme["in"] == "cookie":
        if any(letter in value for letter in ' ",;\\'):
            raise BundleInvalid(field="key", reason="a cookie's value can't hold this; check it")
        before = request.headers.get("Cookie", "")
        pair = f"{name}={value}"
        return _with_header(request, "Cookie", f"{before}; {pair}" if before else pair)
    query = request.query
    rows = tuple(query.items()) if isinstance(query, Mapping) else query
    kept = tuple((key, text) for key, text in rows if key != name)
    return dataclasses.replace(request, query=(*kept, (name, value)))


def _grant(address: str, prefix: str) -> Grant:
    def request(account: Any) -> Request | None:
        """RFC 6749 §4.4, with the client's credentials in the header as §2.3.1 says."""
        if getattr(account, f"{prefix}token"):
            return None
        user = getattr(account, f"{prefix}client_id")
        secret = str.__str__(getattr(account, f"{prefix}client_secret") or "")
        if not user or not secret:
            raise Reconnect(
                "Client ID and client secret, or an access token, are missing in the connection."
            )
        pair = base64.b64encode(f"{quote_plus(user)}:{quote_plus(secret)}".encode()).decode()
        form = {"grant_type": "client_credentials"}
        if scope := getattr(account, f"{prefix}scope"):
            form["scope"] = scope
        return Request(
            "POST",
            address,
            headers={"Accept": "application/json", "Authorization": f"Basic {pair}"},
            form=form,
            timeout=30,
            max_bytes=1024 * 1024,
        )

    def put(account: Any, token: Token) -> Any:
        return dataclasses.replace(account, **{f"{prefix}token": token.value})

    return Grant(request=request, granted=_granted, put=put)


def _granted(response: Response) -> Token:
    if response.status == 429 or response.status >= 500:
        error = refusal(response, "read", reason="the token address refused for now")
        assert error is not None
        raise error
    try:
        found = as_mapping(response.json())
    except DataError:
        found = {}
    value = found.get("access_token")
    if not 200 <= response.status < 300 or not isinstance(value, str) or not value:
        said = short(found.get("error_description"), 200) or short(found.get("error"), 200)
        raise Reconnect(
            f"No access token was given ({response.status}): {said or 'no reason given'}. "
            "Check client and scopes of the connection.",
            status=response.status,
        )
    age = found.get("expires_in")
    seconds = float(age) if isinstance(age, int | float) and age > 0 else None
    return Token(value=Secret(value), expires_in=seconds)
