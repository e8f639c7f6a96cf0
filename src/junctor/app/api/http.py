"""What resources share: pages, revisions, and answers as JSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.params import Parameter
from litestar.response import Response

from junctor.app.api.caller import Caller
from junctor.app.api.envelope import Failure

__all__ = [
    "ApiRequest",
    "Cursor",
    "IfMatch",
    "Limit",
    "Page",
    "cursor_of",
    "etag",
    "position_of",
    "revision_of",
    "tagged",
]

T = TypeVar("T")

ApiRequest = Request[Caller, Any, State]

Cursor = Annotated[
    str | None, Parameter(query="cursor", description="`next` of the page before.", max_length=500)
]
Limit = Annotated[
    int, Parameter(query="limit", ge=1, le=200, description="How many items at most.")
]
IfMatch = Annotated[
    str | None,
    Parameter(header="If-Match", description='The `ETag` that was read, or `*` for "any".'),
]


class Page(msgspec.Struct, Generic[T]):
    """Part of a list; ``next`` is the cursor of what follows, ``null`` at the end."""

    items: list[T]
    next: str | None = None


def cursor_of(position: Mapping[str, Any] | Sequence[Any]) -> str:
    """An opaque cursor of a position."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def position_of(cursor: str) -> list[Any]:
    """The position of a cursor that `cursor_of` made; 422 on any other text."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded.encode()), type=list[Any])
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise Failure(422, "This cursor is not one of ours.", path="query.cursor") from None


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


def check_revision(if_match: str | None, current: int) -> None:
    """412 unless ``If-Match`` names the current revision."""
    expected = revision_of(if_match)
    if expected is not None and expected != current:
        raise Failure(
            412,
            f"It is at revision {current} by now: read it again.",
            path="header.If-Match",
            revision=current,
        )


def tagged(content: Any, revision: int, *, status: int = 200) -> Response[Any]:
    """An answer with the revision as its ``ETag``."""
    return Response(content, status_code=status, headers={"etag": etag(revision)})
