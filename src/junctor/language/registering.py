"""How an instant trigger makes its address known to a vendor, and takes it back. Pure data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from junctor.language.messages import Request, Response

__all__ = ["Registration", "Takeover"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How an instant trigger makes itself known to its vendor. All functions are pure.

    ``create(url, settings)`` → Request; ``created(response)`` → the vendor's id as text;
    ``listing()`` → Request; ``listed(response)`` → (vendor id, url, event) rows;
    ``delete(vendor_id)`` → Request.
    """

    event: str
    create: Callable[[str], Request]
    created: Callable[[Response], str]
    listing: Callable[[], Request]
    listed: Callable[[Response], Iterable[tuple[str, str, str]]]
    delete: Callable[[str], Request]


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """How an instant trigger takes a vendor's only place for an address (what handles a phone
    number, say), and gives it back as it was. All functions are pure.

    ``place(settings)`` → the vendor's id of the place, empty if the user enters our address by
    hand; ``look(place)`` → Request; ``kept(response)`` → what is there now, as plain data from
    which it can be given back; ``check(kept)`` raises `Misconfigured` if it can't; ``url(kept)`` →
    the address in it; ``take(place, url, settings)`` and ``give_back(place, kept)`` → Requests.
    """

    event: str
    place: Callable[[Mapping[str, Any]], str]
    look: Callable[[str], Request]
    kept: Callable[[Response], Mapping[str, Any]]
    check: Callable[[Mapping[str, Any]], None]
    url: Callable[[Mapping[str, Any]], str]
    take: Callable[[str, str, Mapping[str, Any]], Request]
    give_back: Callable[[str, Mapping[str, Any]], Request]
