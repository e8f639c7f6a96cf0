"""The pages of `MakeRequest`. Which fields say how is ours: exports show only the four kinds.

Every page is a bundle of its own, so that a long list needs no more memory than its longest page
does. A next page is only ever asked for on the same origin.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

from junctor.errors import BundleInvalid, DataError
from junctor.language.calls import parsed
from junctor.language.connector import Request, Response

__all__ = ["Pages", "PagingKind"]

PagingKind = Literal["", "none", "offsetBased", "pageBased", "urlBased", "tokenBased"]
_PARAMETER = {"offsetBased": "offset", "pageBased": "page", "tokenBased": "page_token"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """How to ask for more."""

    kind: PagingKind = ""
    parameter: str = ""
    """Query parameter of the offset, the page's number or the token."""
    first: int | None = None
    size: int = 0
    """Items of a full page; 0: not known."""
    size_parameter: str = ""
    path: str = ""
    """Where in the answer the next address or token is, dotted."""
    items: str = ""
    """Where in the answer the list is, dotted."""
    most: int = 100
    """Pages, so that a server that never ends does not keep us."""

    @property
    def wanted(self) -> bool:
        """Whether there may be more than one."""
        return self.kind not in {"", "none"}

    def start(self, request: Request) -> Request:
        """The request for the first page."""
        changes = {self.size_parameter: str(self.size)} if self.size_parameter and self.size else {}
        if self.kind in {"offsetBased", "pageBased"}:
            changes[self._name] = str(self._begin)
        return _queried(request, changes)

    def after(
        self, request: Request, response: Response, number: int, taken: int
    ) -> tuple[Request | None, int]:
        """The request for the page after the ``number``-th (0-based), or ``None``, and how many
        items this one has. ``taken`` were on the pages before.
        """
        found = parsed(response, always=True)
        if self.kind == "urlBased":
            return self._linked(request, response, found), 0
        if self.kind == "tokenBased":
            if not self.path:
                raise BundleInvalid(
                    field="paginationPath",
                    reason="say where in the answer the next page's token is, such as meta.next",
                )
            token = _dig(found, self.path)
            if token in (None, "", False):
                return None, 0
            return _queried(request, {self._name: str(token)}), 0
        count = self._count(found)
        if not count or (self.size and count < self.size):
            return None, count
        place = number + 1 if self.kind == "pageBased" else taken + count
        return _queried(request, {self._name: str(self._begin + place)}), count

    @property
    def _name(self) -> str:
        return self.parameter or _PARAMETER[self.kind]

    @property
    def _begin(self) -> int:
        if self.first is not None:
            return self.first
        return 1 if self.kind == "pageBased" else 0

    def _linked(self, request: Request, response: Response, found: Any) -> Request | None:
        text = _dig(found, self.path) if self.path else _link(response.headers.get("link", ""))
        if not text:
            return None
        if not isinstance(text, str):
            raise DataError(reason=f"the next page's address is no text: {str(text)[:80]}")
        here = response.url or request.url
        there = urljoin(here, text)
        if _origin(there) != _origin(request.url):
            raise DataError(
                reason=f"the next page is at another host ({urlsplit(there).netloc}); "
                "credentials are not taken there. Ask for it with a module of its own"
            )
        # The address brings its own query.
        return dataclasses.replace(request, url=there, query=())

    def _count(self, found: Any) -> int:
        items = _dig(found, self.items) if self.items else found
        if isinstance(items, dict) and not self.items:
            lists = [value for value in items.values() if isinstance(value, list)]
            items = lists[0] if len(lists) == 1 else items
        if items is None:
            return 0
        if not isinstance(items, list):
            raise BundleInvalid(
                field="paginationItems",
                reason="say where in the answer the list is, such as data.items; "
                f"{self.items or 'the top'} holds none",
            )
        return len(items)


def _dig(found: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _queried(request: Request, changes: dict[str, str]) -> Request:
    rows = request.query.items() if not isinstance(request.query, tuple) else request.query
    kept = tuple((name, value) for name, value in rows if name not in changes)
    return dataclasses.replace(request, query=(*kept, *changes.items()))


def _link(header: str) -> str:
    """The target of ``rel=next`` in a Link header (RFC 8288)."""
    for target, parameters in _links(header):
        rel = re.search(r";\s*rel\s*=\s*\"?([^\";]+)", parameters, re.IGNORECASE)
        if rel and "next" in rel[1].lower().split():
            return target
    return ""


def _links(header: str) -> Iterator[tuple[str, str]]:
    for found in re.finditer(r"<([^<>]*)>((?:[^<\"]|\"[^\"]*\")*)", header[:16_000]):
        yield found[1], found[2]


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or default
