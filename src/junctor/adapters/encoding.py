"""A request as bytes: its address, its headers, its body."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from junctor.adapters.egress import Refused
from junctor.errors import DataError, Unsupported
from junctor.language.files import Content, File, size_of
from junctor.language.messages import Multipart, Request
from junctor.ports.transport import Files

__all__ = ["Streamed", "address_of", "body_of", "headers_of", "is_type"]

_FRAMING = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})
"""Headers that are the client's own business: a mapped one could smuggle a second request."""


def address_of(request: Request) -> str:
    """The whole address, query included, odd letters quoted; what is quoted stays so."""
    url = quote(request.url, safe="%/:=&?~#+!$,;'@()*[]|-._")
    query = _urlencoded(request.query)
    if not query:
        return url
    bare, mark, fragment = url.partition("#")
    return f"{bare}{'&' if '?' in bare else '?'}{query}{mark}{fragment}"


@dataclass(frozen=True, slots=True)
class Streamed:
    """A body that is sent a piece at a time."""

    contents: tuple[Content, ...]
    """One after the other."""

    @property
    def size(self) -> int:
        """Bytes of all, as Content-Length says."""
        return sum(size_of(content) for content in self.contents)

    async def open(self, files: Files | None) -> AsyncIterator[bytes]:
        """Its pieces, once the first of each file is there: nothing is sent of what is missing."""
        if files is None:
            raise Unsupported(what="sending a kept file from here (only a run has files)")
        for content in self.contents:
            if isinstance(content, File):
                first = files.pieces(content)
                await anext(first, b"")
                await first.aclose()
        return self._pieces(files)

    async def _pieces(self, files: Files) -> AsyncIterator[bytes]:
        for content in self.contents:
            if isinstance(content, File):
                async for piece in files.pieces(content):
                    yield piece
            else:
                yield content


def body_of(request: Request) -> tuple[bytes | Streamed | None, str | None]:
    """The body, and its content type if it has one by itself. `DataError` if JSON can't be made."""
    if request.json is not None:
        try:
            return msgspec.json.encode(request.json), "application/json"
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(reason=f"the body can't be written as JSON ({error})") from error
    if request.form is not None:
        return _urlencoded(request.form).encode(), "application/x-www-form-urlencoded"
    if isinstance(request.body, Multipart):
        return _multipart(request.body)
    if isinstance(request.body, File):
        return Streamed((request.body,)), None
    return request.body, None


def _multipart(body: Multipart) -> tuple[bytes | Streamed, str]:
    boundary = secrets.token_hex(16)
    contents: list[Content] = []
    out = bytearray()
    for part in body.parts:
        out += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(part.name)}"'.encode()
        )
        if part.filename is not None:
            out += f'; filename="{_quoted(part.filename)}"'.encode()
            kind = part.content_type or "application/octet-stream"
        else:
            kind = part.content_type or ""
        out += f"\r\nContent-Type: {_quoted(kind)}".encode() if kind else b""
        out += b"\r\n\r\n"
        if isinstance(part.data, File):
            contents += (bytes(out), part.data)
            out.clear()
        else:
            out += part.data
        out += b"\r\n"
    out += f"--{boundary}--\r\n".encode()
    whole = Streamed((*contents, bytes(out))) if contents else bytes(out)
    return whole, f"multipart/form-data; boundary={boundary}"


def _quoted(text: str) -> str:
    """As browsers write names in multipart headers."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _urlencoded(pairs: Mapping[str, Any] | tuple[tuple[str, str], ...]) -> str:
    rows = pairs.items() if isinstance(pairs, Mapping) else pairs
    return urlencode([(name, value) for name, value in rows if value is not None], doseq=True)


def headers_of(given: Mapping[str, str], content_type: str | None) -> dict[str, str]:
    """The headers to send. `Refused` on a line break, which would forge another."""
    headers = {}
    for name, value in given.items():
        text = str(value)
        if any(ord(letter) < 32 and letter != "\t" for letter in name + text):
            raise Refused(f"the header {name!r} holds a line break or another control character")
        if name.lower() not in _FRAMING:
            headers[name] = text
    if content_type and content_type.startswith("multipart/"):  # only we know the boundary
        headers = {name: text for name, text in headers.items() if not is_type(name)}
    if content_type and not any(is_type(name) for name in headers):
        headers["Content-Type"] = content_type
    return headers


def is_type(name: str) -> bool:
    """Whether a header is the content type."""
    return name.lower() == "content-type"
