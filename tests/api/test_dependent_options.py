"""Pick-lists that depend on other fields, asked of simulated vendors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from junctor.adapters.transport import AiohttpTransport
from junctor.app.picking import choices
from junctor.errors import Misconfigured, NotFound
from junctor.language import ids
from junctor.language.forms import slots_of
from junctor.simulators import make
from junctor.simulators.crisp import CrispSimulator
from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.kit import running
from tests.support import asynchronous


@asynccontextmanager
async def asking(it: Any, name: str) -> AsyncIterator[tuple[Any, Any]]:
    """A simulator with a connection to it, and a way to ask for a list."""
    connector = it.core.registry.connector(name)
    kind, form = next((kind, each.form) for kind, each in connector.connections.items())
    known = {slot.key for slot in slots_of(form)}
    async with (
        running(make(name, seed=7)) as sim,
        AiohttpTransport([urlsplit(sim.origin).netloc]) as transport,
    ):
        it.core.accounts._transport = transport
        made = await it.client.post(
            "/api/v1/connections",
            json={
                "connector": name,
                "kind": kind,
                "name": f"{name} {sim.origin}",
                "base_url": sim.origin + sim.prefix,
                "values": {k: v for k, v in sim.credentials.items() if k in known},
            },
        )
        assert made.status_code == 201, made.text
        connection = ids.read("con", made.json()["id"])

        async def ask(module: str, field: str, **given: Any) -> list[tuple[Any, str]]:
            rows = await choices(
                it.core,
                it.organization_id,
                f"{name}:{module}",
                field,
                connection_id=connection,
                values=given,
            )
            return [(row.value, row.label) for row in rows]

        yield sim, ask


@asynchronous
async def test_crisps_lists_follow_the_website_and_the_conversation(api: Any) -> None:
    async with api() as it, asking(it, "crisp") as (sim, ask):
        assert isinstance(sim, CrispSimulator)
        mine, other = sim.state.websites.values()
        people = [(row["details"]["user_id"], row["details"]["email"]) for row in mine.operators]
        assert await ask("sendMessage", "mentions[]") == people
        assert await ask("sendMessage", "mentions[1]", website_id="{{1.id}}") == people
        # The limit of the search is not that of the list.
        assert len(await ask("searchConversations", "filter_assigned", limit=1)) == 3
        other.operators = mine.operators[:1]
        other.plugin = True
        assert await ask("sendMessage", "mentions[]", website_id=other.id) == people[:1]

        [(session, _), *_] = await ask("getMessage", "session_id")
        message = mine.messages[session][0]
        listed = await ask("getMessage", "fingerprint", session_id=session)
        assert listed == [(message["fingerprint"], message["content"])]
        with pytest.raises(Misconfigured, match="'session_id', which must be chosen first"):
            await ask("getMessage", "fingerprint")
        with pytest.raises(Misconfigured, match="is mapped"):
            await ask("getMessage", "fingerprint", session_id="{{1.session_id}}")
        with pytest.raises(NotFound, match=r"'choices\[\].colour'. It has: value, label"):
            await ask("sendMessage", "choices[].colour")


@asynchronous
async def test_highlevels_lists_follow_pipeline_calendar_and_day(api: Any) -> None:
    async with api() as it, asking(it, "highlevel") as (sim, ask):
        assert isinstance(sim, HighLevelSimulator)
        [(pipeline, _)] = await ask("createOpportunity", "pipelineId")
        stages = await ask("createOpportunity", "pipelineStageId", pipelineId=pipeline)
        assert [label for _, label in stages][1] == "Sales: Offer"
        assert await ask("createOpportunity", "pipelineStageId") == stages
        assert await ask("createOpportunity", "pipelineStageId", pipelineId="another") == []

        [(calendar, _)] = await ask("createAppointment", "calendarId")
        free = await ask("createAppointment", "startTime", calendarId=calendar)
        assert len(free) > 10
        assert free == sorted(free)
        with pytest.raises(Misconfigured, match="'calendarId', which must be chosen first"):
            await ask("createAppointment", "startTime")
        # A status of the form is not the campaigns'.
        assert isinstance(await ask("searchOpportunities", "campaignId", status="won"), list)
        assert isinstance(await ask("createContact", "customFields[0].id"), list)
        users = await ask("createTask", "assignedTo")
        assert await ask("addContactFollowers", "followers[]") == users


@asynchronous
async def test_the_settings_of_a_hook_have_pick_lists_too(api: Any) -> None:
    async with api() as it, asking(it, "signalwire") as (_, ask):
        numbers = await ask("watchCalls", "number")
        assert numbers
        assert all(label.startswith("+") for _, label in numbers)
        with pytest.raises(Misconfigured, match="type a value"):
            await ask("watchCalls", "signing_key")
