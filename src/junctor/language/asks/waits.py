"""Waits for an event or a person, and what is asked of Junctor around them.

What a module of kind *waiter* returns is an `Await`: the run goes on when it is answered, or when
its time is over, whichever comes first, and never twice. The matching is pure: what a delivery must
say is made comparable once, when the wait opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from junctor.language.connector import Ask, Bundle
from junctor.language.values import to_text

__all__ = ["Await", "AwaitApproval", "AwaitDelivery", "Comment", "ListHooks", "MakeApprovalLink",
           "comparable", "matches"]  # fmt: skip

Comment = Literal["optional", "required", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Await(Ask):
    """What a run waits for. ``seconds``: how long at most."""

    seconds: float

    def outcome(self, answer: Bundle | None, waited: float) -> Bundle:
        """What the module gives out; ``None``: nothing came in time. ``waited`` in seconds."""
        return {**(answer or {}), "timedOut": answer is None, "waited": round(waited, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitDelivery(Await):
    """A delivery to one of our hooks. Answered with ``{"bundle": the trigger's}``."""

    hook: str
    """Its id (``hok_…``) or its name."""
    match: tuple[tuple[str, Any], ...] = ()
    """Dotted paths in the trigger's bundle, and what each must hold."""
    since: datetime | None = None
    """Deliveries from then on count, though they came before the wait opened; ``None``: from the
    start of the run, or the end of its last wait."""
    also: bool = False
    """Whether the hook's own scenario runs with the delivery, too."""

    def outcome(self, answer: Bundle | None, waited: float) -> Bundle:
        """``answered``, ``timedOut``, ``bundle`` and ``waited``."""
        return {
            "answered": answer is not None,
            "timedOut": answer is None,
            "bundle": (answer or {}).get("bundle") or {},
            "waited": round(waited, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitApproval(Await):
    """A person's decision. Answered with ``{"decision", "comment", "by", "decidedAt"}``."""

    question: str
    details: str = ""
    choices: tuple[str, ...] = ("Approve", "Reject")
    comment: Comment = "optional"
    link: str = ""
    """The address that was made for it before (`MakeApprovalLink`); empty: one is made."""

    def outcome(self, answer: Bundle | None, waited: float) -> Bundle:
        """``decision``, ``comment``, ``by``, ``decidedAt``, ``timedOut`` and ``waited``."""
        given = answer or {}
        return {
            "decision": given.get("decision", ""),
            "comment": given.get("comment", ""),
            "by": given.get("by", ""),
            "decidedAt": given.get("decidedAt"),
            "timedOut": answer is None,
            "waited": round(waited, 3),
        }


@dataclass(frozen=True, slots=True)
class MakeApprovalLink(Ask):
    """Answered with ``{"link"}``: an address of our own that nobody can guess."""


@dataclass(frozen=True, slots=True)
class ListHooks(Ask):
    """Answered with ``[{"id", "name"}, …]``: the hooks whose scenario is active."""


def comparable(value: Any) -> str:
    """A value as matching sees it: its text, without outer and doubled blanks, case ignored."""
    return " ".join(to_text(value).split()).casefold()


def matches(wanted: Mapping[str, str], bundle: Bundle, *, country: str = "") -> bool:
    """Whether a bundle holds all that is wanted: dotted path → `comparable` value.

    Phone numbers are equal however they are written; one without a country code is ``country``'s.
    """
    from junctor.language.phones import same_number  # noqa: PLC0415  # large tables: not for every process

    for path, value in wanted.items():
        found = _at(bundle, path)
        values = found if isinstance(found, list) else [found]
        if not any(
            each is not None
            and (comparable(each) == value or same_number(to_text(each), value, country))
            for each in values
        ):
            return False
    return True


def _at(bundle: Any, path: str) -> Any:
    """What is at a dotted path; a name that has dots itself is found as it is."""
    if isinstance(bundle, Mapping) and path in bundle:
        return bundle[path]
    for key in path.split("."):
        bundle = bundle.get(key) if isinstance(bundle, Mapping) else None
    return bundle
