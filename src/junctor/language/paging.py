"""How a vendor's lists come in pages. Pure data; `runtime.effects` asks for the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Paging"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How a search asks for more. Values other than ``style`` are names of parameters or keys.

    styles: ``offset`` (limit + offset), ``skip`` (limit + skip), ``page`` (number in the query),
    ``path`` (``{page}`` in the URL), ``cursor`` (a key of the answer goes into a parameter),
    ``next_url`` (a key of the answer is the next address: only ever followed on the same origin).
    """

    style: Literal["offset", "skip", "page", "path", "cursor", "next_url"]
    size: int = 100
    limit_param: str = "limit"
    param: str = ""
    next_key: str = ""
    """Dotted path in the answer to the cursor or the next URL; empty or absent there: last page."""
    first: int = 0
    """Number of the first page, or the first offset."""
