"""What an organisation owns and made: read and changed by the API and the command line.

Every method takes the organisation; everything of another is as if it did not exist. Writes name
their ``actor`` (as the audit log shows it) and are audited in the same transaction. Methods raise
`NotFound` for what isn't there, and `Conflict` when ``revision`` (what the caller last saw) isn't
the stored one; ``revision=None`` writes whatever is there.

Lists come in pages, newest first unless said otherwise. A cursor is opaque: it is given back as it
came; `Misconfigured` on any other.
"""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from junctor.language.connector import Secret
from junctor.ports.catalog_apps import AppHooks
from junctor.ports.catalog_rows import (
    AuditEntry,
    Connection,
    DataRecord,
    DataStore,
    DataStructure,
    Detail,
    Hook,
    Json,
    Node,
    Organization,
    Page,
    Queue,
    Retention,
    Run,
    Scenario,
    Segment,
    Team,
    Token,
    Variable,
    Version,
    VersionInfo,
)
from junctor.ports.catalog_schedules import Schedules, StoredSchedule
from junctor.ports.catalog_stores import DataStores, DataStructures
from junctor.ports.catalog_variables import Variables
from junctor.ports.inbox import Answered

__all__ = [
    "Accounts",
    "AuditEntry",
    "Catalog",
    "Connection",
    "DataRecord",
    "DataStore",
    "DataStores",
    "DataStructure",
    "DataStructures",
    "Detail",
    "History",
    "Hook",
    "Json",
    "Node",
    "Organization",
    "Organizations",
    "Page",
    "Queue",
    "Retention",
    "Run",
    "Scenario",
    "Scenarios",
    "Schedules",
    "Segment",
    "StoredSchedule",
    "Team",
    "Token",
    "Variable",
    "Variables",
    "Version",
    "VersionInfo",
]


class Organizations(Protocol):
    """Tenants, teams, tokens, the audit log and the installation's processes."""

    def together(self, organization_id: UUID) -> AbstractAsyncContextManager[None]:
        """Makes all that the block writes for one organisation one transaction.

        An error that leaves the block undoes it all. Only one write at a time inside.
        """

    async def create_organization(
        self,
        name: str,
        *,
        actor: str,
        zone: str = "UTC",
        locale: str = "en",
        country: str = "",
        team: str = "Everyone",
    ) -> tuple[Organization, Team]:
        """A new tenant with its first team. `Misconfigured` on an unknown time zone."""

    async def organizations(self) -> list[Organization]:
        """All tenants of this installation, oldest first; for its operator alone."""

    async def organization(self, organization_id: UUID) -> Organization:
        """One tenant."""

    async def update_organization(
        self,
        organization_id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        name: str | None = None,
        zone: str | None = None,
        locale: str | None = None,
        country: str | None = None,
        retention: Retention | None = None,
    ) -> Organization:
        """Changes what is given. ``retention`` is what scenarios made from now on begin with."""

    async def teams(self, organization_id: UUID) -> list[Team]:
        """Oldest first."""

    async def create_token(
        self,
        organization_id: UUID,
        *,
        actor: str,
        name: str,
        scopes: Sequence[str],
        expires_at: datetime | None = None,
    ) -> tuple[Token, Secret]:
        """A new token and its text (``jct_`` and 43 characters), which is never shown again."""

    async def find_token(self, text: str) -> Token | None:
        """Whose token this is; ``None`` if nobody's, revoked or expired. Notes that it was used."""

    async def tokens(self, organization_id: UUID) -> list[Token]:
        """Newest first, revoked ones included."""

    async def revoke_token(self, organization_id: UUID, id: UUID, *, actor: str) -> Token:
        """Ends a token; again is as once."""

    async def nodes(self) -> list[Node]:
        """The processes of this installation."""

    async def note(
        self,
        organization_id: UUID,
        *,
        actor: str,
        verb: str,
        object: str,
        details: Json,
    ) -> None:
        """Adds a line to the audit log by itself."""

    async def audit(
        self, organization_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[AuditEntry]:
        """The audit log."""

    async def verify_audit(self, organization_id: UUID) -> int | None:
        """The first line that was changed, removed or put in; ``None``: the chain holds."""


class Scenarios(Protocol):
    """Scenarios and their versions."""

    async def create_scenario(
        self,
        organization_id: UUID,
        *,
        actor: str,
        name: str,
        blueprint: str,
        bindings: Json | None = None,
        team_id: UUID | None = None,
        detail: Detail = "full",
        retention: Retention | None = None,
        confidential: bool = False,
    ) -> Scenario:
        """A new scenario, inactive, with version 1 as its draft; in the first team by default, with
        the organisation's retention.
        """

    async def scenarios(
        self,
        organization_id: UUID,
        *,
        active: bool | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Scenario]:
        """Scenarios; ``active`` picks by state."""

    async def scenario(self, organization_id: UUID, id: UUID) -> Scenario:
        """One scenario."""

    async def update_scenario(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        name: str | None = None,
        detail: Detail | None = None,
        retention: Retention | None = None,
        confidential: bool | None = None,
    ) -> Scenario:
        """Changes what is given."""

    async def save_draft(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        blueprint: str,
        bindings: Json,
        confidential: bool = False,
        revision: int | None = None,
    ) -> Scenario:
        """Stores a new version and makes it the draft. ``confidential`` makes the scenario so."""

    async def publish(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        version: int | None = None,
        revision: int | None = None,
    ) -> Scenario:
        """Makes a version (the draft, unless said) the one that new runs take."""

    async def set_active(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        active: bool,
        revision: int | None = None,
    ) -> Scenario:
        """Starts or stops it; deliveries are kept while it stands. `Conflict` if unpublished."""

    async def hold_scenario(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        how: Literal["pause", "proceed", "drain"],
        revision: int | None = None,
    ) -> Scenario:
        """Pauses an active scenario, runs it dry, or ends both; again is as once. `Conflict` if it
        is not active.
        """

    async def delete_scenario(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        """Removes it with its versions and what waits for it; its history stays.

        `Conflict` while it is active.
        """

    async def versions(
        self,
        organization_id: UUID,
        scenario_id: UUID,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[VersionInfo]:
        """Versions of a scenario."""

    async def version(self, organization_id: UUID, scenario_id: UUID, version: int) -> Version:
        """One version, with its blueprint."""


class Accounts(Protocol):
    """Connections and hooks."""

    async def create_connection(
        self,
        organization_id: UUID,
        *,
        actor: str,
        id: UUID,
        name: str,
        connector: str,
        kind: str,
        base_url: str,
        settings: Json,
        sealed: bytes,
        team_id: UUID | None = None,
    ) -> Connection:
        """Saves an account. The caller makes the id, because the secret is sealed to it."""

    async def connections(
        self,
        organization_id: UUID,
        *,
        connector: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Connection]:
        """Accounts; ``connector`` picks by service."""

    async def connection(self, organization_id: UUID, id: UUID) -> Connection:
        """One account."""

    async def update_connection(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        name: str | None = None,
        base_url: str | None = None,
        settings: Json | None = None,
        sealed: bytes | None = None,
    ) -> Connection:
        """Changes what is given; `Misconfigured` on another base URL without the secret."""

    async def note_test(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        error: str | None,
    ) -> Connection:
        """Notes that it was tested, and what went wrong."""

    async def delete_connection(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        """`Conflict` while a hook, a draft or a published version uses it."""

    async def create_hook(
        self,
        organization_id: UUID,
        *,
        actor: str,
        name: str,
        connector: str,
        kind: str,
        id: UUID | None = None,
        scenario_id: UUID | None = None,
        module: int | None = None,
        connection_id: UUID | None = None,
        settings: Json | None = None,
        sealed: bytes | None = None,
        team_id: UUID | None = None,
    ) -> Hook:
        """A new address with a token of 128 random bits."""

    async def hooks(
        self,
        organization_id: UUID,
        *,
        scenario_id: UUID | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Hook]:
        """Hooks; ``scenario_id`` picks those of one scenario."""

    async def hook(self, organization_id: UUID, id: UUID) -> Hook:
        """One hook."""

    async def update_hook(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        name: str | None = None,
        settings: Json | None = None,
        sealed: bytes | None = None,
        enabled: bool | None = None,
        connection_id: UUID | None = None,
    ) -> Hook:
        """Changes what is given."""

    async def bind_hook(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        scenario_id: UUID | None,
        module: int | None,
        revision: int | None = None,
    ) -> Hook:
        """Says which scenario and trigger its deliveries are for; ``None``: nobody's."""

    async def note_registration(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        registration: Json | None,
        error: str | None,
    ) -> Hook:
        """Notes what the vendor knows of it."""

    async def delete_hook(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        """Its address is gone from then on."""


class History(Protocol):
    """Runs, and what waits to become one."""

    async def runs(
        self,
        organization_id: UUID,
        *,
        scenario_id: UUID | None = None,
        states: Sequence[str] = (),
        name: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Run]:
        """Runs; of one scenario, in some states, with ``name`` in their name, or all."""

    async def run(self, organization_id: UUID, id: UUID) -> Run:
        """One run."""

    async def answer(self, organization_id: UUID, run_id: UUID) -> Answered | None:
        """What a run answered, as long as that is kept."""

    async def segments(
        self, organization_id: UUID, run_id: UUID, *, after: int = -1, limit: int = 100
    ) -> list[Segment]:
        """Segments after number ``after``, in order; none of a run that isn't there."""

    async def queues(
        self,
        organization_id: UUID,
        *,
        scenario_id: UUID | None = None,
        cursor: str | None = None,
        limit: int = 1000,
    ) -> Page[Queue]:
        """What waits: what is blocked before the rest, the oldest first."""


class Catalog(
    Organizations,
    Scenarios,
    Schedules,
    Accounts,
    AppHooks,
    History,
    DataStores,
    DataStructures,
    Variables,
    Protocol,
):
    """All of it; functions ask for the part they need."""
