"""What resources share: pages, revisions, and answers as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Response

from junctor.app.api.caller import Caller
from junctor.app.api.envelope import Failure
from junctor.app.core import Core
from junctor.errors import Conflict
from junctor.language import ids
from junctor.ports import catalog

__all__ = [
    "ApiRequest",
    "Cursor",
    "IfMatch",
    "Limit",
    "Page",
    "core_of",
    "etag",
    "page_of",
    "read_id",
    "revision_of",
    "tagged",
]

T = TypeVar("T")

S = TypeVar("S")

ApiRequest = Request[Caller, Any, State]
"""A request with the token's `Caller` as its ``user``."""

Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", description="`next` of the page before.", max_length=500),
]
Limit = Annotated[
    int, QueryParameter(name="limit", ge=1, le=200, description="How many items at most.")
]
IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description='The `ETag` that was read, or `*` for "any".'),
]


class Page(msgspec.Struct, Generic[T]):
    """Part of a list; ``next`` is the cursor of what follows, ``null`` at the end."""

    items: list[T]
    next: str | None = None


def core_of(request: Request[Any, Any, Any]) -> Core:
    """What the application holds open."""
    core: Core = request.app.state.core
    return core


def page_of(page: catalog.Page[S], view: Callable[[S], T]) -> Page[T]:
    """A page of views."""
    return Page(items=[view(item) for item in page.items], next=page.cursor)


def read_id(prefix: str, text: str) -> UUID:
    """An id from a path; 404 if it can't be one."""
    return ids.read(prefix, text)


def etag(revision: int) -> str:
    """A revision as an entity tag."""
    return f'"{revision}"'


def revision_of(if_match: str | None) -> int | None:
    """The revision a write expects; ``None`` for ``*``. 428 if it is missing, 412 if unreadable."""
    if if_match is None:
        raise Failure(
            428,
            "Say which revision you change: send the ETag you read in If-Match (or *).",
            path="header.If-Match",
        )
    text = if_match.strip()
    if text == "*":
        return None
    text = text.removeprefix("W/").strip('"')
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Failure(412, "If-Match is not an ETag of ours.", path="header.If-Match")
    return int(text)


def lost(error: Conflict, expected: int | None, current: int) -> Exception:
    """412 in place of a conflict that came from a revision nobody has any more."""
    if expected is None or expected == current:
        return error
    return Failure(
        412,
        f"It is at revision {current} by now: read it again.",
        path="header.If-Match",
        revision=current,
    )


def tagged(content: Any, revision: int, *, status: int = 200) -> Response[Any]:
    """An answer with the revision as its ``ETag``."""
    return Response(content, status_code=status, headers={"etag": etag(revision)})
