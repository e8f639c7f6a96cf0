"""What modules ask of Junctor itself, done: `Services` finds the function for each kind of `Ask`.

A service is ``async def f(ask, asking) -> Any``; its answer must be plain data (it is recorded when
another step follows). It raises the errors of `junctor.errors`: what was perhaps done and must not
be done twice is `Uncertain`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from uuid import UUID

import msgspec

from junctor.adapters.mail import MailServers
from junctor.adapters.postgres.hot import Line
from junctor.engine.commands import Address
from junctor.errors import Unsupported
from junctor.language.connector import Ask
from junctor.ports.blobs import Blobs
from junctor.ports.transport import Transport
from junctor.runtime.accounts import Account
from junctor.runtime.ends import Ends
from junctor.runtime.envelope import Lines
from junctor.runtime.plans import Prepared
from junctor.runtime.services.room import RecordRoom
from junctor.runtime.staging import Staged

__all__ = ["SERVICES", "Asking", "Service", "Services", "Tools", "asked"]

SERVICES: Mapping[str, str] = {
    "CallScenario": "junctor.runtime.services.scenarios:call",
    "CheckMail": "junctor.runtime.services.mail:check",
    "ClearRecords": "junctor.runtime.services.records:clear",
    "CopyMail": "junctor.runtime.services.mail:copy",
    "CountRecords": "junctor.runtime.services.records:count",
    "DeleteMail": "junctor.runtime.services.mail:delete",
    "FetchMail": "junctor.runtime.services.mail:fetch",
    "FindMails": "junctor.runtime.services.mail:find",
    "FindRecords": "junctor.runtime.services.records:find",
    "FlagMail": "junctor.runtime.services.mail:flag",
    "ListFolders": "junctor.runtime.services.mail:folders",
    "ListHooks": "junctor.runtime.services.waits:list_hooks",
    "MakeApprovalLink": "junctor.runtime.services.waits:make_link",
    "MoveMail": "junctor.runtime.services.mail:move",
    "ReadRecord": "junctor.runtime.services.records:read",
    "ReadState": "junctor.runtime.services.records:read_state",
    "RunCode": "junctor.runtime.services.code:run",
    "SaveDraft": "junctor.runtime.services.mail:draft",
    "SendMail": "junctor.runtime.services.mail:send",
    "WriteRecord": "junctor.runtime.services.records:write",
    "WriteState": "junctor.runtime.services.records:write_state",
}
"""Name of the `Ask` → the function that does it; imported when first asked for."""


def asked(ask: Ask) -> bytes:
    """16 bytes that change when what is asked for changes."""
    content = msgspec.msgpack.encode((type(ask).__name__, dataclasses.astuple(ask)))  # type: ignore[call-overload]  # every kind is a dataclass
    return hashlib.sha256(content).digest()[:16]


@dataclass(frozen=True, slots=True)
class Tools:
    """What services work with."""

    line: Line
    """To read; what is written goes through `Staged`, or has a port of its own."""
    transport: Transport
    mail: MailServers = field(default_factory=MailServers)
    """Mail servers; given what `JUNCTOR_EGRESS_ALLOW` allows, as ``transport`` is."""
    blobs: Blobs | None = None
    """Where runs keep files; ``None``: they keep none."""
    public_url: str = ""
    """How the world reaches our servers, for links."""
    ends: Ends = field(init=False)
    """Runs that wait for runs they called."""
    room: RecordRoom = field(init=False)
    """Whether data stores may have more records."""

    def __post_init__(self) -> None:
        """One place to wait at, for all of a process."""
        object.__setattr__(self, "ends", Ends(self.line))
        object.__setattr__(self, "room", RecordRoom(self.line))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks."""

    tools: Tools
    organization_id: UUID
    scenario_id: UUID
    run_id: UUID
    address: Address
    actor: str = ""
    """Of the run; that of a called one says how deep it is (`runtime.envelope.depth_of`)."""
    parameters: Mapping[str, Any]
    """Static parameters of the placed module."""
    account: Account | None = None
    """The module's connection."""
    prepared: Prepared | None = None
    staged: Staged = field(default_factory=Staged)
    caller: UUID | None = None
    """The run as which this one calls others: what that has called goes on. ``None``: itself."""
    line: str | None = None
    """The order key behind which others of the scenario wait until this run has ended; ``None``:
    none does.
    """
    lines: Lines = ()
    """Of those that wait for this run."""

    def bound(self, kind: str) -> UUID | None:
        """What the placed module is bound to: ``bound("stores")`` is its data store's id."""
        bindings = self.prepared.bindings.get(kind, {}) if self.prepared is not None else {}
        found = bindings.get(str(self.address.module))
        return UUID(found) if found else None


Service = Callable[[Any, Asking], Awaitable[Any]]


class Services:
    """Finds services by what is asked."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self._known: dict[str, Service] = {}

    def add(self, services: Mapping[str, Service]) -> None:
        """Adds some by the names of what is asked, or puts them in the place of others."""
        self._known |= services

    async def do(self, ask: Ask, asking: Asking) -> Any:
        """The answer; `Unsupported` if nobody does such a thing."""
        name = type(ask).__name__
        service = self._known.get(name)
        if service is None:
            place = SERVICES.get(name)
            if place is None:
                raise Unsupported(what=f"what the module asks for ({name})")
            module, _, function = place.partition(":")
            service = self._known[name] = getattr(import_module(module), function)
        return await service(ask, asking)
