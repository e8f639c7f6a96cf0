"""A whole application, connected to a simulated vendor: for tests of what happens after trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg

from junctor.app.core import Core, open_core
from junctor.app.owner import ensure_owner
from junctor.app.server import open_application
from junctor.app.settings import Settings
from junctor.language.forms import slots_of
from junctor.simulators import make
from junctor.simulators.kit import running

ANY = {"if-match": "*"}


@dataclass
class Stand:
    """The application, its owner's client, and the vendor."""

    client: httpx.AsyncClient
    core: Core
    sim: Any
    """A `Simulator`; each has a state of its own."""
    organization: UUID
    connection: str
    url: str

    async def admin(self, path: str, order: dict[str, Any]) -> Any:
        async with httpx.AsyncClient() as client:
            made = await client.post(f"{self.sim.origin}/_sim{path}", json=order)
        assert made.status_code < 300, made.text
        return made.json()

    async def scenario(self, *modules: tuple[str, dict[str, Any]], instant: bool = True) -> str:
        """An active scenario, its modules bound to the account; its path in the API."""
        placed = [
            {"id": n, "module": name, "version": 1, "parameters": {}, "mapper": mapper}
            for n, (name, mapper) in enumerate(modules, start=1)
        ]
        blueprint = {"name": "s", "flow": placed, "metadata": {"version": 1, "instant": instant}}
        made = await self.client.post("/api/v1/scenarios", json={"blueprint": blueprint})
        assert made.status_code == 201, made.text
        path = f"/api/v1/scenarios/{made.json()['id']}"
        if any(name.startswith(f"{self.sim.name}:") for name, _ in modules):
            bound = await self.client.put(
                f"{path}/draft", json={"connections": {self.sim.name: self.connection}}, headers=ANY
            )
            assert bound.status_code == 200, bound.text
        active = await self.client.post(f"{path}/activate", headers=ANY)
        assert active.status_code == 200, active.text
        return path

    async def door(self, scenario: str) -> str:
        hooks = (await self.client.get("/api/v1/hooks")).json()["items"]
        (hook,) = [each for each in hooks if each["scenario"] == scenario.rpartition("/")[2]]
        return "/hook/" + str(hook["url"].rpartition("/")[2])

    async def ended(self, scenario: str, count: int, *, state: str = "finished") -> list[Any]:
        """Its runs, once there are so many in this state and none that goes on."""
        shown = scenario.rpartition("/")[2]
        while True:
            found = (await self.client.get("/api/v1/runs", params={"scenario": shown})).json()
            runs: list[Any] = found["items"]
            if len(runs) == count and {run["state"] for run in runs} == {state}:
                return runs
            await asyncio.sleep(0.01)

    async def first_bundles(self, runs: list[Any]) -> list[Any]:
        """What each run's trigger gave."""
        found = []
        for run in runs:
            made = (await self.client.get(f"/api/v1/runs/{run['id']}/operations")).json()
            found.append(made["operations"][0]["bundles"][0])
        return found


@asynccontextmanager
async def standing(url: str, folder: Path, vendor: str = "toky") -> AsyncIterator[Stand]:
    """All of it, connected; ``vendor`` is the simulator's name."""
    async with running(make(vendor, seed=3)) as sim:
        address = sim.origin.removeprefix("http://")
        settings = Settings(data_dir=folder, public="https://hooks.test", egress_allow=(address,))
        async with (
            open_core(settings, url) as core,
            open_application(settings, url, name="serverrepairs") as application,
        ):
            await ensure_owner(core)
            with psycopg.connect(url, autocommit=True) as db:  # those of other tests
                db.execute("update scenarios set active = false")
            organization = (await core.catalog.organizations())[0].organization_id
            _, token = await core.catalog.create_token(
                organization, actor="test", name=f"o{sim.origin}", scopes=["owner"]
            )
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(application, raise_app_exceptions=False),
                base_url="http://testserver",
                headers={"authorization": f"Bearer {str.__str__(token)}"},
            ) as client:
                connector = core.registry.connector(vendor)
                assert connector is not None
                form, *_ = (each.form for each in connector.connections.values())
                known = {slot.key for slot in slots_of(form)}
                made = await client.post(
                    "/api/v1/connections",
                    json={
                        "name": f"{vendor} {sim.origin}",
                        "connector": vendor,
                        "base_url": sim.origin + sim.prefix,
                        "values": {k: v for k, v in sim.credentials.items() if k in known},
                    },
                )
                assert made.status_code == 201, made.text
                yield Stand(client, core, sim, organization, made.json()["id"], url)
