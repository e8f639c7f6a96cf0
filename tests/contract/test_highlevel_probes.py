"""What was sent to HighLevel's double is found again, and what wasn't is not."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from test_connectors_simulated import Do, answered, play

from junctor.connectors.highlevel import highlevel
from junctor.language.connector import Probe, Response
from junctor.language.forms import bind
from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.kit import Simulator

WITHOUT = {
    "createRecurringTask": "no list shows recurring tasks",
    "addContactToCampaign": "no list shows the contacts of a campaign",
    "addContactToWorkflow": "no list shows the contacts of a workflow",
    "makeApiCall": "nobody knows what it does",
}
START = "2026-12-01T10:00:00Z"
Asks = Callable[..., Awaitable[Any]]


def once() -> set[str]:
    """Modules made by hand whose effect is, or may be, of kind once."""
    return {
        module.name
        for module in highlevel.modules.values()
        if not module.generated and (module.effect == "once" or module.effect_of is not None)
    }


def test_every_once_effect_made_by_hand_can_be_looked_for_or_is_known_not_to() -> None:
    probed = {name for name in once() if highlevel.modules[name].probe is not None}
    assert once() - probed == set(WITHOUT)
    assert {module.name for module in highlevel.modules.values() if module.probe} == probed


def probing(
    story: Callable[[Do, Asks, dict[str, str], HighLevelSimulator], Awaitable[None]],
) -> None:
    """Plays a story with the double, the probes of modules, and IDs of what is there already."""

    async def played(do: Do, simulator: Simulator) -> None:
        assert isinstance(simulator, HighLevelSimulator)

        async def asks(which: str, at: datetime, /, **mapper: Any) -> Any:
            module = highlevel.modules[which]
            assert isinstance(module.probe, Probe)
            flow = module.probe.ask(bind(module, mapper, {}), at)
            return await answered(highlevel, simulator, flow)

        [contact] = await do("searchContacts", limit=1)
        [calendar] = await do("listCalendars")
        [pipeline] = await do("listPipelines")
        booked = await do(
            "createAppointment",
            calendarId=calendar["id"],
            contactId=contact["id"],
            startTime="2026-11-30T10:00:00Z",
        )
        ids = {
            "contactId": contact["id"],
            "calendarId": calendar["id"],
            "pipelineId": pipeline["id"],
            "appointmentId": booked[0]["id"],
        }
        await story(do, asks, ids, simulator)

    play("highlevel", highlevel, played)


CASES: dict[str, dict[str, Any]] = {
    "createContact": {"firstName": "Ada", "phone": "(202) 555 0178", "email": "Ada@Example.com"},
    "upsertContact": {"phone": "+12025550177", "createNewIfDuplicateAllowed": True},
    "createTask": {"contactId": "", "title": "Call", "body": "Now", "dueDate": START},
    "createNote": {"contactId": "", "body": "<p>Hello &amp; bye</p>"},
    "createAppointment": {"calendarId": "", "contactId": "", "startTime": START, "title": "Demo"},
    "createBlockedTime": {"calendarId": "", "startTime": START, "endTime": START, "title": "Lunch"},
    "createAppointmentNote": {"appointmentId": "", "body": "Bring papers"},
    "createCalendar": {"name": "Tours", "slug": "tours"},
    "createCalendarGroup": {"name": "Teams", "description": "d", "slug": "teams"},
    "createConversation": {"contactId": ""},
    "sendMessage": {"type": "SMS", "contactId": "", "message": "Hello"},
    "addInboundMessage": {"type": "WhatsApp", "contactId": "", "message": "Hi there"},
    "addOutboundCall": {"conversationId": "", "call": {"to": "+12025550100"}},
    "createUser": {
        "companyId": "c", "firstName": "Al", "lastName": "B", "email": "al@example.com",
        "password": "secret-1", "type": "account", "role": "user", "locationIds": ["l"],
    },
    "createBusiness": {"name": "Acme", "phone": "202 555 0100"},
    "createTag": {"name": "Lead"},
    "createCustomField": {"name": "Shoe size", "dataType": "NUMERICAL"},
    "createCustomValue": {"name": "Hours", "value": "9 to 5"},
    "createLink": {"name": "Site", "redirectTo": "https://example.com/"},
    "createOpportunity": {"name": "Deal", "contactId": "", "pipelineId": ""},
    "upsertOpportunity": {"name": "Other deal", "pipelineId": ""},
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CASES))
def test_what_was_done_is_found_and_what_was_not_is_not(name: str) -> None:
    async def story(do: Do, asks: Asks, ids: dict[str, str], simulator: HighLevelSimulator) -> None:
        if name == "addOutboundCall":
            [opened] = await do("createConversation", contactId=ids["contactId"])
            ids["conversationId"] = opened["id"]
        given = {key: ids[key] if value == "" else value for key, value in CASES[name].items()}
        at = simulator.clock.date()
        assert await asks(name, at, **given) is False, "nothing was done yet"
        [made] = await do(name, **given)
        found = await asks(name, at, **given)
        assert isinstance(found, dict)
        assert _id_of(found) == _id_of(made)
        expected = made.keys() - {"traceId", "message", "success", "contactId", "status"}
        expected -= {"dateAdded", "dateUpdated"}  # of a list they are not told
        assert expected <= {*found, "conversationId"}

    probing(story)


def _id_of(bundle: dict[str, Any]) -> Any:
    for key in ("messageId", "id"):
        if bundle.get(key):
            return bundle[key]
    return next(inner["id"] for inner in bundle.values() if isinstance(inner, dict))


def test_what_was_done_long_before_is_not_it() -> None:
    async def story(do: Do, asks: Asks, ids: dict[str, str], simulator: HighLevelSimulator) -> None:
        later = simulator.clock.date() + timedelta(hours=1)
        for name in ("createContact", "createNote", "createOpportunity", "sendMessage"):
            given = {key: ids[key] if value == "" else value for key, value in CASES[name].items()}
            await do(name, **given)
            assert await asks(name, later, **given) is False

    probing(story)


def test_of_two_that_look_alike_nobody_can_say_which_it_was() -> None:
    async def story(do: Do, asks: Asks, ids: dict[str, str], simulator: HighLevelSimulator) -> None:
        at = simulator.clock.date()
        for name in ("createTask", "createNote", "sendMessage", "createOpportunity"):
            given = {key: ids[key] if value == "" else value for key, value in CASES[name].items()}
            for _ in range(2):
                await do(name, **given)
            assert await asks(name, at, **given) is None

    probing(story)


def test_a_text_that_highlevel_fills_in_leaves_it_open() -> None:
    async def story(do: Do, asks: Asks, ids: dict[str, str], simulator: HighLevelSimulator) -> None:
        at, to = simulator.clock.date(), {"type": "SMS", "contactId": ids["contactId"]}
        await do("sendMessage", **to, message="Hello Ada")
        assert await asks("sendMessage", at, **to, message="Hello") is False
        assert await asks("sendMessage", at, **to, message="Hello {{contact.first_name}}") is None
        assert await asks("sendMessage", at, **to, templateId="t") is None

    probing(story)


def test_a_mail_is_known_by_its_subject() -> None:
    async def story(do: Do, asks: Asks, ids: dict[str, str], simulator: HighLevelSimulator) -> None:
        at, to = simulator.clock.date(), {"type": "Email", "contactId": ids["contactId"]}
        [sent] = await do("sendMessage", **to, subject="Hello", html="<p>Hi</p>")
        found = await asks("sendMessage", at, **to, subject="Hello", html="<b>Hi</b>")
        assert found == {k: v for k, v in sent.items() if k not in {"traceId", "status"}}
        assert await asks("sendMessage", at, **to, subject="Bye", html="<p>Hi</p>") is False

    probing(story)


def test_a_call_written_down_later_is_found_by_its_date() -> None:
    rung = datetime(2026, 11, 1, tzinfo=UTC)
    row = {"id": "m", "conversationId": "t", "direction": "inbound", "messageType": "TYPE_CALL"}
    for date, found in (
        (rung, {"conversationId": "t", "messageId": "m"}),
        (rung.replace(day=2), False),
    ):
        module = highlevel.modules["addInboundMessage"]
        assert module.probe is not None
        given = bind(module, {"type": "Call", "conversationId": "t", "date": rung.isoformat()}, {})
        flow = module.probe.ask(given, rung + timedelta(days=9))
        assert next(flow).url == "/conversations/t/messages"
        page = {"messages": [{**row, "dateAdded": date.isoformat()}]}
        with pytest.raises(StopIteration) as stop:
            flow.send(Response(200, {}, json.dumps(page).encode()))
        assert stop.value.value == found
