"""HTTP modules as blueprints of version 3 have them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from junctor.connectors.http.base import http
from junctor.connectors.http.building import (
    REDIRECTS,
    FormRow,
    Headers,
    Pair,
    ParseResponse,
    ShareCookies,
    Timeout,
    Url,
    content_of,
    method_of,
    parts_of,
    raise_refusal,
    rows_of,
    unparsed,
    url_of,
    with_type,
)
from junctor.connectors.http.keychains import basic, check_pem
from junctor.connectors.http.sharing import Steps, exchange, fetch
from junctor.language.calls import header_rows, method_effect, parsed, query_rows
from junctor.language.connector import Field, Multipart, Needs, Request, Tls

__all__ = ["action_get_file", "action_send_data"]


def _needs(*always: str) -> Needs:
    def needs(_parameters: Mapping[str, Any], mapper: Mapping[str, Any]) -> tuple[str, ...]:
        mutual = mapper.get("useMtls") in {True, "true"}
        return (*always, "tlsKeychain") if mutual else always

    return needs


HandleErrors = Annotated[
    bool,
    Field(
        label="Evaluate all states as errors (except for 2xx and 3xx)",
        key="handleErrors",
        static=True,
    ),
]
SerializeUrl = Annotated[
    bool,
    Field(
        label="Serialize URL",
        help="Quotes characters that an address may not hold, stray percent signs too.",
        key="serializeUrl",
        advanced=True,
    ),
]


@http.action(
    "Make a request (legacy)",
    name="ActionSendData",
    effect="once",
    effect_of=method_effect(),
    blueprint_versions=(3,),
    aliases=("http:MakeARequest",),
    needs_connection=_needs(),
    connection_kinds={"tlsKeychain": ("tls",)},
)
def action_send_data(
    url: Url,
    method: Annotated[str, Field(label="Method")] = "get",
    headers: Headers = [],  # noqa: B006  # a form's default; `bind` copies it
    query: Annotated[list[Pair], Field(label="Query string", key="qs")] = [],  # noqa: B006  # as above
    body_type: Annotated[
        Literal["", "raw", "x_www_form_urlencoded", "multipart_form_data"],
        Field(label="Body type", key="bodyType"),
    ] = "",
    content_type: Annotated[str, Field(label="Content type", key="contentType")] = "",
    data: Annotated[Any, Field(label="Request content", multiline=True)] = "",
    form_fields: Annotated[list[FormRow], Field(label="Fields", key="formFields")] = [],  # noqa: B006  # as above
    form_data: Annotated[list[FormRow], Field(label="Fields", key="formData")] = [],  # noqa: B006  # as above
    form_data_fields: Annotated[
        list[FormRow], Field(label="Fields", key="formDataFields", advanced=True)
    ] = [],  # noqa: B006  # as above
    parse_response: ParseResponse = False,
    user: Annotated[str, Field(label="User name", key="authUser", advanced=True)] = "",
    password: Annotated[
        str, Field(label="Password", key="authPass", format="password", advanced=True)
    ] = "",
    timeout: Timeout = 40,
    share_cookies: ShareCookies = False,
    ca: Annotated[
        str,
        Field(
            label="Self-signed certificate",
            help="PEM; believed beside the public authorities.",
            multiline=True,
            advanced=True,
        ),
    ] = "",
    follow: Annotated[
        bool, Field(label="Follow redirects", key="followRedirect", advanced=True)
    ] = True,
    follow_all: Annotated[
        bool,
        Field(label="Follow redirects of every method", key="followAllRedirects", advanced=True),
    ] = False,
    reject_unauthorized: Annotated[
        bool,
        Field(label="Refuse untrusted certificates", key="rejectUnauthorized", advanced=True),
    ] = True,
    serialize_url: SerializeUrl = False,
    plain_query: Annotated[
        bool,
        Field(
            label="Disable serialization of multiple same query string keys as arrays",
            help="Off: `a` given twice is sent as `a[0]` and `a[1]`.",
            key="useQuerystring",
            advanced=True,
        ),
    ] = False,
    gzip: Annotated[bool, Field(label="Request compressed content", advanced=True)] = True,
    body: Annotated[
        Any,
        Field(
            label="Request content (other name)", help="Read if the other is empty.", advanced=True
        ),
    ] = "",
    use_mtls: Annotated[
        bool,
        Field(
            label="Use a client certificate",
            help="From a connection of the kind `tls`.",
            key="useMtls",
            advanced=True,
        ),
    ] = False,
    handle_errors: HandleErrors = False,
) -> Steps:
    """Sends a request and gives status, headers and content of the answer."""
    del use_mtls  # `needs_connection` has seen it: the connection brings the certificate
    verb = method_of(method)
    sent = header_rows(headers)
    if user or password:
        sent = {**sent, "Authorization": basic(user, password)}
    if not gzip:
        sent = {"Accept-Encoding": "identity", **sent}
    raw, multipart, form = None, None, None
    match body_type:
        case "raw":
            raw = content_of(data if data != "" else body)
            sent = with_type(sent, "" if content_type == "custom" else content_type)
        case "x_www_form_urlencoded":
            form = query_rows(form_fields or form_data)
        case "multipart_form_data":
            multipart = Multipart(tuple(parts_of(form_data or form_data_fields or form_fields)))
        case "":
            pass
    pairs = query_rows(query)
    if ca.strip():
        check_pem("ca", ca)
    request = Request(
        verb,
        url_of(url, serialize=serialize_url),
        query=pairs if plain_query else rows_of(pairs),
        headers=sent,
        form=form,
        body=multipart if multipart is not None else raw,
        timeout=timeout,
        redirects=REDIRECTS if follow_all or (follow and verb in {"GET", "HEAD"}) else 0,
        raises=False,
        verify_tls=reject_unauthorized,
        tls=Tls(authorities=ca) if ca.strip() else None,
    )
    response = yield from exchange(request, share=share_cookies)
    if handle_errors:
        raise_refusal(response, request)
    return {
        "statusCode": response.status,
        "headers": _header_rows(response.headers),
        "data": parsed(response, always=True) if parse_response else unparsed(response),
        "cookieHeaders": response.headers.get("set-cookie", "").splitlines(),
        "fileSize": len(response.body),
    }


def _variant(name: str, label: str, text: str, parameter: str, kind: str) -> None:
    """The same module with an account, whose parameter is called as exports call it."""
    http.add(
        dataclasses.replace(
            http.modules["ActionSendData"],
            name=name,
            label=label,
            help=text,
            aliases=(),
            needs_connection=_needs(parameter),
            connection_kinds={parameter: (kind,), "tlsKeychain": ("tls",)},
        )
    )


_variant(
    "ActionSendDataAPIKeyAuth",
    "Make an API key request (legacy)",
    "Sends a request with an API key and gives status, headers and content of the answer.",
    "auth",
    "apikey",
)
_variant(
    "ActionSendDataBasicAuth",
    "Make a basic authentication request (legacy)",
    "Sends a request with user name and password and gives status, headers and content of the "
    "answer.",
    "key",
    "basic",
)
_variant(
    "ActionSendDataOAuth",
    "Make an OAuth 2.0 request (legacy)",
    "Sends a request with an access token and gives status, headers and content of the answer.",
    "account",
    "oauth2",
)


@http.action(
    "Get a file (legacy)",
    name="ActionGetFile",
    effect="read",
    effect_of=method_effect(),
    needs_connection=_needs(),
)
def action_get_file(
    url: Url,
    method: Annotated[str, Field(label="Method", advanced=True)] = "get",
    headers: Headers = [],  # noqa: B006  # a form's default; `bind` copies it
    query: Annotated[list[Pair], Field(label="Query string", key="qs")] = [],  # noqa: B006  # as above
    serialize_url: SerializeUrl = False,
    share_cookies: ShareCookies = False,
    timeout: Timeout = 120,
    handle_errors: HandleErrors = False,
) -> Steps:
    """Fetches a file: its name, its data as a buffer, status and headers."""
    request = Request(
        method_of(method),
        url_of(url, serialize=serialize_url),
        query=query_rows(query),
        headers=header_rows(headers),
        timeout=timeout,
        redirects=REDIRECTS,
    )
    file = yield from fetch(request, share=share_cookies, stop=handle_errors)
    return {**file, "headers": _header_rows(file["headers"])}


def _header_rows(headers: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "value": value}
        for name, joined in headers.items()
        for value in (joined.split("\n") if name == "set-cookie" else [joined])
    ]
