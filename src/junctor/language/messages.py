"""What goes over the wire, as values: requests, their bodies and how they travel, and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from junctor.errors import DataError
from junctor.language.cookies import Cookie
from junctor.language.files import Content, File, file_of

__all__ = ["NO_SECRET", "Multipart", "Part", "Proxy", "Request", "Response", "Secret", "Tls"]


class Secret(str):
    """Text that no repr, log or expression shows. Only egress reads it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body; ``filename`` makes it a file."""

    name: str
    data: Content
    filename: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Multipart:
    """A multipart/form-data body."""

    parts: tuple[Part, ...]


NO_SECRET = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a request's TLS differs from the usual. All parts are PEM text; empty: not used."""

    authorities: str = ""
    """Certificates that are believed beside the public authorities', to sign the server's."""
    certificate: str = ""
    """Our own, shown to the server that asks for one (mutual TLS), with its chain."""
    key: Secret = NO_SECRET
    """Its private key."""
    password: Secret = NO_SECRET
    """What the key is encrypted with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The proxy that a request goes through; its own address is checked like any other."""

    url: str
    """``http://host:port`` or ``https://host:port``."""
    user: str = ""
    password: Secret = NO_SECRET


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as a value. ``url`` is absolute, or a path below the base URL."""

    method: str
    url: str
    query: Mapping[str, Any] | tuple[tuple[str, str], ...] = field(default=(), kw_only=True)
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    json: Any = field(default=None, kw_only=True)
    """A JSON body; ``None`` means no JSON body."""
    form: Mapping[str, Any] | tuple[tuple[str, str], ...] | None = field(default=None, kw_only=True)
    body: Content | Multipart | None = field(default=None, kw_only=True)
    """A `File`, here or as a part, is sent from where it is kept, a piece at a time."""
    timeout: float = field(default=40.0, kw_only=True)
    """Seconds for the whole request, connecting included."""
    max_bytes: int = field(default=16 * 1024 * 1024, kw_only=True)
    """The longest answer accepted, decompressed."""
    keep_above: int | None = field(default=None, kw_only=True)
    """A good answer (2xx) of more bytes is kept as `Response.file`, up to ``max_bytes``; ``None``:
    never. Where no files are kept (a pick-list, a rehearsal), it is the longest answer accepted."""
    redirects: int = field(default=0, kw_only=True)
    """How many redirects to follow; every hop is checked, and credentials stay with their host."""
    raises: bool = field(default=True, kw_only=True)
    """Whether an answer outside 2xx becomes an error (the HTTP module may want it as data)."""
    verify_tls: bool = field(default=True, kw_only=True)
    tls: Tls | None = field(default=None, kw_only=True)
    proxy: Proxy | None = field(default=None, kw_only=True)
    cookies: tuple[Cookie, ...] | None = field(default=None, kw_only=True)
    """A jar: those that fit are sent, with every redirect too, and `Response.cookies` is the jar
    afterwards. ``None``: cookies are of no concern."""

    def with_headers(self, **headers: str) -> Request:
        """The same request with more headers; underscores in names become hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})


@dataclass(frozen=True, slots=True)
class Response:
    """One complete HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; repeated ones joined by ``, `` (``set-cookie`` by newline)."""
    body: bytes
    url: str = ""
    cookies: tuple[Cookie, ...] = ()
    """The jar after this answer, if the request had one."""
    file: File | None = None
    """The body, in place of ``body``, if it was long and could be kept (`Request.keep_above`)."""

    def as_record(self) -> list[Any]:
        """Plain data for the journal."""
        record = [self.status, dict(self.headers), self.body, self.url, self.cookies]
        return record if self.file is None else [*record, self.file.as_value()]

    @classmethod
    def of_record(cls, record: Sequence[Any]) -> Response:
        """What `as_record` gave; older ones have no cookies, most have no file."""
        status, headers, body, url, *rest = record
        jar = tuple(Cookie(*row) for row in rest[0]) if rest else ()
        kept = file_of(rest[1]) if len(rest) > 1 else None
        return cls(status, headers, body, url, jar, kept)

    @property
    def size(self) -> int:
        """Bytes of the body, wherever it is."""
        return len(self.body) if self.file is None else self.file.size

    def content(self) -> Any:
        """The body as a bundle holds it: a buffer, or what stands for a file."""
        return self.body if self.file is None else self.file.as_value()

    def json(self) -> Any:
        """The body as JSON; `DataError` if it isn't."""
        if not self.body:
            return None
        try:
            return msgspec.json.decode(self.body)
        except (ValueError, RecursionError) as error:
            kind = self.headers.get("content-type", "").partition(";")[0].strip() or "of no type"
            begun = " ".join(self.text()[:300].split())[:80]
            raise DataError(
                reason=f"the answer is not valid JSON ({error}) but {kind} and begins {begun!r}"
            ) from error

    def text(self) -> str:
        """The body as text, by the declared character set, else UTF-8."""
        declared = self.headers.get("content-type", "").lower().partition("charset=")[2]
        encoding = declared.split(";")[0].strip(" \"'") or "utf-8"
        try:
            return self.body.decode(encoding, errors="replace")
        except LookupError:
            return self.body.decode("utf-8", errors="replace")
