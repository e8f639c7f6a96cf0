"""The whole application in this process, over a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from junctor.app import oneshot
from junctor.app.core import Core, open_core
from junctor.app.owner import ensure_owner
from junctor.app.server import open_application
from junctor.app.settings import Settings
from junctor.runtime.worker import Worker
from tests.api import oauth_scene


@dataclass
class Api:
    """A client with the owner's token, and what it talks to."""

    client: httpx.AsyncClient
    core: Core
    organization_id: UUID
    token: str

    async def token_with(self, *scopes: str) -> dict[str, str]:
        """Headers of a new token with these scopes."""
        made = await self.client.post("/api/v1/tokens", json={"name": "t", "scopes": list(scopes)})
        assert made.status_code == 201, made.text
        return {"authorization": f"Bearer {made.json()['token']}"}


@pytest.fixture
def api(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Any]:
    """Opens the application; used as ``async with api() as it``."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Api]:
        settings = Settings(
            data_dir=tmp_path_factory.getbasetemp() / "api", public="https://hooks.test"
        )
        async with (
            open_core(settings, database_url) as core,
            open_application(settings, database_url, name="servertest") as application,
        ):
            await ensure_owner(core)
            organization = (await core.catalog.organizations())[0].organization_id
            _, text = await core.catalog.create_token(
                organization, actor="test", name="owner", scopes=["owner"]
            )
            token = str.__str__(text)
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(application, raise_app_exceptions=False),
                base_url="http://testserver",
                headers={"authorization": f"Bearer {token}"},
            ) as client:
                yield Api(client, core, organization, token)

    return opened


@pytest.fixture
def scene(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """A connection that is to be authorised; used as ``async with scene() as it``."""

    def made(**values: Any) -> Any:
        return oauth_scene.opened(database_url, tmp_path_factory.getbasetemp() / "api", **values)

    return made


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    """The workers of this process, as they are made."""
    made: list[Worker] = []

    class Known(Worker):
        def __init__(self, *args: Any, **given: Any) -> None:
            super().__init__(*args, **given)
            made.append(self)

    monkeypatch.setattr(oneshot, "Worker", Known)
    return made
