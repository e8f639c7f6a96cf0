"""HTTP modules as blueprints of version 4 have them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from junctor.connectors.http.base import http
from junctor.connectors.http.building import (
    REDIRECTS,
    FormRow,
    Headers,
    ParseResponse,
    Query,
    ShareCookies,
    Timeout,
    Url,
    content_of,
    method_of,
    parts_of,
    raise_refusal,
    unparsed,
    url_of,
    with_type,
)
from junctor.connectors.http.paging import Pages, PagingKind
from junctor.connectors.http.sharing import Steps, exchange, fetch
from junctor.errors import BundleInvalid, DataError
from junctor.language.calls import header_rows, method_effect, parsed, query_rows
from junctor.language.connector import Field, Multipart, Request, Response
from junctor.language.files import Content
from junctor.language.values import plain

__all__ = ["download_file", "make_request"]

_KEYCHAINS = {
    "apiKey": "apiKeyKeychain",
    "basicAuth": "basicAuthKeychain",
    "oAuth": "oAuthAccount",
}
_KINDS = {
    "apiKeyKeychain": ("apikey",),
    "basicAuthKeychain": ("basic",),
    "oAuthAccount": ("oauth2",),
    "tlsKeychain": ("tls",),
    "proxyKeychain": ("proxy",),
}


def _needs(parameters: Mapping[str, Any], mapper: Mapping[str, Any]) -> tuple[str, ...]:
    asked = parameters.get("authenticationType") or mapper.get("authenticationType")
    needed = []
    if asked and asked not in {"noAuth", "none"}:
        needed.append(_KEYCHAINS.get(str(asked), "apiKeyKeychain"))
    if parameters.get("tlsType"):
        needed.append("tlsKeychain")
    if parameters.get("proxyKeychain"):
        needed.append("proxyKeychain")
    return tuple(needed)


Method = Annotated[
    Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    Field(label="Method"),
]
StopOnError = Annotated[
    bool, Field(label="Return an error if the request fails", key="stopOnHttpError")
]
Authentication = Annotated[
    Literal["noAuth", "none", "apiKey", "basicAuth", "oAuth"],
    Field(
        label="Authentication",
        help="With a connection of this kind.",
        key="authenticationType",
        static=True,
    ),
]
TlsType = Annotated[
    Literal["", "mTls", "tls"],
    Field(
        label="Transport layer security",
        help="With a client certificate, or an own authority, from a connection of the kind `tls`.",
        key="tlsType",
        static=True,
        advanced=True,
    ),
]
Proxied = Annotated[
    Any,
    Field(
        label="Proxy",
        help="Anything but empty: through a connection of the kind `proxy`.",
        key="proxyKeychain",
        static=True,
        advanced=True,
    ),
]
AllowRedirects = Annotated[
    bool, Field(label="Follow redirects", key="allowRedirects", advanced=True)
]


@http.action(
    "Make a request",
    name="MakeRequest",
    effect="once",
    effect_of=method_effect(),
    blueprint_versions=(4,),
    needs_connection=_needs,
    connection_kinds=_KINDS,
)
def make_request(
    url: Url,
    method: Method = "GET",
    headers: Headers = [],  # noqa: B006  # a form's default; `bind` copies it
    query: Query = [],  # noqa: B006  # as above
    content_type: Annotated[
        Literal["", "json", "urlEncoded", "multipart", "custom"],
        Field(label="Body content type", key="contentType"),
    ] = "",
    input_method: Annotated[
        Literal["jsonString", "dataStructure"],
        Field(label="Body input method", key="inputMethod", advanced=True),
    ] = "jsonString",
    json_text: Annotated[
        str, Field(label="JSON", key="jsonStringBodyContent", multiline=True)
    ] = "",
    body: Annotated[Any, Field(label="Body content", key="bodyContent")] = None,
    form: Annotated[list[FormRow], Field(label="Fields", key="urlEncodedBodyContent")] = [],  # noqa: B006  # as above
    parts: Annotated[list[FormRow], Field(label="Parts", key="multipartBodyContent")] = [],  # noqa: B006  # as above
    raw: Annotated[Any, Field(label="Content", key="rawBodyContent", multiline=True)] = "",
    raw_type: Annotated[str, Field(label="Content-Type", key="contentTypeValue")] = "",
    parse_response: ParseResponse = True,
    stop_on_error: StopOnError = True,
    allow_redirects: AllowRedirects = True,
    share_cookies: ShareCookies = False,
    compressed: Annotated[
        bool,
        Field(label="Request compressed content", key="requestCompressedContent", advanced=True),
    ] = True,
    timeout: Timeout = 40,
    paging: Annotated[
        PagingKind,
        Field(
            label="Pagination type",
            help="Each page is a bundle of its own.",
            key="paginationType",
            advanced=True,
        ),
    ] = "",
    page_parameter: Annotated[
        str,
        Field(
            label="Pagination parameter",
            help="Query parameter of the offset, page or token; empty: `offset`, `page` or "
            "`page_token`.",
            key="paginationParameter",
            advanced=True,
        ),
    ] = "",
    page_first: Annotated[
        int | None,
        Field(
            label="First offset or page",
            help="Empty: offset 0, page 1.",
            key="paginationStart",
            advanced=True,
        ),
    ] = None,
    page_size: Annotated[
        int,
        Field(
            label="Items per page",
            help="A shorter page is the last one; 0: an empty one is.",
            key="paginationSize",
            minimum=0,
            maximum=100_000,
            advanced=True,
        ),
    ] = 0,
    page_size_parameter: Annotated[
        str,
        Field(
            label="Parameter of items per page",
            help="Sent with every page, if filled in.",
            key="paginationSizeParameter",
            example="limit",
            advanced=True,
        ),
    ] = "",
    page_path: Annotated[
        str,
        Field(
            label="Path of the next address or token",
            help="In the answer, with dots. Empty, for an address: the Link header.",
            key="paginationPath",
            example="meta.next",
            advanced=True,
        ),
    ] = "",
    page_items: Annotated[
        str,
        Field(
            label="Path of the list",
            help="In the answer, with dots. Empty: the answer itself, or its only list.",
            key="paginationItems",
            example="data.items",
            advanced=True,
        ),
    ] = "",
    page_most: Annotated[
        int,
        Field(
            label="Most pages",
            key="paginationLimit",
            minimum=1,
            maximum=1000,
            advanced=True,
        ),
    ] = 100,
    other_body: Annotated[
        Any,
        Field(
            label="Body (other name)",
            help="Read if the others are empty.",
            key="body",
            advanced=True,
        ),
    ] = "",
    other_type: Annotated[
        str, Field(label="Content-Type (other name)", key="bodyContentType", advanced=True)
    ] = "",
    authentication: Authentication = "noAuth",
    tls: TlsType = "",
    proxy: Proxied = "",
) -> Steps:
    """Sends a request and gives status, headers and content of the answer."""
    del authentication, tls, proxy  # `needs_connection` has seen them: the connections do the rest
    sent = header_rows(headers)
    if not compressed:
        sent = {**sent, "Accept-Encoding": "identity"}
    content: Content | None = None
    multipart, fields = None, None
    match content_type:
        case "json":
            typed = input_method == "jsonString" or body is None
            content = _json(json_text) if typed else msgspec.json.encode(plain(body))
            sent = with_type(sent, "application/json")
        case "urlEncoded":
            fields = query_rows(form)
        case "multipart":
            multipart = Multipart(tuple(parts_of(parts)))
        case "custom":
            content = content_of(raw if raw != "" else body)
            sent = with_type(sent, raw_type)
        case "":
            content = content_of(other_body) if other_body != "" else None
            sent = with_type(sent, other_type if content is not None else "")
    request = Request(
        method_of(method),
        url_of(url),
        query=query_rows(query),
        headers=sent,
        form=fields,
        body=multipart if multipart is not None else content,
        timeout=timeout,
        redirects=REDIRECTS if allow_redirects else 0,
        raises=False,
    )
    pages = Pages(
        kind=paging,
        parameter=page_parameter,
        first=page_first,
        size=page_size,
        size_parameter=page_size_parameter,
        path=page_path,
        items=page_items,
        most=page_most,
    )
    if pages.wanted:
        return (
            yield from _all(
                request, pages, share=share_cookies, parse=parse_response, stop=stop_on_error
            )
        )
    response = yield from exchange(request, share=share_cookies)
    if stop_on_error:
        raise_refusal(response, request)
    return _result(response, parse=parse_response)


@http.action(
    "Download a file",
    name="DownloadFile",
    effect="read",
    blueprint_versions=(4,),
    needs_connection=_needs,
    connection_kinds=_KINDS,
)
def download_file(
    url: Url,
    headers: Headers = [],  # noqa: B006  # a form's default; `bind` copies it
    query: Query = [],  # noqa: B006  # as above
    stop_on_error: StopOnError = True,
    allow_redirects: AllowRedirects = True,
    share_cookies: ShareCookies = False,
    timeout: Timeout = 120,
    authentication: Authentication = "noAuth",
    tls: TlsType = "",
    proxy: Proxied = "",
) -> Steps:
    """Fetches a file: its name, its data as a buffer, status and headers."""
    del authentication, tls, proxy  # as in `make_request`
    request = Request(
        "GET",
        url_of(url),
        query=query_rows(query),
        headers=header_rows(headers),
        timeout=timeout,
        redirects=REDIRECTS if allow_redirects else 0,
    )
    return (yield from fetch(request, share=share_cookies, stop=stop_on_error))


def _all(request: Request, pages: Pages, *, share: bool, parse: bool, stop: bool) -> Steps:
    """The pages, one bundle each; one without items after the first is left out."""
    bundles: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    current: Request | None = pages.start(request)
    taken = 0
    for number in range(pages.most):
        assert current is not None
        place = (current.url, str(current.query))
        if place in seen:
            raise DataError(reason=f"the next page repeats an earlier one: {current.url[:80]}")
        seen.add(place)
        response = yield from exchange(current, share=share)
        if stop:
            raise_refusal(response, current)
        if response.status >= 400:
            bundles.append(_result(response, parse=parse))
            break
        following, count = pages.after(current, response, number, taken)
        counted = pages.kind in {"offsetBased", "pageBased"}
        if count or number == 0 or not counted:
            bundles.append(_result(response, parse=parse))
        taken += count
        if following is None:
            break
        current = dataclasses.replace(following, headers=request.headers)
    return bundles


def _json(text: str) -> bytes:
    """The typed JSON as it is, if it is JSON: a vendor's message about it would say less."""
    try:
        msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise BundleInvalid(
            field="jsonStringBodyContent",
            reason=f"it is not valid JSON ({error}); text that is mapped into it must be escaped",
        ) from error
    return text.encode()


def _result(response: Response, *, parse: bool) -> dict[str, Any]:
    return {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "data": parsed(response, always=True) if parse else unparsed(response),
    }
