"""A connection to the simulated HighLevel that is to be authorised, and everything around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import psycopg

from junctor.app.core import Core, open_core
from junctor.app.owner import ensure_owner
from junctor.app.server import open_application
from junctor.app.settings import Settings
from junctor.language import ids
from junctor.language.connector import Request
from junctor.simulators.highlevel_oauth import HighLevelOAuthSimulator
from junctor.simulators.kit import running

PUBLIC = "https://junctor.test"


@dataclass
class Scene:
    """The application, the vendor, and a connection that waits to be authorised."""

    client: httpx.AsyncClient
    browser: httpx.AsyncClient
    core: Core
    settings: Settings
    organization_id: UUID
    sim: HighLevelOAuthSimulator
    url: str
    id: str = ""

    @property
    def connection_id(self) -> UUID:
        return ids.read("con", self.id)

    async def add(self, name: str = "HL", **values: Any) -> str:
        made = await self.client.post(
            "/api/v1/connections",
            json={
                "connector": "highlevel",
                "kind": "oauth",
                "name": name,
                "base_url": self.sim.base_url,
                "values": {
                    "client_id": self.sim.client_id,
                    "client_secret": self.sim.client_secret,
                    **values,
                },
            },
        )
        assert made.status_code == 201, made.text
        assert made.json()["authorized"] is False
        return str(made.json()["id"])

    async def begin(self, **how: Any) -> tuple[str, httpx.Response]:
        """Where the vendor sends the person back to, and what our API answered."""
        begun = await self.client.post(f"/api/v1/connections/{self.id}/authorize", json=how)
        assert begun.status_code == 200, begun.text
        return await self.allow(begun.json()["url"]), begun

    async def allow(self, url: str) -> str:
        page = await self.browser.get(url)
        assert page.status_code == 302, page.text
        back = page.headers["location"]
        assert back.startswith(f"{PUBLIC}/oauth/callback?")
        return str(back)

    async def come_back(self, url: str, **more: Any) -> httpx.Response:
        parts = urlsplit(url)
        headers = {"authorization": "", **more}
        return await self.client.get(f"{parts.path}?{parts.query}", headers=headers)

    async def authorize(self, **how: Any) -> httpx.Response:
        return await self.come_back((await self.begin(**how))[0])

    async def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.client.get(f"/api/v1/connections/{self.id}")).json()
        return found

    async def call(self, core: Core | None = None) -> int:
        """Sends a request as a run does; its status."""
        accounts = (core or self.core).accounts
        account = await accounts.get(self.organization_id, self.connection_id)
        request = Request("GET", f"/locations/{self.sim.location_id}")
        return (await accounts.send_as(account, request, run_id=uuid4())).status

    def change(self, text: str) -> None:
        """The database is changed; SQL on the connection's own state."""
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute(text.encode(), {"id": self.connection_id})
        self.core.accounts.forget(self.organization_id, self.connection_id)

    def age(self) -> None:
        """The access token is all but at its end."""
        self.change(
            "update connection_states set expires_at = now() + interval '1 second' "
            "where connection_id = %(id)s"
        )


@asynccontextmanager
async def opened(database_url: str, folder: Path, **values: Any) -> AsyncIterator[Scene]:
    """All of it; ``values`` are more fields of the connection."""
    async with running(HighLevelOAuthSimulator(seed=3)) as sim:
        settings = Settings(
            data_dir=folder,
            public=PUBLIC,
            egress_allow=(urlsplit(sim.base_url).netloc,),
        )
        async with (
            open_core(settings, database_url) as core,
            open_application(settings, database_url, name="servertest") as application,
            httpx.AsyncClient() as browser,
        ):
            await ensure_owner(core)
            organization = (await core.catalog.organizations())[0].organization_id
            _, text = await core.catalog.create_token(
                organization, actor="test", name="owner", scopes=["owner"]
            )
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(application, raise_app_exceptions=False),
                base_url="https://testserver",
                headers={"authorization": f"Bearer {str.__str__(text)}"},
            ) as client:
                it = Scene(client, browser, core, settings, organization, sim, database_url)
                it.id = await it.add(name=f"HL {uuid4()}", **values)
                yield it
