"""Every event that the simulated HighLevel can send reaches the one scenario that watches it."""

from __future__ import annotations

from typing import Any

import aiohttp

from junctor.connectors.highlevel.event_types import EVENTS, FAMILIES
from junctor.simulators import highlevel_events
from junctor.simulators.highlevel_oauth import HighLevelOAuthSimulator
from junctor.simulators.hooks import Retries
from junctor.simulators.kit import running
from tests.integration.runtime.door import door, idle, working
from tests.integration.runtime.test_fanout import App
from tests.support import asynchronous

KINDS = {event: family.name for family in FAMILIES for event in family.events}


class Vendor:
    """The simulator, by its admin API."""

    def __init__(self, sim: HighLevelOAuthSimulator, session: aiohttp.ClientSession) -> None:
        self.sim = sim
        self._session = session

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        url = f"{self.sim.admin_url}/{path}?wait=true"
        async with self._session.post(url, json=body) as answer:
            assert answer.status < 300, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found

    def told(self) -> list[int | None]:
        """What each attempt to deliver was answered, since the last look."""
        sent = self.sim.deliveries.sent
        out = [attempt.status for each in sent.values() for attempt in each.attempts]
        sent.clear()
        return out


def test_the_simulator_knows_all_events() -> None:
    assert sorted(highlevel_events.names()) == sorted(EVENTS)


@asynchronous
async def test_every_event_reaches_exactly_the_scenario_that_watches_it(database_url: str) -> None:
    async with (
        running(HighLevelOAuthSimulator(seed=5)) as sim,
        aiohttp.ClientSession() as session,
        door(database_url) as it,
        working(database_url),
    ):
        vendor = Vendor(sim, session)
        sim.deliveries.retries = Retries(limit=0)
        app = App(database_url, client_id=sim.client_id, public_key=sim.signing_key.public)
        here = app.connection(f"location:{sim.location_id}")
        watchers = {event: app.scenario(here, KINDS[event], types=[event]) for event in EVENTS}
        other = App(database_url, public_key=sim.signing_key.public)
        strangers = [
            app.scenario(app.connection("location:elsewhere")),
            other.scenario(other.connection(f"location:{sim.location_id}")),
        ]
        await vendor.post("hooks", url=f"http://127.0.0.1:{it.port}{app.path}")
        for event in EVENTS:
            await vendor.post("events", type=event)
        assert vendor.told() == [200] * 77
        await idle(database_url)
        assert dict(zip(EVENTS, app.runs(*watchers.values()), strict=True)) == dict.fromkeys(
            EVENTS, 1
        )
        assert app.runs(*strangers) == [0, 0]

        # Another location's, another app's, forged, older and repeated ones.
        await vendor.post("events", type="TaskCreate", location="elsewhere")
        await vendor.post("events", type="TaskCreate", times=3)
        assert vendor.told() == [200] * 4
        await vendor.post("events", type="TaskCreate", client_id=other.client_id)
        await vendor.post("events", type="TaskCreate", body={"appId": None})
        await vendor.post("events", type="TaskCreate", signature="bad")
        await vendor.post("events", type="TaskCreate", signature="none")
        older = await vendor.post("events", type="TaskCreate", signature="rsa")
        assert vendor.told() == [401] * 5
        app.set(accept_rsa=True, rsa_key=older["rsa_public_key"])
        await vendor.post("events", type="TaskCreate", signature="rsa")
        assert vendor.told() == [200]
        await idle(database_url)
        assert app.runs(watchers["TaskCreate"], *strangers) == [3, 1, 0]
