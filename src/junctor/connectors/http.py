"""Any web service: one request, made of what the user types and maps."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypedDict
from urllib.parse import urlsplit

import msgspec

from junctor.errors import BundleInvalid, Unsupported
from junctor.language.calls import (
    effect_of_method,
    header_rows,
    method_effect,
    parsed,
    query_rows,
    refusal,
)
from junctor.language.connector import Connector, Field, Flow, Multipart, Part, Request, Response
from junctor.language.values import plain, to_text

__all__ = ["http"]

http = Connector(name="http", label="HTTP")

_FOLLOW = 10
_LONGEST = 300


class Pair(TypedDict, total=False):
    """One header or parameter."""

    name: Annotated[str, Field(label="Name")]
    value: Annotated[str, Field(label="Value")]


class FormRow(TypedDict, total=False):
    """One field of a form; files have a name and data."""

    fieldType: Annotated[Literal["text", "file"], Field(label="Type")]
    key: Annotated[str, Field(label="Key")]
    value: Annotated[str, Field(label="Value")]
    fileName: Annotated[str, Field(label="File name")]
    data: Annotated[bytes, Field(label="File data")]


Url = Annotated[str, Field(label="URL", format="uri", example="https://api.example.com/items")]
Method = Annotated[
    Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    Field(label="Method"),
]
Timeout = Annotated[
    int, Field(label="Timeout (seconds)", minimum=1, maximum=_LONGEST, advanced=True)
]
ParseResponse = Annotated[
    bool, Field(label="Parse response", help="JSON answers become fields.", key="parseResponse")
]
ShareCookies = Annotated[
    bool,
    Field(
        label="Share cookies",
        help="Kept from imported blueprints; cookies are never kept between requests.",
        key="shareCookies",
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
)
def action_send_data(
    url: Url,
    method: Annotated[str, Field(label="Method")] = "get",
    headers: Annotated[list[Pair], Field(label="Headers")] = [],  # noqa: B006  # a form's default; `bind` copies it
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
    body: Annotated[
        Any,
        Field(
            label="Request content (other name)", help="Read if the other is empty.", advanced=True
        ),
    ] = "",
    use_mtls: Annotated[
        bool, Field(label="Use a client certificate", key="useMtls", advanced=True)
    ] = False,
    handle_errors: Annotated[
        bool,
        Field(
            label="Evaluate all states as errors (except for 2xx and 3xx)",
            key="handleErrors",
            static=True,
        ),
    ] = False,
) -> Flow:
    """Sends a request and gives status, headers and content of the answer."""
    del share_cookies
    if use_mtls:
        raise Unsupported(what="A client certificate in the HTTP module")
    verb = _method(method)
    sent = header_rows(headers)
    if user or password:
        sent = {**sent, "Authorization": _basic(user, password)}
    raw, multipart, form = None, None, None
    match body_type:
        case "raw":
            raw = _content(data if data != "" else body)
            sent = _with_type(sent, content_type)
        case "x_www_form_urlencoded":
            form = query_rows(form_fields or form_data)
        case "multipart_form_data":
            multipart = Multipart(tuple(_parts(form_data or form_data_fields or form_fields)))
        case "":
            pass
    response = yield Request(
        verb,
        _url(url),
        query=query_rows(query),
        headers=sent,
        form=form,
        body=multipart if multipart is not None else raw,
        timeout=timeout,
        redirects=_FOLLOW if follow_all or (follow and verb in {"GET", "HEAD"}) else 0,
        raises=False,
        verify_tls=reject_unauthorized,
    )
    result = _result(response, verb, parse=parse_response, raises=handle_errors)
    return {
        **result,
        "headers": [
            {"name": name, "value": value}
            for name, joined in response.headers.items()
            for value in (joined.split("\n") if name == "set-cookie" else [joined])
        ],
        "cookieHeaders": response.headers.get("set-cookie", "").splitlines(),
        "fileSize": len(response.body),
    }


@http.action(
    "Make a request",
    name="MakeRequest",
    effect="once",
    effect_of=method_effect(),
    blueprint_versions=(4,),
)
def make_request(
    url: Url,
    method: Method = "GET",
    headers: Annotated[list[Pair], Field(label="Headers")] = [],  # noqa: B006  # a form's default; `bind` copies it
    query: Annotated[list[Pair], Field(label="Query parameters", key="queryParameters")] = [],  # noqa: B006  # as above
    content_type: Annotated[
        Literal["", "json", "urlEncoded", "multipart", "custom"],
        Field(label="Body content type", key="contentType"),
    ] = "",
    input_method: Annotated[
        str, Field(label="Body input method", key="inputMethod", advanced=True)
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
    stop_on_error: Annotated[
        bool, Field(label="Return an error if the request fails", key="stopOnHttpError")
    ] = True,
    allow_redirects: Annotated[
        bool, Field(label="Follow redirects", key="allowRedirects", advanced=True)
    ] = True,
    share_cookies: ShareCookies = False,
    compressed: Annotated[
        bool,
        Field(label="Request compressed content", key="requestCompressedContent", advanced=True),
    ] = True,
    timeout: Timeout = 40,
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
    authentication: Annotated[
        str, Field(label="Authentication", key="authenticationType", static=True, advanced=True)
    ] = "noAuth",
    tls: Annotated[
        Any, Field(label="Client certificate", key="tlsType", static=True, advanced=True)
    ] = "",
    proxy: Annotated[
        Any, Field(label="Proxy", key="proxyKeychain", static=True, advanced=True)
    ] = "",
) -> Flow:
    """Sends a request and gives status, headers and content of the answer."""
    del share_cookies
    if authentication not in {"noAuth", "none"}:
        raise Unsupported(what=f"The authentication {authentication!r} in the HTTP module")
    if tls or proxy:
        raise Unsupported(what="A client certificate or proxy in the HTTP module")
    verb = _method(method)
    sent = header_rows(headers)
    if not compressed:
        sent = {**sent, "Accept-Encoding": "identity"}
    content, multipart, fields = None, None, None
    match content_type:
        case "json":
            typed = input_method == "jsonString" or body is None
            content = json_text.encode() if typed else msgspec.json.encode(plain(body))
            sent = _with_type(sent, "application/json")
        case "urlEncoded":
            fields = query_rows(form)
        case "multipart":
            multipart = Multipart(tuple(_parts(parts)))
        case "custom":
            content = _content(raw if raw != "" else body)
            sent = _with_type(sent, raw_type)
        case "":
            content = _content(other_body) if other_body != "" else None
            sent = _with_type(sent, other_type if content is not None else "")
    response = yield Request(
        verb,
        _url(url),
        query=query_rows(query),
        headers=sent,
        form=fields,
        body=multipart if multipart is not None else content,
        timeout=timeout,
        redirects=_FOLLOW if allow_redirects else 0,
        raises=False,
    )
    return _result(response, verb, parse=parse_response, raises=stop_on_error)


def _method(text: str) -> str:
    method = text.strip().upper()
    if not (method.isascii() and method.isalpha() and len(method) < 20):
        raise BundleInvalid(field="method", reason=f"{text[:40]!r} is not a method such as GET")
    return method


def _url(text: str) -> str:
    url = text.strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:
        raise BundleInvalid(
            field="url", reason=f"{url[:80]!r} is not an address; start it with https://"
        )
    return url


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _with_type(headers: Mapping[str, str], content_type: str) -> dict[str, str]:
    if not content_type or any(name.lower() == "content-type" for name in headers):
        return dict(headers)
    return {**headers, "Content-Type": content_type}


def _content(data: Any) -> bytes:
    if isinstance(data, bytes):
        return data
    if isinstance(data, dict | list):
        return msgspec.json.encode(plain(data))
    return to_text(data).encode()


def _parts(rows: Iterable[Mapping[str, Any]]) -> Iterable[Part]:
    for row in rows:
        name = str(row.get("key") or row.get("name") or "")
        if row.get("fieldType") == "file" or row.get("data") is not None:
            yield Part(name, _content(row.get("data")), filename=str(row.get("fileName") or "file"))
        else:
            yield Part(name, _content(row.get("value")))


def _result(response: Response, method: str, *, parse: bool, raises: bool) -> dict[str, Any]:
    if raises and response.status >= 400:
        error = refusal(response, effect_of_method(method), account=False)
        assert error is not None
        raise error
    return {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "data": parsed(response, always=True) if parse else _unparsed(response),
    }


def _unparsed(response: Response) -> str | bytes:
    if "json" in response.headers.get("content-type", "").lower():
        return response.text()
    found: str | bytes = parsed(response)
    return found
