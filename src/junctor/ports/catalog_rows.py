"""The things in a catalog, as frozen rows; `ports.catalog` says what is done with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

__all__ = [
    "AuditEntry",
    "Connection",
    "DataRecord",
    "DataStore",
    "DataStructure",
    "Detail",
    "Hook",
    "Json",
    "Node",
    "Organization",
    "Page",
    "Queue",
    "Retention",
    "Run",
    "Scenario",
    "Segment",
    "Team",
    "Token",
    "Variable",
    "Version",
    "VersionInfo",
]

T = TypeVar("T")
Json = Mapping[str, Any]
Detail = Literal["full", "first", "errors"]
Retention = Literal["short", "standard", "long"]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list. ``cursor`` fetches the rest; ``None``: this was the end."""

    items: list[T]
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A tenant. Time zone, locale and country are defaults of its scenarios."""

    organization_id: UUID
    name: str
    zone: str
    locale: str
    country: str
    revision: int
    created_at: datetime
    retention: Retention = "standard"
    """What its new scenarios begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """People of an organisation who share scenarios."""

    organization_id: UUID
    id: UUID
    name: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An API token, as it can be known: its text was shown once."""

    organization_id: UUID
    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario; what it does is in its versions."""

    organization_id: UUID
    id: UUID
    team_id: UUID
    name: str
    active: bool
    draft: int
    """The version being edited."""
    published: int | None
    """The version that runs."""
    detail: Detail
    retention: Retention
    confidential: bool
    """Whether a run that has ended keeps counts only."""
    revision: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    paused_at: datetime | None = None
    """Since when what comes in is kept and not run."""
    draining_at: datetime | None = None
    """Since when nothing new comes in; it is switched off when all that waits is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionInfo:
    """That a version exists, who made it, and when."""

    scenario_id: UUID
    version: int
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(VersionInfo):
    """One immutable version. ``bindings``: ``{"connections": {"3": "<uuid>"}, "hooks": {…}}``."""

    blueprint: str
    bindings: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A saved account. ``sealed`` opens with the organisation's keyring."""

    organization_id: UUID
    id: UUID
    team_id: UUID
    name: str
    connector: str
    kind: str
    base_url: str
    settings: Json
    sealed: bytes = field(repr=False)
    tested_at: datetime | None
    test_error: str | None
    revision: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An address of ours. ``token`` is its secret end; ``kind`` the trigger module's name."""

    organization_id: UUID
    id: UUID
    team_id: UUID
    scenario_id: UUID | None
    module: int | None
    name: str
    connector: str
    kind: str
    token: str = field(repr=False)
    connection_id: UUID | None
    settings: Json
    sealed: bytes | None = field(repr=False)
    registration: Json | None
    registration_error: str | None
    enabled: bool
    refused: int
    revision: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a scenario."""

    organization_id: UUID
    id: UUID
    scenario_id: UUID
    version: int
    retention: str
    order_key: str
    state: str
    wait_reason: str | None
    due_at: datetime | None
    trigger: str
    actor: str
    started_at: datetime
    ended_at: datetime | None
    operations: int
    bytes: int
    segments: int
    error: Json | None
    failed_module: int | None
    dropped: Json | None
    name: str | None = None
    """Given by the run itself."""
    warnings: int = 0
    """Bundles that were set aside as runs of their own."""
    origin: UUID | None = None
    """The run that this one was set aside from, or repeats."""
    edited: bool = False
    """Somebody has changed bundles of it."""
    skipped: bool = False
    """What follows it in order goes on without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A sealed piece of a run's journal, as stored."""

    seq: int
    data: bytes = field(repr=False)
    blobs: list[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits for a scenario, by order key; ``blocked_by_run`` holds it up, if any does."""

    scenario_id: UUID
    order_key: str
    deliveries: int
    parked: int
    oldest_at: datetime | None
    blocked_by_run: UUID | None
    due_at: datetime | None = None
    """When the first wait or automatic retry of it is over."""
    owner: str | None = None
    """The worker that is at it."""
    blocked_state: str | None = None
    blocked_error: Json | None = None
    blocked_module: int | None = None
    blocked_since: datetime | None = None
    """How the run that it stands behind stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataStore:
    """A collection of records."""

    organization_id: UUID
    id: UUID
    team_id: UUID
    name: str
    structure_id: UUID | None
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DataStructure:
    """What records or bundles should look like."""

    organization_id: UUID
    id: UUID
    team_id: UUID
    name: str
    spec: list[dict[str, Any]]
    """Fields, as `language.structures` reads them."""
    strict: bool
    """Whether other fields are refused."""
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRecord:
    """One record of a data store."""

    key: str
    data: Json
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A custom variable. ``value`` is ``{"type", "value"}``."""

    organization_id: UUID
    id: UUID
    team_id: UUID | None
    """``None``: the organisation's."""
    name: str
    value: Json
    revision: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A process of this installation, by its heartbeat."""

    name: str
    role: str
    started_at: datetime
    seen_at: datetime
    details: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the audit log; ``hash`` covers it and the hash before."""

    seq: int
    at: datetime
    actor: str
    verb: str
    object: str
    details: Json
    hash: bytes
