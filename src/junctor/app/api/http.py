"""What resources share: pages, revisions, and answers as JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Generic, Protocol, TypeVar
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
    "based_on",
    "core_of",
    "etag",
    "page_of",
    "read_id",
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


class Revised(Protocol):
    """What counts its changes."""

    @property
    def revision(self) -> int: ...


@asynccontextmanager
async def based_on(
    if_match: str | None, read: Callable[[], Awaitable[Revised]]
) -> AsyncIterator[int | None]:
    """A write that starts from the revision that its caller has read; ``None`` for ``*``: any.

    428 if ``If-Match`` is missing, 412 if it is none of ours, or if the write lost: what it changes
    is at another revision by now, as ``read`` says. Another conflict stays what it is.
    """
    expected = _revision_of(if_match)
    try:
        yield expected
    except Conflict as error:
        current = (await read()).revision
        if expected is None or expected == current:
            raise
        raise Failure(
            412,
            f"It is at revision {current} by now: read it again.",
            path="header.If-Match",
            revision=current,
        ) from error


def _revision_of(if_match: str | None) -> int | None:
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


def tagged(content: Any, revision: int, *, status: int = 200) -> Response[Any]:
    """An answer with the revision as its ``ETag``."""
    return Response(content, status_code=status, headers={"etag": etag(revision)})
