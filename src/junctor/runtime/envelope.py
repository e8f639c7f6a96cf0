"""How a delivery lies in the inbox: msgpack, one array, its first item says which kind.

``[1, method, query, headers, body, remote, settings]`` is a call that a hook received, with the
hook's own settings (no secrets) at that moment;
``[2, bundles, version, actor, options]`` is a run that a person, a program or another scenario
started, with its trigger's bundles, or nil if the trigger is to give them (``version`` 0: the
published one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from junctor.errors import Fault
from junctor.language import ids
from junctor.language.connector import Bundle, Delivery

__all__ = [
    "Lines",
    "Manual",
    "called_by",
    "depth_of",
    "lines_of",
    "pack_call",
    "pack_lines",
    "pack_manual",
    "unpack",
]

Lines = tuple[tuple[UUID, UUID], ...]
"""Scenario and run of each caller that waits for a run, itself or for one that does, and that
others stand in line behind: the outermost first."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

_PRIVATE = frozenset({"authorization", "cookie", "proxy-authorization", "x-make-apikey"})
"""Headers that carry credentials: verified at the door, never stored."""


@dataclass(frozen=True, slots=True)
class Manual:
    """A run started by hand, or by a run of another scenario."""

    bundles: list[Bundle] | None
    version: int
    actor: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """``cycles``: how many at most (1); ``start``: where a trigger that has not polled before
    begins (``now``, ``all``, or an ISO date); ``trigger``: ``call`` if a scenario called it,
    ``schedule`` if it was time (then ``cycles`` is as many as its settings say); ``lines``: see
    `pack_lines`."""

    @property
    def trigger(self) -> str:
        """What started the run, as history shows it."""
        return str(self.options.get("trigger", "manual"))


def pack_call(delivery: Delivery) -> bytes:
    """A hook's delivery for the inbox, without headers that carry credentials."""
    headers = {name: value for name, value in delivery.headers.items() if name not in _PRIVATE}
    return _encode(
        (
            1,
            delivery.method,
            delivery.query,
            headers,
            delivery.body,
            delivery.remote,
            delivery.settings,
        )
    )


def pack_manual(
    bundles: Sequence[Bundle] | None,
    *,
    version: int,
    actor: str,
    options: Mapping[str, Any] | None = None,
) -> bytes:
    """A manual start for the inbox."""
    given = None if bundles is None else list(bundles)
    return _encode((2, given, version, actor, dict(options or {})))


def called_by(run_id: UUID, depth: int) -> str:
    """The actor of a called run: who called, and how many calls deep this one is."""
    return f"{ids.show('run', run_id)}/{depth}"


def depth_of(actor: str) -> int:
    """How many calls deep a run of this actor is; 0 for one that no scenario called."""
    run, _, depth = actor.partition("/")
    return int(depth) if run.startswith("run_") and depth.isdecimal() else 0


def pack_lines(lines: Lines) -> list[list[str]]:
    """As a called run's delivery and journal have them: hexadecimal ids, without order keys, which
    may be somebody's.
    """
    return [[scenario.hex, run.hex] for scenario, run in lines]


def lines_of(packed: Any) -> Lines:
    """What was packed; none of a run whose caller did not say."""
    return tuple((UUID(scenario), UUID(run)) for scenario, run in packed or ())


def unpack(
    id: UUID,  # noqa: A002 - the field's name
    payload: bytes,
    received_at: datetime,
) -> Delivery | Manual:
    """What was packed."""
    kind, *rest = _decode(payload)
    if kind == 1:
        method, query, headers, body, remote, settings = rest
        return Delivery(
            id=str(id),
            method=method,
            query=tuple((name, value) for name, value in query),
            headers=headers,
            body=body,
            received_at=received_at,
            remote=remote,
            settings=settings,
        )
    if kind == 2:
        return Manual(*rest)
    raise Fault(reason=f"a delivery of unknown kind {kind!r} lies in the inbox")
