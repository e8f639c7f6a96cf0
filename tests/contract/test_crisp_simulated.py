"""Crisp against its double: what is found afterwards has the keys of what was told."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from test_connectors_simulated import Do, play

from junctor.adapters.transport import AiohttpTransport
from junctor.connectors.crisp import crisp
from junctor.connectors.crisp.events import dedup
from junctor.connectors.crisp.missed import LISTED
from junctor.language.connector import Delivery
from junctor.language.forms import bind, build, slots_of
from junctor.simulators.crisp import CrispSimulator
from junctor.simulators.kit import Simulator

CONNECTION = crisp.connections["crisp"]


async def asked(simulator: Simulator, flow: Any) -> Any:
    """What a backfill or a probe gives."""
    known = {slot.key for slot in slots_of(CONNECTION.form)}
    given = {key: text for key, text in simulator.credentials.items() if key in known}
    account: Any = build(CONNECTION.form, given)
    base = simulator.origin + simulator.prefix
    async with AiohttpTransport([urlsplit(base).netloc]) as transport:
        try:
            request = next(flow)
            while True:
                target = replace(request, url=base + request.url)
                response = await transport.send(CONNECTION.sign(target, account))
                assert response.status == 200 or not request.raises
                request = flow.send(response)
        except StopIteration as stop:
            return stop.value


def key(body: dict[str, Any]) -> str | None:
    return dedup(
        Delivery(
            id="",
            method="POST",
            query=(),
            headers={},
            body=msgspec.json.encode(body),
            received_at=datetime.now(UTC),
        )
    )


def test_what_crisp_missed_has_the_keys_of_what_it_sends() -> None:
    async def story(do: Do, simulator: Simulator) -> None:
        assert isinstance(simulator, CrispSimulator)
        told: list[dict[str, Any]] = []

        def emit(site: Any, event: str, data: dict[str, Any], **_more: Any) -> int:
            website = {"website_id": site.id}
            told.append(
                {**website, "event": event, "data": {**website, **data}, "timestamp": simulator.now}
            )
            return 0

        instants = itertools.count(simulator.clock.date().timestamp(), 0.05)
        simulator.clock._wall = lambda: next(instants)  # no two things at one instant
        simulator.emit = emit  # type: ignore[method-assign]  # heard here, not over the network
        [old, *_] = await do("searchConversations", limit=1)
        since = simulator.clock.date()
        ids = {"session_id": old["session_id"]}
        for number in range(45):  # more than two batches
            sender = "user" if number % 2 else "operator"
            await do("sendMessage", **ids, content=f"Message {number}", **{"from": sender})
        await do("changeConversationState", **ids, state="resolved")
        [begun] = await do("startConversation", text="Hello", email="ada@example.com")
        await do("createConversation")
        [added] = await do("addPeopleProfile", email="bob@example.com", full_name="Bob")
        [person, *_] = await do("listPeopleProfiles", sort_order="ascending", limit=1)
        for profile in (added, person):
            which = {"people_id": profile["people_id"]}
            await do("updatePeopleProfile", **which, full_name="Carl")
            await do("updatePeopleProfile", **which, full_name="Dora")

        hook = crisp.modules["watchEvents"].hook
        assert hook is not None
        assert hook.backfill is not None
        found = await asked(simulator, hook.backfill(since, {}))
        listed = [each for each in told if each["event"] in LISTED]
        # Of two changes of one person the last is found.
        last = {key(each): each for each in listed}
        changes = [each for each in listed if each["event"] == "people:profile:updated"]
        for first in changes[::2]:
            del last[key(first)]
        assert len(changes) == 4
        assert Counter(key(each.body) for each in found) == Counter(list(last))
        for each in found:
            whole = last[key(each.body)]
            assert each.body["website_id"] == whole["website_id"]
            assert {**whole["data"], **each.body["data"]} == each.body["data"]
        about = [each.body["data"] for each in found if "initiated" in each.body["event"]]
        assert [row["session_id"] for row in about] == [begun["session_id"]]
        assert not await asked(simulator, hook.backfill(since + timedelta(hours=1), {}))

    play("crisp", crisp, story)


ONCE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sendMessage", {"content": "Hello"}),
    ("startConversation", {"text": "Hello", "nickname": "Ada"}),
    ("addPeopleProfile", {"email": "new@example.com", "full_name": "New"}),
    ("addPeopleEvent", {"text": "Paid", "data": {"n": 1}, "color": "blue"}),
    ("createWebsite", {"name": "New", "domain": "new.example"}),
)


@pytest.mark.parametrize(("name", "given"), ONCE)
def test_what_was_done_is_found_and_gives_what_it_gave(name: str, given: dict[str, Any]) -> None:
    async def story(do: Do, simulator: Simulator) -> None:
        module = crisp.modules[name]
        assert module.probe is not None
        [old, *_] = await do("searchConversations", limit=1)
        [person, *_] = await do("listPeopleProfiles", limit=1)
        own = {"session_id": old["session_id"], "people_id": person["people_id"]}
        known = {slot.key for slot in slots_of(module.function)}
        mapper = {**given, **{key: text for key, text in own.items() if key in known}}
        arguments = bind(module, mapper, {})
        if module.handle is not None:
            arguments = dict(module.handle(arguments, "0123456789abcdef" * 4))
            mapper["fingerprint"] = arguments["fingerprint"]
        at = simulator.clock.date()
        assert await asked(simulator, module.probe.ask(arguments, at)) is False
        [made] = await do(name, **mapper)
        found = await asked(simulator, module.probe.ask(arguments, at))
        assert found
        assert found.items() <= made.items()

    play("crisp", crisp, story)


def test_an_empty_conversation_leaves_it_open_whose_it_is() -> None:
    async def story(do: Do, simulator: Simulator) -> None:
        probe = crisp.modules["createConversation"].probe
        assert probe is not None
        arguments = bind(crisp.modules["createConversation"], {}, {})
        at = simulator.clock.date()
        assert await asked(simulator, probe.ask(arguments, at)) is False
        await do("createConversation")
        assert await asked(simulator, probe.ask(arguments, at)) is None

    play("crisp", crisp, story)
