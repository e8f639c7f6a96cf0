"""A scenario whose trigger registers itself, and the row that keeps it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from junctor.errors import NotFound
from junctor.ports.catalog import Hook, Scenario

ORG, HOOK, SCENARIO, CONNECTION = (UUID(int=n) for n in range(1, 5))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Rows:
    """What `Registrations` reads and writes of the catalog."""

    def __init__(self, token: str, **hook: Any) -> None:
        self.active = True
        self.noted: list[tuple[Any, str | None]] = []
        values: dict[str, Any] = {
            "organization_id": ORG, "id": HOOK, "team_id": ORG, "scenario_id": SCENARIO,
            "module": 1, "name": "Calls", "token": token, "connection_id": CONNECTION,
            "settings": {}, "sealed": None, "registration": None, "registration_error": None,
            "enabled": True, "refused": 0, "revision": 1, "created_at": NOW, "created_by": "a",
            "updated_at": NOW, "updated_by": "a",
        }  # fmt: skip
        self.hook = Hook(**{**values, **hook})

    async def scenario(self, organization_id: UUID, id: UUID) -> Scenario:  # noqa: A002 - the port's name
        assert organization_id == ORG
        if id != SCENARIO:
            raise NotFound(what="The scenario")
        return Scenario(
            organization_id=ORG, id=SCENARIO, team_id=ORG, name="S", active=self.active, draft=1,
            published=1, detail="full", retention="standard", confidential=False,
            revision=1, created_at=NOW, created_by="a", updated_at=NOW, updated_by="a",
        )  # fmt: skip

    async def note_registration(
        self,
        organization_id: UUID,
        id: UUID,  # noqa: A002 - the port's name
        *,
        actor: str,
        registration: dict[str, str] | None,
        error: str | None,
    ) -> Hook:
        assert (organization_id, id, actor) == (ORG, HOOK, "system")
        self.noted.append((registration, error))
        self.hook = dataclasses.replace(
            self.hook, registration=registration, registration_error=error
        )
        return self.hook
