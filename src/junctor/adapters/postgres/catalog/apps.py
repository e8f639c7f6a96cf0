"""App hooks."""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

import secrets
from uuid import UUID

from junctor.adapters.postgres.catalog.base import Base, given, json_or_none
from junctor.language.ids import show
from junctor.ports.catalog import Json
from junctor.ports.catalog_apps import AppHook

_WHAT = "The app hook"
_TOKEN_BYTES = 16  # 128 bits, as 32 letters and digits


class PostgresApps(Base):
    """`ports.catalog_apps.AppHooks`."""

    async def ensure_app_hook(
        self, organization_id: UUID, *, actor: str, connector: str, app: str
    ) -> AppHook:
        known = {"organization": organization_id, "connector": connector, "app": app}
        async with self._writing("An app hook", organization_id) as connection:
            found = await self._row(connection, AppHook, "app_hook_of", known)
            if found is not None:
                return found
            made = {
                **known,
                "id": self._ids.new(),
                "token": secrets.token_hex(_TOKEN_BYTES),
                "actor": actor,
            }
            row = await self._row(connection, AppHook, "create_app_hook", made)
            if row is None:  # somebody else's was committed meanwhile
                row = await self._row(connection, AppHook, "app_hook_of", known)
                assert row is not None
                return row
            await self._audit(
                connection,
                organization_id,
                actor,
                "create",
                show("app", row.id),
                {"connector": connector, "app": app},
            )
        return row

    async def app_hooks(self, organization_id: UUID) -> list[AppHook]:
        return await self._list(AppHook, "app_hooks", {"organization": organization_id})

    async def app_hook(self, organization_id: UUID, id: UUID) -> AppHook:
        parameters = {"organization": organization_id, "id": id}
        return await self._read(_WHAT, AppHook, "app_hook", parameters)

    async def update_app_hook(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        settings: Json | None = None,
        enabled: bool | None = None,
    ) -> AppHook:
        parameters = {
            "organization": organization_id,
            "id": id,
            "actor": actor,
            "revision": revision,
            "settings": json_or_none(settings),
            "enabled": enabled,
        }
        async with self._writing(_WHAT, organization_id) as connection:
            row = await self._change(
                connection, _WHAT, AppHook, "update_app_hook", parameters, reader="app_hook"
            )
            details = {"changed": given(settings=settings, enabled=enabled)}
            await self._audit(
                connection, organization_id, actor, "update", show("app", id), details
            )
            await self._tell_doors(connection)
        return row

    async def delete_app_hook(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        parameters = {"organization": organization_id, "id": id, "revision": revision}
        async with self._writing(_WHAT, organization_id) as connection:
            await self._remove(
                connection,
                _WHAT,
                AppHook,
                "delete_app_hook",
                "app_hook",
                parameters,
                actor,
                show("app", id),
            )
            await self._tell_doors(connection)
