"""What the HTTP modules share: fields, addresses, bodies, results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypedDict
from urllib.parse import quote, unquote, urlsplit

import msgspec

from junctor.errors import BundleInvalid, VendorRefused
from junctor.language.calls import effect_of_method, parsed, refusal
from junctor.language.connector import Field, Part, Request, Response
from junctor.language.files import LARGEST, Content, File, file_or_buffer
from junctor.language.values import plain, to_text

__all__ = [
    "FILE_BYTES",
    "REDIRECTS",
    "FormRow",
    "Headers",
    "Pair",
    "ParseResponse",
    "Query",
    "ShareCookies",
    "Timeout",
    "Url",
    "content_of",
    "file_name",
    "method_of",
    "parts_of",
    "raise_refusal",
    "rows_of",
    "unparsed",
    "url_of",
    "with_type",
]

REDIRECTS = 10
LONGEST = 300
"""Seconds that a request may take."""
FILE_BYTES = LARGEST
"""The longest file fetched."""
_NAME_BYTES = 200
_FOLLOWED = frozenset({301, 302, 303, 307, 308})


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
    data: Annotated[Content, Field(label="File data")]
    mimeType: Annotated[str, Field(label="Content type")]


Url = Annotated[str, Field(label="URL", format="uri", example="https://api.example.com/items")]
Headers = Annotated[list[Pair], Field(label="Headers")]
Query = Annotated[list[Pair], Field(label="Query parameters", key="queryParameters")]
Timeout = Annotated[
    int, Field(label="Timeout (seconds)", minimum=1, maximum=LONGEST, advanced=True)
]
ParseResponse = Annotated[
    bool, Field(label="Parse response", help="JSON answers become fields.", key="parseResponse")
]
ShareCookies = Annotated[
    bool,
    Field(
        label="Share cookies",
        help="Keeps cookies for the other HTTP modules of the same run that share them.",
        key="shareCookies",
        advanced=True,
    ),
]


def method_of(text: str) -> str:
    """The method, in capitals."""
    method = text.strip().upper()
    if not (method.isascii() and method.isalpha() and len(method) < 20):
        raise BundleInvalid(field="method", reason=f"{text[:40]!r} is not a method such as GET")
    return method


def url_of(text: str, *, serialize: bool = False) -> str:
    """The address, checked. ``serialize``: what could be read as syntax is quoted, too."""
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
    if serialize:
        head, found, path = url.partition("://")
        host, slash, rest = path.partition("/")
        quoted = quote(re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", rest), safe="%/:=&?~#+!$,;'@()*-._")
        url = head + found + host + slash + quoted
    return url


def rows_of(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Repeated names numbered, as Node's `qs` writes arrays: ``a[0]=1&a[1]=2``."""
    names = [name for name, _ in pairs]
    seen: dict[str, int] = {}
    out = []
    for name, value in pairs:
        number = seen[name] = seen.get(name, -1) + 1
        out.append((f"{name}[{number}]" if names.count(name) > 1 else name, value))
    return tuple(out)


def with_type(headers: Mapping[str, str], content_type: str) -> dict[str, str]:
    """The headers, with a content type unless one is typed."""
    if not content_type or any(name.lower() == "content-type" for name in headers):
        return dict(headers)
    return {**headers, "Content-Type": content_type}


def content_of(data: Any) -> Content:
    """A body: bytes and files as they are, arrays and collections as JSON, all else as text."""
    data = file_or_buffer(data)
    if isinstance(data, bytes | File):
        return data
    if isinstance(data, dict | list):
        return msgspec.json.encode(plain(data))
    return to_text(data).encode()


def parts_of(rows: Iterable[Mapping[str, Any]]) -> Iterable[Part]:
    """The parts of a multipart body."""
    for row in rows:
        name = str(row.get("key") or row.get("name") or "")
        kind = str(row.get("mimeType") or "") or None
        if row.get("fieldType") == "file" or row.get("data") is not None:
            file = str(row.get("fileName") or "file")
            yield Part(name, content_of(row.get("data")), filename=file, content_type=kind)
        else:
            yield Part(name, content_of(row.get("value")), content_type=kind)


def raise_refusal(response: Response, request: Request) -> None:
    """Raises what a status of 400 and above means, and a redirect that was followed too often.

    A redirect is a complete answer that says nothing was done here; after so many of them it is a
    refusal, as in Make, and no result. One that was not to be followed is a result.
    """
    if request.redirects and response.status in _FOLLOWED and "location" in response.headers:
        raise VendorRefused(
            status=response.status, reason=f"redirected more than {request.redirects} times"
        )
    if response.status >= 400:
        error = refusal(response, effect_of_method(request.method), account=False)
        assert error is not None
        raise error


def unparsed(response: Response) -> str | bytes:
    """The body as text where it is text, else its bytes."""
    if "json" in response.headers.get("content-type", "").lower():
        return response.text()
    found: str | bytes = parsed(response)
    return found


def file_name(response: Response) -> str:
    """What to call a fetched file: as its server says, else the end of its address.

    A bare name: no folder, no control character, no leading dot, at most 200 bytes.
    """
    said = _disposition(response.headers.get("content-disposition", ""))
    return _bare(said) or _bare(unquote(urlsplit(response.url).path)) or "file"


def _bare(text: str) -> str:
    name = re.split(r"[/\\]", text)[-1]
    name = "".join(letter for letter in name if letter.isprintable() and letter not in '<>:"|?*')
    name = name.strip(" .")
    while len(name.encode("utf-8", "replace")) > _NAME_BYTES:
        stem, dot, end = name.rpartition(".")
        name = stem[:-1] + dot + end if stem and len(end) < 20 else name[:-1]
    return name


def _disposition(header: str) -> str:
    """The name in a Content-Disposition (RFC 6266): ``filename*`` before ``filename``."""
    found = re.search(
        r"filename\*\s*=\s*\"?([\w!#$&+^`{}~.-]+)'[^']*'([^;\"\s]+)", header, re.IGNORECASE
    )
    if found:
        try:
            return unquote(found[2], encoding=found[1], errors="strict")
        except (LookupError, UnicodeDecodeError):
            pass
    found = re.search(r"filename\s*=\s*\"((?:[^\"\\]|\\.)*)\"", header, re.IGNORECASE)
    if found:
        return _utf8(re.sub(r"\\(.)", r"\1", found[1]))
    found = re.search(r"filename\s*=\s*([^;\s]+)", header, re.IGNORECASE)
    return _utf8(found[1]) if found else ""


def _utf8(text: str) -> str:
    """Headers come as Latin-1 or with escaped bytes; many servers write UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
