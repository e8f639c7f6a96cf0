"""What connectors share about HTTP: rows of names and values, refusals, and "Make an API call".

A connector's base URL belongs to its connection; the functions here never let a mapped value choose
another host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypedDict
from urllib.parse import quote, unquote, urlsplit

import msgspec

from junctor.errors import (
    BundleInvalid,
    DataError,
    JunctorError,
    RateLimited,
    Reconnect,
    Uncertain,
    VendorRefused,
    VendorUnavailable,
)
from junctor.language.connector import Connector, Effect, Field, Flow, Request, Response

__all__ = [
    "Method",
    "Row",
    "add_api_call",
    "effect_of_method",
    "header_rows",
    "method_effect",
    "parsed",
    "query_rows",
    "refusal",
    "relative",
    "retry_after",
]

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Row(TypedDict, total=False):
    """One line of a table of names and values; either of two spellings of each is read."""

    key: Annotated[str, Field(label="Name", help="Of one header or parameter.")]
    value: Annotated[str, Field(label="Value", help="As text.")]


def effect_of_method(method: str) -> Effect:
    """What a method promises (RFC 9110): reads, what may be repeated, and all else once."""
    match method.strip().upper():
        case "GET" | "HEAD" | "OPTIONS":
            return "read"
        case "PUT" | "DELETE":
            return "idempotent"
        case _:
            return "once"


def method_effect(default: str = "GET") -> Callable[[Mapping[str, Any]], Effect]:
    """`ModuleDef.effect_of` for modules with a field ``method``; unset, it is ``default``."""
    return lambda arguments: effect_of_method(str(arguments.get("method") or default))


def header_rows(rows: Iterable[Mapping[str, Any]], *, field: str = "headers") -> dict[str, str]:
    """Header names and values. `BundleInvalid` on a line break, which would forge another."""
    headers = {}
    for name, value in _rows(rows):
        if any(ord(letter) < 32 and letter != "\t" for letter in name + value):
            raise BundleInvalid(
                field=field,
                reason=f"the header {name!r} holds a line break; remove it from name and value",
            )
        headers[name] = value
    return headers


def query_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Names and values of a query or a form, in order, repeated ones kept."""
    return tuple(_rows(rows))


def _rows(rows: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    for row in rows:
        name = str(row.get("key") or row.get("name") or "").strip()
        value = row.get("value")
        if name:
            yield name, "" if value is None else str(value)


def refusal(
    response: Response, effect: Effect, *, reason: str = "", account: bool = True
) -> JunctorError | None:
    """The error that a complete answer means, or ``None`` for 2xx. For flows that look at answers
    themselves; the rules are those of all other modules.

    429, 420 and 503 mean that nothing was done. Another 5xx leaves it open, which for an effect
    that must not be repeated is `Uncertain`. ``reason`` is the vendor's own message. Without an
    ``account`` behind the request, 401 is a refusal like any other.
    """
    status = response.status
    if 200 <= status < 300:
        return None
    text = reason or _short(response)
    if status in {420, 429}:  # 420, Enhance Your Calm, is no standard, but Crisp answers with it
        return RateLimited(
            f"The vendor refused for now: too many requests ({text})."
            if text
            else "The vendor refused for now: too many requests.",
            retry_after=retry_after(response.headers),
            status=status,
            reason=text,
        )
    text = text or "no reason given"
    if account and status == 401:
        return Reconnect(
            f"The vendor refused the connection (401): {text}. Reconnect the account.",
            status=status,
            reason=text,
        )
    if status >= 500 and status != 503 and effect == "once":
        return Uncertain(
            f"The vendor answered {status} ({text}); whether it acted is unknown.",
            status=status,
            reason=text,
        )
    if status >= 500:
        error = VendorUnavailable(
            f"The vendor answered {status}: {text}", status=status, reason=text
        )
        error.retry_after = retry_after(response.headers)
        return error
    return VendorRefused(status=status, reason=text)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for, where it gives seconds (a date needs a clock)."""
    text = headers.get("retry-after", "").strip()
    return float(text) if text.isdecimal() and len(text) < 7 else None


def _short(response: Response) -> str:
    text = " ".join(response.text().split())
    return text if len(text) <= 300 else text[:299] + "…"


def parsed(response: Response, *, always: bool = False) -> Any:
    """The body as data if it is JSON (or ``always`` tried), text if it is text, bytes otherwise."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not response.body:
        return ""
    if always or kind == "application/json" or kind.endswith("+json"):
        try:
            return msgspec.json.decode(response.body)
        except (ValueError, RecursionError) as error:
            if not always:
                raise DataError(
                    reason=f"the answer says it is JSON and isn't ({error}); turn off parsing"
                ) from error
    textual = not kind or kind.startswith("text/") or kind.endswith(("json", "xml", "urlencoded"))
    if textual or kind in {"application/javascript", "application/x-yaml", "application/yaml"}:
        return response.text()
    return response.body


def relative(url: str, *, base: str) -> str:
    """A typed path, made relative to ``base``, or a whole address as it is.

    Only a request with its connection shows whether a whole address is of the connection's own
    origin, which may be a space of the user's or a simulator: any other is refused there. Raises
    `BundleInvalid` on what is neither, and on a path that climbs.
    """
    parts = urlsplit(url.strip())
    whole = parts.scheme in {"http", "https"} and bool(parts.hostname)
    if not whole and (parts.scheme or parts.netloc):
        raise BundleInvalid(
            field="url",
            reason=f"{url[:80]!r} is no path and no address; give a path such as /v1/items, or "
            "a whole address that begins with https://",
        )
    path = "/" + parts.path.lstrip("/")
    if {".", ".."} & set(unquote(path).replace("\\", "/").split("/")):
        raise BundleInvalid(field="url", reason="a path may not hold '.' or '..' segments")
    prefix = urlsplit(base).path.rstrip("/")
    if not whole and prefix and (path == prefix or path.startswith(prefix + "/")):
        path = path[len(prefix) :] or "/"
    quoted = quote(path, safe="/%:@!$&'()*+,;=~-._")
    begin = f"{parts.scheme}://{parts.netloc}" if whole else ""
    return begin + (f"{quoted}?{parts.query}" if parts.query else quoted)


def add_api_call(
    connector: Connector,
    *,
    base: str,
    docs: str,
    example: str,
    headers: Mapping[str, str] | None = None,
    error_text: Callable[[Response], str] = lambda _response: "",
) -> None:
    """Registers ``makeApiCall``: any request to the vendor, signed like all others.

    ``headers`` are sent unless the user types others of the same name.
    """
    fixed = dict(headers or {})

    def make_api_call(
        url: str,
        method: Annotated[Method, Field(label="Method")] = "GET",
        headers: Annotated[
            list[Row],
            Field(label="Headers", help="The connection adds its own.", advanced=True),
        ] = [],  # noqa: B006  # a form's default; `bind` copies it
        qs: Annotated[list[Row], Field(label="Query string")] = [],  # noqa: B006  # as above
        body: Annotated[str, Field(label="Body", help="JSON, as text.", multiline=True)] = "",
    ) -> Flow:
        """Sends a request of your own to the vendor, with the connection's credentials."""
        named = {name.lower(): name for name in fixed}
        typed = header_rows(headers)
        sent = {name: fixed[name] for low, name in named.items() if low not in _lower(typed)}
        if body and "content-type" not in _lower(typed):
            sent["Content-Type"] = "application/json"
        response = yield Request(
            method,
            relative(url, base=base),
            query=query_rows(qs),
            headers={**sent, **typed},
            body=body.encode() if body else None,
            raises=False,
        )
        error = refusal(response, effect_of_method(method), reason=error_text(response))
        if error is not None:
            raise error
        return {
            "statusCode": response.status,
            "headers": dict(response.headers),
            "body": parsed(response),
        }

    make_api_call.__annotations__["url"] = Annotated[
        str,
        Field(
            label="URL",
            help=f"A path below {base}, or a whole address at the connection's own base URL. "
            f"{docs}",
            example=example,
        ),
    ]
    connector.action("Make an API call", effect="once", effect_of=method_effect())(make_api_call)


def _lower(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}
